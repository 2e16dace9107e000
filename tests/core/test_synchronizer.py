"""The synchronizer on a manual clock."""

from typing import Any

import msgspec
import pytest
from tests.core.scene import MINUTE, MS, NOON, Scene, at, synchronizer

from barsync_async.core.calendar import Calendar
from barsync_async.core.spec import SynchronizerSpec
from barsync_async.core.synchronizer import Outcome, Synchronizer
from barsync_async.messages import BarRejected, LateBar, SynchronizedBars, SyncSkipped
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs


def unordered(*sources: str, **options: Any) -> Synchronizer:
    """One whose bars come from a feed of which a later bar proves nothing: ``sim``."""
    feeds = {SourceId(source): ("sim",) for source in sources or ("SPY_1m", "QQQ_1m")}
    return synchronizer(
        *sources, feeds=feeds, unordered_feeds=frozenset({"sim"}), max_future_ms=10**12, **options
    )


def the_set(outcomes: Any) -> SynchronizedBars:
    (outcome,) = outcomes
    assert isinstance(outcome, SynchronizedBars)
    return outcome


def the_skip(outcomes: Any) -> SyncSkipped:
    (outcome,) = outcomes
    assert isinstance(outcome, SyncSkipped)
    return outcome


def timestamps(outcomes: list[Outcome]) -> list[int]:
    return [each.timestamp for each in outcomes]


def test_a_set_is_sealed_when_the_last_due_source_delivers() -> None:
    core = synchronizer()
    assert not core.on_bar(create_bar("SPY_1m", NOON), at(0))
    bars = the_set(core.on_bar(create_bar("QQQ_1m", NOON), at(7)))
    assert (bars.status, bars.wait_ms, bars.loop_lag_ms) == ("complete", 7.0, 0.0)
    assert bars.sources_present == ("QQQ_1m", "SPY_1m")
    assert bars.sources_missing == ()
    assert {bar.provenance for bar in bars.bars.values()} == {"fresh"}
    assert core.deadlines == {}


def test_a_deadline_stands_one_timeout_after_the_first_bar() -> None:
    core = synchronizer(timeout_ms=100)
    core.on_bar(create_bar("SPY_1m", NOON), at(5))
    assert core.deadlines == {NOON: 105 * MS}


def test_nothing_is_sealed_before_its_deadline() -> None:
    core = synchronizer(timeout_ms=100)
    core.on_bar(create_bar("SPY_1m", NOON), at(0))
    assert not core.on_deadline(WallMs(NOON), at(99.999999))
    assert the_skip(core.on_deadline(WallMs(NOON), at(100))).reason == "incomplete"


def test_a_bar_exactly_at_the_deadline_is_in_time() -> None:
    core = synchronizer(timeout_ms=100)
    core.on_bar(create_bar("SPY_1m", NOON), at(0))
    assert the_set(core.on_bar(create_bar("QQQ_1m", NOON), at(100))).status == "complete"


def test_a_bar_read_after_the_deadline_but_before_the_seal_is_in_time() -> None:
    core = synchronizer(timeout_ms=100)
    core.on_bar(create_bar("SPY_1m", NOON), at(0))
    bars = the_set(core.on_bar(create_bar("QQQ_1m", NOON), at(130)))
    assert bars.status == "complete"
    assert bars.loop_lag_ms == 30.0


def test_what_is_missing_at_the_deadline_is_skipped_or_partial() -> None:
    strict, lenient = synchronizer(), synchronizer(require_all=False)
    for core in (strict, lenient):
        core.on_bar(create_bar("SPY_1m", NOON), at(0))
    skip = the_skip(strict.on_deadline(WallMs(NOON), at(101)))
    assert (skip.sources_present, skip.sources_missing) == (("SPY_1m",), ("QQQ_1m",))
    bars = the_set(lenient.on_deadline(WallMs(NOON), at(101)))
    assert (bars.status, bars.sources_missing) == ("partial", ("QQQ_1m",))
    assert (bars.wait_ms, bars.loop_lag_ms) == (101.0, 1.0)
    assert list(bars.bars) == ["SPY_1m"]


