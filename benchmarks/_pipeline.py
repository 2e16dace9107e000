"""The two ways to take a venue's klines: the websockets library alone, and the daemon."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.network.websocket import MAX_FRAME_BYTES
from barsync_async.units import SourceId
from barsync_async.venues.binance import BinanceCodec, BinanceSession
from barsync_async.venues.options import VenueOptions


@asynccontextmanager
async def subscribed(
    url: str, sources: Sequence[str]
) -> AsyncIterator[tuple[ClientConnection, BinanceSession]]:
    """The library's connection, opened the way the daemon does, with every SUBSCRIBE said."""
    session = BinanceCodec().session(
        [SourceId(source) for source in sources], VenueOptions(url=url)
    )
    async with connect(
        session.url,
        max_size=MAX_FRAME_BYTES,
        max_queue=(4_096, 1_024),
        compression=None,
        proxy=None,
    ) as websocket:
        for frame in session.opening_frames():
            await websocket.send(frame)
        yield websocket, session


def config_of(
    url: str, sources: Sequence[str], path: Path, *, timeout_ms: float, features: bool = True
) -> dict[str, Any]:
    """The daemon's config, as its file would hold it; its events go to ``path``."""
    components: dict[str, Any] = {
        "synchronizer": {
            "type": "BarSynchronizer",
            "config": {"expected_sources": list(sources), "timeout_ms": timeout_ms},
        }
    }
    if features:
        components["features"] = {
            "type": "MultiSymbolFeatureCalculator",
            "config": {"indicators": ["sma", "rsi"]},
        }
    return {
        "feeds": {"bench": {"venue": "binance", "url": url, "sources": list(sources)}},
        "containers": {"bench": {"components": components}},
        "outputs": {"events": {"type": "jsonl", "path": str(path)}},
    }


def synchronizer_of(daemon: Daemon) -> BarSynchronizer:
    """Its one synchronizer."""
    (synchronizer,) = daemon.containers[0].find(BarSynchronizer)
    return synchronizer
