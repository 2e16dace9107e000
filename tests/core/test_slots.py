"""The slots that are not released yet, in their order."""

import pytest
from tests.core.scene import MINUTE, MS, NOON, slot_of, some_bar

from barsync_async.core.slot import Cause, Slot, State
from barsync_async.core.slots import Slots
from barsync_async.units import MonoNs, WallMs

T = tuple(WallMs(NOON + n * MINUTE) for n in range(5))


def slots(*minutes: int) -> tuple[Slots, dict[int, Slot]]:
    """Open slots of two sources, in the order given."""
    found, opened = Slots(), {}
    for minute in minutes:
        opened[minute] = slot_of(2, T[minute])
        found.add(opened[minute])
    return found, opened


def seal(some: Slots, slot: Slot) -> None:
    some.seal(slot, Cause.PROOF, MonoNs(7))


def state(slot: Slot) -> State:
    return slot.state


def ready(some: Slots, before: WallMs | None = None) -> list[int]:
    return [slot.timestamp for slot in some.take_ready(before)]


def test_slots_stand_in_the_order_of_their_timestamps() -> None:
    some, _ = slots(1, 3, 0, 2)
    assert some.order == list(T[:4])


def test_adding_tells_whether_a_later_slot_is_there() -> None:
    some = Slots()
    assert [some.add(slot_of(2, T[n])) for n in (1, 2, 0)] == [False, False, True]


def test_an_open_slot_has_a_deadline_until_it_is_sealed() -> None:
    some, opened = slots(0, 1)
    assert some.deadlines == {T[0]: 100 * MS, T[1]: 100 * MS}
    some.put_off(opened[1], MonoNs(150 * MS))
    assert (opened[1].deadline, some.deadlines[T[1]]) == (150 * MS, 150 * MS)
    seal(some, opened[0])
    assert (opened[0].state, opened[0].sealed_at) == (State.SEALED, 7)
    assert list(some.deadlines) == list(some.open) == [T[1]]
    assert some.is_sealed(T[0])
    assert some.sealed(T[0]) is opened[0]
    assert not some.is_sealed(T[1])
    assert some.sealed(T[1]) is None


def test_sealed_slots_go_out_in_order_up_to_the_first_open_one() -> None:
    some, opened = slots(0, 1, 2, 3)
    for minute in (0, 1, 3):
        seal(some, opened[minute])
    assert ready(some) == [T[0], T[1]]
    assert some.order == [T[2], T[3]]
    assert not some.is_sealed(T[0])
    assert ready(some) == []
    seal(some, opened[2])
    assert ready(some) == [T[2], T[3]]


def test_nothing_goes_out_past_a_timestamp_that_has_yet_to_get_its_slot() -> None:
    some, opened = slots(0, 2)
    seal(some, opened[0])
    seal(some, opened[2])
    assert ready(some, before=T[1]) == [T[0]]
    assert ready(some, before=T[3]) == [T[2]]


def test_a_held_slot_keeps_the_later_ones_until_its_hold_ends() -> None:
    some, opened = slots(0, 1)
    seal(some, opened[0])
    seal(some, opened[1])
    some.hold(opened[0], {1}, MonoNs(500))
    assert some.deadlines == {T[0]: 500}
    assert ready(some) == []
    some.end_hold(opened[0], Cause.DEADLINE)
    assert some.deadlines == {}
    assert ready(some) == [T[0], T[1]]


def test_a_hold_ends_with_the_last_bar_that_it_needs() -> None:
    some, opened = slots(0)
    seal(some, opened[0])
    some.hold(opened[0], {0, 1}, MonoNs(500))
    some.end_holds(0, T[1])
    some.end_holds(0, T[2])
    assert state(opened[0]) is State.HELD
    some.end_holds(1, T[1])
    assert state(opened[0]) is State.SEALED
    assert some.deadlines == {}
    some.end_holds(1, T[2])  # is of no more interest


def test_a_bar_for_the_held_timestamp_itself_or_an_earlier_one_ends_no_hold() -> None:
    some, opened = slots(1)
    seal(some, opened[1])
    some.hold(opened[1], {1}, MonoNs(500))
    some.end_holds(1, T[0])
    some.end_holds(1, T[1])
    assert state(opened[1]) is State.HELD


def test_the_oldest_unsettled_slot_is_open_or_held() -> None:
    some, opened = slots(0, 1, 2)
    assert some.oldest_unsettled() == T[0]
    seal(some, opened[0])
    assert some.oldest_unsettled() == T[1]
    some.hold(opened[0], {1}, MonoNs(500))
    assert some.oldest_unsettled() == T[0]
    some.end_hold(opened[0], Cause.CROWDED)
    for minute in (1, 2):
        seal(some, opened[minute])
    assert some.oldest_unsettled() is None


def test_open_slots_are_found_within_a_span_without_its_end() -> None:
    some, opened = slots(0, 1, 2, 3)
    seal(some, opened[1])
    assert some.open_within(T[0], T[3]) == [opened[0], opened[2]]
    assert some.open_within(T[0] + 1, T[2]) == []


@pytest.mark.parametrize("is_sealed", [False, True])
def test_bars_before_and_after_a_timestamp_are_those_in_time(is_sealed: bool) -> None:
    some, opened = slots(0, 1, 2, 3)
    opened[1].deliver(0, some_bar(minute=1))
    opened[3].deliver(0, some_bar(minute=3))
    if is_sealed:
        for slot in opened.values():
            seal(some, slot)
    assert not some.has_before(0, T[1])
    assert some.has_before(0, T[2])
    assert not some.has_before(1, T[4])
    assert some.following(0, T[0]) == some_bar(minute=1)
    assert some.following(0, T[1]) == some_bar(minute=3)
    assert some.following(0, T[3]) is None
    assert some.following(1, T[0]) is None
