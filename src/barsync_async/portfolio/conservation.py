"""That no money comes from nowhere, and none gets lost."""

import math
from collections.abc import Mapping

from barsync_async.errors import ConservationBroken
from barsync_async.messages import PortfolioUpdate
from barsync_async.portfolio.prices import gross_value, net_value

_ROUNDING = 2e-15  # of the sums: twice what their roundings come to at worst, 8 of 2 ** -53 each
_LEAST = 1e-9


def check_conserved(
    last: PortfolioUpdate, update: PortfolioUpdate, marks: Mapping[str, float]
) -> None:
    """Equity changes by the moves of prices less the costs, and by nothing else.

    Args:
        last: the version before.
        update: the one to check.
        marks: the prices of both's positions now.

    Raises:
        ConservationBroken: it does not.
    """
    held = last.cash + net_value(last.positions, marks)
    expected = held - (update.costs - last.costs)
    moved = max(gross_value(last.positions, marks), update.gross_exposure)
    scale = abs(update.cash) + abs(held) + moved + update.costs
    kept = abs(update.equity - expected) <= _ROUNDING * scale + _LEAST
    if not (kept and math.isfinite(update.equity)):
        raise ConservationBroken(expected, update.equity)
