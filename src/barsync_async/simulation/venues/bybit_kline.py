"""Bybit's klines, as recorded ones look: on the socket objects, over REST arrays of texts."""

import re
from collections.abc import Sequence

import msgspec

from barsync_async.simulation.roles import Quote
from barsync_async.simulation.venues.wire import decimal_text
from barsync_async.units import TIMEFRAMES, WallMs, split_source

_MINUTE_MS = 60_000
_MINUTES = (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)
_NAMES = {"1d": "D", "1w": "W"}
INTERVALS = (*map(str, _MINUTES), "D", "W", "M")
"""All that the venue has; of months it sells none here."""

_WITH_DATE = re.compile(r"(.+)(-[0-9]{1,2}[A-Z]{3}[0-9]{2})")

_encoder = msgspec.json.Encoder()


def interval_of(timeframe: str) -> str:
    """``1h`` -> ``60``.

    Raises:
        ValueError: the venue has no such klines.
    """
    minutes, rest = divmod(TIMEFRAMES[timeframe].length_ms, _MINUTE_MS)
    if timeframe in _NAMES:
        return _NAMES[timeframe]
    if rest or minutes not in _MINUTES:
        raise ValueError(f"Bybit has no klines of {timeframe}")
    return str(minutes)


def symbol_of(symbol: str) -> str:
    """``btc/usdt`` -> ``BTCUSDT``; ``BTC-26DEC25``, with a day of delivery, keeps its dash."""
    text = symbol.upper()
    dated = _WITH_DATE.fullmatch(text)
    base, date = dated.groups() if dated else (text, "")
    return base.replace("/", "").replace("-", "") + date


def topic_of(source: str) -> str:
    """``BTC/USDT_1h`` -> ``kline.60.BTCUSDT``.

    Raises:
        ValueError: the venue has no such klines.
    """
    symbol, timeframe = split_source(source)
    return f"kline.{interval_of(timeframe)}.{symbol_of(symbol)}"


def kline_text(quote: Quote, now: WallMs) -> str:
    """The message of one kline; ``confirm`` where it is final."""
    bar = quote.bar
    kline = {
        "start": bar.timestamp - TIMEFRAMES[bar.timeframe].length_ms,
        "end": bar.timestamp - 1,
        "interval": interval_of(bar.timeframe),
        "open": decimal_text(bar.open),
        "close": decimal_text(bar.close),
        "high": decimal_text(bar.high),
        "low": decimal_text(bar.low),
        "volume": decimal_text(bar.volume),
        "turnover": decimal_text(_turnover(quote)),
        "confirm": quote.final,
        "timestamp": min(now, bar.timestamp - 1),
    }
    topic = topic_of(bar.source)
    message = {"topic": topic, "data": [kline], "ts": now, "type": "snapshot"}
    return _encoder.encode(message).decode()


def rest_row(quote: Quote) -> Sequence[str]:
    """The same over REST: open time, open, high, low, close, volume, turnover."""
    bar = quote.bar
    numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume, _turnover(quote))
    opens = bar.timestamp - TIMEFRAMES[bar.timeframe].length_ms
    return [str(opens), *map(decimal_text, numbers)]


def _turnover(quote: Quote) -> float:
    bar = quote.bar
    return bar.volume * (bar.open + bar.high + bar.low + bar.close) / 4
