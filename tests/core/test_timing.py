"""When slots open and fall due."""

from typing import Any

import pytest
from tests.core.scene import MINUTE, MS, NOON, at, slot_of, synchronizer

from barsync_async.core.calendar import Calendar
from barsync_async.core.slot import Cause, Slot
from barsync_async.core.slots import Slots
from barsync_async.core.timing import Timing
from barsync_async.units import Instant, MonoNs, SourceId, WallMs

T = tuple(WallMs(NOON + n * MINUTE) for n in range(9))


class Clockwork:
    """Timing over slots that a test opens itself."""

    def __init__(self, **options: Any) -> None:
        core = synchronizer("SPY_1m", **{"timeout_ms": 100, **options})
        self.slots = Slots()
        self.over: set[int] = set()
        self.timing = Timing(core.spec, core.alignment, self.slots, self.over.__contains__)

    def open(self, n: int, *, opened_ms: float, now: Any) -> Slot:
        slot = slot_of(1, T[n])
        slot.opened_at = MonoNs(round(opened_ms * MS))
        slot.deadline = self.timing.deadline(T[n], slot.opened_at, now)
        self.slots.add(slot)
        return slot

    def deadlines_ms(self) -> dict[int, float]:
        return {(each - NOON) // MINUTE: d / MS for each, d in self.slots.deadlines.items()}


def by_first_bar(**options: Any) -> Clockwork:
    return Clockwork(deadline_from="first_bar", **options)


def by_close(**options: Any) -> Clockwork:
    return Clockwork(deadline_from="close", **options)


def test_from_the_first_bar_on_only_the_monotonic_clock_counts() -> None:
    some = by_first_bar()
    some.timing.start(at(0))
    assert some.deadlines_ms() == {}
    slot = some.open(1, opened_ms=5, now=at(5))
    some.timing.note_first(slot, at(5))
    some.timing.step(at(6, NOON + 9 * MINUTE))
    assert some.deadlines_ms() == {1: 105}


def test_what_counts_from_the_wall_clock_counts_from_where_in_its_ms_it_was_read() -> None:
    some = by_close()
    some.timing.start(Instant(MonoNs(7 * MS), WallMs(NOON), rest_ns=300_000))
    assert some.deadlines_ms() == {1: 60_006.7}
    read = Instant(MonoNs(60_009 * MS), WallMs(T[1] + 1), rest_ns=999_999)
    assert some.timing.opening(T[1], read) / MS == 60_007.000_001
    assert some.timing.deadline(T[1], MonoNs(0), read) / MS == 60_107.000_001


def test_the_clock_opens_first_what_closes_after_the_start() -> None:
    some = by_close()
    some.timing.start(at(7, NOON))
    assert some.timing.next_close == T[1]
    assert some.deadlines_ms() == {1: 60_007}


def test_a_deadline_by_the_clock_is_the_close_and_the_timeout() -> None:
    some = by_close()
    slot = some.open(1, opened_ms=0, now=at(10, T[1] - 500))
    assert slot.deadline == (10 + 500 + 100) * MS


@pytest.mark.parametrize(("first_ms", "deadline_ms"), [(0, 100), (69, 100), (71, 101), (90, 120)])
def test_a_first_bar_has_its_least_wait(first_ms: float, deadline_ms: float) -> None:
    some = by_close(min_wait_ms=30)
    slot = some.open(0, opened_ms=0, now=at(0, NOON))
    some.timing.note_first(slot, at(first_ms, NOON + round(first_ms)))
    assert some.deadlines_ms() == {0: deadline_ms}
    assert slot.first_at == first_ms * MS


def test_a_slot_opened_no_later_than_its_first_bar_was_read() -> None:
    some = by_close()
    slot = some.open(0, opened_ms=20, now=at(20, NOON + 20))
    some.timing.note_first(slot, at(15, NOON + 15))
    assert slot.opened_at == 15 * MS
    some.timing.note_first(slot, at(25, NOON + 25))
    assert slot.opened_at == 15 * MS


@pytest.mark.parametrize("step_ms", [-40, 40])
def test_a_step_of_the_wall_clock_moves_the_deadlines_the_other_way(step_ms: int) -> None:
    some = by_close(min_wait_ms=30)
    some.timing.start(at(0, NOON - 1_000))
    some.open(1, opened_ms=0, now=at(0, NOON - 1_000))
    some.timing.step(at(10, NOON - 990 + step_ms))
    assert some.deadlines_ms() == {0: 1_000 - step_ms, 1: 61_100 - step_ms}


def test_the_least_wait_of_a_first_bar_survives_a_step() -> None:
    some = by_close(min_wait_ms=30)
    slot = some.open(0, opened_ms=0, now=at(0, NOON))
    some.timing.note_first(slot, at(50, NOON + 50))
    some.timing.step(at(60, NOON + 9_060))
    assert some.deadlines_ms() == {0: 80}


def test_the_clock_passes_over_what_has_or_had_its_slot() -> None:
    some = by_close()
    some.timing.start(at(0, NOON))
    some.open(2, opened_ms=0, now=at(0, NOON))
    some.over.add(T[1])
    some.timing.await_close(T[1], at(0, NOON))
    assert some.timing.next_close == T[3]
    assert some.deadlines_ms() == {2: 120_100, 3: 180_000}


def test_a_slot_that_its_first_bar_opens_keeps_its_deadline_when_the_clock_goes_on() -> None:
    some = by_close()
    some.timing.start(at(0, NOON))
    some.open(1, opened_ms=0, now=at(0, NOON))
    some.timing.await_close(T[1], at(0, NOON))
    assert some.deadlines_ms() == {1: 60_100, 2: 120_000}


def test_a_slot_opened_when_the_clock_showed_it_but_not_before_the_clock_was_set() -> None:
    some = by_close()
    assert some.timing.opening(T[1], at(500, T[1] + 20)) == 480 * MS
    some.timing.step(at(490, T[1] + 10))
    assert some.timing.opening(T[1], at(500, T[1] + 20)) == 490 * MS


def test_at_the_end_the_clock_opens_nothing_more() -> None:
    some = by_close()
    some.timing.start(at(0, NOON))
    some.timing.await_close(None, at(0, NOON))
    assert some.timing.next_close is None
    assert some.deadlines_ms() == {}


def test_after_the_last_session_the_clock_opens_nothing_more() -> None:
    calendar = Calendar([(NOON, T[2])])
    some = by_close(calendars={SourceId("SPY_1m"): calendar})
    some.timing.start(at(0, NOON))
    some.over.update(T[1:3])
    some.timing.await_close(T[1], at(0, NOON))
    assert some.timing.next_close is None
    assert some.deadlines_ms() == {}


def test_a_sealed_slot_is_put_off_no_more() -> None:
    some = by_close()
    some.slots.seal(some.open(0, opened_ms=0, now=at(0)), Cause.DEADLINE, MonoNs(0))
    some.timing.step(at(9, NOON - 60_000))
    assert some.deadlines_ms() == {}
