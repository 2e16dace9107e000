"""How long after a burst's last frame its set is out, beside bare receiving and decoding.

A venue in a process of its own sends the closed 1m kline of every source at once, one frame each,
in Binance's combined form, over as many loopback connections as the venue's limit of sources asks
for; then it pauses, and sends the next minute's. Two clients, in turn, each in a fresh process:

- ``bare``: the websockets library's recv loop on every connection, each frame decoded by the
  venue's codec; done when the last bar is decoded.
- the daemon: the same connections, one producer a source, one set, sma and rsi of every source,
  JSON lines to a temporary file; ``set`` is when SYNCHRONIZED_BARS is published, ``features`` when
  FEATURES is.

Each time runs from the moment at which the system has taken the last frame of the burst. ``beyond``
is the daemon's median less the bare client's. A run counts only
if every set was complete and out before the next burst began. To repeat::

    python benchmarks/burst.py
    python benchmarks/burst.py --profile   # where the daemon's time goes, by function

Bars a second of 100 sources beside receiving and decoding: ``end_to_end.py``.
"""

import argparse
import asyncio
import cProfile
import io
import math
import pstats
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anyio
import msgspec

from barsync_async.app.runner import LOOPS, real_daemon, run_on_loop
from barsync_async.config import parse_config
from barsync_async.messages import Bar, Event, EventType
from barsync_async.shell.daemon import Daemon
from barsync_async.units import NS_PER_MS, MonoNs, SourceId
from barsync_async.venues.binance import BinanceCodec

if TYPE_CHECKING:
    from benchmarks import _common, _pipeline
else:
    import _common  # a script finds its neighbours beside it
    import _pipeline

GIVE_UP_S = 120.0
MOST = BinanceCodec().facts.max_sources
PER_REQUEST = 100
"""How many sources the codec subscribes at once."""

TIMEOUT_MS = 5_000
STAGES = ("bare", "daemon")


class Load(NamedTuple):
    """What the venue sends to each client."""

    sources: tuple[str, ...]
    bursts: int
    pause_s: float

    @property
    def shares(self) -> list[tuple[str, ...]]:
        """The sources of each connection."""
        return [self.sources[at : at + MOST] for at in range(0, len(self.sources), MOST)]


class Moments(NamedTuple):
    """When each burst was done with; one moment a burst."""

    sets: list[MonoNs]
    """Of the bare client: when the last bar was decoded."""
    features: list[MonoNs]


class Figures(NamedTuple):
    """Milliseconds from a burst's last frame, each the median of a run's bursts."""

    set_ms: float
    features_ms: float


class Late(Exception):
    """A burst was not done with when the next one began, or its set was not complete."""


# The venue


def serve(pipe: Connection, load: Load) -> None:
    """Give each client, one after the other, all bursts; tell when each was on the wire."""
    bursts = encode(load)
    with _common.listening(pipe) as listener, ThreadPoolExecutor(len(load.shares)) as pool:
        while True:
            peers = dict(pool.map(lambda _: accept(listener, load), load.shares))
            pipe.send([send(peers, shares, load.pause_s) for shares in bursts])
            for peer in peers.values():
                peer.until_closed()


def accept(listener: socket.socket, load: Load) -> tuple[int, _common.Peer]:
    """A client's connection, subscribed, and the place of the share that it carries."""
    peer = _common.Peer(listener)
    stream = msgspec.json.decode(peer.asked[0])["params"][0]
    (place,) = [
        place
        for place, share in enumerate(load.shares)
        if stream == BinanceCodec().stream(SourceId(share[0]))
    ]
    peer.until_asked(math.ceil(len(load.shares[place]) / PER_REQUEST))
    return place, peer


def send(peers: Mapping[int, _common.Peer], shares: Sequence[bytes], pause_s: float) -> MonoNs:
    """One burst, after a pause; gives the moment at which the system had taken all of it."""
    time.sleep(pause_s)  # noqa: TID251 - a process of its own
    for place, frames in enumerate(shares):
        peers[place].write(frames)
    sent = _common.now_ns()
    for peer in peers.values():
        peer.answer()
    return sent


def encode(load: Load) -> list[list[bytes]]:
    """The frames of each burst, by connection."""
    first = _common.yesterday() - load.bursts * _common.MINUTE_MS
    return [
        [
            b"".join(
                _common.kline_frame(_common.bar_of(each, at, 100.0 + number)) for each in share
            )
            for share in load.shares
        ]
        for number in range(load.bursts)
        for at in [first + number * _common.MINUTE_MS]
    ]


# The clients


async def run_bare(url: str, load: Load) -> Moments:
    """Receive and decode; nothing else."""
    left = [len(load.sources)] * load.bursts
    moments: list[MonoNs] = []

    async def read(share: Sequence[str]) -> None:
        async with _pipeline.subscribed(url, share) as (websocket, session):
            for number in range(load.bursts):
                bars = 0
                while bars < len(share):
                    items = session.receive(await websocket.recv(decode=False))
                    bars += sum(type(item) is Bar for item in items)
                left[number] -= bars
                if not left[number]:
                    moments.append(_common.now_ns())

    with anyio.fail_after(GIVE_UP_S):
        await asyncio.gather(*map(read, load.shares))
    return Moments(moments, moments)


