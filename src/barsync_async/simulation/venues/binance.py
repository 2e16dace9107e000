"""Binance's kline streams, the server's side, with the venue's rules: spot's, unless told others.

Whatever a client sends gives an answer or a refusal; nothing raises. A stream that does not exist
is accepted in silence and never produces, as at the real venue. Pings are left to the transport.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from barsync_async.messages import excerpt
from barsync_async.simulation.roles import Answer, Deal, HttpAnswer, Quote, Shelf, Violation
from barsync_async.simulation.venues.binance_kline import (
    combined_text,
    kline_text,
    shutdown_text,
    trade_text,
    venue_symbol,
)
from barsync_async.simulation.venues.binance_rest import BinanceRest, RestRules
from barsync_async.simulation.venues.wire import NO_JSON
from barsync_async.units import Instant, SourceId, split_source

MAX_STREAMS = 1_024
_NS_PER_S = 1_000_000_000
_SHUTDOWN_STREAM = "!serverShutdown"
_INT64 = range(-(2**63), 2**63)
_MAX_ID_LENGTH = 36
_MAX_NAME_LENGTH = 256

_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_VARIANTS = ", ".join(f"`{method}`" for method in _METHODS)
_INVALID_REQUEST, _INVALID_JSON = 2, 3
_UNKNOWN_PROPERTY, _INVALID_TYPE = 0, 1

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


class _Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class BinanceRules(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the venue's markets has of its own.

    ``trades`` is what the streams of trades are called; ``root`` is the path before ``/ws`` and
    ``/stream``. On a path without it a subscription is
    confirmed, and nothing follows.
    """

    name: str
    root: str
    trades: str
    messages_per_second: int
    rest: RestRules


SPOT = BinanceRules(
    name="binance",
    root="",
    trades="trade",
    messages_per_second=5,
    rest=RestRules(
        path="/api/v3/klines", most=1_000, refuses_more=False, weights=((1_000, 2),), budget=6_000
    ),
)


class BinanceProtocol:
    """The market of ``rules``."""

    def __init__(self, rules: BinanceRules = SPOT) -> None:
        self._rules = rules
        self.name = rules.name

    def stream(self, source: str) -> str:
        """``BTC/USD_1m`` -> ``btcusd@kline_1m``; any timeframe will do."""
        symbol, timeframe = split_source(source)
        return f"{venue_symbol(symbol).lower()}@kline_{timeframe}"

    def serve(self, sources: Sequence[SourceId], shelf: Shelf) -> "BinanceServer":
        """A server that sells ``sources``."""
        streams = {source: self.stream(source) for source in sources}
        return BinanceServer(streams, self._rules, BinanceRest(sources, shelf, self._rules.rest))


class BinanceServer:
    """``streams`` are the names of what it sells; without ``rest`` there is no REST endpoint."""

    def __init__(
        self,
        streams: Mapping[SourceId, str],
        rules: BinanceRules = SPOT,
        rest: BinanceRest | None = None,
    ) -> None:
        self.streams = streams
        self._rules = rules
        self._rest = rest

    def knows_path(self, path: str) -> bool:
        """``/ws``, ``/ws/<streams>`` and ``/stream?streams=<streams>``, below the root or not."""
        where = path.partition("?")[0].removeprefix(self._rules.root)
        return where.rstrip("/") in ("/ws", "/stream") or where.startswith("/ws/")

    def accept(self, path: str, now: Instant) -> "BinanceLine":
        """A new client."""
        del now
        return BinanceLine(path, self.streams, self._rules)

    def get(self, target: str, headers: Mapping[str, str], now: Instant) -> HttpAnswer | None:
        """The klines of one symbol; no credentials are asked for."""
        del headers
        return self._rest.get(target, now) if self._rest else None


