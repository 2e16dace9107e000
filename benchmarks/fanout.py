"""What stalled subscribers cost the others: one of every policy stands still for ten seconds.

A container with the ``BarSynchronizer`` alone, on the machine's clocks and uvloop, gets sets of
many sources at a steady rate; of one in ten a bar is missing, so it is sealed at its deadline. A
quick subscriber notes when it gets each set. Beside it are subscribers of all four policies, which
stop reading for the whole time that is measured; for comparison, none is there.

- ``delay``: from the arrival of a set's last bar to the quick subscriber, in ms; of whole sets that
  need not wait, by the order of the stream, for one before them that lacks a bar.
- ``lag``: of sets that were sealed at their deadlines, by how much later than that, in ms.
- ``memory``: what the process grew by while they stood still, in MB.
- ``lost``: events that GAP events told of once they read again, and in how many; ``cut off``:
  whether somebody was; ``blocked``: for how long a full queue held the sets up.

Medians over several runs in turn, each in a fresh process. To repeat::

    python benchmarks/fanout.py
    python benchmarks/fanout.py --sources 1000 --rate 20 --runs 3
"""

import argparse
import resource
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import anyio

from barsync_async.app.runner import run_on_loop
from barsync_async.errors import Overflow
from barsync_async.messages import EventType, SynchronizedBars
from barsync_async.ports import Arrival, ConnectionChange
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container
from barsync_async.shell.subscription import OverflowPolicy, Subscription
from barsync_async.units import NS_PER_MS, MonoNs, WallMs

if TYPE_CHECKING:
    from benchmarks import _common
else:
    import _common  # a script finds its neighbour beside it

FEED = "bench"
TIMEOUT_MS = 40
MISSING_EVERY = 10
WARM_UP_S = 1.0
CAPACITIES = {OverflowPolicy.BLOCK: 4_096}
"""Of the stalled ones; all others have 256."""


class Load(NamedTuple):
    """How much comes, and for how long the subscribers stand still."""

    sources: int
    rate: int
    stall_s: float


class Run(NamedTuple):
    """What one run gave."""

    delays_ms: list[float]
    lags_ms: list[float]
    grown_mb: float
    lost: int
    gaps: int
    cut_off: bool
    held_up_ms: float


class Quick:
    """Reads everything at once, and notes when it came."""

    def __init__(self, queue: Subscription, clock: SystemClock) -> None:
        self.queue = queue
        self.came: dict[WallMs, MonoNs] = {}
        self.sets: list[SynchronizedBars] = []
        self._clock = clock

    async def run(self) -> None:
        """Until the queue is closed."""
        async for event in self.queue:
            self.came[event.payload.timestamp] = self._clock.now().mono
            self.sets.append(event.payload)


class Stalled:
    """Reads nothing until it is let go."""

    def __init__(self, queue: Subscription) -> None:
        self.queue = queue
        self.go_on = anyio.Event()
        self.lost = 0
        self.gaps = 0
        self.cut_off = False

    async def run(self) -> None:
        """Until the queue is closed, or it is cut off."""
        await self.go_on.wait()
        try:
            async for event in self.queue:
                if event.event_type is EventType.GAP:
                    self.gaps += 1
                    self.lost += event.payload.events_lost
        except Overflow:
            self.cut_off = True


