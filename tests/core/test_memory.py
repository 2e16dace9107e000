"""What is remembered, for how long, and that it is bounded."""

from tests.core.scene import MINUTE, NOON, slot_of, some_bar, synchronizer

from barsync_async.core.memory import Memory
from barsync_async.units import MonoNs, WallMs

T = tuple(WallMs(NOON + n * MINUTE) for n in range(9))


def test_the_newest_released_slots_are_remembered() -> None:
    memory = Memory(2, 1)
    released = [slot_of(1, T[n]) for n in range(3)]
    for slot in released:
        memory.release(slot)
    assert [memory.released(T[n]) for n in range(3)] == [None, *released[1:]]


def test_a_timestamp_without_a_slot_was_sealed_with_the_next_later_one() -> None:
    memory = Memory(9, 1)
    for n, sealed_at in ((1, 10), (3, 30), (5, 50)):
        slot = slot_of(1, T[n])
        slot.sealed_at = MonoNs(sealed_at)
        memory.release(slot)
    assert [memory.sealed_after(T[n]) for n in (0, 2, 4, 5)] == [10, 30, 50, None]


def test_a_stray_late_bar_is_remembered_by_source_and_timestamp_the_newest_of_it() -> None:
    memory = Memory(1, 2)
    memory.keep_stray(0, some_bar(minute=1, close=1.0))
    memory.keep_stray(0, some_bar(minute=1, close=2.0))
    assert memory.stray(0, T[1]) == some_bar(minute=1, close=2.0)
    assert memory.stray(1, T[1]) is None
    assert memory.stray(0, T[2]) is None


def test_stray_late_bars_are_bounded_and_the_first_is_forgotten() -> None:
    memory = Memory(1, 2)
    for n in range(3):
        memory.keep_stray(0, some_bar(minute=n))
    assert [memory.stray(0, T[n]) is None for n in range(3)] == [True, False, False]


def test_a_bar_of_no_set_is_told_from_its_repetition() -> None:
    memory = Memory(9, 2)
    first, second = some_bar(minute=1, close=1.0), some_bar(minute=1, close=2.0)
    assert memory.put_between(0, first) is None
    assert memory.put_between(1, second) is None
    assert memory.put_between(0, second) == first
    assert memory.between(0, T[1]) == second
    assert memory.between(0, T[2]) is None


def test_bars_of_no_set_settle_once_oldest_first_and_as_they_are_now() -> None:
    memory = Memory(9, 2)
    for n in (3, 1, 2):
        memory.put_between(0, some_bar(minute=n, close=1.0))
    memory.put_between(0, some_bar(minute=1, close=9.0))
    settled = [bar for _, bar in memory.settle_between(T[2])]
    assert [(bar.timestamp, bar.close) for bar in settled[-1:]] == [(T[2], 1.0)]
    assert {(bar.timestamp, bar.close) for bar in settled[:-1]} == {(T[1], 9.0)}
    assert list(memory.settle_between(T[2])) == []
    assert [index for index, _ in memory.settle_between(T[3])] == [0]


def test_bars_of_no_set_lie_before_and_after_a_timestamp_until_they_settle() -> None:
    memory = Memory(9, 2)
    for n in (3, 1):
        memory.put_between(0, some_bar(minute=n))
    assert not memory.has_before(0, T[1])
    assert memory.has_before(0, T[2])
    assert not memory.has_before(1, T[2])
    assert memory.following(0, T[0]) == some_bar(minute=1)
    assert memory.following(0, T[1]) == some_bar(minute=3)
    assert memory.following(0, T[3]) is None
    assert memory.following(1, T[0]) is None
    list(memory.settle_between(T[1]))
    assert not memory.has_before(0, T[2])


def test_bars_of_no_set_are_bounded() -> None:
    memory = Memory(2, 2)
    for n in range(9):
        memory.put_between(0, some_bar(minute=n))
    assert [memory.between(0, T[n]) is None for n in (4, 5)] == [True, False]
    assert len(memory._unsettled) == 4
    assert [bar.timestamp for _, bar in memory.settle_between(T[8])] == list(T[5:])


def test_a_bar_that_keeps_being_repeated_pushes_no_other_one_out() -> None:
    memory = Memory(2, 2)
    memory.put_between(1, some_bar(minute=1))
    for _ in range(9):
        memory.put_between(0, some_bar(minute=2))
    assert [index for index, _ in memory.settle_between(T[8])] == [1, 0]


def test_the_first_feed_that_brought_a_bar_is_remembered() -> None:
    memory = Memory(1, 2)
    assert memory.first_feed(0, T[1], "x") == "x"
    assert memory.first_feed(0, T[1], "y") == "x"
    assert memory.first_feed(1, T[1], "y") == "y"
    assert memory.first_feed(0, T[2], "y") == "y"
    assert memory.first_feed(0, T[1], "y") == "y", "the first of three is forgotten"


def test_how_many_sets_are_remembered_depends_on_how_many_sources_there_are() -> None:
    few = synchronizer("A_1m").spec
    many = synchronizer(*(f"S{n}_1m" for n in range(2_000))).spec
    most = synchronizer(*(f"S{n}_1m" for n in range(20_000))).spec
    assert (few.remembered, many.remembered, most.remembered) == (256, 100, 16)
    assert synchronizer("A_1m", history=3).spec.remembered == 3
    assert synchronizer("A_1m", history=0).spec.remembered == 0
