"""What a world is: everything that will happen in it, settled before it begins.

Moments are nanoseconds of *true time* since the beginning: it runs on while the machine sleeps,
and nobody can set it. The daemon sees it only through its own two clocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from barsync_async.units import NS_PER_MS, TIMEFRAMES, SourceId, WallMs, split_source

Sessions = Sequence[tuple[int, int]]
Kind = Literal["bar", "rejected", "noise"]
MachineFault = Literal["stall", "step_forward", "step_back", "suspend"]

TIMEOUTS_MS = (60, 100, 150, 250.5, 400, 800, 1_500, 2_500)
FUTURES_MS = (0, 1_000, 5_000)
"""What containers may be set to; scripts aim at the edges of these."""


@dataclass(frozen=True)
class Quote:
    """A bar as the venue has it: ``value`` is its close, the other prices follow from it."""

    source: SourceId
    timestamp: int
    value: float


@dataclass(frozen=True)
class Send:
    """One frame; ``kind`` says what it is to the daemon. A lost one is counted and not sent."""

    at: int
    text: str | bytes
    kind: Kind = "bar"
    quote: Quote | None = None
    faults: tuple[str, ...] = ()
    lost: bool = False


@dataclass(frozen=True)
class Cut:
    """The feed's connection ends; what the venue does on the next attempts to connect."""

    at: int
    fault: str
    refusals: int = 0
    slow_ns: int = 0
    snapshot: int = 0


@dataclass(frozen=True)
class Freeze:
    """From now on the feed's connection swallows what is sent, and looks alive."""

    at: int


FeedAction = Send | Cut | Freeze


@dataclass(frozen=True)
class Machine:
    """Something happens to the machine that the daemon runs on."""

    at: int
    fault: MachineFault
    by_ms: int


@dataclass(frozen=True)
class FeedPlan:
    """One venue connection and what it will bring."""

    name: str
    sources: tuple[SourceId, ...]
    in_order: bool
    script: tuple[FeedAction, ...] = ()


@dataclass(frozen=True)
class ContainerPlan:
    """One container: its synchronizer's config, and what stands behind it."""

    name: str
    sources: tuple[SourceId, ...]
    synchronizer: Mapping[str, Any]
    sessions: Mapping[SourceId, Sessions]
    components: Mapping[str, Any] = field(default_factory=dict)
    strategies: tuple[str, ...] = ()

    @property
    def base_ms(self) -> int:
        """The length of its shortest timeframe."""
        return min(map(length_ms, self.sources))

    @property
    def has_portfolio(self) -> bool:
        return "portfolio" in self.components

    def due(self, timestamp: int) -> set[SourceId]:
        """The sources that close at T, by grid and sessions alone."""
        if timestamp % self.base_ms:
            return set()
        return {source for source in self.sources if self._closes(source, timestamp)}

    def _closes(self, source: SourceId, timestamp: int) -> bool:
        if timestamp % length_ms(source):
            return False
        if source not in self.sessions:
            return True
        start = timestamp - length_ms(source)
        return any(opens < timestamp and start < closes for opens, closes in self.sessions[source])

    def due_times(self, after: int, until: int) -> list[int]:
        """All T with a due source in ``(after, until]``."""
        first = after - after % self.base_ms + self.base_ms
        return [t for t in range(first, until + 1, self.base_ms) if self.due(t)]


@dataclass(frozen=True)
class Reader:
    """A subscriber that takes one event now and then, until it hurries."""

    container: str
    policy: str
    capacity: int
    pause_ms: int


@dataclass(frozen=True)
class World:
    """All of it. Faults end at ``calm_at``; from ``healed_at`` on every set must be complete. The
    daemon is told to stop at ``end_at``, in some worlds long before that.
    """

    seed: int
    start: WallMs
    calm_at: int
    healed_at: int
    end_at: int
    feeds: tuple[FeedPlan, ...]
    containers: tuple[ContainerPlan, ...]
    machine: tuple[Machine, ...]
    readers: tuple[Reader, ...]

    @property
    def is_roomy(self) -> bool:
        """Whether a burst fits into every inbox. Where it does not, it comes in parts, and what
        was read at one moment may be taken in in any order.
        """
        return not any("inbox" in each.synchronizer for each in self.containers)

    @property
    def has_blocking_reader(self) -> bool:
        """Whether somebody may put the publication of sets off, and so the daemon's end."""
        return any(each.policy == "block" for each in self.readers)

    @property
    def hurry_at(self) -> int:
        """When slow readers begin to hurry."""
        return min(self.calm_at, self.end_at)

    @property
    def off_ms(self) -> int:
        """By how much the machine's wall clock is wrong at the end."""
        steps = (each for each in self.machine if each.fault.startswith("step"))
        return sum(each.by_ms for each in steps if each.at < self.end_at)

    def wall(self, at: int) -> int:
        """What a right clock shows at a moment of true time."""
        return self.start + at // NS_PER_MS

    def carriers(self, source: SourceId) -> tuple[str, ...]:
        return tuple(feed.name for feed in self.feeds if source in feed.sources)

    def document(self) -> dict[str, Any]:
        """The config file of this world."""
        return {
            "feeds": {
                feed.name: {
                    "venue": "binance",
                    "url": f"ws://{feed.name}.world",
                    "sources": list(feed.sources),
                    "in_order": feed.in_order,
                }
                for feed in self.feeds
            },
            "containers": {
                each.name: {"components": _components(each)} for each in self.containers
            },
        }


def _components(plan: ContainerPlan) -> dict[str, Any]:
    config = {"expected_sources": list(plan.sources), **plan.synchronizer}
    return {"synchronizer": {"type": "BarSynchronizer", "config": config}, **plan.components}


def length_ms(source: SourceId) -> int:
    return TIMEFRAMES[split_source(source)[1]].length_ms
