"""Exponentially smoothed averages of many columns."""

import numpy as np
import numpy.typing as npt

from barsync_async.features.columns import Columns, FloatArray, operand


class SmoothedAverage:
    """Of each column: first the plain mean of its first ``window`` values, from then on
    ``average + rate * (value - average)``.

    With ``rate = 1 / window`` it is Wilder's average, with ``2 / (window + 1)`` the usual
    exponential one. It forgets by itself what was rounded, so it does not drift.

    Args:
        window: how many values the first average is made of.
        rate: how much of the distance to each later value it goes.
        columns: how many columns.
        rows: how many averages a column has that move on together.
    """

    def __init__(self, window: int, rate: float, columns: int, *, rows: int = 1) -> None:
        self._window = window
        self._rate = operand(rate)
        self._rates = np.array([*(1.0 / count for count in range(1, window + 1)), rate])
        self._counts: npt.NDArray[np.int64] = np.zeros(columns, dtype=np.int64)
        self._averages: FloatArray = np.zeros((rows, columns))
        self._all_warm = False

    def push(self, columns: Columns, values: FloatArray) -> FloatArray:
        """One more value for each row of each of ``columns``; shape ``(rows, k)`` or ``(k,)``.

        Returns:
            All columns' averages, shape ``(rows, columns)``; NaN before ``window`` values. The next
            push may alter them.
        """
        rates = self._rate if self._all_warm else self._rates_of(columns)
        if isinstance(columns, slice):
            steps = values - self._averages
            steps *= rates
            self._averages += steps
        else:
            averages = self._averages[:, columns]
            self._averages[:, columns] = averages + rates * (values - averages)
        if self._all_warm:
            return self._averages
        return np.where(self._counts == self._window, self._averages, np.nan)

    def _rates_of(self, columns: Columns) -> FloatArray:
        counts = self._counts[columns]
        rates: FloatArray = self._rates[counts]
        # of the push after this one: only then is every column beyond its plain mean
        self._all_warm = bool(counts.size == self._counts.size and counts.min() == self._window)
        self._counts[columns] = np.minimum(counts + 1, self._window)
        return rates
