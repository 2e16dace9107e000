"""The venue's kline event as text, as the recordings of real ones look."""

import msgspec

from barsync_async.messages import Bar
from barsync_async.simulation.candle import Candle
from barsync_async.simulation.roles import Deal
from barsync_async.units import TIMEFRAMES, WallMs

_encoder = msgspec.json.Encoder()


def kline_text(bar: Bar, candle: Candle, event_ms: WallMs, *, final: bool) -> str:
    """The raw event: ``bar`` with its ``candle``'s trades, sent at ``event_ms`` on the wall clock.

    ``t`` is the open time, ``T`` the last millisecond of the interval; prices are strings.
    """
    symbol = venue_symbol(bar.symbol)
    typical = _typical(bar)
    taken = candle.volume // 2  # half of the volume is the takers' buying
    kline = {
        "t": bar.timestamp - TIMEFRAMES[bar.timeframe].length_ms,
        "T": bar.timestamp - 1,
        "s": symbol,
        "i": bar.timeframe,
        "f": candle.first_trade,
        "L": candle.last_trade,
        "o": _decimal(bar.open),
        "c": _decimal(bar.close),
        "h": _decimal(bar.high),
        "l": _decimal(bar.low),
        "v": _decimal(bar.volume),
        "n": candle.trades,
        "x": final,
        "q": _decimal(candle.volume * typical),
        "V": _decimal(taken),
        "Q": _decimal(taken * typical),
        "B": "0",
    }
    event = {"e": "kline", "E": event_ms, "s": symbol, "k": kline}
    return _encoder.encode(event).decode()


def kline_row(bar: Bar, candle: Candle) -> list[int | str]:
    """The same kline as a row of the REST endpoint; its last field is to be ignored."""
    typical = _typical(bar)
    taken = candle.volume // 2
    return [
        bar.timestamp - TIMEFRAMES[bar.timeframe].length_ms,
        _decimal(bar.open),
        _decimal(bar.high),
        _decimal(bar.low),
        _decimal(bar.close),
        _decimal(bar.volume),
        bar.timestamp - 1,
        _decimal(candle.volume * typical),
        candle.trades,
        _decimal(taken),
        _decimal(taken * typical),
        "0",
    ]


def _typical(bar: Bar) -> float:
    return (bar.open + bar.high + bar.low + bar.close) / 4


def trade_text(symbol: str, deal: Deal, kind: str, event_ms: WallMs) -> str:
    """A trade as a raw event of ``kind``: ``trade``, or ``aggTrade`` with its range of numbers."""
    event = {"e": kind, "E": event_ms, "s": symbol}
    event |= {"p": _decimal(deal.price), "q": _decimal(deal.volume), "T": deal.at_ms, "m": True}
    if kind == "trade":
        event["t"] = deal.number
    else:
        event |= {"a": deal.number, "f": deal.number, "l": deal.number}
    return _encoder.encode(event).decode()


def venue_symbol(symbol: str) -> str:
    """``BTC/USD`` -> ``BTCUSD``."""
    return symbol.replace("/", "").replace("-", "").upper()


def combined_text(stream: str, event: str) -> str:
    """``event`` in the envelope of a combined connection."""
    return f'{{"stream":{_encoder.encode(stream).decode()},"data":{event}}}'


def shutdown_text(event_ms: WallMs) -> str:
    """The raw event by which the venue announces that it will close the connection."""
    return _encoder.encode({"e": "serverShutdown", "E": event_ms}).decode()


def _decimal(value: float) -> str:
    return f"{value:.8f}"
