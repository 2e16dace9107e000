"""Which of two sources did better."""

from typing import ClassVar

import numpy as np

from barsync_async.features.columns import FloatArray
from barsync_async.features.fresh_pairs import FreshPairs, PairColumns
from barsync_async.features.indicator import Scope
from barsync_async.features.parameters import check_window
from barsync_async.features.returns import above_0
from barsync_async.features.ring import Ring


class RelativeStrength:
    """How much more A grew than B over the last ``window`` joint sets, in each pair ``A|B``.

    ``(a / a0) / (b / b0)``, where ``a`` and ``b`` are the closes of the newest set in which both
    were fresh, and ``a0`` and ``b0`` those of the one ``window`` such sets before: 1 where both
    grew alike, above 1 where A did better. NaN where one of the four is not above 0.

    Source: Robert A. Levy, "Relative Strength as a Criterion for Investment Selection", The Journal
    of Finance 22(4), 1967, with another source in place of the market's average.

    Args:
        pairs: which pairs.
        window: over how many sets.

    Raises:
        ValueError: a parameter makes no sense.
    """

    scope: ClassVar[Scope] = "pair"

    def __init__(self, pairs: PairColumns, *, window: int = 20) -> None:
        check_window(window, minimum=1)
        self._ratios = Ring(window, len(pairs))
        self._values: FloatArray = np.full(len(pairs), np.nan)

    def outputs(self, label: str) -> tuple[str, ...]:
        """``LABEL``."""
        return (label,)

    def update(self, pairs: FreshPairs) -> tuple[FloatArray, ...]:
        """The ratios; NaN before ``window + 1`` joint sets."""
        ratios = above_0(pairs.left) / above_0(pairs.right)
        self._values[pairs.columns] = ratios / self._ratios.push(pairs.columns, ratios)
        return (self._values,)
