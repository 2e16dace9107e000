"""The average true range."""

from typing import ClassVar

import numpy as np

from barsync_async.features.columns import FloatArray
from barsync_async.features.fresh_bars import FreshBars
from barsync_async.features.indicator import Scope
from barsync_async.features.parameters import check_window
from barsync_async.features.previous import Previous
from barsync_async.features.smoothed_average import SmoothedAverage


class Atr:
    """Wilder's average of a source's true ranges, in the unit of its prices.

    A bar's true range is the distance from the lower of its low and the close before it to the
    higher of its high and that close; the first bar has none. The first average is the plain mean
    of the first ``window`` ranges, each later one ``(previous * (window - 1) + range) / window``.
    As TA-Lib's ``ATR``.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978, section III.

    Args:
        columns: how many sources.
        window: how many ranges the average stands for.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "source"

    def __init__(self, columns: int, *, window: int = 14) -> None:
        check_window(window, minimum=1)
        self._previous = Previous(columns)
        self._average = SmoothedAverage(window, 1 / window, columns)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, bars: FreshBars) -> tuple[FloatArray, ...]:
        """The averages; NaN before ``window`` ranges."""
        before = self._previous.exchange(bars.columns, bars.close)
        ranges = np.maximum(bars.high, before) - np.minimum(bars.low, before)
        return (self._average.push(*self._previous.known(bars.columns, ranges))[0],)