def test_a_bar_of_the_next_timestamp_does_not_disturb_this_one() -> None:
    core = synchronizer()
    core.on_bar(create_bar("SPY_1m", NOON), at(0))
    core.on_bar(create_bar("SPY_1m", NOON + MINUTE), at(1))
    assert len(core.deadlines) == 2
    assert the_set(core.on_bar(create_bar("QQQ_1m", NOON), at(2))).timestamp == NOON


def test_a_ready_set_waits_for_the_earlier_ones() -> None:
    core = unordered(require_all=False)
    core.on_bar(create_bar("SPY_1m", NOON), at(0), "sim")
    core.on_bar(create_bar("SPY_1m", NOON + MINUTE), at(1), "sim")
    assert not core.on_bar(create_bar("QQQ_1m", NOON + MINUTE), at(2), "sim")
    outcomes = list(core.on_deadline(WallMs(NOON), at(100)))
    assert timestamps(outcomes) == [NOON, NOON + MINUTE]
    assert isinstance(outcomes[1], SynchronizedBars)
    assert outcomes[1].wait_ms == 1.0


def test_a_slower_source_is_due_on_its_grid_and_carried_elsewhere() -> None:
    core = synchronizer("SPY_1m", "SPY_5m")
    core.on_bar(create_bar("SPY_1m", NOON), at(0))
    first = the_set(core.on_bar(create_bar("SPY_5m", NOON, 7.0), at(1)))
    assert first.bars[SourceId("SPY_5m")].provenance == "fresh"
    second = the_set(core.on_bar(create_bar("SPY_1m", NOON + MINUTE), at(2)))
    carried = second.bars[SourceId("SPY_5m")]
    assert (carried.provenance, carried.age_ms, carried.close) == ("carried", MINUTE, 7.0)
    assert second.status == "complete"
    assert second.sources_present == ("SPY_1m", "SPY_5m")


def test_sets_are_skipped_as_warmup_until_the_slower_source_has_its_first_bar() -> None:
    core = synchronizer("SPY_1m", "SPY_5m")
    skip = the_skip(core.on_bar(create_bar("SPY_1m", NOON + MINUTE), at(0)))
    assert (skip.reason, skip.sources_missing) == ("warmup", ("SPY_5m",))


def test_a_carried_cell_is_the_newest_known_when_the_set_goes_out() -> None:
    core = synchronizer("SPY_1m", "SPY_5m")
    core.on_bar(create_bar("SPY_1m", NOON), at(0))
    assert not core.on_bar(create_bar("SPY_1m", NOON + MINUTE), at(1))  # waits for NOON
    outcomes = list(core.on_bar(create_bar("SPY_5m", NOON, 9.0), at(2)))
    assert timestamps(outcomes) == [NOON, NOON + MINUTE]
    assert isinstance(outcomes[1], SynchronizedBars)
    assert outcomes[1].bars[SourceId("SPY_5m")].close == 9.0


def test_a_slow_bar_off_the_base_grid_opens_no_slot_and_is_carried() -> None:
    core = synchronizer("SPY_3m", "SPY_5m")
    grid = NOON - NOON % 900_000
    assert not core.on_bar(create_bar("SPY_5m", grid + 300_000, 3.0), at(0))
    assert core.deadlines == {}
    assert not core.on_bar(create_bar("SPY_5m", grid + 300_000, 3.0), at(0))
    assert not core.on_bar(create_bar("SPY_5m", grid + 300_000, 4.0), at(0))
    bars = the_set(core.on_bar(create_bar("SPY_3m", grid + 360_000), at(1)))
    cell = bars.bars[SourceId("SPY_5m")]
    assert (cell.close, cell.age_ms) == (4.0, 60_000)
    counted = core.statistics()
    assert (counted.accepted, counted.duplicate, counted.corrected) == (2, 1, 1)


def test_last_known_fills_what_is_not_too_old() -> None:
    core = synchronizer(missing="last_known", max_age_ms=MINUTE)
    for source in ("SPY_1m", "QQQ_1m"):
        core.on_bar(create_bar(source, NOON, 5.0), at(0))
    core.on_bar(create_bar("SPY_1m", NOON + MINUTE), at(1))
    bars = the_set(core.on_deadline(WallMs(NOON + MINUTE), at(200)))
    filled = bars.bars[SourceId("QQQ_1m")]
    assert (bars.status, filled.provenance, filled.age_ms) == ("filled", "filled", MINUTE)
    assert bars.sources_missing == ("QQQ_1m",)
    core.on_bar(create_bar("SPY_1m", NOON + 2 * MINUTE), at(300))
    assert the_skip(core.on_deadline(WallMs(NOON + 2 * MINUTE), at(500))).reason == "incomplete"


