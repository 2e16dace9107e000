"""Standard output piped to somebody who stops reading: real pipes, real sockets, the real clock."""

import asyncio
import fcntl
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.end_to_end.running import Line, barsync
from tests.end_to_end.venue import MINUTE, START, kline, venue
from websockets.asyncio.server import ServerConnection

SOURCES = ("SPY_1m", "QQQ_1m")
FILLING, PARTIALS, MANY = 250, 20, 8_000
TIMEOUT_MS = 50

CONFIG = """
[service]
log_format = "json"
[feeds.sim]
venue = "binance"
url = "{url}"
sources = ["SPY_1m", "QQQ_1m"]
[containers.c.components.synchronizer]
type = "BarSynchronizer"
config = {{ expected_sources = ["SPY_1m", "QQQ_1m"], timeout_ms = 50, require_all = false }}
[outputs.piped]
type = "jsonl"
path = "-"
queue = 4
overflow = "{overflow}"
[outputs.file]
type = "jsonl"
path = "events.jsonl"
"""


@pytest.fixture
def unread() -> Iterator[int]:
    """The writing end of a small pipe that nobody empties."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4_096)
    yield writing
    os.close(reading)
    os.close(writing)


class Unruly:
    """Enough to fill the pipe; minutes that one source misses, at their own pace; then more than
    anybody could read.
    """

    def __init__(self) -> None:
        self.all_missed = asyncio.Event()

    async def send(self, websocket: ServerConnection) -> None:
        for number in range(FILLING + PARTIALS + MANY):
            if FILLING <= number < FILLING + PARTIALS:
                await websocket.send(kline("SPY_1m", START + number * MINUTE))
                await asyncio.sleep(1.6 * TIMEOUT_MS / 1_000)
            else:
                for source in SOURCES:
                    await websocket.send(kline(source, START + number * MINUTE))
            if number == 2 * FILLING:
                self.all_missed.set()


def write(folder: Path, url: str, overflow: str) -> Path:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(url=url, overflow=overflow), encoding="utf-8")
    return path


def lines(folder: Path) -> list[Line]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_bytes().splitlines()]


def check_sealed_in_time(events: list[Line]) -> None:
    partial = [each for each in events if each.get("status") == "partial"][:PARTIALS]
    first = START + FILLING * MINUTE
    assert [each["timestamp"] for each in partial] == [
        first + number * MINUTE for number in range(PARTIALS)
    ]
    assert all(TIMEOUT_MS <= each["wait_ms"] < TIMEOUT_MS + 1_000 for each in partial)
    lags = sorted(each["loop_lag_ms"] for each in partial)
    assert lags[PARTIALS // 2] < 25  # a machine may be held up, but not half of the time
    assert [each["seq"] for each in events] == [*range(1, len(events) + 1)]


async def test_with_block_sets_are_sealed_in_time_reading_stops_and_a_stop_gives_it_up(
    tmp_path: Path, unread: int
) -> None:
    unruly = Unruly()
    async with venue(unruly.send) as url:
        config = write(tmp_path, url, "block")
        async with barsync("run", config, cwd=tmp_path, stdout=unread) as process:
            stopped = await process.logged("reading no more: sets wait to be published")
            assert list(stopped["waits_for_ms"]) == ["output piped"]
            process.send(signal.SIGTERM)
            assert await process.ended() == 1
    (given_up,) = [line for line in process.err.json() if line["event"] == "given up"]
    assert given_up["output"] == "piped"
    assert process.err.text[-1].startswith("barsync: output piped: took nothing for 5 s and was")
    events = lines(tmp_path)
    check_sealed_in_time(events)
    assert len(events) < MANY // 2  # what lay in the socket was not read


async def test_with_drop_oldest_nobody_waits_for_it(tmp_path: Path, unread: int) -> None:
    unruly = Unruly()
    async with venue(unruly.send) as url:
        config = write(tmp_path, url, "drop_oldest")
        async with barsync("run", config, cwd=tmp_path, stdout=unread) as process:
            await unruly.all_missed.wait()
            process.send(signal.SIGTERM)
            assert await process.ended() == 1
    told = [line for line in process.err.json() if line["event"] == "queue"]
    dropped = {line["name"]: line["dropped"] for line in told}
    assert dropped.pop("output piped") > 0
    assert not any(dropped.values())
    assert [line["held_up_ms"] for line in told if line["name"] == "output piped"] == [0]
    check_sealed_in_time(lines(tmp_path))
