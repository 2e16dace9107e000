"""The life of one slot: its table, and who is waited for."""

import pytest
from tests.core.scene import MS, slot_of, some_bar

from barsync_async.core.slot import TRANSITIONS, Cause, Slot, State

OPEN, SEALED, HELD, RELEASED = State.OPEN, State.SEALED, State.HELD, State.RELEASED
PROOF, DEADLINE, CROWDED, END = Cause.PROOF, Cause.DEADLINE, Cause.CROWDED, Cause.END
HOLD, RELEASE = Cause.HOLD, Cause.RELEASE

# Every pair, row by row; None: no such transition.
CAUSES = (PROOF, DEADLINE, CROWDED, END, HOLD, RELEASE)
TABLE = {
    OPEN: (SEALED, SEALED, SEALED, SEALED, None, None),
    SEALED: (None, None, None, None, HELD, RELEASED),
    HELD: (SEALED, SEALED, SEALED, SEALED, None, None),
    RELEASED: (None, None, None, None, None, None),
}
PAIRS = [
    (state, cause, after)
    for state, row in TABLE.items()
    for cause, after in zip(CAUSES, row, strict=True)
]


@pytest.mark.parametrize(
    ("state", "cause", "after"), PAIRS, ids=lambda each: getattr(each, "name", "-")
)
def test_a_cause_moves_a_slot_as_the_table_says(
    state: State, cause: Cause, after: State | None
) -> None:
    slot = slot_of(1)
    slot.state = state
    if after is None:
        with pytest.raises(KeyError):
            slot.move(cause)
        assert slot.state is state
    else:
        slot.move(cause)
        assert slot.state is after


def test_the_table_has_every_state_and_cause() -> None:
    assert set(TABLE) == set(State)
    assert set(CAUSES) == set(Cause)
    assert set(TRANSITIONS) == {(s, c) for s, c, after in PAIRS if after is not None}


def account(slot: Slot) -> tuple[int, bool, bool]:
    return slot.waiting, slot.is_proved, slot.is_complete


def test_a_slot_is_proved_and_complete_when_all_due_sources_delivered() -> None:
    slot = slot_of(2)
    assert account(slot) == (2, False, False)
    slot.deliver(0, some_bar())
    assert account(slot) == (1, False, False)
    assert slot.missing() == [1]
    slot.deliver(1, some_bar())
    assert account(slot) == (0, True, True)


def test_only_due_sources_are_waited_for_and_lacking() -> None:
    slot = slot_of(3, due=b"\x01\x00\x01")
    assert slot.waiting == 2
    assert [slot.lacks(index) for index in range(3)] == [True, False, True]
    slot.deliver(0, some_bar())
    assert [slot.lacks(index) for index in range(3)] == [False, False, True]
    assert slot.missing() == [2]


def test_what_is_proved_absent_is_not_waited_for_but_missing() -> None:
    slot = slot_of(2)
    slot.deliver(0, some_bar())
    slot.prove_absent(1)
    slot.prove_absent(1)
    assert account(slot) == (0, True, False)
    assert slot.missing() == [1]


def test_an_absent_source_that_delivers_all_the_same_counts_once() -> None:
    slot = slot_of(3)
    slot.prove_absent(0)
    slot.deliver(0, some_bar())
    assert account(slot) == (2, False, False)
    assert slot.absent == set()
    slot.deliver(1, some_bar())
    slot.deliver(2, some_bar())
    assert account(slot) == (0, True, True)


def test_an_excluded_source_is_neither_due_nor_missing() -> None:
    slot = slot_of(2)
    slot.exclude(0)
    assert account(slot) == (1, False, False)
    assert (slot.lacks(0), slot.missing()) == (False, [1])
    slot.deliver(1, some_bar())
    assert account(slot) == (0, True, True)


def test_an_excluded_source_that_delivers_is_due_again() -> None:
    slot = slot_of(2)
    slot.exclude(0)
    slot.deliver(0, some_bar())
    assert account(slot) == (1, False, False)
    assert slot.excluded == set()
    assert bytes(slot.due) == b"\x01\x01"


def test_a_slot_with_all_its_sources_excluded_is_not_proved() -> None:
    slot = slot_of(1)
    slot.exclude(0)
    assert account(slot) == (0, False, False)


def test_a_source_proved_absent_and_then_excluded_counts_once() -> None:
    slot = slot_of(2)
    slot.prove_absent(0)
    slot.exclude(0)
    assert account(slot) == (1, False, False)
    assert slot.absent == set()


def test_excluding_alters_no_other_slot_of_the_same_pattern() -> None:
    flags = b"\x01\x01"
    one, other = slot_of(2, due=flags), slot_of(2, due=flags)
    one.exclude(0)
    one.prove_absent(1)
    assert bytes(other.due) == b"\x01\x01"
    assert other.absent == other.excluded == set()


def test_no_bar_is_taken_the_quick_way_into_a_slot_with_exclusions() -> None:
    slot = slot_of(2)
    slot.quick = b"\x01\x01"
    slot.exclude(0)
    assert slot.quick == b"\x00\x00"


def test_the_newest_bar_is_the_late_one_where_there_is_one() -> None:
    slot = slot_of(2)
    assert slot.newest(0) is None
    slot.deliver(0, some_bar(close=1.0))
    assert slot.newest(0) == some_bar(close=1.0)
    slot.late = {0: some_bar(close=2.0)}
    assert slot.newest(0) == some_bar(close=2.0)
    assert slot.newest(1) is None


@pytest.mark.parametrize(("sealed_ms", "wait", "lag"), [(30, 30, 0), (130, 130, 30), (-5, 0, 0)])
def test_waiting_runs_from_the_opening_and_lagging_from_the_deadline(
    sealed_ms: int, wait: int, lag: int
) -> None:
    slot = slot_of(1)
    slot.sealed_at = type(slot.sealed_at)(sealed_ms * MS)
    assert (slot.wait_ns, slot.lag_ns) == (wait * MS, lag * MS)
