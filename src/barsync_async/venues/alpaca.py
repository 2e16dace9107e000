"""Alpaca's bars of stocks and crypto, the client's side.

Frames are arrays of mixed messages, ``T`` says of which kind. The venue greets, wants to be told
who asks, and takes subscriptions only then. A bar (``T`` is ``b``) is sent once, after its minute;
where trades were reported late it comes again as ``u``, after the next half minute. ``t`` is the
start of the minute, so the bar's timestamp is a minute later. ``d``, the day's bar so far, and all
other kinds are passed over.
"""

from collections.abc import Sequence

import msgspec

from barsync_async.messages import EXCERPT_BYTES, Bar, Trade, excerpt, flaw
from barsync_async.units import TIMEFRAMES, SourceId, WallMs, is_trades, split_source, split_stream
from barsync_async.venues.alpaca_market import STOCKS, AlpacaMarket
from barsync_async.venues.fields import Name, below_ms, rfc3339_ms
from barsync_async.venues.history.alpaca import AlpacaHistory
from barsync_async.venues.mixed import MixedFrames
from barsync_async.venues.options import Credentials, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, Received, Refusal, Rejection, Reply, Traded
from barsync_async.venues.sale_conditions import altered_by_letters
from barsync_async.venues.secrecy import missing_credentials, without_secrets
from barsync_async.venues.subscriptions import Request, Subscriptions, in_requests

_SYMBOLS_PER_REQUEST = 100
_MINUTE = TIMEFRAMES["1m"]

_INVALID_SYNTAX, _ALREADY_AUTHENTICATED, _SYMBOL_LIMIT = 400, 403, 405
_FINAL = frozenset({402, 405, 408, 409, 410, 411})
"""Wrong credentials, too many symbols, a plan or feed without such data. Not 406: an old session
of ours may still be open there, and will not be forever.
"""


class _Bar(msgspec.Struct, tag_field="T", tag="b", gc=False):
    S: Name
    o: float
    h: float
    l: float  # noqa: E741 - the venue's name
    c: float
    v: float  # of crypto, a fraction; 0 where the bar was made of quotes
    t: str


class _UpdatedBar(_Bar, tag="u", gc=False):
    pass


class _Trade(msgspec.Struct, tag_field="T", tag="t", gc=False):
    S: Name
    p: float
    s: float
    t: str
    i: int | None = None
    x: Name | None = None  # of crypto there is none of these
    c: list[Name] | None = None
    z: Name | None = None


class _Correction(msgspec.Struct, tag_field="T", tag="c"):
    S: Name = ""


class _Cancel(msgspec.Struct, tag_field="T", tag="x"):
    S: Name = ""


class _Success(msgspec.Struct, tag_field="T", tag="success"):
    msg: str = ""


class _Error(msgspec.Struct, tag_field="T", tag="error"):
    code: int
    msg: str = ""


class _Subscription(msgspec.Struct, tag_field="T", tag="subscription"):
    """All that this connection is subscribed to now."""

    bars: list[str] | None = None
    trades: list[str] | None = None


_Message = _Bar | _UpdatedBar | _Trade | _Correction | _Cancel | _Success | _Error | _Subscription

_frames: MixedFrames[_Message] = MixedFrames(
    msgspec.json.Decoder(list[_Message], strict=False),
    msgspec.json.Decoder(_Message, strict=False),
    field="T",
    kinds=frozenset({"b", "u", "t", "c", "x", "success", "error", "subscription"}),
)


