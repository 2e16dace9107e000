"""``deadline_from = "close"``: the clock opens the slots, and deadlines count from it."""

from typing import Any

import pytest
from tests.core.scene import MINUTE, NOON, Scene

from barsync_async.core.calendar import Calendar
from barsync_async.units import SourceId


def by_clock(*sources: str, before_ms: int = 1_000, **options: Any) -> Scene:
    """It begins ``before_ms`` before noon."""
    told = {"deadline_from": "close", "timeout_ms": 100, "require_all": False, **options}
    return Scene(*sources, start=NOON - before_ms, **told)


def unordered(*sources: str, **options: Any) -> Scene:
    """A later bar proves nothing."""
    feeds = {SourceId(source): ("sim",) for source in sources}
    return by_clock(*sources, feeds=feeds, unordered_feeds=frozenset({"sim"}), **options)


def test_the_clock_opens_a_slot_whether_or_not_anything_came() -> None:
    scene = by_clock()
    assert scene.deadlines() == {0: 1_000}
    assert scene.pass_ms(999) == []
    assert list(scene.core.open_bars) == []
    assert scene.pass_ms(1) == []
    assert list(scene.core.open_bars) == [NOON]
    assert scene.deadlines() == {0: 100, 1: MINUTE}


def test_an_outage_of_all_sources_gives_one_event_for_each_timestamp() -> None:
    scene = by_clock()
    told = scene.pass_ms(1_000 + 3 * MINUTE + 100)
    assert told == [("empty", 0), ("empty", 1), ("empty", 2), ("empty", 3)]


def test_in_an_outage_the_last_known_bars_fill_the_sets_until_they_are_too_old() -> None:
    scene = by_clock("SPY_1m", missing="last_known", max_age_ms=MINUTE)
    scene.pass_ms(1_000)
    scene.bar("SPY_1m", 0)
    told = scene.pass_ms(2 * MINUTE + 100)
    assert told == [("filled", 1, "SPY_1m=1 filled 60000"), ("empty", 2)]


def test_the_deadline_is_the_close_and_the_timeout_however_late_the_first_bar() -> None:
    scene = by_clock()
    scene.pass_ms(1_070)
    scene.bar("SPY_1m", 0)
    assert scene.deadlines()[0] == 30
    assert scene.pass_ms(30) == [("partial", 0, "SPY_1m=1")]


def test_after_its_first_bar_a_slot_waits_at_least_min_wait() -> None:
    scene = by_clock(min_wait_ms=40)
    scene.pass_ms(1_070)
    scene.bar("SPY_1m", 0)
    scene.pass_ms(5)
    scene.bar("SPY_1m", 0, 2.0)  # a correction begins no new wait
    assert scene.deadlines()[0] == 35
    assert scene.pass_ms(34) == []
    assert scene.pass_ms(1) == [("partial", 0, "SPY_1m=2")]


def test_an_early_bar_opens_its_slot_and_the_deadline_still_counts_from_the_close() -> None:
    scene = by_clock()
    scene.pass_ms(500)
    scene.bar("SPY_1m", 0)
    assert scene.deadlines() == {0: 600, 1: 500 + MINUTE}
    assert scene.pass_ms(599) == []
    assert scene.bar("QQQ_1m", 0) == [("complete", 0, "QQQ_1m=1 SPY_1m=1")]


def test_a_backlog_is_not_sealed_empty() -> None:
    scene = by_clock(min_wait_ms=50)
    scene.stall(1_000 + 2 * MINUTE + 500)
    assert [scene.bar("SPY_1m", minute) for minute in range(3)] == [[], [], []]
    told = [scene.bar("QQQ_1m", minute)[0][:2] for minute in range(3)]
    assert told == [("complete", 0), ("complete", 1), ("complete", 2)]
    assert scene.deadlines() == {3: MINUTE - 500}


def test_of_a_backlog_what_is_still_missing_has_its_least_wait() -> None:
    scene = by_clock(min_wait_ms=50)
    scene.stall(1_000 + MINUTE + 500)
    scene.bar("SPY_1m", 0)
    assert scene.deadlines() == {0: 50, 1: -500}
    assert scene.pass_ms(49) == [], "minute 1 is empty, but waits its turn"
    assert scene.pass_ms(1) == [("partial", 0, "SPY_1m=1"), ("empty", 1)]


def test_after_a_stall_each_timestamp_that_passed_still_has_its_event() -> None:
    scene = by_clock()
    scene.stall(1_000 + 2 * MINUTE + 500)
    assert scene.pass_ms(0) == [("empty", 0), ("empty", 1), ("empty", 2)]


