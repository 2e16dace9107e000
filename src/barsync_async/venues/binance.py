"""Binance klines, the client's side: one wire format for spot and for USD-M futures.

Frames and limits are those of the venue's web socket streams documentation; what the markets have
each of their own is a :class:`BinanceMarket`, spot's here. A kline's ``t`` is its open time and
``T`` the last millisecond of its interval, so ``T + 1`` is the bar's timestamp; ``k.x`` says that
it is final. Running klines, by far the most frequent frames, are given up after one look at that
flag.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from barsync_async.messages import Bar, Trade, excerpt, flaw
from barsync_async.units import TIMEFRAMES, TRADES, SourceId, WallMs, split_source, split_stream
from barsync_async.venues.facts import VenueFacts
from barsync_async.venues.fields import (
    MAX_FRAME_BYTES,
    NO_JSON,
    Name,
    Timestamp,
    compact_symbol,
    oversized,
    rejection,
)
from barsync_async.venues.history.binance import BinanceHistory
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import (
    Acknowledged,
    GoingAway,
    Received,
    Refusal,
    Rejection,
    Traded,
)

_STREAMS_PER_REQUEST = 100


class _Flag(msgspec.Struct):
    x: bool


class _Look(msgspec.Struct):
    """As much of a payload as tells whether it is worth a second look."""

    e: str | None = None
    k: _Flag | None = None


class _Error(msgspec.Struct):
    code: int
    msg: str


class _Envelope(msgspec.Struct):
    """Every kind of frame at once: raw or combined event, acknowledgement, error."""

    stream: str | None = None
    data: _Look | None = None
    e: str | None = None
    k: _Flag | None = None
    id: int | str | None = None
    result: Any = msgspec.UNSET
    error: _Error | None = None
    code: int | None = None
    msg: str | None = None


class _Kline(msgspec.Struct):
    t: Timestamp
    T: Timestamp
    s: Name
    i: Name
    o: float
    h: float
    l: float  # noqa: E741 - the venue's name
    c: float
    v: float
    x: Any  # a lax decoder takes "true" and 1 for booleans


class _Event(msgspec.Struct):
    k: _Kline


class _Trade(msgspec.Struct):
    """A trade, or trades of one order at one price; they are numbered by ``t`` or ``a``."""

    s: Name
    p: float
    q: float
    T: Timestamp
    t: int | None = None
    a: int | None = None


class _WholeTrade(msgspec.Struct):
    data: _Trade


class _Whole(msgspec.Struct):
    """A kline's frame in full, raw or combined."""

    data: _Event | None = None
    k: _Kline | None = None


_look = msgspec.json.Decoder(_Envelope)
_whole = msgspec.json.Decoder(_Whole, strict=False)  # prices are strings
_trade = msgspec.json.Decoder(_Trade, strict=False)
_combined_trade = msgspec.json.Decoder(_WholeTrade, strict=False)


