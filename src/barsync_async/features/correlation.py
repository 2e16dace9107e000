"""How alike two sources move."""

from typing import ClassVar

import numpy as np

from barsync_async.features.ring import FloatArray, IndexArray, Ring

_ROUNDING = 64 * float(np.finfo(np.float64).eps)  # returns that differ by less do not differ


class Correlation:
    """Pearson's correlation of the last ``window`` log returns of each pair, -1 to 1.

    A pair moves on only in sets where both of its sources are fresh; its log return is
    ``log(close / close at the pair's previous such set)``. So both returns always span the same
    time. With ``x`` and ``y`` less their means over the window,
    ``sum(x * y) / sqrt(sum(x * x) * sum(y * y))``, from the window anew for every set.

    NaN where a side's returns do not vary (their standard deviation is at most 1.4e-14, which is
    what rounding of prices makes), and while the window holds a close that is not above 0.

    Args:
        window: how many returns.
        columns: how many pairs.
    """

    default_window: ClassVar[int] = 20
    minimum_window: ClassVar[int] = 2

    def __init__(self, window: int, columns: int) -> None:
        self._window = window
        self._left = _Returns(window, columns)
        self._right = _Returns(window, columns)

    @staticmethod
    def outputs(label: str) -> tuple[str, ...]:
        """The name of each array that :meth:`update` returns."""
        return (label,)

    def update(
        self, left: FloatArray, right: FloatArray, joint: IndexArray
    ) -> tuple[FloatArray, ...]:
        """Take in one set.

        Args:
            left: the close of each pair's first source; shape ``(columns,)``.
            right: the close of each pair's second source; shape ``(columns,)``.
            joint: the pairs that move on; of the others the closes are not looked at.

        Returns:
            The correlations, shape ``(columns,)``; NaN before ``window`` joint returns.
        """
        with np.errstate(all="ignore"):
            self._left.push(joint, left[joint])
            self._right.push(joint, right[joint])
            return (self._values(),)

    def _values(self) -> FloatArray:
        x, x_size = self._left.centred()
        y, y_size = self._right.centred()
        product: FloatArray = np.einsum("ij,ij->j", x, y)
        values = np.clip(product / (x_size * y_size), -1.0, 1.0)
        floor = _ROUNDING * np.sqrt(self._window)
        values[(x_size <= floor) | (y_size <= floor)] = np.nan
        return values


class _Returns:
    """The log returns of one side of every pair."""

    def __init__(self, window: int, columns: int) -> None:
        self._ring = Ring(window, columns)
        self._previous: FloatArray = np.full(columns, np.nan)

    def push(self, columns: IndexArray, closes: FloatArray) -> None:
        closes = np.where(closes > 0, closes, np.nan)
        self._ring.push(columns, np.log(closes / self._previous[columns]))
        self._previous[columns] = closes

    def centred(self) -> tuple[FloatArray, FloatArray]:
        """The returns less their means, and the root of the sum of their squares."""
        deviations = self._ring.values - self._ring.values.mean(axis=0)
        size: FloatArray = np.sqrt(np.einsum("ij,ij->j", deviations, deviations))
        return deviations, size
