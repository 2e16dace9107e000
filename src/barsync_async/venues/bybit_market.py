"""What Bybit calls its categories, intervals and symbols, on the socket and over REST alike."""

import re
from urllib.parse import urlsplit

from barsync_async.units import SourceId, split_source
from barsync_async.venues.options import VenueOptions

CATEGORIES = ("spot", "linear", "inverse")

INTERVALS = {
    "1m": "1",
    "3m": "3",
    "5m": "5",
    "15m": "15",
    "30m": "30",
    "1h": "60",
    "2h": "120",
    "4h": "240",
    "6h": "360",
    "12h": "720",
    "1d": "D",
    "1w": "W",
}
"""The venue's names by ours. ``M``, the month, is none of our timeframes; ``1`` is a minute."""

_PUBLIC_PATH = "/v5/public/"
_DELIVERY = re.compile(r"-\d{1,2}[A-Z]{3}\d{2}")


def address(url: str) -> str:
    """``url`` with the path of the spot market, unless it has one of its own."""
    return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}{_PUBLIC_PATH}spot"


def category(options: VenueOptions) -> str:
    """The last part of the path of the ``url``; spot where there is none."""
    parts = urlsplit(address(options.url or "")).path.split("/")
    return next((part for part in reversed(parts) if part), "")


def wire_symbol(symbol: str) -> str:
    """``BTC/USDT``, ``BTC-USDT`` and ``btcusdt`` -> ``BTCUSDT``.

    A contract with a delivery date keeps the dash before it: ``BTC-26DEC25``.
    """
    text = symbol.upper().replace("/", "")
    date = _DELIVERY.search(text)
    if date is None or date.end() != len(text):
        return text.replace("-", "")
    return text[: date.start()].replace("-", "") + date.group()


def topic(source: SourceId) -> str:
    """``BTC/USDT_1m`` -> ``kline.1.BTCUSDT``.

    Raises:
        KeyError: the venue has no such timeframe.
    """
    symbol, timeframe = split_source(source)
    return f"kline.{INTERVALS[timeframe]}.{wire_symbol(symbol)}"
