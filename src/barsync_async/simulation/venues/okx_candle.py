"""OKX's candles, as recorded ones look: arrays of nine texts, on the socket and over REST."""

from collections.abc import Mapping, Sequence

import msgspec

from barsync_async.simulation.roles import Quote
from barsync_async.simulation.venues.wire import decimal_text, pair_of
from barsync_async.units import TIMEFRAMES, split_source

_MINUTES = ("1m", "3m", "5m", "15m", "30m")
_HOURS = ("1H", "2H", "4H")
_FROM_SIX_HOURS = ("6H", "12H", "1D", "1W")
BARS = ("1s", *_MINUTES, *_HOURS, *_FROM_SIX_HOURS, *(f"{bar}utc" for bar in _FROM_SIX_HOURS))
"""The venue's bars, but for those of several days and of months. Without ``utc``, the long ones
open on Hong Kong time: the venue has them, and sells none here.
"""

_encoder = msgspec.json.Encoder()


def bar_of(timeframe: str) -> str:
    """``6h`` -> ``6Hutc``.

    Raises:
        ValueError: the venue has no such candles.
    """
    upper = timeframe[:-1] + timeframe[-1].upper()
    if upper in _FROM_SIX_HOURS:
        return f"{upper}utc"
    name = upper if upper in _HOURS else timeframe
    if name not in BARS:
        raise ValueError(f"OKX has no candles of {timeframe}")
    return name


def inst_id_of(symbol: str) -> str:
    """``btcusdt`` -> ``BTC-USDT``; ``BTC-USDT-SWAP`` is itself.

    Raises:
        ValueError: no two currencies can be told.
    """
    return "-".join(pair_of(symbol)).replace("/", "-")


def arg_of(source: str) -> Mapping[str, str]:
    """``BTC/USDT_1m`` -> ``{"channel": "candle1m", "instId": "BTC-USDT"}``.

    Raises:
        ValueError: the venue has no such candles.
    """
    symbol, timeframe = split_source(source)
    return {"channel": f"candle{bar_of(timeframe)}", "instId": inst_id_of(symbol)}


def candle_text(quote: Quote) -> str:
    """The message of one candle."""
    return _encoder.encode({"arg": arg_of(quote.bar.source), "data": [row(quote)]}).decode()


def row(quote: Quote) -> Sequence[str]:
    """Open time, open, high, low, close, three volumes, and "1" where the candle is final."""
    bar = quote.bar
    turnover = bar.volume * (bar.open + bar.high + bar.low + bar.close) / 4
    opens = bar.timestamp - TIMEFRAMES[bar.timeframe].length_ms
    numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume, turnover, turnover)
    return [str(opens), *map(decimal_text, numbers), "1" if quote.final else "0"]
