"""Polygon's (now Massive's) aggregates of stocks, the client's side.

Frames are arrays of mixed events, ``ev`` says of which kind: ``AM`` is a minute, ``A`` a second,
``status`` an answer. The venue greets, wants to be told who asks (one key, no secret), and takes
subscriptions only then; it confirms each channel by its name, and refuses without one. A bar is
sent after its window, ``s`` is the window's start, and again, with the same ``s``, when trades are
reported late, for up to 15 minutes. Integers may arrive as ``12.0``.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from barsync_async.messages import Bar, Trade, excerpt, flaw
from barsync_async.units import TIMEFRAMES, TRADES, SourceId, WallMs, split_source, split_stream
from barsync_async.venues.facts import VenueFacts
from barsync_async.venues.fields import Name, Timestamp
from barsync_async.venues.history.polygon import PolygonHistory, ticker
from barsync_async.venues.mixed import MixedFrames
from barsync_async.venues.options import Credentials, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, Received, Refusal, Rejection, Reply, Traded
from barsync_async.venues.sale_conditions import altered_by_numbers
from barsync_async.venues.secrecy import missing_credentials, without_secrets
from barsync_async.venues.subscriptions import Request, Subscriptions, in_requests

_CHANNELS_PER_REQUEST = 100
_PATH = "/stocks"
_CONFIRMED = "subscribed to: "
_CHANNELS: Mapping[str, str] = {"1m": "AM", "1s": "A", TRADES: "T"}


class _Minute(msgspec.Struct, tag_field="ev", tag="AM", gc=False):
    sym: Name
    o: float
    h: float
    l: float  # noqa: E741 - the venue's name
    c: float
    v: float
    s: Timestamp


class _Second(_Minute, tag="A", gc=False):
    pass


class _Trade(msgspec.Struct, tag_field="ev", tag="T", gc=False):
    sym: Name
    p: float
    s: float
    t: Timestamp
    q: int | None = None
    i: Name | None = None
    x: int | None = None
    trfi: int | None = None
    ds: float | None = None  # a text
    c: list[int] | None = None


class _Status(msgspec.Struct, tag_field="ev", tag="status"):
    status: str
    message: str = ""


_Event = _Minute | _Second | _Trade | _Status

_frames: MixedFrames[_Event] = MixedFrames(
    msgspec.json.Decoder(list[_Event], strict=False),
    msgspec.json.Decoder(_Event, strict=False),
    field="ev",
    kinds=frozenset({"AM", "A", "T", "status"}),
)


class PolygonCodec:
    """Makes sessions; knows the endpoint and what the venue offers."""

    name = "polygon"
    default_url = "wss://socket.massive.com/stocks"
    facts = VenueFacts(
        title="Polygon (Massive) stocks",
        timeframes=("1s", "1m"),
        finality="sent once",
        revisions="again for up to 15 minutes, each time trades were reported late",
        silence="no bar",
        max_sources=10_000,
        trades=True,
        limits="one connection with a key; another one ends it",
        credentials=("key",),
    )
    history = PolygonHistory()

    def supports(self, source: SourceId, options: VenueOptions) -> str | None:
        """Why ``source`` cannot come from the venue. The channels are two, so no ``url`` makes it
        carry other bars.
        """
        symbol, timeframe = split_source(source)
        if timeframe not in self.facts.timeframes:
            return f"{self.facts.title} have no {timeframe} bars; they have 1s and 1m"
        if ticker(symbol) is None:
            return f"{symbol!r} is no ticker of a stock, e.g. SPY or BRK.B"
        return missing_credentials(self.facts.title, self.facts.credentials, options)

    def stream(self, source: SourceId) -> str:
        """``SPY_1m`` -> ``AM.SPY``; ``spy_1s`` -> ``A.SPY``."""
        return _channel(source)

    def session(self, sources: Sequence[SourceId], options: VenueOptions) -> "PolygonSession":
        """The state of a new connection that carries ``sources``."""
        return PolygonSession(sources, options, self.default_url)


class PolygonSession:
    """One connection: greeted, authenticated, subscribed. Pure; never raises on what it gets."""

    send_interval_ms = 100  # no rate is published; a subscription names a hundred channels
    keep_alive = None
    silence_ms = None  # nothing comes outside the market's hours

    def __init__(
        self,
        sources: Sequence[SourceId],
        options: VenueOptions,
        default_url: str = PolygonCodec.default_url,
    ) -> None:
        url = options.url or default_url
        self.url = url if urlsplit(url).path.strip("/") else url.rstrip("/") + _PATH
        self._credentials = options.credentials or Credentials("")
        self._sources = {_channel(source): source for source in sources}
        self._routes = {
            _Minute: _routes(sources, "1m"),
            _Second: _routes(sources, "1s"),
        }
        self._trades = {
            ticker(symbol) or symbol: symbol
            for symbol, kind in map(split_stream, sources)
            if kind == TRADES
        }
        self._subscriptions = Subscriptions(_requests(sources))
        self._authenticated = False
        self._echoes = 0

    def opening_frames(self) -> Sequence[str]:
        """None: the venue speaks first."""
        return ()

    def unacknowledged(self) -> Sequence[SourceId]:
        """The sources that the venue has neither confirmed nor refused."""
        return self._subscriptions.pending

    def receive(self, frame: str | bytes) -> Sequence[Received]:
        """What ``frame`` means; nothing for events that were not asked for."""
        items: list[Received] = []
        answers: list[_Status] = []
        for event in _frames.read(frame):
            kind = type(event)
            if kind is _Minute or kind is _Second:
                items.append(self._bar(event))  # type: ignore[arg-type]  # by its very type
            elif kind is _Trade:
                items.append(self._trade(event))  # type: ignore[arg-type]  # by its very type
            elif isinstance(event, _Status):
                answers.append(event)
            elif isinstance(event, Rejection):
                items.append(without_secrets(event, self._credentials))
        if answers:
            items += (without_secrets(each, self._credentials) for each in self._answer(answers))
        return items

    def _bar(self, event: _Minute) -> Bar | Rejection:
        route = self._routes[type(event)].get(event.sym)
        if route is None:
            return Rejection("unknown_source", excerpt(event.sym))
        symbol, timeframe, length_ms = route
        if event.s % length_ms:
            return Rejection("invalid", f"{symbol}: no {timeframe} bar opens at {event.s}")
        timestamp: WallMs = event.s + length_ms  # type: ignore[assignment]  # WallMs(...) is slow
        bar = Bar(
            symbol,
            timeframe,
            timestamp,
            event.o,
            event.h,
            event.l,
            event.c,
            event.v,
        )
        wrong = flaw(bar)
        return bar if wrong is None else Rejection("invalid", f"{symbol} {event.s}: {wrong}")

    def _trade(self, event: _Trade) -> Traded | Rejection:
        symbol = self._trades.get(event.sym)
        if symbol is None:
            return Rejection("unknown_source", excerpt(f"trades of {event.sym}"))
        size = event.s if event.ds is None else event.ds
        at_ms = WallMs(event.t)
        alters = altered_by_numbers(event.c or (), at_ms)
        return Traded(symbol, Trade(event.p, size, at_ms, _identity(event), event.q or 0, alters))

    def _answer(self, answers: Sequence[_Status]) -> list[Received]:
        """Confirmations first: what a refusal in the same frame is about is among the others."""
        items = self._confirmed([each for each in answers if each.status == "success"])
        for each in answers:
            items += self._status(each.status, excerpt(each.message))
        return items + self._ask()

    def _confirmed(self, answers: Sequence[_Status]) -> list[Received]:
        channels = [
            channel.strip()
            for each in answers
            if each.message.startswith(_CONFIRMED)
            for channel in each.message.removeprefix(_CONFIRMED).split(",")
        ]
        ours = [self._sources[channel] for channel in channels if channel in self._sources]
        confirmed = self._subscriptions.confirm(ours)
        return [Acknowledged(confirmed)] if confirmed else []

    def _status(self, status: str, message: str) -> list[Received]:
        match status:
            case "connected":
                return [Reply(_request("auth", self._credentials.key))]
            case "auth_success":
                self._authenticated = True
            case "auth_failed":
                return [Refusal((), f"{status}: {message}", final=True)]
            case "auth_timeout" | "max_connections":
                # Another connection with our key took this one's place; it may end.
                return [Refusal((), f"{status}: {message}", final=False)]
            case "error":
                return self._error(message)
        return []

    def _error(self, message: str) -> list[Received]:
        detail = f"error: {message}"
        denied = "auth" in message.lower()
        if not self._subscriptions.asked:
            if self._echoes:  # one channel each of a request that was refused already
                self._echoes -= 1
                return []
            return [Refusal((), detail, final=denied and not self._authenticated)]
        self._echoes += len(self._subscriptions.asked) - 1
        refused = self._refused(denied=denied, full="limit" in message.lower())
        return [Refusal(refused, detail, final=True)] if refused else []

    def _refused(self, *, denied: bool, full: bool) -> Request:
        """A plan has the channels of a kind or not; a limit refuses a whole request."""
        if denied:
            return self._subscriptions.give_up_request()
        blamed = self._subscriptions.narrow()
        if blamed and full:  # there is no room for any other
            blamed += self._subscriptions.give_up()
        return blamed

    def _ask(self) -> list[Received]:
        request = self._subscriptions.next_request() if self._authenticated else ()
        return [Reply(_request("subscribe", ",".join(map(_channel, request))))] if request else []


def _requests(sources: Sequence[SourceId]) -> list[Request]:
    """Each of one kind of channel, so that a refusal is about that kind."""
    kinds = [
        [source for source in sources if split_stream(source)[1] == name] for name in _CHANNELS
    ]
    return [each for kind in kinds for each in in_requests(kind, _CHANNELS_PER_REQUEST)]


def _routes(sources: Sequence[SourceId], timeframe: str) -> Mapping[str, tuple[str, str, int]]:
    """From the venue's ticker to our symbol, with the interval's length in ms."""
    length_ms = TIMEFRAMES[timeframe].length_ms
    symbols = [symbol for symbol, name in map(split_stream, sources) if name == timeframe]
    return {ticker(symbol) or symbol: (symbol, timeframe, length_ms) for symbol in symbols}


def _identity(trade: _Trade) -> int | str | None:
    """One ticker's trades are told apart by exchange, reporting facility and id.

    Source: the venue's reference of trades ("unique per combination of ticker, exchange, and TRF").
    ``q`` ascends by ticker and so orders them, but begins anew with every session.
    """
    return trade.q if trade.i is None else f"{trade.x} {trade.trfi} {trade.i}"


def _channel(source: SourceId) -> str:
    symbol, timeframe = split_stream(source)
    return f"{_CHANNELS.get(timeframe, timeframe)}.{ticker(symbol) or symbol}"


def _request(action: str, params: str) -> str:
    return msgspec.json.encode({"action": action, "params": params}).decode()
