"""Sums of products of the log returns of many pairs, over each pair's own last sets."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from barsync_async.features.columns import BoolArray, FloatArray, selected
from barsync_async.features.fresh_pairs import FreshPairs, PairColumns
from barsync_async.features.parted_pairs import PartedPairs
from barsync_async.features.returns import above_0

Scaling: TypeAlias = Callable[[FloatArray], FloatArray]
"""From returns less their means, shape ``(window, k)``, to what is multiplied."""

_DENSE = 4  # from one pair in so many of all that there could be, a matrix product is cheaper


class PairReturns:
    """``sum(left(x) * right(y))`` of each pair, with ``x`` and ``y`` the last ``window`` log
    returns of its two sources, less their means.

    A pair moves on only in sets where both of its sources are fresh; its log return is
    ``log(close / close at the pair's previous such set)``. So both returns always span the same
    time.

    Where both sources were fresh in each of the last sets, a pair's returns are those of its
    sources from set to set, and one matrix product gives the sums of all such pairs. A pair of
    which a source was not fresh parts from them, with returns of its own, until its last
    ``window`` returns are those of the sets again. The sums are made anew for every set.

    Args:
        window: how many returns.
        pairs: which pairs.
        left: scales the returns of each pair's first source.
        right: scales those of its second.
    """

    def __init__(self, window: int, pairs: PairColumns, left: Scaling, right: Scaling) -> None:
        self._window = window
        self._pairs = pairs
        self._scalings = (left, right)
        self._used = np.unique(np.concatenate([pairs.lefts, pairs.rights]))
        count = len(self._used)
        self._lefts = np.searchsorted(self._used, pairs.lefts)
        self._rights = np.searchsorted(self._used, pairs.rights)
        self._flat = self._lefts * count + self._rights
        self._is_dense = len(pairs) * _DENSE >= count * count
        self._row = 0
        self._returns: FloatArray = np.full((window, count), np.nan)
        self._previous: FloatArray = np.full(count, np.nan)
        self._in_a_row = np.full(count, window + 1)
        self._parted = PartedPairs(window)

    def push(self, pairs: FreshPairs) -> FloatArray:
        """Take in one set.

        Returns:
            The sums, one for each pair; NaN before ``window`` returns.
        """
        logs, fresh = self._logs(pairs)
        if fresh.any():
            self._move(logs, fresh)
        return self._sums()

    def _logs(self, pairs: FreshPairs) -> tuple[FloatArray, BoolArray]:
        """Of the sources that are in any pair: the logs of their closes, and which are fresh."""
        bars = pairs.sources
        logs = np.full(self._pairs.sources, np.nan)
        logs[bars.columns] = np.log(above_0(bars.close))
        return logs[self._used], selected(bars.columns, self._pairs.sources)[self._used]

    def _move(self, logs: FloatArray, fresh: BoolArray) -> None:
        if not fresh.all():
            self._part(~(fresh[self._lefts] & fresh[self._rights]))
        parted = self._parted
        if parted.count:
            lefts, rights = self._lefts[parted.pairs], self._rights[parted.pairs]
            parted.push(np.flatnonzero(fresh[lefts] & fresh[rights]), logs[lefts], logs[rights])
        self._returns[self._row] = logs - self._previous
        self._row = (self._row + 1) % self._window
        self._previous = logs
        self._in_a_row = np.where(fresh, self._in_a_row + 1, 0)
        if parted.count:
            is_whole = self._in_a_row > self._window
            parted.remove(is_whole[lefts] & is_whole[rights])

    def _part(self, waiting: BoolArray) -> None:
        """Give the pairs that do not move on, where they have none yet, returns of their own."""
        waiting[self._parted.pairs] = False
        pairs = np.flatnonzero(waiting)
        lefts, rights = self._lefts[pairs], self._rights[pairs]
        both = [(self._returns[:, side], self._previous[side]) for side in (lefts, rights)]
        self._parted.add(pairs, both, self._row)

    def _sums(self) -> FloatArray:
        with np.errstate(all="ignore"):
            left, right = self._scaled(self._returns, self._returns)
            sums: FloatArray
            if self._is_dense:
                sums = (left.T @ right).ravel()[self._flat]
            else:
                sums = np.einsum("ij,ij->j", left[:, self._lefts], right[:, self._rights])
            if self._parted.count:
                sides = self._scaled(*self._parted.returns)
                sums[self._parted.pairs] = np.einsum("ij,ij->j", *sides)
            return sums

    def _scaled(self, left: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both sides less their means, and scaled; one and the same array where they are alike, of
        which a matrix product is cheaper.
        """
        scale_left, scale_right = self._scalings
        x = left - left.mean(axis=0)
        y = x if right is left else right - right.mean(axis=0)
        scaled = scale_left(x)
        return scaled, scaled if y is x and scale_right is scale_left else scale_right(y)
