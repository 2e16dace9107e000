"""From a seed to a world."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.worlds.containers import drawn_containers
from tests.worlds.faults import Weather
from tests.worlds.scripts import MOST_BACKOFF_MS, MOST_SLOW_MS, Span, scripted
from tests.worlds.world import (
    ContainerPlan,
    FeedPlan,
    Machine,
    MachineFault,
    Reader,
    World,
    length_ms,
)

from barsync_async.units import NS_PER_MS, SourceId, WallMs, source_id

_SYMBOLS = ("AA", "BB", "CC", "DD", "E/F")
_MORNING = 1_795_600_800_000  # 2026-11-25 10:00 UTC
_MOST_SOURCES = 8
_SLOW_MS = 5_000
_DAY_MS, _MINUTE_MS = 86_400_000, 60_000
_MOST_STEP_MS = 3_000
_MOST_STALL_MS = 1_500
_HASTY = 0.15
"""The share of worlds that are stopped in the midst of their faults."""
_CUTS = ("clean_cut", "abrupt_cut", "half_open")


@dataclass(frozen=True)
class _Pace:
    """The timeframes of a world, the shortest first, and how long it has faults."""

    timeframes: tuple[str, ...]
    weights: tuple[int, ...]
    calm_s: tuple[int, int]


_PACES = (
    _Pace(("1s",), (1,), (8, 20)),
    _Pace(("1s", "5s"), (3, 1), (10, 24)),
    _Pace(("1s", "5s", "15s", "30s"), (6, 3, 1, 1), (10, 30)),
    _Pace(("1s", "1m"), (4, 1), (10, 30)),
    _Pace(("5s", "15s", "1m"), (4, 2, 1), (25, 60)),
    _Pace(("15s", "30s", "1m"), (2, 1, 1), (40, 60)),
)
_WEIGHTS = (3, 3, 3, 3, 2, 1)


def draw(seed: int) -> World:
    """The world of ``seed``: always the same."""
    rng = Random(f"world {seed}")
    (pace,) = rng.choices(_PACES, _WEIGHTS)
    sources = _drawn_sources(pace, rng)
    weather = Weather(rng)
    calm_ms = rng.randint(*pace.calm_s) * 1_000
    machine = _drawn_machine(calm_ms, weather, rng)
    minute, span, healed_ms = _drawn_times(sources, calm_ms, _healing_ms(weather), rng)
    feeds = scripted(_drawn_feeds(sources, rng), span, weather, rng)
    end_ms = span.end_ms
    if rng.random() < _HASTY:
        end_ms = _awake(rng.randint(calm_ms * 2 // 5, calm_ms), machine)
    containers = drawn_containers(
        sources, minute, rng, forgets=bool(machine) and rng.random() < 0.3
    )
    return World(
        seed=seed,
        start=span.start,
        calm_at=calm_ms * NS_PER_MS,
        healed_at=healed_ms * NS_PER_MS,
        end_at=end_ms * NS_PER_MS + 700_001,
        feeds=feeds,
        containers=containers,
        machine=machine,
        readers=tuple(_drawn_readers(containers, rng)),
    )


def _drawn_sources(pace: _Pace, rng: Random) -> tuple[SourceId, ...]:
    count = rng.choice([1, 2, 3, 3, 4, 5, 6, 8, 10])
    found = {
        source_id(rng.choice(_SYMBOLS), rng.choices(pace.timeframes, pace.weights)[0])
        for _ in range(count)
    }
    return tuple(sorted(found)[:_MOST_SOURCES])


def _healing_ms(weather: Weather) -> int:
    """How long after the last fault its traces may be seen."""
    needed = 500
    if any(map(weather.may, _CUTS)):
        needed += MOST_BACKOFF_MS + MOST_SLOW_MS
    if weather.of_the_machine:
        needed += _MOST_STEP_MS + _MOST_STALL_MS
    return needed


def _drawn_times(
    sources: Sequence[SourceId], calm_ms: int, healing_ms: int, rng: Random
) -> tuple[WallMs, Span, int]:
    """A whole minute within the world; its beginning and end; when all is well again: then every
    source closes.
    """
    slowest, fastest = max(map(length_ms, sources)), min(map(length_ms, sources))
    minute = _MORNING + rng.randrange(20) * _DAY_MS + rng.randrange(600) * _MINUTE_MS
    before = calm_ms + healing_ms if slowest > _SLOW_MS else rng.randrange(calm_ms)
    start = minute - before - rng.randrange(1_000)
    earliest = start + calm_ms + healing_ms
    healed = earliest + -earliest % slowest
    tail = rng.choice([fastest // 2, rng.randint(1, 45)])
    end = healed + 2 * fastest + tail
    return WallMs(minute), Span(WallMs(start), calm_ms, end - start), healed - start


def _drawn_feeds(sources: Sequence[SourceId], rng: Random) -> list[FeedPlan]:
    names = "abc"[: rng.choice([1, 2, 2, 3])]
    shared = rng.choice([0.2, 0.5, 1.0])
    carried: dict[str, list[SourceId]] = {name: [] for name in names}
    for source in sources:
        count = 2 if len(names) > 1 and rng.random() < shared else 1
        for name in rng.sample(names, count):
            carried[name].append(source)
    return [
        FeedPlan(name, tuple(each), in_order=rng.random() < 0.75)
        for name, each in carried.items()
        if each
    ]


def _drawn_machine(calm_ms: int, weather: Weather, rng: Random) -> tuple[Machine, ...]:
    """What happens to the machine; in the end its wall clock is right."""
    moments = iter(sorted(rng.sample(range(calm_ms // 5, calm_ms * 9 // 10), 4)))
    happenings: list[Machine] = []
    off_ms = 0
    for kind in weather.of_the_machine:
        at_ms = next(moments)
        by_ms = _drawn_size(kind, off_ms, calm_ms - at_ms, rng)
        happenings.append(Machine(at_ms * NS_PER_MS + 137_000, kind, by_ms))
        off_ms += by_ms if kind.startswith("step") else 0
    if off_ms:
        right: MachineFault = "step_back" if off_ms > 0 else "step_forward"
        happenings.append(Machine(calm_ms * NS_PER_MS + 137_000, right, -off_ms))
    return tuple(happenings)


def _drawn_size(kind: str, off_ms: int, room_ms: int, rng: Random) -> int:
    if kind == "stall":
        return min(room_ms, rng.choice([30, 200, 400, _MOST_STALL_MS]))
    if kind == "suspend":
        return min(room_ms, rng.choice([50, 300, 1_500, 5_000]))
    size = rng.choice([150, 400, 800, 1_500, 2_500, _MOST_STEP_MS])  # some as long as a timeout
    size = min(size, _MOST_STEP_MS - abs(off_ms)) or 150
    return size if kind == "step_forward" else -size


def _awake(end_ms: int, machine: Sequence[Machine]) -> int:
    """That moment, or when the machine next runs again. What falls while it does not run happens
    after that: a stall and a sleep that overlap last as long as both together.
    """
    runs_again_ms = 0
    for each in machine:
        begins_ms = max(each.at // NS_PER_MS, runs_again_ms)
        runs_again_ms = begins_ms + abs(each.by_ms) + 2
        if begins_ms <= end_ms < runs_again_ms:
            end_ms = runs_again_ms
    return end_ms


def _drawn_readers(containers: Sequence[ContainerPlan], rng: Random) -> list[Reader]:
    if rng.random() < 0.6:
        return []
    policies = ("block", "drop_oldest", "latest", "disconnect")
    return [
        Reader(each.name, policy, rng.randint(1, 6), rng.choice([300, 1_000, 3_000]))
        for each in containers
        for policy in policies
        if rng.random() < 0.5
    ]
