"""Who is waited for, by what was said of the strategies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import StrategyFault
from barsync_async.portfolio import Roster
from barsync_async.strategies.supervision import Supervision
from barsync_async.units import WallMs

NAMES = ("a", "b")


def fault(strategy: str, rest_sets: int | None) -> StrategyFault:
    return StrategyFault(
        timestamp=WallMs(0),
        strategy=strategy,
        kind="raised",
        detail="",
        action="",
        rest_sets=rest_sets,
    )


def test_everybody_is_waited_for_at_first() -> None:
    assert Roster().next_set(NAMES) == NAMES


@pytest.mark.parametrize(("rest_sets", "absent"), [(0, 0), (1, 1), (3, 3), (None, 8)])
def test_one_that_rests_is_not_waited_for(rest_sets: int | None, absent: int) -> None:
    roster = Roster()
    roster.told(fault("a", rest_sets))
    seen = [roster.next_set(NAMES) for _ in range(8)]
    assert seen == [("b",)] * absent + [NAMES] * (8 - absent)


@given(st.integers(0, 6), st.lists(st.booleans(), max_size=200))
def test_whom_the_roster_waits_for_is_asked_and_nobody_else_is(
    max_faults: int, fails: list[bool]
) -> None:
    roster, supervision = Roster(), Supervision(max_faults)
    for failed in fails:
        is_asked = supervision.next_set()
        assert roster.next_set(["a"]) == (("a",) if is_asked else ())
        if is_asked and failed:
            roster.told(fault("a", supervision.failed()))
        elif is_asked:
            supervision.decided()
