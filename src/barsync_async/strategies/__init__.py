"""Strategies, pure: features in, wanted positions out."""

from collections.abc import Mapping

from barsync_async.strategies.momentum import Momentum
from barsync_async.strategies.needs import Need
from barsync_async.strategies.pairs_trading import PairsTrading

STRATEGIES: Mapping[str, type[Momentum] | type[PairsTrading]] = {
    "momentum": Momentum,
    "pairs_trading": PairsTrading,
}
"""Every strategy there is, by the name that a config's ``strategies`` key takes."""

__all__ = ["STRATEGIES", "Momentum", "Need", "PairsTrading"]
