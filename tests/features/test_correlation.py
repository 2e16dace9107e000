"""The correlation of log returns against the statistics module."""

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.features.correlation import Correlation

Prices = tuple[float, float]
Row = Sequence[Prices | None]

cents = st.integers(100, 100_000).map(lambda cents: cents / 100)
both = st.tuples(cents, cents)
series = st.lists(both, min_size=1, max_size=30)
rows = st.lists(st.tuples(*[st.none() | both] * 3), min_size=1, max_size=30)
windows = st.integers(2, 6)


def step(indicator: Correlation, row: Row) -> list[float]:
    """One set; None where not both sources of a pair are fresh."""
    closes = np.array([(math.nan, math.nan) if each is None else each for each in row])
    joint = np.flatnonzero([each is not None for each in row])
    (values,) = indicator.update(closes[:, 0], closes[:, 1], joint)
    numbers: list[float] = values.tolist()
    return numbers


def run(window: int, prices: Sequence[Prices | None]) -> list[float]:
    indicator = Correlation(window, 1)
    return [step(indicator, [each])[0] for each in prices]


def returns(closes: Sequence[float]) -> list[float]:
    return [math.log(new / old) for old, new in pairwise(closes)]


def slow(window: int, seen: Sequence[Prices]) -> float:
    left, right = (returns([each[side] for each in seen])[-window:] for side in (0, 1))
    if len(left) < window or min(statistics.pstdev(left), statistics.pstdev(right)) < 1e-12:
        return math.nan
    return statistics.correlation(left, right)


def test_it_is_unknown_before_a_window_of_returns() -> None:
    values = run(2, [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)])
    assert [math.isnan(value) for value in values] == [True, True, False]


def test_it_follows_the_formula_worked_by_hand() -> None:
    # returns, in units of log 2: 1 -1 1 and 1 -1 -1, so 4/3 over sqrt(8/3 * 8/3)
    values = run(3, [(1.0, 1.0), (2.0, 2.0), (1.0, 1.0), (2.0, 0.5)])
    assert values[-1] == pytest.approx(0.5)


@given(rows, windows)
def test_every_pair_moves_on_at_its_own_pace(table: Sequence[Row], window: int) -> None:
    indicator = Correlation(window, 3)
    seen: list[list[Prices]] = [[], [], []]
    for row in table:
        for column, prices in zip(seen, row, strict=True):
            if prices is not None:
                column.append(prices)
        expected = [slow(window, column) for column in seen]
        assert step(indicator, row) == pytest.approx(expected, rel=1e-7, abs=1e-7, nan_ok=True)


@given(series, windows)
def test_it_stays_between_minus_1_and_1(prices: list[Prices], window: int) -> None:
    known = [value for value in run(window, prices) if not math.isnan(value)]
    assert all(-1 <= value <= 1 for value in known)


@given(series, windows)
def test_it_is_the_same_from_both_sides(prices: list[Prices], window: int) -> None:
    swapped = [(right, left) for left, right in prices]
    assert run(window, swapped) == pytest.approx(run(window, prices), rel=1e-12, nan_ok=True)


def test_what_moves_alike_has_1_and_what_moves_against_minus_1() -> None:
    closes = [10.0, 11.0, 10.5, 12.0, 11.0]
    assert run(4, [(each, 7 * each) for each in closes])[-1] == pytest.approx(1.0)
    assert run(4, [(each, 1 / each) for each in closes])[-1] == pytest.approx(-1.0)


@given(cents, st.floats(1.0, 1.5), windows)
def test_a_side_that_stands_still_or_grows_evenly_gives_no_value(
    start: float, growth: float, window: int
) -> None:
    other = [100.0 + 10 * (index % 3) for index in range(2 * window)]
    evenly = [start * growth**index for index in range(2 * window)]
    assert all(map(math.isnan, run(window, list(zip(evenly, other, strict=True)))))
    assert all(map(math.isnan, run(window, list(zip(other, evenly, strict=True)))))


@pytest.mark.parametrize("bad", [0.0, -3.0])
def test_a_close_that_is_not_above_0_leaves_no_value_while_it_is_in_the_window(bad: float) -> None:
    good: list[Prices] = [(10.0, 5.0), (11.0, 7.0), (10.0, 5.0), (11.0, 7.0)]
    values = run(2, [*good, (bad, 5.0), *good])
    assert [math.isnan(value) for value in values[3:]] == [False, True, True, True, False, False]
    assert values[7:] == pytest.approx([1.0, 1.0])
