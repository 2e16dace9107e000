"""A recording as a daemon's network, on virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from tests.shell.recordings.recordings import (
    BEGAN,
    SECOND,
    WALL,
    Line,
    at,
    began,
    ended,
    frame,
    opened,
    stopped,
    write,
)

from barsync_async.errors import ConnectionRefused
from barsync_async.shell.intake import Intake
from barsync_async.shell.network.websocket import OversizedFrame
from barsync_async.shell.paced_time import NoJitter, PacedLoop, ReplayClock
from barsync_async.shell.recordings.recording_file import Recording
from barsync_async.shell.recordings.replay_connector import ReplayConnection, ReplayConnector
from barsync_async.units import MonoNs


class Bench:
    def __init__(self, path: Path, lines: tuple[Line, ...], feeds: tuple[str, ...]) -> None:
        self.clock = ReplayClock(WALL)
        self.intake = Intake()
        self.progress: list[int] = []
        self.connector = ReplayConnector(
            Recording(write(path, *lines)), feeds, self.clock, self.intake, self.progress.append
        )

    def seconds(self) -> float:
        return round(asyncio.get_running_loop().time(), 6)

    def wall_s(self) -> float:
        now = self.clock.now()
        return round((now.wall * 1_000_000 + now.rest_ns - WALL) / SECOND, 6)


@asynccontextmanager
async def playing(
    path: Path, *lines: Line, feeds: tuple[str, ...] = ("sim",)
) -> AsyncIterator[Bench]:
    bench = Bench(path / "r", lines, feeds)
    running = asyncio.create_task(bench.connector.run())
    try:
        yield bench
        await running
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def all_of(bench: Bench, connection: ReplayConnection) -> list[tuple[float, bytes | str]]:
    """Every frame with the second in which it came, and at last the end."""
    got: list[tuple[float, bytes | str]] = []
    try:
        while True:
            for each in await connection.receive():
                got.append((bench.seconds(), each.data))
                bench.intake.leave(each.at)
    except ConnectionRefused as error:
        got.append((bench.seconds(), error.detail))
    bench.intake.leave(await connection.close())
    return got


async def test_a_connection_opens_speaks_and_ends_when_it_did(tmp_path: Path) -> None:
    lines = (
        began(),
        opened(1),
        frame(2, "a"),
        frame(2, "b"),
        frame(3.5, "c"),
        ended(4),
        stopped(9),
    )
    async with playing(tmp_path, *lines) as bench:
        connection = await bench.connector.connect("sim", "ws://anywhere")
        assert bench.seconds() == 1
        await connection.send("whatever")
        end = "the recorded connection was closed here"
        assert await all_of(bench, connection) == [(2, b"a"), (2, b"b"), (3.5, b"c"), (4, end)]
        with pytest.raises(ConnectionRefused):
            await connection.send("whatever")
    assert bench.seconds() == 9
    assert bench.intake.under_way == 0
    assert bench.connector.lost == 0
    assert bench.progress[-1] == 9 * SECOND


async def test_attempts_that_failed_fail_again_and_the_next_opening_is_the_next_one(
    tmp_path: Path,
) -> None:
    refused = {"type": "refused", "connection": "sim", "detail": "no route"} | at(1)
    lines = (began(), refused, opened(2), ended(3, detail="1001"), opened(4, 2), stopped(5))
    async with playing(tmp_path, *lines) as bench:
        with pytest.raises(ConnectionRefused, match="no route"):
            await bench.connector.connect("sim", "ws://anywhere")
        assert bench.seconds() == 1
        first = await bench.connector.connect("sim", "ws://anywhere")
        assert await all_of(bench, first) == [(3, "1001")]
        await bench.connector.connect("sim", "ws://anywhere")
        assert bench.seconds() == 4


async def test_where_nothing_more_was_recorded_nobody_connects(tmp_path: Path) -> None:
    async with playing(tmp_path, began("sim"), stopped(60)) as bench:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bench.connector.connect("sim", "ws://x"), 50)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bench.connector.connect("unheard of", "ws://x"), 5)


async def test_a_frame_too_large_to_read_is_one_again(tmp_path: Path) -> None:
    lines = (began(), opened(1), ended(2, detail="5 MB", oversized=True), stopped(3))
    async with playing(tmp_path, *lines) as bench:
        connection = await bench.connector.connect("sim", "ws://x")
        with pytest.raises(OversizedFrame, match="5 MB"):
            await connection.receive()


async def test_our_own_end_is_the_feeds_to_make_again(tmp_path: Path) -> None:
    lines = (began(), opened(1), frame(2, "a"), ended(3, by="us"), stopped(9))
    async with playing(tmp_path, *lines) as bench:
        connection = await bench.connector.connect("sim", "ws://x")
        await connection.receive()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.receive(), 5)
        await connection.close()
        with pytest.raises(ConnectionRefused, match="closed"):
            await connection.receive()


async def test_a_connection_with_a_successor_ends_with_ours_where_the_feed_keeps_it(
    tmp_path: Path,
) -> None:
    lines = (
        began(),
        opened(1),
        opened(2, 2),
        frame(2.5, "new", 2),
        ended(3, by="us"),
        frame(4, "newer", 2),
        stopped(9),
    )
    async with playing(tmp_path, *lines) as bench:
        old = await bench.connector.connect("sim", "ws://x")
        assert [second for second, _ in await all_of(bench, old)] == [3]
        new = await bench.connector.connect("sim", "ws://x")
        got = [(await new.receive())[0].data for _ in range(2)]
        assert (got, bench.seconds()) == ([b"new", b"newer"], 4)


async def test_an_opening_that_ended_before_anybody_asked_is_passed_over_and_told(
    tmp_path: Path,
) -> None:
    lines = (began(), opened(1), frame(1, "lost"), ended(2), opened(3, 2), frame(4, "a", 2))
    async with playing(tmp_path, *lines) as bench:
        await asyncio.sleep(3.5)
        connection = await bench.connector.connect("sim", "ws://x")
        assert [each.data for each in await connection.receive()] == [b"a"]
    assert bench.connector.lost == 1


async def test_connections_of_other_feeds_are_passed_over(tmp_path: Path) -> None:
    lines = (
        began("sim", "other"),
        opened(1, 1, "other"),
        frame(2, "x"),
        ended(3),
        opened(4, 2, "sim"),
        frame(5, "a", 2),
    )
    async with playing(tmp_path, *lines) as bench:
        connection = await bench.connector.connect("sim", "ws://x")
        assert [each.data for each in await connection.receive()] == [b"a"]
    assert bench.connector.lost == 0


async def test_a_reader_that_is_slow_holds_the_recording_not_its_memory(tmp_path: Path) -> None:
    many = [frame(1 + number / 1e6, "x") for number in range(10_000)]
    async with playing(tmp_path, began(), opened(1), *many) as bench:
        connection = await bench.connector.connect("sim", "ws://x")
        await asyncio.sleep(5)
        assert len(connection._frames) == 4_096
        read = 0
        while read < 10_000:
            read += len(await connection.receive())


async def test_the_wall_clock_shows_the_recorded_times_and_steps_with_them(tmp_path: Path) -> None:
    lines = (
        began(),
        opened(1),
        frame(2, "a"),
        frame(3, "b", wall_s=3_603),
        frame(4, "c", wall_s=-60),
    )
    async with playing(tmp_path, *lines) as bench:
        connection = await bench.connector.connect("sim", "ws://x")
        walls = []
        for _ in range(3):
            (got,) = await connection.receive()
            walls.append((got.at.mono / SECOND, bench.wall_s()))
        assert walls == [(2, 2), (3, 3_603), (4, -60)]


async def test_a_monotonic_clock_that_goes_back_holds_up_nothing(tmp_path: Path) -> None:
    lines = (began(), opened(1), frame(5, "a"), frame(2, "b"), frame(6, "c"), stopped(0))
    async with playing(tmp_path, *lines) as bench:
        connection = await bench.connector.connect("sim", "ws://x")
        got: list[tuple[float, bytes | str]] = []
        while len(got) < 3:
            got += [(bench.seconds(), each.data) for each in await connection.receive()]
        assert got == [(5, b"a"), (5, b"b"), (6, b"c")]


async def test_moments_before_the_beginning_are_at_the_beginning(tmp_path: Path) -> None:
    lines = (began(), opened(-5), frame(-4, "a"))
    async with playing(tmp_path, *lines) as bench:
        connection = await bench.connector.connect("sim", "ws://x")
        assert (await connection.receive())[0].data == b"a"
        assert bench.seconds() == 0
    assert BEGAN > 5 * SECOND


async def test_waiting_to_connect_can_be_given_up(tmp_path: Path) -> None:
    async with playing(tmp_path, began(), opened(10), stopped(20)) as bench:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bench.connector.connect("sim", "ws://x"), 1)


def test_paced_time_runs_as_fast_as_it_was_told() -> None:
    async def sleeping() -> tuple[float, float, int]:
        loop = asyncio.get_running_loop()
        clock = ReplayClock(WALL)
        come = asyncio.Event()
        clock.call_at(MonoNs(clock.now().mono + 50 * SECOND), come.set)
        before = loop.time()
        await come.wait()
        waited = loop.time() - before
        await asyncio.sleep(10)
        return waited, loop.time() - before, clock.now().mono

    with asyncio.Runner(loop_factory=lambda: PacedLoop(10_000)) as runner:
        waited, all_of_it, mono = runner.run(sleeping())
    assert waited >= 49.9
    assert all_of_it >= 59.9
    assert mono >= 60 * SECOND - SECOND


def test_nobody_who_replays_waits_by_chance() -> None:
    assert NoJitter(3).uniform(0, 30) == 0
