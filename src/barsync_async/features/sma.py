"""The simple moving average."""

from typing import ClassVar

from barsync_async.features.ring import FloatArray, IndexArray, Ring


class Sma:
    """The plain mean of a source's last ``window`` closes, in the unit of the closes.

    As TA-Lib's ``SMA``. It is summed anew for every set, so it cannot drift however long it
    runs; a set costs ``window * columns`` additions.

    Args:
        window: how many closes.
        columns: how many sources.
    """

    default_window: ClassVar[int] = 20
    minimum_window: ClassVar[int] = 1

    def __init__(self, window: int, columns: int) -> None:
        self._ring = Ring(window, columns)

    def update(self, closes: FloatArray, fresh: IndexArray) -> FloatArray:
        """Take in one set.

        Args:
            closes: one close for each source; shape ``(columns,)``.
            fresh: the sources that move on; of the others the close is not looked at.

        Returns:
            The averages, shape ``(columns,)``; NaN before ``window`` closes.
        """
        self._ring.push(fresh, closes[fresh])
        values: FloatArray = self._ring.values.mean(axis=0)
        return values
