"""Polygon's (now Massive's) aggregates of stocks, the server's side, with the venue's rules.

It greets, wants to be told who asks, and confirms each channel by its name; a channel that one has
already is not confirmed again, a ticker that does not exist is, and never produces. A key has one
connection: a second one ends the first. Whatever a client sends gives answers; nothing raises.
"""

import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from barsync_async.simulation.roles import Answer, Deal, HttpAnswer, Quote, Shelf, Violation
from barsync_async.simulation.venues.polygon_rest import KEY, PolygonRest
from barsync_async.simulation.venues.wire import NO_JSON
from barsync_async.units import TIMEFRAMES, Instant, SourceId, split_source

AUTHENTICATE_WITHIN_NS = 30_000_000_000
_PATHS = ("/stocks",)
_KINDS: Mapping[str, str] = {"1m": "AM", "1s": "A"}
_NOT_IN_THE_PLAN = frozenset({"Q", "LULD", "NOI", "FMV"})
_MOST_CHANNEL_LENGTH = 64
_OFFICIAL_EVERY = 16

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


class PolygonProtocol:
    """The stocks cluster."""

    name = "polygon"

    def stream(self, source: str) -> str:
        """``SPY_1m`` -> ``AM.SPY``, ``SPY_1s`` -> ``A.SPY``; there are no others."""
        symbol, timeframe = split_source(source)
        if timeframe not in _KINDS:
            raise ValueError(f"polygon has no {timeframe} bars")
        return f"{_KINDS[timeframe]}.{_ticker(symbol)}"

    def serve(self, sources: Sequence[SourceId], shelf: Shelf) -> "PolygonServer":
        """A server that sells ``sources``."""
        return PolygonServer({source: self.stream(source) for source in sources}, shelf)


class PolygonServer:
    """``channels`` are the names of what it sells; ``most_channels`` what a connection may have."""

    def __init__(
        self,
        channels: Mapping[SourceId, str],
        shelf: Shelf,
        *,
        most_channels: int | None = None,
        requests_per_minute: int | None = None,
    ) -> None:
        self.channels = channels
        self.most_channels = most_channels
        tickers = {
            (split_source(source)[1], name.partition(".")[2]): source
            for source, name in channels.items()
        }
        self._rest = PolygonRest(tickers, shelf, requests_per_minute)
        self._holders: weakref.WeakSet[PolygonLine] = weakref.WeakSet()

    def knows_path(self, path: str) -> bool:
        """``/stocks``."""
        return path.partition("?")[0].rstrip("/") in _PATHS

    def accept(self, path: str, now: Instant) -> "PolygonLine":
        """A new client."""
        del path
        return PolygonLine(self, now)

    def get(self, target: str, headers: Mapping[str, str], now: Instant) -> HttpAnswer | None:
        """Aggregates of the past."""
        return self._rest.get(target, headers, now)

    def admit(self, line: "PolygonLine", now: Instant) -> None:
        """``line`` has the key now; whoever had it is put out."""
        for holder in self._holders:
            holder.put_out(now)
        self._holders = weakref.WeakSet([line])


