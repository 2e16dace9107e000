"""The relative strength index."""

from typing import ClassVar

import numpy as np

from barsync_async.features.columns import FloatArray, operand
from barsync_async.features.fresh_bars import FreshBars
from barsync_async.features.indicator import Scope
from barsync_async.features.parameters import check_window
from barsync_async.features.previous import Previous
from barsync_async.features.smoothed_average import SmoothedAverage

_NO_MOVE, _PERCENT = operand(0.0), operand(100.0)
_LEAST = operand(float(np.finfo(np.float64).tiny))  # it has shares, and that of 0 is 0


class Rsi:
    """Wilder's relative strength index of each source, 0 to 100.

    ``100 * gain / (gain + loss)``, where ``gain`` and ``loss`` are smoothed averages of the rises
    and falls from close to close: the first is the plain mean of the first ``window`` changes,
    each later one ``(previous * (window - 1) + change) / window``. 0 where there was neither rise
    nor fall. As TA-Lib's ``RSI``.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978, section VI.

    Args:
        columns: how many sources.
        window: how many changes from close to close the averages stand for.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "source"

    def __init__(self, columns: int, *, window: int = 14) -> None:
        check_window(window, minimum=2)
        self._previous = Previous(columns)
        self._gain_and_loss = SmoothedAverage(window, 1 / window, columns, rows=2)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, bars: FreshBars) -> tuple[FloatArray, ...]:
        """The indices; NaN before ``window`` changes."""
        before = self._previous.exchange(bars.columns, bars.close)
        columns, changes = self._previous.known(bars.columns, bars.close - before)
        moves = np.empty((2, len(changes)))
        gains = np.maximum(changes, _NO_MOVE, out=moves[0])
        np.subtract(gains, changes, out=moves[1])
        averages = self._gain_and_loss.push(columns, moves)
        gain = averages[0]
        values: FloatArray = gain / np.maximum(gain + averages[1], _LEAST)
        values *= _PERCENT
        return (values,)