def test_a_slot_opened_by_a_stalled_clock_opened_when_the_clock_showed_it() -> None:
    scene = by_clock("SPY_1m")
    scene.stall(1_070)
    scene.pass_ms(0)
    assert scene.core._open[scene.core._order[0]].opened_at == 1_000_000_000


def test_a_ready_set_waits_for_the_slots_that_the_clock_has_yet_to_open() -> None:
    scene = unordered("SPY_1m", max_future_ms=MINUTE)
    scene.pass_ms(1)
    assert scene.bar("SPY_1m", 1, feed="sim") == []
    assert scene.pass_ms(1_098) == []
    assert scene.pass_ms(1) == [("empty", 0), ("complete", 1, "SPY_1m=1")]


def test_a_slot_that_the_clock_opens_after_a_later_bar_is_proved_from_the_start() -> None:
    scene = by_clock("SPY_1m")
    assert scene.bar("SPY_1m", 1) == []
    assert scene.pass_ms(999) == []
    assert scene.pass_ms(1) == [("empty", 0), ("complete", 1, "SPY_1m=1")]


def test_a_slot_that_the_clock_opens_after_a_later_bar_of_no_set_knows_what_it_proved() -> None:
    scene = by_clock("A_5m", "B_3m")
    scene.bar("A_5m", 5)
    scene.pass_ms(1_000)
    assert scene.bar("B_3m", 0) == [("partial", 0, "B_3m=1")]


def test_a_bar_of_a_timestamp_before_the_start_opens_a_slot_like_any_other() -> None:
    scene = by_clock()
    assert scene.bar("SPY_1m", -1) == []
    assert scene.pass_ms(0) == [("partial", -1, "SPY_1m=1")]


def test_a_slot_needs_nobody_to_open_it_twice() -> None:
    scene = by_clock("SPY_1m")
    scene.bar("SPY_1m", 0)
    assert scene.deadlines() == {1: 1_000 + MINUTE}
    assert scene.pass_ms(1_000 + MINUTE + 100) == [("empty", 1)]


def test_at_the_end_open_slots_are_sealed_and_none_is_waited_for() -> None:
    scene = unordered("SPY_1m", "QQQ_1m", max_future_ms=MINUTE)
    scene.pass_ms(1_000)
    scene.bar("SPY_1m", 2, feed="sim")
    assert scene.end() == [("empty", 0), ("partial", 2, "SPY_1m=1")]
    assert scene.deadlines() == {}


def test_what_the_clock_has_shown_by_the_end_has_its_event_though_nobody_opened_it() -> None:
    scene = by_clock("SPY_1m", max_open=1)
    scene.sleep(1_000 + 2 * MINUTE)  # the machine is stopped as it wakes
    assert scene.end() == [("suspended", 0), ("suspended", 1), ("suspended", 2)]
    assert scene.deadlines() == {}


def test_sealed_slots_that_wait_for_the_clock_may_be_more_than_max_open() -> None:
    scene = unordered("SPY_1m", max_open=1, max_future_ms=10**9)
    for minute in (1, 2, 3):
        assert scene.bar("SPY_1m", minute, feed="sim") == []
    assert scene.core.statistics().crowded == 0
    told = scene.pass_ms(1_000)
    assert [each[:2] for each in told] == [
        (what, n) for n, what in enumerate(["empty", "complete", "complete", "complete"])
    ]
    assert scene.core.statistics().crowded == 1


def test_the_clock_opens_no_slot_while_every_market_is_closed() -> None:
    calendar = Calendar([(NOON, NOON + MINUTE), (NOON + 9 * MINUTE, NOON + 10 * MINUTE)])
    scene = by_clock("SPY_1m", calendars={SourceId("SPY_1m"): calendar})
    assert scene.pass_ms(60 * MINUTE) == [("empty", 1), ("empty", 10)]
    assert scene.deadlines() == {}


@pytest.mark.parametrize("reader", ["reconnect", "none"])
def test_an_absent_source_that_delivers_first_is_not_counted_twice(reader: str) -> None:
    """Its bar of no set says that nothing comes for the open slot; its feed says otherwise."""
    scene = by_clock(
        "A_5m",
        "B_3m",
        "C_3m",
        feeds={SourceId("A_5m"): ("x",)},
        max_future_ms=5 * MINUTE,
    )
    scene.pass_ms(1_000)
    scene.bar("A_5m", 5, feed="x")
    if reader == "reconnect":
        scene.connect("x")
    assert scene.bar("B_3m", 0) == []
    assert scene.bar("A_5m", 0, feed="x") == []
    assert scene.bar("C_3m", 0) == [("complete", 0, "A_5m=1 B_3m=1 C_3m=1")]
