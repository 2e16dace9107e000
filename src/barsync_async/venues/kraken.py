"""Kraken spot ``ohlc`` (API v2), the client's side.

Endpoint, frames and limits are those of the venue's web socket documentation. An update comes with
every trade and nothing says which is the bar's last; a minute without a trade has none at all.
``interval_begin`` is the open time. The row's ``timestamp`` is the interval's end, and deprecated;
the envelope's is when it was sent: neither is looked at. A snapshot of past bars follows every
subscription, so after a reconnection bars come again.

Each symbol is answered on its own. One that is refused is silent for ever while heartbeats keep
the connection looking alive. A connection carries one interval a symbol; a second one is refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

import msgspec

from barsync_async.messages import Bar, excerpt, flaw
from barsync_async.units import MAX_WALL_MS, TIMEFRAMES, SourceId, WallMs, split_source
from barsync_async.venues.facts import VenueFacts
from barsync_async.venues.fields import (
    NO_JSON,
    Name,
    oldest_first,
    oversized,
    rejection,
    rfc3339_ms,
)
from barsync_async.venues.history.kraken import KrakenHistory
from barsync_async.venues.keep_alive import KeepAlive
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import (
    Acknowledged,
    Received,
    Refusal,
    Rejection,
    Running,
)
from barsync_async.venues.pairs import split_pair

_OFFERED = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
_SYMBOLS_PER_REQUEST = 100
_MAX_FRAME_BYTES = 262_144  # for the snapshots: a row has some 280 bytes
_MOST_SIFTED = 2_000
_MS_PER_MINUTE = 60_000
_V1_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
_PASSING = re.compile(
    r"exceeded|rate limit|too many|EService|unavailable|internal|time ?out", re.IGNORECASE
)

Route = tuple[str, str, int]
"""Our symbol and timeframe, with its length in ms; bars of all lengths offered lie on the epoch's
grid.
"""


class _Row(msgspec.Struct, gc=False):
    symbol: Name
    interval: int
    interval_begin: Name
    open: float
    high: float
    low: float
    close: float
    volume: float


class _Update(msgspec.Struct, gc=False):
    """One row, the most frequent frame."""

    channel: str
    data: tuple[_Row]


class _Subscription(msgspec.Struct):
    channel: str | None = None
    symbol: str | None = None
    interval: int | None = None


class _Answer(msgspec.Struct):
    """What is not data: an acknowledgement, an error, a pong."""

    method: str | None = None
    success: bool | None = None
    result: _Subscription | None = None
    error: str | None = None
    symbol: str | None = None
    req_id: int | None = None
    flood: str | None = msgspec.field(default=None, name="Error")


class _Message(_Answer):
    """Every kind of frame at once."""

    channel: str | None = None
    data: list[_Row] | None = None


class _Channel(msgspec.Struct):
    """As much of a frame as tells whether something wrong in it matters."""

    channel: str


class _Sifted(msgspec.Struct):
    """A frame one of whose rows is wrong."""

    data: list[msgspec.Raw] = []


_update = msgspec.json.Decoder(_Update)
_message = msgspec.json.Decoder(_Message)
_channel = msgspec.json.Decoder(_Channel)
_sifted = msgspec.json.Decoder(_Sifted)
_row = msgspec.json.Decoder(_Row)
_begin_ms = lru_cache(maxsize=1_024)(rfc3339_ms)  # all symbols' rows of a minute have the same text


class KrakenCodec:
    """Makes sessions; knows the endpoint and what the venue offers."""

    name = "kraken"
    default_url = "wss://ws.kraken.com/v2"
    facts = VenueFacts(
        title="Kraken spot",
        timeframes=_OFFERED,
        finality="later bar or clock",
        revisions="a snapshot after every (re)connection tells the newest bars again",
        silence="no bar",
        max_sources=300,
        one_timeframe=True,  # a symbol has one ohlc interval on a connection
        limits="about 15 messages at once from us, the figure is not published; "
        "one timeframe of a symbol on a connection",
    )
    history = KrakenHistory()

    def supports(self, source: SourceId, options: VenueOptions) -> str | None:
        """Why ``source`` cannot come from the venue. No ``url`` helps: intervals are whole minutes
        of a fixed list.
        """
        del options
        symbol, timeframe = split_source(source)
        if timeframe == "1w":
            return "Kraken's weeks open on Thursday, those of barsync on Monday"
        if timeframe not in _OFFERED:
            return f"Kraken has no {timeframe} bars; it has {' '.join(_OFFERED)}"
        if split_pair(symbol) is None:
            return f"Kraken has pairs like BTC/USD; {symbol} names no second currency"
        return None

    def stream(self, source: SourceId) -> str:
        """``XBTUSD_1m`` -> ``ohlc-1 BTC/USD``."""
        symbol, interval = _stream(source)
        return f"ohlc-{interval} {symbol}"

    def session(self, sources: Sequence[SourceId], options: VenueOptions) -> "KrakenSession":
        """The state of a new connection that carries ``sources``."""
        return KrakenSession(sources, options.url or self.default_url)


class KrakenSession:
    """One connection: subscriptions out, bars in. Pure; never raises on what it receives."""

    send_interval_ms = 200  # undocumented: some 15 at once were seen to be taken, the next refused
    keep_alive = KeepAlive('{"method":"ping"}', every_ms=2_000, only_in_silence=True)
    silence_ms = 5_000  # the venue's guide: no message for about 5 s is a dead connection

    def __init__(self, sources: Sequence[SourceId], url: str) -> None:
        self.url = url if urlsplit(url).path.strip("/") else url.rstrip("/") + "/v2"
        self._routes = _routes(sources)
        self._pending = {_stream(source): source for source in sources}
        self._requests = dict(enumerate(_requests(sources), 1))

    def opening_frames(self) -> Sequence[str]:
        """One subscription for every hundred symbols of an interval."""
        return [
            _subscribe(number, interval, symbols)
            for number, (interval, symbols) in self._requests.items()
        ]

    def unacknowledged(self) -> Sequence[SourceId]:
        """The sources whose subscription the venue has not answered."""
        return list(self._pending.values())

    def receive(self, frame: str | bytes) -> Sequence[Received]:
        """What ``frame`` means, its bars oldest first; nothing for another channel's event."""
        if len(frame) > _MAX_FRAME_BYTES:
            return (oversized(frame),)
        try:
            update = _update.decode(frame)
            if update.channel == "ohlc":
                return (self._bar(update.data[0], frame),)
        except NO_JSON:
            pass
        return self._unusual(frame)

    def _unusual(self, frame: str | bytes) -> Sequence[Received]:
        """Not one row that is as it should be."""
        try:
            message = _message.decode(frame)
        except NO_JSON as error:
            return self._sift(frame, error)
        if message.channel == "ohlc" and message.data is not None:
            # So they come, by the documentation; no bar hangs on that.
            return oldest_first([self._bar(row, frame) for row in message.data])
        return self._answer(message, frame)

    # Bars

    def _bar(self, row: _Row, frame: str | bytes) -> Running | Rejection:
        route = self._routes.get((row.symbol, row.interval))
        if route is None:
            return Rejection("unknown_source", excerpt(f"{row.symbol} {row.interval}"))
        symbol, timeframe, length_ms = route
        try:
            end: WallMs = _begin_ms(row.interval_begin) + length_ms  # type: ignore[assignment]
        except ValueError as error:
            return rejection("malformed", excerpt(str(error)), frame)
        if end % length_ms or end > MAX_WALL_MS:
            begin = excerpt(row.interval_begin)
            return Rejection("invalid", f"no {timeframe} bar begins at {begin}")
        bar = Bar(symbol, timeframe, end, row.open, row.high, row.low, row.close, row.volume)
        wrong = flaw(bar)
        return Running(bar) if wrong is None else rejection("invalid", wrong, frame)

    def _sift(self, frame: str | bytes, error: Exception) -> Sequence[Received]:
        """A wrong row must not take those beside it along."""
        malformed = rejection("malformed", str(error), frame)
        try:
            if _channel.decode(frame).channel != "ohlc":
                return ()
            rows = _sifted.decode(frame).data
        except NO_JSON:
            return (malformed,)
        if not 1 < len(rows) <= _MOST_SIFTED:
            return (malformed,)
        return oldest_first([self._sifted_bar(bytes(row)) for row in rows])

    def _sifted_bar(self, text: bytes) -> Running | Rejection:
        try:
            return self._bar(_row.decode(text), text)
        except NO_JSON as error:
            return rejection("malformed", str(error), text)

    # Answers

    def _answer(self, message: _Message, frame: str | bytes) -> Sequence[Received]:
        if message.flood is not None:
            return (Refusal((), excerpt(message.flood), final=False),)
        if message.method == "subscribe":
            return self._subscribed(message, frame)
        if message.channel == "ohlc" or (message.channel is None and message.method is None):
            return (rejection("malformed", "no known message", frame),)
        return ()

    def _subscribed(self, message: _Message, frame: str | bytes) -> Sequence[Received]:
        if message.error is not None or message.success is False:
            return (self._refusal(message),)
        result = message.result
        if result is None:
            return (rejection("malformed", "a subscription to nothing", frame),)
        if result.channel != "ohlc":
            return ()
        source = self._pending.pop((result.symbol or "", result.interval or 0), None)
        return (Acknowledged(() if source is None else (source,)),)

    def _refusal(self, message: _Message) -> Refusal:
        detail = excerpt(message.error or "refused without a reason")
        if _PASSING.search(detail.replace(message.symbol or "", "")):
            return Refusal((), detail, final=False)
        refused = list(self._refused(message))
        sources = tuple(self._pending.pop(stream) for stream in refused)
        return Refusal(sources, detail, final=bool(sources))

    def _refused(self, message: _Message) -> Iterator[tuple[str, int]]:
        """The pending streams that the error is about: of its request and symbol, where it names
        them.
        """
        request = self._requests.get(message.req_id or 0)
        if request is None and message.symbol is None:
            return
        for symbol, interval in self._pending:
            asked = request is None or (interval == request[0] and symbol in request[1])
            if asked and message.symbol in (None, symbol):
                yield symbol, interval


