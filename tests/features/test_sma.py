"""The moving average against a plain mean of what was seen."""

import math
import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.table import run, run_one

from barsync_async.features import FreshBars
from barsync_async.features.sma import Sma
from barsync_async.units import WallMs

Rows = Sequence[Sequence[float | None]]

price = st.floats(0.01, 1e6)
rows = st.lists(st.tuples(*[st.none() | price] * 3), min_size=1, max_size=30)


def closes_of(window: int, closes: Sequence[float]) -> list[float]:
    return run_one(Sma, closes, window=window)


def slow(window: int, seen: Sequence[float]) -> float:
    return statistics.fmean(seen[-window:]) if len(seen) >= window else math.nan


def test_it_is_the_mean_of_the_last_closes_and_unknown_before() -> None:
    assert closes_of(3, [1.0, 2.0, 6.0, 4.0]) == pytest.approx(
        [math.nan, math.nan, 3, 4], nan_ok=True
    )


def test_a_window_of_one_is_the_close_itself() -> None:
    assert closes_of(1, [3.5, 7.25]) == [3.5, 7.25]


def test_a_huge_close_leaves_no_trace_once_it_is_out_of_the_window() -> None:
    assert closes_of(2, [1e17, 1.0, 2.0])[-1] == 1.5


@given(rows, st.integers(1, 6))
def test_every_source_moves_on_at_its_own_pace(table: Rows, window: int) -> None:
    seen: list[list[float]] = [[], [], []]
    for row, values in zip(table, run(Sma, table, window=window), strict=True):
        for column, close in zip(seen, row, strict=True):
            if close is not None:
                column.append(close)
        expected = [[slow(window, column)] for column in seen]
        for got, wanted in zip(values, expected, strict=True):
            assert got == pytest.approx(wanted, rel=1e-12, nan_ok=True)


def test_a_hundred_thousand_sets_of_large_and_small_prices_leave_no_drift() -> None:
    random = np.random.default_rng(7)
    closes = np.exp(random.uniform(np.log(1e-3), np.log(1e12), 100_000))
    indicator = Sma(1, window=20)
    for close in closes:
        bars = FreshBars(WallMs(0), slice(None), np.array([close]), pytest.fail)
        (values,) = indicator.update(bars)
    last = closes[-20:].tolist()
    assert values.item() == pytest.approx(statistics.fmean(last), rel=1e-14)
