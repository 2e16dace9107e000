"""How exactly sets are sealed at their deadlines, and that a stalled loop misses no bar.

Everything is the real thing: the ``BarSynchronizer`` component in a ``Container``, the machine's
clocks, both event loops, each measurement in a fresh process.

- ``idle``: sets of which one of two sources arrives, a new one every few milliseconds, so that
  many are open at once. *Early* counts seals before the deadline, which must not happen. The
  *overshoot* is the moment at which a handler on the event bus sees the set, minus the deadline;
  the event's own ``loop_lag_ms`` stands beside it.
- ``bare timer``: for comparison, the loop's own ``call_later`` with the same timeouts and nothing
  else to do: what the loop and the machine do by themselves.
- ``stall``: the loop is held for 200 ms across a deadline, by a busy callback or a sleeping one.
  Meanwhile a venue in another process sends the missing bar over a real websocket, before the
  deadline; so at the end of the stall it lies in the socket's buffer. *Missed* counts the sets
  sealed without it, which must not happen. With ``behind running klines`` the bar is sent last,
  after that many frames which are no final bars. The overshoot is from the end of the stall.

Exit code 1 if any seal was early or any bar missed. To repeat::

    python benchmarks/deadlines.py
"""

import argparse
import asyncio
import itertools
import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from barsync_async.app.runner import LOOPS, run_on_loop
from barsync_async.config import parse_config
from barsync_async.messages import Event, EventType, SynchronizedBars
from barsync_async.ports import TimerHandle
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.intake import Intake
from barsync_async.shell.network.websocket import WebsocketConnector
from barsync_async.units import NS_PER_MS, Instant, MonoNs, WallMs

if TYPE_CHECKING:
    from benchmarks import _common
else:
    import _common  # a script finds its neighbour beside it

HERE, MISSING = "HERE_1m", "MISSING_1m"
OUTCOMES = (EventType.SYNCHRONIZED_BARS, EventType.SYNC_SKIPPED)

TIMEOUTS_MS = (20, 100)
SPACING_MS = (1, 5)
STALL_TIMEOUT_MS = 100
STALL_NS = 200 * NS_PER_MS
AHEAD_MS = (0.3, 90)
"""How long before the deadline the stall begins; all scales between are as likely."""
LET_PASS_S = 0.02


class Seals(NamedTuple):
    """What was seen of the seals of one kind, in milliseconds after the moment they were due."""

    overshoot_ms: list[float]
    lag_ms: list[float]
    early: int


_RECENT = 200  # more than are ever open at once


class Stalls(NamedTuple):
    """The same for seals during a stall; ``void`` trials did not come about as planned."""

    seals: Seals
    missed: int
    void: int


class WatchedClock:
    """The machine's clock; remembers the moment of every timer, which is a slot's deadline."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.deadlines: list[MonoNs] = []
        self.armed = anyio.Event()

    def now(self) -> Instant:
        """The present moment."""
        return self.clock.now()

    def slept_ns(self) -> int:
        """How long the machine has slept."""
        return self.clock.slept_ns()

    def call_at(self, when: MonoNs, callback: Callable[[], None]) -> TimerHandle:
        """As the clock does."""
        if when not in self.deadlines[-_RECENT:]:  # a timer that is due is set again
            self.deadlines.append(when)
        self.armed.set()
        return self.clock.call_at(when, callback)


class Watcher:
    """A handler on an event bus that notes each outcome with the moment at which it came."""

    def __init__(self, container: Container, clock: WatchedClock) -> None:
        self.outcomes: list[tuple[MonoNs, SynchronizedBars]] = []
        self.came = anyio.Event()
        self._clock = clock
        for each in OUTCOMES:
            container.event_bus.subscribe(each, self._note)

    def _note(self, event: Event) -> None:
        self.outcomes.append((self._clock.now().mono, event.payload))
        self.came.set()


# Idle


async def idle(timeout_ms: float, count: int) -> Seals:
    """Open ``count`` slots, each a little after the last; each waits in vain."""
    clock, rng = WatchedClock(), random.Random(count)
    container = Container("bench", clock=clock)
    synchronizer = BarSynchronizer(
        (HERE, MISSING), timeout_ms=timeout_ms, require_all=False, max_open=count
    )
    container.add_component("synchronizer", synchronizer)
    watcher = Watcher(container, clock)
    opened: list[MonoNs] = []
    first = _common.yesterday()
    async with anyio.create_task_group() as tasks:
        container.start()
        tasks.start_soon(container.run)
        for number in range(count):
            await anyio.sleep(rng.uniform(*SPACING_MS) / 1_000)
            opened.append(clock.now().mono)
            bar = _common.bar_of(HERE, first + number * _common.MINUTE_MS, 100.0)
            container.event_bus.publish(Event(EventType.BAR, bar))
        await anyio.sleep(timeout_ms / 1_000 + 0.1)
        await container.stop()
    return idle_seals(watcher, clock.deadlines, opened, timeout_ms)


def idle_seals(
    watcher: Watcher, deadlines: Sequence[MonoNs], opened: Sequence[MonoNs], timeout_ms: float
) -> Seals:
    """Slots open, are armed and go out in the order of their timestamps: row by row one slot."""
    overshoot_ms, lag_ms, early = [], [], 0
    for (seen, outcome), deadline, before in zip(watcher.outcomes, deadlines, opened, strict=True):
        earliest = before + timeout_ms * NS_PER_MS
        early += seen < deadline or deadline < earliest or outcome.wait_ms < timeout_ms
        overshoot_ms.append((seen - deadline) / NS_PER_MS)
        lag_ms.append(outcome.loop_lag_ms)
    return Seals(overshoot_ms, lag_ms, early)


async def bare_timers(timeout_ms: float, count: int) -> Seals:
    """The same number of the loop's own timers, as far apart."""
    clock, rng = SystemClock(), random.Random(count)
    loop = asyncio.get_running_loop()
    overshoot_ms: list[float] = []

    def fire(due: float) -> None:
        overshoot_ms.append((clock.now().mono - due) / NS_PER_MS)

    for _ in range(count):
        await asyncio.sleep(rng.uniform(*SPACING_MS) / 1_000)
        loop.call_later(timeout_ms / 1_000, fire, clock.now().mono + timeout_ms * NS_PER_MS)
    await asyncio.sleep(timeout_ms / 1_000 + 0.1)
    early = sum(1 for each in overshoot_ms if each < 0)
    return Seals(overshoot_ms, [], early)


