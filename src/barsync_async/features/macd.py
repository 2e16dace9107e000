"""Moving average convergence and divergence."""

from typing import ClassVar

import numpy as np

from barsync_async.features.columns import FloatArray, within
from barsync_async.features.fresh_bars import FreshBars
from barsync_async.features.indicator import Scope
from barsync_async.features.parameters import check_window
from barsync_async.features.smoothed_average import SmoothedAverage


class Macd:
    """The distance of a fast from a slow exponential average of the closes, in their unit.

    ``macd`` is ``ema(fast) - ema(slow)``, ``macd_signal`` its exponential average over ``signal``
    values, ``macd_hist`` the first less the second. As TA-Lib's ``MACD``: the fast average's first
    value is made at the same close as the slow one's, of the last ``fast`` closes up to it, and all
    three outputs begin together, at close ``slow + signal - 1``.

    Source: Gerald Appel, The Moving Average Convergence-Divergence Trading Method, 1985.

    Args:
        columns: how many sources.
        fast: of how many closes the fast average is.
        slow: of how many the slow one; more than ``fast``.
        signal: of how many values the signal is.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "source"

    def __init__(self, columns: int, *, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        check_window(fast, minimum=2, name="fast")
        check_window(slow, minimum=2, name="slow")
        check_window(signal, minimum=1, name="signal")
        if fast >= slow:
            raise ValueError(f"fast = {fast}, slow = {slow}: expected fast < slow")
        self._fast = SmoothedAverage(fast, 2 / (fast + 1), columns)
        self._slow = SmoothedAverage(slow, 2 / (slow + 1), columns)
        self._signal = SmoothedAverage(signal, 2 / (signal + 1), columns)
        self._before_fast = np.full(columns, slow - fast)
        self._macd: FloatArray = np.full(columns, np.nan)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``, ``LABEL_signal``, ``LABEL_hist``."""
        return (label, f"{label}_signal", f"{label}_hist")

    def update(self, bars: FreshBars) -> tuple[FloatArray, ...]:
        """Line, signal and histogram; NaN until all three are there."""
        macd = self._lines(bars)[bars.columns]
        self._macd[bars.columns] = macd
        known = ~np.isnan(macd)
        signal = self._signal.push(within(bars.columns, known), macd[known])[0]
        return np.where(np.isnan(signal), np.nan, self._macd), signal, self._macd - signal

    def _lines(self, bars: FreshBars) -> FloatArray:
        begun = self._before_fast[bars.columns] <= 0
        self._before_fast[bars.columns] -= ~begun
        fast = self._fast.push(within(bars.columns, begun), bars.close[begun])
        lines: FloatArray = fast[0] - self._slow.push(bars.columns, bars.close)[0]
        return lines
