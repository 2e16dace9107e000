"""Alpaca's streams of stocks and crypto, the server's side, with the venue's rules.

It greets, wants to be told within ten seconds who asks, and lets nobody subscribe before. A
credential opens one connection to an endpoint. A symbol that nobody sells is subscribed all the
same and never produces; one that cannot be makes the whole request void. Whatever a client sends
gives an answer; nothing raises.
"""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from barsync_async.simulation.roles import Answer, Deal, HttpAnswer, Quote, Shelf, Violation
from barsync_async.simulation.venues.alpaca_bars import (
    KEY,
    SECRET,
    STOCK_RULES,
    AlpacaRules,
    bar_fields,
    trade_messages,
)
from barsync_async.simulation.venues.alpaca_rest import AlpacaRest
from barsync_async.simulation.venues.wire import NO_JSON
from barsync_async.units import Instant, SourceId, split_source

AUTHENTICATE_WITHIN_NS = 10_000_000_000

_ERRORS: Mapping[int, str] = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    410: "invalid subscribe action for this feed",
}
_FATAL = frozenset({402, 404, 406})

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


class _Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class AlpacaProtocol:
    """The market of ``rules``."""

    def __init__(self, rules: AlpacaRules = STOCK_RULES) -> None:
        self._rules = rules
        self.name = rules.name

    def stream(self, source: str) -> str:
        """``SPY_1m`` -> ``SPY``; there are one-minute bars alone."""
        symbol, timeframe = split_source(source)
        if timeframe != "1m":
            raise ValueError(f"{self.name} has no {timeframe} bars")
        return self._rules.symbol(symbol)

    def serve(self, sources: Sequence[SourceId], shelf: Shelf) -> "AlpacaServer":
        """A server that sells ``sources``."""
        symbols = {source: self.stream(source) for source in sources}
        return AlpacaServer(symbols, shelf, self._rules)


class AlpacaServer:
    """``symbols`` are the names of what it sells; ``most_symbols`` what a connection may have."""

    def __init__(
        self,
        symbols: Mapping[SourceId, str],
        shelf: Shelf,
        rules: AlpacaRules = STOCK_RULES,
        *,
        most_symbols: int | None = None,
    ) -> None:
        self.symbols = symbols
        self.names = {split_source(source)[0]: name for source, name in symbols.items()}
        self.rules = rules
        self.most_symbols = most_symbols
        self._rest = AlpacaRest({name: source for source, name in symbols.items()}, shelf, rules)
        self._open: dict[str, weakref.WeakSet[AlpacaLine]] = {}

    def knows_path(self, path: str) -> bool:
        """``/v2/iex`` and the like."""
        return _place(path) in self.rules.paths

    def accept(self, path: str, now: Instant) -> "AlpacaLine":
        """A new client."""
        return AlpacaLine(self, _place(path), now)

    def get(self, target: str, headers: Mapping[str, str], now: Instant) -> HttpAnswer | None:
        """Historical bars."""
        return self._rest.get(target, headers, now)

    def admit(self, line: "AlpacaLine", place: str) -> bool:
        """Whether ``line`` may be open there; the engine forgets a line that has ended."""
        lines = self._open.setdefault(place, weakref.WeakSet())
        if any(other is not line for other in lines):
            return False
        lines.add(line)
        return True


