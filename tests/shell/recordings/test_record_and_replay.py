"""A whole daemon recorded, and run again on the recording: the same bytes come out."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

import anyio
import pytest

from barsync_async.config import Config, create_feature_aggregator_pattern, parse_config
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.feeds.connections import plan_connections
from barsync_async.shell.intake import Intake
from barsync_async.shell.paced_time import NoJitter, ReplayClock
from barsync_async.shell.recordings.recorder import RecordingConnector, recorded_connections
from barsync_async.shell.recordings.recording_file import Recording
from barsync_async.shell.recordings.recording_writer import RecordingWriter
from barsync_async.shell.recordings.replay_connector import ReplayConnector
from barsync_async.shell.simulators.memory_venue import MemoryVenue
from barsync_async.shell.virtual_time import VirtualTimeLoop
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.units import WallMs

T = TypeVar("T")

WALL = WallMs(1_767_364_200_000)

DELAYS = {"kind": "lognormal", "median_ms": 30, "sigma": 0.8, "max_ms": 2_000}


class Day(NamedTuple):
    """A venue's day, and the faults of it."""

    venue: str
    sources: tuple[str, ...]
    seconds: float
    disconnect_every_s: float

    @property
    def scenario(self) -> dict[str, Any]:
        return {
            "seed": 5,
            "sources": {source: {} for source in self.sources},
            "venue": {"running_ms": 250, "protocol": self.venue},
            "defaults": {"loss": 0.05, "duplicate": 0.1, "reorder": 0.05, "delay": DELAYS},
            "faults": {
                "disconnect_every_s": self.disconnect_every_s,
                "disconnect_jitter": 0.5,
                "abrupt": 0.5,
            },
        }


BINANCE = Day("binance", ("SPY_1s", "QQQ_1s", "SPY_5s"), 120, 11)
KRAKEN = Day("kraken", ("BTC/USD_1m", "ETH/USD_1m"), 1_200, 200)


def config(path: Path, day: Day = BINANCE, **feed: Any) -> Config:
    made = create_feature_aggregator_pattern(day.sources)
    table = {"venue": day.venue, "url": "ws://simulated", "sources": [*day.sources]} | feed
    output = {"type": "jsonl", "path": str(path)}
    document = {"feeds": {"sim": table, "twin": table}, "containers": made["containers"]}
    return parse_config(document | {"outputs": {"events": output}}, "config")


async def run_recorded(told: Config, path: Path, day: Day = BINANCE) -> None:
    clock, intake = VirtualClock(WALL), Intake()
    plans = plan_connections(told)
    writer = RecordingWriter(path, recorded_connections(plans), clock)
    venue = MemoryVenue(parse_scenario(day.scenario, "scenario"), clock, intake)
    recorder = RecordingConnector(venue, writer, plans, clock)
    daemon = Daemon(told, clock=clock, connector=recorder, intake=intake, rng=Random(1))
    stop = anyio.Event()
    await writer.open()
    others = [asyncio.create_task(venue.run()), asyncio.create_task(writer.run())]
    asyncio.get_running_loop().call_later(day.seconds, stop.set)
    await daemon.run(stop)
    await writer.close()
    others[0].cancel()
    await asyncio.wait(others)


async def run_replayed(told: Config, path: Path) -> int:
    recording, intake = Recording(path), Intake()
    clock = ReplayClock(recording.began.wall_ns)
    names = {plan.name for plan in plan_connections(told)}
    connector = ReplayConnector(recording, names, clock, intake)
    daemon = Daemon(told, clock=clock, connector=connector, intake=intake, rng=NoJitter())
    stop = anyio.Event()

    async def play() -> None:
        await connector.run()
        stop.set()

    playing = asyncio.create_task(play())
    await daemon.run(stop)
    await playing
    assert intake.under_way == 0
    return connector.lost


@pytest.fixture
def virtual() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Runs each on a loop of its own, as two processes would."""

    def run(main: Coroutine[Any, Any, T]) -> T:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(main)

    return run


@pytest.mark.parametrize("day", [BINANCE, KRAKEN], ids=lambda day: day.venue)
@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_two_unruly_lines_replayed_give_the_very_bytes_of_the_day(
    tmp_path: Path, name: str, day: Day, virtual: Any
) -> None:
    """On virtual time nothing is late but what the recording says is: not even durations differ."""
    virtual(run_recorded(config(tmp_path / "live.jsonl", day), tmp_path / name, day))
    lost = virtual(run_replayed(config(tmp_path / "again.jsonl", day), tmp_path / name))
    live, again = [(tmp_path / each).read_bytes() for each in ("live.jsonl", "again.jsonl")]
    assert lost == 0
    assert live.count(b'"SYNCHRONIZED_BARS"') > 10
    assert live == again


def test_a_connection_replaced_before_it_was_old_is_replaced_again(
    tmp_path: Path, virtual: Any
) -> None:
    told = config(tmp_path / "live.jsonl", rollover_s=7)
    virtual(run_recorded(told, tmp_path / "r"))
    virtual(run_replayed(config(tmp_path / "again.jsonl", rollover_s=7), tmp_path / "r"))
    live, again = [(tmp_path / each).read_bytes() for each in ("live.jsonl", "again.jsonl")]
    assert live == again


def test_a_config_that_replaces_none_gets_every_bar_all_the_same(
    tmp_path: Path, virtual: Any
) -> None:
    """What came on the new connection while the old one was up comes when the old one ends."""
    virtual(run_recorded(config(tmp_path / "live.jsonl", rollover_s=7), tmp_path / "r"))
    virtual(run_replayed(config(tmp_path / "again.jsonl"), tmp_path / "r"))
    sets = [
        (tmp_path / each).read_bytes().count(b'"SYNCHRONIZED_BARS"')
        for each in ("live.jsonl", "again.jsonl")
    ]
    assert sets[0] == sets[1]
