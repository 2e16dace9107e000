"""``barsync run`` on files: the whole daemon on virtual time."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.end_to_end.running import toml

from barsync_async.app.cli import main

MINUTE = 60_000
NOON = 1_767_355_200_000  # 2026-01-02 12:00 UTC


def write(path: Path, minutes: range, *, drop: tuple[int, ...] = (), garbage: str = "") -> None:
    """Bars labelled with their open, newest first, as some vendors have them."""
    rows = [
        f"{NOON // 1_000 + (minute - 1) * 60},{minute}.5,{minute + 1}.25,{minute}.25,"
        f"{minute + 1},{minute}"
        for minute in reversed(minutes)
        if minute not in drop
    ]
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows, garbage]), "utf-8")


Tables = dict[str, dict[str, Any]]


def config(
    folder: Path, *, components: Tables | None = None, outputs: Tables | None = None, **feed: Any
) -> Path:
    files = {
        f"{symbol}_1m": {"path": f"{symbol}.csv", "label": "open", "time_unit": "s"}
        for symbol in ("SPY", "QQQ")
    }
    given = {"venue": "file", "sources": list(files), "files": files, **feed}
    expected = [*files, *feed.get("derived", {})]
    synchronizer = {"expected_sources": expected, "require_all": False, "timeout_ms": 100}
    document = {
        "feeds": {"past": given},
        "containers": {
            "c": {
                "components": {
                    "s": {"type": "BarSynchronizer", "config": synchronizer},
                    **(components or {}),
                }
            }
        },
        "outputs": {
            "events": {"type": "jsonl", "path": str(folder / "events.jsonl")},
            **(outputs or {}),
        },
    }
    path = folder / "config.toml"
    path.write_text(toml(document), "utf-8")
    return path


def run(path: Path, *options: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(main, ["run", str(path), *options])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in (path.parent / "events.jsonl").read_text().splitlines()]


def sets(lines: list[dict[str, Any]]) -> dict[int, str]:
    return {
        (line["timestamp"] - NOON) // MINUTE: line["status"]
        for line in lines
        if line["type"] == "SYNCHRONIZED_BARS"
    }


def test_every_timestamp_of_the_files_has_its_set(tmp_path: Path) -> None:
    write(tmp_path / "SPY.csv", range(1, 41))
    write(tmp_path / "QQQ.csv", range(1, 41), drop=(7, 8))
    lines = run(config(tmp_path))
    assert sets(lines) == {
        minute: "partial" if minute in (7, 8) else "complete" for minute in range(1, 41)
    }


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "SPY.csv", range(1, 200), drop=(5, 90))
    write(tmp_path / "QQQ.csv", range(1, 200), drop=(91,))
    path = config(tmp_path, derived={"SPY_5m": "SPY_1m"})
    run(path)
    first = (tmp_path / "events.jsonl").read_bytes()
    (tmp_path / "events.jsonl").unlink()
    run(path)
    assert (tmp_path / "events.jsonl").read_bytes() == first


def test_longer_bars_are_made_of_what_the_files_have(tmp_path: Path) -> None:
    write(tmp_path / "SPY.csv", range(1, 21), drop=(12,))
    write(tmp_path / "QQQ.csv", range(1, 21))
    lines = run(config(tmp_path, derived={"SPY_5m": "SPY_1m"}))
    made = {
        (bar["timestamp"] - NOON) // MINUTE: bar["volume"]
        for line in lines
        for source, bar in line.get("bars", {}).items()
        if source == "SPY_5m"
    }
    assert made == {5: 15.0, 10: 40.0, 15: 53.0, 20: 90.0}  # without minute 12's


def test_a_duration_is_the_markets_time(tmp_path: Path) -> None:
    write(tmp_path / "SPY.csv", range(1, 500))
    write(tmp_path / "QQQ.csv", range(1, 500))
    assert max(sets(run(config(tmp_path), "--duration", "600"))) in (10, 11)


def test_rows_that_are_no_bars_are_told_and_the_others_are_read(tmp_path: Path) -> None:
    write(tmp_path / "SPY.csv", range(1, 11), garbage="today,1,2,3")
    write(tmp_path / "QQQ.csv", range(1, 11))
    lines = run(config(tmp_path))
    assert len(sets(lines)) == 10
    (rejected,) = [line for line in lines if line["type"] == "BAR_REJECTED"]
    assert rejected["feed"] == "past"
    assert "today" in rejected["detail"]


@pytest.mark.parametrize("content", [None, "", "time,open\n1,2\n", "\x00\xff"])
def test_a_file_that_cannot_be_used_is_one_clear_line(tmp_path: Path, content: str | None) -> None:
    write(tmp_path / "SPY.csv", range(1, 11))
    if content is not None:
        (tmp_path / "QQQ.csv").write_text(content, "latin-1")
    result = CliRunner().invoke(main, ["run", str(config(tmp_path))])
    assert result.exit_code == 1
    assert "QQQ.csv" in result.output.splitlines()[-1]


def test_a_calendar_holds_to_the_end_of_histories_of_years(tmp_path: Path) -> None:
    days = range(1, 1_200)
    rows = [f"{NOON // 1_000 + day * 86_400},1,2,0.5,1.5,7" for day in days if day % 7 != 3]
    text = "\n".join(["time,open,high,low,close,volume", *rows])
    for symbol in ("SPY", "QQQ"):
        (tmp_path / f"{symbol}.csv").write_text(text, "utf-8")
    hours = {"timezone": "UTC", "open": "11:00", "close": "13:00", "days": ALL_DAYS}
    path = config(tmp_path)
    table = f"calendars = {{ SPY = {inline(hours)}, QQQ = {inline(hours)} }}"
    path.write_text(path.read_text("utf-8").replace('"timeout_ms"', f'{table}, "timeout_ms"'))
    lines = run(path)
    fresh = [line for line in lines if line.get("status") == "complete"]
    assert len(fresh) == len(rows)
    last = max(fresh, key=lambda line: line["timestamp"])
    assert {bar["provenance"] for bar in last["bars"].values()} == {"fresh"}


ALL_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def inline(table: dict[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items()) + " }"


# Who is slow on virtual time


SLOW = """
import time
from barsync_async.messages import Decision