# Stalls


class Command(NamedTuple):
    """What the venue is to send, and when."""

    frames: bytes
    at: MonoNs


def serve(pipe: Connection) -> None:
    """Send what the pipe says, at its moment; answer with the moment at which it was sent."""
    with _common.listening(pipe) as listener:
        peer = _common.Peer(listener)
        while (command := pipe.recv()) is not None:
            while (ahead := command.at - _common.now_ns()) > 0:
                if ahead > 2 * NS_PER_MS:
                    time.sleep((ahead - 2 * NS_PER_MS) / 1e9)  # noqa: TID251 - a process of its own
            peer.write(command.frames)
            pipe.send(_common.now_ns())
            peer.answer()
        peer.until_closed()


def config_of(url: str) -> dict[str, Any]:
    """A daemon of one feed with both sources, and no output but the bus."""
    sources = [HERE, MISSING]
    synchronizer = {
        "type": "BarSynchronizer",
        "config": {
            "expected_sources": sources,
            "timeout_ms": STALL_TIMEOUT_MS,
            "require_all": False,
        },
    }
    return {
        "feeds": {"bench": {"venue": "binance", "url": url, "sources": sources}},
        "containers": {"bench": {"components": {"synchronizer": synchronizer}}},
    }


class StallBench:
    """A running daemon, the venue it is connected to, and stalls of its loop."""

    def __init__(self, venue: _common.Venue, running: int) -> None:
        self.clock = WatchedClock()
        intake = Intake()
        self.daemon = Daemon(
            parse_config(config_of(venue.url), "bench"),
            clock=self.clock,
            connector=WebsocketConnector(self.clock, intake),
            intake=intake,
            rng=random.Random(1),
        )
        self.watcher = Watcher(self.daemon.containers[0], self.clock)
        self._venue = venue
        self._rng = random.Random(2)
        self._running = running
        self._first = _common.yesterday()

    async def trial(self, number: int, hold: Callable[[MonoNs], None]) -> Stalls:
        """One slot: its first bar, then a stall during which the other bar is sent."""
        timestamp = WallMs(self._first + number * _common.MINUTE_MS)
        deadline = await self._open(timestamp)
        ahead_ms = math.exp(self._rng.uniform(*map(math.log, AHEAD_MS)))
        began = MonoNs(deadline - round(ahead_ms * NS_PER_MS))
        ended = MonoNs(began + STALL_NS)
        missing = _common.bar_of(MISSING, timestamp, 100.0)
        frames = _common.kline_frame(missing, final=False) * self._running
        frames += _common.kline_frame(missing)
        self._venue.pipe.send(Command(frames, MonoNs((began + deadline) // 2)))
        self.clock.clock.call_at(began, lambda: hold(ended))
        with anyio.fail_after(10):
            await self.watcher.came.wait()
        sent_at: MonoNs = self._venue.pipe.recv()
        seen, outcome = self.watcher.outcomes[-1]
        planned = began < sent_at < deadline
        missed = planned and MISSING in outcome.sources_missing
        seals = Seals(
            [(seen - ended) / NS_PER_MS],
            [outcome.loop_lag_ms],
            seen < deadline,
        )
        return Stalls(seals, missed, not planned)

    async def _open(self, timestamp: WallMs) -> MonoNs:
        """Let the first bar arrive; the deadline of its slot."""
        self.clock.armed, self.watcher.came = anyio.Event(), anyio.Event()
        frame = _common.kline_frame(_common.bar_of(HERE, timestamp, 100.0))
        self._venue.pipe.send(Command(frame, _common.now_ns()))
        with anyio.fail_after(10):
            await self.clock.armed.wait()
        self._venue.pipe.recv()
        return self.clock.deadlines[-1]


def hold_busy(until: MonoNs) -> None:
    """Hold the loop with work."""
    while _common.now_ns() < until:
        pass


def hold_asleep(until: MonoNs) -> None:
    """Hold the loop without work."""
    ahead = until - _common.now_ns()
    time.sleep(max(0, ahead) / 1e9)  # noqa: TID251 - the stall is the point


async def stalls(venue: _common.Venue, count: int, running: int) -> Stalls:
    """So many trials, with a busy loop and a sleeping one in turn."""
    bench = StallBench(venue, running)
    stop = anyio.Event()
    holds = itertools.cycle((hold_busy, hold_asleep))
    trials = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.daemon.run, stop)
        for number, hold in zip(range(count), holds, strict=False):
            trials.append(await bench.trial(number, hold))
            await anyio.sleep(LET_PASS_S)
        venue.pipe.send(None)
        stop.set()
    return Stalls(
        Seals(
            [trial.seals.overshoot_ms[0] for trial in trials],
            [trial.seals.lag_ms[0] for trial in trials],
            sum(trial.seals.early for trial in trials),
        ),
        sum(trial.missed for trial in trials),
        sum(trial.void for trial in trials),
    )


# Processes


def run_seals(loop: str, bare: bool, timeout_ms: float, count: int) -> Seals:
    """In a fresh process: sets on an idle loop, or the loop's own timers."""
    _common.keep_quiet()
    results: list[Seals] = []
    work = bare_timers if bare else idle

    async def main() -> None:
        results.append(await work(timeout_ms, count))

    run_on_loop(loop, main)
    return results[0]


def run_stalls(loop: str, count: int, running: int) -> Stalls:
    """In a fresh process: stalls, with a venue in yet another."""
    _common.keep_quiet()
    results: list[Stalls] = []
    with _common.Venue(serve) as venue:

        async def main() -> None:
            results.append(await stalls(venue, count, running))

        run_on_loop(loop, main)
    return results[0]


# The report


def row(loop: str, case: str, seals: Seals, missed: str = "", void: int = 0) -> Sequence[str]:
    """One line of the table."""
    overshoot, lag = seals.overshoot_ms, seals.lag_ms
    return [
        f"{loop}, {case}",
        str(len(overshoot) - void),
        str(seals.early),
        missed,
        *(f"{_common.percentile(overshoot, share):.2f}" for share in (0.5, 0.99, 1)),
        f"{_common.percentile(lag, 0.99):.2f}" if lag else "",
    ]


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--loop", choices=LOOPS, action="append", dest="loops", help="default: each of them"
    )
    parser.add_argument("--sets", type=int, default=1_000, help="default: %(default)s")
    parser.add_argument("--stalls", type=int, default=50, help="default: %(default)s")
    parser.add_argument(
        "--running", type=int, default=500, help="running klines before a bar; default: %(default)s"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; 1 if a seal was early or a bar missed."""
    options = parse_arguments(arguments)
    print(_common.describe_machine(), end="\n\n", flush=True)
    rows: list[Sequence[str]] = []
    early = missed = void = 0
    for loop in options.loops or LOOPS:
        for timeout_ms in TIMEOUTS_MS:
            for bare in (True, False):
                seals = _common.in_fresh_process(run_seals, loop, bare, timeout_ms, options.sets)
                case = f"{'bare timer' if bare else 'idle'} {timeout_ms} ms"
                rows.append(row(loop, case, seals))
                early += 0 if bare else seals.early
        for running in (0, options.running):
            result = _common.in_fresh_process(run_stalls, loop, options.stalls, running)
            case = f"stall behind {running} running klines" if running else "stall"
            rows.append(row(loop, case, result.seals, str(result.missed), result.void))
            early, missed = early + result.seals.early, missed + result.missed
            void += result.void
    head = ("loop, case", "count", "early", "missed", "p50 ms", "p99 ms", "max ms", "lag p99")
    _common.print_table(head, rows)
    if void:
        print(f"\n{void} stalls not counted: the bar was not sent between stall and deadline")
    return 1 if early or missed else 0


if __name__ == "__main__":
    sys.exit(main())
