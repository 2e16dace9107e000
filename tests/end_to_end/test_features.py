"""The installed command on a real websocket and on files of the same bars: the same features."""

import asyncio
import csv
import json
import random
import signal
from pathlib import Path
from typing import Any

from tests.end_to_end.running import Line, barsync, counted, toml
from tests.end_to_end.venue import MINUTE, START, kline, venue
from websockets.asyncio.server import ServerConnection

from barsync_async.features import INDICATORS

SOURCES = ["AAPL_1m", "SPY_1m"]
MINUTES = 60
FEATURES = {"type": "MultiSymbolFeatureCalculator", "config": {"indicators": [*INDICATORS]}}


def closes() -> list[tuple[int, dict[str, float]]]:
    """By timestamp; AAPL lacks two of the minutes."""
    chance = random.Random(4)
    rows = [
        (START + number * MINUTE, {each: round(chance.uniform(99, 101), 2) for each in SOURCES})
        for number in range(MINUTES)
    ]
    for number in (20, 33):
        del rows[number][1]["AAPL_1m"]
    return rows


def document(feed: dict[str, Any]) -> dict[str, Any]:
    config = {"expected_sources": SOURCES, "require_all": False, "timeout_ms": 400}
    synchronizer = {"type": "BarSynchronizer", "config": config}
    return {
        "service": {"log_format": "json"},
        "feeds": {"f": {"sources": SOURCES, **feed}},
        "containers": {"c": {"components": {"s": synchronizer, "features": FEATURES}}},
        "outputs": {"out": {"type": "jsonl", "path": "-", "events": ["FEATURES"]}},
    }


async def send_all(websocket: ServerConnection) -> None:
    for timestamp, row in closes():
        for source, close in row.items():
            await websocket.send(kline(source, timestamp, close))
        await asyncio.sleep(0.001)


async def live(folder: Path) -> list[Line]:
    async with venue(send_all) as url:
        config = folder / "live.toml"
        feed = {"venue": "binance", "url": url, "backfill": 0}
        config.write_text(toml(document(feed)), encoding="utf-8")
        async with barsync("run", config, cwd=folder) as daemon:
            await daemon.out.until(counted(lambda line: line["type"] == "FEATURES", MINUTES - 1))
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
            return daemon.events("FEATURES")


async def from_files(folder: Path) -> list[Line]:
    files = {}
    for source in SOURCES:
        path = folder / f"{source}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["time", "open", "high", "low", "close", "volume"])
            for timestamp, row in closes():
                if source in row:
                    rows.writerow([timestamp, *[row[source]] * 4, 1])
        files[source] = {"path": path.name, "label": "close", "time_unit": "ms"}
    config = folder / "files.toml"
    config.write_text(toml(document({"venue": "file", "files": files})), encoding="utf-8")
    async with barsync("run", config, cwd=folder) as daemon:
        assert await daemon.ended() == 0
        return daemon.events("FEATURES")


async def test_the_features_of_a_live_feed_are_those_of_files(tmp_path: Path) -> None:
    one, other = await live(tmp_path), await from_files(tmp_path)
    assert len(other) == MINUTES
    told = {line["timestamp"]: json.dumps(line["features"]) for line in other}
    assert [line["timestamp"] for line in one] == [*told][: len(one)]
    assert len(one) >= MINUTES - 1
    assert [json.dumps(line["features"]) for line in one] == [*told.values()][: len(one)]
    assert other[-1]["features"]["SPY_1m"]["macd_hist"] is not None
