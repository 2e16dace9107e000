"""The grid of a container, and who is due on it."""

import pytest
from tests.core.scene import MINUTE, NOON, utc

from barsync_async.core.alignment import Alignment
from barsync_async.core.calendar import Calendar
from barsync_async.units import SourceId

HOUR, DAY = 60 * MINUTE, 1_440 * MINUTE


def alignment(*sources: str, **calendars: Calendar) -> Alignment:
    by_source = {SourceId(source): calendar for source, calendar in calendars.items()}
    return Alignment(map(SourceId, sources), by_source)


def due(grid: Alignment, timestamp: int) -> list[str]:
    flags = grid.due(timestamp).flags
    return [source for source, flag in zip(grid.sources, flags, strict=True) if flag]


def test_sources_stand_in_sorted_order_each_once() -> None:
    grid = alignment("SPY_5m", "QQQ_1m", "SPY_1m", "SPY_1m")
    assert grid.sources == ("QQQ_1m", "SPY_1m", "SPY_5m")
    assert grid.slow == (False, False, True)
    assert grid.base.name == "1m"


def test_a_source_is_found_by_symbol_and_timeframe() -> None:
    grid = alignment("SPY_5m", "QQQ_1m", "SPY_1m")
    assert [grid.index("SPY", "1m"), grid.index("SPY", "5m")] == [1, 2]
    assert grid.index("QQQ", "5m") is None
    assert grid.index("QQQ", "1h") is None


def test_of_nothing_there_is_no_alignment() -> None:
    with pytest.raises(ValueError, match="at least one source"):
        alignment()


def test_sources_of_one_timeframe_are_all_due_wherever_one_closes() -> None:
    grid = alignment("SPY_1m", "QQQ_1m")
    assert due(grid, NOON) == ["QQQ_1m", "SPY_1m"]
    assert grid.due(NOON).count == 2
    assert grid.due(NOON).none == bytes(2)


def test_a_slower_source_is_due_on_its_own_grid_only() -> None:
    grid = alignment("SPY_1m", "SPY_5m", "SPY_15m")
    assert due(grid, NOON) == ["SPY_15m", "SPY_1m", "SPY_5m"]
    assert due(grid, NOON + MINUTE) == ["SPY_1m"]
    assert due(grid, NOON + 5 * MINUTE) == ["SPY_1m", "SPY_5m"]
    assert grid.due(NOON + 5 * MINUTE).count == 2


def test_off_the_containers_grid_the_base_sources_are_due() -> None:
    grid = alignment("SPY_3m", "SPY_5m", "QQQ_3m")
    assert due(grid, NOON + 5 * MINUTE) == ["QQQ_3m", "SPY_3m"]
    assert due(grid, NOON + 15 * MINUTE) == ["QQQ_3m", "SPY_3m", "SPY_5m"]


def test_a_closed_market_is_not_due() -> None:
    morning = Calendar([(NOON - HOUR, NOON)])
    grid = alignment("BTC_1m", "SPY_1m", SPY_1m=morning)
    assert due(grid, NOON) == ["BTC_1m", "SPY_1m"]
    assert due(grid, NOON + MINUTE) == ["BTC_1m"]


def test_a_single_market_that_is_closed_has_nobody_due() -> None:
    grid = alignment("SPY_1m", SPY_1m=Calendar([(NOON - HOUR, NOON)]))
    assert due(grid, NOON) == ["SPY_1m"]
    assert due(grid, NOON + MINUTE) == []


def test_a_daily_base_with_calendars_has_its_grid_at_their_closes_and_at_midnight() -> None:
    close = utc("2026-11-25 21:00")
    grid = alignment("BTC_1d", "SPY_1d", SPY_1d=Calendar([(close - 6 * HOUR, close)]))
    assert due(grid, close) == ["SPY_1d"]
    assert due(grid, close + 3 * HOUR) == ["BTC_1d"]
    assert due(grid, close + HOUR) == ["BTC_1d", "SPY_1d"]  # off the grid: a program's own bars


def test_a_daily_source_among_short_ones_is_due_at_its_sessions_close() -> None:
    close = utc("2026-11-27 18:00")
    grid = alignment("SPY_1d", "SPY_1m", SPY_1d=Calendar([(close - 3 * HOUR, close)]))
    assert due(grid, close) == ["SPY_1d", "SPY_1m"]
    assert due(grid, utc("2026-11-28 00:00")) == ["SPY_1m"]


def test_a_daily_close_off_the_base_grid_belongs_to_no_set() -> None:
    close = NOON + 30_000
    grid = alignment("SPY_1d", "SPY_1m", SPY_1d=Calendar([(NOON - HOUR, close)]))
    assert grid.is_on_grid(0, close)
    assert due(grid, close) == ["SPY_1m"]


def test_the_grid_of_a_source_is_its_timeframes_even_while_its_market_is_closed() -> None:
    grid = alignment("SPY_1m", "SPY_5m", SPY_1m=Calendar([(NOON - HOUR, NOON)]))
    assert grid.is_on_grid(0, NOON + MINUTE)
    assert not grid.is_on_grid(0, NOON + 1)
    assert not grid.is_on_grid(1, NOON + MINUTE)


def test_the_grid_of_a_daily_source_with_a_calendar_is_its_sessions_closes() -> None:
    grid = alignment("SPY_1d", SPY_1d=Calendar([(NOON - HOUR, NOON)]))
    assert grid.is_on_grid(0, NOON)
    assert not grid.is_on_grid(0, NOON - NOON % DAY)


def test_the_next_slot_is_the_next_timestamp_at_which_a_source_is_due() -> None:
    assert alignment("SPY_1m", "SPY_5m").next_slot(NOON) == NOON + MINUTE
    assert alignment("SPY_1m").next_slot(NOON - 1) == NOON
    assert alignment("SPY_3m", "SPY_5m").next_slot(NOON + 3 * MINUTE) == NOON + 6 * MINUTE


def test_the_next_slot_leaps_over_a_closed_market() -> None:
    calendar = Calendar([(NOON - HOUR, NOON), (NOON + HOUR, NOON + 2 * HOUR)])
    grid = alignment("SPY_1m", "QQQ_5m", SPY_1m=calendar, QQQ_5m=calendar)
    assert grid.next_slot(NOON) == NOON + HOUR + MINUTE
    assert grid.next_slot(NOON + 2 * HOUR) is None


def test_a_slower_source_without_a_calendar_has_slots_while_the_base_is_closed() -> None:
    grid = alignment("SPY_1m", "BTC_5m", SPY_1m=Calendar([(NOON - HOUR, NOON)]))
    assert grid.next_slot(NOON) == NOON + 5 * MINUTE


def test_the_next_slot_of_daily_sources_is_the_nearest_close() -> None:
    close = utc("2026-11-25 21:00")
    grid = alignment("BTC_1d", "SPY_1d", SPY_1d=Calendar([(close - 6 * HOUR, close)]))
    assert grid.next_slot(close - 1) == close
    assert grid.next_slot(close) == close + 3 * HOUR
