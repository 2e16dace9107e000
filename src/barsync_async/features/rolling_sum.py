"""The sum of the last values of many columns, at a constant cost a set and without drift."""

import numpy as np

from barsync_async.features.columns import Columns, FloatArray
from barsync_async.features.cursor import Cursor, Rows


class RollingSum:
    """The sum of the newest ``window`` values of each of ``columns`` columns.

    Nothing is ever subtracted. The values come in blocks of ``window``; the sum is that of the
    present block so far and of the tail of the block before, and the sums of all of a block's tails
    are made once, when it is full. So the rounding error is that of summing one window anew,
    however long it runs and whatever stood in the window before; a set costs a few additions a
    column, and every ``window``-th one ``window`` more.

    ``values`` has the shape ``(columns,)``; NaN before ``window`` values. It is altered by the next
    push.
    """

    def __init__(self, window: int, columns: int) -> None:
        self._window = window
        self._block: FloatArray = np.full((window + 1, columns), np.nan)
        self._block[window] = 0.0
        self._head: FloatArray = np.zeros(columns)
        self._cursor = Cursor(window, columns)
        self.values: FloatArray = np.full(columns, np.nan)

    def push(self, columns: Columns, values: FloatArray) -> None:
        """One more value for each of ``columns``. Above a column's row its block holds values, from
        there on the sums of the tails of the block before.
        """
        rows, columns = self._cursor.move(columns)
        self._block[rows, columns] = values
        self._add_to_head(rows, columns, values)
        if isinstance(columns, slice):
            np.add(self._head, self._block[rows + 1], out=self.values)
        else:
            self.values[columns] = self._head[columns] + self._block[rows + 1, columns]
        self._turn_full_blocks(rows, columns)

    def _add_to_head(self, rows: Rows, columns: Columns, values: FloatArray) -> None:
        if isinstance(columns, slice):
            self._head = self._head + values if rows else values.copy()
        else:
            self._head[columns] = np.where(rows == 0, 0.0, self._head[columns]) + values

    def _turn_full_blocks(self, rows: Rows, columns: Columns) -> None:
        """Put the sums of its tails into the place of each block that is full."""
        full: Columns
        if isinstance(columns, slice):
            if rows + 1 != self._window:
                return
            full = columns
        else:
            full = columns[rows + 1 == self._window]
        newest_first = self._block[self._window - 1 :: -1, full]
        self._block[self._window - 1 :: -1, full] = np.add.accumulate(newest_first, axis=0)
