"""A real week of SPY, AAPL and MSFT, two of which lack minutes: features against TA-Lib, NumPy."""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import talib
from statsmodels.tsa.stattools import coint  # type: ignore[import-untyped]  # it has no types

from barsync_async.features import FeatureEngine, FloatArray
from barsync_async.indicator_choice import parse_indicators
from barsync_async.messages import Bar, Features, SynchronizedBars
from barsync_async.units import SourceId, WallMs

BARS = Path(__file__).resolve().parents[3] / "shared" / "samples" / "bars"
NEW_YORK = ZoneInfo("America/New_York")
FILES = {"SPY": "SPY_1min.csv", "AAPL": "AAPL_1min.csv", "MSFT": "MSFT_1min.csv"}
PAIRS = ("AAPL_1m|MSFT_1m", "AAPL_1m|SPY_1m", "MSFT_1m|SPY_1m")
SCALES = {"covariance": 1e-9, "spread_zscore": 1.0}
"""Where values near 0 are sums of larger ones that cancel: what is 1 there."""

INDICATORS = [
    "sma",
    "ema",
    "rsi",
    "macd",
    "bollinger",
    "atr",
    "vwap",
    "returns",
    "volatility",
    "correlation",
    "covariance",
    "beta",
    "spread",
    "relative_strength",
]


def rows(symbol: str) -> Iterator[Bar]:
    """The bars of a file, oldest first; labelled at their end, in New York's time."""
    path = BARS / FILES[symbol]
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {path}: CI must have the samples beside the project")
        pytest.skip(f"no {path}")
    with path.open(encoding="utf-8", newline="") as lines:
        for row in reversed([*csv.DictReader(lines)]):
            ends = datetime.fromisoformat(row["datetime"]).replace(tzinfo=NEW_YORK)
            at = WallMs(int(ends.timestamp()) * 1_000)
            first, high, low, last, volume = (
                float(row[key]) for key in ("open", "high", "low", "close", "volume")
            )
            yield Bar(symbol, "1m", at, first, high, low, last, volume)


@pytest.fixture(scope="module")
def bars() -> Mapping[str, Sequence[Bar]]:
    return {symbol: [*rows(symbol)] for symbol in FILES}


@pytest.fixture(scope="module")
def features(bars: Mapping[str, Sequence[Bar]]) -> Mapping[WallMs, Features]:
    """By timestamp, what an engine over all three says."""
    sets, names = sets_of(bars)
    engine = FeatureEngine(names, parse_indicators(INDICATORS))
    return {each.timestamp: engine.update(each) for each in sets}


def sets_of(
    bars: Mapping[str, Sequence[Bar]],
) -> tuple[list[SynchronizedBars], list[SourceId]]:
    """One for every minute of which anybody has a bar, and all sources."""
    cells: dict[WallMs, dict[SourceId, Bar]] = {}
    for of_symbol in bars.values():
        for bar in of_symbol:
            cells.setdefault(bar.timestamp, {})[bar.source] = bar
    names = [SourceId(f"{symbol}_1m") for symbol in FILES]
    return [a_set(at, cells[at], names) for at in sorted(cells)], names


def a_set(at: WallMs, cells: dict[SourceId, Bar], names: Sequence[SourceId]) -> SynchronizedBars:
    return SynchronizedBars(
        timestamp=at,
        status="complete" if len(cells) == len(names) else "partial",
        bars=cells,
        sources_present=tuple(sorted(cells)),
        sources_missing=tuple(sorted({*names} - {*cells})),
        wait_ms=0.0,
        loop_lag_ms=0.0,
    )


def test_the_week_has_the_gaps_that_it_has(bars: Mapping[str, Sequence[Bar]]) -> None:
    assert {symbol: len(each) for symbol, each in bars.items()} == {
        "SPY": 1950,
        "AAPL": 1948,
        "MSFT": 1948,
    }


@pytest.mark.parametrize("symbol", FILES)
def test_each_source_has_the_values_of_its_own_bars(
    symbol: str, bars: Mapping[str, Sequence[Bar]], features: Mapping[WallMs, Features]
) -> None:
    own = bars[symbol]
    high, low, close, volume = (
        np.array([getattr(bar, field) for bar in own])
        for field in ("high", "low", "close", "volume")
    )
    at_its_bars = [features[bar.timestamp].features[f"{symbol}_1m"] for bar in own]
    for name, expected in of_one(high, low, close, volume).items():
        got = np.array([values[name] for values in at_its_bars])
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), name
        assert np.isfinite(got[40:]).all()