class Bench:
    """One container under load."""

    def __init__(self, load: Load, *, stalled: bool) -> None:
        self._load = load
        self._clock = SystemClock()
        self._container = Container("bench", clock=self._clock)
        self._names = [f"S{number}_1s" for number in range(load.sources)]
        self._synchronizer = BarSynchronizer(
            self._names,
            timeout_ms=TIMEOUT_MS,
            require_all=False,
            feeds=dict.fromkeys(self._names, (FEED,)),
            unordered_feeds=frozenset({FEED}),  # a later bar proves nothing: deadlines decide
        )
        self._container.add_component("synchronizer", self._synchronizer)
        self._last: dict[WallMs, MonoNs] = {}
        self._order = 0
        self.quick = Quick(self._subscribe("quick", OverflowPolicy.BLOCK, 100_000), self._clock)
        self.stalled = [
            Stalled(self._subscribe(each, each, CAPACITIES.get(each, 256)))
            for each in (OverflowPolicy if stalled else ())
        ]

    def _subscribe(self, name: str, policy: OverflowPolicy, capacity: int) -> Subscription:
        return self._container.event_bus.subscribe_queue(
            EventType.SYNCHRONIZED_BARS, name=name, capacity=capacity, overflow=policy
        )

    async def run(self) -> Run:
        """The load, and what came of it."""
        readers: list[Quick | Stalled] = [self.quick, *self.stalled]
        async with anyio.create_task_group() as tasks:
            self._container.start()
            tasks.start_soon(self._container.run)
            for reader in readers:
                tasks.start_soon(reader.run)
            before = _resident_mb()
            await self._feed()
            grown = _resident_mb() - before
            for each in self.stalled:
                each.go_on.set()
            await self._container.stop()
            for reader in readers:
                reader.queue.close()
        return self._result(grown)

    async def _feed(self) -> None:
        self._put([ConnectionChange(up=True)])
        began = self._clock.now().mono
        first = _common.yesterday()
        for number in range(round(self._load.rate * (WARM_UP_S + self._load.stall_s))):
            due = began + number * _common.NS_PER_S // self._load.rate
            await anyio.sleep(max(0, due - self._clock.now().mono) / _common.NS_PER_S)
            timestamp = WallMs(first + number * 1_000)
            names = self._names[1:] if number % MISSING_EVERY == 0 else self._names
            self._put([_common.bar_of(name, timestamp, 100.0) for name in names])
            self._last[timestamp] = self._clock.now().mono
        await anyio.sleep(3 * TIMEOUT_MS / 1_000)

    def _put(self, items: Sequence[object]) -> None:
        at = self._clock.now()
        arrivals = []
        for item in items:
            self._order += 1
            arrivals.append(Arrival(at, FEED, self._order, item))  # type: ignore[arg-type]
        taken = self._synchronizer.inbox.put_some(arrivals)
        assert taken == len(arrivals), "the synchronizer does not keep up with this load"

    def _result(self, grown: float) -> Run:
        warm = round(WARM_UP_S * self._load.rate)
        sets = self.quick.sets[warm:]
        held = 1 + TIMEOUT_MS * self._load.rate // 1_000  # the incomplete one and those behind it
        return Run(
            delays_ms=[
                (self.quick.came[each.timestamp] - self._last[each.timestamp]) / NS_PER_MS
                for number, each in enumerate(sets, warm)
                if number % MISSING_EVERY > held
            ],
            lags_ms=[each.loop_lag_ms for each in sets if each.status == "partial"],
            grown_mb=grown,
            lost=sum(each.lost for each in self.stalled),
            gaps=sum(each.gaps for each in self.stalled),
            cut_off=any(each.cut_off for each in self.stalled),
            held_up_ms=sum(each.queue.statistics().held_up_ms for each in self.stalled),
        )


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


def one_run(load: Load, stalled: bool) -> Run:
    """In this process."""
    _common.keep_quiet()
    found: list[Run] = []

    async def main() -> None:
        found.append(await Bench(load, stalled=stalled).run())

    run_on_loop("uvloop", main)
    return found[0]


def row(name: str, runs: Sequence[Run]) -> list[str]:
    """Medians over the runs of one kind."""

    def at(share: float, field: str) -> str:
        values = [_common.percentile(getattr(each, field), share) for each in runs]
        return f"{_common.median(values):.3f}"

    gaps = _common.median([each.gaps for each in runs])
    return [
        name,
        at(0.5, "delays_ms"),
        at(0.99, "delays_ms"),
        at(1.0, "delays_ms"),
        at(0.99, "lags_ms"),
        at(1.0, "lags_ms"),
        f"{_common.median([each.grown_mb for each in runs]):.1f}",
        f"{_common.median([each.lost for each in runs]):,.0f} in {gaps:.0f}",
        "yes" if all(each.cut_off for each in runs) else "no",
        f"{_common.median([each.held_up_ms for each in runs]):.0f}",
    ]


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sources", type=int, default=100, help="in a set; default: %(default)s")
    add("--rate", type=int, default=100, help="sets a second; default: %(default)s")
    add("--stall", type=float, default=10.0, help="seconds; default: %(default)s")
    add("--runs", type=int, default=5, help="default: %(default)s")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; 1 where a set was sealed more than 25 ms after its deadline."""
    options = parse_arguments(arguments)
    load = Load(options.sources, options.rate, options.stall)
    print(f"{_common.describe_machine()}\n", flush=True)
    runs: dict[bool, list[Run]] = {False: [], True: []}
    for _ in range(options.runs):
        for stalled, each in runs.items():
            each.append(_common.in_fresh_process(one_run, load, stalled))
    head = ("subscribers", "delay p50", "p99", "max", "lag p99", "max", "memory", "lost in GAPs")
    names = {False: "one, quick", True: "and four stalled"}
    _common.print_table(
        (*head, "cut off", "blocked ms"), [row(names[key], each) for key, each in runs.items()]
    )
    late = sum(lag > 25 for each in (*runs[False], *runs[True]) for lag in each.lags_ms)
    print(f"\nSealed more than 25 ms after the deadline: {late}.")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
