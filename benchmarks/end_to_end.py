"""Bars a second through the whole pipeline, beside what receiving and decoding alone can do.

A venue in a process of its own sends closed 1m klines of 100 sources, minute by minute of the
past, in Binance's combined form, over one loopback connection, as fast as they are taken. Each
stage is a process of its own, in turn, so all of them see the same machine in the same minutes:

- ``venue``: the bytes are read from the socket and counted; what the venue itself can do.
- ``receive``: (a) the websockets library's recv loop, with the daemon's own options.
- ``decode``: (b) the same, each frame decoded by the venue's codec.
- ``synchronize``: (c2) the daemon: decode, one producer a source, synchronize, JSON lines to a
  temporary file.
- ``features``: (c) the same with sma and rsi of every source, and their lines.

The time runs from the venue's receipt of SUBSCRIBE until the last bar is received (``venue``,
``receive``, ``decode``) or the daemon has stopped and all lines are synced to the disk. A daemon's
run counts only if nothing was lost: every bar accepted, one complete set a minute, each line there.

The figures are medians of several runs. ``CPU us/bar`` is the stage's own processor time, all
threads; it suffers less from a busy machine than the wall clock does. ``held`` is the longest time
for which the loop was held and could have served no deadline. To repeat::

    python benchmarks/end_to_end.py
    python benchmarks/end_to_end.py --profile   # where the time of (c) goes, by function
"""

import argparse
import asyncio
import cProfile
import io
import pstats
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import anyio
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from barsync_async.app.runner import LOOPS, real_daemon, run_on_loop
from barsync_async.config import parse_config
from barsync_async.core.statistics import Statistics
from barsync_async.messages import Bar, Event, EventType
from barsync_async.shell.daemon import Daemon
from barsync_async.units import NS_PER_MS, MonoNs
from barsync_async.venues.binance import BinanceSession

if TYPE_CHECKING:
    from benchmarks import _common, _pipeline
else:
    import _common  # a script finds its neighbours beside it
    import _pipeline

STAGES = ("venue", "receive", "decode", "synchronize", "features")
LETTERS = {"receive": "a", "decode": "b", "synchronize": "c2", "features": "c"}
GIVE_UP_S = 300.0


class Lost(Exception):
    """A bar, a set or a line is missing, or one is too many."""


class Load(NamedTuple):
    """What the venue sends to each client."""

    sources: tuple[str, ...]
    minutes: int
    timeout_ms: float
    """The synchronizer's; it plays no part as long as the daemon keeps up with what it reads."""

    @property
    def bars(self) -> int:
        """All of them."""
        return len(self.sources) * self.minutes


class Cost(NamedTuple):
    """What one run of a stage took, in its own process; ``cpu_s`` is that of all threads."""

    cpu_s: float
    loop_cpu_s: float
    held_ms: float
    ended: MonoNs


class Figures(NamedTuple):
    """The same with the time on the clock, which the venue began."""

    wall_s: float
    cost: Cost


# The venue


def serve(pipe: Connection, load: Load) -> None:
    """Give each client, one after the other, the whole load; tell when it began."""
    minutes = encode(load)
    with _common.listening(pipe) as listener:
        answer = Frame(Opcode.TEXT, _common.ACKNOWLEDGEMENT % 1).serialize(mask=False)
        pipe.send(len(answer) + sum(map(len, minutes)))
        while True:
            peer = _common.Peer(listener)
            began = _common.now_ns()
            for frames in minutes:
                peer.write(frames)
                peer.answer()
            pipe.send(began)
            peer.until_closed()


def encode(load: Load) -> list[bytes]:
    """The frames of each minute, in one piece."""
    rng = random.Random(1)
    first = _common.yesterday() - load.minutes * _common.MINUTE_MS
    closes = [100.0 + place for place in range(len(load.sources))]
    minutes = []
    for number in range(load.minutes):
        closes = [close * (1 + rng.gauss(0, 0.001)) for close in closes]
        timestamp = first + number * _common.MINUTE_MS
        bars = map(_common.bar_of, load.sources, [timestamp] * len(closes), closes)
        minutes.append(b"".join(map(_common.kline_frame, bars)))
    return minutes


# The stages


