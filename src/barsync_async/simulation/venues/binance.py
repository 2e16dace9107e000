"""One client's connection as the venue sees it: its streams, its requests, its rate.

Whatever a client sends gives an answer or a refusal; nothing raises. A stream that does not exist
is accepted in silence and never produces, as at the real venue.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from barsync_async.messages import excerpt
from barsync_async.simulation.kline import combined_text

MESSAGES_PER_SECOND = 5
MAX_STREAMS = 1_024
_NS_PER_S = 1_000_000_000
_INT64 = range(-(2**63), 2**63)
_MAX_ID_LENGTH = 36
_MAX_NAME_LENGTH = 256

_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_VARIANTS = ", ".join(f"`{method}`" for method in _METHODS)
_INVALID_REQUEST, _INVALID_JSON = 2, 3
_UNKNOWN_PROPERTY, _INVALID_TYPE = 0, 1

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


class Violation(msgspec.Struct, frozen=True):
    """The client broke a limit: the connection is to be closed for ``reason``."""

    reason: str


class _Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


def knows_path(path: str) -> bool:
    """Whether the venue serves anything at ``path`` of a websocket's URL."""
    where = path.partition("?")[0]
    return where.rstrip("/") in ("/ws", "/stream") or where.startswith("/ws/")


class VenueConnection:
    """The state of one connection to ``path``, for which :func:`knows_path` holds."""

    def __init__(self, path: str) -> None:
        where, _, query = path.partition("?")
        self.combined = where.rstrip("/") == "/stream"
        if self.combined:
            names = "/".join(parse_qs(query).get("streams", []))
        else:
            names = unquote(where).removeprefix("/ws").strip("/")
        self._streams = dict.fromkeys(name for name in names.split("/") if name)
        self._recent: deque[int] = deque(maxlen=MESSAGES_PER_SECOND)

    def violation(self) -> Violation | None:
        """What limit the streams of the URL break, if any."""
        return Violation("Too many streams") if len(self._streams) > MAX_STREAMS else None

    def wants(self, stream: str) -> bool:
        """Whether the client is subscribed to ``stream``."""
        return stream in self._streams

    def envelope(self, stream: str, event: str) -> str:
        """``event`` of ``stream`` in the form that the client chose."""
        return combined_text(stream, event) if self.combined else event

    def receive(self, frame: str | bytes, now_ns: int) -> str | Violation:
        """The answer to ``frame``, or the limit that it breaks."""
        if self._is_flooding(now_ns):
            return Violation("Too many requests")
        request_id: int | str | None = None
        try:
            request = _parsed(frame)
            request_id = _request_id(request)
            result = self._result(request)
        except _Refused as refused:
            error = {"code": refused.code, "msg": refused.message}
            return _encoder.encode({"error": error, "id": request_id}).decode()
        broken = self.violation()
        return broken or _encoder.encode({"result": result, "id": request_id}).decode()

    def _is_flooding(self, now_ns: int) -> bool:
        full = len(self._recent) == MESSAGES_PER_SECOND
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
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
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
