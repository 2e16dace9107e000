"""The in-house feed that stands for all of them, the server's side: one simple JSON format.

The client subscribes, as often as it likes, and is answered for every message::

    -> {"action": "subscribe", "symbols": ["SPY", "QQQ"], "timeframe": "1m", "history": 2}
    <- {"type": "subscribed", "symbols": ["SPY", "QQQ"], "timeframe": "1m"}
    <- {"type": "error", "symbol": "SPX", "timeframe": "1m", "message": "no such symbol"}
    <- {"type": "error", "message": "no JSON object"}

``history``, which may be missing, asks for up to so many of the newest closed bars of each symbol
at once. Bars come in lists, whether one or many; ``time`` is the beginning of the interval in ms
since the epoch, ``final`` whether the bar is closed. A bar that is corrected is sent again::

    <- {"type": "bars", "bars": [{"symbol": "SPY", "timeframe": "1m", "time": 1672515780000,
        "open": 1.0, "high": 2.5, "low": 0.5, "close": 2.0, "volume": 100.0, "final": true}]}

Every 5 s comes ``{"type": "heartbeat"}``. The client has to send something at least once a minute,
``{"action": "ping"}`` for want of anything else, which is answered with ``{"type": "pong"}``; if it
does not, or sends more than 20 messages within a second, it is cut off. The end of a connection is
not announced. There is no REST endpoint, and the path of the websocket is ``/bars``.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from barsync_async.messages import Bar, excerpt
from barsync_async.simulation.roles import Answer, HttpAnswer, Quote, Shelf, Violation
from barsync_async.simulation.venues.wire import NO_JSON
from barsync_async.units import TIMEFRAMES, Instant, SourceId, source_id, split_source

MESSAGES_PER_SECOND = 20
HEARTBEAT_NS = 5_000_000_000
PATIENCE_NS = 60_000_000_000
_NS_PER_S = 1_000_000_000
_PATH = "/bars"
_MOST_BARS = 100
"""Of one message."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


class JsonProtocol:
    """An in-house feed."""

    name = "json"

    def stream(self, source: str) -> str:
        """The source's own name."""
        split_source(source)
        return source

    def serve(self, sources: Sequence[SourceId], shelf: Shelf) -> "JsonServer":
        """A server that sells ``sources``."""
        return JsonServer(sources, shelf)


class JsonServer:
    """Sells ``sources``; their history is on ``shelf``."""

    def __init__(self, sources: Sequence[SourceId], shelf: Shelf) -> None:
        self._sources = frozenset(sources)
        self._shelf = shelf

    def knows_path(self, path: str) -> bool:
        """``/bars``, whatever the query."""
        return path.partition("?")[0].rstrip("/") == _PATH

    def accept(self, path: str, now: Instant) -> "JsonLine":
        """A new client."""
        del path
        return JsonLine(self._sources, self._shelf, now.mono)

    def get(self, target: str, headers: Mapping[str, str], now: Instant) -> HttpAnswer | None:
        """Nothing."""
        del target, headers, now
        return None


class JsonLine:
    """One client's connection: what it is subscribed to, and when it was heard last."""

    def __init__(self, sources: frozenset[SourceId], shelf: Shelf, opened_ns: int) -> None:
        self._sold = sources
        self._shelf = shelf
        self._subscribed: set[SourceId] = set()
        self._recent: deque[int] = deque(maxlen=MESSAGES_PER_SECOND)
        self._beat_ns = opened_ns + HEARTBEAT_NS
        self._cut_ns = opened_ns + PATIENCE_NS

    def greet(self, now: Instant) -> Sequence[Answer]:
        """Nothing."""
        del now
        return ()

    def publish(self, quote: Quote, now: Instant) -> str | None:
        """The bar in a list of one."""
        del now
        if quote.bar.source not in self._subscribed:
            return None
        return _bars([quote])

    def next_at(self) -> int | None:
        """The next heartbeat, or the end of the patience."""
        return min(self._beat_ns, self._cut_ns)

    def advance(self, now: Instant) -> Sequence[Answer]:
        """Heartbeats; those that were missed are not made up for."""
        if now.mono >= self._cut_ns:
            return (Violation("nothing was heard for a minute"),)
        if now.mono < self._beat_ns:
            return ()
        missed = (now.mono - self._beat_ns) // HEARTBEAT_NS
        self._beat_ns += (missed + 1) * HEARTBEAT_NS
        return (_text({"type": "heartbeat"}),)

    def farewell(self, now: Instant) -> Sequence[str]:
        """Nothing."""
        del now
        return ()

    def receive(self, frame: str | bytes, now: Instant) -> Sequence[Answer]:
        """The answers to ``frame``, or the limit that it breaks."""
        if self._is_flooding(now.mono):
            return (Violation("too many messages"),)
        self._cut_ns = now.mono + PATIENCE_NS
        try:
            request = _decoder.decode(frame)
        except (*NO_JSON, ValueError):
            request = None
        if not isinstance(request, dict):
            return (_error("no JSON object"),)
        match request.get("action"):
            case "ping":
                return (_text({"type": "pong"}),)
            case "subscribe":
                return tuple(self._subscribe(request))
        return (_error("action is neither subscribe nor ping"),)

    def _is_flooding(self, now_ns: int) -> bool:
        full = len(self._recent) == MESSAGES_PER_SECOND
        flooding = full and now_ns - self._recent[0] < _NS_PER_S
        self._recent.append(now_ns)
        return flooding

    def _subscribe(self, request: Mapping[str, Any]) -> Iterator[str]:
        timeframe, symbols = request.get("timeframe"), request.get("symbols")
        history = request.get("history", 0)
        if not isinstance(timeframe, str) or timeframe not in TIMEFRAMES:
            yield _error("timeframe is none")
            return
        if not isinstance(symbols, list) or not all(isinstance(each, str) for each in symbols):
            yield _error("symbols is no list of texts")
            return
        if type(history) is not int or history < 0:
            yield _error("history is no number of bars")
            return
        yield from self._confirm(symbols, timeframe, history)

    def _confirm(self, symbols: list[str], timeframe: str, history: int) -> Iterator[str]:
        names = {symbol: source_id(symbol, timeframe) for symbol in symbols}
        known = [symbol for symbol, source in names.items() if source in self._sold]
        if known:
            self._subscribed.update(names[symbol] for symbol in known)
            yield _text({"type": "subscribed", "symbols": known, "timeframe": timeframe})
        for symbol in (symbol for symbol in names if symbol not in known):
            yield _error("no such symbol", symbol=excerpt(symbol), timeframe=timeframe)
        for symbol in known if history else ():
            quotes = self._shelf.closed(names[symbol])[-history:]
            for start in range(0, len(quotes), _MOST_BARS):
                yield _bars(quotes[start : start + _MOST_BARS])


def _bars(quotes: Sequence[Quote]) -> str:
    return _text({"type": "bars", "bars": [_row(quote.bar, quote.final) for quote in quotes]})


def _row(bar: Bar, final: bool) -> dict[str, Any]:
    return {
        "symbol": bar.symbol,
        "timeframe": bar.timeframe,
        "time": bar.timestamp - TIMEFRAMES[bar.timeframe].length_ms,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "final": final,
    }


def _error(message: str, **more: str) -> str:
    return _text({"type": "error"} | more | {"message": message})


def _text(message: Mapping[str, Any]) -> str:
    return _encoder.encode(message).decode()