class AlpacaLine:
    """One client's connection."""

    def __init__(self, server: AlpacaServer, place: str, now: Instant) -> None:
        self._server = server
        self._place = place
        self._authenticated = False
        self._deadline_ns = now.mono + AUTHENTICATE_WITHIN_NS
        self._channels: dict[str, dict[str, None]] = {
            channel: {} for channel in server.rules.channels
        }

    def greet(self, now: Instant) -> Sequence[Answer]:
        """``connected``."""
        del now
        return (_text({"T": "success", "msg": "connected"}),)

    def receive(self, frame: str | bytes, now: Instant) -> Sequence[Answer]:
        """The answer to ``frame``; after some errors, the end."""
        del now
        try:
            return (_text(self._result(_request(frame))),)
        except _Refused as refused:
            return _error(refused.code)

    def _result(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        action = request.get("action")
        if action == "auth":
            return self._authenticate(request)
        if action not in ("subscribe", "unsubscribe"):
            raise _Refused(400)
        if not self._authenticated:
            raise _Refused(401)
        return self._change(request, adds=action == "subscribe")

    def _authenticate(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._authenticated:
            raise _Refused(403)
        if (request.get("key"), request.get("secret")) != (KEY, SECRET):
            raise _Refused(402)
        if not self._server.admit(self, self._place):
            raise _Refused(406)
        self._authenticated = True
        return {"T": "success", "msg": "authenticated"}

    def _change(self, request: Mapping[str, Any], *, adds: bool) -> Mapping[str, Any]:
        wanted = {channel: names for channel, names in request.items() if channel != "action"}
        if not wanted:
            raise _Refused(400)
        for channel, names in wanted.items():
            if channel not in self._channels:
                raise _Refused(410)
            if not isinstance(names, list) or not all(map(self._is_symbol, names)):
                raise _Refused(400)
        changed = {
            channel: _changed(names, wanted.get(channel, ()), adds=adds)
            for channel, names in self._channels.items()
        }
        most = self._server.most_symbols
        if adds and most is not None and len({name for c in changed.values() for name in c}) > most:
            raise _Refused(405)
        self._channels = changed
        return {"T": "subscription"} | {channel: list(names) for channel, names in changed.items()}

    def _is_symbol(self, name: Any) -> bool:
        return isinstance(name, str) and (name == "*" or self._server.rules.is_symbol(name))

    def publish(self, quote: Quote, now: Instant) -> str | None:
        """A final bar once, after its minute; with other values, as an updated bar. None without
        a subscription, and where there is nothing to tell of a minute.
        """
        del now
        channel, kind = ("updatedBars", "u") if quote.revision else ("bars", "b")
        symbol = self._server.symbols[quote.bar.source]
        names = self._channels[channel]
        if not quote.final or not (symbol in names or "*" in names):
            return None
        if not quote.candle.trades and not self._server.rules.tells_empty_bars:
            return None
        return _text({"T": kind, "S": symbol, **bar_fields(quote, self._server.rules)})

    def hears_deals(self) -> bool:
        """Whether any symbol's trades are subscribed."""
        return bool(self._channels["trades"])

    def tell(self, deal: Deal, now: Instant) -> str | None:
        """One trade, and now and then an official close; None without a subscription."""
        del now
        symbol, names = self._server.names.get(deal.symbol), self._channels["trades"]
        if symbol is None or not (symbol in names or "*" in names):
            return None
        return _text(*trade_messages(symbol, deal, self._server.rules))

    def next_at(self) -> int | None:
        """When the client must have authenticated."""
        return None if self._authenticated else self._deadline_ns

    def advance(self, now: Instant) -> Sequence[Answer]:
        """The end of one who did not say who it is."""
        late = not self._authenticated and now.mono >= self._deadline_ns
        return _error(404) if late else ()

    def farewell(self, now: Instant) -> Sequence[str]:
        """Nothing: the venue announces no end."""
        del now
        return ()


def _place(path: str) -> str:
    return path.partition("?")[0].rstrip("/")


def _request(frame: str | bytes) -> Mapping[str, Any]:
    try:
        request = _decoder.decode(frame)
    except NO_JSON:
        raise _Refused(400) from None
    if not isinstance(request, dict):
        raise _Refused(400)
    return request


def _changed(names: dict[str, None], wanted: Sequence[str], *, adds: bool) -> dict[str, None]:
    if adds:
        return names | dict.fromkeys(wanted)
    return {name: None for name in names if name not in wanted}


def _error(code: int) -> Sequence[Answer]:
    text = _text({"T": "error", "code": code, "msg": _ERRORS[code]})
    return (text, Violation(_ERRORS[code])) if code in _FATAL else (text,)


def _text(*messages: Mapping[str, Any]) -> str:
    """Every frame is an array."""
    return _encoder.encode(messages).decode()
