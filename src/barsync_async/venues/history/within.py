"""From a span to the moments at which its bars open, and from a row of prices to a bar of it."""

from barsync_async.messages import Bar, flaw
from barsync_async.units import TIMEFRAMES, WallMs, split_source
from barsync_async.venues.history.exchange import Span
from barsync_async.venues.outcomes import Rejection


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
