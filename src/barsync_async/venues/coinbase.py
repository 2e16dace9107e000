"""Coinbase Advanced Trade candles, the client's side.

Endpoint, frames and limits are those of the venue's web socket documentation. There are buckets
of five minutes and no others; a bucket is told again and again while it runs, and nothing says
which state is the last. ``start`` is its open time in seconds, as text. The ``heartbeats`` channel
is subscribed beside ``candles``: without it a quiet subscription is closed after 60 to 90 s.

Answers carry no number of the request, so one request waits for the answer to the one before: what
an error is about is then certain. Where it names no product and several were asked for, they are
asked for one by one.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Annotated

import msgspec

from barsync_async.messages import Bar, excerpt, flaw
from barsync_async.units import MAX_WALL_MS, TIMEFRAMES, SourceId, WallMs, split_source
from barsync_async.venues.coinbase_product import product_id, usd_twin
from barsync_async.venues.facts import VenueFacts
from barsync_async.venues.fields import NO_JSON, Name, oldest_first, oversized, rejection
from barsync_async.venues.history.coinbase import CoinbaseHistory
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import (
    Acknowledged,
    Received,
    Refusal,
    Rejection,
    Reply,
    Running,
)

_TIMEFRAME = "5m"
_LENGTH_MS = TIMEFRAMES[_TIMEFRAME].length_ms
_LENGTH_S = _LENGTH_MS // 1_000
_PRODUCTS_PER_REQUEST = 10  # each brings a snapshot of its own, some 15 KB
_MAX_FRAME_BYTES = 262_144  # for the snapshots
_MOST_SIFTED = 2_000
_HEARTBEATS = '{"type":"subscribe","channel":"heartbeats"}'

_PRODUCT = re.compile(r"[A-Z0-9]+(?:-[A-Z0-9]+)+")
_PASSING = re.compile(
    r"\brate\b|too many|limit|slow|internal|unavailable|time ?out|try again", re.IGNORECASE
)
_UNWANTED = re.compile(r"authenticat|unauthori[sz]ed|forbidden", re.IGNORECASE)

_Start = Annotated[int, msgspec.Meta(ge=0, le=(MAX_WALL_MS - _LENGTH_MS) // 1_000)]


class _Candle(msgspec.Struct, gc=False):
    start: _Start
    open: float
    high: float
    low: float
    close: float
    volume: float
    product_id: Name


class _UpdateEvent(msgspec.Struct, gc=False):
    candles: tuple[_Candle]


class _Update(msgspec.Struct, gc=False):
    """One candle, the most frequent frame."""

    channel: str
    events: tuple[_UpdateEvent]


class _Event(msgspec.Struct):
    candles: list[_Candle] | None = None
    subscriptions: dict[str, list[str] | None] | None = None


class _Message(msgspec.Struct):
    """Every kind of frame at once: data, acknowledgement, heartbeat, error."""

    channel: str | None = None
    events: list[_Event] | None = None
    type: str | None = None
    message: str | None = None
    reason: str | None = None


class _Channel(msgspec.Struct):
    """As much of a frame as tells whether something wrong in it matters."""

    channel: str


class _SiftedEvent(msgspec.Struct):
    candles: list[msgspec.Raw] | None = None


class _Sifted(msgspec.Struct):
    """A frame one of whose candles is wrong."""

    events: list[_SiftedEvent] = []


_update = msgspec.json.Decoder(_Update, strict=False)  # numbers are strings
_message = msgspec.json.Decoder(_Message, strict=False)
_channel = msgspec.json.Decoder(_Channel)
_sifted = msgspec.json.Decoder(_Sifted)
_candle = msgspec.json.Decoder(_Candle, strict=False)


class CoinbaseCodec:
    """Makes sessions; knows the endpoint and what the venue offers."""

    name = "coinbase"
    default_url = "wss://advanced-trade-ws.coinbase.com"
    facts = VenueFacts(
        title="Coinbase Advanced Trade",
        timeframes=(_TIMEFRAME,),
        finality="later bar or clock",
        revisions="the running bar is told again every second",
        silence="no bar",
        max_sources=200,
        limits="8 messages and 8 connections a second from one address; "
        "a -USDC product is answered with the bars of its -USD twin",
    )
    history = CoinbaseHistory()

    def supports(self, source: SourceId, options: VenueOptions) -> str | None:
        """Why ``source`` cannot come from the venue. No ``url`` helps: a candle does not say how
        long it is.
        """
        del options
        symbol, timeframe = split_source(source)
        if timeframe != _TIMEFRAME:
            return f"Coinbase streams {_TIMEFRAME} candles only, not {timeframe}"
        if product_id(symbol) is None:
            return f"Coinbase has products like BTC-USD; {symbol} names no second currency"
        return None

    def stream(self, source: SourceId) -> str:
        """``BTC/USD_5m`` and ``BTC-USDC_5m`` -> ``candles BTC-USD``."""
        return f"candles {usd_twin(_product(source))}"

    def session(self, sources: Sequence[SourceId], options: VenueOptions) -> "CoinbaseSession":
        """The state of a new connection that carries ``sources``."""
        return CoinbaseSession(sources, options.url or self.default_url)


class CoinbaseSession:
    """One connection: subscriptions out, bars in. Pure; never raises on what it receives."""

    send_interval_ms = 200  # the venue allows 8 messages a second
    keep_alive = None
    silence_ms = 10_000  # ten heartbeats missed

    def __init__(self, sources: Sequence[SourceId], url: str) -> None:
        self.url = url
        self._symbols = _symbols(sources)
        self._pending = {source: _product(source) for source in sources}
        self._requests = deque(
            tuple(sources[start : start + _PRODUCTS_PER_REQUEST])
            for start in range(0, len(sources), _PRODUCTS_PER_REQUEST)
        )
        self._asked: tuple[SourceId, ...] = ()
        self._answers_due = 1  # to the heartbeats
        self._opening = [_HEARTBEATS, *(reply.text for reply in self._next())]

    def opening_frames(self) -> Sequence[str]:
        """The heartbeats and the first products; the others when these are answered."""
        return self._opening

    def unacknowledged(self) -> Sequence[SourceId]:
        """The sources whose subscription the venue has not answered."""
        return list(self._pending)

    def receive(self, frame: str | bytes) -> Sequence[Received]:
        """What ``frame`` means, its bars oldest first; nothing for another channel's event."""
        if len(frame) > _MAX_FRAME_BYTES:
            return (oversized(frame),)
        try:
            update = _update.decode(frame)
            if update.channel == "candles":
                return (self._bar(update.events[0].candles[0], frame),)
        except NO_JSON:
            pass
        return self._unusual(frame)

    def _unusual(self, frame: str | bytes) -> Sequence[Received]:
        """Not one candle that is as it should be."""
        try:
            message = _message.decode(frame)
        except NO_JSON as error:
            return self._sift(frame, error)
        if message.channel == "candles":
            return self._bars(message, frame)
        return self._answer(message, frame)

    # Bars

    def _bars(self, message: _Message, frame: str | bytes) -> Sequence[Received]:
        candles: list[_Candle] = []
        for event in message.events or ():
            candles += event.candles or ()
        candles.sort(key=attrgetter("start"))  # a snapshot begins with the newest
        return [self._bar(candle, frame) for candle in candles]

    def _bar(self, candle: _Candle, frame: str | bytes) -> Running | Rejection:
        symbol = self._symbols.get(candle.product_id)
        if symbol is None:
            return Rejection("unknown_source", excerpt(f"{candle.product_id} {_TIMEFRAME}"))
        if candle.start % _LENGTH_S:
            return Rejection("invalid", f"no {_TIMEFRAME} bar starts at {candle.start}")
        timestamp: WallMs = candle.start * 1_000 + _LENGTH_MS  # type: ignore[assignment]
        bar = Bar(
            symbol,
            _TIMEFRAME,
            timestamp,
            candle.open,
            candle.high,
            candle.low,
            candle.close,
            candle.volume,
        )
        wrong = flaw(bar)
        return Running(bar) if wrong is None else rejection("invalid", wrong, frame)

    def _sift(self, frame: str | bytes, error: Exception) -> Sequence[Received]:
        """A wrong candle must not take those beside it along."""
        malformed = rejection("malformed", str(error), frame)
        try:
            if _channel.decode(frame).channel not in ("candles", "subscriptions"):
                return ()
            events = _sifted.decode(frame).events
        except NO_JSON:
            return (malformed,)
        raws = [raw for event in events for raw in event.candles or ()]
        if not 1 < len(raws) <= _MOST_SIFTED:
            return (malformed,)
        return oldest_first(map(self._sifted_bar, raws))

    def _sifted_bar(self, raw: msgspec.Raw) -> Running | Rejection:
        text = bytes(raw)
        try:
            return self._bar(_candle.decode(text), text)
        except NO_JSON as error:
            return rejection("malformed", str(error), text)

    # Answers

    def _answer(self, message: _Message, frame: str | bytes) -> Sequence[Received]:
        if message.channel == "subscriptions":
            return self._subscribed(message)
        if message.type == "error":
            told = (message.message, message.reason)
            detail = ": ".join(text for text in told if text)
            return list(self._failed(excerpt(detail)))
        if message.channel is not None or message.type is not None:
            return ()
        return (rejection("malformed", "no known message", frame),)

    def _subscribed(self, message: _Message) -> Sequence[Received]:
        """The list of all that is subscribed; it may hold a -USDC product or its twin. What it
        lacks though it was asked for is left for the next connection.
        """
        self._answers_due -= 1
        named = {
            usd_twin(product)
            for event in message.events or ()
            for product in (event.subscriptions or {}).get("candles") or ()
        }
        sources = self._settle(lambda product: usd_twin(product) in named)
        answered = any(usd_twin(_product(source)) in named for source in self._asked)
        over = answered or self._answers_due <= 0
        return (Acknowledged(sources), *(self._next() if over else ()))

    def _failed(self, detail: str) -> Iterator[Received]:
        self._answers_due -= 1
        mentioned = set(_PRODUCT.findall(detail))
        if named := self._settle(lambda product: product in mentioned):
            yield Refusal(named, detail, final=True)
            yield from self._again(without=named)
        elif _UNWANTED.search(detail):
            yield Refusal((), detail, final=True)
        elif _PASSING.search(detail) or not self._asked:
            yield Refusal((), detail, final=False)
        else:
            yield from self._unnamed(detail)

    def _unnamed(self, detail: str) -> Iterator[Received]:
        """Something of what was asked for last is wrong, but which?"""
        if len(self._asked) == 1:
            products = {_product(source) for source in self._asked}
            yield Refusal(self._settle(products.__contains__), detail, final=True)
        else:
            self._requests.extendleft((source,) for source in reversed(self._asked))
        yield from self._next()

    def _again(self, without: Sequence[SourceId]) -> Sequence[Reply]:
        """What was asked for along with the refused took no effect either."""
        if not set(without) & set(self._asked):
            return ()
        rest = tuple(source for source in self._asked if source in self._pending)
        if rest:
            self._requests.appendleft(rest)
        return self._next()

    def _settle(self, is_named: Callable[[str], bool]) -> tuple[SourceId, ...]:
        """The pending sources whose product ``is_named``; they are answered now."""
        found = tuple(source for source, product in self._pending.items() if is_named(product))
        for source in found:
            del self._pending[source]
        return found

    def _next(self) -> Sequence[Reply]:
        """The next request, of what is still pending."""
        self._asked = ()
        while self._requests and not self._asked:
            sources = self._requests.popleft()
            self._asked = tuple(source for source in sources if source in self._pending)
        if not self._asked:
            return ()
        self._answers_due += 1
        return (Reply(_subscribe(map(_product, self._asked))),)


def _product(source: SourceId) -> str:
    symbol, _ = split_source(source)
    return product_id(symbol) or symbol


def _symbols(sources: Sequence[SourceId]) -> Mapping[str, str]:
    """From a product, or the one that the venue answers with in its place, to our symbol."""
    symbols = {_product(source): split_source(source)[0] for source in sources}
    return {usd_twin(product): symbol for product, symbol in symbols.items()} | symbols


def _subscribe(products: Iterable[str]) -> str:
    request = {"type": "subscribe", "product_ids": list(products), "channel": "candles"}
    return msgspec.json.encode(request).decode()
