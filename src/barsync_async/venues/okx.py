"""OKX v5 candles, the client's side: spot, swaps and futures alike.

Endpoint, frames and limits are those of the venue's web socket documentation. Candles are on
``/business`` alone. A row is an array of texts: open time, open, high, low, close, volume (of
derivatives, in contracts), two volumes more, and ``confirm``, "1" once the candle is final. Older
variants of the row end before ``confirm``: whether such a bar is final nobody knows, and it is
refused.

Each stream is answered on its own. Pings are the bare text ``ping``, answered with as bare a
``pong``: the one frame that is no JSON.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from barsync_async.messages import Bar, excerpt, flaw
from barsync_async.units import TIMEFRAMES, SourceId, WallMs, split_source
from barsync_async.venues.facts import VenueFacts
from barsync_async.venues.fields import (
    MAX_FRAME_BYTES,
    NO_JSON,
    oldest_first,
    oversized,
    rejection,
)
from barsync_async.venues.history.okx import OkxHistory
from barsync_async.venues.keep_alive import KeepAlive
from barsync_async.venues.okx_market import BARS, Row, address, channel, instrument
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import (
    Acknowledged,
    GoingAway,
    Received,
    Refusal,
    Rejection,
)

_STREAMS_PER_REQUEST = 100
_MOST_ROWS = 100  # the venue sends one
_LONGEST_TEXT = 2_048
_NAMED = re.compile(r"channel: ?([^\s,]+), ?instId: ?([^\s,]+) ")
_UPGRADE = "64008"
_CLOSED, _RUNNING = "1", "0"
_FINAL_END, _FINAL_END_BYTES = '"1"]]}', b'"1"]]}'
_PONG = ("pong", b"pong")
_PASSING = frozenset({"60014", "60023", "63999"})
"""Too many requests, or the venue's own trouble."""
_HOPELESS = frozenset({"60008", "60011", "60028", "64000", "64001"})
"""The URL has no such channels at all."""


class _Arg(msgspec.Struct, gc=False):
    channel: str = ""
    instId: str = ""  # noqa: N815 - the venue's name


class _Stream(msgspec.Struct, gc=False):
    channel: str
    instId: str  # noqa: N815 - the venue's name


class _Final(msgspec.Struct, gc=False):
    arg: _Stream
    data: tuple[Row]


class _Flag(msgspec.Struct, array_like=True, gc=False):
    """A row by its last column; texts cost least to pass over."""

    opens: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    currency_volume: str
    quote_volume: str
    confirm: str


class _Channel(msgspec.Struct, gc=False):
    channel: str


class _Running(msgspec.Struct, gc=False):
    """Of a candle, as much as tells whether it is worth more."""

    arg: _Channel
    data: tuple[_Flag]


class _Look(msgspec.Struct):
    """All other kinds of frames at once."""

    arg: _Arg | None = None
    event: str | None = None
    code: str | None = None
    msg: str | None = None
    id: str | None = None


class _Argument(msgspec.Struct):
    arg: _Arg


class _Rows(msgspec.Struct):
    data: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=_MOST_ROWS)]


_final = msgspec.json.Decoder(_Final, strict=False)  # all columns are strings
_running = msgspec.json.Decoder(_Running)
_look = msgspec.json.Decoder(_Look)
_row = msgspec.json.Decoder(Row, strict=False)
_argument = msgspec.json.Decoder(_Argument)
_rows = msgspec.json.Decoder(_Rows)

Stream = tuple[str, str]
"""A channel and an instrument."""


class OkxCodec:
    """Makes sessions; knows the endpoint and what the venue offers."""

    name = "okx"
    default_url = "wss://ws.okx.com:8443/ws/v5/business"
    facts = VenueFacts(
        title="OKX",
        timeframes=tuple(BARS),
        finality="flag",
        revisions="none",
        silence="empty bar",
        max_sources=1_000,  # all streams of a connection: at most 64 KB
        limits="480 subscriptions in an hour, of up to 64 KB; 3 connections a second from one "
        "address",
    )
    history = OkxHistory()

    def supports(self, source: SourceId, options: VenueOptions) -> str | None:
        """Why ``source`` cannot come from the venue. No ``url`` helps: channels are names of a
        fixed list.
        """
        del options
        symbol, timeframe = split_source(source)
        if timeframe not in BARS:
            return f"OKX has no {timeframe} candles; it has {' '.join(BARS)}"
        if instrument(symbol) is None:
            return f"OKX has instruments like BTC-USDT; {symbol} names no second currency"
        return None

    def stream(self, source: SourceId) -> str:
        """``BTC/USDT_1m`` -> ``candle1m BTC-USDT``."""
        return " ".join(channel(source))

    def session(self, sources: Sequence[SourceId], options: VenueOptions) -> "OkxSession":
        """The state of a new connection that carries ``sources``."""
        return OkxSession(sources, options.url or self.default_url)


