"""``barsync backtest`` as it is installed: its page in a real browser, Ctrl-C, and a live run's
values.
"""

import asyncio
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.app.backtest.world import MINUTE, NOON, config, write
from tests.end_to_end.browser import Opened
from tests.end_to_end.running import Line, barsync
from tests.end_to_end.venue import kline, venue
from websockets.asyncio.server import ServerConnection

_OPTIONS = ("--format", "label=close")


async def run(folder: Path, *options: str | Path) -> tuple[list[str], list[str]]:
    """What ``barsync backtest`` says when it has ended well."""
    async with barsync("backtest", folder / "config.toml", *options, cwd=folder) as running:
        assert await running.ended() == 0, running.err.text
    return running.out.text, running.err.text


async def test_a_browser_draws_every_chart_and_finds_no_fault(tmp_path: Path) -> None:
    write(tmp_path, "SPY", range(1, 301))
    write(tmp_path, "QQQ", [minute for minute in range(1, 301) if minute % 40])
    config(tmp_path)
    await run(tmp_path, "--data", tmp_path, *_OPTIONS, "--report", "report")
    page = tmp_path / "report" / "report.html"
    for options in ((), ("--window-size=500,900", "--blink-settings=preferredColorScheme=0")):
        opened = Opened(page, tmp_path / "profile", *options)
        assert opened.errors == []
        assert 'data-drawn="4"' in opened.dom
        drawn = re.findall(r'class="js-line" d="(M[^"]+)"', opened.dom)
        assert sum(len(line) > 100 for line in drawn) >= 4  # those of a legend are short
        spans = re.findall(r'class="bg" x="(\d+)" y="\d+" width="(\d+)"', opened.dom)
        assert len(spans) == 4
        assert len(set(spans)) == 1, "a moment stands at another place in another chart"


async def test_a_page_whose_script_was_altered_draws_nothing(tmp_path: Path) -> None:
    """So what the test above looks for is the scripts' doing, and the policy holds."""
    write(tmp_path, "SPY", range(1, 31))
    write(tmp_path, "QQQ", range(1, 31))
    config(tmp_path)
    await run(tmp_path, "--data", tmp_path, *_OPTIONS, "--report", "report")
    page = tmp_path / "report" / "report.html"
    page.write_text(page.read_text("utf-8").replace("draw();\n", "draw() ;\n"), "utf-8")
    opened = Opened(page, tmp_path / "profile")
    assert len(opened.errors) == 1
    assert "Content Security Policy" in opened.errors[0]
    assert "data-drawn" not in opened.dom


async def test_ctrl_c_ends_it_with_a_report_that_says_that_it_is_partial(tmp_path: Path) -> None:
    minutes = 60_000
    write(tmp_path, "SPY", range(1, minutes + 1))
    write(tmp_path, "QQQ", range(1, minutes + 1))
    config(tmp_path)
    command = ("backtest", tmp_path / "config.toml", "--data", tmp_path, *_OPTIONS, "--events")
    async with barsync(*command, cwd=tmp_path) as running:
        await until(lambda: is_written(tmp_path / "var" / "report" / "events.jsonl"))
        running.send(signal.SIGINT)
        assert await running.ended() == 0, running.err.text
    page = (tmp_path / "var" / "report" / "report.html").read_text("utf-8")
    assert 'id="partial"' in page
    (told,) = [line for line in running.out.text if line.startswith("partial: ")]
    assert "the histories go on to" in told
    sets = (tmp_path / "var" / "report" / "sets.csv").read_text("utf-8").splitlines()
    assert 1 < len(sets) < minutes


_HANGS = """
import time

class Hangs:
    name = "hangs"

    def decide(self, features, portfolio):
        open("hangs", "w").close()
        time.sleep(3600)
"""


@pytest.mark.parametrize(
    ("first", "second"), [(signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)]
)
async def test_a_second_signal_ends_one_whose_strategy_never_returns(
    tmp_path: Path, first: signal.Signals, second: signal.Signals
) -> None:
    write(tmp_path, "SPY", range(1, 10))
    write(tmp_path, "QQQ", range(1, 10))
    (tmp_path / "mine.py").write_text(_HANGS, "utf-8")
    of_mine = {"type": "StrategyRunner", "config": {"strategies": ["mine:Hangs"]}}
    config(tmp_path, containers={"c": {"components": {**components(), "strategies": of_mine}}})
    command = ("backtest", tmp_path / "config.toml", "--data", tmp_path, *_OPTIONS)
    async with barsync(*command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}) as running:
        await until((tmp_path / "hangs").exists)
        running.send(first)
        async with asyncio.timeout(20):
            told = await running.err.until_text(lambda text: "still busy" in text)
            assert "mine.py:9 decide()" in told
            running.send(second)
            assert await running.ended() == 1, running.err.text


