"""What of a set is an observation: the fresh cells, by column."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from barsync_async.features.columns import ALL, Columns, FloatArray, within
from barsync_async.messages import Bar, SynchronizedBars
from barsync_async.units import SourceId, WallMs


class FreshBars:
    """The bars of the sources that move on in one set; an indicator's input.

    The arrays have one value for each of ``columns``, in that order; each but that of the closes is
    made when it is first asked for. Nothing may write to them.

    Args:
        timestamp: the set's, and so that of each of these bars: their close time.
        columns: the sources that move on.
        read: gives the array of a field, ``open``, ``high``, ``low``, ``close`` or ``volume``.
    """

    def __init__(
        self, timestamp: WallMs, columns: Columns, read: Callable[[str], FloatArray]
    ) -> None:
        self.timestamp = timestamp
        self.columns = columns
        self._read = read
        self.close: FloatArray = read("close")
        """The last prices."""

    @cached_property
    def open(self) -> FloatArray:
        """The first prices."""
        return self._read("open")

    @cached_property
    def high(self) -> FloatArray:
        """The highest prices."""
        return self._read("high")

    @cached_property
    def low(self) -> FloatArray:
        """The lowest prices."""
        return self._read("low")

    @cached_property
    def volume(self) -> FloatArray:
        """The traded volumes."""
        return self._read("volume")


class FreshBarsReader:
    """Finds the fresh cells of ``sources`` in sets.

    Only a ``fresh`` cell whose close is a finite number is an observation. A carried one was
    fresh in an earlier set and does not enter again; a filled, interpolated or missing one says
    nothing new.
    """

    def __init__(self, sources: Sequence[SourceId]) -> None:
        self._sources = [*sources]

    def read(self, bars: SynchronizedBars) -> FreshBars:
        """The observations in ``bars``."""
        cells = self._cells(bars.bars)
        fresh = [cell for cell in cells if cell is not None and cell.provenance == "fresh"]
        columns = ALL if len(fresh) == len(cells) else _places(cells)
        closes = np.fromiter([bar.close for bar in fresh], np.float64, len(fresh))
        good = np.isfinite(closes)
        if not good.all():
            fresh = [bar for bar, is_good in zip(fresh, good.tolist(), strict=True) if is_good]
            columns, closes = within(columns, good), closes[good]
        return FreshBars(bars.timestamp, columns, _Fields(fresh, closes))

    def _cells(self, bars: Mapping[SourceId, Bar]) -> Sequence[Bar | None]:
        if [*bars] == self._sources:  # as a synchronizer makes them, and no look-up is quicker
            return [*bars.values()]
        return [bars.get(source) for source in self._sources]


def _places(cells: Sequence[Bar | None]) -> Columns:
    """Where the fresh ones stand."""
    return np.flatnonzero([cell is not None and cell.provenance == "fresh" for cell in cells])


class _Fields:
    """The fields of some bars as arrays; that of the closes is there already."""

    def __init__(self, bars: Sequence[Bar], closes: FloatArray) -> None:
        self._bars = bars
        self._closes = closes

    def __call__(self, field: str) -> FloatArray:
        if field == "close":
            return self._closes
        values = [getattr(bar, field) for bar in self._bars]
        return np.fromiter(values, np.float64, len(values))