class BinanceMarket(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the venue's markets has of its own.

    Args:
        name: what a config calls it.
        short: what a person calls it.
        endpoint: the host of its streams.
        trades: what its streams of trades are called.
        root: the path before ``/ws`` and ``/stream``.
        send_interval_ms: the least time between two frames of ours.
        facts: its figures.
        history: its REST endpoint.
    """

    name: str
    short: str
    endpoint: str
    trades: str
    root: str
    send_interval_ms: int
    facts: VenueFacts
    history: BinanceHistory


SPOT = BinanceMarket(
    name="binance",
    short="Binance",
    endpoint="wss://data-stream.binance.vision",
    trades="trade",
    root="",
    send_interval_ms=300,  # the venue allows 5 incoming messages a second, pongs included
    facts=VenueFacts(
        title="Binance spot",
        timeframes=tuple(name for name in TIMEFRAMES if name not in ("5s", "15s", "30s")),
        finality="flag",
        revisions="none",
        silence="empty bar",
        max_sources=1_024,
        trades=True,
        limits="5 messages a second from us; 300 connections in 5 minutes from one address",
        lifetime_s=86_400,
    ),
    history=BinanceHistory(
        endpoint="https://data-api.binance.vision",
        path="/api/v3/klines",
        most=1_000,
        interval_ms=100,  # a request weighs 2 of the 6,000 of a minute, however long its page
    ),
)


class BinanceCodec:
    """Makes sessions; knows the endpoint and what the market offers."""

    def __init__(self, market: BinanceMarket = SPOT) -> None:
        self._market = market
        self.name = market.name
        self.default_url = market.endpoint
        self.facts = market.facts
        self.history = market.history

    def supports(self, source: SourceId, options: VenueOptions) -> str | None:
        """Why ``source`` cannot come from the venue, or from the ``url`` in ``options``."""
        _, timeframe = split_source(source)
        if options.url is None and timeframe not in self.facts.timeframes:
            offered = " ".join(self.facts.timeframes)
            return f"{self._market.short} has no {timeframe} klines; it has {offered}"
        return None

    def stream(self, source: SourceId) -> str:
        """``BTC/USDT_1m`` -> ``btcusdt@kline_1m``."""
        return _stream(source, self._market.trades)

    def session(self, sources: Sequence[SourceId], options: VenueOptions) -> "BinanceSession":
        """The state of a new connection that carries ``sources``."""
        return BinanceSession(sources, options.url or self.default_url, self._market)


class BinanceSession:
    """One connection: subscriptions out, bars in. Pure; never raises on what it receives."""

    keep_alive = None
    silence_ms = None

    def __init__(self, sources: Sequence[SourceId], url: str, market: BinanceMarket = SPOT) -> None:
        self.url = _address(url, market.root)
        self.send_interval_ms = market.send_interval_ms
        self._routes = _routes(sources)
        self._trades = {
            compact_symbol(symbol): symbol
            for symbol, kind in map(split_stream, sources)
            if kind == TRADES
        }
        self._trade_stream = market.trades
        self._requests = {
            number: tuple(sources[start : start + _STREAMS_PER_REQUEST])
            for number, start in enumerate(range(0, len(sources), _STREAMS_PER_REQUEST), 1)
        }
        self._pending = dict(self._requests)

    def opening_frames(self) -> Sequence[str]:
        """One SUBSCRIBE for every hundred sources."""
        return [
            _subscribe(number, [_stream(source, self._trade_stream) for source in sources])
            for number, sources in self._requests.items()
        ]

    def unacknowledged(self) -> Sequence[SourceId]:
        """The sources whose subscription the venue has not answered."""
        return [source for sources in self._pending.values() for source in sources]

    def receive(self, frame: str | bytes) -> Sequence[Received]:
        """What ``frame`` means; nothing for a running kline or another channel's event."""
        if len(frame) > MAX_FRAME_BYTES:
            return (oversized(frame),)
        try:
            # A hint that saves a final kline the look: somewhere in it is the word. From behind,
            # where the flag is, and because rfind takes a third of the time of ``in``.
            hint = frame.rfind(b"true") if isinstance(frame, bytes) else frame.rfind("true")
            if hint >= 0 and (kline := _final(frame)) is not None:
                return (self._bar(kline, frame),)
            seen = _look.decode(frame)
            flag = seen.k or (seen.data.k if seen.data else None)
            if flag is None:
                return self._answer(seen, frame)
            if flag.x:
                _whole.decode(frame)  # tells what is wrong with it
                return (rejection("malformed", "two klines", frame),)
        except NO_JSON as error:
            return (rejection("malformed", str(error), frame),)
        return ()

    def _bar(self, kline: _Kline, frame: str | bytes) -> Bar | Rejection:
        route = self._routes.get((kline.s, kline.i))
        if route is None:
            return Rejection("unknown_source", excerpt(f"{kline.s} {kline.i}"))
        symbol, timeframe, length_ms = route
        timestamp: WallMs = kline.T + 1  # type: ignore[assignment]  # WallMs(...) is a slow call
        if timestamp - kline.t != length_ms:
            return Rejection("invalid", f"t {kline.t} to T {kline.T} is not {timeframe} long")
        bar = Bar(
            symbol,
            timeframe,
            timestamp,
            kline.o,
            kline.h,
            kline.l,
            kline.c,
            kline.v,
        )
        wrong = flaw(bar)
        return bar if wrong is None else rejection("invalid", wrong, frame)

    def _answer(self, seen: _Envelope, frame: str | bytes) -> Sequence[Received]:
        if seen.error is not None or seen.code is not None:
            return (self._refusal(seen),)
        if seen.result is not msgspec.UNSET:
            sources = self._pending.pop(seen.id, ()) if isinstance(seen.id, int) else ()
            return (Acknowledged(sources),)
        event = seen.e or (seen.data.e if seen.data else None)
        if event == "serverShutdown":
            return (GoingAway("the venue announced its shutdown"),)
        if event == self._trade_stream:
            return (self._traded(frame, is_combined=seen.e is None),)
        if event == "kline" or (event is None and seen.stream is None):
            wrong = "a kline without k" if event else "no known message"
            return (rejection("malformed", wrong, frame),)
        return ()

    def _traded(self, frame: str | bytes, *, is_combined: bool) -> Traded | Rejection:
        told = _combined_trade.decode(frame).data if is_combined else _trade.decode(frame)
        symbol = self._trades.get(told.s)
        if symbol is None:
            return Rejection("unknown_source", excerpt(f"trades of {told.s}"))
        number = told.t if told.a is None else told.a
        return Traded(symbol, Trade(told.p, told.q, WallMs(told.T), number, number or 0))

    def _refusal(self, seen: _Envelope) -> Refusal:
        code = seen.error.code if seen.error else seen.code
        told = (seen.error.msg if seen.error else seen.msg) or ""
        sources = self._pending.pop(seen.id, ()) if isinstance(seen.id, int) else ()
        return Refusal(sources, excerpt(f"error {code}: {told}"), final=bool(sources))


def _final(frame: str | bytes) -> _Kline | None:
    """The final kline in ``frame``; None where that is not all that it is."""
    try:
        whole = _whole.decode(frame)
    except msgspec.ValidationError:
        return None
    kline = whole.k or (whole.data.k if whole.data else None)
    return kline if kline is not None and kline.x is True else None


def _address(url: str, root: str) -> str:
    """``url`` with the path of the combined stream, unless it has one of its own."""
    path = urlsplit(url).path.rstrip("/")
    if path not in ("", root):
        return url
    return f"{url.rstrip('/').removesuffix(root)}{root}/stream"


def _routes(sources: Sequence[SourceId]) -> Mapping[tuple[str, str], tuple[str, str, int]]:
    """From the venue's symbol and interval to ours, with the interval's length in ms."""
    routes = {}
    for symbol, timeframe in map(split_stream, sources):
        if timeframe == TRADES:
            continue
        route = (symbol, timeframe, TIMEFRAMES[timeframe].length_ms)
        routes[compact_symbol(symbol), timeframe] = route
    return routes


def _stream(source: SourceId, trades: str) -> str:
    symbol, kind = split_stream(source)
    wanted = trades if kind == TRADES else f"kline_{kind}"
    return f"{compact_symbol(symbol).lower()}@{wanted}"


def _subscribe(number: int, streams: Sequence[str]) -> str:
    request = {"method": "SUBSCRIBE", "params": streams, "id": number}
    return msgspec.json.encode(request).decode()
