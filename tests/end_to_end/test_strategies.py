"""Strategies that raise, sleep, spin and die in the real daemon, and what its end leaves behind."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.end_to_end.running import Running, barsync

SCENARIO = """
seed = 1
[venue]
listen = "127.0.0.1:0"
start = "2026-01-02T14:30:00Z"
pace_ms = 100
[sources.SPY_1m]
[sources.QQQ_1m]
"""
CONFIG = """
[service]
log_format = "json"
[feeds.sim]
venue = "binance"
url = "ws://127.0.0.1:9001"
sources = ["SPY_1m", "QQQ_1m"]
[containers.c.components.synchronizer]
type = "BarSynchronizer"
config = { expected_sources = ["SPY_1m", "QQQ_1m"], timeout_ms = 10_000 }
[containers.c.components.features]
type = "MultiSymbolFeatureCalculator"
[containers.c.components.strategies]
type = "StrategyRunner"
[containers.c.components.strategies.config]
time_limit_ms = 60_000
max_faults = 2
strategies = STRATEGIES
[containers.c.components.portfolio]
type = "Portfolio"
config = { decision_timeout_ms = 120_000 }
[outputs.events]
type = "jsonl"
path = "-"
events = ["STRATEGY_FAULT", "PORTFOLIO"]
"""
ALL = """[
  "mine:Raises",
  { name = "mine:Sleeps", time_limit_ms = 50 },
  { name = "mine:Spins", executor = "process", time_limit_ms = 50 },
  { name = "mine:Exits", executor = "process" },
  "momentum",
]"""
SPINNING = '[{ name = "mine:Spins", executor = "process", time_limit_ms = 500 }]'
MINE = """
import os
import time

class Raises:
    name = "raises"
    def decide(self, features, portfolio):
        return 1 / 0

class Sleeps:
    name = "sleeps"
    def decide(self, features, portfolio):
        time.sleep(60)

class Spins:
    name = "spins"
    def decide(self, features, portfolio):
        print("about to spin")
        while True:
            pass

class Exits:
    name = "exits"
    def decide(self, features, portfolio):
        os._exit(7)
"""
FAULTS = {
    "raises": ("raised", "ZeroDivisionError: division by zero (mine.py:8)"),
    "sleeps": ("late", "no decision within 50 ms"),
    "spins": ("late", "no decision within 50 ms"),
    "exits": ("died", "the process ended with 7"),
}

NOT_YET = ("late", "what takes its place has not begun yet")


def arguments(folder: Path, strategies: str) -> list[str | Path]:
    (folder / "mine.py").write_text(MINE, encoding="utf-8")
    (folder / "scenario.toml").write_text(SCENARIO, encoding="utf-8")
    config = CONFIG.replace("STRATEGIES", strategies)
    (folder / "config.toml").write_text(config, encoding="utf-8")
    return ["demo", "--config", "config.toml", "--scenario", "scenario.toml"]


def children(process: Running) -> list[int]:
    number = process.process.pid
    tasks = Path(f"/proc/{number}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - no event tells of another process's end
        await asyncio.sleep(0.01)


def is_there(number: int) -> bool:
    return Path(f"/proc/{number}").exists()


pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")


@pytest.fixture(autouse=True)
def _buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a strategy prints is seen without this, too."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


async def test_each_is_told_rests_and_is_left_off_and_the_others_and_the_portfolio_go_on(
    tmp_path: Path,
) -> None:
    env = {"PYTHONPATH": str(tmp_path)}
    async with barsync(*arguments(tmp_path, ALL), cwd=tmp_path, env=env) as daemon:

        def is_alone(line: dict[str, Any]) -> bool:
            return line["type"] == "PORTFOLIO" and bool(line["version"] > 8)

        last = await daemon.out.until(is_alone)
        await until(lambda: not children(daemon))  # of one that is left off there is none
        daemon.send(signal.SIGTERM)
        assert await daemon.ended() == 0
    assert last["applied"] == ["momentum"]
    told = daemon.events("STRATEGY_FAULT")
    for name, fault in FAULTS.items():
        own = [line for line in told if line["strategy"] == name]
        assert (own[0]["kind"], own[0]["detail"]) == fault
        assert (own[1]["kind"], own[1]["detail"]) in {fault, NOT_YET}  # sets come quickly here
        assert [(line["action"], line["rest_sets"]) for line in own] == [
            ("restarted", 0),
            ("left off", None),
        ]
        logged = [line for line in daemon.err.json() if line.get("strategy") == name]
        assert [line["event"] for line in logged if line["level"] == "warning"] == [
            "strategy fault",
            "strategy fault",
            "strategy",
        ]
        total = logged[-1]
        assert (total["asked"], total["decisions"], total["left_off"]) == (2, 0, True)
        assert sum(total["faults"].values()) == 2
    assert "about to spin" in [line.get("text") for line in daemon.err.json()]
    versions = daemon.events("PORTFOLIO")
    assert [line["version"] for line in versions] == [*range(1, len(versions) + 1)]
    assert {tuple(line["applied"]) for line in versions} == {("momentum",)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_the_end_of_the_daemon_leaves_no_process_behind_though_one_spins(
    tmp_path: Path, number: signal.Signals
) -> None:
    env = {"PYTHONPATH": str(tmp_path)}
    async with barsync(*arguments(tmp_path, SPINNING), cwd=tmp_path, env=env) as daemon:
        await daemon.err.until(lambda line: line.get("text") == "about to spin")
        left = children(daemon)
        assert len(left) == 1
        os.kill(daemon.process.pid, number)
        assert await daemon.ended() == (0 if number is signal.SIGTERM else -signal.SIGKILL)
        await until(lambda: not any(map(is_there, left)))


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_a_second_signal_ends_a_daemon_whose_loop_a_strategy_never_gives_back(
    tmp_path: Path, loop: str
) -> None:
    strategies = '[{ name = "mine:Spins", executor = "inline" }]'
    env = {"PYTHONPATH": str(tmp_path)}
    command = [*arguments(tmp_path, strategies), "--loop", loop]
    async with barsync(*command, cwd=tmp_path, env=env) as daemon:
        await daemon.err.until_text(lambda text: text == "about to spin\n")
        daemon.send(signal.SIGINT)
        busy = await daemon.err.until(lambda line: line["event"] == "still busy")
        assert busy["at"] in {"mine.py:19 decide()", "mine.py:20 decide()"}
        daemon.send(signal.SIGTERM)
        assert await daemon.ended() == 1
