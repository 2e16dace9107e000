"""What of a set is an observation: the fresh cells, by column."""

import math
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
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
        close: their last prices, read-only.
        read: gives the array of another field, ``open``, ``high``, ``low`` or ``volume``.
    """

    def __init__(
        self,
        timestamp: WallMs,
        columns: Columns,
        close: FloatArray,
        read: Callable[[str], FloatArray],
    ) -> None:
        self.timestamp = timestamp
        self.columns = columns if isinstance(columns, slice) else read_only(columns)
        self.close = close
        self._read = read

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
        values = [cell.close for cell in cells if cell is not None and cell.provenance == "fresh"]
        columns = ALL if len(values) == len(cells) else _places(cells)
        closes = _array(values)
        good = np.isfinite(closes)
        if np.count_nonzero(good) < len(good):
            columns, closes = within(columns, good), read_only(closes[good])
        return FreshBars(bars.timestamp, columns, closes, _Fields(cells, columns))

    def _cells(self, bars: Mapping[SourceId, Bar]) -> Collection[Bar | None]:
        if [*bars] == self._sources:  # as a synchronizer makes them, and no look-up is quicker
            return bars.values()  # a list of many bars takes as long as to look at each once more
        return [bars.get(source) for source in self._sources]


def _places(cells: Collection[Bar | None]) -> Columns:
    """Where the fresh ones stand."""
    return np.flatnonzero([cell is not None and cell.provenance == "fresh" for cell in cells])


class _Fields:
    """The fields of the cells at ``columns`` as arrays."""

    def __init__(self, cells: Collection[Bar | None], columns: Columns) -> None:
        self._cells = cells
        self._columns = columns

    def __call__(self, field: str) -> FloatArray:
        values = [getattr(cell, field, math.nan) for cell in self._cells]
        return _array(values)[self._columns]


def _array(values: Sequence[float]) -> FloatArray:
    """As NumPy reads a list, which takes it three times as long."""
    return np.frombuffer(struct.pack(f"{len(values)}d", *values))
