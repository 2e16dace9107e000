"""Timeframes and their grids, and the names of sources."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.units import (
    MAX_WALL_MS,
    TIMEFRAMES,
    Timeframe,
    counted,
    shown_time,
    source_id,
    split_source,
    symbol_of,
    to_ms,
)

"""For a slow machine, and for the second that the first text of all takes to generate."""

NAMES = "1s 5s 15s 30s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1w"
timeframes = st.sampled_from([*TIMEFRAMES.values()])


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


def test_there_are_the_timeframes_of_the_contract_shortest_first() -> None:
    assert " ".join(TIMEFRAMES) == NAMES
    lengths = [each.length_ms for each in TIMEFRAMES.values()]
    assert lengths == sorted(set(lengths))
    assert all(each.name == name for name, each in TIMEFRAMES.items())


@pytest.mark.parametrize(
    ("name", "length_ms"),
    [("1s", 1_000), ("30s", 30_000), ("3m", 180_000), ("12h", 43_200_000), ("1d", 86_400_000)],
)
def test_a_timeframe_is_as_long_as_its_name_says(name: str, length_ms: int) -> None:
    assert TIMEFRAMES[name].length_ms == length_ms


@pytest.mark.parametrize(
    ("name", "closes", "does_not"),
    [
        ("1s", "2026-11-25T12:00:01", None),
        ("5m", "2026-11-25T12:05:00", "2026-11-25T12:06:00"),
        ("8h", "2026-11-25T16:00:00", "2026-11-25T12:00:00"),
        ("1d", "2026-11-25T00:00:00", "2026-11-25T12:00:00"),
        ("1w", "2026-11-23T00:00:00", "2026-11-26T00:00:00"),
    ],
)
def test_bars_close_on_the_grid_and_weeks_on_monday(
    name: str, closes: str, does_not: str | None
) -> None:
    assert TIMEFRAMES[name].closes_at(ms(closes))
    assert not TIMEFRAMES[name].closes_at(ms(closes) + 1)
    assert does_not is None or not TIMEFRAMES[name].closes_at(ms(does_not))


def test_the_first_week_closes_on_the_first_monday() -> None:
    assert TIMEFRAMES["1w"].next_close(0) == ms("1970-01-05T00:00:00")


@given(timeframes, st.integers(0, MAX_WALL_MS))
def test_the_next_close_is_the_first_one_later(timeframe: Timeframe, timestamp: int) -> None:
    close = timeframe.next_close(timestamp)
    assert timestamp < close <= timestamp + timeframe.length_ms
    assert timeframe.closes_at(close)
    assert timeframe.next_close(close) == close + timeframe.length_ms


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("SPY_1m", ("SPY", "1m")),
        ("BTC/USD_5m", ("BTC/USD", "5m")),
        ("A_B_1w", ("A_B", "1w")),
        ("__1s", ("_", "1s")),
        ("1m_1m", ("1m", "1m")),
    ],
)
def test_a_source_is_split_at_its_last_underscore(source: str, parts: tuple[str, str]) -> None:
    assert split_source(source) == parts
    assert source_id(*parts) == source


@pytest.mark.parametrize("source", ["", "SPY", "_1m", "_"])
def test_what_has_no_two_parts_is_no_source(source: str) -> None:
    with pytest.raises(ValueError, match=r"is not SYMBOL_TIMEFRAME, e\.g\. SPY_1m"):
        split_source(source)


@pytest.mark.parametrize("source", ["SPY_", "SPY_7m", "SPY_1M", "SPY_1m ", "SPY_m1"])
def test_an_unknown_timeframe_is_named_with_all_that_are_known(source: str) -> None:
    with pytest.raises(ValueError, match="has the unknown timeframe") as error:
        split_source(source)
    assert NAMES in str(error.value)


@given(st.text(min_size=1), timeframes)
def test_any_symbol_comes_back_out_of_its_source(symbol: str, timeframe: Timeframe) -> None:
    assert split_source(source_id(symbol, timeframe.name)) == (symbol, timeframe.name)


def test_a_key_is_a_symbol_that_is_known_or_else_a_source_or_else_a_symbol() -> None:
    assert symbol_of("X_1d") == "X"
    assert symbol_of("X_1d", {"X"}) == "X"
    assert symbol_of("X_1d", {"X", "X_1d"}) == "X_1d"
    assert symbol_of("X_1d_1m", {"X", "X_1d"}) == "X_1d"
    assert symbol_of("SPX", {"X"}) == "SPX"


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (0, 0.0),
        (1, 0.0),
        (400, 0.0),
        (600, 0.001),
        (1_500, 0.002),
        (12_345_678, 12.346),
        (-1_000_000, -1.0),
    ],
)
def test_a_duration_goes_out_in_ms_with_three_decimals(ns: int, shown: float) -> None:
    assert to_ms(ns) == shown


def test_a_moment_is_shown_in_utc_with_a_fraction_only_where_there_is_one() -> None:
    assert shown_time(ms("2019-02-11T14:31:00")) == "2019-02-11T14:31:00Z"
    assert shown_time(ms("2019-02-11T14:31:00") + 1) == "2019-02-11T14:31:00.001Z"


def test_one_thing_is_counted_without_an_s() -> None:
    assert [counted(count, "row") for count in (0, 1, 2_000)] == ["0 rows", "1 row", "2,000 rows"]