def read_bytes(url: str, wire_bytes: int) -> None:
    """``venue``: no websocket at all once the stream has begun."""
    protocol = ClientProtocol(parse_uri(url + "/stream"))
    protocol.send_request(protocol.connect())
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(b"".join(protocol.data_to_send()))
        protocol.receive_data(client.recv(65_536))
        protocol.send_text(b'{"method":"SUBSCRIBE","params":[],"id":1}')
        client.sendall(b"".join(protocol.data_to_send()))
        buffer = bytearray(262_144)
        while wire_bytes > 0 and (count := client.recv_into(buffer)):
            wire_bytes -= count


async def receive(websocket: ClientConnection, session: BinanceSession, load: Load) -> None:
    """``receive``: every message, undecoded, looked at only for being there."""
    del session
    for _ in range(load.bars + 1):  # the acknowledgement is one more
        await websocket.recv(decode=False)


async def decode(websocket: ClientConnection, session: BinanceSession, load: Load) -> None:
    """``decode``: every message by the venue's codec."""
    bars = 0
    while bars < load.bars:
        for item in session.receive(await websocket.recv(decode=False)):
            if type(item) is Bar:
                bars += 1


async def over_library(
    work: Callable[[ClientConnection, BinanceSession, Load], Awaitable[None]], url: str, load: Load
) -> None:
    """Connect the way the daemon does, subscribe, and let ``work`` read."""
    async with _pipeline.subscribed(url, load.sources) as (websocket, session):
        await work(websocket, session, load)


def daemon_of(url: str, load: Load, path: Path, *, features: bool) -> Daemon:
    """A daemon for ``load``, whose events go to ``path``."""
    config = _pipeline.config_of(
        url, load.sources, path, timeout_ms=load.timeout_ms, features=features
    )
    return real_daemon(parse_config(config, "bench"))


async def run_until_received(daemon: Daemon, load: Load) -> None:
    """Run the daemon until every minute came out, then stop it the clean way."""
    stop = anyio.Event()
    sets = 0

    def count(event: Event) -> None:
        nonlocal sets
        del event
        sets += 1
        if sets == load.minutes:
            stop.set()

    for each in (EventType.SYNCHRONIZED_BARS, EventType.SYNC_SKIPPED):
        daemon.containers[0].event_bus.subscribe(each, count)
    with anyio.fail_after(GIVE_UP_S):
        await daemon.run(stop)


def check_nothing_lost(totals: Statistics, path: Path, load: Load, *, features: bool) -> None:
    """Raises Lost unless every bar, set and line is there, in order."""
    lines: Counter[bytes] = Counter()
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            assert b'"seq":%d,' % number in line[:100]
            lines[line[:40].split(b'"')[3]] += 1
    found = {
        "received": totals.received,
        "accepted": totals.accepted,
        "complete sets": totals.sets_by.get("complete", 0),
        "lines of sets": lines[b"SYNCHRONIZED_BARS"],
        "lines of features": lines[b"FEATURES"],
    }
    sent = {
        "received": load.bars,
        "accepted": load.bars,
        "complete sets": load.minutes,
        "lines of sets": load.minutes,
        "lines of features": load.minutes * features,
    }
    if found != sent:
        raise Lost(f"found {found}, expected {sent}; {totals}")


class Heartbeat:
    """Beats every millisecond on the running loop, and knows the longest pause between two."""

    def __init__(self) -> None:
        self.held_ns = 0
        self._last: MonoNs | None = None

    def beat(self) -> None:
        """Once, and again in a millisecond."""
        now = _common.now_ns()
        if self._last is not None:
            self.held_ns = max(self.held_ns, now - self._last)
        self._last = now
        asyncio.get_running_loop().call_later(0.001, self.beat)


def measured(work: Callable[[], None], heartbeat: Heartbeat) -> Cost:
    """What ``work`` took."""
    process_s, thread_s = time.process_time(), time.thread_time()
    work()
    ended = _common.now_ns()
    return Cost(
        time.process_time() - process_s,
        time.thread_time() - thread_s,
        heartbeat.held_ns / NS_PER_MS,
        ended,
    )


def on_loop(
    loop: str, main: Callable[[], Awaitable[None]], heartbeat: Heartbeat
) -> Callable[[], None]:
    """``main`` on a new loop, with a heartbeat beside it."""

    async def with_heartbeat() -> None:
        heartbeat.beat()
        await main()

    return lambda: run_on_loop(loop, with_heartbeat)


def run_stage(stage: str, url: str, load: Load, wire_bytes: int, loop: str) -> Cost:
    """One run of one stage, in this process."""
    _common.keep_quiet()
    heartbeat = Heartbeat()
    if stage == "venue":
        return measured(lambda: read_bytes(url, wire_bytes), heartbeat)
    if stage in ("synchronize", "features"):
        return run_daemon(url, load, loop, heartbeat, features=stage == "features")
    work = receive if stage == "receive" else decode
    return measured(on_loop(loop, lambda: over_library(work, url, load), heartbeat), heartbeat)


