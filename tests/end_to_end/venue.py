"""A Binance-format server of the tests' own, which sends what a test tells it to."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

Script = Callable[[ServerConnection], Awaitable[None]]

MINUTE = 60_000
START = 1_700_000_040_000  # on a full minute


def kline(
    source: str, timestamp: int, close: float | str = "100", *, final: bool = True, **k: Any
) -> str:
    """A combined-stream kline of ``source`` that closes at ``timestamp``; ``k`` overrides."""
    symbol, _, interval = source.rpartition("_")
    length = {"1s": 1_000, "1m": MINUTE, "5m": 5 * MINUTE}[interval]
    candle = {
        "t": timestamp - length,
        "T": timestamp - 1,
        "s": symbol,
        "i": interval,
        "o": str(close),
        "h": str(close),
        "l": str(close),
        "c": str(close),
        "v": "1",
        "x": final,
    }
    stream = f"{symbol.lower()}@kline_{interval}"
    return json.dumps(
        {"stream": stream, "data": {"e": "kline", "E": timestamp, "s": symbol, "k": candle | k}}
    )


@asynccontextmanager
async def venue(script: Script, *, port: int = 0) -> AsyncIterator[str]:
    """Answers the first SUBSCRIBE, runs ``script``, then keeps the connection open."""

    async def handle(websocket: ServerConnection) -> None:
        request = json.loads(await websocket.recv())
        await websocket.send(json.dumps({"result": None, "id": request["id"]}))
        await script(websocket)
        await websocket.wait_closed()

    async with serve(handle, "127.0.0.1", port, compression=None) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def forever() -> None:
    """Until cancelled."""
    await asyncio.Event().wait()
