"""The sum of the last values of many columns, at a constant cost a set and without drift."""

import numpy as np

from barsync_async.features.columns import ALL, Columns, FloatArray, IndexArray, within
from barsync_async.features.cursor import Cursor


class RollingSum:
    """The sum of the newest ``window`` values of each of ``columns`` columns.

    Nothing is ever subtracted. The values come in blocks of ``window``; the sum is that of the
    present block so far and of the tail of the block before, and the sums of all of a block's tails
    are made once, when it is full. So the rounding error is that of summing one window anew,
    however long it runs and whatever stood in the window before; a set costs a few additions a
    column, and every ``window``-th one ``window`` more.
    """

    def __init__(self, window: int, columns: int) -> None:
        self._window = window
        self._block: FloatArray = np.full((window + 1, columns), np.nan)
        self._block[window] = 0.0
        self._head: FloatArray = np.zeros(columns)
        self._cursor = Cursor(window, columns)
        self._sums: FloatArray = np.full(columns, np.nan)

    def push(self, columns: Columns, values: FloatArray) -> FloatArray:
        """One more value for each of ``columns``.

        Returns:
            All columns' sums, NaN before ``window`` values. The next push may alter them.
        """
        rows, columns = self._cursor.move(columns)
        if isinstance(rows, int):
            self._push_together(rows, values)
        else:
            self._push_each(rows, columns, values)
        return self._sums

    # Above a column's row its block holds values, from there on the sums of the tails of the block
    # before.

    def _push_together(self, row: int, values: FloatArray) -> None:
        """The same for all columns, which stand in one row."""
        self._block[row] = values
        if row == 0:
            self._head.fill(0.0)
        self._head += values
        self._sums = self._head + self._block[row + 1]
        if row + 1 == self._window:
            self._turn_full_blocks(ALL)

    def _push_each(self, rows: IndexArray, columns: Columns, values: FloatArray) -> None:
        """The same for columns that stand in ``rows``."""
        self._block[rows, columns] = values
        self._head[columns] = np.where(rows == 0, 0.0, self._head[columns]) + values
        self._sums[columns] = self._head[columns] + self._block[rows + 1, columns]
        self._turn_full_blocks(within(columns, rows + 1 == self._window))

    def _turn_full_blocks(self, full: Columns) -> None:
        """Put the sums of its tails into the place of the block of each of the columns."""
        newest_first = self._block[self._window - 1 :: -1, full]
        self._block[self._window - 1 :: -1, full] = np.add.accumulate(newest_first, axis=0)