class AlpacaCodec:
    """Makes sessions; knows the endpoints of ``market``."""

    def __init__(self, market: AlpacaMarket = STOCKS) -> None:
        self._market = market
        self.name = market.name
        self.default_url = market.endpoint + market.path
        self.facts = market.facts
        self.history = AlpacaHistory(market)

    def supports(self, source: SourceId, options: VenueOptions) -> str | None:
        """Why ``source`` cannot come from the venue. No message says how long a bar is, so no
        ``url`` makes it carry others.
        """
        symbol, timeframe = split_source(source)
        if timeframe != _MINUTE.name:
            return f"{self.facts.title} has no {timeframe} bars; it has 1m"
        if self._market.wire_symbol(symbol) is None:
            return f"{symbol!r} is no symbol of {self.facts.title}: {self._market.hint}"
        return missing_credentials(self.facts.title, self.facts.credentials, options)

    def stream(self, source: SourceId) -> str:
        """``spy_1m`` -> ``SPY``; ``BTCUSD_1m`` -> ``BTC/USD``."""
        return _wire_symbol(self._market, source)

    def session(self, sources: Sequence[SourceId], options: VenueOptions) -> "AlpacaSession":
        """The state of a new connection that carries ``sources``."""
        return AlpacaSession(sources, options, self._market)


class AlpacaSession:
    """One connection: greeted, authenticated, subscribed. Pure; never raises on what it receives.

    The venue cuts those who have not authenticated within 10 s.
    """

    send_interval_ms = 100  # no rate is published; a subscription names a hundred symbols
    keep_alive = None
    silence_ms = None  # nothing comes outside the market's hours

    def __init__(
        self, sources: Sequence[SourceId], options: VenueOptions, market: AlpacaMarket = STOCKS
    ) -> None:
        self.url = market.url(options)
        self._credentials = options.credentials or Credentials("")
        self._symbols = {source: _wire_symbol(market, source) for source in sources}
        names = {False: {}, True: {}}  # type: dict[bool, dict[str, SourceId]]
        for source, symbol in self._symbols.items():
            names[is_trades(source)][symbol] = source
        self._sources, self._traded = names[False], names[True]
        self._routes = {symbol: split_source(source)[0] for symbol, source in self._sources.items()}
        self._subscriptions = Subscriptions(in_requests(sources, _SYMBOLS_PER_REQUEST))
        self._opened = ""
        self._closed = WallMs(0)

    def opening_frames(self) -> Sequence[str]:
        """None: the venue speaks first."""
        return ()

    def unacknowledged(self) -> Sequence[SourceId]:
        """The sources that the venue has neither confirmed nor refused."""
        return self._subscriptions.pending

    def receive(self, frame: str | bytes) -> Sequence[Received]:
        """What ``frame`` means; nothing for kinds that were not asked for."""
        items: list[Received] = []
        for message in _frames.read(frame):
            kind = type(message)
            if kind is _Bar or kind is _UpdatedBar:
                items.append(self._bar(message))  # type: ignore[arg-type]  # by its very type
            elif kind is _Trade:
                items.append(self._trade(message))  # type: ignore[arg-type]  # by its very type
            elif isinstance(message, Rejection):
                items.append(without_secrets(message, self._credentials))
            else:
                items += self._answer(message)
        return items

    def _bar(self, message: _Bar) -> Bar | Rejection:
        symbol = self._routes.get(message.S)
        if symbol is None:
            return Rejection("unknown_source", excerpt(message.S))
        if message.t != self._opened:  # the bars of one minute come together
            try:
                self._closed = _close_of(message.t)
            except ValueError as error:
                return Rejection("malformed", excerpt(f"{message.S}: t: {error}"))
            self._opened = message.t
        bar = Bar(
            symbol,
            "1m",
            self._closed,
            message.o,
            message.h,
            message.l,
            message.c,
            message.v,
        )
        wrong = flaw(bar)
        return bar if wrong is None else Rejection("invalid", f"{symbol} {self._opened}: {wrong}")

    def _trade(self, message: _Trade) -> Traded | Rejection:
        source = self._traded.get(message.S)
        if source is None:
            return Rejection("unknown_source", excerpt(f"trades of {message.S}"))
        try:
            at_ms = rfc3339_ms(message.t)
        except ValueError as error:
            return Rejection("malformed", excerpt(f"a trade of {message.S}: t: {error}"))
        alters = altered_by_letters(message.c or (), message.z or "")
        number = below_ms(message.t)
        trade = Trade(message.p, message.s, at_ms, _identity(message), number, alters)
        return Traded(split_stream(source)[0], trade)

    def _answer(self, message: object) -> Sequence[Received]:
        match message:
            case _Success(msg="connected"):
                return (Reply(_authentication(self._credentials)),)
            case _Success(msg="authenticated"):
                return self._ask()
            case _Subscription(bars=bars, trades=trades):
                return self._subscribed(bars or (), trades or ())
            case _Correction(S=symbol) | _Cancel(S=symbol):
                # What it was is not known any more once it is part of a bar.
                return (Rejection("corrected_trade", excerpt(symbol)),)
            case _Error():
                refused = self._error(message)
                return [without_secrets(item, self._credentials) for item in refused]
            case _:
                return ()

    def _ask(self) -> Sequence[Received]:
        request = self._subscriptions.next_request()
        if not request:
            return ()
        bars = [self._symbols[source] for source in request if not is_trades(source)]
        trades = [self._symbols[source] for source in request if is_trades(source)]
        return (Reply(_subscribe(bars, trades)),)

    def _subscribed(self, bars: Sequence[str], trades: Sequence[str]) -> Sequence[Received]:
        ours = [self._sources[symbol] for symbol in bars if symbol in self._sources]
        ours += [self._traded[symbol] for symbol in trades if symbol in self._traded]
        confirmed = self._subscriptions.confirm(ours)
        items: list[Received] = [Acknowledged(confirmed)] if confirmed else []
        lacking = self._subscriptions.give_up_request()
        if lacking:
            items.append(Refusal(lacking, "not among the venue's subscriptions", final=True))
        return [*items, *self._ask()]

    def _error(self, error: _Error) -> Sequence[Received]:
        if error.code == _ALREADY_AUTHENTICATED:
            return self._ask()
        detail = f"error {error.code}: {excerpt(error.msg)}"[:EXCERPT_BYTES]
        if error.code in (_INVALID_SYNTAX, _SYMBOL_LIMIT) and self._subscriptions.asked:
            refused = self._refused(error.code)
            told = (Refusal(refused, detail, final=True),) if refused else ()
            return (*told, *self._ask())
        return (Refusal((), detail, final=error.code in _FINAL),)

    def _refused(self, code: int) -> Request:
        """One symbol that cannot be, or one too many, and the venue refuses the whole request."""
        blamed = self._subscriptions.narrow()
        if blamed and code == _SYMBOL_LIMIT:  # there is no room for any other
            blamed += self._subscriptions.give_up()
        return blamed