class Slow:
    name = "slow"

    def decide(self, features, portfolio):
        time.sleep(0.002)
        return Decision({"SPY": features.timestamp % 7}, "late by any clock")
"""


def trading(folder: Path, *, executor: str, overflow: str) -> Path:
    """With a strategy and an output that would both be behind if time went on meanwhile."""
    strategies = {"strategies": ["barsync_slow_strategy:Slow"], "executor": executor}
    components: Tables = {
        "f": {"type": "MultiSymbolFeatureCalculator"},
        "t": {"type": "StrategyRunner", "config": {**strategies, "time_limit_ms": 0.5}},
        "p": {"type": "Portfolio", "config": {"decision_timeout_ms": 1.0}},
    }
    behind = {
        "type": "jsonl",
        "path": str(folder / "behind.jsonl"),
        "queue": 1,
        "overflow": overflow,
    }
    return config(folder, components=components, outputs={"behind": behind})


@pytest.mark.parametrize("executor", ["inline", "thread"])
@pytest.mark.parametrize("overflow", ["block", "latest"])
def test_on_virtual_time_nobody_is_late_and_a_short_queue_loses_the_same_in_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str, overflow: str
) -> None:
    (tmp_path / "barsync_slow_strategy.py").write_text(SLOW, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for symbol in ("SPY", "QQQ"):
        write(tmp_path / f"{symbol}.csv", range(1, 41))
    path = trading(tmp_path, executor=executor, overflow=overflow)
    lines = run(path)
    first = (tmp_path / "behind.jsonl").read_bytes()
    kinds = [line["type"] for line in lines]
    assert kinds.count("PORTFOLIO") == kinds.count("SIGNAL") == 40
    assert "STRATEGY_FAULT" not in kinds
    assert {line["wait_ms"] for line in lines if "wait_ms" in line} == {0.0}
    gaps = [json.loads(line) for line in first.splitlines() if b'"GAP"' in line]
    assert bool(gaps) == (overflow == "latest" and executor == "inline")  # all of a set at once
    (tmp_path / "behind.jsonl").unlink()
    run(path)
    assert (tmp_path / "behind.jsonl").read_bytes() == first
