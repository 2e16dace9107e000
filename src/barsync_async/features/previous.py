"""What each column had when it moved on last."""

import numpy as np

from barsync_async.features.columns import Columns, FloatArray, within


class Previous:
    """The last value of each of ``columns`` columns, none of which is NaN."""

    def __init__(self, columns: int) -> None:
        self._values: FloatArray = np.full(columns, np.nan)
        self._all_known = False

    def exchange(self, columns: Columns, values: FloatArray) -> FloatArray:
        """Remember ``values``, one for each of ``columns``; gives those before, NaN where there was
        none.
        """
        if isinstance(columns, slice):
            before, self._values = self._values, values
            return before
        before = self._values[columns]
        self._values = self._values.copy()  # they may be the bars' own
        self._values[columns] = values
        return before

    def known(self, columns: Columns, values: FloatArray) -> tuple[Columns, FloatArray]:
        """Those of ``columns`` and of ``values`` where ``values`` is not NaN, as it is where it was
        made with a former value that is not there.
        """
        if self._all_known:
            return columns, values
        self._all_known = not np.isnan(self._values).any()
        there = ~np.isnan(values)
        return within(columns, there), values[there]
