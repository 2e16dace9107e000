"""Two feeds for one source, over real sockets: the first bar wins, and one line is enough."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from tests.end_to_end.running import barsync
from tests.end_to_end.venue import MINUTE, START, kline, venue
from websockets.asyncio.server import ServerConnection

CONFIG = """
[service]
log_format = "json"
[feeds.a]
venue = "binance"
url = "{a}"
sources = ["SPY_1m"]
[feeds.b]
venue = "binance"
url = "{b}"
sources = ["SPY_1m"]
[containers.c.components.synchronizer]
type = "BarSynchronizer"
config = {{ expected_sources = ["SPY_1m"], timeout_ms = 5_000 }}
[outputs.events]
type = "jsonl"
path = "-"
"""


class Line:
    """A venue that sends what the test tells it to, when it does."""

    def __init__(self) -> None:
        self.connected: asyncio.Future[ServerConnection] = asyncio.Future()

    async def play(self, websocket: ServerConnection) -> None:
        if not self.connected.done():
            self.connected.set_result(websocket)

    async def bar(self, minute: int, close: str) -> None:
        websocket = await self.connected
        await websocket.send(kline("SPY_1m", START + minute * MINUTE, close))

    async def hang_up(self) -> None:
        await (await self.connected).close()


async def test_the_first_bar_wins_and_a_differing_twin_is_told_and_one_line_is_enough(
    tmp_path: Path,
) -> None:
    a, b = Line(), Line()
    async with venue(a.play) as url_a, venue(b.play) as url_b:
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.format(a=url_a, b=url_b), encoding="utf-8")
        async with barsync("run", config, cwd=tmp_path) as daemon:
            await a.bar(0, "100")
            await daemon.out.until(lambda line: line["type"] == "SYNCHRONIZED_BARS")
            await b.bar(0, "100")
            await b.bar(0, "101")
            await daemon.out.until(lambda line: line["type"] == "BAR_REJECTED")
            await a.hang_up()
            await daemon.logged("disconnected")
            await b.bar(1, "102")
            await daemon.out.until(lambda line: line["timestamp"] == START + MINUTE)
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
    sets = daemon.events("SYNCHRONIZED_BARS")
    assert [line["bars"]["SPY_1m"]["close"] for line in sets] == [100.0, 102.0]
    (conflict,) = daemon.events("BAR_REJECTED")
    assert (conflict["reason"], conflict["feed"]) == ("conflict", "b")
    assert daemon.events("SOURCE_STATUS") == []
    totals = await daemon.logged("totals")
    counted = {key: totals[key] for key in ("received", "accepted", "duplicate", "rejected")}
    assert counted == {"received": 4, "accepted": 2, "duplicate": 1, "rejected": 1}


async def test_a_source_is_down_while_no_line_is_connected_and_live_again_with_one(
    tmp_path: Path,
) -> None:
    a, b = Line(), Line()
    async with AsyncExitStack() as venues:
        url_a = await venues.enter_async_context(venue(a.play))
        url_b = await venues.enter_async_context(venue(b.play))
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.format(a=url_a, b=url_b), encoding="utf-8")
        async with barsync("run", config, cwd=tmp_path) as daemon:
            await a.connected
            await b.connected
            await venues.aclose()
            await daemon.out.until(lambda line: line.get("status") == "down")
            async with venue(a.play, port=int(url_a.rpartition(":")[2])):
                await daemon.out.until(lambda line: line.get("status") == "live")
                daemon.send(signal.SIGTERM)
                assert await daemon.ended() == 0
