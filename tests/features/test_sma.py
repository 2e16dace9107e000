"""The moving average against a plain mean of what was seen."""

import math
import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.features.sma import Sma

Rows = Sequence[Sequence[float | None]]

price = st.floats(0.01, 1e6)
rows = st.lists(st.tuples(*[st.none() | price] * 3), min_size=1, max_size=30)


def step(indicator: Sma, row: Sequence[float | None]) -> list[float]:
    """One set; None where a source does not move on."""
    closes = np.array([math.nan if close is None else close for close in row])
    fresh = np.flatnonzero([close is not None for close in row])
    values: list[float] = indicator.update(closes, fresh).tolist()
    return values


def run(window: int, closes: Sequence[float]) -> list[float]:
    indicator = Sma(window, 1)
    return [step(indicator, [close])[0] for close in closes]


def slow(window: int, seen: Sequence[float]) -> float:
    return statistics.fmean(seen[-window:]) if len(seen) >= window else math.nan


def test_it_is_the_mean_of_the_last_closes_and_unknown_before() -> None:
    assert run(3, [1.0, 2.0, 6.0, 4.0]) == pytest.approx([math.nan, math.nan, 3, 4], nan_ok=True)


def test_a_window_of_one_is_the_close_itself() -> None:
    assert run(1, [3.5, 7.25]) == [3.5, 7.25]


def test_a_huge_close_leaves_no_trace_once_it_is_out_of_the_window() -> None:
    assert run(2, [1e17, 1.0, 2.0])[-1] == 1.5


@given(rows, st.integers(1, 6))
def test_every_source_moves_on_at_its_own_pace(table: Rows, window: int) -> None:
    indicator = Sma(window, 3)
    seen: list[list[float]] = [[], [], []]
    for row in table:
        for column, close in zip(seen, row, strict=True):
            if close is not None:
                column.append(close)
        expected = [slow(window, column) for column in seen]
        assert step(indicator, row) == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_a_value_given_out_does_not_change_afterwards() -> None:
    indicator = Sma(1, 1)
    first = indicator.update(np.array([1.0]), np.array([0]))
    indicator.update(np.array([2.0]), np.array([0]))
    assert first.tolist() == [1.0]
