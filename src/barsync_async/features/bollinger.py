"""Bollinger bands."""

from typing import ClassVar

from barsync_async.features.columns import FloatArray
from barsync_async.features.fresh_bars import FreshBars
from barsync_async.features.indicator import Scope
from barsync_async.features.parameters import check_above_0, check_window
from barsync_async.features.ring import Ring


class Bollinger:
    """Bands around the plain mean of a source's last ``window`` closes, in their unit.

    The outer ones lie ``deviations`` standard deviations of those closes away; the deviation
    divides by ``window``. Made of the window anew for every set, in two passes. As TA-Lib's
    ``BBANDS`` with a simple average.

    Source: John Bollinger, Bollinger on Bollinger Bands, 2001.

    Args:
        columns: how many sources.
        window: how many closes.
        deviations: how far out the outer bands lie.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "source"

    def __init__(self, columns: int, *, window: int = 20, deviations: float = 2.0) -> None:
        check_window(window, minimum=2)
        check_above_0("deviations", deviations)
        self._closes = Ring(window, columns)
        self._deviations = deviations

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL_upper``, ``LABEL_middle``, ``LABEL_lower``."""
        return (f"{label}_upper", f"{label}_middle", f"{label}_lower")

    def update(self, bars: FreshBars) -> tuple[FloatArray, ...]:
        """The three bands; NaN before ``window`` closes."""
        self._closes.push(bars.columns, bars.close)
        middle: FloatArray = self._closes.values.mean(axis=0)
        width = self._deviations * self._closes.values.std(axis=0)
        return middle + width, middle, middle - width
