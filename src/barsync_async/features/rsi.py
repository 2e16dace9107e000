"""The relative strength index."""

from typing import ClassVar

import numpy as np

from barsync_async.features.ring import FloatArray, IndexArray

_ZERO = 1e-14  # below it TA-Lib takes the sum of both averages for zero


class Rsi:
    """Wilder's relative strength index of each source, 0 to 100.

    ``100 * gain / (gain + loss)``, where ``gain`` and ``loss`` are smoothed averages of the rises
    and falls from close to close: the first is the plain mean of the first ``window`` changes,
    each later one ``(previous * (window - 1) + change) / window``. 0 where neither rises nor falls
    are left (their sum is below 1e-14). As TA-Lib's ``RSI``, in the same order of operations.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978, section VI.

    Args:
        window: how many changes from close to close the averages stand for.
        columns: how many sources.
    """

    default_window: ClassVar[int] = 14
    minimum_window: ClassVar[int] = 2

    def __init__(self, window: int, columns: int) -> None:
        self._window = window
        self._previous: FloatArray = np.full(columns, np.nan)
        self._changes = np.zeros(columns, dtype=np.int64)
        self._gain: FloatArray = np.zeros(columns)
        self._loss: FloatArray = np.zeros(columns)

    def update(self, closes: FloatArray, fresh: IndexArray) -> FloatArray:
        """Take in one set.

        Args:
            closes: one close for each source; shape ``(columns,)``.
            fresh: the sources that move on; of the others the close is not looked at.

        Returns:
            The indices, shape ``(columns,)``; NaN before ``window`` changes.
        """
        change = closes[fresh] - self._previous[fresh]
        self._previous[fresh] = closes[fresh]
        second_or_later = ~np.isnan(change)
        columns, change = fresh[second_or_later], change[second_or_later]
        self._changes[columns] += 1
        self._smooth(self._gain, columns, np.maximum(change, 0.0))
        self._smooth(self._loss, columns, np.maximum(-change, 0.0))
        return self._values()

    def _smooth(self, averages: FloatArray, columns: IndexArray, amounts: FloatArray) -> None:
        """Until the seed is whole, ``averages`` holds its sum."""
        window, changes, old = self._window, self._changes[columns], averages[columns]
        seed = old + amounts
        seed[changes == window] /= window
        wilder = (old * (window - 1) + amounts) / window
        averages[columns] = np.where(changes > window, wilder, seed)

    def _values(self) -> FloatArray:
        total = self._gain + self._loss
        moved = total >= _ZERO
        values = np.zeros_like(total)
        np.divide(self._gain, total, out=values, where=moved)
        values *= 100.0
        values[self._changes < self._window] = np.nan
        return values
