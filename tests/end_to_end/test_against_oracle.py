"""The daemon on real sockets and the real clock, held against what the oracle works out."""

import json
import signal
import sys
from pathlib import Path

import pytest
from tests.end_to_end.running import Line, Running, barsync, write_config
from tests.oracle import Arrived, Late, Oracle, Rules, Set, Skip

SCENARIO = Path(__file__).resolve().parents[2] / "config" / "scenarios" / "oracle.toml"
SOURCES = ["SPY_1s", "QQQ_1s", "IWM_1s"]
TIMEOUT_MS = 60
CLOSES, COMPARED = 350, 300
CONTAINERS = {"partial": False, "whole": True}
NS_PER_MS = 1_000_000
NEAR_MS = 5.0


async def test_every_set_and_skip_is_what_the_oracle_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent, daemon = await _play(tmp_path)
    closes = {(line["source"], line["timestamp"]): line["close"] for line in sent}
    arrivals = [
        Arrived(
            line["at_ns"],
            line["source"],
            line["timestamp"],
            closes[line["source"], line["timestamp"]],
        )
        for line in daemon.err.json()
        if line["event"] == "arrived"
    ]
    heard = [line for line in sent if line["client"] is not None]
    assert sorted((each.source, each.timestamp) for each in arrivals) == sorted(
        (line["source"], line["timestamp"]) for line in heard
    )
    for container, require_all in CONTAINERS.items():
        out = [line for line in daemon.out.json() if line["container"] == container]
        told = _compare(arrivals, out, require_all=require_all)
        with capsys.disabled():
            sys.stdout.write(f"\n{container}: {told}\n")


def _compare(arrivals: list[Arrived], out: list[Line], *, require_all: bool) -> str:
    rules = Rules(tuple(sorted(SOURCES)), TIMEOUT_MS * NS_PER_MS, require_all=require_all)
    answer = Oracle(rules).work_out(arrivals, arrivals[-1].at + 10**10)
    written = [each for each in answer.events if isinstance(each, Set | Skip)]
    main = [line for line in out if line["type"] in ("SYNCHRONIZED_BARS", "SYNC_SKIPPED")]
    assert [line["timestamp"] for line in main] == [each.timestamp for each in written]
    assert len(main) >= COMPARED
    near = _near_the_deadline(arrivals, main)
    pairs = list(zip(main, written, strict=True))
    differing = {line["timestamp"] for line, each in pairs if _shown(line) != _said(each)}
    assert differing <= near
    late = {(_source(line), line["timestamp"]) for line in out if line["type"] == "LATE_BAR"}
    unlike = late ^ {
        (each.source, each.timestamp) for each in answer.events if isinstance(each, Late)
    }
    assert {timestamp for _, timestamp in unlike} <= near
    proved = [
        abs(line["wait_ms"] - (each.sealed_at - each.opened_at) / NS_PER_MS)
        for line, each in pairs
        if isinstance(each, Set) and each.status == "complete" and each.timestamp not in near
    ]
    assert max(proved) <= 0.001
    return (
        f"{len(main)} sets and skips compared, {len(late)} late bars; within "
        f"{NEAR_MS:g} ms of the deadline {sorted(near)}, differing {sorted(differing)}"
    )


async def _play(folder: Path) -> tuple[list[Line], Running]:
    """The scenario from its first bar to its last; the venue's log and the daemon."""
    log = folder / "sent.jsonl"
    simulate = ("simulate", SCENARIO, "--log", log, "--listen", "127.0.0.1:0")
    async with barsync(*simulate, cwd=folder) as market:
        containers = {
            name: {"timeout_ms": TIMEOUT_MS, "require_all": require_all}
            for name, require_all in CONTAINERS.items()
        }
        url = await market.address()
        config = write_config(folder, url, SOURCES, containers, log_level="debug")
        async with barsync("run", config, cwd=folder) as daemon:
            await daemon.logged("subscribed")
            assert await market.ended() == 0
            await daemon.logged("disconnected")
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
    sent = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert len({line["timestamp"] for line in sent}) == CLOSES
    return sent, daemon


def _near_the_deadline(arrivals: list[Arrived], main: list[Line]) -> set[int]:
    """The timestamps with a bar within 5 ms of the deadline, or within the time by which the
    busy machine let the seal slip: there a bar read after the deadline is still in time.
    """
    slipped = {line["timestamp"]: line["wait_ms"] - TIMEOUT_MS for line in main}
    opened: dict[int, int] = {}
    near = set()
    for each in sorted(arrivals, key=lambda arrival: arrival.at):
        since = (each.at - opened.setdefault(each.timestamp, each.at)) / NS_PER_MS
        if abs(since - TIMEOUT_MS) <= max(NEAR_MS, slipped.get(each.timestamp, 0.0)):
            near.add(each.timestamp)
    return near


def _said(written: Set | Skip) -> tuple[str, dict[str, float]]:
    if isinstance(written, Skip):
        return written.reason, {}
    return written.status, {source: cell[0] for source, cell in written.cells.items()}


def _shown(line: Line) -> tuple[str, dict[str, float]]:
    if line["type"] == "SYNC_SKIPPED":
        return line["reason"], {}
    return line["status"], {source: bar["close"] for source, bar in line["bars"].items()}


def _source(line: Line) -> str:
    return "{symbol}_{timeframe}".format(**line["bar"])