def run_daemon(url: str, load: Load, loop: str, heartbeat: Heartbeat, *, features: bool) -> Cost:
    """(c) or (c2), once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        daemon = real_daemon(
            parse_config(
                _pipeline.config_of(
                    url, load.sources, path, timeout_ms=load.timeout_ms, features=features
                ),
                "bench",
            )
        )
        main = on_loop(loop, lambda: run_until_received(daemon, load), heartbeat)
        cost = measured(main, heartbeat)
        totals = _pipeline.synchronizer_of(daemon).statistics()
        check_nothing_lost(totals, path, load, features=features)
    return cost


def profile_stage(url: str, load: Load, loop: str) -> str:
    """One run of (c) under cProfile; the loop's thread only, as cProfile sees no other."""
    _common.keep_quiet()
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        daemon = real_daemon(
            parse_config(
                _pipeline.config_of(url, load.sources, path, timeout_ms=load.timeout_ms), "bench"
            )
        )
        profile.enable()
        run_on_loop(loop, lambda: run_until_received(daemon, load))
        profile.disable()
    text = io.StringIO()
    pstats.Stats(profile, stream=text).strip_dirs().sort_stats("tottime").print_stats(25)
    return text.getvalue()


# The report


def measure(venue: _common.Venue, stage: str, load: Load, wire_bytes: int, loop: str) -> Figures:
    """One run of one stage, in a fresh process."""
    cost = _common.in_fresh_process(run_stage, stage, venue.url, load, wire_bytes, loop)
    began: MonoNs = venue.pipe.recv()
    return Figures((cost.ended - began) / _common.NS_PER_S, cost)


def report(runs: dict[str, list[Figures]], load: Load) -> None:
    """Print the table of medians."""
    wall = {stage: _common.median([run.wall_s for run in runs[stage]]) for stage in STAGES}
    rows = []
    for stage in STAGES:
        rates = sorted(load.bars / run.wall_s for run in runs[stage])
        costs = [run.cost for run in runs[stage]]
        rows.append(
            [
                f"{stage} ({LETTERS[stage]})" if stage in LETTERS else stage,
                f"{load.bars / wall[stage]:,.0f}",
                f"{rates[0]:,.0f} to {rates[-1]:,.0f}",
                f"{wall['receive'] / wall[stage]:.2f}",
                f"{wall['decode'] / wall[stage]:.2f}",
                f"{_common.median([cost.cpu_s for cost in costs]) / load.bars * 1e6:.2f}",
                f"{_common.median([cost.loop_cpu_s for cost in costs]) / load.bars * 1e6:.2f}",
                f"{_common.median([cost.held_ms for cost in costs]):.0f}",
            ]
        )
    head = ("stage", "bars/s", "range", "of (a)", "of (b)", "CPU us/bar", "loop thread", "held ms")
    _common.print_table(head, rows)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--loop", choices=LOOPS, default="uvloop", help="default: %(default)s")
    parser.add_argument("--sources", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--minutes", type=int, default=2_000, help="default: %(default)s")
    parser.add_argument("--timeout-ms", type=float, default=5_000, help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=3, help="default: %(default)s")
    parser.add_argument(
        "--profile", action="store_true", help="instead: (c) once under cProfile, the top 25"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; 1 if anything was lost on the way."""
    options = parse_arguments(arguments)
    sources = tuple(f"S{place:03}_1m" for place in range(options.sources))
    load = Load(sources, options.minutes, options.timeout_ms)
    print(_common.describe_machine())
    print(f"{load.bars:,} bars of {options.sources} sources on {options.loop}\n", flush=True)
    with _common.Venue(serve, load) as venue:
        wire_bytes: int = venue.pipe.recv()
        if options.profile:
            print(_common.in_fresh_process(profile_stage, venue.url, load, options.loop))
            return 0
        runs: dict[str, list[Figures]] = {stage: [] for stage in STAGES}
        for _ in range(options.runs):
            for stage in STAGES:
                try:
                    figures = measure(venue, stage, load, wire_bytes, options.loop)
                except Lost as error:
                    print(f"{stage}: {error}", file=sys.stderr)
                    return 1
                runs[stage].append(figures)
    report(runs, load)
    return 0


if __name__ == "__main__":
    sys.exit(main())
