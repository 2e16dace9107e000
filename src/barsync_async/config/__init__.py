"""The config file's structure. It opens no file and reads no environment.

A config is plain data: the tables of a TOML file, or the dict that
:func:`create_feature_aggregator_pattern` returns. :func:`parse_config` finds all its mistakes at
once and gives typed values.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from barsync_async.config.container_mistakes import container_mistakes, remarks
from barsync_async.config.hidden_plugins import hidden_plugins
from barsync_async.config.mistakes import (
    component_mistakes,
    feed_mistakes,
    live_mistakes,
    output_mistakes,
    source_mistakes,
    told,
)
from barsync_async.config.pattern import create_feature_aggregator_pattern
from barsync_async.config.tables import (
    COMPONENT_CONFIGS,
    OUTPUT_EVENTS,
    BarSynchronizerConfig,
    ComponentConfig,
    Config,
    ConsoleConfig,
    ContainerConfig,
    CostsConfig,
    FeedConfig,
    HoursConfig,
    JsonlConfig,
    LimitsConfig,
    ServiceConfig,
)
from barsync_async.errors import ConfigError, Mistake

__all__ = [
    "COMPONENT_CONFIGS",
    "OUTPUT_EVENTS",
    "BarSynchronizerConfig",
    "ComponentConfig",
    "Config",
    "ConsoleConfig",
    "ContainerConfig",
    "CostsConfig",
    "FeedConfig",
    "HoursConfig",
    "JsonlConfig",
    "LimitsConfig",
    "ServiceConfig",
    "create_feature_aggregator_pattern",
    "hidden_plugins",
    "parse_config",
    "parsed_component_config",
    "remarks",
]


def parse_config(document: Mapping[str, Any], origin: str = "config") -> Config:
    """``document`` as typed values, for ``run_config``; ``origin`` names it in errors.

    Raises:
        ConfigError: with every mistake that was found.
    """
    mistakes: list[Mistake] = []
    config: Config | None = None
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        mistakes += told(error, ())
    mistakes += component_mistakes(document)
    mistakes += feed_mistakes(document)
    mistakes += source_mistakes(document)
    mistakes += container_mistakes(document)
    mistakes += live_mistakes(document)
    mistakes += output_mistakes(document)
    if mistakes or config is None:
        raise ConfigError(origin, mistakes)
    config._origin = origin  # noqa: SLF001 - this is its maker
    return config


def parsed_component_config(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the registered component type ``kind``, as :func:`parse_config` left them
    good; what is not given is left to the component's own defaults.
    """
    return COMPONENT_CONFIGS[kind].model_validate(config).model_dump(exclude_unset=True)