def test_no_cell_is_newer_than_its_set_even_when_a_late_bar_of_a_waiting_set_came() -> None:
    core = unordered(missing="last_known", timeout_ms=100)
    core.on_bar(create_bar("SPY_1m", NOON + MINUTE), at(0), "sim")
    core.on_bar(create_bar("SPY_1m", NOON), at(50), "sim")
    assert not core.on_deadline(WallMs(NOON + MINUTE), at(100))  # sealed, waits for NOON
    (late,) = core.on_bar(create_bar("QQQ_1m", NOON + MINUTE), at(120), "sim")
    assert isinstance(late, LateBar)
    outcomes = core.on_deadline(WallMs(NOON), at(150))
    assert [type(each) for each in outcomes] == [SyncSkipped, SyncSkipped]


def test_a_repetition_is_a_duplicate_before_and_after_the_seal() -> None:
    core = synchronizer()
    bar = create_bar("SPY_1m", NOON)
    core.on_bar(bar, at(0))
    core.on_bar(bar, at(1))
    core.on_bar(create_bar("QQQ_1m", NOON), at(2))
    assert not core.on_bar(bar, at(3))
    assert core.statistics().duplicate == 2


def test_a_correction_before_the_seal_wins() -> None:
    core = synchronizer()
    core.on_bar(create_bar("SPY_1m", NOON, 1.0), at(0))
    core.on_bar(create_bar("SPY_1m", NOON, 2.0), at(1))
    bars = the_set(core.on_bar(create_bar("QQQ_1m", NOON), at(2)))
    assert bars.bars[SourceId("SPY_1m")].close == 2.0
    assert core.statistics().corrected == 1


def test_a_late_bar_is_told_once_and_counted_and_is_the_sources_last_known_bar() -> None:
    core = synchronizer(missing="last_known")
    core.on_bar(create_bar("SPY_1m", NOON), at(0))
    core.on_deadline(WallMs(NOON), at(100))
    late_bar = create_bar("QQQ_1m", NOON, 3.0)
    (late,) = core.on_bar(late_bar, at(130))
    assert isinstance(late, LateBar)
    assert (late.timestamp, late.late_by_ms, late.bar) == (NOON, 30.0, late_bar)
    assert not core.on_bar(late_bar, at(140))
    core.on_bar(create_bar("SPY_1m", NOON + MINUTE), at(200))
    bars = the_set(core.on_deadline(WallMs(NOON + MINUTE), at(300)))
    assert bars.bars[SourceId("QQQ_1m")].close == 3.0
    counted = core.statistics()
    assert (counted.late, counted.duplicate) == (1, 1)


def test_a_late_bar_opens_no_slot() -> None:
    core = synchronizer()
    for source in ("SPY_1m", "QQQ_1m"):
        core.on_bar(create_bar(source, NOON), at(0))
    (late,) = core.on_bar(create_bar("SPY_1m", NOON - MINUTE), at(1))
    assert isinstance(late, LateBar)
    assert core.deadlines == {}


@pytest.mark.parametrize(
    ("bar", "reason"),
    [
        (create_bar("DIA_1m", NOON), "unknown_source"),
        (create_bar("SPY_1m", NOON + 1), "off_grid"),
        (create_bar("SPY_1m", NOON + 2 * MINUTE), "future"),
    ],
)
def test_a_guard_rejects_a_feeds_bar(bar: Any, reason: str) -> None:
    core = synchronizer(max_future_ms=1_000)
    (rejected,) = core.on_bar(bar, at(0), feed="sim")
    assert isinstance(rejected, BarRejected)
    assert (rejected.reason, rejected.feed, rejected.timestamp) == (reason, "sim", NOON)
    assert core.statistics().rejected_by == {reason: 1}
    assert core.deadlines == {}


