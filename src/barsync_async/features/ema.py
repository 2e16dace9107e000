"""The exponential moving average."""

from typing import ClassVar

from barsync_async.features.columns import FloatArray
from barsync_async.features.fresh_bars import FreshBars
from barsync_async.features.indicator import Scope
from barsync_async.features.parameters import check_window
from barsync_async.features.smoothed_average import SmoothedAverage


class Ema:
    """The exponential moving average of a source's closes, in their unit.

    The first value is the plain mean of the first ``window`` closes, each later one goes
    ``2 / (window + 1)`` of the way to the new close. As TA-Lib's ``EMA``.

    Args:
        columns: how many sources.
        window: how many closes.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "source"

    def __init__(self, columns: int, *, window: int = 20) -> None:
        check_window(window, minimum=1)
        self._average = SmoothedAverage(window, 2 / (window + 1), columns)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, bars: FreshBars) -> tuple[FloatArray, ...]:
        """The averages; NaN before ``window`` closes."""
        return (self._average.push(bars.columns, bars.close)[0],)
