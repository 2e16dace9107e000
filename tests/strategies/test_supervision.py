"""When a strategy that failed is asked again, counted in sets."""

import pytest

from barsync_async.strategies.supervision import Supervision


def rests(max_faults: int, faults: int) -> list[int | None]:
    """After each of so many faults in a row."""
    supervision = Supervision(max_faults)
    return [supervision.failed() for _ in range(faults)]


def test_each_fault_in_a_row_has_it_rest_longer_up_to_63_sets() -> None:
    assert rests(0, 9) == [0, 1, 3, 7, 15, 31, 63, 63, 63]


def test_one_that_fails_for_ever_rests_no_longer_than_that() -> None:
    assert rests(0, 5_000)[-1] == 63


@pytest.mark.parametrize(("max_faults", "last"), [(1, [None]), (3, [0, 1, None])])
def test_the_last_of_so_many_faults_in_a_row_is_its_end(
    max_faults: int, last: list[int | None]
) -> None:
    assert rests(max_faults, max_faults) == last


def test_it_is_asked_again_after_just_so_many_sets() -> None:
    supervision = Supervision(0)
    supervision.failed()
    assert supervision.next_set()
    supervision.failed()
    assert [supervision.next_set() for _ in range(4)] == [False, True, True, True]
    supervision.failed()
    assert [supervision.next_set() for _ in range(5)] == [False, False, False, True, True]


def test_one_that_is_left_off_is_never_asked_again() -> None:
    supervision = Supervision(1)
    supervision.failed()
    assert supervision.is_left_off
    assert not any(supervision.next_set() for _ in range(200))


def test_a_decision_ends_the_row() -> None:
    supervision = Supervision(2)
    assert supervision.failed() == 0
    supervision.decided()
    assert supervision.failed() == 0
    assert supervision.failed() is None
