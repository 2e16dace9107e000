"""Correlation, covariance and beta of log returns against the statistics module."""

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.table import all_pairs, run_pairs, run_separate

from barsync_async.features import PairColumns
from barsync_async.features.co_movement import Beta, Correlation, Covariance

Prices = tuple[float, float]
Row = Sequence[Prices | None]

cents = st.integers(100, 100_000).map(lambda cents: cents / 100)
both = st.tuples(cents, cents)
series = st.lists(both, min_size=1, max_size=30)
rows = st.lists(st.tuples(*[st.none() | both] * 3), min_size=1, max_size=30)
windows = st.integers(2, 6)


def run(window: int, prices: Sequence[Prices | None]) -> list[float]:
    table = run_separate(Correlation, [[each] for each in prices], window=window)
    return [row[0][0] for row in table]


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
    seen: list[list[Prices]] = [[], [], []]
    for row, values in zip(table, run_separate(Correlation, table, window=window), strict=True):
        for column, prices in zip(seen, row, strict=True):
            if prices is not None:
                column.append(prices)
        expected = [slow(window, column) for column in seen]
        got = [value for (value,) in values]
        assert got == pytest.approx(expected, rel=1e-7, abs=1e-7, nan_ok=True)


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


gaps = st.lists(
    st.tuples(*[st.floats(90, 110) | st.none()] * 4), min_size=1, max_size=40
) | st.lists(
    st.tuples(*[st.floats(90, 110)] * 3, st.floats(90, 110) | st.none()), min_size=1, max_size=40
)


def expected_of(window: int, seen: Sequence[Prices]) -> tuple[float, float, float]:
    """Correlation, covariance and beta of the last returns of the joint sets alone."""
    left, right = (returns([each[side] for each in seen])[-window:] for side in (0, 1))
    if len(left) < window:
        return math.nan, math.nan, math.nan
    covariance = statistics.covariance(left, right)
    y_flat, x_flat = statistics.pstdev(right) < 1e-13, statistics.pstdev(left) < 1e-13
    return (
        math.nan if x_flat or y_flat else statistics.correlation(left, right),
        covariance,
        math.nan if y_flat else covariance / statistics.variance(right),
    )


@given(gaps, st.integers(2, 5))
def test_all_pairs_at_once_are_as_each_alone_whoever_is_missing_now_and_then(
    table: Sequence[Sequence[float | None]], window: int
) -> None:
    pairs = all_pairs(4)
    results = [
        run_pairs(kind, pairs, table, window=window) for kind in (Correlation, Covariance, Beta)
    ]
    seen: list[list[Prices]] = [[] for _ in range(len(pairs))]
    for place, row in enumerate(table):
        for pair, (left, right) in enumerate(zip(pairs.lefts, pairs.rights, strict=True)):
            one, other = row[left], row[right]
            if one is not None and other is not None:
                seen[pair].append((one, other))
            got = [result[place][pair][0] for result in results]
            wanted = expected_of(window, seen[pair])
            assert got == pytest.approx(wanted, rel=1e-6, abs=1e-9, nan_ok=True)


def test_few_of_many_pairs_are_as_they_are_among_all() -> None:
    random = np.random.default_rng(3)
    table = [
        [None if random.random() < 0.1 else close for close in row]
        for row in random.uniform(90, 110, (60, 12)).tolist()
    ]
    everyone = all_pairs(12)
    few = PairColumns(everyone.lefts[[0, 17, 40]], everyone.rights[[0, 17, 40]], 12)
    some = run_pairs(Beta, few, table, window=5)
    for all_of_set, some_of_set in zip(
        run_pairs(Beta, everyone, table, window=5), some, strict=True
    ):
        for pair, place in enumerate((0, 17, 40)):
            assert some_of_set[pair] == pytest.approx(all_of_set[place], rel=1e-9, nan_ok=True)


def test_beta_is_the_slope_on_the_second_source() -> None:
    closes = [10.0, 11.0, 10.5, 12.0, 11.0]
    ((value,),) = run_separate(Beta, [[(each**3, each)] for each in closes], window=4)[-1]
    assert value == pytest.approx(3.0)


@pytest.mark.parametrize("kind", [Correlation, Covariance, Beta])
def test_each_has_its_label_and_refuses_a_window_of_one(kind: Any) -> None:
    assert kind(all_pairs(2)).outputs("x") == ("x",)
    with pytest.raises(ValueError, match="window = 1: expected a whole number from 2 to 10000"):
        kind(all_pairs(2), window=1)
