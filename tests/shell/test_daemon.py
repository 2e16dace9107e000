"""The whole pipeline in one process, on virtual time and against a venue in memory."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Literal

import anyio
import pytest
from structlog.testing import capture_logs

from barsync_async.config import create_feature_aggregator_pattern, parse_config
from barsync_async.core.statistics import Statistics
from barsync_async.errors import ConfigError, ConnectionRefused, OutputError
from barsync_async.messages import Event, EventType
from barsync_async.ports import Clock, Connection, Frame, HttpClient
from barsync_async.shell.clock import SystemClock, VirtualClock
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.intake import Intake
from barsync_async.shell.simulators.memory_venue import MemoryVenue
from barsync_async.shell.virtual_time import VirtualTimeLoop
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.units import WallMs

WALL = WallMs(1_767_364_200_000)
SOURCES = ("SPY_1s", "QQQ_1s", "SPY_5s")
FULL = "/dev/full"  # every write to it fails
Table = dict[str, Any]
Line = dict[str, Any]


def synchronizer(sources: Sequence[str], **settings: Any) -> Table:
    """A container's table with a synchronizer of ``sources``."""
    config = {"expected_sources": list(sources)} | settings
    return {"components": {"synchronizer": {"type": "BarSynchronizer", "config": config}}}


def jsonl(path: Path | str, *events: str) -> Table:
    table: Table = {"type": "jsonl", "path": str(path)}
    return table | ({"events": list(events)} if events else {})


def document(
    containers: Mapping[str, Table],
    outputs: Mapping[str, Table],
    sources: Sequence[str] = SOURCES,
) -> Table:
    feed = {"venue": "binance", "url": "ws://simulated", "sources": list(sources)}
    return {"feeds": {"sim": feed}, "containers": dict(containers), "outputs": dict(outputs)}


MISBEHAVING = {
    "loss": 0.05,
    "duplicate": 0.1,
    "reorder": 0.05,
    "delay": {"kind": "uniform", "min_ms": 0, "max_ms": 150},
}


def scenario(**tables: Any) -> Table:
    return {"seed": 9, "sources": {source: {} for source in SOURCES}} | tables


class Run:
    """A daemon and a venue, run together until ``seconds`` have passed or something fails."""

    def __init__(
        self,
        config: Table,
        told: Table | None = None,
        *,
        clock: Clock | None = None,
        history: HttpClient | Literal["the venue's"] | None = None,
    ) -> None:
        clock, self.intake = clock or VirtualClock(WALL), Intake()
        self.venue = MemoryVenue(
            parse_scenario(scenario() if told is None else told, "scenario"), clock, self.intake
        )
        self.daemon = Daemon(
            parse_config(config, "config"),
            clock=clock,
            connector=self.venue,
            intake=self.intake,
            rng=Random(1),
            http=self.venue if history == "the venue's" else history,
        )
        self.stop = anyio.Event()

    async def go(self, seconds: float) -> None:
        before = asyncio.all_tasks()
        serving = asyncio.create_task(self.venue.run())
        loop = asyncio.get_running_loop()
        timer = loop.call_later(seconds, self.stop.set)
        try:
            await self.daemon.run(self.stop)
        finally:
            timer.cancel()
            serving.cancel()
            await asyncio.wait([serving])
            assert asyncio.all_tasks() <= before, "a task is left"
            assert not self.venue._connections, "a connection is left"

    def statistics(self, container: int = 0) -> Statistics:
        (found,) = self.daemon.containers[container].find(BarSynchronizer)
        return found.statistics()


async def run(config: Table, told: Table | None = None, *, seconds: float = 60) -> Run:
    """Run to the end; then nothing is under way."""
    it = Run(config, told)
    await it.go(seconds)
    assert it.intake.under_way == 0
    return it


