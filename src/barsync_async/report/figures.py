"""Key figures of a container's series."""

import math
from collections.abc import Mapping

import msgspec
import numpy as np

from barsync_async.report.portfolio import PortfolioSeries
from barsync_async.report.sets import Floats
from barsync_async.report.strategies import StrategyCounts


class PortfolioFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a portfolio.

    ``start`` is the equity before anything was traded, at the closes of the first version; ``end``
    that of the last one; ``gain`` and ``returned`` (a share of ``start``) are between them.
    ``max_drawdown`` is the deepest one, reached at ``trough`` (ms since the epoch). ``turnover`` is
    ``traded`` by the mean equity. ``exposure`` and ``max_exposure`` are the mean and the greatest
    gross value of the positions, as a share of the equity at that version. ``unattributed`` is that
    part of the gain before costs that is no strategy's own. NaN stands for what has no value.
    """

    versions: int
    start: float
    end: float
    gain: float
    returned: float
    max_drawdown: float
    trough: int
    traded: float
    turnover: float
    costs: float
    exposure: float
    max_exposure: float
    unattributed: float


def portfolio_figures(
    series: PortfolioSeries, strategies: Mapping[str, StrategyCounts]
) -> PortfolioFigures:
    """The figures of a portfolio of at least one version."""
    start, end = float(series.equity[0] + series.costs[0]), float(series.equity[-1])
    deepest = int(np.argmax(np.nan_to_num(series.drawdown, nan=-np.inf)))
    traded, costs = math.fsum(series.traded), math.fsum(series.costs)
    exposure = ratio(series.gross, series.equity)
    own = math.fsum(each.gain for each in strategies.values())
    return PortfolioFigures(
        versions=len(series.version),
        start=start,
        end=end,
        gain=end - start,
        returned=end / start - 1.0 if start > 0 else math.nan,
        max_drawdown=float(series.drawdown[deepest]),
        trough=int(series.timestamp[deepest]),
        traded=traded,
        turnover=traded / mean if (mean := float(np.mean(series.equity))) > 0 else math.nan,
        costs=costs,
        exposure=float(np.mean(exposure)),
        max_exposure=float(np.max(exposure)),
        unattributed=end - start + costs - own,
    )


def ratio(values: Floats, by: Floats) -> Floats:
    """``values`` as shares of ``by``; NaN where that is not above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(by > 0, values / by, np.nan)
