"""The relative strength index against Wilder's recurrence, and against figures in print."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from tests.features.table import run as run_table
from tests.features.table import run_one

from barsync_async.features.rsi import Rsi

# The worked example of StockCharts' ChartSchool, "Relative Strength Index (RSI)".
# fmt: off
PRINTED_CLOSES = [
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826,
    45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
    46.2122, 46.2521, 45.7137, 46.4515, 45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672,
    43.4205, 42.6628, 43.1314,
]
PRINTED_VALUES = [
    70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93, 63.26, 56.06, 62.38, 54.71, 50.42, 39.99,
    41.46, 41.87, 45.46, 37.30, 33.08, 37.77,
]
# fmt: on

Row = Sequence[float | None]

cents = st.integers(100, 100_000).map(lambda cents: cents / 100)
closes_of_one = st.lists(cents, min_size=1, max_size=30)
rows = st.lists(st.tuples(*[st.none() | cents] * 3), min_size=1, max_size=30)
windows = st.integers(2, 6)


def run(window: int, closes: Sequence[float]) -> list[float]:
    return run_one(Rsi, closes, window=window)


def smoothed(window: int, amounts: Sequence[float]) -> float:
    average = sum(amounts[:window]) / window
    for amount in amounts[window:]:
        average += (amount - average) / window
    return average


def slow(window: int, closes: Sequence[float]) -> float:
    """From the first close anew: 100 - 100 / (1 + RS), as in the book."""
    changes = [new - old for old, new in pairwise(closes)]
    if len(changes) < window:
        return math.nan
    gain = smoothed(window, [max(change, 0.0) for change in changes])
    loss = smoothed(window, [max(-change, 0.0) for change in changes])
    if loss == 0:
        return 100.0 if gain else 0.0
    return 100 - 100 / (1 + gain / loss)


def test_it_gives_the_figures_in_print() -> None:
    values = run(14, PRINTED_CLOSES)
    assert [math.isnan(value) for value in values[:14]] == [True] * 14
    assert [round(value, 2) for value in values[14:]] == PRINTED_VALUES


def test_it_follows_the_recurrence_worked_by_hand() -> None:
    # changes +2 -1 +2 -3; gain 1, 1.5, 0.75; loss 0.5, 0.25, 1.625
    assert run(2, [10, 12, 11, 13, 10])[2:] == pytest.approx(
        [100 * 1 / 1.5, 100 * 1.5 / 1.75, 100 * 0.75 / 2.375]
    )


@pytest.mark.parametrize(
    ("closes", "value"),
    [([1.0, 2.0, 3.0, 4.0], 100.0), ([4.0, 3.0, 2.0, 1.0], 0.0), ([5.0, 5.0, 5.0, 5.0], 0.0)],
    ids=["only rises", "only falls", "no move, as TA-Lib has it"],
)
def test_it_has_its_limits_where_one_side_is_empty(closes: list[float], value: float) -> None:
    assert run(3, closes)[-1] == value


@given(rows, windows)
def test_every_source_moves_on_at_its_own_pace(table: Sequence[Row], window: int) -> None:
    seen: list[list[float]] = [[], [], []]
    for row, values in zip(table, run_table(Rsi, table, window=window), strict=True):
        for column, close in zip(seen, row, strict=True):
            if close is not None:
                column.append(close)
        expected = [slow(window, column) for column in seen]
        got = [value for (value,) in values]
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


@given(closes_of_one, windows)
def test_it_stays_between_0_and_100(closes: list[float], window: int) -> None:
    assert all(0 <= value <= 100 for value in run(window, closes)[window:])


@given(closes_of_one, windows)
def test_the_currency_does_not_matter(closes: list[float], window: int) -> None:
    dear = run(window, [4 * close for close in closes])
    assert dear == pytest.approx(run(window, closes), rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("window", [2, 14])
def test_one_that_stands_still_keeps_its_last_value_as_talib_has_it(window: int) -> None:
    closes = np.array([100.0 + number % 3 for number in range(40)] + [100.5] * 800)
    expected = talib.RSI(closes, window)
    assert expected[-1] > 40
    assert run(window, closes.tolist()) == pytest.approx(expected, rel=1e-9, nan_ok=True)
