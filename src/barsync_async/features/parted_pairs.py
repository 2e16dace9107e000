"""The log returns of pairs that do not move on with all others."""

from collections.abc import Sequence

import numpy as np

from barsync_async.features.columns import BoolArray, FloatArray, IndexArray


class PartedPairs:
    """For some pairs, the last ``window`` returns of both sides and where they were counted from.

    ``pairs`` says which they are, in the order in which all arrays have them.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self.pairs: IndexArray = np.empty(0, dtype=np.intp)
        self._next: IndexArray = np.empty(0, dtype=np.intp)
        self._returns: list[FloatArray] = [np.empty((window, 0)), np.empty((window, 0))]
        self._previous: list[FloatArray] = [np.empty(0), np.empty(0)]

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.pairs)

    @property
    def returns(self) -> tuple[FloatArray, FloatArray]:
        """Of the first and of the second sources, each of shape ``(window, count)``."""
        left, right = self._returns
        return left, right

    def add(
        self, pairs: IndexArray, both: Sequence[tuple[FloatArray, FloatArray]], oldest: int
    ) -> None:
        """Take in ``pairs``, of each side with its returns and the log of its last close;
        ``oldest`` is the row of the oldest return.
        """
        self.pairs = np.concatenate([self.pairs, pairs])
        self._next = np.concatenate([self._next, np.full(len(pairs), oldest)])
        for side, (returns, previous) in enumerate(both):
            self._returns[side] = np.concatenate([self._returns[side], returns], axis=1)
            self._previous[side] = np.concatenate([self._previous[side], previous])

    def push(self, moving: IndexArray, left: FloatArray, right: FloatArray) -> None:
        """Move those at the places ``moving`` on, to these logs of their closes; ``left`` and
        ``right`` have one for every pair here.
        """
        rows = self._next[moving]
        for returns, previous, logs in zip(
            self._returns, self._previous, (left, right), strict=True
        ):
            returns[rows, moving] = logs[moving] - previous[moving]
            previous[moving] = logs[moving]
        self._next[moving] = (rows + 1) % self._window

    def remove(self, gone: BoolArray) -> None:
        """Let go of the pairs where ``gone`` is true."""
        if not gone.any():
            return
        stay = ~gone
        self.pairs, self._next = self.pairs[stay], self._next[stay]
        self._returns = [each[:, stay] for each in self._returns]
        self._previous = [each[stay] for each in self._previous]