def read(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def of(lines: Sequence[Line], *kinds: str, container: str | None = None) -> list[Line]:
    return [
        line for line in lines if line["type"] in kinds and container in (None, line["container"])
    ]


def fresh(lines: Sequence[Line]) -> list[Line]:
    """The bars of sets that arrived for them."""
    return [
        bar
        for line in of(lines, "SYNCHRONIZED_BARS")
        for bar in line["bars"].values()
        if bar["provenance"] == "fresh"
    ]


def assert_account(totals: Statistics) -> None:
    counted = totals.accepted, totals.corrected, totals.duplicate, totals.late, totals.rejected
    assert totals.received == sum(counted)


def pattern(path: Path) -> Table:
    """All the components that there are, on the sources of the scenario."""
    made = create_feature_aggregator_pattern(SOURCES)
    return document(made["containers"], {"events": jsonl(path)})


# The pipeline


async def test_every_bar_goes_all_the_way_from_the_venue_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "events.jsonl"
    with capture_logs() as logs:
        it = await run(pattern(path), seconds=60.5)
    lines = read(path)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    sets = of(lines, "SYNCHRONIZED_BARS")
    assert [line["timestamp"] for line in sets] == [WALL + n * 1_000 for n in range(5, 61)]
    assert {line["status"] for line in sets} == {"complete"}
    assert {tuple(line["bars"]) for line in sets} == {("QQQ_1s", "SPY_1s", "SPY_5s")}
    for kind in ("FEATURES", "PORTFOLIO"):
        assert [line["timestamp"] for line in of(lines, kind)] == [
            line["timestamp"] for line in sets
        ]
    skipped = of(lines, "SYNC_SKIPPED")
    assert {line["reason"] for line in skipped} == {"warmup"}
    assert len(skipped) == 4
    assert of(lines, "SIGNAL")
    totals = it.statistics()
    assert totals.received == totals.accepted == 60 + 60 + 12
    (told,) = [line for line in logs if line["event"] == "totals"]
    assert (told["container"], told["received"], told["accepted"]) == (
        "feature_aggregator",
        totals.received,
        totals.accepted,
    )


async def test_a_set_and_all_its_consequences_come_before_the_next_set(tmp_path: Path) -> None:
    await run(pattern(tmp_path / "x"), scenario(venue={"pace_ms": 0.1}), seconds=0.05)
    lines = of(read(tmp_path / "x"), "SYNCHRONIZED_BARS", "FEATURES", "SIGNAL", "PORTFOLIO")
    timestamps = [line["timestamp"] for line in lines]
    assert timestamps == sorted(timestamps)
    assert len(set(timestamps)) > 100


async def test_an_unruly_venue_is_counted_to_the_last_bar(tmp_path: Path) -> None:
    path = tmp_path / "x"
    config = document(
        {"c": synchronizer(SOURCES, timeout_ms=80, require_all=False)}, {"events": jsonl(path)}
    )
    faults = {"disconnect_every_s": 30, "abrupt": 0.5}
    it = await run(config, scenario(defaults=MISBEHAVING, faults=faults), seconds=600)
    lines, totals = read(path), it.statistics()
    assert_account(totals)
    assert min(totals.accepted, totals.duplicate, totals.late) > 10
    assert len(fresh(lines)) == totals.accepted
    assert len(of(lines, "LATE_BAR")) == totals.late
    assert len(of(lines, "BAR_REJECTED")) == totals.rejected
    assert Counter(line["status"] for line in of(lines, "SYNCHRONIZED_BARS")) == totals.sets_by
    timestamps = [line["timestamp"] for line in of(lines, "SYNCHRONIZED_BARS", "SYNC_SKIPPED")]
    assert timestamps == sorted(set(timestamps))
    assert all(line["wait_ms"] <= 80.001 for line in of(lines, "SYNCHRONIZED_BARS"))


def test_the_same_scenario_gives_the_same_bytes(tmp_path: Path) -> None:
    told = scenario(defaults=MISBEHAVING, faults={"disconnect_every_s": 20})
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(run(pattern(tmp_path / name), told | {"seed": seed}, seconds=120))
    one, two, other = ((tmp_path / name).read_bytes() for name in ("one", "two", "other"))
    assert len(read(tmp_path / "one")) > 300
    assert one == two
    assert one != other


# Several containers


async def test_each_container_gets_the_sources_that_it_expects_and_no_other(
    tmp_path: Path,
) -> None:
    config = document(
        {"fast": synchronizer(["SPY_1s", "QQQ_1s"]), "spy": synchronizer(["SPY_5s", "SPY_1s"])},
        {
            "all": jsonl(tmp_path / "all"),
            "sets": jsonl(tmp_path / "sets", "SYNCHRONIZED_BARS"),
        },
    )
    it = await run(config, seconds=20.5)
    assert [it.statistics(n).received for n in range(2)] == [40, 24]
    lines = read(tmp_path / "all")
    for name, present, count in (
        ("fast", ["QQQ_1s", "SPY_1s"], 20),
        ("spy", ["SPY_1s", "SPY_5s"], 16),
    ):
        sets = of(lines, "SYNCHRONIZED_BARS", container=name)
        assert [list(line["bars"]) for line in sets] == [present] * count
        own = [line["seq"] for line in lines if line["container"] == name]
        assert own == list(range(1, len(own) + 1))
    assert Counter(line["container"] for line in read(tmp_path / "sets")) == {
        "fast": 20,
        "spy": 16,
    }
    assert {line["type"] for line in read(tmp_path / "sets")} == {"SYNCHRONIZED_BARS"}


async def test_what_cannot_be_a_bar_is_told_to_every_container_of_the_feed(
    tmp_path: Path,
) -> None:
    config = document(
        {"a": synchronizer(["SPY_1s"]), "b": synchronizer(["QQQ_1s"])},
        {"all": jsonl(tmp_path / "x", "BAR_REJECTED")},
    )
    it = Run(config)

    def speak_nonsense() -> None:
        (connection,) = it.venue._connections.values()
        now = VirtualClock(WALL).now()
        it.intake.read(now)
        connection.deliver(Frame("nonsense", now))

    asyncio.get_running_loop().call_later(2.5, speak_nonsense)
    await it.go(5)
    assert it.intake.under_way == 0
    lines = read(tmp_path / "x")
    assert {(line["container"], line["reason"], line["feed"]) for line in lines} == {
        ("a", "malformed", "sim"),
        ("b", "malformed", "sim"),
    }
    assert [it.statistics(n).rejected for n in range(2)] == [1, 1]


async def test_a_source_that_no_container_expects_is_not_subscribed_and_told(
    tmp_path: Path,
) -> None:
    config = document({"c": synchronizer(["SPY_1s"])}, {"events": jsonl(tmp_path / "x")})
    with capture_logs() as logs:
        it = await run(config, seconds=5.5)
    assert [line for line in logs if line["event"].startswith("not subscribed")] == [
        {
            "event": "not subscribed: no container expects them",
            "log_level": "warning",
            "feed": "sim",
            "sources": ["QQQ_1s", "SPY_5s"],
        }
    ]
    assert [line["sources"] for line in logs if line["event"] == "subscribed"] == [("SPY_1s",)]
    assert it.intake.frames_read == 1 + 5  # the answer, the bars
    assert it.statistics().rejected == 0


async def test_a_feed_of_which_nobody_expects_anything_is_not_even_connected(
    tmp_path: Path,
) -> None:
    config = document({"c": synchronizer(["SPY_1s"])}, {}, ["SPY_1s"])
    config["feeds"]["idle"] = config["feeds"]["sim"] | {"sources": ["QQQ_1s"]}
    with capture_logs() as logs:
        await run(config, seconds=5)
    assert [line["feed"] for line in logs if line["event"] == "connected"] == ["sim"]


async def test_more_sources_than_a_connection_carries_are_shared_among_several(
    tmp_path: Path,
) -> None:
    sources = [f"S{number}_1s" for number in range(1_030)]
    config = document({"c": synchronizer(sources)}, {"x": jsonl(tmp_path / "x")}, sources)
    told: Table = {"sources": {source: {} for source in sources}}
    with capture_logs() as logs:
        it = await run(config, told, seconds=6.5)
    assert [(line["feed"], line["sources"]) for line in logs if line["event"] == "connected"] == [
        ("sim.1", 1_024),
        ("sim.2", 6),
    ]
    sets = of(read(tmp_path / "x"), "SYNCHRONIZED_BARS")
    assert [len(line["bars"]) for line in sets] == [1_030] * len(sets)
    assert len(sets) >= 3
    assert_account(it.statistics())


# Stopping


@pytest.mark.parametrize("seconds", [0, 0.0005, 1, 1.05, 2.0001, 7.3])
async def test_stopped_at_any_moment_all_that_was_received_is_in_the_output(
    tmp_path: Path, seconds: float
) -> None:
    path = tmp_path / "x"
    config = document(
        {"c": synchronizer(SOURCES, timeout_ms=60_000, require_all=False)},
        {"events": jsonl(path)},
    )
    it = await run(config, scenario(defaults=MISBEHAVING), seconds=seconds)
    totals = it.statistics()
    assert_account(totals)
    assert len(fresh(read(path))) == totals.accepted
    assert totals.open_slots == 0
    assert asyncio.get_running_loop().time() == pytest.approx(seconds, abs=1e-3)


async def test_told_to_stop_before_it_runs_it_ends_at_once(tmp_path: Path) -> None:
    it = Run(pattern(tmp_path / "x"))
    it.stop.set()
    await it.go(60)
    assert (tmp_path / "x").read_bytes() == b""
    assert asyncio.get_running_loop().time() < 1


async def test_each_part_is_stopped_after_the_one_before_it_has_handed_on_everything(
    tmp_path: Path,
) -> None:
    container = synchronizer(SOURCES, timeout_ms=60_000, require_all=False)
    container["components"]["witness"] = {"type": f"{__name__}:Witness", "config": {}}
    config = document({"c": container}, {"events": jsonl(tmp_path / "x")})
    it = Run(config)
    await it.go(3.5)
    witness = it.daemon.containers[0].components["witness"]
    assert isinstance(witness, Witness)
    sets = of(read(tmp_path / "x"), "SYNCHRONIZED_BARS")
    assert len(sets) == 3
    assert witness.lived == ["initialize", "start", "run", *["set"] * 3, "stop", "ended"]


async def test_a_venue_that_is_away_does_not_keep_it_from_stopping(tmp_path: Path) -> None:
    config = document({"c": synchronizer(SOURCES)}, {"events": jsonl(tmp_path / "x")})
    with capture_logs() as logs:
        it = await run(config, scenario(venue={"duration_s": 5}), seconds=600)
    assert it.statistics().accepted == 5 + 5 + 1
    assert len([line for line in logs if line["event"] == "not connected"]) > 10
    assert asyncio.get_running_loop().time() == pytest.approx(600, abs=1e-3)


class Refusing:
    """A connector that refuses some feeds at once and keeps the others waiting."""

    def __init__(self, *refused: str) -> None:
        self._refused = refused
        self.asked: dict[str, list[float]] = {}

    async def connect(self, feed: str, url: str) -> Connection:
        self.asked.setdefault(feed, []).append(asyncio.get_running_loop().time())
        if feed in self._refused:
            raise ConnectionRefused(feed, "away")
        await asyncio.Event().wait()
        raise NotImplementedError


async def test_how_long_a_feed_waits_to_try_again_is_no_other_feeds_affair() -> None:
    table = document({"c": synchronizer(SOURCES)}, {})
    table["feeds"] = dict.fromkeys("ab", table["feeds"]["sim"])
    asked: list[list[float]] = []
    for refused in ("b", "ab"):
        connector, clock, intake = Refusing(*refused), VirtualClock(WALL), Intake()
        daemon = Daemon(
            parse_config(table, "config"),
            clock=clock,
            connector=connector,
            intake=intake,
            rng=Random(1),
        )
        began, stop = asyncio.get_running_loop().time(), anyio.Event()
        asyncio.get_running_loop().call_later(60, stop.set)
        await daemon.run(stop)
        asked.append([round(at - began, 6) for at in connector.asked["b"]])
    assert asked[0] == asked[1]
    assert len(asked[0]) > 5


# Failing


async def test_an_output_that_cannot_be_opened_ends_it_before_it_begins(tmp_path: Path) -> None:
    config = document(
        {"c": synchronizer(SOURCES)},
        {"good": jsonl(tmp_path / "x"), "bad": jsonl(tmp_path)},
    )
    it = Run(config)
    with pytest.raises(OutputError, match="cannot be opened") as caught:
        await it.go(60)
    assert caught.value.target == str(tmp_path)
    assert it.intake.frames_read == 0
    assert all_closed(it)


async def test_an_output_that_fails_ends_it_and_the_others_are_closed(tmp_path: Path) -> None:
    config = document(
        {"c": synchronizer(["SPY_1s"])},
        {"a": jsonl(tmp_path / "a"), "full": jsonl(FULL), "b": jsonl(tmp_path / "b")},
    )
    it = Run(config)
    with pytest.raises(OutputError, match="cannot be written") as caught:
        await it.go(60)
    assert caught.value.target == FULL
    assert asyncio.get_running_loop().time() == pytest.approx(1, abs=0.01)
    assert all_closed(it)


@pytest.mark.parametrize("containers", [1, 2])
@pytest.mark.parametrize("outputs", [1, 2])
async def test_however_much_fails_at_once_it_is_one_error(
    tmp_path: Path, containers: int, outputs: int
) -> None:
    paths = [tmp_path / f"full{number}" for number in range(outputs)]
    for path in paths:
        path.symlink_to(FULL)
    config = document(
        {f"c{number}": synchronizer(["SPY_1s"]) for number in range(containers)},
        {path.name: jsonl(path) for path in paths},
    )
    it = Run(config)
    with pytest.raises(OutputError, match=r"^/.*full\d: cannot be written"):
        await it.go(60)
    assert all_closed(it)


def all_closed(it: Run) -> bool:
    """Whether no sink holds its file any more."""
    sinks: list[Any] = [output._sink for output in it.daemon._outputs]
    return all(sink._file is None for sink in sinks)


async def test_cancelled_it_leaves_no_task_and_closes_its_outputs(tmp_path: Path) -> None:
    it = Run(pattern(tmp_path / "x"))
    going = asyncio.create_task(it.daemon.run(it.stop))
    serving = asyncio.create_task(it.venue.run())
    await asyncio.sleep(10.5)
    going.cancel()
    await asyncio.wait([going])
    assert going.cancelled()
    serving.cancel()
    await asyncio.wait([serving])
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not it.venue._connections
    assert all_closed(it)
    assert len(of(read(tmp_path / "x"), "SYNCHRONIZED_BARS")) == 6


def test_given_up_by_those_who_run_it_its_outputs_are_closed_all_the_same(tmp_path: Path) -> None:
    config = document(
        {"c": synchronizer(["SPY_1s"])}, {name: jsonl(tmp_path / name) for name in ("a", "b")}
    )

    async def main() -> None:
        """On a real loop, for virtual time has no threads."""
        it = Run(config, scenario(venue={"pace_ms": 1}), clock=SystemClock())
        first = asyncio.Event()
        bus = it.daemon.containers[0].event_bus
        bus.subscribe(EventType.SYNCHRONIZED_BARS, lambda event: first.set())
        slow_disk = threading.Event()
        try:
            async with asyncio.timeout(20), anyio.create_task_group() as tasks:
                tasks.start_soon(it.venue.run)
                tasks.start_soon(it.daemon.run, it.stop)
                await first.wait()
                for output in it.daemon._outputs:
                    output._thread.submit(slow_disk.wait)
                asyncio.get_running_loop().call_later(0.02, slow_disk.set)
                tasks.cancel_scope.cancel()
        finally:
            slow_disk.set()
        assert all_closed(it)

    asyncio.run(main())


# Components of the user's own


class Witness:
    """A component that writes down what happens to it, in order."""

    def __init__(self, fault: str = "") -> None:
        self.lived: list[str] = []
        self.container: Container | None = None
        self._fault = fault
        self._stopped = asyncio.Event()

    def initialize(self, container: Container) -> None:
        self._live("initialize")
        self.container = container
        container.event_bus.subscribe(EventType.SYNCHRONIZED_BARS, self._on_set)

    def start(self) -> None:
        self._live("start")

    def _on_set(self, event: Event) -> None:
        self._live("set")

    async def run(self) -> None:
        self._live("run")
        await self._stopped.wait()
        self._live("ended")

    async def stop(self) -> None:
        self._live("stop")
        self._stopped.set()

    def _live(self, moment: str) -> None:
        self.lived.append(moment)
        if moment == self._fault:
            raise ZeroDivisionError(moment)


class Nowhere:
    """A connector that nobody uses."""

    async def connect(self, feed: str, url: str) -> Connection:
        raise NotImplementedError


class Nothing:
    """Plays no role."""


def with_own(kind: str, **config: Any) -> Table:
    container = synchronizer(["SPY_1s"])
    container["components"]["own"] = {"type": f"{__name__}:{kind}", "config": config}
    return document({"c": container}, {})


async def test_a_component_of_the_users_own_is_made_told_and_run() -> None:
    it = await run(with_own("Witness"), seconds=3.5)
    own = it.daemon.containers[0].components["own"]
    assert isinstance(own, Witness)
    assert own.container is it.daemon.containers[0]
    assert own.lived == ["initialize", "start", "run", "set", "set", "set", "stop", "ended"]


@pytest.mark.parametrize("fault", ["start", "run", "set", "ended", "stop"])
async def test_its_own_error_ends_the_daemon_as_it_was_raised(fault: str) -> None:
    it = Run(with_own("Witness", fault=fault))
    with pytest.raises(ZeroDivisionError, match=fault):
        await it.go(3.5)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: with_own("Missing"), "cannot be loaded"),
        (lambda: with_own("Witness", colour="red"), "it takes fault"),
        (lambda: with_own("Nothing"), "needs initialize"),
    ],
)
def test_one_that_cannot_be_made_is_a_mistake_of_the_config(
    make: Callable[[], Table], expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Daemon(
            parse_config(make(), "my.toml"),
            clock=VirtualClock(WALL),
            connector=Nowhere(),
            intake=Intake(),
            rng=Random(1),
        )
    assert str(caught.value).startswith("my.toml: 1 mistake")
    assert f"containers.c.components.own = {__name__}:" in str(caught.value)
    assert expected in str(caught.value)