class PolygonLine:
    """One client's connection."""

    def __init__(self, server: PolygonServer, now: Instant) -> None:
        self._server = server
        self._authenticated = False
        self._ends_ns: int | None = now.mono + AUTHENTICATE_WITHIN_NS
        self._channels: dict[str, None] = {}

    def greet(self, now: Instant) -> Sequence[Answer]:
        """``connected``."""
        del now
        return (_status("connected", "Connected Successfully"),)

    def receive(self, frame: str | bytes, now: Instant) -> Sequence[Answer]:
        """The answers to ``frame``."""
        match _request(frame):
            case "auth", str(key):
                return self._authenticate(key, now)
            case (("subscribe" | "unsubscribe"), str()) if not self._authenticated:
                return (_status("auth_required", "not authenticated"),)
            case "subscribe", str(params):
                return self._subscribe(list(_names(params)))
            case "unsubscribe", str(params):
                return list(self._unsubscribe(_names(params)))
            case _:
                return (_status("error", "invalid request"),)

    def _authenticate(self, key: str, now: Instant) -> Sequence[Answer]:
        if self._authenticated:
            return (_status("auth_success", "authenticated"),)
        if key != KEY:
            failed = "authentication failed"
            return (_status("auth_failed", failed), Violation(failed))
        self._authenticated = True
        self._ends_ns = None
        self._server.admit(self, now)
        return (_status("auth_success", "authenticated"),)

    def _subscribe(self, names: Sequence[str]) -> Sequence[Answer]:
        if any(_kind(name) in _NOT_IN_THE_PLAN for name in names):
            return (_status("error", "not authorized"),)
        new = [name for name in dict.fromkeys(names) if name not in self._channels]
        new = [name for name in new if _kind(name) in (*_KINDS.values(), "T")]
        most = self._server.most_channels
        if most is not None and len(self._channels) + len(new) > most:
            full = "Subscription limit reached for feed. Please remove some subscriptions."
            return (_status("error", full),)
        self._channels.update(dict.fromkeys(new))
        return [_status("success", f"subscribed to: {name}") for name in new]

    def _unsubscribe(self, names: Iterator[str]) -> Iterator[Answer]:
        for name in names:
            if name in self._channels:
                del self._channels[name]
                yield _status("success", f"unsubscribed to: {name}")

    def publish(self, quote: Quote, now: Instant) -> str | None:
        """A final bar, after its window; with other values, the same event again. None without a
        subscription, and where there was no trade.
        """
        del now
        channel = self._server.channels[quote.bar.source]
        kind = _kind(channel)
        wanted = channel in self._channels or f"{kind}.*" in self._channels
        if not (wanted and quote.final and quote.candle.trades):
            return None
        return _encoder.encode([_event(quote, kind, channel.partition(".")[2])]).decode()

    def hears_deals(self) -> bool:
        """Whether one of the channels is one of trades."""
        return any(_kind(name) == "T" for name in self._channels)

    def tell(self, deal: Deal, now: Instant) -> str | None:
        """One trade, and now and then an official close; None without a subscription."""
        del now
        symbol = _ticker(deal.symbol)
        if f"T.{symbol}" not in self._channels and "T.*" not in self._channels:
            return None
        return _encoder.encode(list(_trades(symbol, deal))).decode()

    def put_out(self, now: Instant) -> None:
        """Another connection has the key."""
        self._ends_ns = now.mono

    def next_at(self) -> int | None:
        """When the connection ends, as far as that is known."""
        return self._ends_ns

    def advance(self, now: Instant) -> Sequence[Answer]:
        """The end of one who did not say who it is, or whose key another uses."""
        if self._ends_ns is None or now.mono < self._ends_ns:
            return ()
        if self._authenticated:
            text = "Maximum number of websocket connections exceeded."
            return (_status("max_connections", text), Violation(text))
        text = "No authentication request received."
        return (_status("auth_timeout", text), Violation(text))

    def farewell(self, now: Instant) -> Sequence[str]:
        """Nothing: the venue announces no end."""
        del now
        return ()


def _ticker(symbol: str) -> str:
    return symbol.upper() if symbol.islower() else symbol


def _kind(channel: str) -> str:
    return channel.partition(".")[0]


def _names(params: str) -> Iterator[str]:
    """The channels that ``params`` asks for, as far as they are any."""
    for each in params.split(","):
        name = each.strip()
        if _kind(name) and name.partition(".")[2] and len(name) <= _MOST_CHANNEL_LENGTH:
            yield name


def _request(frame: str | bytes) -> tuple[Any, Any]:
    try:
        request = _decoder.decode(frame)
    except NO_JSON:
        return None, None
    if not isinstance(request, dict):
        return None, None
    return request.get("action"), request.get("params")


def _status(status: str, message: str) -> str:
    return _encoder.encode([{"ev": "status", "status": status, "message": message}]).decode()


def _trades(symbol: str, deal: Deal) -> Iterator[Mapping[str, Any]]:
    """A trade, whose number is that of its exchange or reporting facility, of which there are two;
    and, ever so often, an official close, which is no trade.
    """
    number, facility = divmod(deal.number, 2)
    told = {"ev": "T", "sym": symbol, "i": str(number), "z": 3, "c": [14, 41], "x": 11}
    told |= {"p": deal.price, "s": deal.volume, "t": deal.at_ms, "q": deal.number}
    if facility:
        told |= {"x": 4, "trfi": 201, "trft": deal.at_ms, "ds": f"{deal.volume}.0"}
    yield told
    if not deal.number % _OFFICIAL_EVERY:
        yield told | {"i": f"c{number}", "c": [15], "p": 2 * deal.price, "s": 100 * deal.volume}


def _event(quote: Quote, kind: str, ticker: str) -> Mapping[str, Any]:
    bar, candle = quote.bar, quote.candle
    average = round((bar.open + bar.high + bar.low + bar.close) / 4, 4)
    return {
        "ev": kind,
        "sym": ticker,
        "v": int(bar.volume),
        "av": int(bar.volume),
        "op": bar.open,
        "vw": average,
        "o": bar.open,
        "c": bar.close,
        "h": bar.high,
        "l": bar.low,
        "a": average,
        "z": float(bar.volume // candle.trades),  # an integer, and yet it comes as 12.0
        "s": bar.timestamp - TIMEFRAMES[bar.timeframe].length_ms,
        "e": bar.timestamp,
    }
