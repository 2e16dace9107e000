"""Bars in files, a config, and the command run on them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from tests.end_to_end.running import toml

from barsync_async.app.cli import main

MINUTE = 60_000
NOON = 1_767_355_200_000  # 2026-01-02 12:00 UTC


def price(symbol: str, minute: int) -> float:
    """A walk that rises and falls, another one for each symbol."""
    step = {"SPY": 7, "QQQ": 11}.get(symbol, 5)
    return 100 + (minute * step % 23) / 2 + minute / 50


def write(folder: Path, symbol: str, minutes: Iterable[int], name: str | None = None) -> Path:
    """One-minute bars labelled with their close, in ms."""
    rows = ["timestamp,open,high,low,close,volume"]
    for minute in minutes:
        first, last = price(symbol, minute - 1), price(symbol, minute)
        high, low = max(first, last) + 0.5, min(first, last) - 0.5
        rows.append(f"{NOON + minute * MINUTE},{first},{high},{low},{last},{minute}")
    path = folder / (name or f"{symbol}_1m.csv")
    path.write_text("\n".join([*rows, ""]), "utf-8")
    return path


def file_feed(label: str = "close", **files: str) -> dict[str, Any]:
    """Of bars as :func:`write` leaves them, ``SPY_1m="spy.csv"``, and SPY_5m made of them."""
    form = {"label": label, "time_unit": "ms", "columns": {"time": "timestamp"}}
    return {
        "venue": "file",
        "sources": list(files),
        "files": {source: {"path": path, **form} for source, path in files.items()},
        "derived": {"SPY_5m": "SPY_1m"},
    }


def config(folder: Path, **changes: Any) -> Path:
    """A live config with all components; ``changes`` are of its tables, by name."""
    sources = ["SPY_1m", "QQQ_1m", "SPY_5m"]
    components: dict[str, Any] = {
        "synchronizer": {
            "type": "BarSynchronizer",
            "config": {"expected_sources": sources, "require_all": False},
        },
        "features": {"type": "MultiSymbolFeatureCalculator"},
        "strategies": {
            "type": "StrategyRunner",
            "config": {"strategies": ["momentum", "pairs_trading"], "parallel": True},
        },
        "portfolio": {"type": "Portfolio", "config": {"cash": 50_000.0}},
    }
    document = {
        "service": {"name": "world"},
        "feeds": {
            "live": {
                "venue": "alpaca",  # needs a key, which a backtest does not
                "sources": ["SPY_1m", "QQQ_1m"],
                "derived": {"SPY_5m": "SPY_1m"},
            }
        },
        "containers": {"c": {"components": components}},
        "outputs": {"events": {"type": "jsonl", "path": str(folder / "live.jsonl")}},
        **changes,
    }
    path = folder / "config.toml"
    path.write_text(toml(document), "utf-8")
    return path


def backtest(path: Path, *options: str | Path) -> Result:
    """``barsync backtest``, its report in ``report`` beside the config."""
    given = [str(path), "--report", str(path.parent / "report"), *map(str, options)]
    return CliRunner().invoke(main, ["backtest", *given])


def events(folder: Path) -> list[dict[str, Any]]:
    """What ``--events`` wrote."""
    text = (folder / "report" / "events.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]
