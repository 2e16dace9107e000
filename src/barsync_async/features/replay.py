"""The last sets and the state before them: what is needed to correct the state later."""

from bisect import bisect_left
from typing import NamedTuple

from barsync_async.features.bank import IndicatorBank
from barsync_async.messages import SynchronizedBars
from barsync_async.units import WallMs


class Rewound(NamedTuple):
    """A state of the past, and the sets that lead from it to the present one, in order."""

    bank: IndicatorBank
    sets: list[SynchronizedBars]


_PARTS = 4
"""More of them make a late bar's revision cheaper, and what is kept larger."""


class Replay:
    """Remembers at least the last ``sets`` sets, and a quarter more at most, in parts: a revision
    goes through its own part and what came after.

    Args:
        bank: the state before the first set.
        sets: how many.
    """

    def __init__(self, bank: IndicatorBank, sets: int) -> None:
        self._fewest = sets
        self._part_sets = -(-sets // _PARTS)
        self._parts = [_Part(bank.copy(), after=None)]

    def note(self, bank: IndicatorBank, bars: SynchronizedBars) -> None:
        """The next set, of which ``bank`` does not know yet."""
        newest = self._parts[-1]
        if len(newest.sets) >= self._part_sets:
            self._parts.append(_Part(bank.copy(), after=newest.sets[-1].timestamp))
        self._parts[-1].sets.append(bars)
        if sum(len(each.sets) for each in self._parts[1:]) >= self._fewest:
            del self._parts[0]

    def rewind(self, bars: SynchronizedBars) -> Rewound | None:
        """Go back before ``bars``, which takes the place of the set of its timestamp, or its turn
        where there was none; the sets that are given have to be noted again.

        None, and nothing is altered, where what was before it is not remembered any more.
        """
        place = self._part_of(bars.timestamp)
        if place is None:
            return None
        sets = [each for part in self._parts[place:] for each in part.sets]
        _put(bars, sets)
        first = self._parts[place]
        self._parts[place:] = [_Part(first.before, first.after)]
        return Rewound(first.before.copy(), sets)

    def _part_of(self, timestamp: WallMs) -> int | None:
        """The newest part that begins before ``timestamp``."""
        begun = [
            place
            for place, part in enumerate(self._parts)
            if part.after is None or part.after < timestamp
        ]
        return max(begun, default=None)


class _Part:
    """Some sets in a row, the state before them, and the timestamp that this is the state after."""

    def __init__(self, before: IndicatorBank, after: WallMs | None) -> None:
        self.before = before
        self.after = after
        self.sets: list[SynchronizedBars] = []


def _put(bars: SynchronizedBars, sets: list[SynchronizedBars]) -> None:
    """Put ``bars`` into its place in ``sets``, over what stood there."""
    place = bisect_left(sets, bars.timestamp, key=lambda each: each.timestamp)
    stood = place < len(sets) and sets[place].timestamp == bars.timestamp
    sets[place : place + stood] = [bars]
