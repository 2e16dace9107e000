"""The config file's structure. It opens no file and reads no environment.

A config is plain data: the tables of a TOML file, or the dict that
:func:`create_feature_aggregator_pattern` returns. :func:`parse_config` finds all its mistakes at
once and gives typed values.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
)
from pydantic_core import ErrorDetails

from barsync_async.errors import ConfigError, Mistake
from barsync_async.features import parse_indicators
from barsync_async.messages import EventType
from barsync_async.strategy_choice import check_strategy
from barsync_async.units import SourceId, split_source
from barsync_async.venues import CODECS

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN_LENGTH = 80


def _source(value: str) -> str:
    split_source(value)
    return value


SourceName = Annotated[str, AfterValidator(_source)]
Milliseconds = Annotated[float, Field(gt=0, le=86_400_000, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]

OUTPUT_EVENTS = tuple(each for each in EventType if each not in (EventType.BAR, EventType.GAP))


def _event_type(value: str) -> str:
    if value not in OUTPUT_EVENTS:
        raise ValueError(f"expected one of {' '.join(OUTPUT_EVENTS)}")
    return value


EventNames = Annotated[list[Annotated[str, AfterValidator(_event_type)]], Field(min_length=1)]


def _indicator(value: str | dict[str, Any]) -> str | dict[str, Any]:
    parse_indicators([value])
    return value


Indicator = Annotated[str | dict[str, Any], AfterValidator(_indicator)]


def _strategy(value: str | dict[str, Any]) -> str | dict[str, Any]:
    check_strategy(value)
    return value


StrategyTable = Annotated[str | dict[str, Any], AfterValidator(_strategy)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ServiceConfig(_Table):
    """``[service]``: the daemon itself."""

    name: Annotated[str, Field(min_length=1)] = "barsync"
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class FeedConfig(_Table):
    """``[feeds.NAME]``: one venue's sources; no ``url`` means the venue's public endpoint."""

    venue: str
    url: Annotated[str, Field(pattern=r"^wss?://[^\s/]+(/\S*)?$")] | None = None
    sources: Annotated[list[SourceName], Field(min_length=1)]


class ComponentConfig(_Table):
    """``[containers.NAME.components.NAME]``: a registered type or ``package.module:Class``."""

    type: str
    config: dict[str, Any] = {}


class ContainerConfig(_Table):
    """``[containers.NAME]``."""

    role: Literal["processor"] = "processor"
    components: Annotated[dict[str, ComponentConfig], Field(min_length=1)]


class JsonlConfig(_Table):
    """``[outputs.NAME]`` with ``type = "jsonl"``; path ``-`` is standard output."""

    type: Literal["jsonl"]
    path: Annotated[str, Field(min_length=1)]
    events: EventNames = list(OUTPUT_EVENTS)


class ConsoleConfig(_Table):
    """``[outputs.NAME]`` with ``type = "console"``: lines for a person, on standard output."""

    type: Literal["console"]
    events: EventNames = list(OUTPUT_EVENTS)


OutputConfig = Annotated[JsonlConfig | ConsoleConfig, Field(discriminator="type")]
_OUTPUT_TYPES = ("jsonl", "console")


class Config(_Table):
    """A whole config file; ``origin`` names it in errors."""

    _origin: str = PrivateAttr("config")

    service: ServiceConfig = ServiceConfig()
    feeds: Annotated[dict[str, FeedConfig], Field(min_length=1)]
    containers: Annotated[dict[str, ContainerConfig], Field(min_length=1)]
    outputs: dict[str, OutputConfig] = {}

    @property
    def origin(self) -> str:
        """The file that it came from."""
        return self._origin


class BarSynchronizerConfig(_Table):
    """The ``config`` of a ``BarSynchronizer``."""

    expected_sources: Annotated[list[SourceName], Field(min_length=1)]
    timeout_ms: Milliseconds = 100
    require_all: bool = True
    missing: Literal["skip", "last_known"] = "skip"
    max_age_ms: Count | None = None
    max_future_ms: Annotated[int, Field(ge=0)] = 1_000
    max_open: Annotated[int, Field(ge=1, le=100_000)] = 64
    history: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    inbox: Count = 65_536


class FeatureCalculatorConfig(_Table):
    """The ``config`` of a ``MultiSymbolFeatureCalculator``."""

    indicators: Annotated[list[Indicator], Field(min_length=1)] = [
        "sma",
        "rsi",
        "correlation",
        "spread",
    ]
    pairs: list[Annotated[list[SourceName], Field(min_length=2, max_length=2)]] | None = None


class StrategyRunnerConfig(_Table):
    """The ``config`` of a ``StrategyRunner``."""

    strategies: Annotated[list[StrategyTable], Field(min_length=1)]
    parallel: bool = True
    time_limit_ms: Milliseconds = 250


class PortfolioConfig(_Table):
    """The ``config`` of a ``Portfolio``."""

    cash: Annotated[float, Field(allow_inf_nan=False)] = 1_000_000.0
    decision_timeout_ms: Milliseconds = 500


COMPONENT_CONFIGS: Mapping[str, type[BaseModel]] = {
    "BarSynchronizer": BarSynchronizerConfig,
    "MultiSymbolFeatureCalculator": FeatureCalculatorConfig,
    "StrategyRunner": StrategyRunnerConfig,
    "Portfolio": PortfolioConfig,
}
"""The registered component types and the tables that they take."""


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


def parse_config(document: Mapping[str, Any], origin: str) -> Config:
    """``document`` as typed values; ``origin`` names it in errors.

    Raises:
        ConfigError: with every mistake that was found.
    """
    mistakes: list[Mistake] = []
    config: Config | None = None
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        mistakes += _mistakes(error, ())
    mistakes += _component_mistakes(document)
    mistakes += _feed_mistakes(document)
    mistakes += _source_mistakes(document)
    if mistakes or config is None:
        raise ConfigError(origin, mistakes)
    config._origin = origin  # noqa: SLF001 - this is its maker
    return config


def parsed_component_config(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the registered component type ``kind``, as :func:`parse_config` left them
    good; what is not given is left to the component's own defaults.
    """
    return COMPONENT_CONFIGS[kind].model_validate(config).model_dump(exclude_unset=True)


