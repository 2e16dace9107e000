"""Alpaca's historical bars over REST, the server's side.

``start`` and ``end`` bound a bar's start, both inclusive. Rows are sorted by symbol, then by
moment; ``limit`` counts the rows of all symbols together, and ``page_token`` goes on from there.
"""

import base64
import binascii
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from barsync_async.messages import excerpt
from barsync_async.simulation.roles import HttpAnswer, Quote, Shelf
from barsync_async.simulation.venues.alpaca_bars import (
    KEY,
    SECRET,
    AlpacaRules,
    bar_fields,
    opened,
)
from barsync_async.simulation.venues.wire import path_and_query
from barsync_async.units import Instant, SourceId

REQUESTS_PER_MINUTE = 200
MAX_LIMIT = 10_000
_USUAL_LIMIT = 1_000
_MINUTE_NS = 60_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FEEDS = ("iex", "sip", "otc", "boats")


class _Bad(Exception):
    """A request that cannot be answered; its message says why."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class AlpacaRest:
    """The bars of ``sources``, by the venue's symbol."""

    def __init__(self, sources: Mapping[str, SourceId], shelf: Shelf, rules: AlpacaRules) -> None:
        self._sources = sources
        self._shelf = shelf
        self._rules = rules
        self._recent: deque[int] = deque(maxlen=REQUESTS_PER_MINUTE)

    def get(self, target: str, headers: Mapping[str, str], now: Instant) -> HttpAnswer | None:
        """One page; None where ``target`` is another path."""
        path, fields = path_and_query(target)
        if path not in self._rules.rest:
            return None
        try:
            self._check_who(headers)
            self._check_rate(now)
            return _answer(200, self._page(fields))
        except _Bad as bad:
            return _answer(bad.status, {"message": bad.message})

    def _check_who(self, headers: Mapping[str, str]) -> None:
        if self._rules.rest_is_public:
            return
        key, secret = headers.get("apca-api-key-id"), headers.get("apca-api-secret-key")
        if key is None or secret is None:
            raise _Bad("unauthorized.", 401)
        if (key, secret) != (KEY, SECRET):
            raise _Bad("forbidden.", 403)

    def _check_rate(self, now: Instant) -> None:
        full = len(self._recent) == REQUESTS_PER_MINUTE
        if full and now.mono - self._recent[0] < _MINUTE_NS:
            raise _Bad("too many requests.", 429)
        self._recent.append(now.mono)

    def _page(self, fields: Mapping[str, str]) -> Mapping[str, Any]:
        symbols = self._symbols(fields)
        if fields.get("timeframe") != "1Min":
            raise _Bad(f"invalid timeframe: {excerpt(fields.get('timeframe', ''))}")
        if not self._rules.rest_is_public and fields.get("feed", "sip") not in _FEEDS:
            raise _Bad(f"invalid feed: {excerpt(fields['feed'])}")
        rows = list(self._rows(symbols, fields))
        first, limit = _offset(fields.get("page_token")), _limit(fields.get("limit"))
        bars: dict[str, list[Any]] = {}
        for symbol, quote in rows[first : first + limit]:
            bars.setdefault(symbol, []).append(bar_fields(quote, self._rules))
        more = first + limit < len(rows)
        return {"bars": bars, "next_page_token": _token(first + limit) if more else None}

    def _symbols(self, fields: Mapping[str, str]) -> Sequence[str]:
        symbols = sorted({name for name in fields.get("symbols", "").split(",") if name})
        if not symbols:
            raise _Bad("symbols is required")
        for symbol in symbols:
            if not self._rules.is_symbol(symbol):
                raise _Bad(f"invalid symbol: {excerpt(symbol)}")
        return symbols

    def _rows(
        self, symbols: Sequence[str], fields: Mapping[str, str]
    ) -> Iterator[tuple[str, Quote]]:
        start = _bound("start", fields) if "start" in fields else 0
        end = _bound("end", fields) if "end" in fields else None
        step = -1 if fields.get("sort", "asc") == "desc" else 1
        for symbol in symbols:
            source = self._sources.get(symbol)
            quotes = self._shelf.closed(source) if source else ()
            for quote in quotes[::step]:
                told = quote.candle.trades or self._rules.tells_empty_bars
                if told and start <= opened(quote) and (end is None or opened(quote) <= end):
                    yield symbol, quote


def _bound(name: str, fields: Mapping[str, str]) -> int:
    try:
        value = datetime.fromisoformat(fields[name])
    except ValueError:
        raise _Bad(f"invalid format for parameter {name}") from None
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return (value - _EPOCH) // _MILLISECOND


def _limit(text: str | None) -> int:
    limit = _USUAL_LIMIT if text is None else _number(text, "limit")
    if not 1 <= limit <= MAX_LIMIT:
        raise _Bad(f"limit must be between 1 and {MAX_LIMIT}")
    return limit


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return _number(base64.urlsafe_b64decode(token.encode()).decode(), "page_token")
    except (binascii.Error, UnicodeError):
        raise _Bad("invalid page_token") from None


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(2**63)):
        raise _Bad(f"invalid {name}")
    return int(text)


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def _answer(status: int, content: Any) -> HttpAnswer:
    return HttpAnswer(status, msgspec.json.encode(content))
