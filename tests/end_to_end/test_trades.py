"""Bars made of trades over real sockets, on the real clock: trades amid their bars, late, twice and
out of order are the very bars that the venue has.
"""

import signal
from pathlib import Path

from tests.end_to_end.running import barsync, write_sync_config
from tests.end_to_end.test_venues import bought, sold, values

SCENARIO = """
seed = 5
[venue]
protocol = "polygon"
listen = "127.0.0.1:0"
duration_s = 8
[trades]
delay = { kind = "uniform", min_ms = 0, max_ms = 250 }
duplicate = 0.2
[sources.SPY_1s]
[sources.QQQ_1s]
"""
SYMBOLS = ("SPY", "QQQ")
SOURCES = [f"{symbol}_1s" for symbol in SYMBOLS]
KEY = {"BARSYNC_FEEDS__X__KEY": "test"}


def config(folder: Path, address: str) -> Path:
    feed = {
        "venue": "polygon",
        "url": f"{address}/stocks",
        "sources": [f"{symbol}_trades" for symbol in SYMBOLS],
        "derived": {f"{symbol}_1s": f"{symbol}_trades" for symbol in SYMBOLS},
        "grace_ms": 600,
    }
    synchronizer = {"expected_sources": SOURCES, "timeout_ms": 900, "require_all": False}
    return write_sync_config(folder, feed, synchronizer)


async def test_bars_made_of_trades_are_the_venues_own(tmp_path: Path) -> None:
    scenario, log = tmp_path / "scenario.toml", tmp_path / "log.jsonl"
    scenario.write_text(SCENARIO, "utf-8")
    async with barsync("simulate", scenario, "--log", log, cwd=tmp_path) as server:
        path = config(tmp_path, await server.address())
        async with barsync("run", path, cwd=tmp_path, env=KEY) as daemon:
            assert await server.ended() == 0
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
    made, own = bought(daemon.out.json()), sold(log)
    for source in SOURCES:
        ends = sorted(end for each, end in made if each == source)
        assert ends
        assert ends == list(range(ends[0], ends[-1] + 1, 1_000)), "none is missing amid the others"
        for end in ends:
            assert made[source, end] == values(own[source, end][-1])
