"""OKX's REST candles, the client's side.

Two endpoints have them: ``candles`` the newest 1,440, ``history-candles`` the older ones, and which
of the two has a given bar is not told. So a window that one of them does not fill is asked of the
other, as far as it is missing. ``after`` and ``before`` bound the open time, both exclusive, and
mean the older and the newer side: rows come newest first, older than ``after``, newer than
``before``. Windows are as long as a page, so pages follow one another forwards.

A row ends with ``confirm``; one that is not "1" is of a candle under way. Errors come with status
200, too, by ``code``.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from barsync_async.messages import Bar, excerpt
from barsync_async.units import TIMEFRAMES, split_source
from barsync_async.venues.fields import NO_JSON, oldest_first, rejection
from barsync_async.venues.history.exchange import (
    HistoryAnswer,
    HistoryPage,
    HistoryRefusal,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.history.http_failure import disorder, http_failure
from barsync_async.venues.history.within import bar_within, first_open_ms, last_open_ms
from barsync_async.venues.okx_market import BARS, Row, instrument
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import Rejection

_BASE_URL = "https://www.okx.com"
_RECENT, _OLD = "/api/v5/market/candles", "/api/v5/market/history-candles"
_MOST_RECENT = 1_440
_PER_PAGE = 100  # both endpoints allow 300 by now; history-candles long allowed no more than this
_MOST_BYTES = 131_072  # a row has some 150 bytes
_CLOSED = "1"
_PASSING = frozenset({"50001", "50004", "50011", "50013", "50026", "50040", "50061"})
"""Too many requests, timeouts, a venue that is busy or out of service."""


class _Body(msgspec.Struct):
    code: str
    msg: str = ""
    data: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=3 * _PER_PAGE)] = []


_body = msgspec.json.Decoder(_Body)
_row = msgspec.json.Decoder(Row, strict=False)  # all columns are strings


class OkxHistory:
    """Asks the endpoint that is likelier to have the bars first."""

    interval_ms = 100  # history-candles: 20 requests in 2 s from one address

    def request(self, span: Span, options: VenueOptions) -> HistoryRequest:
        """The first window of ``span``."""
        symbol, timeframe = split_source(span.source)
        params = {"instId": instrument(symbol) or symbol, "bar": BARS[timeframe]}
        url = (options.history_url or _BASE_URL).rstrip("/") + _paths(span)[0]
        return _window(HistoryRequest(url, params, span), first_open_ms(span))

    def receive(self, request: HistoryRequest, response: HistoryResponse) -> HistoryAnswer:
        """The window's bars, or why there are none."""
        failure = http_failure(response)
        if failure is not None:
            return failure
        if len(response.body) > _MOST_BYTES:
            return disorder(f"{len(response.body)} bytes for {_PER_PAGE} candles")
        try:
            body = _body.decode(response.body)
        except NO_JSON as error:
            return disorder(rejection("malformed", str(error), response.body).detail)
        if body.code != "0":
            return _refusal(body)
        rows = [_decoded(raw) for raw in body.data]
        opens = {row.opens for row in rows if isinstance(row, Row)}
        return HistoryPage(_items(rows, request.span), _following(request, opens))


# Windows


def _paths(span: Span) -> tuple[str, str]:
    """The two endpoints, the likelier one first: no more bars than ``candles`` has are probably
    asked for because they were just missed.
    """
    bars = (last_open_ms(span) - first_open_ms(span)) // _length_ms(span) + 1
    return (_RECENT, _OLD) if bars <= _MOST_RECENT else (_OLD, _RECENT)


def _window(request: HistoryRequest, start: int, end: int | None = None) -> HistoryRequest:
    """``request`` for the candles that open from ``start`` to ``end``, else for a page of them."""
    length_ms = _length_ms(request.span)
    if end is None:
        end = min(start + (_PER_PAGE - 1) * length_ms, last_open_ms(request.span))
    more = {"after": str(end + 1), "before": str(start - 1), "limit": str(_PER_PAGE)}
    return msgspec.structs.replace(request, params={**request.params, **more})


def _following(request: HistoryRequest, opens: set[int]) -> HistoryRequest | None:
    """What is missing of the window, from the other endpoint; else the next window."""
    span, length_ms = request.span, _length_ms(request.span)
    start, end = int(request.params["before"]) + 1, int(request.params["after"]) - 1
    first_path, other_path = _paths(span)
    base = request.url.removesuffix(first_path)
    if base != request.url:
        missing = [each for each in range(start, end + 1, length_ms) if each not in opens]
        if missing:
            other = msgspec.structs.replace(request, url=base + other_path)
            return _window(other, missing[0], missing[-1])
    base = request.url.removesuffix(first_path).removesuffix(other_path)
    first, page_ms = first_open_ms(span), _PER_PAGE * length_ms
    following = first + ((start - first) // page_ms + 1) * page_ms
    if following > last_open_ms(span):
        return None
    return _window(msgspec.structs.replace(request, url=base + first_path), following)


def _length_ms(span: Span) -> int:
    return TIMEFRAMES[split_source(span.source)[1]].length_ms


# Rows


def _refusal(body: _Body) -> HistoryAnswer:
    detail = excerpt(f"error {body.code}: {body.msg}")
    return disorder(detail) if body.code in _PASSING else HistoryRefusal(detail)


def _decoded(raw: msgspec.Raw) -> Row | Rejection:
    try:
        return _row.decode(raw)
    except NO_JSON as error:
        return rejection("malformed", str(error), bytes(raw))


def _items(rows: Sequence[Row | Rejection], span: Span) -> tuple[Bar | Rejection, ...]:
    items = [item for row in rows if (item := _item(row, span)) is not None]
    return tuple(oldest_first(items))


def _item(row: Row | Rejection, span: Span) -> Bar | Rejection | None:
    """None for a candle under way, and for one outside ``span``."""
    if isinstance(row, Rejection):
        return row
    if row.confirm != _CLOSED:
        return None
    return bar_within(span, row.opens, (row.open, row.high, row.low, row.close, row.volume))