async def until(holds: Callable[[], bool]) -> None:
    """Until something holds of which nobody is told, as that a file is written."""
    while not holds():  # noqa: ASYNC110 - no event says so
        await asyncio.sleep(0.05)


def is_written(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


async def test_a_live_run_over_a_websocket_has_the_same_values(tmp_path: Path) -> None:
    bars = {symbol: rows(write(tmp_path, symbol, minutes)) for symbol, minutes in MINUTES.items()}
    async with venue(lambda websocket: send(websocket, bars)) as url:
        feed = {"venue": "binance", "url": url, "sources": ["SPY_1m", "QQQ_1m"]}
        feeds = {"live": {**feed, "derived": {"SPY_5m": "SPY_1m"}}}
        path = config(tmp_path, feeds=feeds, containers={"c": {"components": components()}})
        async with barsync("run", path, cwd=tmp_path) as live:
            await until(lambda: has_version(tmp_path / "live.jsonl", LAST))
            live.send(signal.SIGTERM)
            assert await live.ended() == 0, live.err.text
    await run(tmp_path, "--data", tmp_path, *_OPTIONS, "--report", "report", "--events")
    lived = values(tmp_path / "live.jsonl")
    assert lived == values(tmp_path / "report" / "events.jsonl")
    for kind, least in (("SYNCHRONIZED_BARS", 119), ("FEATURES", 119), ("PORTFOLIO", 119)):
        assert sum(line["type"] == kind for line in lived) >= least
    assert any(line.get("positions") for line in lived)


LAST = 120
MINUTES: dict[str, list[int]] = {
    "SPY": [*range(1, LAST + 1)],
    "QQQ": [minute for minute in range(1, LAST + 1) if minute not in (7, 50, 51)],
}


def components() -> dict[str, Any]:
    """All of them; how fast the machine is decides nothing."""
    sources = ["SPY_1m", "QQQ_1m", "SPY_5m"]
    patient = {"expected_sources": sources, "require_all": False, "timeout_ms": 60_000}
    strategies = {"strategies": ["momentum", "pairs_trading"], "time_limit_ms": 60_000}
    return {
        "synchronizer": {"type": "BarSynchronizer", "config": patient},
        "features": {"type": "MultiSymbolFeatureCalculator"},
        "strategies": {"type": "StrategyRunner", "config": strategies},
        "portfolio": {"type": "Portfolio", "config": {"decision_timeout_ms": 120_000}},
    }


def rows(path: Path) -> dict[int, dict[str, Any]]:
    """By its close, a kline's fields of each bar."""
    found = {}
    for line in path.read_text("utf-8").splitlines()[1:]:
        stamp, *bar = line.split(",")
        found[int(stamp)] = dict(zip("ohlcv", bar, strict=True))
    return found


async def send(websocket: ServerConnection, bars: dict[str, dict[int, dict[str, Any]]]) -> None:
    """All bars in the order of time, as fast as they are read."""
    for minute in range(1, LAST + 1):
        timestamp = NOON + minute * MINUTE
        for symbol, by_close in bars.items():
            if timestamp in by_close:
                await websocket.send(kline(f"{symbol}_1m", timestamp, **by_close[timestamp]))


def has_version(path: Path, minute: int) -> bool:
    """Whether a version of the portfolio for that minute, or a later one, is written."""
    return is_written(path) and any(
        line["type"] == "PORTFOLIO" and line["timestamp"] >= NOON + minute * MINUTE
        for line in lines(path)
    )


def lines(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines(keepends=True)]


_OF_THE_MACHINE = ("wait_ms", "loop_lag_ms", "seq")
_COMPARED = ("SYNCHRONIZED_BARS", "FEATURES", "SIGNAL", "PORTFOLIO")


def values(path: Path) -> list[Line]:
    """The events, without what the machine's speed decides."""
    return [
        {key: value for key, value in line.items() if key not in _OF_THE_MACHINE}
        for line in lines(path)
        if line["type"] in _COMPARED
    ]
