"""Lets a world happen: the whole daemon on virtual time, with all that the world has in store."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

import anyio
import structlog
from tests.worlds.loop import WorldLoop
from tests.worlds.machine import MachineRoom
from tests.worlds.monitor import Monitor
from tests.worlds.reader import SlowReader
from tests.worlds.record import NUMBERED, CapturingSink, Listener, Record
from tests.worlds.timeline import Timeline
from tests.worlds.venue import ScriptedVenue
from tests.worlds.world import World

from barsync_async.config import parse_config
from barsync_async.messages import EventType
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.intake import Intake
from barsync_async.shell.outputs.output import Output


def live(world: World, *, order: int | None = None) -> Record:
    """What happens in ``world``; ``order`` is the seed of the order in which things run.

    Raises:
        AssertionError: something was wrong while it lasted.
    """
    loop = WorldLoop(None if order is None else Random(order))
    with quiet(), asyncio.Runner(loop_factory=lambda: loop) as runner:
        record = runner.run(_Life(world, loop).run())
    assert not loop.failures, f"a callback failed: {loop.failures[0]}"
    return record


@contextmanager
def quiet() -> Iterator[None]:
    """No logs."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    try:
        yield
    finally:
        structlog.configure(**before)


@dataclass(frozen=True)
class _End:
    """The moment at which the daemon is told to stop."""

    at: int


class _Life:
    """One world, while it lasts."""

    def __init__(self, world: World, loop: WorldLoop) -> None:
        self._world = world
        self._loop = loop
        self._record = Record(world)

    async def run(self) -> Record:
        self._put_together()
        stop = anyio.Event()
        readers = [asyncio.ensure_future(reader.run()) for reader in self._readers]
        ending = self._timeline.play([_End(self._world.end_at)], lambda _: stop.set())
        self._monitor.start()
        try:
            await self._daemon.run(stop)
            self._finished_at = self._timeline.clock.now().mono
        finally:
            ending.stop()
            self._venue.stop()
            self._monitor.stop()
            self._machine.stop()
            for reader in self._readers:
                reader.subscription.close()
            await asyncio.gather(*readers)
        self._finish()
        return self._record

    def _put_together(self) -> None:
        world, self._timeline = self._world, Timeline(self._world.start)
        self._intake = Intake()
        self._venue = ScriptedVenue(world, self._timeline, self._intake)
        self._room = MachineRoom(self._timeline, self._loop)
        self._machine = self._timeline.play(world.machine, self._room.perform)
        self._daemon = Daemon(
            parse_config(world.document(), f"world {world.seed}"),
            clock=self._timeline.clock,
            connector=self._venue,
            intake=self._intake,
            rng=Random(world.seed),
        )
        buses = {each.name: each.event_bus for each in self._daemon.containers}
        sink = CapturingSink(self._record)
        self._daemon._outputs.append(Output(sink, list(buses.values()), NUMBERED))
        self._readers = [
            SlowReader(plan, buses[plan.container], self._timeline, world.hurry_at)
            for plan in world.readers
        ]
        for container in self._daemon.containers:
            self._record.written[container.name] = bytearray()
            Listener(container, self._timeline.clock, self._record)
        self._monitor = Monitor(world, self._daemon, self._timeline)

    def _finish(self) -> None:
        record = self._record
        record.stopped_at = self._world.end_at - self._timeline.clock.slept_ns()
        late_ns = self._finished_at - record.stopped_at
        is_prompt = not late_ns or self._world.has_blocking_reader
        assert is_prompt, f"the daemon took {late_ns} ns to stop"
        record.given = self._venue.given
        record.stalls, record.moves = self._room.stalls, self._room.moves
        record.readings = [reader.reading() for reader in self._readers]
        for container in self._daemon.containers:
            (synchronizer,) = container.find(BarSynchronizer)
            record.statistics[container.name] = synchronizer.statistics()
            record.by_source[container.name] = synchronizer.source_statistics()
        self._count_faults()
        self._look_for_remains()

    def _count_faults(self) -> None:
        record = self._record
        record.faults = self._venue.faults + self._room.faults
        for reader in self._readers:
            reading = reader.reading()
            fired = reading.dropped or reading.cut or reader.was_full
            record.faults[f"slow_{reading.policy}"] += bool(fired)
        for published in record.published.values():
            for each in published:
                if each.event.event_type is EventType.STRATEGY_FAULT:
                    record.faults[f"{each.event.payload.strategy}_strategy"] += 1

    def _look_for_remains(self) -> None:
        """Nothing of the daemon may be left: no task, no timer, no slot, nothing on its way."""
        remains = self._record.left_over
        mine = asyncio.current_task()
        remains += [
            f"a task: {each.get_name()}" for each in asyncio.all_tasks() if each is not mine
        ]
        remains += [f"a timer: {each!r}" for each in self._loop.timers()]
        if self._intake.under_way:
            remains.append(f"{self._intake.under_way} frames or bars on their way")
        for container in self._daemon.containers:
            (synchronizer,) = container.find(BarSynchronizer)
            if synchronizer.bar_buffer:
                remains.append(f"{container.name}: open slots {list(synchronizer.bar_buffer)}")
            if synchronizer._core.deadlines or synchronizer._timers:
                remains.append(f"{container.name}: deadlines {dict(synchronizer._core.deadlines)}")
