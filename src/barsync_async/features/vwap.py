"""Prices weighted by volume: over the last bars, and since the day began."""

import re
from typing import ClassVar

import numpy as np

from barsync_async.features.columns import FloatArray
from barsync_async.features.fresh_bars import FreshBars
from barsync_async.features.indicator import Scope
from barsync_async.features.parameters import check_window
from barsync_async.features.rolling_sum import RollingSum

_DAY_MS = 86_400_000
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class Vwap:
    """The volume-weighted average price of a source's last ``window`` bars.

    ``sum(p * volume) / sum(volume)`` with the typical price ``p = (high + low + close) / 3`` of
    each bar. NaN where nothing was traded in the window.

    Args:
        columns: how many sources.
        window: how many bars.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "source"

    def __init__(self, columns: int, *, window: int = 20) -> None:
        check_window(window, minimum=1)
        self._value = RollingSum(window, columns)
        self._volume = RollingSum(window, columns)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, bars: FreshBars) -> tuple[FloatArray, ...]:
        """The averages; NaN before ``window`` bars."""
        value = self._value.push(bars.columns, _traded_value(bars))
        return (_ratio(value, self._volume.push(bars.columns, bars.volume)),)


class SessionVwap:
    """The volume-weighted average price of a source since its day began.

    As :class:`Vwap`, over all bars of the present day, which begins at ``start`` and has the first
    bar that ends later. NaN until something was traded in it.

    Args:
        columns: how many sources.
        start: when a day begins, UTC, as ``HH:MM``.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "source"

    def __init__(self, columns: int, *, start: str = "00:00") -> None:
        self._start_ms = _milliseconds(start)
        self._day = np.full(columns, -1, dtype=np.int64)
        self._value: FloatArray = np.zeros(columns)
        self._volume: FloatArray = np.zeros(columns)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, bars: FreshBars) -> tuple[FloatArray, ...]:
        """The averages of each source's own last day."""
        day = (bars.timestamp - 1 - self._start_ms) // _DAY_MS
        is_same = self._day[bars.columns] == day
        self._day[bars.columns] = day
        for sums, values in ((self._value, _traded_value(bars)), (self._volume, bars.volume)):
            sums[bars.columns] = np.where(is_same, sums[bars.columns], 0.0) + values
        return (_ratio(self._value, self._volume),)


def _traded_value(bars: FreshBars) -> FloatArray:
    return (bars.high + bars.low + bars.close) / 3.0 * bars.volume


def _ratio(value: FloatArray, volume: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(volume > 0, value / volume, np.nan)


def _milliseconds(start: object) -> int:
    match = _TIME.fullmatch(start) if isinstance(start, str) else None
    if match is None:
        raise ValueError(f"start = {start!r}: expected HH:MM")
    return (int(match[1]) * 60 + int(match[2])) * 60_000
