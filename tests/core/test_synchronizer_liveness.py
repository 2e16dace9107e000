"""Idle and down sources, and how sets go on without them."""

from typing import Any

import pytest
from tests.core.scene import Scene, brief

from barsync_async.units import SourceId

SPY, QQQ, DIA = "SPY_1m", "QQQ_1m", "DIA_1m"
FEEDS = {SourceId(SPY): ("x",), SourceId(QQQ): ("y",)}
IDLE, LIVE, DOWN = ((QQQ, status) for status in ("idle", "live", "down"))


def scene(*sources: str, **options: Any) -> Scene:
    """Feeds without order, so that only deadlines seal what is not whole."""
    told = {
        "idle_after": 2,
        "require_all": False,
        "feeds": FEEDS,
        "unordered_feeds": frozenset("xy"),
        "max_future_ms": 10**9,
    }
    return Scene(*(sources or (SPY, QQQ)), **{**told, **options})


def miss(some: Scene, *minutes: int) -> list[Any]:
    """SPY delivers for each, QQQ does not; what is said beside the sets."""
    told = []
    for minute in minutes:
        told += some.bar(SPY, minute, feed="x") + some.pass_ms(100)
    return [each for each in told if each in (IDLE, LIVE, DOWN)]


def test_a_source_turns_idle_with_its_last_allowed_miss_and_live_with_its_next_bar() -> None:
    some = scene()
    assert miss(some, 0) == []
    some.bar(SPY, 1, feed="x")
    assert some.pass_ms(100) == [IDLE, ("partial", 1, "SPY_1m=1")]
    assert some.bar(QQQ, 2, feed="y") == [LIVE]
    assert some.core.source_statistics()[SourceId(QQQ)].status == "live"


@pytest.mark.parametrize("minute", [1, 0])
def test_any_bar_in_between_starts_the_count_anew(minute: int) -> None:
    """Also a late one: here for minute 0, after its seal."""
    some = scene()
    miss(some, 0)
    some.bar(QQQ, minute, feed="y")
    some.bar(SPY, 1, feed="x")
    some.pass_ms(100)
    assert miss(some, 2) == ([] if minute == 1 else [IDLE])
    assert miss(some, 3) == ([IDLE] if minute == 1 else [])


def test_a_bar_the_quick_way_starts_the_count_anew_too() -> None:
    some = scene(feeds={}, unordered_feeds=frozenset())
    miss(some, 0)
    some.bar(SPY, 1, feed="x")
    assert some.bar(QQQ, 1, feed="y")[0][0] == "complete"
    assert miss(some, 2) == []


def test_a_rejected_bar_is_no_sign_of_life() -> None:
    some = scene()
    miss(some, 0, 1)
    assert some.bar(QQQ, 2.5, feed="y") == ["off_grid"]


def test_a_late_or_repeated_bar_makes_an_idle_source_live_before_it_is_told() -> None:
    some = scene()
    miss(some, 0, 1)
    assert some.bar(QQQ, 1, feed="y") == [LIVE, ("dropped", 1, 0.0)]


@pytest.mark.parametrize(("lag_ms", "counts"), [(0, True), (25, True), (25.001, False)])
def test_a_seal_long_after_its_deadline_is_the_machines_fault(lag_ms: float, counts: bool) -> None:
    some = scene(idle_after=1)
    some.bar(SPY, 0, feed="x")
    some.stall(100 + lag_ms)
    assert (IDLE in some.pass_ms(0)) is counts


def test_only_a_deadline_makes_a_miss() -> None:
    some = scene(feeds={}, unordered_feeds=frozenset(), idle_after=1, max_open=1)
    some.bar(SPY, 0)
    told = some.bar(QQQ, 1)  # proved absent
    told += some.bar(SPY, 2)  # crowded
    told += some.end()
    assert not {IDLE, (SPY, "idle")} & {each for each in told if len(each) == 2}


def test_a_source_that_was_proved_absent_did_not_miss() -> None:
    some = scene(SPY, QQQ, DIA, feeds={}, unordered_feeds=frozenset(), idle_after=1)
    some.bar(SPY, 0)
    some.bar(QQQ, 1)
    told = some.pass_ms(100)
    assert (DIA, "idle") in told
    assert IDLE not in told


def test_a_source_misses_nothing_that_it_was_not_connected_for() -> None:
    some = scene(idle_after=1)
    some.connect("y")
    some.cut("y")
    some.bar(SPY, 0, feed="x")
    some.stall(1)
    some.connect("y")
    assert IDLE not in some.pass_ms(100)
    assert miss(some, 1) == [IDLE]