class BinanceLine:
    """One client's connection: its streams, its requests, its rate."""

    def __init__(
        self, path: str, streams: Mapping[SourceId, str], rules: BinanceRules = SPOT
    ) -> None:
        self._names = streams
        self._trades = rules.trades
        self._mute = not path.startswith(rules.root)
        where, _, query = path.removeprefix(rules.root).partition("?")
        self.combined = where.rstrip("/") == "/stream"
        if self.combined:
            names = "/".join(parse_qs(query).get("streams", []))
        else:
            names = unquote(where).removeprefix("/ws").strip("/")
        self._streams = dict.fromkeys(name for name in names.split("/") if name)
        self._recent: deque[int] = deque(maxlen=rules.messages_per_second)

    def greet(self, now: Instant) -> Sequence[Answer]:
        """Nothing, unless the URL asks for too many streams."""
        del now
        return () if (broken := self._violation()) is None else (broken,)

    def wants(self, stream: str) -> bool:
        """Whether the client is subscribed to ``stream``."""
        return stream in self._streams

    def publish(self, quote: Quote, now: Instant) -> str | None:
        """The kline event, in the form that the client chose; None without a subscription."""
        stream = self._names[quote.bar.source]
        if self._mute or stream not in self._streams:
            return None
        return self._envelope(
            stream, kline_text(quote.bar, quote.candle, now.wall, final=quote.final)
        )

    def hears_deals(self) -> bool:
        """Whether one of the streams is one of trades."""
        return any(name.endswith(f"@{self._trades}") for name in self._streams)

    def tell(self, deal: Deal, now: Instant) -> str | None:
        """The event of a trade; None without a subscription."""
        symbol = venue_symbol(deal.symbol)
        stream = f"{symbol.lower()}@{self._trades}"
        if self._mute or stream not in self._streams:
            return None
        return self._envelope(stream, trade_text(symbol, deal, self._trades, now.wall))

    def next_at(self) -> int | None:
        """Never: pings are the transport's."""
        return None

    def advance(self, now: Instant) -> Sequence[Answer]:
        """Nothing."""
        del now
        return ()

    def farewell(self, now: Instant) -> Sequence[str]:
        """``serverShutdown``, as the venue announces the end of a connection."""
        return (self._envelope(_SHUTDOWN_STREAM, shutdown_text(now.wall)),)

    def _violation(self) -> Violation | None:
        return Violation("Too many streams") if len(self._streams) > MAX_STREAMS else None

    def _envelope(self, stream: str, event: str) -> str:
        return combined_text(stream, event) if self.combined else event

    def receive(self, frame: str | bytes, now: Instant) -> Sequence[Answer]:
        """The answer to ``frame``, or the limit that it breaks."""
        if self._is_flooding(now.mono):
            return (Violation("Too many requests"),)
        request_id: int | str | None = None
        try:
            request = _parsed(frame)
            request_id = _request_id(request)
            result = self._result(request)
        except _Refused as refused:
            error = {"code": refused.code, "msg": refused.message}
            return (_encoder.encode({"error": error, "id": request_id}).decode(),)
        broken = self._violation()
        return (broken or _encoder.encode({"result": result, "id": request_id}).decode(),)

    def _is_flooding(self, now_ns: int) -> bool:
        full = len(self._recent) == self._recent.maxlen
        flooding = full and now_ns - self._recent[0] < _NS_PER_S
        self._recent.append(now_ns)
        return flooding

    def _result(self, request: Mapping[str, Any]) -> Any:
        if "method" not in request:
            raise _Refused(_INVALID_REQUEST, "Invalid request: missing field `method`")
        method = request["method"]
        answers: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
            "SUBSCRIBE": self._subscribe,
            "UNSUBSCRIBE": self._unsubscribe,
            "LIST_SUBSCRIPTIONS": self._list,
            "SET_PROPERTY": self._set_property,
            "GET_PROPERTY": self._get_property,
        }
        if not isinstance(method, str):
            raise _Refused(_INVALID_REQUEST, "Invalid request: `method` must be a string")
        if method not in answers:
            shown = f"unknown variant `{excerpt(method)}`, expected one of {_VARIANTS}"
            raise _Refused(_INVALID_REQUEST, f"Invalid request: {shown}")
        return answers[method](request)

    def _subscribe(self, request: Mapping[str, Any]) -> None:
        self._streams.update(dict.fromkeys(_stream_names(request)))

    def _unsubscribe(self, request: Mapping[str, Any]) -> None:
        for name in _stream_names(request):
            self._streams.pop(name, None)

    def _list(self, request: Mapping[str, Any]) -> list[str]:
        del request
        return list(self._streams)

    def _set_property(self, request: Mapping[str, Any]) -> None:
        match _params(request):
            case ["combined", bool(value)]:
                self.combined = value
            case ["combined", _]:
                raise _Refused(_INVALID_TYPE, "Invalid value type: expected Boolean")
            case _:
                raise _Refused(_UNKNOWN_PROPERTY, "Unknown property")

    def _get_property(self, request: Mapping[str, Any]) -> bool:
        if _params(request) != ["combined"]:
            raise _Refused(_UNKNOWN_PROPERTY, "Unknown property")
        return self.combined


def _parsed(frame: str | bytes) -> Mapping[str, Any]:
    if isinstance(frame, bytes):
        raise _Refused(_INVALID_JSON, "Invalid JSON: expected a text frame")
    try:
        request = _decoder.decode(frame)
    except NO_JSON as error:
        raise _Refused(_INVALID_JSON, f"Invalid JSON: {excerpt(str(error))}") from None
    if not isinstance(request, dict):
        raise _Refused(_INVALID_REQUEST, "Invalid request: expected a JSON object")
    return request


def _request_id(request: Mapping[str, Any]) -> int | str | None:
    match request.get("id"):
        case None:
            return None
        case bool():
            pass
        case int(number) if number in _INT64:
            return number
        case str(name) if len(name) <= _MAX_ID_LENGTH and name.isascii() and name.isalnum():
            return name
        case _:
            pass
    expected = f"a 64-bit integer, up to {_MAX_ID_LENGTH} letters and digits, or null"
    raise _Refused(_INVALID_REQUEST, f"Invalid request: request ID must be {expected}")


def _params(request: Mapping[str, Any]) -> list[Any]:
    params = request.get("params")
    if not isinstance(params, list):
        raise _Refused(_INVALID_REQUEST, "Invalid request: `params` must be a list")
    return params


def _stream_names(request: Mapping[str, Any]) -> list[str]:
    names = _params(request)
    if not all(isinstance(name, str) and len(name) <= _MAX_NAME_LENGTH for name in names):
        raise _Refused(_INVALID_REQUEST, "Invalid request: a stream name must be a string")
    return names
