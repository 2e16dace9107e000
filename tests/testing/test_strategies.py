"""The shipped fakes are what a daemon would give a strategy."""

import pytest

from barsync_async.messages import Decision, Features, PortfolioUpdate
from barsync_async.portfolio import Book
from barsync_async.strategies import Momentum
from barsync_async.testing import create_bar, features_of, portfolio_of
from barsync_async.units import WallMs


def test_features_have_a_fresh_bar_of_each_source_and_the_values() -> None:
    values = {"SPY_1m": {"sma": 1.0}, "correlation": {"QQQ_1m|SPY_1m": 0.5}}
    assert features_of({"SPY_1m": 10.0, "QQQ_1m": 20.0}, values, timestamp=120_000) == Features(
        timestamp=WallMs(120_000),
        features={**values, "QQQ_1m": {}},
        bars={
            "SPY_1m": create_bar("SPY_1m", 120_000, 10.0),  # type: ignore[dict-item]  # a plain str
            "QQQ_1m": create_bar("QQQ_1m", 120_000, 20.0),  # type: ignore[dict-item]  # the same
        },
    )


def test_nothing_of_them_can_be_altered() -> None:
    features, portfolio = features_of({"SPY_1m": 1.0}), portfolio_of({"SPY": 1.0})
    for mapping in (features.bars, features.features, features.features["SPY_1m"]):
        with pytest.raises(TypeError):
            mapping["x"] = 1  # type: ignore[index]  # the point
    with pytest.raises(TypeError):
        portfolio.positions["x"] = 1.0  # type: ignore[index]  # the point


def test_a_portfolio_has_the_figures_that_a_book_gives() -> None:
    made = portfolio_of({"SPY": 2.0, "QQQ": -1.0}, cash=70.0, closes={"SPY": 10.0, "QQQ": 20.0})
    assert made == PortfolioUpdate(
        timestamp=WallMs(0),
        version=1,
        positions={"SPY": 2.0, "QQQ": -1.0},
        cash=70.0,
        equity=70.0,
        peak=70.0,
        gross_exposure=40.0,
        net_exposure=0.0,
        applied=(),
    )
    assert portfolio_of(cash=5.0) == Book(5.0).apply(WallMs(0), {}, ())


def test_a_shipped_strategy_decides_on_them() -> None:
    features = features_of({"SPY_1m": 101.0}, {"SPY_1m": {"sma": 100.0, "rsi": 60.0}})
    assert Momentum(notional=1_010.0).decide(features, None) == Decision({"SPY": 10.0}, "1 long")
