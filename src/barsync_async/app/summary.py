"""What a config would run, in lines for a person: what ``barsync check`` says of a good one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from barsync_async.config import (
    COMPONENT_CONFIGS,
    OUTPUT_EVENTS,
    ComponentConfig,
    Config,
    FeedConfig,
)
from barsync_async.indicator_choice import output_names, parse_indicators
from barsync_async.shell.components.strategy_runner import StrategyRunner
from barsync_async.shell.container import Container
from barsync_async.shell.outputs.jsonl import STANDARD_OUTPUT
from barsync_async.strategy_choice import executor_of, strategy_plan
from barsync_async.venues import CODECS

_WHERE = {
    "inline": "inline, without a limit",
    "thread": "in a thread, {:g} ms",
    "process": "in a process, {:g} ms",
}


def summary(config: Config, containers: Sequence[Container]) -> Iterator[str]:
    """A line for each part, and indented ones for what is in it; ``containers`` are those that were
    made of ``config``.
    """
    yield f"service {config.service.name}"
    for name, feed in config.feeds.items():
        yield f"feed {name}: {feed.venue} {_where(feed)}: {' '.join(feed.sources)}"
        yield from (f"  {source} is made of {parts}" for source, parts in feed.derived.items())
    for container in containers:
        yield from _container(container, config.containers[container.name].components)
    for name, output in config.outputs.items():
        target = _target(getattr(output, "path", STANDARD_OUTPUT))
        events = "all events" if set(output.events) == set(OUTPUT_EVENTS) else output.events
        shown = events if isinstance(events, str) else " ".join(events)
        yield f"output {name}: {output.type} to {target}: {shown}"


def _where(feed: FeedConfig) -> str:
    if feed.is_of_files:
        return "from " + " ".join(file.path for file in feed.files.values())
    return f"at {feed.url or CODECS[feed.venue].default_url + ' (public)'}"


def _target(path: str) -> str:
    return "standard output" if path == STANDARD_OUTPUT else str(Path(path).absolute())


def _container(container: Container, components: Mapping[str, ComponentConfig]) -> Iterator[str]:
    kinds = ", ".join(f"{key} ({each.type})" for key, each in components.items())
    yield f"container {container.name}: {kinds}"
    for each in components.values():
        if each.type in _PARTS:
            table = COMPONENT_CONFIGS[each.type].model_validate(each.config)
            yield from (f"  {line}" for line in _PARTS[each.type](table, container))


def _features(table: Any, container: Container) -> Iterator[str]:
    del container
    specs = parse_indicators(table.indicators)
    yield f"features {' '.join(name for spec in specs for name in output_names(spec))}"


def _strategies(table: Any, container: Container) -> Iterator[str]:
    (runner,) = container.find(StrategyRunner)
    for name, choice in zip(runner.strategy_names, table.strategies, strict=True):
        plan = strategy_plan(choice)
        executor = executor_of(plan, table.executor, parallel=table.parallel)
        made_of = "" if plan.name == name else f" ({plan.name})"
        limit_ms = plan.time_limit_ms or table.time_limit_ms
        yield f"strategy {name}{made_of}: {_WHERE[executor].format(limit_ms)}"


def _portfolio(table: Any, container: Container) -> Iterator[str]:
    del container
    limits = {} if table.limits is None else table.limits.model_dump(exclude_none=True)
    costs = {} if table.costs is None else table.costs.model_dump(exclude_defaults=True)
    yield f"cash {table.cash:,.2f}; {_values(limits, 'limits')}; {_values(costs, 'costs')}"


def _values(given: Mapping[str, Any], what: str) -> str:
    shown = {key: f"{each:,g}" if isinstance(each, float) else each for key, each in given.items()}
    return ", ".join(f"{key} {each}" for key, each in shown.items()) or f"no {what}"


_PARTS: Mapping[str, Callable[[Any, Container], Iterator[str]]] = {
    "MultiSymbolFeatureCalculator": _features,
    "StrategyRunner": _strategies,
    "Portfolio": _portfolio,
}
