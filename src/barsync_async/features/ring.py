"""The last values of many columns, each column moving on at its own pace."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


class Ring:
    """The newest ``window`` values of each of ``columns`` columns.

    ``values`` has the shape ``(window, columns)`` and starts as NaN, so that whatever is computed
    over its first axis is NaN until a column is full. The rows of a column are in no particular
    order.
    """

    def __init__(self, window: int, columns: int) -> None:
        self.values: FloatArray = np.full((window, columns), np.nan)
        self._next: IndexArray = np.zeros(columns, dtype=np.intp)

    def push(self, columns: IndexArray, values: FloatArray) -> None:
        """Put one value into each of ``columns``, over its oldest one.

        Args:
            columns: indices, each at most once; shape ``(k,)``.
            values: shape ``(k,)``.
        """
        rows = self._next[columns]
        self.values[rows, columns] = values
        self._next[columns] = (rows + 1) % len(self.values)
