"""Where each column of a ring stands."""

import numpy as np

from barsync_async.features.columns import Columns, IndexArray

Rows = int | IndexArray


class Cursor:
    """The row of a ring of ``rows`` rows that each of ``columns`` columns comes to next.

    While all columns stand in one row and move on together, that is one number, and a ring's step
    is an operation on whole rows.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self._rows = rows
        self._common: int | None = 0
        self._next: IndexArray = np.zeros(columns, dtype=np.intp)

    def move(self, columns: Columns) -> tuple[Rows, Columns]:
        """Move ``columns`` on by one row.

        Returns:
            The rows in which they stood, and ``columns`` in the form that indexes together with
            them: ``ring[rows, columns]`` has one value for each.
        """
        if self._common is not None and isinstance(columns, slice):
            row = self._common
            self._common = (row + 1) % self._rows
            return row, columns
        return self._move_each(columns)

    def _move_each(self, columns: Columns) -> tuple[Rows, Columns]:
        if not isinstance(columns, slice) and not len(columns):
            return columns, columns
        if self._common is not None:
            self._next[:] = self._common
        indices = np.arange(len(self._next)) if isinstance(columns, slice) else columns
        rows = self._next[indices]
        self._next[indices] = (rows + 1) % self._rows
        alike = bool((self._next == self._next[0]).all())
        self._common = int(self._next[0]) if alike else None
        return rows, indices
