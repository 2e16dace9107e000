"""What REST answers of several venues have in common: errors, waiting, bars within the span."""

from collections.abc import Mapping

from barsync_async.messages import Bar, excerpt, flaw
from barsync_async.units import TIMEFRAMES, WallMs, split_source
from barsync_async.venues.history.exchange import (
    HistoryDelay,
    HistoryRefusal,
    HistoryResponse,
    Span,
)
from barsync_async.venues.outcomes import Rejection

OK = 200
MINUTE_MS = 60_000

_FIRST_OF_SERVER = 500
_TIMED_OUT, _TOO_EARLY, _TEAPOT, _TOO_MANY = 408, 425, 418, 429
_DELAYS_MS: Mapping[int, int] = {
    _TIMED_OUT: 5_000,
    _TOO_EARLY: 5_000,
    _TEAPOT: MINUTE_MS,
    _TOO_MANY: MINUTE_MS,  # requests are counted by the minute
}
_MOST_DELAY_S = 86_400


def failure(response: HistoryResponse, message: str) -> HistoryDelay | HistoryRefusal:
    """What a status other than 200 means; ``message`` is the venue's own word on it."""
    detail = excerpt(f"status {response.status}: {message}")
    usual = _DELAYS_MS.get(response.status)
    if usual is None and response.status < _FIRST_OF_SERVER:
        return HistoryRefusal(detail)
    return HistoryDelay(retry_after_ms(response.headers) or usual or 5_000, detail)


def retry_after_ms(headers: Mapping[str, str]) -> int | None:
    """``Retry-After`` in seconds; None where it is absent, or a date."""
    value = headers.get("retry-after", "").strip()
    if not (value.isascii() and value.isdecimal()) or len(value) > len(str(_MOST_DELAY_S)):
        return None
    return min(int(value), _MOST_DELAY_S) * 1_000


def first_open_ms(span: Span) -> int:
    """When the first bar of ``span`` opens."""
    timeframe = TIMEFRAMES[split_source(span.source)[1]]
    return max(0, timeframe.next_close(span.after) - timeframe.length_ms)


def last_open_ms(span: Span) -> int:
    """A moment by which the last bar of ``span`` has opened, and no later one."""
    return max(0, span.until - TIMEFRAMES[split_source(span.source)[1]].length_ms)


def bar_within(
    span: Span, opens: int, prices: tuple[float, float, float, float, float]
) -> Bar | Rejection | None:
    """The bar that opens at ``opens``, with open, high, low, close and volume; None where it lies
    outside ``span``, such as the one that still runs.
    """
    symbol, timeframe = split_source(span.source)
    grid = TIMEFRAMES[timeframe]
    timestamp = WallMs(opens + grid.length_ms)
    if not span.after < timestamp <= span.until:
        return None
    if not grid.closes_at(timestamp):
        return Rejection("invalid", f"no {timeframe} bar opens at {opens}")
    bar = Bar(symbol, timeframe, timestamp, *prices)
    wrong = flaw(bar)
    return bar if wrong is None else Rejection("invalid", f"the bar of {opens}: {wrong}")
