"""barsync: many live bar feeds in, one strictly ordered stream of synchronized sets out.

The names below are the public surface for composing a daemon in code. They are loaded when first
used, so that importing the pure core brings in no event loop and no socket.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from barsync_async.app.run import run_config
    from barsync_async.config import create_feature_aggregator_pattern, parse_config
    from barsync_async.core.batch import synchronize
    from barsync_async.core.spec import SynchronizerSpec
    from barsync_async.core.synchronizer import Synchronizer
    from barsync_async.errors import BarsyncError
    from barsync_async.messages import Bar, Event, EventType
    from barsync_async.shell.bus import EventBus
    from barsync_async.shell.components.feature_calculator import MultiSymbolFeatureCalculator
    from barsync_async.shell.components.portfolio import Portfolio
    from barsync_async.shell.components.strategy_runner import StrategyRunner
    from barsync_async.shell.components.synchronizer import BarSynchronizer
    from barsync_async.shell.container import Container, ContainerRole
    from barsync_async.shell.stream import synchronize_stream
    from barsync_async.shell.subscription import OverflowPolicy

_HOMES = {
    "Bar": "messages",
    "BarSynchronizer": "shell.components.synchronizer",
    "BarsyncError": "errors",
    "Container": "shell.container",
    "ContainerRole": "shell.container",
    "Event": "messages",
    "EventBus": "shell.bus",
    "EventType": "messages",
    "MultiSymbolFeatureCalculator": "shell.components.feature_calculator",
    "OverflowPolicy": "shell.subscription",
    "Portfolio": "shell.components.portfolio",
    "StrategyRunner": "shell.components.strategy_runner",
    "Synchronizer": "core.synchronizer",
    "SynchronizerSpec": "core.spec",
    "create_feature_aggregator_pattern": "config",
    "parse_config": "config",
    "run_config": "app.run",
    "synchronize": "core.batch",
    "synchronize_stream": "shell.stream",
}

__all__ = [
    "Bar",
    "BarSynchronizer",
    "BarsyncError",
    "Container",
    "ContainerRole",
    "Event",
    "EventBus",
    "EventType",
    "MultiSymbolFeatureCalculator",
    "OverflowPolicy",
    "Portfolio",
    "StrategyRunner",
    "Synchronizer",
    "SynchronizerSpec",
    "create_feature_aggregator_pattern",
    "parse_config",
    "run_config",
    "synchronize",
    "synchronize_stream",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
