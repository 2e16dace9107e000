"""The usual composition."""

from collections.abc import Sequence
from typing import Any


def create_feature_aggregator_pattern(
    sources: Sequence[str] = ("SPY_1m", "SPY_5m", "QQQ_1m"),
) -> dict[str, Any]:
    """The usual composition, as the very structure that a config file holds.

    Add ``feeds`` and ``outputs``, alter what you like, and give it to :func:`parse_config`.
    """
    components = {
        "synchronizer": {
            "type": "BarSynchronizer",
            "config": {
                "expected_sources": list(sources),
                "timeout_ms": 100,
                "require_all": True,
            },
        },
        "feature_calc": {
            "type": "MultiSymbolFeatureCalculator",
            "config": {"indicators": ["sma", "rsi", "correlation"]},
        },
        "strategy_runner": {
            "type": "StrategyRunner",
            "config": {"strategies": ["momentum", "pairs_trading"], "parallel": True},
        },
        "portfolio": {"type": "Portfolio", "config": {"cash": 1_000_000.0}},
    }
    container = {"role": "processor", "components": components}
    return {"containers": {"feature_aggregator": container}}