async def run_daemon(daemon: Daemon, load: Load) -> Moments:
    """Run the daemon until the last burst's features are out, then stop it the clean way."""
    stop = anyio.Event()
    moments = Moments([], [])

    def note_set(event: Event) -> None:
        del event
        moments.sets.append(_common.now_ns())

    def note_features(event: Event) -> None:
        del event
        moments.features.append(_common.now_ns())
        if len(moments.features) == load.bursts:
            stop.set()

    bus = daemon.containers[0].event_bus
    bus.subscribe(EventType.SYNCHRONIZED_BARS, note_set)
    bus.subscribe(EventType.FEATURES, note_features)
    with anyio.fail_after(GIVE_UP_S):
        await daemon.run(stop)
    return moments


def run_stage(stage: str, url: str, load: Load, loop: str) -> Moments:
    """One run of one client, in this process."""
    _common.keep_quiet()
    if stage == "bare":
        return on_loop(loop, lambda: run_bare(url, load))
    with tempfile.TemporaryDirectory() as folder:
        config = _pipeline.config_of(
            url, load.sources, Path(folder) / "events.jsonl", timeout_ms=TIMEOUT_MS
        )
        daemon = real_daemon(parse_config(config, "bench"))
        moments = on_loop(loop, lambda: run_daemon(daemon, load))
    complete = _pipeline.synchronizer_of(daemon).statistics().sets_by.get("complete", 0)
    if complete != load.bursts:
        raise Late(f"{complete} of {load.bursts} sets were complete")
    return moments


def on_loop(loop: str, main: Callable[[], Awaitable[Moments]]) -> Moments:
    """What ``main`` gives, run on a new loop."""
    given: list[Moments] = []

    async def keep() -> None:
        given.append(await main())

    run_on_loop(loop, keep)
    return given[0]


def profile_stage(url: str, load: Load, loop: str) -> str:
    """One run of the daemon under cProfile; the loop's thread only, as cProfile sees no other."""
    profile = cProfile.Profile()
    profile.runcall(run_stage, "daemon", url, load, loop)
    text = io.StringIO()
    pstats.Stats(profile, stream=text).strip_dirs().sort_stats("tottime").print_stats(40)
    return text.getvalue()


# The report


def measure(venue: _common.Venue, stage: str, load: Load, loop: str) -> Figures:
    """One run of one client, in a fresh process."""
    moments = _common.in_fresh_process(run_stage, stage, venue.url, load, loop)
    sent: list[MonoNs] = venue.pipe.recv()
    if any(done > following for done, following in zip(moments.features, sent[1:], strict=False)):
        raise Late("a burst was not done with when the next one was sent: give a longer --pause-s")
    return Figures(*(_after(sent, each) for each in moments))


def _after(sent: Sequence[MonoNs], done: Sequence[MonoNs]) -> float:
    """The first burst is left out: it warms caches up."""
    waits = [later - earlier for earlier, later in zip(sent, done, strict=True)]
    return _common.median(waits[1:]) / NS_PER_MS


def row_of(load: Load, runs: Mapping[str, Sequence[Figures]]) -> list[str]:
    """One line of the table."""
    bare = [run.set_ms for run in runs["bare"]]
    cells = [f"{len(load.sources):,}", str(len(load.shares)), _shown(bare)]
    for times in zip(*runs["daemon"], strict=True):
        cells += [_shown(times), f"{_common.median(times) - _common.median(bare):.1f}"]
    return cells


def _shown(values: Sequence[float]) -> str:
    return f"{_common.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--loop", choices=LOOPS, default="uvloop", help="default: %(default)s")
    parser.add_argument(
        "--sources", type=int, nargs="+", default=[100, 1_000, 10_000], help="default: %(default)s"
    )
    parser.add_argument("--bursts", type=int, default=11, help="a run; default: %(default)s")
    parser.add_argument("--pause-s", type=float, default=0.5, help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=5, help="default: %(default)s")
    parser.add_argument(
        "--profile", action="store_true", help="instead: the daemon once under cProfile, the top 40"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; 1 if a set was not whole, or late."""
    options = parse_arguments(arguments)
    print(_common.describe_machine())
    print(f"bursts on {options.loop}; medians of {options.runs} runs, in ms\n", flush=True)
    rows = []
    for count in options.sources:
        sources = tuple(f"S{place:05}_1m" for place in range(count))
        load = Load(sources, options.bursts, options.pause_s)
        with _common.Venue(serve, load) as venue:
            if options.profile:
                print(_common.in_fresh_process(profile_stage, venue.url, load, options.loop))
                continue
            runs: dict[str, list[Figures]] = {stage: [] for stage in STAGES}
            for _ in range(options.runs):
                for stage in STAGES:
                    try:
                        runs[stage].append(measure(venue, stage, load, options.loop))
                    except Late as error:
                        print(f"{stage}: {error}", file=sys.stderr)
                        return 1
        rows.append(row_of(load, runs))
    if rows:
        _common.print_table(
            ("sources", "connections", "bare", "set", "beyond", "features", "beyond"), rows
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