def of_one(
    high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray
) -> dict[str, Any]:
    upper, middle, lower = talib.BBANDS(close, 20, 2, 2)
    macd, signal, hist = talib.MACD(close)
    returns = np.diff(np.log(close), prepend=np.nan)
    value = (high + low + close) / 3 * volume
    return {
        "sma": talib.SMA(close, 20),
        "ema": talib.EMA(close, 20),
        "rsi": talib.RSI(close, 14),
        "macd": macd,
        "macd_signal": signal,
        "macd_hist": hist,
        "bollinger_upper": upper,
        "bollinger_middle": middle,
        "bollinger_lower": lower,
        "atr": talib.ATR(high, low, close, 14),
        "vwap": windows(value, 20).sum(axis=1) / windows(volume, 20).sum(axis=1),
        "returns": returns,
        "volatility": windows(returns, 20).std(axis=1, ddof=1),
    }


def windows(values: FloatArray, window: int) -> FloatArray:
    """The last ``window`` values up to each, NaN before the first whole one."""
    padded = np.concatenate([np.full(window - 1, np.nan), values])
    return np.lib.stride_tricks.sliding_window_view(padded, window)


@pytest.mark.parametrize(("left", "right"), [("AAPL", "MSFT"), ("AAPL", "SPY"), ("MSFT", "SPY")])
def test_each_pair_has_the_values_of_its_joint_bars(
    left: str,
    right: str,
    bars: Mapping[str, Sequence[Bar]],
    features: Mapping[WallMs, Features],
) -> None:
    mine, theirs = ({bar.timestamp: bar.close for bar in bars[each]} for each in (left, right))
    joint = sorted(mine.keys() & theirs.keys())
    y, x = (np.log(np.array([each[at] for at in joint])) for each in (mine, theirs))
    pair = f"{left}_1m|{right}_1m"
    for end in range(21, len(joint)):
        values = {
            name: by_pair[pair]
            for name, by_pair in features[joint[end]].features.items()
            if pair in by_pair
        }
        expected = of_two(y[: end + 1], x[: end + 1])
        for name, wanted in expected.items():
            near = pytest.approx(wanted, rel=1e-9, abs=1e-9 * SCALES.get(name, 1e-3))
            assert values.pop(name) == near, (name, joint[end])
        assert values == {}


def of_two(y: FloatArray, x: FloatArray) -> dict[str, float]:
    """From the logs of all joint closes up to now."""
    dy, dx = np.diff(y)[-20:], np.diff(x)[-20:]
    covariance = np.cov(dy, dx)
    centre_y, centre_x = y[-20:] - y[-20:].mean(), x[-20:] - x[-20:].mean()
    ratio = (centre_x @ centre_y) / (centre_x @ centre_x)
    spreads = y[-20:] - ratio * x[-20:]
    return {
        "correlation": np.corrcoef(dy, dx)[0, 1],
        "covariance": covariance[0, 1],
        "beta": covariance[0, 1] / covariance[1, 1],
        "spread": spreads[-1],
        "spread_zscore": (spreads[-1] - spreads.mean()) / spreads.std(),
        "hedge_ratio": ratio,
        "relative_strength": np.exp((y[-1] - y[-21]) - (x[-1] - x[-21])),
    }


def test_the_cointegration_of_each_pair_is_that_of_statsmodels(
    bars: Mapping[str, Sequence[Bar]],
) -> None:
    sets, names = sets_of(bars)
    choice = {"name": "cointegration", "window": 120, "every_s": 7_200}
    engine = FeatureEngine(names, parse_indicators([choice]))
    closes: dict[str, list[list[float]]] = {pair: [] for pair in PAIRS}
    waiting: dict[str, float] = {}
    period, compared = None, 0
    for each in sets:
        (values,) = engine.update(each).features.values()
        for pair, wanted in waiting.items():
            assert values[pair] == pytest.approx(wanted, rel=1e-9, nan_ok=True), each.timestamp
            compared += bool(np.isfinite(wanted))
        waiting = {}
        for pair, logs in closes.items():
            both = [each.bars.get(SourceId(name)) for name in pair.split("|")]
            if None not in both:
                logs.append([np.log(bar.close) for bar in both if bar is not None])
        if each.timestamp // 7_200_000 != period:
            period = each.timestamp // 7_200_000
            waiting = {pair: tied(np.array(logs[-120:])) for pair, logs in closes.items()}
    assert compared > 30


def tied(logs: FloatArray) -> float:
    return float(coint(*logs.T)[1]) if len(logs) == 120 else float("nan")
