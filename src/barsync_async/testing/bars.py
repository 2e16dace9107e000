"""Bars out of nothing."""

from barsync_async.messages import Bar, Event, EventType
from barsync_async.units import WallMs, split_source


def create_bar(
    source: str,
    timestamp: int,
    close: float = 100.0,
    *,
    open: float | None = None,  # noqa: A002 - the bar's field
    high: float | None = None,
    low: float | None = None,
    volume: float = 1.0,
) -> Bar:
    """A bar of ``source`` that closed at ``timestamp``; what is not given follows ``close``."""
    symbol, timeframe = split_source(source)
    first = close if open is None else open
    top = max(first, close) if high is None else high
    bottom = min(first, close) if low is None else low
    return Bar(symbol, timeframe, WallMs(timestamp), first, top, bottom, close, volume)


def create_bar_event(source: str, timestamp: int, close: float = 100.0) -> Event:
    """The event that brings such a bar into a container."""
    return Event(EventType.BAR, create_bar(source, timestamp, close))
