"""A backtest of five real days, its figures against a recount from the files themselves."""

import csv
import datetime as dt
import json
import os
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from tests.app.backtest.world import config
from tests.recorded.test_history_files import BARS

from barsync_async.app.cli import main

SYMBOLS = ("SPY", "AAPL", "MSFT")
FORMAT = ("--format", "label=close", "--format", "timezone=America/New_York")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report of SPY, AAPL and MSFT, momentum on each."""
    if not BARS.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {BARS}: CI must have the samples beside the project")
        pytest.skip(f"no {BARS}")
    folder = tmp_path_factory.mktemp("real")
    sources = [f"{symbol}_1m" for symbol in SYMBOLS]
    synchronizer = {"expected_sources": sources, "require_all": False}
    components = {
        "s": {"type": "BarSynchronizer", "config": synchronizer},
        "f": {"type": "MultiSymbolFeatureCalculator", "config": {"indicators": ["sma", "rsi"]}},
        "r": {"type": "StrategyRunner", "config": {"strategies": ["momentum"]}},
        "p": {"type": "Portfolio"},
    }
    feeds = {"live": {"venue": "alpaca", "sources": sources}}
    path = config(folder, feeds=feeds, containers={"c": {"components": components}})
    data = [f"--data={symbol}_1m={BARS / f'{symbol}_1min.csv'}" for symbol in SYMBOLS]
    given = ["backtest", str(path), *data, *FORMAT, "--events", "--report", str(folder / "report")]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 0, result.output
    return folder / "report"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def closes(symbol: str) -> dict[int, float]:
    """By its end, each close of the file, read with nothing of ours."""
    zone = ZoneInfo("America/New_York")
    return {
        round(dt.datetime.fromisoformat(row["datetime"]).replace(tzinfo=zone).timestamp() * 1_000):
        float(row["close"])
        for row in rows(BARS / f"{symbol}_1min.csv")
    }  # fmt: skip


def test_every_minute_of_the_files_has_its_outcome(report: Path) -> None:
    there = {symbol: closes(symbol) for symbol in SYMBOLS}
    every = sorted(set().union(*there.values()))
    told = rows(report / "sets.csv")
    assert [int(row["timestamp"]) for row in told] == every
    for row in told:
        missing = sum(int(row["timestamp"]) not in each for each in there.values())
        assert int(row["missing"]) == missing
        assert row["outcome"] == ("partial" if missing else "complete")
    for row in rows(report / "sources.csv"):
        symbol = row["source"].removesuffix("_1m")
        assert int(row["received"]) == int(row["fresh"]) == len(there[symbol])
        assert int(row["missing"]) == len(every) - len(there[symbol])


def test_the_equity_is_what_the_signals_make_at_the_files_own_closes(report: Path) -> None:
    """An account kept by hand: the targets of the SIGNAL events, and prices from the files."""
    prices = {symbol: closes(symbol) for symbol in SYMBOLS}
    wanted, held, marks = dict.fromkeys(SYMBOLS, 0.0), dict.fromkeys(SYMBOLS, 0.0), {}
    cash, peak, traded = 1_000_000.0, 0.0, 0.0
    told = rows(report / "equity.csv")
    for row, signal in zip(told, signals(report), strict=True):
        assert int(row["timestamp"]) == signal["timestamp"]
        wanted |= signal["targets"]
        bought = 0.0
        for symbol, price in at(prices, signal["timestamp"]).items():
            change = wanted[symbol] - held[symbol]
            held[symbol], marks[symbol] = wanted[symbol], price
            cash -= change * price
            bought += abs(change) * price
        values = [units * marks.get(symbol, 0.0) for symbol, units in held.items()]
        equity, traded = cash + sum(values), traded + bought
        peak = max(peak, equity)
        assert float(row["cash"]) == pytest.approx(cash, abs=1e-5)
        assert float(row["equity"]) == pytest.approx(equity, abs=1e-5)
        assert float(row["gross"]) == pytest.approx(sum(map(abs, values)), abs=1e-5)
        assert float(row["traded"]) == pytest.approx(bought, abs=1e-5)
        assert float(row["drawdown"]) == pytest.approx(1 - equity / peak, abs=1e-9)
        assert float(row["costs"]) == pytest.approx(0.0, abs=1e-5)
    assert traded > 1_000_000
    (strategy,) = rows(report / "strategies.csv")
    assert float(strategy["gain"]) == pytest.approx(equity - 1_000_000.0, abs=1e-5)
    assert float(strategy["traded"]) == pytest.approx(traded, rel=1e-9)


def at(prices: dict[str, dict[int, float]], timestamp: int) -> dict[str, float]:
    return {symbol: each[timestamp] for symbol, each in prices.items() if timestamp in each}


def signals(report: Path) -> list[Any]:
    text = (report / "events.jsonl").read_text("utf-8")
    return [each for each in map(json.loads, text.splitlines()) if each["type"] == "SIGNAL"]
