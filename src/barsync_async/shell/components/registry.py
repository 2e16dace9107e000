"""From the tables of a config to containers with their components."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import structlog

from barsync_async.config import (
    BarSynchronizerConfig,
    ComponentConfig,
    Config,
    ContainerConfig,
    hidden_plugins,
    parsed_component_config,
    remarks,
)
from barsync_async.errors import ComponentError, ConfigError, ItemsRefused, Mistake
from barsync_async.mistakes import key_path, shown
from barsync_async.plugins import load_class, make, named
from barsync_async.ports import Clock
from barsync_async.shell.calendars import load_calendars
from barsync_async.shell.components.feature_calculator import MultiSymbolFeatureCalculator
from barsync_async.shell.components.portfolio import Portfolio
from barsync_async.shell.components.strategy_runner import StrategyRunner
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container, ContainerRole
from barsync_async.shell.feeds.connections import ConnectionPlan
from barsync_async.shell.intake import Intake
from barsync_async.units import SourceId, WallMs

log = structlog.get_logger("barsync.config")

COMPONENTS: Mapping[str, Callable[..., Any]] = {
    "BarSynchronizer": BarSynchronizer,
    "MultiSymbolFeatureCalculator": MultiSymbolFeatureCalculator,
    "StrategyRunner": StrategyRunner,
    "Portfolio": Portfolio,
}
"""The registered component types."""


def build_containers(
    config: Config,
    *,
    clock: Clock,
    intake: Intake,
    connections: Sequence[ConnectionPlan] = (),
    until: WallMs | None = None,
) -> list[Container]:
    """Every container that ``config`` names, with its components initialized.

    Args:
        config: the file.
        clock: the one all of them go by.
        intake: the one that the connections count their reads in.
        connections: which of them carries which source, for what a later bar proves.
        until: when the last bar comes, where that is known.

    Raises:
        ConfigError: components cannot be made as configured; it names all of them.
    """
    maker = _Maker(clock, intake, connections, until)
    containers = [maker.container(name, table) for name, table in config.containers.items()]
    if maker.mistakes:
        raise ConfigError(config.origin, maker.mistakes)
    for remark in remarks(config):
        log.warning("a strategy has nothing to decide on", lacking=str(remark))
    for hidden in hidden_plugins(config):
        log.warning("a name of an installed package is taken by ours", place=str(hidden))
    return containers


class _Maker:
    """Makes containers, and gathers what is wrong on the way."""

    def __init__(
        self,
        clock: Clock,
        intake: Intake,
        connections: Sequence[ConnectionPlan],
        until: WallMs | None,
    ) -> None:
        self._clock = clock
        self._intake = intake
        self._connections = connections
        self._until = until
        self.mistakes: list[Mistake] = []

    def container(self, name: str, table: ContainerConfig) -> Container:
        container = Container(name, ContainerRole(table.role), clock=self._clock)
        for key, component in table.components.items():
            keys = ("containers", name, "components", key)
            try:
                self._add(container, key, component)
            except ItemsRefused as error:
                for index, why in error.reasons.items():
                    value = shown(component.config[error.key][index])
                    self._refuse((*keys, "config", error.key, index), value, why)
            except (ValueError, ComponentError) as error:
                self._refuse(keys, component.type, error)
        return container

    def _add(self, container: Container, key: str, table: ComponentConfig) -> None:
        component = self._component(table)
        with nullcontext() if table.type in COMPONENTS else named(table.type):
            container.add_component(key, component)

    def _refuse(self, keys: Sequence[str | int], value: str, error: Exception) -> None:
        self.mistakes.append(Mistake(key_path(keys), value, str(error)))
        log.debug("cannot be made", path=key_path(keys), exc_info=error)

    def _component(self, table: ComponentConfig) -> Any:
        if table.type not in COMPONENTS:
            return make(table.type, load_class(table.type), table.config)
        parameters = parsed_component_config(table.type, table.config)
        if table.type == "BarSynchronizer":
            return self._synchronizer(parameters)
        return COMPONENTS[table.type](**parameters)

    def _synchronizer(self, parameters: dict[str, Any]) -> BarSynchronizer:
        parameters.pop("allow_lookahead", None)  # looked at when the config was parsed
        expected = frozenset(map(SourceId, parameters["expected_sources"]))
        calendars = BarSynchronizerConfig.model_validate(parameters).calendars
        if calendars:
            now = self._clock.now().wall
            parameters["calendars"] = load_calendars(calendars, expected, now, self._until)
        parameters["feeds"] = self._carriers(expected)
        parameters["unordered_feeds"] = frozenset(
            each.name for each in self._connections if not each.in_order
        )
        synchronizer = BarSynchronizer(**parameters)
        synchronizer.intake = self._intake
        return synchronizer

    def _carriers(self, expected: frozenset[SourceId]) -> dict[SourceId, tuple[str, ...]]:
        carriers: dict[SourceId, tuple[str, ...]] = {}
        for each in self._connections:
            for source in expected & each.carried:
                carriers[source] = (*carriers.get(source, ()), each.name)
        return carriers