def test_the_statuses_of_a_connection_are_told() -> None:
    some = scene()
    assert some.connect("y") == []
    assert some.cut("y") == [DOWN]
    assert some.core.source_statistics()[SourceId(QQQ)].status == "down"
    assert some.connect("y") == [LIVE]


def test_nobody_is_excluded_unless_that_is_wanted() -> None:
    some = scene()
    miss(some, 0, 1)
    assert some.bar(SPY, 2, feed="x") == []


def test_an_excluded_source_is_not_waited_for_and_its_set_is_complete() -> None:
    some = scene(exclude_idle=True)
    miss(some, 0, 1)
    assert some.bar(SPY, 2, feed="x") == [("complete", 2, "SPY_1m=1")]


def test_an_excluded_source_with_an_old_bar_is_carried() -> None:
    some = scene(exclude_idle=True, require_all=True)
    some.bar(QQQ, 0, 7.0, feed="y")
    miss(some, 0, 1, 2)
    told = some.bar(SPY, 3, feed="x")
    assert told == [("complete", 3, "QQQ_1m=7 carried 180000 SPY_1m=1")]


def test_where_all_are_required_an_excluded_source_without_a_bar_is_warmup() -> None:
    some = scene(exclude_idle=True, require_all=True)
    miss(some, 0, 1)
    assert some.bar(SPY, 2, feed="x") == [("warmup", 2)]


def test_its_next_bar_ends_the_exclusion_for_its_own_slot_and_later_ones() -> None:
    some = scene(SPY, QQQ, DIA, exclude_idle=True, feeds={**FEEDS, SourceId(DIA): ("x",)})
    for minute in (0, 1):
        some.bar(DIA, minute, feed="x")
        miss(some, minute)
    some.bar(SPY, 2, feed="x")  # opened without QQQ
    assert some.bar(QQQ, 3, feed="y") == [LIVE]
    assert some.bar(DIA, 2, feed="x")[0] == ("complete", 2, "DIA_1m=1 SPY_1m=1")
    some.bar(SPY, 3, feed="x")
    assert some.bar(DIA, 3, feed="x")[0][:2] == ("complete", 3)
    some.bar(SPY, 4, feed="x")
    assert some.bar(DIA, 4, feed="x") == [], "QQQ is waited for again"


def test_the_bar_of_an_excluded_source_belongs_to_the_slot_that_is_open() -> None:
    some = scene(SPY, QQQ, DIA, exclude_idle=True, feeds={**FEEDS, SourceId(DIA): ("x",)})
    for minute in (0, 1):
        some.bar(DIA, minute, feed="x")
        miss(some, minute)
    some.bar(SPY, 2, feed="x")
    assert some.bar(QQQ, 2, feed="y") == [LIVE]
    assert some.bar(DIA, 2, feed="x") == [("complete", 2, "DIA_1m=1 QQQ_1m=1 SPY_1m=1")]


def test_an_excluded_source_that_shows_life_elsewhere_counts_once_in_the_open_slot() -> None:
    some = scene(SPY, QQQ, DIA, exclude_idle=True, feeds={}, unordered_feeds=frozenset())
    for minute in (0, 1):
        some.bar(DIA, minute)
        miss(some, minute)
    some.bar(SPY, 2)  # opened without QQQ
    assert some.bar(QQQ, 1)[0] == LIVE  # late
    assert some.bar(QQQ, 2) == [], "DIA is still waited for"
    assert some.bar(DIA, 2) == [("complete", 2, "DIA_1m=1 QQQ_1m=1 SPY_1m=1")]


def test_with_everybody_excluded_a_slot_is_sealed_at_its_deadline() -> None:
    some = scene(QQQ, exclude_idle=True, deadline_from="close", idle_after=1)
    told = some.pass_ms(60_100)
    assert told == [IDLE, ("empty", 1)]
    assert some.pass_ms(59_999) == []
    assert some.pass_ms(1) == [("empty", 2)]


def test_a_source_that_goes_down_is_given_up_in_open_slots_at_once() -> None:
    some = scene(exclude_idle=True)
    some.connect("y")
    some.bar(SPY, 0, feed="x")
    assert some.cut("y") == [DOWN, ("partial", 0, "SPY_1m=1")]


def test_going_idle_gives_a_source_up_in_the_other_open_slots() -> None:
    some = scene(exclude_idle=True, idle_after=1)
    some.bar(SPY, 0, feed="x")
    some.stall(50)
    some.bar(SPY, 1, feed="x")
    told = some.pass_ms(50)
    assert [each[:2] for each in told] == [IDLE, ("partial", 0), ("partial", 1)]


