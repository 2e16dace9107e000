"""The meeting point of all decisions for one timestamp."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Features, Signal
from barsync_async.portfolio import Barrier
from barsync_async.units import WallMs

"""For a slow machine, and for the second that the first text of all takes to generate."""

NOON = WallMs(1_800_000_000_000)
NAMES = ("momentum", "pairs", "quiet")


def barrier(names: Sequence[str] = NAMES) -> Barrier:
    return Barrier(names, Features(timestamp=NOON, features={}, bars={}))


def signal(strategy: str, units: float = 1.0) -> Signal:
    return Signal(timestamp=NOON, strategy=strategy, targets={"SPY": units}, reason="")


def test_everybody_is_missing_at_first_in_the_order_of_the_strategies() -> None:
    assert barrier().missing == NAMES
    assert barrier().decisions == ()


def test_it_knows_which_features_it_is_about() -> None:
    assert barrier().features.timestamp == NOON


@given(st.permutations(NAMES))
def test_the_order_of_decisions_is_that_of_the_strategies_whoever_was_quicker(
    order: list[str],
) -> None:
    met = barrier()
    for name in order:
        assert met.answer(name, signal(name))
    assert [each.strategy for each in met.decisions] == [*NAMES]
    assert met.missing == ()


def test_word_that_there_is_no_decision_is_an_answer_too() -> None:
    met = barrier()
    assert met.answer("quiet", None)
    assert met.missing == ("momentum", "pairs")
    assert met.answer("pairs", signal("pairs"))
    assert met.decisions == (signal("pairs"),)


@pytest.mark.parametrize("first", [None, signal("pairs", 1.0)])
def test_only_the_first_answer_of_a_strategy_counts(first: Signal | None) -> None:
    met = barrier()
    assert met.answer("pairs", first)
    assert not met.answer("pairs", signal("pairs", 2.0))
    assert met.decisions == (() if first is None else (first,))


def test_an_answer_of_a_stranger_is_left_aside() -> None:
    met = barrier()
    assert not met.answer("stranger", signal("stranger"))
    assert met.decisions == ()
    assert met.missing == NAMES


def test_without_strategies_nobody_is_waited_for() -> None:
    assert barrier(()).missing == ()
