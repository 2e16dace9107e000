"""Recordings made by hand: what a test writes is what stands in the file."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from barsync_async.config import Config, create_feature_aggregator_pattern, parse_config
from barsync_async.shell.feeds.connections import ConnectionPlan, plan_connections

SECOND = 1_000_000_000
BEGAN = 5_000 * SECOND
WALL = 1_767_364_200 * SECOND
URL = "ws://venue.test/stream"
Line = dict[str, Any]


def at(seconds: float, *, wall_s: float | None = None) -> Line:
    """The moment so long after the beginning; ``wall_s`` where the wall clock shows another."""
    shown = seconds if wall_s is None else wall_s
    return {"mono_ns": BEGAN + round(seconds * SECOND), "wall_ns": WALL + round(shown * SECOND)}


def began(*names: str, url: str = URL, version: int = 1, sources: Sequence[str] = ()) -> Line:
    connections = [
        {"name": name, "feed": name, "venue": "binance", "url": url, "sources": list(sources)}
        for name in names or ("sim",)
    ]
    kind = {"type": "barsync-recording", "version": version, "connections": connections}
    return kind | at(0)


def opened(seconds: float, number: int = 1, name: str = "sim") -> Line:
    return {"type": "opened", "connection": name, "number": number} | at(seconds)


def frame(seconds: float, text: str = "{}", number: int = 1, **moment: float) -> Line:
    return {"type": "frame", "number": number, "text": text} | at(seconds, **moment)


def ended(seconds: float, number: int = 1, by: str = "venue", **more: Any) -> Line:
    return {"type": "ended", "number": number, "by": by} | at(seconds) | more


def stopped(seconds: float) -> Line:
    return {"type": "stopped"} | at(seconds)


def as_bytes(lines: Sequence[Line | str]) -> bytes:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return "".join(text + "\n" for text in texts).encode()


def write(path: Path, *lines: Line | str, cut: int = 0) -> Path:
    """A file of ``lines``, its last ``cut`` bytes missing."""
    data = as_bytes(lines)
    data = gzip.compress(data) if path.suffix == ".gz" else data
    path.write_bytes(data[: len(data) - cut])
    return path


def read(path: Path) -> list[Line]:
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in text.splitlines()]


def config(sources: Sequence[str] = ("SPY_1s",), **feed: Any) -> Config:
    """One feed ``sim`` and all components."""
    made = create_feature_aggregator_pattern(sources)
    table = {"venue": "binance", "url": "ws://venue.test", "sources": list(sources)} | feed
    return parse_config({"feeds": {"sim": table}, "containers": made["containers"]}, "config")


def plans(**feed: Any) -> list[ConnectionPlan]:
    return plan_connections(config(**feed))
