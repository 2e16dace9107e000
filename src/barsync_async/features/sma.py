"""The simple moving average."""

from typing import ClassVar

from barsync_async.features.columns import FloatArray, operand
from barsync_async.features.fresh_bars import FreshBars
from barsync_async.features.indicator import Scope
from barsync_async.features.parameters import check_window
from barsync_async.features.rolling_sum import RollingSum


class Sma:
    """The plain mean of a source's last ``window`` closes, in the unit of the closes.

    As TA-Lib's ``SMA``.

    Args:
        columns: how many sources.
        window: how many closes.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "source"

    def __init__(self, columns: int, *, window: int = 20) -> None:
        check_window(window, minimum=1)
        self._window = operand(window)
        self._sum = RollingSum(window, columns)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, bars: FreshBars) -> tuple[FloatArray, ...]:
        """The averages; NaN before ``window`` closes."""
        return (self._sum.push(bars.columns, bars.close) / self._window,)
