"""Binance's REST klines, spot and futures, the client's side.

A row is an array: open time, open, high, low, close, volume, the interval's last millisecond, and
more that is not needed. ``startTime`` and ``endTime`` bound the **open** time, both inclusive; with
both, the venue gives the oldest rows first, so pages follow one another forwards. No credentials.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from barsync_async.messages import Bar, excerpt, flaw
from barsync_async.units import TIMEFRAMES, WallMs, split_source
from barsync_async.venues.fields import NO_JSON, Timestamp, compact_symbol, rejection
from barsync_async.venues.history.exchange import (
    HistoryAnswer,
    HistoryDelay,
    HistoryPage,
    HistoryRefusal,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import Rejection

_MAX_BODY_BYTES = 327_680  # a full page of 1,500 rows has at most 190 bytes a row
_MAX_ROWS = 1_500
_MAX_DELAY_MS = 3 * 86_400_000  # the longest ban
_MINUTE_MS = 60_000

_OK, _BLOCKED, _TIMED_OUT, _BANNED, _TOO_MANY = 200, 403, 408, 418, 429
_FIRST_OF_CLIENT, _FIRST_OF_SERVER = 400, 500
_DELAYS_MS: Mapping[int, int] = {
    _BLOCKED: 5 * _MINUTE_MS,  # by the firewall, for too many requests
    _TIMED_OUT: 5_000,
    _BANNED: 2 * _MINUTE_MS,  # the shortest ban
    _TOO_MANY: _MINUTE_MS,  # weight is counted by the minute
}
_PASSING = frozenset({-1000, -1001, -1003, -1007, -1008, -1016})
"""Error codes of a venue that is out of order or overloaded."""


class _Row(msgspec.Struct, array_like=True):
    opens: Timestamp
    open: float
    high: float
    low: float
    close: float
    volume: float
    last: Timestamp


class _Error(msgspec.Struct):
    code: int
    msg: str = ""


_rows = msgspec.json.Decoder(
    Annotated[list[_Row], msgspec.Meta(max_length=_MAX_ROWS)], strict=False
)
_row = msgspec.json.Decoder(_Row, strict=False)
_raw = msgspec.json.Decoder(Annotated[list[msgspec.Raw], msgspec.Meta(max_length=_MAX_ROWS)])
_error = msgspec.json.Decoder(_Error)


class BinanceHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Asks ``endpoint`` + ``path`` for up to ``most`` klines at a time, each ``interval_ms``."""

    endpoint: str
    path: str
    most: int
    interval_ms: int

    def request(self, span: Span, options: VenueOptions) -> HistoryRequest:
        """For the oldest bars of ``span``."""
        base = (options.history_url or self.endpoint).rstrip("/")
        length_ms = _length_ms(span)
        return self._asking(base + self.path, span, max(0, span.after - length_ms + 1))

    def _asking(self, url: str, span: Span, start: int) -> HistoryRequest:
        symbol, timeframe = split_source(span.source)
        length_ms = TIMEFRAMES[timeframe].length_ms
        end = max(0, span.until - length_ms)
        missing = (end - start) // length_ms + 1
        params = {
            "symbol": compact_symbol(symbol),
            "interval": timeframe,
            "startTime": str(start),
            "endTime": str(end),
            "limit": str(min(max(missing, 1), self.most)),
        }
        return HistoryRequest(url, params, span)

    def receive(self, request: HistoryRequest, response: HistoryResponse) -> HistoryAnswer:
        """The page, or why there is none."""
        if response.status != _OK:
            return _failure(response)
        if len(response.body) > _MAX_BODY_BYTES:
            return HistoryDelay(_MINUTE_MS, f"a page of {len(response.body)} bytes")
        try:
            rows = _decoded(response.body)
        except NO_JSON as error:
            detail = f"no page of klines: {error}: {excerpt(response.body)}"
            return HistoryDelay(_MINUTE_MS, excerpt(detail))
        items = [item for row in rows if (item := _item(row, request.span)) is not None]
        return HistoryPage(tuple(items), self._following(request, rows))

    def _following(
        self, request: HistoryRequest, rows: "list[_Row | Rejection]"
    ) -> HistoryRequest | None:
        """The next page, where this one is full and gets on."""
        opens = max((row.opens for row in rows if isinstance(row, _Row)), default=-1)
        start = int(request.params["startTime"])
        full = len(rows) >= int(request.params["limit"])
        if not full or opens < start or opens >= int(request.params["endTime"]):
            return None
        return self._asking(request.url, request.span, opens + 1)


def _length_ms(span: Span) -> int:
    return TIMEFRAMES[split_source(span.source)[1]].length_ms


def _decoded(body: bytes) -> "list[_Row | Rejection]":
    """All rows at once; one by one where one of them is wrong."""
    try:
        return list(_rows.decode(body))
    except msgspec.ValidationError:
        return [_decoded_row(bytes(raw)) for raw in _raw.decode(body)]


def _decoded_row(raw: bytes) -> _Row | Rejection:
    try:
        return _row.decode(raw)
    except NO_JSON as error:
        return rejection("malformed", str(error), raw)


def _item(row: _Row | Rejection, span: Span) -> Bar | Rejection | None:
    """None for what is outside the span, such as the kline that still runs."""
    if isinstance(row, Rejection):
        return row
    timestamp = row.last + 1
    if not span.after < timestamp <= span.until:
        return None
    symbol, timeframe = split_source(span.source)
    if timestamp - row.opens != TIMEFRAMES[timeframe].length_ms:
        return Rejection("invalid", f"{row.opens} to {row.last} is not {timeframe} long")
    bar = Bar(
        symbol,
        timeframe,
        WallMs(timestamp),
        row.open,
        row.high,
        row.low,
        row.close,
        row.volume,
    )
    wrong = flaw(bar)
    return bar if wrong is None else Rejection("invalid", f"the kline of {row.opens}: {wrong}")


def _failure(response: HistoryResponse) -> HistoryDelay | HistoryRefusal:
    error = _told(response.body)
    detail = excerpt(f"status {response.status}: error {error.code}: {error.msg}")
    status = response.status
    if status in _DELAYS_MS or error.code in _PASSING:
        usual = _DELAYS_MS.get(status, _MINUTE_MS)
        return HistoryDelay(_retry_after_ms(response.headers) or usual, detail)
    if _FIRST_OF_CLIENT <= status < _FIRST_OF_SERVER:
        return HistoryRefusal(detail)
    return HistoryDelay(_retry_after_ms(response.headers) or 5_000, detail)


def _told(body: bytes) -> _Error:
    try:
        return _error.decode(body[:_MAX_BODY_BYTES])
    except NO_JSON:
        return _Error(0, excerpt(body))


def _retry_after_ms(headers: Mapping[str, str]) -> int | None:
    """The venue gives seconds."""
    value = headers.get("retry-after", "").strip()
    if not (value.isascii() and value.isdecimal()) or len(value) > len(str(_MAX_DELAY_MS)):
        return None
    return min(int(value) * 1_000, _MAX_DELAY_MS)
