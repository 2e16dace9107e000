"""Kraken's OHLC rows, as recorded ones look: on the socket objects of numbers, over REST arrays of
texts.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from barsync_async.simulation.roles import Quote
from barsync_async.simulation.venues.wire import moment_text, pair_of
from barsync_async.units import TIMEFRAMES, WallMs, split_source

INTERVALS = (1, 5, 15, 30, 60, 240, 1_440, 10_080, 21_600)
"""Minutes."""

_MS_PER_MINUTE = 60_000
_SOCKET_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
_REST_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
_OLD_ASSETS = frozenset({"XBT", "ETH", "LTC", "XDG", "XRP"})
_OLD_MONEY = frozenset({"USD", "EUR", "GBP", "CAD", "JPY"})

_encoder = msgspec.json.Encoder()


def stream_of(source: str) -> tuple[str, int]:
    """``XBTUSD_1m`` -> ``("BTC/USD", 1)``.

    Raises:
        ValueError: the venue has no such bars.
    """
    symbol, name = split_source(source)
    interval, rest = divmod(TIMEFRAMES[name].length_ms, _MS_PER_MINUTE)
    if rest or interval not in INTERVALS or name == "1w":
        raise ValueError(f"Kraken has no bars like {source!r}")
    return "/".join(_SOCKET_NAMES.get(part, part) for part in pair_of(symbol)), interval


def ohlc_text(kind: str, quotes: Iterable[Quote], now: WallMs) -> str:
    """A message of ``quotes``, which are of one source."""
    message = {
        "channel": "ohlc",
        "type": kind,
        "timestamp": moment_text(now, 9),
        "data": [_row(quote) for quote in quotes],
    }
    return _encoder.encode(message).decode()


def _row(quote: Quote) -> Mapping[str, Any]:
    bar = quote.bar
    symbol, interval = stream_of(bar.source)
    return {
        "symbol": symbol,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "trades": quote.candle.trades,
        "volume": bar.volume,
        "vwap": _typical(quote),
        "interval_begin": moment_text(bar.timestamp - interval * _MS_PER_MINUTE, 9),
        "interval": interval,
        "timestamp": moment_text(bar.timestamp),
    }


def rest_row(quote: Quote) -> Sequence[Any]:
    """The same over REST."""
    bar = quote.bar
    length_ms = TIMEFRAMES[bar.timeframe].length_ms
    numbers = (bar.open, bar.high, bar.low, bar.close, _typical(quote), bar.volume)
    begin_s = (bar.timestamp - length_ms) // 1_000
    return [begin_s, *(f"{number:.8f}" for number in numbers), quote.candle.trades]


def rest_key(symbol: str) -> str:
    """Under which name the REST endpoint answers: ``BTC/USD`` -> ``XXBTZUSD``."""
    base, quote = (_REST_NAMES.get(part, part) for part in symbol.split("/"))
    if base in _OLD_ASSETS and quote in _OLD_MONEY:
        return f"X{base}Z{quote}"
    return base + quote


def rest_names(symbol: str) -> set[str]:
    """Under which names the REST endpoint knows ``symbol``."""
    base, quote = symbol.split("/")
    old = [_REST_NAMES.get(part, part) for part in (base, quote)]
    return {symbol, base + quote, "/".join(old), "".join(old), rest_key(symbol)}


def _typical(quote: Quote) -> float:
    bar = quote.bar
    return (bar.open + bar.high + bar.low + bar.close) / 4 if quote.candle.trades else 0.0
