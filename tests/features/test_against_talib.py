"""Every indicator by source against TA-Lib or NumPy over each source's own bars, with gaps."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features.table import FIELDS, Cell, run

from barsync_async.features import INDICATORS, FloatArray

Oracle = Callable[[dict[str, FloatArray]], Sequence[FloatArray]]


def macd(bars: dict[str, FloatArray]) -> Sequence[FloatArray]:
    return talib.MACD(bars["close"], 5, 9, 4)


def typical(bars: dict[str, FloatArray]) -> FloatArray:
    return (bars["high"] + bars["low"] + bars["close"]) / 3


def rolling(values: FloatArray, window: int, of: Callable[[FloatArray], float]) -> FloatArray:
    """``of`` each full window of ``values``, NaN before the first."""
    ends = range(1, len(values) + 1)
    return np.array([of(values[end - window : end]) if end >= window else np.nan for end in ends])


def vwap(bars: dict[str, FloatArray]) -> Sequence[FloatArray]:
    traded = rolling(typical(bars) * bars["volume"], 7, lambda part: float(part.sum()))
    return [traded / rolling(bars["volume"], 7, lambda part: float(part.sum()))]


def volatility(bars: dict[str, FloatArray]) -> Sequence[FloatArray]:
    returns = np.diff(np.log(bars["close"]), prepend=np.nan)
    return [rolling(returns, 6, lambda part: float(part.std(ddof=1))) * np.sqrt(98_280)]


CASES: list[tuple[str, dict[str, Any], Oracle]] = [
    ("sma", {"window": 7}, lambda bars: [talib.SMA(bars["close"], 7)]),
    ("ema", {"window": 7}, lambda bars: [talib.EMA(bars["close"], 7)]),
    ("rsi", {"window": 6}, lambda bars: [talib.RSI(bars["close"], 6)]),
    ("macd", {"fast": 5, "slow": 9, "signal": 4}, macd),
    ("bollinger", {"window": 7, "deviations": 2.5}, lambda bars: talib.BBANDS(
        bars["close"], 7, 2.5, 2.5
    )),
    ("atr", {"window": 6}, lambda bars: [talib.ATR(bars["high"], bars["low"], bars["close"], 6)]),
    ("returns", {"window": 3, "kind": "simple"}, lambda bars: [talib.ROCP(bars["close"], 3)]),
    ("returns", {"window": 3}, lambda bars: [np.log1p(talib.ROCP(bars["close"], 3))]),
    ("vwap", {"window": 7}, vwap),
    ("volatility", {"window": 6, "periods": 98_280}, volatility),
]  # fmt: skip


def table(seed: int, sets: int, missing: float) -> list[list[Cell]]:
    """Three sources; the first is there always, the last later than the others."""
    random = np.random.default_rng(seed)
    walk = 250 * np.exp(random.normal(0, 0.002, (sets, 3)).cumsum(axis=0))
    rows: list[list[Cell]] = []
    for place, closes in enumerate(walk):
        row: list[Cell] = []
        for source, close in enumerate(closes.tolist()):
            gone = source and (random.random() < missing or (source == 2 and place < 10))
            low, high = close * (1 - random.random() / 500), close * (1 + random.random() / 500)
            volume = float(random.integers(1, 10_000))
            prices = (low, high, low, close, volume)
            row.append(None if gone else dict(zip(FIELDS, prices, strict=True)))
        rows.append(row)
    return rows


@pytest.mark.parametrize(("name", "parameters", "oracle"), CASES)
@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), missing=st.sampled_from([0.0, 0.05, 0.5]))
def test_it_gives_the_same_values_to_a_billionth(
    name: str, parameters: dict[str, Any], oracle: Oracle, seed: int, missing: float
) -> None:
    cells = table(seed, 70, missing)
    results = run(INDICATORS[name], cells, **parameters)
    for source in range(3):
        own = [row[source] for row in cells]
        bars = [cell for cell in own if isinstance(cell, dict)]
        if not bars:
            continue
        arrays = {field: np.array([bar[field] for bar in bars]) for field in FIELDS}
        at_its_bars = [
            row[source] for row, cell in zip(results, own, strict=True) if cell is not None
        ]
        expected = np.array(oracle(arrays)).T
        assert at_its_bars == pytest.approx(expected, rel=1e-9, abs=1e-11, nan_ok=True)


@pytest.mark.parametrize(("name", "parameters", "oracle"), CASES)
def test_a_source_that_is_not_fresh_keeps_its_values(
    name: str, parameters: dict[str, Any], oracle: Oracle
) -> None:
    cells = table(11, 60, 0.3)
    results = run(INDICATORS[name], cells, **parameters)
    for place in range(1, len(cells)):
        for source in range(3):
            if cells[place][source] is None:
                before = results[place - 1][source]
                assert results[place][source] == pytest.approx(before, rel=0, abs=0, nan_ok=True)


def test_every_indicator_by_source_is_held_against_another_library() -> None:
    by_source = {name for name, each in INDICATORS.items() if each.scope == "source"}  # type: ignore[attr-defined]
    assert by_source - {name for name, _, _ in CASES} == {"session_vwap"}