def _mistakes(error: ValidationError, prefix: tuple[str | int, ...]) -> Iterator[Mistake]:
    for detail in error.errors(include_url=False):
        keys = _without_tags((*prefix, *detail["loc"]))
        yield Mistake(key_path(keys), _shown(detail), _expected(detail))


def _without_tags(keys: Sequence[str | int]) -> Sequence[str | int]:
    """Without what pydantic puts in to say which member of a union it tried."""
    if keys[0] == "outputs":
        return (*keys[:2], *keys[3:])
    return [
        key
        for before, key in zip(("", *keys), keys, strict=False)
        if not (isinstance(before, int) and key in ("str", "dict[str,any]"))
    ]


def key_path(keys: Sequence[str | int]) -> str:
    """``("feeds", "sim", "sources", 0)`` -> ``feeds.sim.sources[0]``, quoted where TOML quotes."""
    path = ""
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        else:
            name = str(key)
            name = name if _BARE_KEY.fullmatch(name) else f'"{name}"'
            path += f".{name}" if path else name
    return path


def _shown(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return ""
    try:
        text = repr(detail["input"])
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 3]}..."


def _expected(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return "no such key"
        case "missing":
            return "is required"
        case "union_tag_invalid" | "union_tag_not_found":
            return f"needs type, one of {' '.join(_OUTPUT_TYPES)}"
    return detail["msg"].removeprefix("Value error, ").removeprefix("Input ")


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """The items of what should be a table, and nothing of what is none."""
    if isinstance(value, Mapping):
        yield from value.items()


def _components(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, container in _items(document.get("containers")):
        for component, table in _items(dict(_items(container)).get("components")):
            yield ("containers", name, "components", component), dict(_items(table))


def _component_mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    for path, table in _components(document):
        kind = table.get("type")
        model = COMPONENT_CONFIGS.get(kind) if isinstance(kind, str) else None
        config = table.get("config", {})
        if model is not None and isinstance(config, Mapping):
            try:
                model.model_validate(config)
            except ValidationError as error:
                yield from _mistakes(error, (*path, "config"))
        elif model is None and isinstance(kind, str) and ":" not in kind:
            known = " ".join(COMPONENT_CONFIGS)
            expected = f"expected one of {known}, or package.module:Class"
            yield Mistake(key_path((*path, "type")), repr(kind), expected)


def _feed_mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    carried: dict[str, str] = {}
    streams: dict[tuple[str, str], str] = {}
    for name, feed in _items(document.get("feeds")):
        table = dict(_items(feed))
        venue = table.get("venue")
        codec = CODECS.get(venue) if isinstance(venue, str) else None
        if codec is None and isinstance(venue, str):
            expected = f"expected one of {' '.join(CODECS)}"
            yield Mistake(key_path(("feeds", name, "venue")), repr(venue), expected)
        for index, source in _sources(table.get("sources")):
            path = key_path(("feeds", name, "sources", index))
            if source in carried:
                expected = f"is carried by {carried[source]} already; give each source one feed"
                yield Mistake(path, repr(source), expected)
            elif codec is not None and (why := codec.supports(source, table.get("url"))):
                yield Mistake(path, repr(source), why)
            elif codec is not None:
                twin = streams.setdefault((name, codec.stream(source)), source)
                if twin != source:
                    yield Mistake(path, repr(source), f"is the same stream as {twin} there")
            carried.setdefault(source, path)


def _source_mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """Expected sources that no feed provides."""
    provided = {
        source
        for _, feed in _items(document.get("feeds"))
        for _, source in _sources(dict(_items(feed)).get("sources"))
    }
    for path, table in _components(document):
        if table.get("type") == "BarSynchronizer":
            expected = dict(_items(table.get("config"))).get("expected_sources")
            for index, source in _sources(expected):
                if source not in provided:
                    where = key_path((*path, "config", "expected_sources", index))
                    yield Mistake(where, repr(source), "no feed has this source")


def _sources(value: Any) -> Iterator[tuple[int, SourceId]]:
    """The well-formed source names in what should be a list of them, with their places."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            if isinstance(each, str) and _is_source(each):
                yield index, SourceId(each)


def _is_source(text: str) -> bool:
    try:
        split_source(text)
    except ValueError:
        return False
    return True
