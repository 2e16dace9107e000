"""How far two sources stand apart."""

from typing import ClassVar

import numpy as np

from barsync_async.features.columns import ROUNDING, Columns, FloatArray
from barsync_async.features.fresh_pairs import FreshPairs, PairColumns
from barsync_async.features.indicator import Scope
from barsync_async.features.parameters import check_window
from barsync_async.features.returns import above_0
from barsync_async.features.ring import Ring


class Spread:
    """The hedged distance of the log closes of each pair ``A|B``, and how unusual it is.

    Over the last ``window`` sets in which both sources were fresh, the newest among them, with
    ``y = log(close of A)`` and ``x = log(close of B)``, and ``mean`` and ``std`` over the window::

        hedge_ratio   b = sum((x - mean(x)) * (y - mean(y))) / sum((x - mean(x))**2)
        spread        s = y - b * x, at the newest set
        spread_zscore z = (s - mean(s)) / std(s), all of the window with the newest b

    ``b`` is the slope of the ordinary least squares line of ``y`` on ``x``; a position of value 1
    in A is hedged by one of value ``-b`` in B. ``std`` divides by ``window``; the newest set is
    part of the window, so ``abs(z)`` is at most ``sqrt(window - 1)``: 4.36 for 20.

    NaN: all three where B's closes do not vary or the window holds a close that is not above 0;
    the z-score where the line leaves no residual. "Do not vary" and "no residual" mean: by no
    more than rounding, 64 units in the last place of the logarithms.

    Source of the trade it serves: Gatev, Goetzmann, Rouwenhorst, "Pairs Trading: Performance of a
    Relative-Value Arbitrage Rule", Review of Financial Studies 19(3), 2006; of the hedge ratio:
    Engle, Granger, "Co-Integration and Error Correction", Econometrica 55(2), 1987, first step.

    Args:
        pairs: which pairs.
        window: how many sets.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "pair"

    def __init__(self, pairs: PairColumns, *, window: int = 20) -> None:
        check_window(window, minimum=3)
        self._left = _Logs(window, len(pairs))
        self._right = _Logs(window, len(pairs))

    @staticmethod
    def outputs(label: str) -> tuple[str, ...]:
        """``spread``, ``spread_zscore``, ``hedge_ratio``; under another label ``LABEL``,
        ``LABEL_zscore``, ``LABEL_hedge_ratio``.
        """
        ratio = "hedge_ratio" if label == "spread" else f"{label}_hedge_ratio"
        return (label, f"{label}_zscore", ratio)

    def update(self, pairs: FreshPairs) -> tuple[FloatArray, ...]:
        """Spread, z-score and hedge ratio; NaN before ``window`` joint sets."""
        self._left.push(pairs.columns, pairs.left)
        self._right.push(pairs.columns, pairs.right)
        with np.errstate(all="ignore"):
            return self._values()

    def _values(self) -> tuple[FloatArray, ...]:
        y, y_mean, y_noise = self._left.centred()
        x, x_mean, x_noise = self._right.centred()
        x_squares: FloatArray = np.einsum("ij,ij->j", x, x)
        ratio: FloatArray = np.einsum("ij,ij->j", x, y) / x_squares
        ratio[np.sqrt(x_squares / len(x)) <= x_noise] = np.nan
        residuals = y - ratio * x
        deviation = np.sqrt(np.einsum("ij,ij->j", residuals, residuals) / len(x))
        newest = (self._left.newest - y_mean) - ratio * (self._right.newest - x_mean)
        zscore = newest / deviation
        zscore[deviation <= y_noise + np.abs(ratio) * x_noise] = np.nan
        return self._left.newest - ratio * self._right.newest, zscore, ratio


class _Logs:
    """The log closes of one side of every pair; ``newest`` has the shape ``(columns,)``."""

    def __init__(self, window: int, columns: int) -> None:
        self._ring = Ring(window, columns)
        self.newest: FloatArray = np.full(columns, np.nan)

    def push(self, columns: Columns, closes: FloatArray) -> None:
        logs = np.log(above_0(closes))
        self._ring.push(columns, logs)
        self.newest[columns] = logs

    def centred(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The logs less their means, the means, and how much rounding may have moved a log."""
        means: FloatArray = self._ring.values.mean(axis=0)
        return self._ring.values - means, means, ROUNDING * np.maximum(1.0, np.abs(means))
