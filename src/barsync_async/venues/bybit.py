"""Bybit v5 klines, the client's side: spot, linear and inverse, by the last part of the URL's path.

Endpoint, frames and limits are those of the venue's web socket documentation. ``start`` is a
kline's open time and ``end`` the last millisecond of its interval, so ``end + 1`` is the bar's
timestamp; ``timestamp`` is the last trade's moment, and not looked at. ``confirm`` says that a
kline is final. The symbol stands in ``topic`` alone.

One topic that does not exist makes the venue refuse the whole request in which it stands, and it
names that topic: the others are asked for again. Of a topic that is subscribed already, the spot
market says nothing at all, so its bars are taken for the answer.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Annotated, Any

import msgspec

from barsync_async.messages import Bar, excerpt, flaw
from barsync_async.units import TIMEFRAMES, SourceId, WallMs, split_source
from barsync_async.venues.bybit_market import (
    CATEGORIES,
    INTERVALS,
    address,
    category,
    topic,
)
from barsync_async.venues.facts import VenueFacts
from barsync_async.venues.fields import (
    MAX_FRAME_BYTES,
    NO_JSON,
    Timestamp,
    oldest_first,
    oversized,
    rejection,
)
from barsync_async.venues.history.bybit import BybitHistory
from barsync_async.venues.keep_alive import KeepAlive
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import (
    Acknowledged,
    Received,
    Refusal,
    Rejection,
    Reply,
)

_TOPICS_PER_REQUEST = 10
_MOST_ROWS = 100  # the venue sends one
_FLAG_IS_NEAR = 128  # characters from the end
_NAMED = re.compile(r"kline\.[^\s,\]\"]+")
_LONGEST_TEXT = 2_048
_PASSING = re.compile(
    r"too many|frequent|rate limit|internal|unavailable|busy|time ?out", re.IGNORECASE
)


class _Kline(msgspec.Struct, gc=False):
    start: Timestamp
    end: Timestamp
    open: float
    high: float
    low: float
    close: float
    volume: float
    confirm: Any  # a lax decoder takes "true" and 1 for booleans


class _Final(msgspec.Struct, gc=False):
    topic: str
    data: tuple[_Kline]


class _Flag(msgspec.Struct, gc=False):
    confirm: bool


class _Running(msgspec.Struct, gc=False):
    """Of a kline, as much as tells whether it is worth more."""

    topic: str
    data: tuple[_Flag]


class _Look(msgspec.Struct):
    """All other kinds of frames at once."""

    topic: str | None = None
    op: str | None = None
    success: bool | None = None
    ret_msg: str | None = None
    req_id: str | None = None
    code: Annotated[int, msgspec.Meta(ge=0, le=999_999)] | None = msgspec.field(
        default=None, name="retCode"
    )
    message: str | None = msgspec.field(default=None, name="retMsg")


class _Topic(msgspec.Struct):
    topic: str


class _Rows(msgspec.Struct):
    data: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=_MOST_ROWS)]


_final = msgspec.json.Decoder(_Final, strict=False)  # prices are strings
_running = msgspec.json.Decoder(_Running)
_look = msgspec.json.Decoder(_Look)
_kline = msgspec.json.Decoder(_Kline, strict=False)
_topic = msgspec.json.Decoder(_Topic)
_rows = msgspec.json.Decoder(_Rows)


class BybitCodec:
    """Makes sessions; knows the endpoint and what the venue offers."""

    name = "bybit"
    default_url = "wss://stream.bybit.com/v5/public/spot"
    facts = VenueFacts(
        title="Bybit spot, linear and inverse",
        timeframes=tuple(INTERVALS),
        finality="flag",
        revisions="none",
        silence="no bar",  # or an empty one: reports differ, and nobody is cut for it
        max_sources=500,  # all topics of a connection: at most 21,000 characters
        limits="10 topics in a request from us; 500 connections in 5 minutes from one address",
    )
    history = BybitHistory()

    def supports(self, source: SourceId, options: VenueOptions) -> str | None:
        """Why ``source`` cannot come from the venue. No ``url`` helps: intervals are names of a
        fixed list.
        """
        _, timeframe = split_source(source)
        if timeframe not in INTERVALS:
            return f"Bybit has no {timeframe} klines; it has {' '.join(INTERVALS)}"
        found = category(options)
        if found not in CATEGORIES:
            known = ", ".join(CATEGORIES)
            return f"Bybit has klines of {known}; the path of url ends with {excerpt(found)}"
        return None

    def stream(self, source: SourceId) -> str:
        """``BTC/USDT_1m`` -> ``kline.1.BTCUSDT``."""
        return topic(source)

    def session(self, sources: Sequence[SourceId], options: VenueOptions) -> "BybitSession":
        """The state of a new connection that carries ``sources``."""
        return BybitSession(sources, options.url or self.default_url)


class BybitSession:
    """One connection: subscriptions out, bars in. Pure; never raises on what it receives."""

    send_interval_ms = 50  # undocumented: 200 requests at once were seen to be taken
    keep_alive = KeepAlive('{"op":"ping"}', every_ms=20_000)  # as often as the venue recommends
    silence_ms = 45_000  # two pings without a pong

    def __init__(self, sources: Sequence[SourceId], url: str) -> None:
        self.url = address(url)
        self._routes = {topic(source): _route(source) for source in sources}
        self._unsettled = {topic(source): source for source in sources}
        self._requests: dict[str, Sequence[str]] = {}
        self._numbers = count(1)
        topics = list(self._unsettled)
        self._opening = [
            self._ask(topics[start : start + _TOPICS_PER_REQUEST])
            for start in range(0, len(topics), _TOPICS_PER_REQUEST)
        ]

    def opening_frames(self) -> Sequence[str]:
        """One subscription for every ten sources."""
        return self._opening

    def unacknowledged(self) -> Sequence[SourceId]:
        """The sources whose subscription the venue has not answered."""
        return list(self._unsettled.values())

    def receive(self, frame: str | bytes) -> Sequence[Received]:
        """What ``frame`` means; nothing for a running kline or another channel's event."""
        if len(frame) > MAX_FRAME_BYTES:
            return (oversized(frame),)
        # A hint at which decoder will do: the word is where a final kline's flag usually is.
        word = b"true" if type(frame) is bytes else "true"
        try:
            if frame.rfind(word, -_FLAG_IS_NEAR) < 0:  # type: ignore[arg-type]
                seen = _running.decode(frame)
                if seen.topic in self._routes and not seen.data[0].confirm:
                    if self._unsettled:
                        self._unsettled.pop(seen.topic, None)
                    return ()
            else:
                event = _final.decode(frame)
                if event.data[0].confirm is True:
                    return (self._bar(event.topic, event.data[0], frame),)
        except NO_JSON:
            pass
        return self._unusual(frame)

    def _unusual(self, frame: str | bytes) -> Sequence[Received]:
        """Not one kline of ours that is as it should be."""
        try:
            seen = _look.decode(frame)
        except NO_JSON as error:
            return self._sift(frame, error)
        if seen.topic is None:
            return self._answer(seen, frame)
        if seen.topic.startswith("kline."):
            return self._sift(frame, ValueError("a kline without data"))
        return ()

    # Bars

    def _bar(self, name: str, kline: _Kline, frame: str | bytes) -> Bar | Rejection:
        route = self._routes.get(name)
        if route is None:
            return Rejection("unknown_source", excerpt(name))
        if self._unsettled:
            self._unsettled.pop(name, None)
        symbol, timeframe, length_ms, anchor_ms = route
        timestamp: WallMs = kline.end + 1  # type: ignore[assignment]  # WallMs(...) is a slow call
        if timestamp - kline.start != length_ms or (timestamp - anchor_ms) % length_ms:
            return Rejection("invalid", f"no {timeframe} bar: {kline.start} to {kline.end}")
        bar = Bar(
            symbol,
            timeframe,
            timestamp,
            kline.open,
            kline.high,
            kline.low,
            kline.close,
            kline.volume,
        )
        wrong = flaw(bar)
        return bar if wrong is None else rejection("invalid", wrong, frame)

    def _sift(self, frame: str | bytes, error: Exception) -> Sequence[Received]:
        """Row by row: a wrong or a running one must not take those beside it along."""
        malformed = (rejection("malformed", str(error), frame),)
        try:
            name = _topic.decode(frame).topic
            if not name.startswith("kline."):
                return ()
            rows = _rows.decode(frame).data
        except NO_JSON:
            return malformed
        found = (self._sifted(name, bytes(row)) for row in rows)
        items: list[Bar | Rejection] = [item for item in found if item is not None]
        return oldest_first(items) if rows else malformed

    def _sifted(self, name: str, text: bytes) -> Bar | Rejection | None:
        try:
            kline = _kline.decode(text)
        except NO_JSON as error:
            return rejection("malformed", str(error), text)
        if kline.confirm is False:
            return None
        if kline.confirm is True:
            return self._bar(name, kline, text)
        return rejection("malformed", "confirm is neither true nor false", text)

    # Answers

    def _answer(self, seen: _Look, frame: str | bytes) -> Sequence[Received]:
        if seen.op == "subscribe" and seen.success is not None:
            return list(self._subscribed(seen))
        if seen.success is False or seen.code:
            text = seen.ret_msg or seen.message or "refused without a reason"
            code = f"error {seen.code}: " if seen.code else ""
            return (Refusal((), excerpt(f"{code}{text}"), final=seen.op == "auth"),)
        if seen.op is None or seen.op == "subscribe":
            return (rejection("malformed", "no known message", frame),)
        return ()

    def _subscribed(self, seen: _Look) -> Iterator[Received]:
        text = (seen.ret_msg or "refused without a reason")[:_LONGEST_TEXT]
        named = set(_NAMED.findall(text))
        number = self._number(seen, named)
        if seen.success:
            yield Acknowledged(self._settle(self._requests.pop(number, ())))
        elif number not in self._requests or _PASSING.search(_NAMED.sub("", text)):
            yield Refusal((), excerpt(text), final=False)
        else:
            yield from self._refused(self._requests.pop(number), named, text)

    def _number(self, seen: _Look, named: set[str]) -> str:
        """The request that is answered; some errors tell only a topic of it."""
        if seen.req_id or seen.success:
            return seen.req_id or ""
        found = (each for each, topics in self._requests.items() if named.intersection(topics))
        return next(found, "")

    def _refused(self, topics: Sequence[str], named: set[str], text: str) -> Iterator[Received]:
        blamed = [each for each in topics if each in named or len(topics) == 1]
        sources = self._settle(blamed)
        if sources and "already subscribed" in text:
            yield Acknowledged(sources)
        elif sources:
            yield Refusal(sources, excerpt(text), final=True)
        rest = [each for each in topics if each in self._unsettled]
        middle = 0 if blamed else len(rest) // 2  # nobody is named: look for the one by halves
        for part in (rest[:middle], rest[middle:]):
            if part:
                yield Reply(self._ask(part))

    def _settle(self, topics: Iterable[str]) -> tuple[SourceId, ...]:
        return tuple(self._unsettled.pop(each) for each in topics if each in self._unsettled)

    def _ask(self, topics: Sequence[str]) -> str:
        number = str(next(self._numbers))
        self._requests[number] = topics
        request = {"req_id": number, "op": "subscribe", "args": topics}
        return msgspec.json.encode(request).decode()


def _route(source: SourceId) -> tuple[str, str, int, int]:
    """Our symbol and timeframe, with its length and anchor in ms."""
    symbol, name = split_source(source)
    timeframe = TIMEFRAMES[name]
    return symbol, name, timeframe.length_ms, timeframe.anchor_ms
