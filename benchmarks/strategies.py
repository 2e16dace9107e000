"""What a thread or a process of its own costs a strategy: from FEATURES to the last SIGNAL.

A container with a ``StrategyRunner`` alone, on uvloop, gets one FEATURES event after the other, as
a ``FeatureEngine`` makes them of all sources, and has some copies of ``momentum`` decide on each.
The same events, inline, in threads and in processes; the next one comes when all have decided.

- ``p50``, ``p99``: from the publication of the features until the last decision is out, in ms.
- ``beyond inline``: of the p50, by how much more than inline, in ms.
- ``begin``: until all strategies are made and ready, in ms.

Medians over several runs in turn, each in a fresh process. To repeat::

    python benchmarks/strategies.py
    python benchmarks/strategies.py --sources 1000 --strategies 8
"""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import anyio

from barsync_async.app.runner import run_on_loop
from barsync_async.features import FeatureEngine
from barsync_async.indicator_choice import parse_indicators
from barsync_async.messages import Event, EventType, SynchronizedBars, frozen_mapping
from barsync_async.shell.components.strategy_runner import StrategyRunner
from barsync_async.shell.container import Container
from barsync_async.strategy_choice import EXECUTORS, Executor
from barsync_async.units import NS_PER_MS, SourceId, WallMs

if TYPE_CHECKING:
    from benchmarks import _common
else:
    import _common  # a script finds its neighbour beside it

WARM_UP = 30
NEVER_MS = 60_000.0


class Load(NamedTuple):
    """How many of what."""

    sources: int
    strategies: int
    sets: int


class Run(NamedTuple):
    """What one run saw."""

    begin_ms: float
    waits_ms: list[float]


def features_of(load: Load) -> list[Event]:
    """The events of all sets, each made of the set before as a daemon makes them."""
    sources = [SourceId(f"S{number}_1m") for number in range(load.sources)]
    engine = FeatureEngine(sources, parse_indicators(["sma", "rsi"]))
    events: list[Event] = []
    for number in range(WARM_UP + load.sets):
        timestamp = WallMs((number + 1) * _common.MINUTE_MS)
        close = 100.0 + number % 7
        bars = {source: _common.bar_of(source, timestamp, close) for source in sources}
        found = SynchronizedBars(
            timestamp=timestamp,
            status="complete",
            bars=frozen_mapping(bars),
            sources_present=tuple(sources),
            sources_missing=(),
            wait_ms=0.0,
            loop_lag_ms=0.0,
        )
        events.append(Event(EventType.FEATURES, engine.update(found)))
    return events


def one_run(load: Load, executor: Executor) -> Run:
    """Have all strategies decide on every set."""
    _common.keep_quiet()
    events = features_of(load)
    begun = _common.now_ns()
    names = [f"m{number}" for number in range(load.strategies)]
    runner = StrategyRunner(
        [{"name": "momentum", "label": name} for name in names],
        executor=executor,
        time_limit_ms=NEVER_MS,
    )
    begin_ms = (_common.now_ns() - begun) / NS_PER_MS
    waits_ms: list[float] = []

    async def main() -> None:
        container = Container("bench")
        container.add_component("strategies", runner)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(container.run)
            await anyio.sleep(0.01)
            for event in events:
                asked = _common.now_ns()
                container.event_bus.publish(event)
                await container.event_bus.drained()
                waits_ms.append((_common.now_ns() - asked) / NS_PER_MS)
            await container.stop()

    run_on_loop("uvloop", main)
    decided = sum(each.decisions for each in runner.statistics())
    assert decided == load.strategies * len(events), f"{decided} decisions"
    return Run(begin_ms, waits_ms[WARM_UP:])


def row(load: Load, executor: Executor, runs: Sequence[Run], inline: Sequence[Run]) -> list[str]:
    """Medians over the runs of one kind."""

    def at(share: float, some: Sequence[Run]) -> float:
        return _common.median([_common.percentile(each.waits_ms, share) for each in some])

    return [
        f"{load.sources:,} sources, {executor}",
        f"{at(0.5, runs):.3f}",
        f"{at(0.99, runs):.3f}",
        f"{at(0.5, runs) - at(0.5, inline):.3f}",
        f"{_common.median([each.begin_ms for each in runs]):.0f}",
    ]


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sources", type=int, nargs="+", default=[3, 100, 1_000], help="default: 3 100 1000")
    add("--strategies", type=int, default=2, help="default: %(default)s")
    add("--sets", type=int, default=300, help="default: %(default)s")
    add("--runs", type=int, default=5, help="default: %(default)s")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report."""
    options = parse_arguments(arguments)
    print(f"{_common.describe_machine()}\n", flush=True)
    rows: list[list[str]] = []
    for sources in options.sources:
        load = Load(sources, options.strategies, options.sets)
        runs: dict[Executor, list[Run]] = {executor: [] for executor in EXECUTORS}
        for _ in range(options.runs):
            for executor, each in runs.items():
                each.append(_common.in_fresh_process(one_run, load, executor))
        rows += [row(load, executor, each, runs["inline"]) for executor, each in runs.items()]
    head = (f"{options.strategies} strategies", "p50", "p99", "beyond inline", "begin")
    _common.print_table(head, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
