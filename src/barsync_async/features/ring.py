"""The last values of many columns, each column moving on at its own pace."""

import numpy as np

from barsync_async.features.columns import Columns, FloatArray
from barsync_async.features.cursor import Cursor


class Ring:
    """The newest ``window`` values of each of ``columns`` columns.

    ``values`` has the shape ``(window, columns)`` and starts as NaN, so that whatever is computed
    over its first axis is NaN until a column is full. The rows of a column are in no particular
    order.
    """

    def __init__(self, window: int, columns: int) -> None:
        self.values: FloatArray = np.full((window, columns), np.nan)
        self._cursor = Cursor(window, columns)

    def push(self, columns: Columns, values: FloatArray) -> FloatArray:
        """Put one value into each of ``columns``, over its oldest one.

        Args:
            columns: which ones.
            values: one for each of them.

        Returns:
            The values that gave way: ``window`` pushes old, NaN where there were fewer.
        """
        rows, columns = self._cursor.move(columns)
        oldest: FloatArray = self.values[rows, columns].copy()
        self.values[rows, columns] = values
        return oldest
