"""Bybit's REST klines, the client's side.

``start`` and ``end`` bound a kline's **open** time, both inclusive; rows come newest first, up to
1,000 of them. Each page is a window of no more klines than that, so which of too many rows the
venue would give does not matter, and pages follow one another forwards. A row has no flag: the
kline under way lies behind the span's end. Errors come with status 200, by ``retCode``.
"""

from typing import Annotated

import msgspec

from barsync_async.messages import Bar, excerpt
from barsync_async.units import TIMEFRAMES, split_source
from barsync_async.venues.bybit_market import INTERVALS, category, wire_symbol
from barsync_async.venues.fields import NO_JSON, Timestamp, oldest_first, rejection
from barsync_async.venues.history.exchange import (
    HistoryAnswer,
    HistoryDelay,
    HistoryPage,
    HistoryRefusal,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.history.http_failure import disorder, http_failure
from barsync_async.venues.history.within import bar_within, first_open_ms, last_open_ms
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import Rejection

_BASE_URL = "https://api.bybit.com"
_PATH = "/v5/market/kline"
_MOST_ROWS = 1_000
_MOST_BYTES = 524_288  # a row has some 120 bytes
_FORBIDDEN = 403
_BAN_MS = 600_000
_PASSING = frozenset({10000, 10006, 10016, 10018, 10019, 10429})
"""Timeouts, too many visits, a service that restarts or is out of order."""


class _Row(msgspec.Struct, array_like=True):
    opens: Timestamp
    open: float
    high: float
    low: float
    close: float
    volume: float


class _Result(msgspec.Struct):
    symbol: str | None = None
    rows: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=_MOST_ROWS)] | None = msgspec.field(
        default=None, name="list"
    )


class _Body(msgspec.Struct):
    code: Annotated[int, msgspec.Meta(ge=0, le=999_999)] = msgspec.field(name="retCode")
    message: str = msgspec.field(default="", name="retMsg")
    result: msgspec.Raw = msgspec.Raw(b"null")


_body = msgspec.json.Decoder(_Body)
_result = msgspec.json.Decoder(_Result | None)
_row = msgspec.json.Decoder(_Row, strict=False)  # all columns are strings


class BybitHistory:
    """The endpoint of the category that the feed's ``url`` names."""

    interval_ms = 20  # 600 requests in 5 s from one address

    def request(self, span: Span, options: VenueOptions) -> HistoryRequest:
        """The first window of ``span``."""
        symbol, timeframe = split_source(span.source)
        params = {
            "category": category(options),
            "symbol": wire_symbol(symbol),
            "interval": INTERVALS[timeframe],
        }
        url = (options.history_url or _BASE_URL).rstrip("/") + _PATH
        return _window(HistoryRequest(url, params, span), first_open_ms(span))

    def receive(self, request: HistoryRequest, response: HistoryResponse) -> HistoryAnswer:
        """The window's bars, or why there are none."""
        failure = _failure(response)
        if failure is not None:
            return failure
        if len(response.body) > _MOST_BYTES:
            return disorder(f"{len(response.body)} bytes for {_MOST_ROWS} klines")
        try:
            body = _body.decode(response.body)
            if body.code:
                return _refusal(body)
            result = _result.decode(body.result) or _Result()
        except NO_JSON as error:
            return disorder(rejection("malformed", str(error), response.body).detail)
        if result.symbol not in (None, "", request.params["symbol"]):
            return disorder(excerpt(f"klines of {result.symbol}, which nobody asked for"))
        return HistoryPage(_items(result.rows or [], request.span), _following(request))


def _window(request: HistoryRequest, start: int) -> HistoryRequest:
    """``request`` for the klines that open at ``start`` or behind, as many as a page holds."""
    span = request.span
    length_ms = TIMEFRAMES[split_source(span.source)[1]].length_ms
    end = min(start + (_MOST_ROWS - 1) * length_ms, last_open_ms(span))
    more = {"start": str(start), "end": str(max(start, end)), "limit": str(_MOST_ROWS)}
    return msgspec.structs.replace(request, params={**request.params, **more})


def _following(request: HistoryRequest) -> HistoryRequest | None:
    """Windows without a single kline, such as those before a listing, are passed through."""
    start = int(request.params["end"]) + 1
    length_ms = TIMEFRAMES[split_source(request.span.source)[1]].length_ms
    start += length_ms - 1
    return None if start > last_open_ms(request.span) else _window(request, start)


def _failure(response: HistoryResponse) -> HistoryDelay | HistoryRefusal | None:
    """A 403 is a ban of ten minutes where it says so, else a country that is not served."""
    if response.status == _FORBIDDEN and b"frequent" in response.body[:_MOST_BYTES]:
        return HistoryDelay(_BAN_MS, f"HTTP {_FORBIDDEN}: {excerpt(response.body[:400])}")
    return http_failure(response)


def _refusal(body: _Body) -> HistoryAnswer:
    detail = excerpt(f"error {body.code}: {body.message}")
    return disorder(detail) if body.code in _PASSING else HistoryRefusal(detail)


def _items(rows: list[msgspec.Raw], span: Span) -> tuple[Bar | Rejection, ...]:
    items = [item for row in rows if (item := _item(row, span)) is not None]
    return tuple(oldest_first(items))


def _item(raw: msgspec.Raw, span: Span) -> Bar | Rejection | None:
    """None for a bar outside ``span``, such as the one under way."""
    try:
        row = _row.decode(raw)
    except NO_JSON as error:
        return rejection("malformed", str(error), bytes(raw))
    return bar_within(span, row.opens, (row.open, row.high, row.low, row.close, row.volume))
