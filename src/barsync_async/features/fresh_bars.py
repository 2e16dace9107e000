"""What of a set is an observation: the fresh cells, by column."""

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from barsync_async.features.columns import ALL, Columns, FloatArray, read_only, within
from barsync_async.messages import Bar, SynchronizedBars
from barsync_async.units import SourceId, WallMs


class FreshBars:
    """The bars of the sources that move on in one set; an indicator's input.

    The arrays have one value for each of ``columns``, in that order; each but that of the closes is
    made when it is first asked for. They are read-only.

    Args:
        timestamp: the set's, and so that of each of these bars: their close time.
        columns: the sources that move on.
        read: gives the array of a field, ``open``, ``high``, ``low``, ``close`` or ``volume``.
    """

    def __init__(
        self, timestamp: WallMs, columns: Columns, read: Callable[[str], FloatArray]
    ) -> None:
        self.timestamp = timestamp
        self.columns = columns if isinstance(columns, slice) else read_only(columns)
        self._read = read
        self.close: FloatArray = read_only(read("close"))
        """The last prices."""

    @cached_property
    def open(self) -> FloatArray:
        """The first prices."""
        return read_only(self._read("open"))

    @cached_property
    def high(self) -> FloatArray:
        """The highest prices."""
        return read_only(self._read("high"))

    @cached_property
    def low(self) -> FloatArray:
        """The lowest prices."""
        return read_only(self._read("low"))

    @cached_property
    def volume(self) -> FloatArray:
        """The traded volumes."""
        return read_only(self._read("volume"))


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
        closes = [cell.close for cell in cells if cell is not None and cell.provenance == "fresh"]
        columns = ALL if len(closes) == len(cells) else _places(cells)
        array = _array(closes)
        good = np.isfinite(array)
        if not good.all():
            columns, array = within(columns, good), array[good]
        return FreshBars(bars.timestamp, columns, _Fields(cells, columns, array))

    def _cells(self, bars: Mapping[SourceId, Bar]) -> Sequence[Bar | None]:
        if [*bars] == self._sources:  # as a synchronizer makes them, and no look-up is quicker
            return [*bars.values()]
        return [bars.get(source) for source in self._sources]


def _places(cells: Sequence[Bar | None]) -> Columns:
    """Where the fresh ones stand."""
    return np.flatnonzero([cell is not None and cell.provenance == "fresh" for cell in cells])


class _Fields:
    """The fields of the cells at ``columns`` as arrays; that of the closes is there already."""

    def __init__(self, cells: Sequence[Bar | None], columns: Columns, closes: FloatArray) -> None:
        self._cells = cells
        self._columns = columns
        self._closes = closes

    def __call__(self, field: str) -> FloatArray:
        if field == "close":
            return self._closes
        cells = self._cells
        if not isinstance(self._columns, slice):
            cells = [cells[place] for place in self._columns.tolist()]
        return _array([getattr(cell, field) for cell in cells])


def _array(values: Sequence[float]) -> FloatArray:
    """As NumPy reads a list, which takes it three times as long."""
    return np.frombuffer(struct.pack(f"{len(values)}d", *values))