def test_one_interval_and_the_tolerance_ahead_is_not_the_future() -> None:
    core = synchronizer(max_future_ms=1_000)
    bar = create_bar("SPY_1m", NOON + MINUTE)
    assert not core.on_bar(bar, at(0, NOON - 1_000), feed="sim")
    (rejected,) = core.on_bar(
        create_bar("QQQ_1m", NOON + 2 * MINUTE), at(0, NOON + MINUTE - 1_001), feed="sim"
    )
    assert isinstance(rejected, BarRejected)


def test_an_off_grid_bar_of_a_slower_source_is_rejected_though_a_slot_is_open_there() -> None:
    core = synchronizer("SPY_1m", "SPY_5m")
    core.on_bar(create_bar("SPY_1m", NOON + MINUTE), at(0), feed="sim")
    core.on_bar(create_bar("SPY_1m", NOON), at(0), feed="sim")
    (rejected,) = core.on_bar(create_bar("SPY_5m", NOON + MINUTE), at(1), feed="sim")
    assert isinstance(rejected, BarRejected)
    assert rejected.reason == "off_grid"


def test_a_program_may_label_its_bars_off_the_grid() -> None:
    core = synchronizer()
    assert not core.on_bar(create_bar("SPY_1m", 1_000), at(0))
    assert the_set(core.on_bar(create_bar("QQQ_1m", 1_000), at(1))).timestamp == 1_000


def test_more_than_max_open_slots_seal_the_oldest() -> None:
    core = synchronizer(max_open=2, require_all=False)
    for n in range(2):
        assert not core.on_bar(create_bar("SPY_1m", NOON + n * MINUTE), at(n))
    bars = the_set(core.on_bar(create_bar("SPY_1m", NOON + 2 * MINUTE), at(2)))
    assert bars.timestamp == NOON
    assert core.statistics().crowded == 1
    assert len(core.deadlines) == 2


def test_the_end_seals_what_is_open_in_order() -> None:
    core = synchronizer(require_all=False)
    for n in (2, 0, 1):
        core.on_bar(create_bar("SPY_1m", NOON + n * MINUTE), at(n))
    outcomes = list(core.on_end(at(9)))
    assert timestamps(outcomes) == [NOON, NOON + MINUTE, NOON + 2 * MINUTE]
    assert core.deadlines == {}


def test_history_is_bounded_and_a_bar_beyond_it_is_late() -> None:
    core = synchronizer("SPY_1m", history=2)
    for n in range(5):
        core.on_bar(create_bar("SPY_1m", NOON + n * MINUTE), at(n))
    assert len(core._memory._released) == 2
    (late,) = core.on_bar(create_bar("SPY_1m", NOON), at(10))
    assert isinstance(late, LateBar)


def test_an_unknown_timestamp_has_no_deadline_to_pass() -> None:
    assert synchronizer().on_deadline(WallMs(NOON), at(0)) == ()


def test_a_synchronizer_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one source"):
        Synchronizer(SynchronizerSpec(expected_sources=frozenset()))


def test_a_published_set_cannot_be_altered() -> None:
    core = synchronizer("SPY_1m")
    bars = the_set(core.on_bar(create_bar("SPY_1m", NOON), at(0)))
    with pytest.raises(TypeError):
        bars.bars[SourceId("SPY_1m")] = create_bar("SPY_1m", 0)  # type: ignore[index]
    with pytest.raises(AttributeError):
        bars.status = "partial"  # type: ignore[misc]


# Guards where a program and a feed meet


def test_a_feeds_bar_off_the_grid_is_rejected_though_the_program_opened_its_slot() -> None:
    scene = Scene()
    scene.bar("SPY_1m", 0.5)
    assert scene.bar("QQQ_1m", 0.5, feed="sim") == ["off_grid"]
    assert scene.bar("QQQ_1m", 0.5) == [("complete", 0.5, "QQQ_1m=1 SPY_1m=1")]


def test_a_feeds_bar_of_the_future_is_rejected_though_the_program_opened_its_slot() -> None:
    scene = Scene()
    scene.bar("SPY_1m", 9)
    assert scene.bar("QQQ_1m", 9, feed="sim") == ["future"]
    assert scene.bar("QQQ_1m", 9) == [("complete", 9, "QQQ_1m=1 SPY_1m=1")]