def test_a_bar_of_a_source_that_was_given_up_counts_once() -> None:
    some = scene(SPY, QQQ, DIA, exclude_idle=True)
    some.connect("y")
    some.bar(SPY, 0, feed="x")
    some.cut("y")
    assert some.bar(QQQ, 0, feed="y") == []
    assert some.bar(DIA, 0) == [("complete", 0, "DIA_1m=1 QQQ_1m=1 SPY_1m=1")]


def test_a_source_given_up_that_shows_life_elsewhere_counts_once_too() -> None:
    some = scene(
        *(SPY, QQQ, DIA),
        feeds={},
        unordered_feeds=frozenset(),
        exclude_idle=True,
        idle_after=1,
    )
    some.bar(SPY, 0)
    some.bar(DIA, 0)
    some.stall(50)
    some.bar(SPY, 1)
    assert some.pass_ms(50)[0] == IDLE
    assert some.bar(QQQ, 0)[0] == LIVE
    assert some.bar(QQQ, 1) == []
    assert some.bar(DIA, 1) == [("complete", 1, "DIA_1m=1 QQQ_1m=1 SPY_1m=1")]


def test_an_excluded_source_that_is_not_due_is_not_left_out_of_the_count() -> None:
    some = scene(SPY, DIA, "QQQ_5m", feeds={}, exclude_idle=True, idle_after=1)
    some.bar(SPY, 0)
    some.bar(DIA, 0)
    assert ("QQQ_5m", "idle") in some.pass_ms(100)
    assert some.bar(SPY, 1) == []
    assert some.bar(DIA, 1) == [("complete", 1, "DIA_1m=1 SPY_1m=1")]


def test_a_source_given_up_before_the_first_bar_counts_once_too() -> None:
    some = scene(
        SPY, QQQ, DIA, feeds={}, unordered_feeds=frozenset(), exclude_idle=True,
        deadline_from="close", timeout_ms=70_000, idle_after=1,
    )  # fmt: skip
    some.pass_ms(60_000)
    some.bar(SPY, 1)
    some.bar(DIA, 1)
    told = some.pass_ms(70_000)  # minute 2 is open since ten seconds before
    assert told == [IDLE, ("partial", 1, "DIA_1m=1 SPY_1m=1")]
    assert some.bar(QQQ, 1)[0] == LIVE
    assert some.bar(SPY, 2) == []
    assert some.bar(QQQ, 2) == []
    assert some.bar(DIA, 2) == [("complete", 2, "DIA_1m=1 QQQ_1m=1 SPY_1m=1")]


def test_down_and_back_a_source_stays_excluded_until_its_next_bar() -> None:
    some = scene(exclude_idle=True)
    some.connect("y")
    some.cut("y")
    some.connect("y")
    assert some.bar(SPY, 0, feed="x") == [("complete", 0, "SPY_1m=1")]
    some.bar(QQQ, 1, feed="y")
    assert some.bar(SPY, 2, feed="x") == []


# What the venue refuses


def refuse(some: Scene, feed: str, source: str) -> list[Any]:
    return brief(some.core.on_refused(feed, [SourceId(source)], some.now))


def test_a_source_that_the_venue_refuses_is_down_though_its_feed_is_connected() -> None:
    some = scene()
    some.connect("y")
    assert refuse(some, "y", QQQ) == [(QQQ, "down")]
    assert refuse(some, "y", QQQ) == []
    assert refuse(some, "y", "NOBODY_1m") == []


def test_a_refused_source_is_not_waited_for_where_down_ones_are_not() -> None:
    some = scene(exclude_idle=True)
    some.connect("y")
    some.bar(SPY, 0, feed="x")
    assert refuse(some, "y", QQQ) == [(QQQ, "down"), ("partial", 0, "SPY_1m=1")]


def test_a_refused_source_does_not_turn_idle() -> None:
    some = scene(idle_after=1)
    some.connect("y")
    refuse(some, "y", QQQ)
    some.bar(SPY, 0, feed="x")
    assert (QQQ, "idle") not in some.pass_ms(1_000)


def test_a_new_connection_asks_anew_for_what_was_refused() -> None:
    some = scene()
    some.connect("y")
    refuse(some, "y", QQQ)
    assert (QQQ, "live") in some.connect("y")


def test_another_line_that_carries_it_keeps_a_refused_source_alive() -> None:
    some = scene(feeds={SourceId(QQQ): ("y", "z"), SourceId(SPY): ("x",)})
    some.connect("y")
    some.connect("z")
    assert refuse(some, "y", QQQ) == []
    assert refuse(some, "z", QQQ) == [(QQQ, "down")]
