"""The spread, its z-score and hedge ratio against the statistics module."""

import math
import statistics
from collections.abc import Sequence
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.table import all_pairs, run_separate

from barsync_async.features.spread import Spread

Prices = tuple[float, float]
Row = Sequence[Prices | None]
Values = tuple[float, float, float]

whole = st.integers(50, 150).map(float)
both = st.tuples(whole, whole)
series = st.lists(both, min_size=1, max_size=30)
rows = st.lists(st.tuples(*[st.none() | both] * 3), min_size=1, max_size=30)
windows = st.integers(3, 8)


def run(window: int, prices: Sequence[Prices | None]) -> list[list[float]]:
    return [row[0] for row in run_separate(Spread, [[each] for each in prices], window=window)]


def slow(window: int, seen: Sequence[Prices]) -> Values:
    y = [math.log(left) for left, _ in seen[-window:]]
    x = [math.log(right) for _, right in seen[-window:]]
    if len(x) < window or len(set(x)) == 1:
        return math.nan, math.nan, math.nan
    ratio = statistics.linear_regression(x, y).slope
    spreads = [a - ratio * b for a, b in zip(y, x, strict=True)]
    deviation = statistics.pstdev(spreads)
    if deviation < 1e-10:
        return spreads[-1], math.nan, ratio
    return spreads[-1], (spreads[-1] - statistics.fmean(spreads)) / deviation, ratio


def test_its_arrays_have_names_after_its_label() -> None:
    assert Spread(all_pairs(2)).outputs("spread") == ("spread", "spread_zscore", "hedge_ratio")
    assert Spread(all_pairs(2)).outputs("wide") == ("wide", "wide_zscore", "wide_hedge_ratio")


def test_it_is_unknown_before_a_window_of_joint_sets() -> None:
    values = run(3, [(10.0, 5.0), (11.0, 7.0), None, (12.0, 5.0)])
    assert all(map(math.isnan, chain(*values[:3])))
    assert all(map(math.isfinite, values[3]))


def test_it_follows_the_formula_worked_by_hand() -> None:
    # in units of log 2: x 0 1 2, y 0 3 4; slope 2, spread 0 1 0, mean 1/3, deviation sqrt(2)/3
    ((spread, zscore, ratio),) = run(3, [(1.0, 1.0), (8.0, 2.0), (16.0, 4.0)])[2:]
    assert spread == pytest.approx(0.0, abs=1e-12)
    assert zscore == pytest.approx(-1 / math.sqrt(2))
    assert ratio == pytest.approx(2.0)


@given(rows, windows)
def test_every_pair_moves_on_at_its_own_pace(table: Sequence[Row], window: int) -> None:
    seen: list[list[Prices]] = [[], [], []]
    for row, values in zip(table, run_separate(Spread, table, window=window), strict=True):
        for column, prices in zip(seen, row, strict=True):
            if prices is not None:
                column.append(prices)
        for got, column in zip(values, seen, strict=True):
            assert got == pytest.approx(slow(window, column), rel=1e-6, abs=1e-6, nan_ok=True)


@given(series, windows)
def test_a_zscore_is_at_most_the_root_of_the_window_less_one(
    prices: list[Prices], window: int
) -> None:
    known = [zscore for _, zscore, _ in run(window, prices) if not math.isnan(zscore)]
    assert all(abs(zscore) <= math.sqrt(window - 1) + 1e-6 for zscore in known)


@given(st.floats(-3, 3), st.floats(0.01, 100), windows)
def test_a_pair_on_one_line_has_its_slope_as_hedge_ratio_and_no_zscore(
    slope: float, scale: float, window: int
) -> None:
    closes = [100.0 + 10 * (index % 3) for index in range(window)]
    spread, zscore, ratio = run(window, [(scale * each**slope, each) for each in closes])[-1]
    assert ratio == pytest.approx(slope, abs=1e-9)
    assert spread == pytest.approx(math.log(scale), abs=1e-9)
    assert math.isnan(zscore)


@given(whole, windows)
def test_a_second_source_that_stands_still_gives_nothing(close: float, window: int) -> None:
    prices = [(100.0 + index, close) for index in range(2 * window)]
    assert all(map(math.isnan, chain(*run(window, prices))))


def test_a_first_source_that_stands_still_has_a_hedge_ratio_of_0_and_no_zscore() -> None:
    spread, zscore, ratio = run(3, [(7.0, 1.0), (7.0, 2.0), (7.0, 3.0)])[-1]
    assert (spread, ratio) == pytest.approx((math.log(7.0), 0.0))
    assert math.isnan(zscore)


@pytest.mark.parametrize("bad", [0.0, -3.0])
def test_a_close_that_is_not_above_0_leaves_no_value_while_it_is_in_the_window(bad: float) -> None:
    good: list[Prices] = [(10.0, 5.0), (11.0, 7.0), (13.0, 6.0)]
    values = run(3, [*good, (bad, 5.0), *good])
    known = [all(map(math.isfinite, each)) for each in values]
    assert known == [False, False, True, False, False, False, True]
    assert values[6] == pytest.approx(values[2])