def test_what_was_no_bar_of_the_future_may_be_one_after_a_backward_step() -> None:
    scene = Scene()
    scene.bar("SPY_1m", 1, feed="sim")
    scene.set_clock(-5_000)
    assert scene.bar("QQQ_1m", 1, feed="sim") == ["future"]
    scene.set_clock(5_000)
    assert scene.bar("QQQ_1m", 1, feed="sim") == [("complete", 1, "QQQ_1m=1 SPY_1m=1")]


# A bar of a source that is not due, among others


def test_a_bar_outside_its_session_is_carried_into_the_next_set() -> None:
    calendar = Calendar([(NOON - 10 * MINUTE, NOON)])
    scene = Scene("SPY_1m", "BTC_1m", calendars={SourceId("SPY_1m"): calendar})
    assert scene.bar("SPY_1m", 1, 5.0, feed="sim") == []
    assert scene.bar("SPY_1m", 1, 5.0, feed="sim") == []
    assert scene.bar("SPY_1m", 1, 6.0, feed="sim") == []
    assert scene.bar("BTC_1m", 1) == [("complete", 1, "BTC_1m=1 SPY_1m=6 carried")]
    assert scene.bar("BTC_1m", 2) == [("complete", 2, "BTC_1m=1 SPY_1m=6 carried 60000")]
    assert scene.counts() == {"accepted": 3, "corrected": 1, "duplicate": 1}


def test_a_bar_of_no_set_is_not_in_a_set_before_it() -> None:
    scene = Scene("SPY_3m", "SPY_5m", "QQQ_3m", require_all=False)
    scene.bar("SPY_3m", 0)
    scene.bar("SPY_5m", 5)
    told = scene.bar("QQQ_3m", 0)
    assert told == [("partial", 0, "QQQ_3m=1 SPY_3m=1")]
    scene.bar("QQQ_3m", 6)
    assert scene.bar("SPY_3m", 6)[0][2] == "QQQ_3m=1 SPY_3m=1 SPY_5m=1 carried 60000"


def test_a_bar_of_no_set_that_comes_after_a_later_set_is_carried_all_the_same() -> None:
    scene = Scene("SPY_3m", "SPY_5m")
    assert scene.bar("SPY_3m", 6) == [("warmup", 6)]
    assert scene.bar("SPY_5m", 5, 4.0) == []
    assert scene.bar("SPY_3m", 9) == [("complete", 9, "SPY_3m=1 SPY_5m=4 carried 240000")]
    scene.bar("SPY_5m", 0, 3.0)  # late, and older than what is known
    assert scene.bar("SPY_3m", 12) == [("complete", 12, "SPY_3m=1 SPY_5m=4 carried 420000")]


# Crowding, and which way is counted


@pytest.mark.parametrize("max_open", [1, 2, 3])
def test_no_more_than_max_open_slots_are_unreleased(max_open: int) -> None:
    scene = Scene(max_open=max_open, require_all=False)
    for minute in range(5):
        scene.bar("SPY_1m", minute)
        assert len(scene.core.open_bars) <= max_open
    assert scene.core.statistics().crowded == 5 - max_open
    assert scene.core.statistics().open_slots == max_open


def test_an_older_bar_that_crowds_the_slots_is_sealed_itself() -> None:
    scene = Scene("SPY_1m", "QQQ_1m", "DIA_1m", max_open=1, require_all=False)
    scene.bar("SPY_1m", 1)
    assert scene.bar("QQQ_1m", 0) == [("partial", 0, "QQQ_1m=1")]
    assert list(scene.deadlines()) == [1]


def test_what_is_said_is_said_once() -> None:
    scene = Scene("SPY_1m")
    assert len(scene.bar("SPY_1m", 0)) == 1
    assert len(scene.bar("SPY_1m", 1)) == 1
    assert scene.end() == []


def test_open_bars_are_those_that_wait() -> None:
    scene = Scene()
    scene.bar("SPY_1m", 0)
    scene.bar("QQQ_1m", 1)
    shown = {each: list(bars) for each, bars in scene.core.open_bars.items()}
    assert shown == {NOON + MINUTE: ["QQQ_1m"]}
    scene.bar("SPY_1m", 1)
    assert scene.core.open_bars == {}


