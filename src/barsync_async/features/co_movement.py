"""How two sources move together: correlation, covariance and beta of their log returns."""

from typing import ClassVar

import numpy as np

from barsync_async.features.columns import ROUNDING, FloatArray
from barsync_async.features.fresh_pairs import FreshPairs, PairColumns
from barsync_async.features.indicator import Scope
from barsync_async.features.pair_returns import PairReturns
from barsync_async.features.parameters import check_window


class Correlation:
    """Pearson's correlation of the last ``window`` log returns of each pair, -1 to 1.

    :class:`~barsync_async.features.pair_returns.PairReturns` says which returns these are. With
    ``x`` and ``y`` less their means over the window,
    ``sum(x * y) / sqrt(sum(x * x) * sum(y * y))``.

    NaN where a side's returns do not vary (their standard deviation is at most 1.4e-14, which is
    what rounding of prices makes), and while the window holds a close that is not above 0.

    Args:
        pairs: which pairs.
        window: how many returns.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "pair"

    def __init__(self, pairs: PairColumns, *, window: int = 20) -> None:
        check_window(window, minimum=2)
        self._returns = PairReturns(window, pairs, _to_unit_length, _to_unit_length)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, pairs: FreshPairs) -> tuple[FloatArray, ...]:
        """The correlations; NaN before ``window`` joint returns."""
        values = self._returns.push(pairs)
        return (np.clip(values, -1.0, 1.0, out=values),)


class Covariance:
    """The covariance of the last ``window`` log returns of each pair; it divides by ``window - 1``.

    Which returns these are, and NaN, as of :class:`Correlation`, but 0 where a side does not vary.

    Args:
        pairs: which pairs.
        window: how many returns.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "pair"

    def __init__(self, pairs: PairColumns, *, window: int = 20) -> None:
        check_window(window, minimum=2)
        self._divisor = window - 1
        self._returns = PairReturns(window, pairs, _as_is, _as_is)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, pairs: FreshPairs) -> tuple[FloatArray, ...]:
        """The covariances; NaN before ``window`` joint returns."""
        return (self._returns.push(pairs) / self._divisor,)


class Beta:
    """How far A moves when B moves by 1: the slope of the least squares line of the last ``window``
    log returns of A on those of B, in each pair ``A|B``.

    ``covariance(A, B) / variance(B)``; the returns, and NaN, as of :class:`Correlation`, but only
    B must vary.

    Source: William F. Sharpe, "A Simplified Model for Portfolio Analysis", Management Science 9(2),
    1963.

    Args:
        pairs: which pairs.
        window: how many returns.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "pair"

    def __init__(self, pairs: PairColumns, *, window: int = 20) -> None:
        check_window(window, minimum=2)
        self._returns = PairReturns(window, pairs, _as_is, _by_its_square)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, pairs: FreshPairs) -> tuple[FloatArray, ...]:
        """The slopes; NaN before ``window`` joint returns."""
        return (self._returns.push(pairs),)


def _as_is(deviations: FloatArray) -> FloatArray:
    return deviations


def _to_unit_length(deviations: FloatArray) -> FloatArray:
    return deviations / np.sqrt(_squares(deviations))


def _by_its_square(deviations: FloatArray) -> FloatArray:
    return deviations / _squares(deviations)


def _squares(deviations: FloatArray) -> FloatArray:
    """The sum of squares of each column; NaN where it is no more than rounding."""
    sums: FloatArray = np.einsum("ij,ij->j", deviations, deviations)
    sums[sums <= ROUNDING**2 * len(deviations)] = np.nan
    return sums
