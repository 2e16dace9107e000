"""How far a close has moved, and how much it moves about."""

from typing import ClassVar

import numpy as np

from barsync_async.features.columns import FloatArray
from barsync_async.features.fresh_bars import FreshBars
from barsync_async.features.indicator import Scope
from barsync_async.features.parameters import check_above_0, check_choice, check_window
from barsync_async.features.ring import Ring

_KINDS = ("log", "simple")


class Returns:
    """A source's return over its last ``window`` bars.

    ``log(close / c)`` or, with ``kind = "simple"``, ``close / c - 1``, where ``c`` is its close
    ``window`` bars ago (the latter as TA-Lib's ``ROCP``). NaN where one of the two is not above 0.

    Args:
        columns: how many sources.
        window: how many bars.
        kind: ``log`` or ``simple``.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "source"

    def __init__(self, columns: int, *, window: int = 1, kind: str = "log") -> None:
        check_window(window, minimum=1)
        check_choice("kind", kind, _KINDS)
        self._is_log = kind == "log"
        self._closes = Ring(window, columns)
        self._values: FloatArray = np.full(columns, np.nan)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, bars: FreshBars) -> tuple[FloatArray, ...]:
        """The returns; NaN before ``window + 1`` closes."""
        closes = above_0(bars.close)
        growth = closes / self._closes.push(bars.columns, closes)
        self._values[bars.columns] = np.log(growth) if self._is_log else growth - 1.0
        return (self._values,)


class Volatility:
    """The standard deviation of a source's last ``window`` log returns from close to close.

    It divides by ``window - 1`` and is multiplied by ``sqrt(periods)``: the deviation over so many
    bars, were the returns independent of each other. Made of the window anew for every set, in two
    passes. NaN while the window holds a close that is not above 0.

    Args:
        columns: how many sources.
        window: how many returns.
        periods: over how many bars; 1: over one, 98_280: over a year of 252 days of 390 minutes.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "source"

    def __init__(self, columns: int, *, window: int = 20, periods: float = 1.0) -> None:
        check_window(window, minimum=2)
        check_above_0("periods", periods)
        self._scale = float(np.sqrt(periods))
        self._returns = Returns(columns)
        self._ring = Ring(window, columns)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, bars: FreshBars) -> tuple[FloatArray, ...]:
        """The deviations; NaN before ``window`` returns."""
        (returns,) = self._returns.update(bars)
        self._ring.push(bars.columns, returns[bars.columns])
        return (self._ring.values.std(axis=0, ddof=1) * self._scale,)


def above_0(closes: FloatArray) -> FloatArray:
    """``closes``, NaN where they are not above 0."""
    return np.where(closes > 0, closes, np.nan)
