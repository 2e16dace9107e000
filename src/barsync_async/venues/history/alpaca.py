"""Alpaca's REST bars of stocks and crypto, the client's side.

``start`` and ``end`` bound a bar's **start**, both inclusive; rows come oldest first, and a page
that is not the last one names the next. Prices are adjusted for splits, as today's stream is.
Stocks need the key and the secret, in headers; crypto needs neither.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from barsync_async.messages import Bar, excerpt
from barsync_async.units import split_source
from barsync_async.venues.alpaca_market import STOCKS, AlpacaMarket
from barsync_async.venues.fields import NO_JSON, rejection, rfc3339_ms
from barsync_async.venues.history.exchange import (
    HistoryAnswer,
    HistoryPage,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.history.http_failure import disorder, http_failure
from barsync_async.venues.history.within import bar_within, first_open_ms, last_open_ms
from barsync_async.venues.options import Credentials, VenueOptions
from barsync_async.venues.outcomes import Rejection

_MOST_ROWS = 5_000  # the venue gives up to 10,000; so a page is read in a few milliseconds
_MAX_BODY_BYTES = 2_097_152
_MOST_COMMAS = 100_000
_STOCK_FEEDS = frozenset({"iex", "sip", "otc", "boats"})
_DELAYED = "delayed_sip"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Row(msgspec.Struct):
    t: str
    o: float
    h: float
    l: float  # noqa: E741 - the venue's name
    c: float
    v: float


class _Page(msgspec.Struct):
    bars: dict[str, list[_Row]] | None = None
    next_page_token: str | None = None


class _RawPage(msgspec.Struct):
    bars: dict[str, list[msgspec.Raw]] | None = None
    next_page_token: str | None = None


_page = msgspec.json.Decoder(_Page, strict=False)
_raw_page = msgspec.json.Decoder(_RawPage)
_row = msgspec.json.Decoder(_Row, strict=False)


class AlpacaHistory:
    """The REST endpoint of ``market``."""

    interval_ms = 300  # 200 requests a minute on the free plan

    def __init__(self, market: AlpacaMarket = STOCKS) -> None:
        self._market = market

    def request(self, span: Span, options: VenueOptions) -> HistoryRequest:
        """The first page of ``span``."""
        base = (options.history_url or self._market.rest).rstrip("/")
        feed = self._market.feed(options)
        symbol, _ = split_source(span.source)
        params = {
            "symbols": self._market.wire_symbol(symbol) or symbol,
            "timeframe": "1Min",
            "start": _moment(first_open_ms(span)),
            "end": _moment(last_open_ms(span)),
            "limit": str(_MOST_ROWS),
            "sort": "asc",
        }
        url = base + self._market.rest_path.format(feed=feed)
        if self._market.rest_is_public:
            return HistoryRequest(url, params, span)
        params |= {"adjustment": "split", "feed": _rest_feed(feed)}
        return HistoryRequest(url, params, span, _headers(options.credentials or Credentials("")))

    def receive(self, request: HistoryRequest, response: HistoryResponse) -> HistoryAnswer:
        """The page, or why there is none."""
        failure = http_failure(response)
        if failure is not None:
            return failure
        try:
            rows, token = _rows(response.body)
        except (*NO_JSON, ValueError) as error:
            return disorder(excerpt(f"no page of bars: {error}: {excerpt(response.body)}"))
        items = tuple(_items(rows, request.span))
        return HistoryPage(items, _following(request, token))


def _following(request: HistoryRequest, token: str | None) -> HistoryRequest | None:
    if not token or token == request.params.get("page_token"):
        return None
    params = {**request.params, "page_token": token}
    return msgspec.structs.replace(request, params=params)


def _rows(body: bytes) -> tuple[list[_Row | Rejection], str | None]:
    """All rows at once; one by one where one of them is wrong. There is one symbol, ours."""
    if len(body) > _MAX_BODY_BYTES or body.count(b",") > _MOST_COMMAS:
        raise ValueError(f"{len(body)} bytes are too many")
    try:
        page = _page.decode(body)
    except msgspec.ValidationError:
        raw = _raw_page.decode(body)
        parts = [part for rows in (raw.bars or {}).values() for part in rows]
        return [_decoded(part) for part in parts], raw.next_page_token
    return [row for rows in (page.bars or {}).values() for row in rows], page.next_page_token


def _decoded(part: msgspec.Raw) -> _Row | Rejection:
    try:
        return _row.decode(part)
    except NO_JSON as error:
        return rejection("malformed", str(error), bytes(part))


def _items(rows: list[_Row | Rejection], span: Span) -> Iterator[Bar | Rejection]:
    for row in rows:
        item = row if isinstance(row, Rejection) else _item(row, span)
        if item is not None:
            yield item


def _item(row: _Row, span: Span) -> Bar | Rejection | None:
    try:
        opens = rfc3339_ms(row.t)
    except ValueError as error:
        return Rejection("malformed", excerpt(f"t: {error}"))
    return bar_within(span, opens, (row.o, row.h, row.l, row.c, row.v))


def _moment(ms: int) -> str:
    text = (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _rest_feed(feed: str) -> str:
    """The delayed stream's bars are the consolidated tape's."""
    if feed == _DELAYED:
        return "sip"
    return feed if feed in _STOCK_FEEDS else "iex"


def _headers(credentials: Credentials) -> Mapping[str, str]:
    return {"APCA-API-KEY-ID": credentials.key, "APCA-API-SECRET-KEY": credentials.secret}
