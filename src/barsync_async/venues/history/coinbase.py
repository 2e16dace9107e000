"""Coinbase's public candles, the client's side: paged forward, each page newest first.

A request for 350 buckets or more is refused, so a page asks for 300. Buckets without a trade are
absent. ``start`` and ``end`` are open times in seconds, both included.
"""

from urllib.parse import quote

import msgspec

from barsync_async.messages import Bar
from barsync_async.units import TIMEFRAMES, WallMs, split_source
from barsync_async.venues.coinbase_product import product_id, usd_twin
from barsync_async.venues.fields import NO_JSON, checked, oldest_first, rejection
from barsync_async.venues.history.exchange import (
    HistoryAnswer,
    HistoryPage,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.history.http_failure import disorder, http_failure
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import Rejection

_BASE_URL = "https://api.coinbase.com"
_PATH = "/api/v3/brokerage/market/products/{}/candles"
_GRANULARITY = {"5m": "FIVE_MINUTE"}
_PAGE = 300
_MOST_ROWS = 1_000
_MOST_BYTES = 1_048_576


class _Candle(msgspec.Struct):
    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class _Page(msgspec.Struct):
    candles: list[msgspec.Raw]


_page = msgspec.json.Decoder(_Page)
_candle = msgspec.json.Decoder(_Candle, strict=False)  # numbers are strings


class CoinbaseHistory:
    """Past bars from the product that the live feed gets its own from."""

    interval_ms = 150  # 10 public requests a second from one address

    def request(self, span: Span, options: VenueOptions) -> HistoryRequest:
        """The oldest page of ``span``."""
        symbol, timeframe = split_source(span.source)
        product = usd_twin(product_id(symbol) or symbol)
        base = (options.history_url or _BASE_URL).rstrip("/")
        first = TIMEFRAMES[timeframe].next_close(span.after) - TIMEFRAMES[timeframe].length_ms
        return _asked(base + _PATH.format(quote(product, safe="")), span, first // 1_000)

    def receive(self, request: HistoryRequest, response: HistoryResponse) -> HistoryAnswer:
        """The bars of the page, and the request for the next one."""
        failure = http_failure(response)
        if failure is not None:
            return failure
        if len(response.body) > _MOST_BYTES:
            return disorder(f"{len(response.body)} bytes for {_PAGE} candles")
        try:
            rows = _page.decode(response.body).candles
        except NO_JSON as error:
            return disorder(rejection("malformed", str(error), response.body).detail)
        if len(rows) > _MOST_ROWS:
            return disorder(f"{len(rows)} candles where {_PAGE} were asked for")
        return HistoryPage(_items(rows, request.span), _following(request))


def _asked(url: str, span: Span, first_s: int) -> HistoryRequest:
    timeframe = split_source(span.source)[1]
    length_s = TIMEFRAMES[timeframe].length_ms // 1_000
    last_s = min(first_s + (_PAGE - 1) * length_s, span.until // 1_000 - length_s)
    params = {
        "start": str(first_s),
        "end": str(max(first_s, last_s)),
        "granularity": _GRANULARITY[timeframe],
    }
    return HistoryRequest(url, params, span)


def _following(request: HistoryRequest) -> HistoryRequest | None:
    length_s = TIMEFRAMES[split_source(request.span.source)[1]].length_ms // 1_000
    first_s = int(request.params["end"]) + length_s
    if (first_s + length_s) * 1_000 > request.span.until:
        return None
    return _asked(request.url, request.span, first_s)


def _items(rows: list[msgspec.Raw], span: Span) -> tuple[Bar | Rejection, ...]:
    items = [item for row in rows if (item := _item(bytes(row), span)) is not None]
    return tuple(oldest_first(items))


def _item(row: bytes, span: Span) -> Bar | Rejection | None:
    """None for a bar outside ``span``: the running one, or one that was not asked for."""
    symbol, timeframe = split_source(span.source)
    try:
        candle = _candle.decode(row)
    except NO_JSON as error:
        return rejection("malformed", str(error), row)
    timestamp = WallMs(candle.start * 1_000 + TIMEFRAMES[timeframe].length_ms)
    if not span.after < timestamp <= span.until:
        return None
    prices = (candle.open, candle.high, candle.low, candle.close)
    return checked(Bar(symbol, timeframe, timestamp, *prices, candle.volume), row)
