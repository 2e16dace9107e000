"""OKX v5's candles, the server's side, with the venue's rules.

Each stream of a request is answered on its own, a good one's candle under way behind its
acknowledgement; a bad one is an error that names it, and then silence. ``/public`` has no candles
any more. Pings are bare text. After thirty seconds in which nothing was said either way, after a
request that is too long, the connection is cut; too many requests are refused. Whatever a client
sends, nothing raises.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from barsync_async.messages import excerpt
from barsync_async.simulation.roles import Answer, HttpAnswer, Quote, Shelf, Violation
from barsync_async.simulation.venues.okx_candle import BARS, arg_of, candle_text
from barsync_async.simulation.venues.okx_rest import OkxRest
from barsync_async.simulation.venues.wire import NS_PER_S, parsed_object
from barsync_async.units import Instant, SourceId

REQUESTS_PER_HOUR = 480
MOST_BYTES = 65_536
SILENCE_S = 30
TOO_LONG, NO_DATA = 1009, 4004
_HOUR_NS = 3_600 * NS_PER_S
_LONGEST_ID = 32
_LONGEST_NAME = 64

_encoder = msgspec.json.Encoder()

Stream = tuple[str, str]
"""A channel and an instrument."""


class OkxProtocol:
    """OKX."""

    name = "okx"

    def stream(self, source: str) -> str:
        """``BTC/USDT_1m`` -> ``candle1m BTC-USDT``.

        Raises:
            ValueError: the venue has no such candles.
        """
        return " ".join(stream_of(source))

    def serve(self, sources: Sequence[SourceId], shelf: Shelf) -> "OkxServer":
        """A server that sells ``sources``."""
        return OkxServer({stream_of(source): source for source in sources}, shelf)


class OkxServer:
    """``sold`` are its streams, each with our name for it."""

    def __init__(self, sold: Mapping[Stream, SourceId], shelf: Shelf) -> None:
        self.sold = sold
        self.inst_ids = {inst_id for _, inst_id in sold}
        self.shelf = shelf
        self._lines = 0
        self._rest = OkxRest(sold, shelf)

    def knows_path(self, path: str) -> bool:
        """``/ws/v5/business``, and ``/ws/v5/public``, which has no candles."""
        return _path(path) in ("/ws/v5/business", "/ws/v5/public")

    def accept(self, path: str, now: Instant) -> "OkxLine":
        """A new client."""
        self._lines += 1
        has_candles = _path(path) == "/ws/v5/business"
        return OkxLine(self, f"a4d3{self._lines:04x}", now, has_candles=has_candles)

    def get(self, target: str, headers: Mapping[str, str], now: Instant) -> HttpAnswer | None:
        """``/api/v5/market/candles`` and ``/api/v5/market/history-candles``."""
        del headers
        return self._rest.get(target, now)


class OkxLine:
    """One client's connection: its streams, its requests, when anything was said on it last."""

    def __init__(self, server: OkxServer, name: str, now: Instant, *, has_candles: bool) -> None:
        self._server = server
        self._name = name
        self._has_candles = has_candles
        self._streams: dict[Stream, None] = {}
        self._asked: deque[int] = deque(maxlen=REQUESTS_PER_HOUR)
        self._heard_ns: int = now.mono

    def greet(self, now: Instant) -> Sequence[Answer]:
        """The venue says nothing."""
        del now
        return ()

    def publish(self, quote: Quote, now: Instant) -> str | None:
        """The candle; None without a subscription."""
        if stream_of(quote.bar.source) not in self._streams:
            return None
        self._heard_ns = now.mono
        return candle_text(quote)

    def next_at(self) -> int | None:
        """When the connection will have been silent for too long."""
        return self._heard_ns + SILENCE_S * NS_PER_S

    def advance(self, now: Instant) -> Sequence[Answer]:
        """The cut after too long a silence."""
        if now.mono - self._heard_ns < SILENCE_S * NS_PER_S:
            return ()
        return (Violation("No data received in 30s", NO_DATA),)

    def farewell(self, now: Instant) -> Sequence[str]:
        """A notice of the service's upgrade; by the documentation, on ``/public`` only."""
        del now
        told = "The connection will soon be closed for a service upgrade. Please reconnect."
        return () if self._has_candles else (self._text("notice", code="64008", msg=told),)

    def receive(self, frame: str | bytes, now: Instant) -> Sequence[Answer]:
        """The answers to ``frame``, one a stream."""
        if len(frame) > MOST_BYTES:
            return (Violation("Request message exceeds the maximum frame length", TOO_LONG),)
        self._heard_ns = now.mono
        if frame == "ping":
            return ("pong",)
        request = parsed_object(frame)
        if request is None or not _is_request(request):
            shown = excerpt(frame)
            return (self._error("60012", f"Invalid request: {shown}", request or {}),)
        if self._is_flooding(now.mono):
            return (self._error("60014", "Requests too frequent", request),)
        return tuple(self._answers(request))

    def _is_flooding(self, now_ns: int) -> bool:
        full = len(self._asked) == REQUESTS_PER_HOUR
        if full and now_ns - self._asked[0] < _HOUR_NS:
            return True
        self._asked.append(now_ns)
        return False

    def _answers(self, request: Mapping[str, Any]) -> Iterator[str]:
        subscribes = request["op"] == "subscribe"
        for arg in request["args"]:
            stream = _stream(arg)
            if stream is None:
                yield self._error("60013", "Invalid args", request)
            elif not self._exists(stream):
                where = f"channel:{excerpt(stream[0])},instId:{excerpt(stream[1])}"
                told = f"Wrong URL or {where} doesn't exist. Please use the correct URL, channel "
                yield self._error(
                    "60018", f"{told}and parameters referring to API document.", request
                )
            elif subscribes:
                yield from self._subscribe(stream, request)
            else:
                self._streams.pop(stream, None)
                yield self._text("unsubscribe", request, arg=_arg(stream))

    def _subscribe(self, stream: Stream, request: Mapping[str, Any]) -> Iterator[str]:
        yield self._text("subscribe", request, arg=_arg(stream))
        if stream in self._streams:
            return
        self._streams[stream] = None
        source = self._server.sold.get(stream)
        running = None if source is None else self._server.shelf.running(source)
        if running is not None:
            yield candle_text(running)

    def _exists(self, stream: Stream) -> bool:
        channel, inst_id = stream
        known = channel.startswith("candle") and channel.removeprefix("candle") in BARS
        return self._has_candles and known and inst_id in self._server.inst_ids

    def _error(self, code: str, text: str, request: Mapping[str, Any]) -> str:
        return self._text("error", request, msg=text, code=code)

    def _text(self, event: str, request: Mapping[str, Any] | None = None, **more: Any) -> str:
        number = (request or {}).get("id")
        named = {"id": number} if _is_id(number) else {}
        return _encoder.encode({**named, "event": event, **more, "connId": self._name}).decode()


def stream_of(source: str) -> Stream:
    """``BTC/USDT_1m`` -> ``("candle1m", "BTC-USDT")``.

    Raises:
        ValueError: the venue has no such candles.
    """
    arg = arg_of(source)
    return arg["channel"], arg["instId"]


def _path(path: str) -> str:
    return path.partition("?")[0].rstrip("/")


def _is_request(request: Mapping[str, Any]) -> bool:
    args, number = request.get("args"), request.get("id")
    if request.get("op") not in ("subscribe", "unsubscribe") or not isinstance(args, list):
        return False
    return bool(args) and (number is None or _is_id(number))


def _is_id(value: object) -> bool:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID:
        return False
    return value.isascii() and value.isalnum()


def _stream(arg: object) -> Stream | None:
    if not isinstance(arg, dict):
        return None
    match arg.get("channel"), arg.get("instId"):
        case str(channel), str(inst_id) if channel and inst_id:
            return channel[:_LONGEST_NAME], inst_id[:_LONGEST_NAME]
    return None


def _arg(stream: Stream) -> Mapping[str, str]:
    return {"channel": stream[0], "instId": stream[1]}
