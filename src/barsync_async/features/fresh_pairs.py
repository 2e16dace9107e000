"""Pairs of sources, and which of them move on in a set."""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from barsync_async.features.columns import ALL, Columns, FloatArray, IndexArray, read_only, selected
from barsync_async.features.fresh_bars import FreshBars


class PairColumns(NamedTuple):
    """The pairs of an indicator: ``lefts[i]`` and ``rights[i]`` are the columns of the two sources
    of pair ``i``, of ``sources`` in all.
    """

    lefts: IndexArray
    rights: IndexArray
    sources: int

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self.lefts)


class FreshPairs:
    """The pairs of which both sources move on in one set; an indicator's input.

    The arrays have one value for each of ``columns``, in that order; each is made when it is first
    asked for. They are read-only.

    Args:
        pairs: all there are.
        sources: the bars of the sources that move on.
    """

    def __init__(self, pairs: PairColumns, sources: FreshBars) -> None:
        self._pairs = pairs
        self.sources = sources

    @cached_property
    def columns(self) -> Columns:
        """The pairs that move on."""
        if isinstance(self.sources.columns, slice):
            return ALL
        fresh = selected(self.sources.columns, self._pairs.sources)
        return read_only(np.flatnonzero(fresh[self._pairs.lefts] & fresh[self._pairs.rights]))

    @cached_property
    def left(self) -> FloatArray:
        """The closes of the first sources."""
        return read_only(self._closes[self._pairs.lefts[self.columns]])

    @cached_property
    def right(self) -> FloatArray:
        """The closes of the second sources."""
        return read_only(self._closes[self._pairs.rights[self.columns]])

    @cached_property
    def _closes(self) -> FloatArray:
        closes = np.full(self._pairs.sources, np.nan)
        closes[self.sources.columns] = self.sources.close
        return closes
