"""The Engle-Granger test: statsmodels' own p-values, told at a set that nothing else decides."""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from statsmodels.tsa.stattools import coint  # type: ignore[import-untyped]  # it has no types
from tests.features.table import MINUTE, NOON, all_pairs, fresh_bars

from barsync_async.features import FloatArray, FreshPairs
from barsync_async.features.cointegration import Cointegration

SETS = 90
START = NOON - NOON % 3_600_000


def walk(seed: int, *, missing: float = 0.0) -> list[tuple[float | None, ...]]:
    """Two sources that are tied to each other; at times one of them is not fresh."""
    random = np.random.default_rng(seed)
    left = 100 * np.exp(random.normal(0, 0.01, SETS).cumsum())
    right = left**0.8 * np.exp(random.normal(0, 0.004, SETS))
    return [
        tuple(None if random.random() < missing else float(close) for close in row)
        for row in zip(left, right, strict=True)
    ]


def run(
    rows: Sequence[tuple[float | None, ...]],
    indicator: Cointegration | None = None,
    *,
    start: int = START,
    **parameters: Any,
) -> list[float]:
    pairs = all_pairs(2)
    made = indicator or Cointegration(pairs, **parameters)
    return [
        made.update(FreshPairs(pairs, fresh_bars(row, start + place * MINUTE)))[0].item()
        for place, row in enumerate(rows)
    ]


def expected(rows: Sequence[tuple[float | None, ...]], window: int) -> float:
    joint = np.array([row for row in rows if None not in row], dtype=float)
    if len(joint) < window:
        return math.nan
    return float(coint(*np.log(joint[-window:]).T)[1])


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("lag", [1, 4])
def test_it_is_the_p_value_of_the_window_that_ended_so_many_sets_before(
    lag: int, missing: float
) -> None:
    rows = walk(5, missing=missing)
    values = run(rows, window=30, every_s=600, lag=lag)
    for place, value in enumerate(values):
        begun = (place - lag) // 10 * 10
        wanted = math.nan if begun < 0 else expected(rows[: begun + 1], 30)
        assert value == pytest.approx(wanted, rel=1e-9, nan_ok=True), place
    assert sum(map(math.isfinite, values)) > 30


def test_when_it_is_made_depends_on_the_time_of_the_sets_and_not_on_the_first_one() -> None:
    rows = walk(5)
    whole, later = run(rows, window=30, every_s=1_200), None
    later = run(rows[7:], window=30, every_s=1_200, start=START + 7 * MINUTE)
    assert later[55:] == whole[62:]
    assert len(set(whole[62:])) == 2


class Delayed:
    """Work that is done when the test says so; the role of an executor."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, work: Callable[[], FloatArray]) -> "Delayed":
        self._work = work
        return self

    def result(self) -> FloatArray:
        self.asked += 1
        return self._work()


def test_where_it_is_worked_out_changes_no_value() -> None:
    rows, delayed = walk(8), Delayed()
    indicator = Cointegration(all_pairs(2), window=30, every_s=600, lag=2)
    indicator.defer = delayed
    assert run(rows, indicator) == pytest.approx(
        run(rows, window=30, every_s=600, lag=2), rel=0, abs=0, nan_ok=True
    )
    assert delayed.asked == 9


def test_a_copy_moves_on_by_itself() -> None:
    rows, indicator = walk(8), Cointegration(all_pairs(2), window=30, every_s=600)
    run(rows[:41], indicator)
    twin = deepcopy(indicator)
    run([(1.0, 2.0)] * 5, indicator, start=START + 41 * MINUTE)
    rest = run(rows[41:], twin, start=START + 41 * MINUTE)
    assert rest == run(rows, window=30, every_s=600)[41:]


@pytest.mark.parametrize(
    ("rows", "value"),
    [
        ([(100.0, 100.0 + place % 7) for place in range(SETS)], math.nan),
        ([(100.0 + place % 7, -1.0) for place in range(SETS)], math.nan),
        ([(100.0 + place % 7, 5 * (100.0 + place % 7)) for place in range(SETS)], 0.0),
    ],
    ids=["one stands still", "no logarithm", "one line"],
)
def test_where_there_is_nothing_to_test_it_says_so(
    rows: list[tuple[float | None, ...]], value: float
) -> None:
    assert run(rows, window=30, every_s=600)[-1] == pytest.approx(value, nan_ok=True)


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("barsync_async.features.cointegration.import_module", missing)
    with pytest.raises(ValueError, match=r"pip install 'barsync-async\[statistics\]'"):
        Cointegration(all_pairs(2))