def _venue_symbol(symbol: str) -> str:
    """``xbt-usd`` -> ``BTC/USD``."""
    return "/".join(_V1_NAMES.get(name, name) for name in split_pair(symbol) or (symbol,))


def _stream(source: SourceId) -> tuple[str, int]:
    symbol, timeframe = split_source(source)
    return _venue_symbol(symbol), TIMEFRAMES[timeframe].length_ms // _MS_PER_MINUTE


def _routes(sources: Sequence[SourceId]) -> Mapping[tuple[str, int], Route]:
    """From the venue's symbol and interval to ours."""
    routes = {}
    for source in sources:
        symbol, timeframe = split_source(source)
        routes[_stream(source)] = (symbol, timeframe, TIMEFRAMES[timeframe].length_ms)
    return routes


def _requests(sources: Sequence[SourceId]) -> Iterator[tuple[int, Sequence[str]]]:
    """The intervals in the order of ``sources``, with their symbols, a hundred at a time."""
    by_interval: dict[int, list[str]] = {}
    for symbol, interval in map(_stream, sources):
        by_interval.setdefault(interval, []).append(symbol)
    for interval, symbols in by_interval.items():
        for start in range(0, len(symbols), _SYMBOLS_PER_REQUEST):
            yield interval, symbols[start : start + _SYMBOLS_PER_REQUEST]


def _subscribe(number: int, interval: int, symbols: Sequence[str]) -> str:
    params = {"channel": "ohlc", "symbol": symbols, "interval": interval, "snapshot": True}
    request = {"method": "subscribe", "params": params, "req_id": number}
    return msgspec.json.encode(request).decode()
