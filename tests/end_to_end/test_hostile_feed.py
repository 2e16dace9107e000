"""A venue that sends everything but what it should: the daemon lives, and nothing goes untold."""

import json
import signal
from pathlib import Path

from tests.end_to_end.running import Running, barsync, write_config
from tests.end_to_end.venue import MINUTE, START, Script, kline, venue
from websockets.asyncio.server import ServerConnection

SOURCES = ["SPY_1m", "QQQ_1m"]
DIGITS = "9" * 4_000

HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "garbage": ("\x00\x01 not json", "malformed"),
    "truncated": (kline("SPY_1m", START)[:-30], "malformed"),
    "binary": (b"\xff\xfe\x00\x80", "malformed"),
    "empty": ("", "malformed"),
    "a number": ("42", "malformed"),
    "an array": ("[[[]]]", "malformed"),
    "null": ("null", "malformed"),
    "deep nesting": ("[" * 20_000, "malformed"),
    "deep objects": ('{"data":' * 5_000, "malformed"),
    "k of the wrong type": ('{"e":"kline","k":[1]}', "malformed"),
    "a kline without k": ('{"e":"kline","s":"SPY"}', "malformed"),
    "x of the wrong type": (kline("SPY_1m", START, x="true"), "malformed"),
    "no price": (kline("SPY_1m", START, c=None), "malformed"),
    "a price in words": (kline("SPY_1m", START, c="cheap"), "malformed"),
    "a time in words": (kline("SPY_1m", START, T="soon"), "malformed"),
    "a negative time": (kline("SPY_1m", START, t=-1), "malformed"),
    "a time beyond the year 9999": (kline("SPY_1m", START, T=10**18), "malformed"),
    "NaN as text": (kline("SPY_1m", START, c="NaN"), "invalid"),
    "Infinity as text": (kline("SPY_1m", START, h="Infinity"), "invalid"),
    "a bare NaN": (kline("SPY_1m", START).replace('"c": "100"', '"c": NaN'), "malformed"),
    "4,000 digits as a price": (kline("SPY_1m", START, c=DIGITS), "malformed"),
    "4,000 digits as a time": (
        kline("SPY_1m", START).replace(f'"T": {START - 1}', f'"T": {DIGITS}'),
        "malformed",
    ),
    "high below low": (kline("SPY_1m", START, h="90", l="95"), "invalid"),
    "close above high": (kline("SPY_1m", START, c="101"), "invalid"),
    "a negative volume": (kline("SPY_1m", START, v="-1"), "invalid"),
    "an interval too long": (kline("SPY_1m", START, t=START - 2 * MINUTE), "invalid"),
    "an unknown symbol": (kline("IWM_1m", START), "unknown_source"),
    "an unknown interval": (kline("SPY_5m", START), "unknown_source"),
    "off the grid": (kline("SPY_1m", START + 1_000), "off_grid"),
    "far in the future": (kline("SPY_1m", START + 10**12 // MINUTE * MINUTE), "future"),
    "a frame of 1 MB": (kline("SPY_1m", START, pad="x" * 1_000_000), "oversized"),
    "lone surrogates": ('{"e":"\\ud800"', "malformed"),
}


async def send_minute(websocket: ServerConnection, timestamp: int) -> None:
    for source in SOURCES:
        await websocket.send(kline(source, timestamp))


async def test_every_kind_of_bad_frame_is_rejected_counted_and_published_and_good_bars_go_on(
    tmp_path: Path,
) -> None:
    async def play(websocket: ServerConnection) -> None:
        for number, (frame, _) in enumerate(HOSTILE.values()):
            await websocket.send(frame)
            await send_minute(websocket, START + number * MINUTE)

    daemon = await run_until_set(tmp_path, play, START + (len(HOSTILE) - 1) * MINUTE)
    rejected = daemon.events("BAR_REJECTED")
    given = [line["reason"] for line in rejected]
    assert dict(zip(HOSTILE, given, strict=True)) == {
        name: reason for name, (_, reason) in HOSTILE.items()
    }
    assert all(len(line["detail"]) <= 512 and line["detail"].isascii() for line in rejected)
    assert {line["feed"] for line in rejected} == {"sim"}
    sets = daemon.events("SYNCHRONIZED_BARS")
    assert [line["status"] for line in sets] == ["complete"] * len(HOSTILE)
    totals = await daemon.logged("totals")
    assert totals["rejected"] == len(HOSTILE)
    assert totals["received"] == len(HOSTILE) * 3
    assert totals["accepted"] == len(HOSTILE) * 2


async def test_an_endless_stream_of_errors_fills_no_log(tmp_path: Path) -> None:
    count = 5_000

    async def play(websocket: ServerConnection) -> None:
        for _ in range(count):
            await websocket.send("garbage")
        await send_minute(websocket, START)

    daemon = await run_until_set(tmp_path, play, START)
    assert len(daemon.events("BAR_REJECTED")) == count
    logged = [line for line in daemon.err.json() if line["event"] == "rejected"]
    assert 1 <= len(logged) <= 50
    assert (await daemon.logged("totals"))["rejected"] == count


async def test_a_frame_too_large_to_read_costs_a_connection_and_is_published(
    tmp_path: Path,
) -> None:
    visits = 0

    async def play(websocket: ServerConnection) -> None:
        nonlocal visits
        visits += 1
        if visits == 1:
            await websocket.send("x" * 5_000_000)
        else:
            await send_minute(websocket, START)

    daemon = await run_until_set(tmp_path, play, START)
    assert [line["reason"] for line in daemon.events("BAR_REJECTED")] == ["oversized"]
    assert visits == 2


async def test_what_the_venue_refuses_is_logged_and_the_rest_goes_on(tmp_path: Path) -> None:
    async def play(websocket: ServerConnection) -> None:
        error = {"error": {"code": 2, "msg": "Invalid request: `x`"}, "id": 9}
        await websocket.send(json.dumps(error))
        await send_minute(websocket, START)

    daemon = await run_until_set(tmp_path, play, START)
    refused = await daemon.logged("refused by the venue")
    assert refused["detail"] == "error 2: Invalid request: `x`"


async def run_until_set(folder: Path, play: Script, timestamp: int) -> Running:
    """A daemon against a venue that plays ``play``, stopped once it published ``timestamp``."""
    async with venue(play) as url:
        config = write_config(folder, url, SOURCES, {"c": {"timeout_ms": 5_000}})
        async with barsync("run", config, cwd=folder) as daemon:
            last = ("SYNCHRONIZED_BARS", timestamp)
            await daemon.out.until(lambda line: (line["type"], line["timestamp"]) == last)
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
    return daemon
