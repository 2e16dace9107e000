"""Bybit v5's public klines, the server's side, with the venue's rules.

Of a request's topics all are subscribed or, where one of them does not exist, none; the error names
that one. The spot market takes ten topics in a request and says nothing of one that is subscribed
already; the other two have no such limit, and call that an error. A connection on which ten minutes
long nothing goes out and no ping comes in is cut. Whatever a client sends, nothing raises.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from barsync_async.messages import excerpt
from barsync_async.simulation.actions import ABRUPT
from barsync_async.simulation.roles import Answer, HttpAnswer, Quote, Shelf, Violation
from barsync_async.simulation.venues.bybit_kline import (
    INTERVALS,
    kline_text,
    rest_row,
    topic_of,
)
from barsync_async.simulation.venues.wire import NS_PER_S, parsed_object, path_and_query
from barsync_async.units import Instant, SourceId

CATEGORIES = ("spot", "linear", "inverse")
TOPICS_PER_REQUEST = 10
MOST_CHARACTERS = 21_000
SILENCE_S = 600
REST_REQUESTS, REST_WINDOW_S = 600, 5
REST_MOST, REST_USUAL = 1_000, 200
_LONGEST_ID = 64
_PARAMS_ERROR = 10001

_encoder = msgspec.json.Encoder()


class BybitProtocol:
    """Bybit."""

    name = "bybit"

    def stream(self, source: str) -> str:
        """``BTC/USDT_1m`` -> ``kline.1.BTCUSDT``.

        Raises:
            ValueError: the venue has no such klines.
        """
        return topic_of(source)

    def serve(self, sources: Sequence[SourceId], shelf: Shelf) -> "BybitServer":
        """A server that sells ``sources``, in every category."""
        return BybitServer({topic_of(source): source for source in sources}, shelf)


class BybitServer:
    """``topics`` are what it sells, each with our name for it."""

    def __init__(self, topics: Mapping[str, SourceId], shelf: Shelf) -> None:
        self.topics = topics
        self.symbols = {topic.split(".", 2)[2] for topic in topics}
        self._shelf = shelf
        self._lines = 0
        self._asked: deque[int] = deque(maxlen=REST_REQUESTS)

    def knows_path(self, path: str) -> bool:
        """``/v5/public/spot``, ``/v5/public/linear`` and ``/v5/public/inverse``."""
        return _category(path) in CATEGORIES

    def accept(self, path: str, now: Instant) -> "BybitLine":
        """A new client."""
        self._lines += 1
        return BybitLine(self, _category(path), f"d97jphrgig3od7574usg-{self._lines:x}", now)

    def get(self, target: str, headers: Mapping[str, str], now: Instant) -> HttpAnswer | None:
        """``/v5/market/kline``: errors come with status 200, but for too many requests."""
        del headers
        path, query = path_and_query(target)
        if path.rstrip("/") != "/v5/market/kline":
            return None
        full = len(self._asked) == REST_REQUESTS
        if full and now.mono - self._asked[0] < REST_WINDOW_S * NS_PER_S:
            return HttpAnswer(403, b"access too frequent.")
        self._asked.append(now.mono)
        code, text, result = self._klines(query)
        body = {"retCode": code, "retMsg": text, "result": result, "retExtInfo": {}}
        return HttpAnswer(200, _encoder.encode(body | {"time": now.wall}))

    def _klines(self, query: Mapping[str, str]) -> tuple[int, str, Mapping[str, Any]]:
        category, symbol = query.get("category", "linear"), query.get("symbol", "")
        interval, limit = query.get("interval", ""), _whole(query.get("limit", str(REST_USUAL)))
        start, end = _whole(query.get("start", "0")), _whole(query.get("end", str(2**62)))
        if category not in CATEGORIES:
            return _PARAMS_ERROR, "params error: Category is invalid", {}
        if symbol not in self.symbols:
            told = "Not supported symbols" if category == "spot" else "params error: symbol invalid"
            return _PARAMS_ERROR, told, {}
        if interval not in INTERVALS:
            return _PARAMS_ERROR, "Invalid period!", {}
        if start is None or end is None or limit is None or not 0 < limit <= REST_MOST:
            return _PARAMS_ERROR, "params error: invalid range", {}
        rows = [row for row in self._rows(symbol, interval) if start <= int(row[0]) <= end]
        newest_first = rows[: -limit - 1 : -1]
        return 0, "OK", {"category": category, "symbol": symbol, "list": newest_first}

    def _rows(self, symbol: str, interval: str) -> Sequence[Sequence[str]]:
        """Oldest first, the last one under way."""
        source = self.topics.get(f"kline.{interval}.{symbol}")
        if source is None:
            return ()
        running = self._shelf.running(source)
        quotes = [*self._shelf.closed(source), *(() if running is None else (running,))]
        return [rest_row(quote) for quote in quotes]


class BybitLine:
    """One client's connection: its topics, and when the venue last knew it to be alive."""

    def __init__(self, server: BybitServer, category: str, name: str, now: Instant) -> None:
        self._server = server
        self._is_spot = category == "spot"
        self._name = name
        self._topics: dict[str, None] = {}
        self._alive_ns: int = now.mono

    def greet(self, now: Instant) -> Sequence[Answer]:
        """The venue says nothing."""
        del now
        return ()

    def publish(self, quote: Quote, now: Instant) -> str | None:
        """The kline; None without a subscription."""
        if topic_of(quote.bar.source) not in self._topics:
            return None
        self._alive_ns = now.mono
        return kline_text(quote, now.wall)

    def next_at(self) -> int | None:
        """When the connection will have been silent for too long."""
        return self._alive_ns + SILENCE_S * NS_PER_S

    def advance(self, now: Instant) -> Sequence[Answer]:
        """The cut, for want of pings and of data."""
        if now.mono - self._alive_ns < SILENCE_S * NS_PER_S:
            return ()
        return (Violation("no ping", code=ABRUPT),)

    def farewell(self, now: Instant) -> Sequence[str]:
        """The venue says nothing."""
        del now
        return ()

    def receive(self, frame: str | bytes, now: Instant) -> Sequence[Answer]:
        """The answer to ``frame``; none to topics that are all subscribed already."""
        request = parsed_object(frame)
        if request is None:
            return (self._error("Params Error", {}),)
        match request.get("op"):
            case "ping":
                self._alive_ns = now.mono
                return (self._answer(request, "ping", "pong", success=True),)
            case "subscribe" | "unsubscribe" as op:
                act = self._subscribe if op == "subscribe" else self._unsubscribe
                topics = _topics(request.get("args"))
                return act(request, topics) if topics else (self._error("Params Error", request),)
        return (self._error("Invalid op", request),)

    def _subscribe(self, request: Mapping[str, Any], topics: Sequence[str]) -> Sequence[Answer]:
        if self._is_spot and len(topics) > TOPICS_PER_REQUEST:
            return (self._error(f"args size >{TOPICS_PER_REQUEST}", request),)
        wrong = next((told for topic in topics if (told := self._wrong_with(topic))), None)
        if wrong is not None:
            return (self._error(wrong, request),)
        new = [topic for topic in topics if topic not in self._topics]
        if sum(map(len, [*self._topics, *new])) > MOST_CHARACTERS:
            return (self._error(f"args length >{MOST_CHARACTERS}", request),)
        self._topics.update(dict.fromkeys(new))
        text = "subscribe" if self._is_spot else ""
        return (self._answer(request, "subscribe", text, success=True),) if new else ()

    def _unsubscribe(self, request: Mapping[str, Any], topics: Sequence[str]) -> Sequence[Answer]:
        for topic in topics:
            self._topics.pop(topic, None)
        text = "unsubscribe" if self._is_spot else ""
        return (self._answer(request, "unsubscribe", text, success=True),)

    def _wrong_with(self, topic: str) -> str | None:
        """The two kinds of markets have words of their own."""
        shown = excerpt(topic[:_LONGEST_ID])
        kind, _, rest = topic.partition(".")
        interval, _, symbol = rest.partition(".")
        known = kind == "kline" and interval in INTERVALS and symbol in self._server.symbols
        if not self._is_spot:
            if topic in self._topics:
                return f"error:already subscribed,topic:{shown}"
            return None if known else f"error:handler not found,topic:{shown}"
        if kind == "kline" and interval not in INTERVALS:
            return f"Invalid kline type :[{shown}]"
        if kind == "kline" and not known:
            return f"Invalid symbol :[{shown}]"
        return None if known else f"Invalid topic: {shown}"

    def _error(self, text: str, request: Mapping[str, Any]) -> str:
        op = request.get("op")
        return self._answer(request, op if isinstance(op, str) else "", text, success=False)

    def _answer(self, request: Mapping[str, Any], op: str, text: str, *, success: bool) -> str:
        number = request.get("req_id")
        named = {"req_id": excerpt(number)} if isinstance(number, str) else {}
        told = {"success": success, "ret_msg": text, "conn_id": self._name}
        return _encoder.encode({**told, **named, "op": excerpt(op)}).decode()


def _category(path: str) -> str:
    where, _, last = path.partition("?")[0].rstrip("/").rpartition("/")
    return last if where == "/v5/public" else ""


def _topics(args: object) -> Sequence[str]:
    """Those of a request; none where they are not all texts."""
    if not isinstance(args, list):
        return ()
    return args if all(isinstance(arg, str) for arg in args) else ()


def _whole(text: str) -> int | None:
    """A number of up to 19 digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(2**63)) else None
