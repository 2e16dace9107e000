"""Polygon's (now Massive's) aggregates over REST, the server's side.

The bounds in the path are those of a bar's start, both inclusive, in ms. ``limit`` is a page's
length; ``next_url`` is the next page's whole URL, without the key. The running bar is shown too.
"""

import base64
import binascii
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from barsync_async.simulation.roles import HttpAnswer, Quote, Shelf
from barsync_async.simulation.venues.wire import path_and_query
from barsync_async.units import TIMEFRAMES, Instant, SourceId

KEY = "test"
MAX_LIMIT = 50_000
_USUAL_LIMIT = 5_000
_MINUTE_NS = 60_000_000_000
_PATH = re.compile(
    r"/v2/aggs/ticker/(?P<ticker>[^/]+)/range/(?P<count>\d{1,4})/(?P<unit>\w+)"
    r"/(?P<first>\d{1,16})/(?P<last>\d{1,16})"
)
_TIMEFRAMES: Mapping[tuple[str, str], str] = {("1", "second"): "1s", ("1", "minute"): "1m"}


class _Bad(Exception):
    """A request that cannot be answered; its message says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


class PolygonRest:
    """The bars of ``sources``, by timeframe and ticker."""

    def __init__(
        self,
        sources: Mapping[tuple[str, str], SourceId],
        shelf: Shelf,
        requests_per_minute: int | None = None,
    ) -> None:
        self._sources = sources
        self._shelf = shelf
        self._most = requests_per_minute
        self._recent: deque[int] = deque(maxlen=requests_per_minute)

    def get(self, target: str, headers: Mapping[str, str], now: Instant) -> HttpAnswer | None:
        """One page; None where ``target`` is another path."""
        path, fields = path_and_query(target)
        asked = _PATH.fullmatch(path)
        if asked is None:
            return None
        try:
            _check_key(headers, fields)
            self._check_rate(now)
            page = self._page(asked, fields, headers.get("host", "localhost"))
        except _Bad as bad:
            return _answer(bad.status, {"status": "ERROR", "error": bad.message})
        return _answer(200, page)

    def _check_rate(self, now: Instant) -> None:
        if self._most is None:
            return
        if len(self._recent) == self._most and now.mono - self._recent[0] < _MINUTE_NS:
            raise _Bad(429, "You've exceeded the maximum requests per minute, please wait.")
        self._recent.append(now.mono)

    def _page(
        self, asked: re.Match[str], fields: Mapping[str, str], host: str
    ) -> Mapping[str, Any]:
        timeframe = _TIMEFRAMES.get((asked["count"], asked["unit"]))
        if timeframe is None:
            raise _Bad(400, "The simulated venue has seconds and minutes.")
        fields = _of_cursor(fields) if "cursor" in fields else fields
        limit, start = _number(fields, "limit", _USUAL_LIMIT), _number(fields, "start", 0)
        if not 1 <= limit <= MAX_LIMIT:
            raise _Bad(400, f"limit must be from 1 to {MAX_LIMIT}")
        ticker = unquote(asked["ticker"])
        first, last = int(asked["first"]), int(asked["last"])
        rows = [
            _row(quote)
            for quote in self._quotes(timeframe, ticker)
            if first <= _opened(quote) <= last
        ]
        rows = rows[:: -1 if fields.get("sort") == "desc" else 1]
        page = {"ticker": ticker, "adjusted": fields.get("adjusted") != "false", "status": "OK"}
        shown = rows[start : start + limit]
        page |= {"queryCount": len(shown), "resultsCount": len(shown), "count": len(shown)}
        if shown:  # left out where there is nothing
            page["results"] = shown
        if start + limit < len(rows):
            cursor = _cursor({**fields, "start": str(start + limit)})
            page["next_url"] = f"http://{host}{asked.string}?cursor={cursor}"
        return page

    def _quotes(self, timeframe: str, ticker: str) -> Iterator[Quote]:
        source = self._sources.get((timeframe, ticker))
        if source is None:
            return
        yield from (quote for quote in self._shelf.closed(source) if quote.candle.trades)
        running = self._shelf.running(source)
        if running is not None:
            yield running


def _check_key(headers: Mapping[str, str], fields: Mapping[str, str]) -> None:
    key = headers.get("authorization", "").removeprefix("Bearer ") or fields.get("apiKey", "")
    if not key:
        raise _Bad(401, "API Key was not provided")
    if key != KEY:
        raise _Bad(401, "Unknown API Key")


def _number(fields: Mapping[str, str], name: str, usual: int) -> int:
    text = fields.get(name, str(usual))
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(2**63)):
        raise _Bad(400, f"{name} is no number")
    return int(text)


def _cursor(fields: Mapping[str, str]) -> str:
    kept = "&".join(
        f"{name}={fields[name]}"
        for name in ("limit", "sort", "adjusted", "start")
        if name in fields
    )
    return base64.urlsafe_b64encode(kept.encode()).decode()


def _of_cursor(fields: Mapping[str, str]) -> Mapping[str, str]:
    try:
        query = base64.urlsafe_b64decode(fields["cursor"].encode()).decode()
    except (binascii.Error, UnicodeError):
        raise _Bad(400, "The cursor cannot be read.") from None
    return path_and_query(f"?{query}")[1]


def _opened(quote: Quote) -> int:
    return quote.bar.timestamp - TIMEFRAMES[quote.bar.timeframe].length_ms


def _row(quote: Quote) -> Mapping[str, Any]:
    bar = quote.bar
    return {
        "v": bar.volume,  # 12.0, though it is an integer
        "vw": round((bar.open + bar.high + bar.low + bar.close) / 4, 4),
        "o": bar.open,
        "c": bar.close,
        "h": bar.high,
        "l": bar.low,
        "t": _opened(quote),
        "n": quote.candle.trades,
    }


def _answer(status: int, content: Any) -> HttpAnswer:
    return HttpAnswer(status, msgspec.json.encode({"request_id": "simulated"} | content))
