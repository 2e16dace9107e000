"""Binance's REST klines, the server's side: parameters, errors, and the weight of requests.

All clients count as one address. A minute's weight used up gives 429 until the minute ends; who
asks on regardless is banned (418) for two minutes.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from barsync_async.simulation.roles import HttpAnswer, Quote, Shelf
from barsync_async.simulation.venues.binance_kline import kline_row, venue_symbol
from barsync_async.units import TIMEFRAMES, Instant, SourceId, WallMs, split_source

_MINUTE_MS = 60_000
_BAN_MS = 2 * _MINUTE_MS
_PATIENCE = 5
"""So many requests after the first 429 of a minute bring the ban."""
_USUAL = 500
_NUMBER = re.compile(r"[0-9]{1,20}")

_encoder = msgspec.json.Encoder()


class RestRules(msgspec.Struct, frozen=True, kw_only=True):
    """One market's: a page holds ``most`` rows; ``refuses_more``: a larger limit is an error, not
    cut. ``weights`` are (up to so many rows, weight); ``budget`` is the weight of a minute.
    """

    path: str
    most: int
    refuses_more: bool
    weights: Sequence[tuple[int, int]]
    budget: int

    def weight(self, limit: int) -> int:
        """Of a request for ``limit`` rows."""
        return next((weight for most, weight in self.weights if limit <= most), 1)


class _Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class BinanceRest:
    """The klines of ``sources``, taken from ``shelf``."""

    def __init__(self, sources: Sequence[SourceId], shelf: Shelf, rules: RestRules) -> None:
        self._sources = {_key(source): source for source in sources}
        self._symbols = {symbol for symbol, _ in self._sources}
        self._shelf = shelf
        self._rules = rules
        self._meter = _Meter(rules.budget)

    def get(self, target: str, now: Instant) -> HttpAnswer | None:
        """The answer to a GET of ``target``; None where it is another path."""
        parts = _split(target)
        if parts is None or parts[0] != self._rules.path:
            return None
        params = parts[1]
        limit = _number(params.get("limit", ""), _USUAL)
        limited = self._meter.charge(self._rules.weight(limit), now.wall)
        if limited is not None:
            return limited
        try:
            rows = self._rows(params)
        except _Refused as refused:
            return self._answer(400, {"code": refused.code, "msg": refused.message})
        return self._answer(200, rows)

    def _answer(self, status: int, content: Any) -> HttpAnswer:
        headers = {"X-MBX-USED-WEIGHT-1M": str(self._meter.used)}
        return HttpAnswer(status, _encoder.encode(content), headers)

    def _rows(self, params: Mapping[str, str]) -> list[list[int | str]]:
        quotes = self._quotes(params)
        start, end = _moment(params, "startTime"), _moment(params, "endTime")
        limit = self._limit(params)
        rows = [
            row
            for quote in quotes
            if _within(int((row := kline_row(quote.bar, quote.candle))[0]), start, end)
        ]
        if start is not None:
            return list(islice(rows, limit))
        return rows[-limit:]

    def _quotes(self, params: Mapping[str, str]) -> list[Quote]:
        symbol, interval = _given(params, "symbol"), _given(params, "interval")
        if symbol not in self._symbols:
            raise _Refused(-1121, "Invalid symbol.")
        if interval not in TIMEFRAMES:
            raise _Refused(-1120, "Invalid interval.")
        source = self._sources.get((symbol, interval))
        if source is None:
            return []
        running = self._shelf.running(source)
        return [*self._shelf.closed(source), *([running] if running else [])]

    def _limit(self, params: Mapping[str, str]) -> int:
        limit = _moment(params, "limit")
        if limit is None:
            return _USUAL
        if limit == 0 or (limit > self._rules.most and self._rules.refuses_more):
            raise _Refused(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(limit, self._rules.most)


class _Meter:
    """The weight used in the present minute, and what follows from too much of it."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._minute = -1
        self._refused = 0
        self._banned_until = 0
        self.used = 0

    def charge(self, weight: int, wall: WallMs) -> HttpAnswer | None:
        """Count a request; the refusal where it is one too many."""
        if wall // _MINUTE_MS != self._minute:
            self._minute, self.used, self._refused = wall // _MINUTE_MS, 0, 0
        self.used += weight
        if wall < self._banned_until:
            return self._ban(wall)
        if self.used <= self._budget:
            return None
        self._refused += 1
        if self._refused > _PATIENCE:
            self._banned_until = wall + _BAN_MS
            return self._ban(wall)
        until = (self._minute + 1) * _MINUTE_MS
        limit = f"current limit is {self._budget} request weight per 1 MINUTE"
        return self._refusal(429, f"Too much request weight used; {limit}.", until - wall)

    def _ban(self, wall: WallMs) -> HttpAnswer:
        until = self._banned_until
        message = f"Way too much request weight used; IP banned until {until}."
        return self._refusal(418, message, until - wall)

    def _refusal(self, status: int, message: str, wait_ms: int) -> HttpAnswer:
        seconds = -(-wait_ms // 1_000)
        headers = {"Retry-After": str(seconds), "X-MBX-USED-WEIGHT-1M": str(self.used)}
        return HttpAnswer(status, _encoder.encode({"code": -1003, "msg": message}), headers)


def _key(source: SourceId) -> tuple[str, str]:
    symbol, timeframe = split_source(source)
    return venue_symbol(symbol), timeframe


def _split(target: str) -> tuple[str, dict[str, str]] | None:
    try:
        parts = urlsplit(target)
        return parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        return None


def _given(params: Mapping[str, str], name: str) -> str:
    value = params.get(name, "")
    if not value:
        sent = "was not sent, was empty/null, or malformed"
        raise _Refused(-1102, f"Mandatory parameter '{name}' {sent}.")
    return value


def _moment(params: Mapping[str, str], name: str) -> int | None:
    """A number that may be missing."""
    if name not in params:
        return None
    if not _NUMBER.fullmatch(params[name]):
        legal = "legal range is '^[0-9]{1,20}$'"
        raise _Refused(-1100, f"Illegal characters found in parameter '{name}'; {legal}.")
    return int(params[name])


def _number(text: str, otherwise: int) -> int:
    return int(text) if _NUMBER.fullmatch(text) else otherwise


def _within(moment: int, start: int | None, end: int | None) -> bool:
    return (start is None or moment >= start) and (end is None or moment <= end)
