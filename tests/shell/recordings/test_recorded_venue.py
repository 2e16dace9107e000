"""A recording on real sockets. Every wait is for an event; recordings last some 100 ms."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.shell.recordings.recordings import Line, began, ended, frame, opened, stopped, write
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from barsync_async.errors import OutputError, RecordingError
from barsync_async.shell.recordings.recorded_venue import serve_recording
from barsync_async.shell.recordings.recording_file import Recording

LIMIT_S = 20.0


def real(test: Callable[[], Awaitable[None]]) -> None:
    """Run ``test`` on the real clock: sockets have no place on virtual time."""

    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await test()

    asyncio.run(limited())


@asynccontextmanager
async def serving(
    path: Path, *lines: Line, speed: float = 1.0
) -> AsyncIterator[tuple[str, asyncio.Task[None]]]:
    """The address, and the task that ends when everything was played."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def listening(host: str, port: int) -> None:
        address.set_result(f"ws://{host}:{port}")

    recording = Recording(write(path / "r", *lines))
    serving = serve_recording(recording, ("127.0.0.1", 0), speed=speed, on_listening=listening)
    task = asyncio.create_task(serving)
    try:
        yield await address, task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def all_of(websocket: ClientConnection) -> list[str | bytes]:
    got = [each async for each in websocket]
    assert websocket.close_code == 1001
    return got


async def opened_at(url: str) -> ClientConnection:
    return await connect(url, compression=None, proxy=None)


def test_a_client_gets_what_was_recorded_and_then_the_goodbye(tmp_path: Path) -> None:
    binary = frame(1.02) | {"text": None, "data": "/wA="}
    lines = (began(), opened(1), frame(1.01, "a"), binary, frame(1.03, "b"), ended(1.05))

    async def test() -> None:
        async with serving(tmp_path, *lines) as (url, task):
            websocket = await opened_at(url + "/stream")
            await websocket.send("whatever")
            assert await all_of(websocket) == ["a", b"\xff\x00", "b"]
            await task

    real(test)


def test_frames_come_in_their_own_time_and_faster_where_that_is_wanted(tmp_path: Path) -> None:
    lines = (began(), opened(100), frame(110, "a"), frame(120, "b"), ended(121))

    async def test() -> None:
        loop = asyncio.get_running_loop()
        async with serving(tmp_path, *lines, speed=200) as (url, _):
            websocket = await opened_at(url + "/stream")
            began_s = loop.time()
            assert await websocket.recv() == "a"
            assert await websocket.recv() == "b"
            assert 0.09 <= loop.time() - began_s < 5

    real(test)


def test_each_client_gets_the_next_opening_of_its_path_and_query_and_then_there_is_none(
    tmp_path: Path,
) -> None:
    first = began("sim", "other", url="wss://venue.test/ws?a=1&token=***")
    first["connections"][1]["url"] = "wss://venue.test/v2"
    lines = (
        first,
        opened(3, 3, "sim"),
        opened(1, 1, "sim"),
        opened(2, 2, "other"),
        frame(1, "first", 1),
        frame(2, "other", 2),
        frame(3, "second", 3),
        stopped(60),
    )

    async def test() -> None:
        async with serving(tmp_path, *lines, speed=1_000) as (url, task):
            for path in ("/", "/ws", "/ws?a=2&token=x", "/ws?a=1&token=x&b=2", "/v2?x"):
                with pytest.raises(InvalidStatus, match="404"):
                    await opened_at(url + path)
            one = await opened_at(url + "/ws?a=1&token=mine")
            two = await opened_at(url + "/ws?a=1&token=yours")
            assert (await all_of(one), await all_of(two)) == (["first"], ["second"])
            with pytest.raises(InvalidStatus, match="503"):
                await opened_at(url + "/ws?a=1&token=mine")
            assert not task.done()
            assert await all_of(await opened_at(url + "/v2")) == ["other"]
            await task

    real(test)


def test_who_leaves_ends_nothing_but_his_own(tmp_path: Path) -> None:
    many = [frame(1 + number / 100, "x") for number in range(20)]

    async def test() -> None:
        async with serving(tmp_path, began(), opened(1), *many, opened(2, 2)) as (url, task):
            websocket = await opened_at(url + "/stream")
            await websocket.recv()
            websocket.transport.abort()
            assert await all_of(await opened_at(url + "/stream")) == []
            await task

    real(test)


def test_who_leaves_in_a_long_silence_is_not_waited_for(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, began(), opened(1), frame(90_000, "a")) as (url, task):
            websocket = await opened_at(url + "/stream")
            await websocket.close()
            await task

    real(test)


def test_a_venue_that_is_stopped_says_goodbye(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, began(), opened(1), frame(1, "a"), frame(9e4, "b")) as (
            url,
            task,
        ):
            websocket = await opened_at(url + "/stream")
            assert await websocket.recv() == "a"
            task.cancel()
            with pytest.raises(ConnectionClosed):
                await websocket.recv()
            assert websocket.close_code == 1001

    real(test)


def test_a_recording_of_no_opening_is_over_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, began(), stopped(1)) as (_, task):
            await task

    real(test)


def test_an_address_that_is_taken_is_told(tmp_path: Path) -> None:
    lines = (began(), opened(1))

    async def test() -> None:
        async with serving(tmp_path, *lines) as (url, _):
            recording = Recording(write(tmp_path / "other", *lines))
            port = int(url.rpartition(":")[2])
            with pytest.raises(OutputError, match="cannot be listened on"):
                await serve_recording(
                    recording, ("127.0.0.1", port), on_listening=lambda host, port: None
                )

    real(test)


def test_a_file_that_goes_away_ends_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, began(), opened(1), frame(1, "a")) as (url, task):
            (tmp_path / "r").unlink()
            with pytest.raises(ConnectionClosed):
                await (await opened_at(url + "/stream")).recv()
            with pytest.raises(RecordingError, match="No such file"):
                await task

    real(test)