# Two feeds with the same bars

TWINS = {SourceId("SPY_1m"): ("a", "b")}


def test_of_two_feeds_the_first_bar_wins_and_its_twin_is_a_duplicate() -> None:
    scene = Scene(feeds=TWINS)
    scene.bar("SPY_1m", 0, 1.0, feed="b")
    assert scene.bar("SPY_1m", 0, 1.0, feed="a") == []
    assert scene.bar("SPY_1m", 0, 2.0, feed="a") == ["conflict"]
    assert scene.bar("QQQ_1m", 0) == [("complete", 0, "QQQ_1m=1 SPY_1m=1")]
    assert scene.counts() == {"accepted": 2, "duplicate": 1, "rejected": 1, "conflicts": 1}
    assert scene.core.source_statistics()[SourceId("SPY_1m")].conflicts == 1


def test_the_feed_that_came_first_may_correct_and_its_twin_is_held_against_that() -> None:
    scene = Scene(feeds=TWINS)
    scene.bar("SPY_1m", 0, 1.0, feed="a")
    scene.bar("SPY_1m", 0, 2.0, feed="a")
    assert scene.bar("SPY_1m", 0, 1.0, feed="b") == ["conflict"]
    assert scene.bar("SPY_1m", 0, 2.0, feed="b") == []
    assert scene.bar("QQQ_1m", 0)[0][2] == "QQQ_1m=1 SPY_1m=2"
    assert scene.counts()["corrected"] == 1


def test_after_the_seal_a_twin_is_still_a_duplicate_or_a_conflict_and_never_late() -> None:
    scene = Scene(feeds=TWINS)
    scene.bar("SPY_1m", 0, feed="a")
    scene.bar("QQQ_1m", 0)
    assert scene.bar("SPY_1m", 0, feed="b") == []
    assert scene.bar("SPY_1m", 0, 2.0, feed="b") == ["conflict"]
    assert scene.bar("SPY_1m", 0, 2.0, feed="a") == [("dropped", 0, 0.0)]


def test_a_late_bar_and_one_of_no_set_have_twins_too() -> None:
    feeds = {SourceId("SPY_5m"): ("a", "b")}
    scene = Scene("SPY_3m", "SPY_5m", feeds=feeds, max_future_ms=10**9)
    for feed, close, told in (("a", 1.0, []), ("b", 1.0, []), ("b", 2.0, ["conflict"])):
        assert scene.bar("SPY_5m", 5, close, feed=feed) == told
    scene.bar("SPY_3m", 15)
    scene.pass_ms(100)
    scene.stall(20 * MINUTE)
    for minute in (15, 0):  # one whose slot is over, and one that had none
        assert len(scene.bar("SPY_5m", minute, 1.0, feed="a")) == 1
        assert scene.bar("SPY_5m", minute, 1.0, feed="b") == []
        assert scene.bar("SPY_5m", minute, 2.0, feed="b") == ["conflict"]


def test_what_the_program_itself_brings_conflicts_with_nothing() -> None:
    scene = Scene(feeds=TWINS)
    scene.bar("SPY_1m", 0, 1.0, feed="a")
    assert scene.bar("SPY_1m", 0, 2.0) == []
    assert scene.counts() == {"accepted": 1, "corrected": 1}


def test_a_bar_that_came_live_and_from_the_history_came_twice() -> None:
    core = synchronizer("SPY_1m")
    live = create_bar("SPY_1m", NOON, 1.0)
    core.on_bar(live, at(0))
    core.on_bar(msgspec.structs.replace(live, backfilled=True), at(1))
    counted = core.statistics()
    assert (counted.accepted, counted.duplicate, counted.late) == (1, 1, 0)


def test_a_bar_from_the_history_is_flagged_in_its_set() -> None:
    core = synchronizer("SPY_1m")
    bar = msgspec.structs.replace(create_bar("SPY_1m", NOON, 1.0), backfilled=True)
    (told,) = core.on_bar(bar, at(0))
    assert isinstance(told, SynchronizedBars)
    assert told.bars[SourceId("SPY_1m")].backfilled is True
