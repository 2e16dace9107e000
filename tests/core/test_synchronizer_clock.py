"""Steps of the wall clock, sleeps of the machine, and trading calendars."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.core.scene import MINUTE, NOON, Scene, brief, utc

from barsync_async.core.calendar import Calendar
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs

HOUR = 60 * MINUTE


def by_clock(*sources: str, **options: Any) -> Scene:
    told = {"deadline_from": "close", "timeout_ms": 100, "require_all": False, **options}
    return Scene(*sources, **{"start": NOON - 1_000, **told})


def test_a_step_is_told() -> None:
    assert Scene().set_clock(-5_000) == [("step", -5_000)]
    assert Scene().sleep(5_000) == [("resume", 5_000)]


@pytest.mark.parametrize("step_ms", [-30_000, 30_000])
def test_deadlines_from_the_first_bar_know_no_wall_clock(step_ms: int) -> None:
    scene = Scene()
    scene.bar("SPY_1m", 0)
    scene.set_clock(step_ms)
    assert scene.deadlines() == {0: 100}


def test_after_a_forward_step_what_passed_is_due_at_once() -> None:
    scene = by_clock()
    scene.pass_ms(1_050)
    scene.bar("SPY_1m", 0)
    scene.set_clock(2 * MINUTE)
    assert scene.pass_ms(0) == [("partial", 0, "SPY_1m=1"), ("empty", 1)]
    assert scene.deadlines() == {2: 50, 3: MINUTE - 50}


def test_a_slot_that_a_step_opens_did_not_open_before_the_step() -> None:
    scene = by_clock("SPY_1m")
    scene.pass_ms(500)
    scene.set_clock(MINUTE)
    told = scene.core.on_deadline(WallMs(NOON), scene.now)
    assert brief(told) == []
    scene.pass_ms(100)
    assert scene.core.statistics().wait.quantile(1.0) < 200


def test_after_a_backward_step_deadlines_come_later_and_no_timestamp_twice() -> None:
    scene = by_clock()
    scene.pass_ms(1_050)
    scene.bar("SPY_1m", 0)
    scene.set_clock(-3 * MINUTE)
    assert scene.deadlines() == {0: 3 * MINUTE + 50, 1: 4 * MINUTE - 50}
    told = scene.pass_ms(4 * MINUTE + 50)
    assert [each[:2] for each in told] == [("partial", 0), ("empty", 1)]


def test_after_a_backward_step_a_bar_may_be_of_the_future() -> None:
    scene = Scene("SPY_1m")
    scene.set_clock(-2 * MINUTE)
    assert scene.bar("SPY_1m", 0, feed="sim") == ["future"]
    assert scene.bar("SPY_1m", -1, feed="sim")[0][:2] == ("complete", -1)


def test_what_the_machine_slept_through_is_suspended() -> None:
    scene = by_clock("SPY_1m")
    scene.sleep(3 * MINUTE)
    told = scene.pass_ms(0)
    assert told == [("suspended", 0), ("suspended", 1), ("suspended", 2)]
    assert scene.pass_ms(MINUTE)[0] == ("empty", 3)


def test_a_step_that_is_no_sleep_suspends_nothing() -> None:
    scene = by_clock("SPY_1m")
    scene.set_clock(2 * MINUTE)
    assert scene.pass_ms(0) == [("empty", 0), ("empty", 1)]


def test_a_sleep_suspends_from_after_its_begin_up_to_its_end() -> None:
    scene = by_clock("SPY_1m", start=NOON - MINUTE)
    scene.pass_ms(MINUTE)  # it is noon: the slot opens
    scene.sleep(MINUTE)
    told = scene.pass_ms(100)
    assert told == [("empty", 0), ("suspended", 1)]


def test_a_sleep_after_its_seal_suspends_no_set_that_is_held() -> None:
    scene = by_clock("SPY_1m", missing="interpolate", hold_ms=10 * MINUTE)
    scene.bar("SPY_1m", 0)
    assert scene.pass_ms(1_000 + MINUTE + 100) == []
    scene.set_clock(-30_000)
    scene.sleep(40_000)  # through minute 1 once more
    assert scene.bar("SPY_1m", 2, 3.0)[0] == ("filled", 1, "SPY_1m=2 interpolated")


def test_bars_that_come_after_the_sleep_save_their_set() -> None:
    scene = by_clock("SPY_1m", "QQQ_1m", min_wait_ms=50, missing="last_known")
    for source in ("SPY_1m", "QQQ_1m"):
        scene.bar(source, 0)
    scene.sleep(3 * MINUTE)
    scene.bar("SPY_1m", 2)
    told = scene.pass_ms(50)
    assert told[0] == ("suspended", 1), "though the last bars could fill it"
    assert told[1][:2] == ("filled", 2)


def test_a_revision_may_follow_what_was_suspended() -> None:
    scene = by_clock("SPY_1m", late="amend", allowed_lateness_ms=1_000)
    scene.sleep(MINUTE)
    assert scene.pass_ms(0) == [("suspended", 0)]
    assert scene.bar("SPY_1m", 0)[1] == ("revision 1: complete", 0, "SPY_1m=1")


# Calendars


def sessions(*spans: tuple[str, str]) -> Calendar:
    return Calendar([(utc(opened), utc(closed)) for opened, closed in spans])


def opened_by_clock(calendar: Calendar, source: str, start: str, hours: float) -> list[str]:
    """The hours of UTC of all sets of a source that never delivers."""
    scene = Scene(
        source,
        start=utc(start),
        deadline_from="close",
        calendars={SourceId(source): calendar},
    )
    told = scene.pass_ms(hours * HOUR)
    return [_utc_of(minute) for _, minute in told]


def _utc_of(minute: float) -> str:
    moment = datetime.fromtimestamp(NOON / 1_000 + minute * 60, UTC)
    return f"{moment:%d %H:%M}"


def test_over_a_weekend_and_after_an_early_close_there_are_no_sets() -> None:
    calendar = sessions(
        ("2026-11-27 14:30", "2026-11-27 18:00"), ("2026-11-30 14:30", "2026-11-30 21:00")
    )
    told = opened_by_clock(calendar, "SPY_30m", "2026-11-27 16:50", 71)
    assert told == ["27 17:00", "27 17:30", "27 18:00", "30 15:00", "30 15:30"]


@pytest.mark.parametrize(
    ("spring", "autumn"),
    [
        (["06 20:30", "06 21:00", "09 14:00"], ["30 19:30", "30 20:00", "02 15:00"]),
    ],
)
def test_sessions_follow_summer_time_both_ways(spring: list[str], autumn: list[str]) -> None:
    to_summer = sessions(
        ("2026-03-06 14:30", "2026-03-06 21:00"), ("2026-03-09 13:30", "2026-03-09 20:00")
    )
    assert opened_by_clock(to_summer, "SPY_30m", "2026-03-06 20:10", 66) == spring
    to_winter = sessions(
        ("2026-10-30 13:30", "2026-10-30 20:00"), ("2026-11-02 14:30", "2026-11-02 21:00")
    )
    assert opened_by_clock(to_winter, "SPY_30m", "2026-10-30 19:10", 68) == autumn


def test_in_a_lunch_break_there_are_no_sets() -> None:
    calendar = sessions(
        ("2026-11-25 00:00", "2026-11-25 02:30"), ("2026-11-25 03:30", "2026-11-25 06:30")
    )
    told = opened_by_clock(calendar, "7203_30m", "2026-11-25 01:50", 2.5)
    assert told == ["25 02:00", "25 02:30", "25 04:00"]


def test_daily_bars_close_with_their_sessions_and_midnight_bars_are_off_their_grid() -> None:
    calendar = sessions(("2026-11-25 14:30", "2026-11-25 21:00"))
    close = utc("2026-11-25 21:00")
    scene = Scene("SPY_1d", start=close, calendars={SourceId("SPY_1d"): calendar})
    for timestamp, told in ((utc("2026-11-25 00:00"), "off_grid"), (close, "complete")):
        (found,) = brief(scene.core.on_bar(create_bar("SPY_1d", timestamp), scene.now, "sim"))
        assert told in (found, found[0])


def test_a_market_that_is_closed_is_carried_while_others_go_on() -> None:
    calendar = Calendar([(NOON - HOUR, NOON)])
    scene = Scene("BTC_1m", "SPY_1m", calendars={SourceId("SPY_1m"): calendar})
    scene.bar("BTC_1m", 0)
    scene.bar("SPY_1m", 0, 5.0)
    assert scene.bar("BTC_1m", 1) == [("complete", 1, "BTC_1m=1 SPY_1m=5 carried 60000")]


# Warming up


def test_until_a_slower_source_has_a_bar_sets_are_skipped_as_warmup() -> None:
    scene = Scene("SPY_1m", "SPY_5m")
    assert scene.bar("SPY_1m", -1) == [("warmup", -1)]
    scene.bar("SPY_1m", 0)
    assert scene.pass_ms(100) == [("warmup", 0)]
    scene.bar("SPY_5m", 0)
    assert scene.bar("SPY_1m", 1)[0][0] == "complete"


def test_once_a_slower_source_had_a_bar_a_set_without_it_is_incomplete() -> None:
    scene = Scene("SPY_1m", "SPY_5m", "QQQ_1m")
    for source in ("SPY_1m", "SPY_5m", "QQQ_1m"):
        scene.bar(source, 0)
    scene.bar("SPY_1m", 5)
    assert scene.pass_ms(100) == [("incomplete", 5)]


def test_a_base_source_without_a_bar_yet_is_no_warmup() -> None:
    scene = Scene("SPY_1m", "QQQ_1m")
    scene.bar("SPY_1m", 0)
    assert scene.pass_ms(100) == [("incomplete", 0)]


def test_before_its_first_session_a_source_is_warming_up() -> None:
    calendar = Calendar([(NOON + HOUR, NOON + 2 * HOUR)])
    scene = Scene("BTC_1m", "SPY_1m", calendars={SourceId("SPY_1m"): calendar})
    assert scene.bar("BTC_1m", 0) == [("warmup", 0)]


def test_where_not_all_are_required_a_set_is_complete_while_a_slower_source_warms_up() -> None:
    scene = Scene("SPY_1m", "SPY_5m", require_all=False)
    assert scene.bar("SPY_1m", 1) == [("complete", 1, "SPY_1m=1")]
