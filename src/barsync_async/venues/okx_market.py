"""OKX's names of bars and instruments and its candles, on the socket and over REST alike."""

from typing import Any
from urllib.parse import urlsplit

import msgspec

from barsync_async.units import SourceId, split_source
from barsync_async.venues.fields import Timestamp
from barsync_async.venues.pairs import split_pair

BARS = {
    "1s": "1s",
    "1m": "1m",
    "3m": "3m",
    "5m": "5m",
    "15m": "15m",
    "30m": "30m",
    "1h": "1H",
    "2h": "2H",
    "4h": "4H",
    "6h": "6Hutc",
    "12h": "12Hutc",
    "1d": "1Dutc",
    "1w": "1Wutc",
}
"""The venue's names by ours. Case matters: ``1m`` is a minute, ``1M`` a month. Without ``utc``,
those from six hours on open on Hong Kong time.
"""


class Row(msgspec.Struct, array_like=True, gc=False):
    """A candle, by its columns. All of them are strings: decode it lax."""

    opens: Timestamp
    open: float
    high: float
    low: float
    close: float
    volume: float
    currency_volume: Any
    quote_volume: Any
    confirm: Any  # a lax decoder takes 1 for "1"


def address(url: str) -> str:
    """``url`` with the path of the endpoint that has candles, unless it has one of its own."""
    return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/ws/v5/business"


def instrument(symbol: str) -> str | None:
    """``BTC/USDT``, ``BTCUSDT`` -> ``BTC-USDT``; ``BTC-USDT-SWAP`` is itself. None where no second
    currency can be told.
    """
    pair = split_pair(symbol)
    return None if pair is None else "-".join(pair).replace("/", "-")


def channel(source: SourceId) -> tuple[str, str]:
    """``BTC/USDT_1h`` -> ``("candle1H", "BTC-USDT")``.

    Raises:
        KeyError: the venue has no such timeframe.
    """
    symbol, timeframe = split_source(source)
    return f"candle{BARS[timeframe]}", instrument(symbol) or symbol
