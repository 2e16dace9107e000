"""The last sets and the state before them: what is needed to correct the state later."""

from bisect import bisect_left
from typing import NamedTuple

from barsync_async.features.bank import IndicatorBank
from barsync_async.features.fresh_bars import FreshBarsReader
from barsync_async.features.table import FeatureTable
from barsync_async.messages import SynchronizedBars
from barsync_async.units import WallMs


class Replayed(NamedTuple):
    """The state after all sets, and the values after the revised one."""

    bank: IndicatorBank
    features: FeatureTable


class Replay:
    """Remembers at least the last ``sets`` sets, at most twice as many, in two parts.

    Args:
        bank: the state before the first set.
        reader: finds the observations in a set.
        sets: how many.
    """

    def __init__(self, bank: IndicatorBank, reader: FreshBarsReader, sets: int) -> None:
        self._reader = reader
        self._most = sets
        self._parts = [_Part(bank.copy(), after=None)]

    def note(self, bank: IndicatorBank, bars: SynchronizedBars) -> None:
        """The next set, of which ``bank`` does not know yet."""
        newest = self._parts[-1]
        if len(newest.sets) >= self._most:
            self._parts = [newest, _Part(bank.copy(), after=newest.sets[-1].timestamp)]
        self._parts[-1].sets.append(bars)

    def revise(self, bars: SynchronizedBars) -> Replayed | None:
        """As if ``bars`` had come when its timestamp had its turn; None where what was before it is
        not remembered any more.
        """
        place = self._part_of(bars.timestamp)
        if place is None:
            return None
        first, *later = self._parts[place:]
        first.put(bars)
        bank = first.before.copy()
        features = self._run(bank, first, bars)
        for part in later:
            part.before = bank.copy()
            self._run(bank, part, bars)
        return None if features is None else Replayed(bank, features)

    def _part_of(self, timestamp: WallMs) -> int | None:
        """The newest part that begins before ``timestamp``."""
        begun = [
            place
            for place, part in enumerate(self._parts)
            if part.after is None or part.after < timestamp
        ]
        return max(begun, default=None)

    def _run(
        self, bank: IndicatorBank, part: "_Part", wanted: SynchronizedBars
    ) -> FeatureTable | None:
        """Move ``bank`` on by the sets of ``part``; the values after that of ``wanted``."""
        found = None
        for bars in part.sets:
            features = bank.update(self._reader.read(bars))
            if bars is wanted:
                found = features
        return found


class _Part:
    """Some sets in a row, the state before them, and the timestamp that this is the state after."""

    def __init__(self, before: IndicatorBank, after: WallMs | None) -> None:
        self.before = before
        self.after = after
        self.sets: list[SynchronizedBars] = []

    def put(self, bars: SynchronizedBars) -> None:
        """Put ``bars`` into its place, over what stood there."""
        place = bisect_left(self.sets, bars.timestamp, key=lambda each: each.timestamp)
        stood = place < len(self.sets) and self.sets[place].timestamp == bars.timestamp
        self.sets[place : place + stood] = [bars]
