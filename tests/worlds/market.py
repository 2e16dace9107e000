"""The venue's bars and their frames, in Binance's combined form, good and bad."""

import json
from random import Random
from zlib import crc32

from tests.worlds.world import Quote, length_ms

from barsync_async.units import SourceId, split_source

_SPREAD = 1.0


def quote(source: SourceId, timestamp: int) -> Quote:
    """The true bar: neighbours differ, but for one in 97, and all values are exact in binary."""
    step = timestamp // length_ms(source)
    return Quote(source, timestamp, 100.0 + (step * step * 7 + crc32(source.encode())) % 97 / 4)


def another(true: Quote, rng: Random) -> Quote:
    """The same bar with another value."""
    return Quote(true.source, true.timestamp, true.value + rng.choice([-3, -1, 2, 5]) / 8)


def frame(told: Quote, *, final: bool = True) -> str:
    """The kline event of a bar."""
    symbol, interval = split_source(told.source)
    name = symbol.replace("/", "").upper()
    kline = {
        "t": told.timestamp - length_ms(told.source),
        "T": told.timestamp - 1,
        "s": name,
        "i": interval,
        "o": f"{told.value:.8f}",
        "c": f"{told.value:.8f}",
        "h": f"{told.value + _SPREAD:.8f}",
        "l": f"{told.value - _SPREAD:.8f}",
        "v": f"{told.value * 2:.8f}",
        "x": final,
    }
    data = {"e": "kline", "E": told.timestamp, "s": name, "k": kline}
    return json.dumps({"stream": f"{name.lower()}@kline_{interval}", "data": data})


def wrong_source(told: Quote) -> str:
    """A bar that nobody subscribed."""
    return frame(Quote(SourceId("NOBODY_1s"), told.timestamp // 1_000 * 1_000, told.value))


def malformed(told: Quote, rng: Random) -> str | bytes:
    """A frame that cannot be a bar; the daemon has to refuse it and go on."""
    good = frame(told)
    value = f"{told.value:.8f}"
    bad: list[str | bytes] = [
        good[: rng.randrange(2, len(good) - 2)],
        "",
        "[]",
        "null",
        '{"stream": "x", "data": {"e": "kline"}}',
        b"\xff\xfe" + good.encode(),
        good.replace(value, "many", 1),
        good.replace(value, "1e999", 1),
        good.replace(f'"v": "{told.value * 2:.8f}"', '"v": "-1"'),
        good.replace(f'"T": {told.timestamp - 1}', f'"T": {told.timestamp + 5}'),
        good.replace(f'"l": "{told.value - _SPREAD:.8f}"', '"l": "1000000"'),
        "[" * 50_000,
        good + " " * 70_000,
    ]
    return rng.choice(bad)
