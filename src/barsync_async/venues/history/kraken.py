"""Kraken's public OHLC, the client's side: one page of up to 720 bars, and there is no other.

Whatever ``since`` says, older bars cannot be had; a span that begins before them is answered in
part. The last entry is always the bar under way. Errors come with status 200, as texts. The
endpoint has names of its own for assets (XBT, XDG) and answers under yet another (``XXBTZUSD``).
"""

import re

import msgspec

from barsync_async.messages import Bar, excerpt
from barsync_async.units import TIMEFRAMES, WallMs, split_source
from barsync_async.venues.fields import NO_JSON, checked, oldest_first, rejection
from barsync_async.venues.history.exchange import (
    HistoryAnswer,
    HistoryPage,
    HistoryRefusal,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.history.http_failure import disorder, http_failure
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import Rejection
from barsync_async.venues.pairs import split_pair

_BASE_URL = "https://api.kraken.com"
_PATH = "/0/public/OHLC"
_REST_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
_MOST_ROWS = 1_000  # the venue sends 720
_MOST_BYTES = 1_048_576
_PASSING = re.compile(
    r"rate limit|too many|EService|unavailable|lockout|internal|busy|time ?out", re.IGNORECASE
)


class _Row(msgspec.Struct, array_like=True):
    time: int
    open: float
    high: float
    low: float
    close: float
    vwap: float
    volume: float


class _Body(msgspec.Struct):
    error: list[str] = []
    result: dict[str, msgspec.Raw] = {}


_body = msgspec.json.Decoder(_Body)
_rows = msgspec.json.Decoder(list[msgspec.Raw])
_row = msgspec.json.Decoder(_Row, strict=False)  # prices are strings


class KrakenHistory:
    """The newest bars, as many as the venue keeps at hand."""

    interval_ms = 1_000  # public requests: about one a second from one address

    def request(self, span: Span, options: VenueOptions) -> HistoryRequest:
        """All of ``span`` that can be had, in one request."""
        symbol, name = split_source(span.source)
        timeframe = TIMEFRAMES[name]
        # Whether the bar that opens at `since` itself is among them is told both ways: one more.
        first = timeframe.next_close(span.after) - 2 * timeframe.length_ms
        params = {
            "pair": _rest_pair(symbol),
            "interval": str(timeframe.length_ms // 60_000),
            "since": str(max(0, first) // 1_000),
        }
        return HistoryRequest((options.history_url or _BASE_URL).rstrip("/") + _PATH, params, span)

    def receive(self, request: HistoryRequest, response: HistoryResponse) -> HistoryAnswer:
        """The bars within the span, without the one under way."""
        failure = http_failure(response)
        if failure is not None:
            return failure
        if len(response.body) > _MOST_BYTES:
            return disorder(f"{len(response.body)} bytes for 720 bars")
        try:
            body = _body.decode(response.body)
            if body.error:
                return _refusal(body.error)
            rows = _only_rows(body)
        except NO_JSON as error:
            return disorder(rejection("malformed", str(error), response.body).detail)
        if len(rows) > _MOST_ROWS:
            return disorder(f"{len(rows)} bars where the venue has 720")
        return HistoryPage(_items(rows[:-1], request.span))


def _rest_pair(symbol: str) -> str:
    """``BTC/USD`` -> ``XBTUSD``."""
    return "".join(_REST_NAMES.get(name, name) for name in split_pair(symbol) or (symbol,))


def _refusal(errors: list[str]) -> HistoryAnswer:
    detail = excerpt(", ".join(errors))
    return disorder(detail) if _PASSING.search(detail) else HistoryRefusal(detail)


def _only_rows(body: _Body) -> list[msgspec.Raw]:
    """Those of the one pair asked for, whatever the venue calls it here."""
    pairs = [bars for name, bars in body.result.items() if name != "last"]
    return _rows.decode(pairs[0]) if pairs else []


def _items(rows: list[msgspec.Raw], span: Span) -> tuple[Bar | Rejection, ...]:
    items = [item for row in rows if (item := _item(bytes(row), span)) is not None]
    return tuple(oldest_first(items))


def _item(text: bytes, span: Span) -> Bar | Rejection | None:
    """None for a bar outside ``span``."""
    symbol, timeframe = split_source(span.source)
    try:
        row = _row.decode(text)
    except NO_JSON as error:
        return rejection("malformed", str(error), text)
    timestamp = WallMs(row.time * 1_000 + TIMEFRAMES[timeframe].length_ms)
    if not span.after < timestamp <= span.until:
        return None
    prices = (row.open, row.high, row.low, row.close)
    return checked(Bar(symbol, timeframe, timestamp, *prices, row.volume), text)
