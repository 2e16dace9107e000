"""Polygon's (now Massive's) REST aggregates of stocks, the client's side.

The path names the ticker, the window and, in ms, the first and the last moment at which a bar may
**open**, both inclusive; ``t`` is the window's start. Rows come oldest first. A page that is not
the last one gives the next one's URL: only its path and query are taken, so that the key goes to
nobody else. Prices are adjusted for splits, as today's stream is. The key goes in a header.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from barsync_async.messages import Bar, excerpt
from barsync_async.units import split_source
from barsync_async.venues.fields import NO_JSON, Timestamp, rejection
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

_ENDPOINT = "https://api.massive.com"
_ROOT = "/v2/aggs/ticker/"
_MOST_ROWS = 5_000  # the venue gives up to 50,000; so a page is read in a few milliseconds
_MAX_BODY_BYTES = 2_097_152
_MOST_COMMAS = 100_000
_MOST_QUERY_FIELDS = 20
_WINDOWS: Mapping[str, str] = {"1s": "second", "1m": "minute"}
_TICKER = re.compile(r"[A-Za-z0-9.]{1,24}")


def ticker(symbol: str) -> str | None:
    """``spy`` -> ``SPY``; None for what cannot be one. A mixed case is the venue's own: the
    preferred shares ``BACpK``.
    """
    if not _TICKER.fullmatch(symbol):
        return None
    return symbol.upper() if symbol.islower() else symbol


class _Row(msgspec.Struct):
    t: Timestamp
    o: float
    h: float
    l: float  # noqa: E741 - the venue's name
    c: float
    v: float


class _Page(msgspec.Struct):
    results: list[_Row] | None = None
    next_url: str | None = None


class _RawPage(msgspec.Struct):
    results: list[msgspec.Raw] | None = None
    next_url: str | None = None


_page = msgspec.json.Decoder(_Page, strict=False)
_raw_page = msgspec.json.Decoder(_RawPage)
_row = msgspec.json.Decoder(_Row, strict=False)


class PolygonHistory:
    """The aggregates endpoint."""

    interval_ms = 100  # paid plans have no limit but ask for fewer than 100 a second

    def request(self, span: Span, options: VenueOptions) -> HistoryRequest:
        """The first page of ``span``."""
        base = (options.history_url or _ENDPOINT).rstrip("/")
        symbol, timeframe = split_source(span.source)
        name = quote(ticker(symbol) or symbol, safe="")
        window = f"range/1/{_WINDOWS.get(timeframe, timeframe)}"
        path = f"{_ROOT}{name}/{window}/{first_open_ms(span)}/{last_open_ms(span)}"
        params = {"adjusted": "true", "sort": "asc", "limit": str(_MOST_ROWS)}
        key = (options.credentials or Credentials("")).key
        return HistoryRequest(base + path, params, span, {"Authorization": f"Bearer {key}"})

    def receive(self, request: HistoryRequest, response: HistoryResponse) -> HistoryAnswer:
        """The page, or why there is none."""
        failure = http_failure(response)
        if failure is not None:
            return failure
        try:
            rows, next_url = _rows(response.body)
            following = _following(request, next_url)
        except (*NO_JSON, ValueError) as error:
            return disorder(excerpt(f"no page of bars: {error}: {excerpt(response.body)}"))
        return HistoryPage(tuple(_items(rows, request.span)), following)


def _following(request: HistoryRequest, next_url: str | None) -> HistoryRequest | None:
    """Raises ValueError where ``next_url`` is none."""
    if not next_url:
        return None
    parts = urlsplit(next_url)
    if not parts.path.startswith(_ROOT):
        raise ValueError("next_url leads elsewhere")
    query = parse_qsl(parts.query, max_num_fields=_MOST_QUERY_FIELDS)
    params = {name: value for name, value in query if name.lower() != "apikey"}
    base = request.url.partition(_ROOT)[0]
    following = msgspec.structs.replace(request, url=base + parts.path, params=params)
    return None if following == request else following


def _rows(body: bytes) -> tuple[list[_Row | Rejection], str | None]:
    """All rows at once; one by one where one of them is wrong."""
    if len(body) > _MAX_BODY_BYTES or body.count(b",") > _MOST_COMMAS:
        raise ValueError(f"{len(body)} bytes are too many")
    try:
        page = _page.decode(body)
    except msgspec.ValidationError:
        raw = _raw_page.decode(body)
        return [_decoded(part) for part in raw.results or ()], raw.next_url
    return list(page.results or ()), page.next_url


def _decoded(part: msgspec.Raw) -> _Row | Rejection:
    try:
        return _row.decode(part)
    except NO_JSON as error:
        return rejection("malformed", str(error), bytes(part))


def _items(rows: list[_Row | Rejection], span: Span) -> Iterator[Bar | Rejection]:
    for row in rows:
        if isinstance(row, Rejection):
            yield row
            continue
        item = bar_within(span, row.t, (row.o, row.h, row.l, row.c, row.v))
        if item is not None:
            yield item
