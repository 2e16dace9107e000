"""From the tables of a config to containers with their components."""

from collections.abc import Callable, Mapping
from typing import Any

from barsync_async.config import Config, ContainerConfig, parsed_component_config
from barsync_async.errors import ComponentError, ConfigError, Mistake
from barsync_async.plugins import load_class, make
from barsync_async.ports import Clock
from barsync_async.shell.components.feature_calculator import MultiSymbolFeatureCalculator
from barsync_async.shell.components.portfolio import Portfolio
from barsync_async.shell.components.strategy_runner import StrategyRunner
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container, ContainerRole
from barsync_async.shell.intake import Intake

COMPONENTS: Mapping[str, Callable[..., Any]] = {
    "BarSynchronizer": BarSynchronizer,
    "MultiSymbolFeatureCalculator": MultiSymbolFeatureCalculator,
    "StrategyRunner": StrategyRunner,
    "Portfolio": Portfolio,
}
"""The registered component types."""


def build_containers(config: Config, *, clock: Clock, intake: Intake) -> list[Container]:
    """Every container that ``config`` names, with its components initialized.

    Raises:
        ConfigError: components cannot be made as configured; it names all of them.
    """
    mistakes: list[Mistake] = []
    containers = [
        _build(name, table, clock, intake, mistakes) for name, table in config.containers.items()
    ]
    if mistakes:
        raise ConfigError(config.origin, mistakes)
    return containers


def _build(
    name: str, table: ContainerConfig, clock: Clock, intake: Intake, mistakes: list[Mistake]
) -> Container:
    container = Container(name, ContainerRole(table.role), clock=clock)
    for key, component in table.components.items():
        try:
            made = _make(component.type, component.config)
            if isinstance(made, BarSynchronizer):
                made.intake = intake
            container.add_component(key, made)
        except (ValueError, ComponentError) as error:
            path = f"containers.{name}.components.{key}"
            mistakes.append(Mistake(path, component.type, str(error)))
    return container


def _make(kind: str, config: Mapping[str, Any]) -> Any:
    if kind in COMPONENTS:
        return make(kind, COMPONENTS[kind], parsed_component_config(kind, config))
    return make(kind, load_class(kind), config)