def _wire_symbol(market: AlpacaMarket, source: SourceId) -> str:
    symbol, _ = split_stream(source)
    return market.wire_symbol(symbol) or symbol


def _identity(trade: _Trade) -> str | None:
    """One symbol's trades are told apart by the exchange and its number.

    Source: the venue's staff, who name symbol, date, exchange and id as what is unique, and say
    that the ids of the facilities that report as exchange D are kept apart by an offset
    (forum.alpaca.markets, topic 17728). The numbers of two exchanges say nothing of order, so
    trades of one millisecond go by their nanoseconds.
    """
    return None if trade.i is None else f"{trade.x or ''} {trade.i}"


def _close_of(opened: str) -> WallMs:
    """The end of the minute that ``opened`` begins.

    Raises:
        ValueError: it is no moment, or no minute begins then.
    """
    closes = WallMs(rfc3339_ms(opened) + _MINUTE.length_ms)
    if not _MINUTE.closes_at(closes):
        raise ValueError(f"no minute begins at {opened}")
    return closes


def _authentication(credentials: Credentials) -> str:
    request = {"action": "auth", "key": credentials.key, "secret": credentials.secret}
    return msgspec.json.encode(request).decode()


def _subscribe(bars: Sequence[str], trades: Sequence[str]) -> str:
    request: dict[str, object] = {"action": "subscribe"}
    if bars:
        request |= {"bars": bars, "updatedBars": bars}
    if trades:
        request["trades"] = trades
    return msgspec.json.encode(request).decode()
