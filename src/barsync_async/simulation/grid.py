"""The grid that a scenario's bars are built on."""

from collections.abc import Iterable
from math import gcd

from barsync_async.units import TIMEFRAMES, Timeframe, split_source


def base_timeframe(sources: Iterable[str]) -> Timeframe:
    """The shortest timeframe among ``sources``."""
    return min(_timeframes(sources), key=lambda timeframe: timeframe.length_ms)


def venue_grid(sources: Iterable[str]) -> Timeframe:
    """The longest step that every bar of ``sources`` is a whole number of.

    That is the shortest timeframe, but for sets such as 3m with 5m, whose common step is 1m.
    """
    timeframes = _timeframes(sources)
    length_ms = gcd(*(timeframe.length_ms for timeframe in timeframes))
    return Timeframe("step", length_ms, timeframes[0].anchor_ms % length_ms)


def _timeframes(sources: Iterable[str]) -> list[Timeframe]:
    return [TIMEFRAMES[split_source(source)[1]] for source in sources]
