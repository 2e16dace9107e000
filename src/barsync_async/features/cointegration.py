"""Whether two sources are tied to each other in the long run."""

from collections.abc import Callable
from copy import copy
from functools import partial
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np

from barsync_async.features.columns import Columns, FloatArray
from barsync_async.features.fresh_pairs import FreshPairs, PairColumns
from barsync_async.features.indicator import Scope
from barsync_async.features.parameters import check_above_0, check_window
from barsync_async.features.returns import above_0

_ONE_LINE = 1.5e-6  # statsmodels takes a line that leaves a smaller share of y for perfect


class Result(Protocol):
    """What some work gives, perhaps not yet."""

    def result(self) -> FloatArray:
        """Waits for it where it is not there."""


class Cointegration:
    """The p-value of the Engle-Granger test of each pair ``A|B``: how likely log closes that are
    not tied to each other would look as much so as these.

    The null hypothesis is that there is no cointegration; a constant, no trend, lags by AIC, as
    ``statsmodels.tsa.stattools.coint(log A, log B)``, over the pair's last ``window`` joint sets.

    It takes milliseconds a pair, so it is made once in each ``every_s`` seconds of the sets' time
    (counted from the epoch), of what is known after the first set in it, and is told from the
    ``lag``-th set after that one until the next result is. Where it is worked out and how long that
    takes changes nothing: a result that is not there by then is waited for.

    NaN before the first result, where the pair had fewer than ``window`` joint sets, where a side
    does not vary, and where the window holds a close that is not above 0.

    Source: Engle, Granger, "Co-Integration and Error Correction", Econometrica 55(2), 1987.

    Args:
        pairs: which pairs.
        window: how many joint sets.
        every_s: how often, in seconds.
        lag: how many sets later the result is told.

    Raises:
        ValueError: a parameter makes no sense, or statsmodels is not installed.
    """

    scope: ClassVar[Scope] = "pair"

    def __init__(
        self, pairs: PairColumns, *, window: int = 250, every_s: float = 3_600.0, lag: int = 1
    ) -> None:
        check_window(window, minimum=30)
        check_window(lag, minimum=1, name="lag")
        check_above_0("every_s", every_s)
        _load()
        self._window, self._every_ms, self._lag = window, every_s * 1_000, lag
        self._logs: FloatArray = np.full((2, len(pairs), window), np.nan)
        self._count = np.zeros(len(pairs), dtype=np.int64)
        self._period: int | None = None
        self._job: _Job | None = None
        self._values: FloatArray = np.full(len(pairs), np.nan)
        self.defer: Callable[[Callable[[], FloatArray]], Result] = _Later

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, pairs: FreshPairs) -> tuple[FloatArray, ...]:
        """The p-values."""
        self._take_in(pairs.columns, np.log(above_0(pairs.left)), np.log(above_0(pairs.right)))
        if self._job is not None:
            self._job = self._job._replace(sets_to_go=self._job.sets_to_go - 1)
            if not self._job.sets_to_go:
                self._values, self._job = self._job.result.result(), None
        period = int(pairs.sources.timestamp // self._every_ms)
        if period != self._period and self._job is None:
            self._period = period
            self._job = _Job(self.defer(partial(_p_values, self._in_order())), self._lag)
        return (self._values,)

    def _take_in(self, columns: Columns, left: FloatArray, right: FloatArray) -> None:
        places = np.arange(len(self._count))[columns]
        self._logs[:, places, self._count[places] % self._window] = left, right
        self._count[places] += 1

    def _in_order(self) -> FloatArray:
        """The logs, oldest first in each row."""
        rows = (self._count[:, None] + np.arange(self._window)) % self._window
        return np.take_along_axis(self._logs, rows[None], axis=2)

    def due(self) -> Result | None:
        """What the next :meth:`update` would wait for."""
        return self._job.result if self._job is not None and self._job.sets_to_go == 1 else None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The arrays anew; work that is under way gives the same to both."""
        twin = copy(self)
        twin._logs, twin._count = self._logs.copy(), self._count.copy()  # noqa: SLF001 - its own
        return twin


class _Job(NamedTuple):
    """Work under way, and after how many sets its result is told."""

    result: Result
    sets_to_go: int


class _Later:
    """Work that is done when its result is asked for."""

    def __init__(self, work: Callable[[], FloatArray]) -> None:
        self._work = work

    def result(self) -> FloatArray:
        return self._work()


def _load() -> Callable[..., Any]:
    try:
        coint: Callable[..., Any] = import_module("statsmodels.tsa.stattools").coint
    except ImportError as error:
        raise ValueError(
            "cointegration needs statsmodels: pip install 'barsync-async[statistics]'"
        ) from error
    return coint


def _p_values(logs: FloatArray) -> FloatArray:
    """Of every pair; ``logs`` has the shape ``(2, pairs, window)``."""
    coint = _load()
    return np.array([_p_value(coint, left, right) for left, right in zip(*logs, strict=True)])


def _p_value(coint: Callable[..., Any], left: FloatArray, right: FloatArray) -> float:
    y, x = left - left.mean(), right - right.mean()
    yy, xx, xy = y @ y, x @ x, x @ y
    smallest = np.finfo(np.float64).eps * len(y)
    if not yy > smallest or not xx > smallest:  # NaN, too, is not
        return float("nan")
    if xy * xy >= (1 - _ONE_LINE) * xx * yy:
        return 0.0
    return float(coint(left, right)[1])
