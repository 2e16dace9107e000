"""Key figures, against their definitions."""

import math

import numpy as np
import pytest

from barsync_async.report.figures import portfolio_figures
from barsync_async.report.portfolio import PortfolioSeries
from barsync_async.report.strategies import StrategyCounts


def series(equity: list[float], **columns: list[float]) -> PortfolioSeries:
    zeros = [0.0] * len(equity)
    values = {
        name: np.array(columns.get(name, zeros), dtype=np.float64)
        for name in ("cash", "drawdown", "gross", "net", "traded", "costs")
    }
    stamps = np.arange(1, len(equity) + 1) * 60_000
    return PortfolioSeries(
        timestamp=stamps, version=np.arange(1, len(equity) + 1), equity=np.array(equity), **values
    )


def own(gain: float) -> StrategyCounts:
    return StrategyCounts(
        decisions=1, applied=1, changes=1, refused=0, faults={}, traded=0.0, gain=gain
    )


def test_the_figures_of_a_portfolio() -> None:
    figures = portfolio_figures(
        series(
            [100.0, 120.0, 90.0, 110.0],
            drawdown=[0.0, 0.0, 0.25, 1 / 12],
            traded=[50.0, 0.0, 30.0, 0.0],
            costs=[0.0, 0.0, 1.5, 0.5],
            gross=[50.0, 60.0, 90.0, 55.0],
        ),
        {"momentum": own(9.0), "pairs": own(1.0)},
    )
    assert (figures.versions, figures.start, figures.end, figures.gain) == (4, 100.0, 110.0, 10.0)
    assert figures.returned == pytest.approx(0.1)
    assert figures.max_drawdown == pytest.approx(0.25)
    assert figures.trough == 180_000
    assert (figures.traded, figures.costs) == (80.0, 2.0)
    assert figures.turnover == pytest.approx(80 / 105)
    assert figures.exposure == pytest.approx((0.5 + 0.5 + 1.0 + 0.5) / 4)
    assert figures.max_exposure == pytest.approx(1.0)
    assert figures.unattributed == pytest.approx(10.0 + 2.0 - 10.0)


def test_what_the_first_version_cost_is_lost_from_the_start() -> None:
    figures = portfolio_figures(
        series([99.5, 109.0], costs=[0.5, 0.5]), {"momentum": own(9.0), "pairs": own(1.0)}
    )
    assert (figures.start, figures.end, figures.gain) == (100.0, 109.0, 9.0)
    assert figures.returned == pytest.approx(0.09)
    assert (figures.costs, figures.unattributed) == (1.0, 0.0)


def test_what_has_no_value_is_not_a_number() -> None:
    figures = portfolio_figures(series([0.0, -5.0], drawdown=[math.nan, math.nan]), {})
    for value in (figures.returned, figures.turnover, figures.exposure, figures.max_drawdown):
        assert math.isnan(value)
    assert figures.gain == -5.0


def test_the_deepest_drawdown_is_sought_where_there_is_one() -> None:
    figures = portfolio_figures(
        series([0.0, 10.0, 8.0, 9.0], drawdown=[math.nan, 0.0, 0.2, 0.1]), {}
    )
    assert (figures.max_drawdown, figures.trough) == (0.2, 180_000)