class OkxSession:
    """One connection: subscriptions out, bars in. Pure; never raises on what it receives."""

    send_interval_ms = 350  # undocumented but for connections: 3 a second
    keep_alive = KeepAlive("ping", every_ms=15_000, only_in_silence=True)
    silence_ms = 30_000  # a ping without a pong; the venue, too, cuts after so long

    def __init__(self, sources: Sequence[SourceId], url: str) -> None:
        self.url = address(url)
        self._routes = {channel(source): _route(source) for source in sources}
        self._pending = {channel(source): source for source in sources}
        streams = list(self._pending)
        self._requests = {
            str(number): streams[start : start + _STREAMS_PER_REQUEST]
            for number, start in enumerate(range(0, len(streams), _STREAMS_PER_REQUEST), 1)
        }

    def opening_frames(self) -> Sequence[str]:
        """One subscription for every hundred sources."""
        return [_subscribe(number, streams) for number, streams in self._requests.items()]

    def unacknowledged(self) -> Sequence[SourceId]:
        """The sources whose subscription the venue has not answered."""
        return list(self._pending.values())

    def receive(self, frame: str | bytes) -> Sequence[Received]:
        """What ``frame`` means; nothing for a running candle or another channel's event."""
        if len(frame) > MAX_FRAME_BYTES:
            return (oversized(frame),)
        # A hint at which decoder will do: so a final candle's frame ends, but for spaces.
        end = _FINAL_END_BYTES if type(frame) is bytes else _FINAL_END
        try:
            if not frame.endswith(end):  # type: ignore[arg-type]
                if _running.decode(frame).data[0].confirm == _RUNNING:
                    return ()
            else:
                push = _final.decode(frame)
                if push.data[0].confirm == _CLOSED:
                    return (self._bar(push.arg, push.data[0], frame),)
        except NO_JSON:
            pass
        return () if frame in _PONG else self._unusual(frame)

    def _unusual(self, frame: str | bytes) -> Sequence[Received]:
        """Not one candle that is as it should be."""
        try:
            seen = _look.decode(frame)
        except NO_JSON as error:
            return self._sift(frame, error)
        if seen.event is not None or seen.arg is None or not seen.arg.channel:
            return self._answer(seen, frame)
        if seen.arg.channel.startswith("candle"):
            return self._sift(frame, ValueError("a candle without data"))
        return ()

    # Bars

    def _bar(self, arg: _Stream | _Arg, row: Row, frame: str | bytes) -> Bar | Rejection:
        route = self._routes.get((arg.channel, arg.instId))
        if route is None:
            return Rejection("unknown_source", excerpt(f"{arg.channel} {arg.instId}"))
        symbol, timeframe, length_ms, anchor_ms = route
        timestamp: WallMs = row.opens + length_ms  # type: ignore[assignment]  # WallMs(...) is slow
        if (timestamp - anchor_ms) % length_ms:
            return Rejection("invalid", f"no {timeframe} bar opens at {row.opens}")
        bar = Bar(symbol, timeframe, timestamp, row.open, row.high, row.low, row.close, row.volume)
        wrong = flaw(bar)
        return bar if wrong is None else rejection("invalid", wrong, frame)

    def _sift(self, frame: str | bytes, error: Exception) -> Sequence[Received]:
        """Row by row: a wrong or a running one must not take those beside it along."""
        malformed = (rejection("malformed", str(error), frame),)
        try:
            arg = _argument.decode(frame).arg
            if arg.channel and not arg.channel.startswith("candle"):
                return ()
            rows = _rows.decode(frame).data
        except NO_JSON:
            return malformed
        found = (self._sifted(arg, bytes(row)) for row in rows)
        items: list[Bar | Rejection] = [item for item in found if item is not None]
        return oldest_first(items) if rows else malformed

    def _sifted(self, arg: _Arg, text: bytes) -> Bar | Rejection | None:
        try:
            row = _row.decode(text)
        except NO_JSON as error:
            return rejection("malformed", str(error), text)
        if row.confirm == _RUNNING:
            return None
        if row.confirm == _CLOSED:
            return self._bar(arg, row, text)
        return rejection("malformed", 'confirm is neither "0" nor "1"', text)

    # Answers

    def _answer(self, seen: _Look, frame: str | bytes) -> Sequence[Received]:
        match seen.event:
            case "subscribe":
                return (self._acknowledged(seen.arg or _Arg()),)
            case "error":
                return (self._refusal(seen),)
            case "notice" if seen.code == _UPGRADE:
                return (GoingAway(excerpt(seen.msg or "a service upgrade")),)
            case "channel-conn-count-error":
                detail = "too many connections carry this channel; a subscription was ended"
                return (Refusal((), detail, final=False),)
            case None:
                return (rejection("malformed", "no known message", frame),)
        return ()

    def _acknowledged(self, arg: _Arg) -> Acknowledged:
        source = self._pending.pop((arg.channel, arg.instId), None)
        return Acknowledged(() if source is None else (source,))

    def _refusal(self, seen: _Look) -> Refusal:
        code, text = seen.code or "?", seen.msg or "refused without a reason"
        detail = excerpt(f"error {code}: {text}")
        if code in _HOPELESS:
            return Refusal((), detail, final=True)
        if code in _PASSING or code.startswith("50"):
            return Refusal((), detail, final=False)
        streams = self._blamed(seen, text)
        sources = tuple(self._pending.pop(each) for each in streams if each in self._pending)
        return Refusal(sources, detail, final=bool(sources))

    def _blamed(self, seen: _Look, text: str) -> Sequence[Stream]:
        """The stream that the error names, or else all of its request."""
        named = _NAMED.search(text[:_LONGEST_TEXT])
        if named is not None:
            return ((named[1], named[2]),)
        if seen.arg is not None:
            return ((seen.arg.channel, seen.arg.instId),)
        return self._requests.get(seen.id or "", ())


def _route(source: SourceId) -> tuple[str, str, int, int]:
    """Our symbol and timeframe, with its length and anchor in ms."""
    symbol, name = split_source(source)
    timeframe = TIMEFRAMES[name]
    return symbol, name, timeframe.length_ms, timeframe.anchor_ms


def _subscribe(number: str, streams: Sequence[Stream]) -> str:
    args: list[Mapping[str, str]] = [
        {"channel": name, "instId": inst_id} for name, inst_id in streams
    ]
    return msgspec.json.encode({"id": number, "op": "subscribe", "args": args}).decode()
