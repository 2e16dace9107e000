"""Trading sessions as plain numbers: when a market is open, and which bars close then.

It knows no exchange and no time zone: sessions come in as moments of UTC, however they were found.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import pairwise

from barsync_async.units import TIMEFRAMES, Timeframe, WallMs

_DAY_MS = TIMEFRAMES["1d"].length_ms
_WEEK = TIMEFRAMES["1w"]


class Calendar:
    """The sessions of one market.

    Args:
        sessions: pairs of open and close, ms since the epoch, UTC. A market with a lunch break
            has two a day; ``days`` then names the closes that end a day.
        days: the closes that end a trading day; None: every session's.

    Raises:
        ValueError: a session closes before it opens, or two overlap.
    """

    def __init__(
        self, sessions: Iterable[tuple[int, int]], days: Iterable[int] | None = None
    ) -> None:
        ordered = sorted(sessions)
        _check(ordered)
        self.opens = [opened for opened, _ in ordered]
        self.closes = [closed for _, closed in ordered]
        self.days = self.closes if days is None else sorted(days)
        self.weeks = list({_WEEK.next_close(day - 1): day for day in self.days}.values())

    def closes_at(self, timeframe: Timeframe, timestamp: int) -> bool:
        """Whether a bar of ``timeframe`` closes at ``timestamp``."""
        if timeframe.length_ms < _DAY_MS:
            return timeframe.closes_at(timestamp) and self._overlaps(timeframe, timestamp)
        ends = self.days if timeframe.length_ms == _DAY_MS else self.weeks
        place = bisect_left(ends, timestamp)
        return place < len(ends) and ends[place] == timestamp

    def next_close(self, timeframe: Timeframe, after: int) -> WallMs | None:
        """The first close of a bar of ``timeframe`` later than ``after``; None beyond the last
        session known.
        """
        if timeframe.length_ms >= _DAY_MS:
            ends = self.days if timeframe.length_ms == _DAY_MS else self.weeks
            place = bisect_right(ends, after)
            return WallMs(ends[place]) if place < len(ends) else None
        timestamp = timeframe.next_close(after)
        if self._overlaps(timeframe, timestamp):
            return timestamp
        place = bisect_left(self.opens, timestamp)
        return timeframe.next_close(self.opens[place]) if place < len(self.opens) else None

    def _overlaps(self, timeframe: Timeframe, timestamp: int) -> bool:
        """Whether a session has a part in the bar that ends at ``timestamp``."""
        place = bisect_right(self.closes, timestamp - timeframe.length_ms)
        return place < len(self.opens) and self.opens[place] < timestamp


def _check(sessions: list[tuple[int, int]]) -> None:
    for opened, closed in sessions:
        if opened >= closed:
            raise ValueError(f"a session opens at {opened} and closes at {closed}")
    for (_, closed), (opened, _) in pairwise(sessions):
        if opened < closed:
            raise ValueError(f"a session opens at {opened}, before the last one closes at {closed}")
