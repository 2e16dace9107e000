"""A recording on its way to the disk, on virtual time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from tests.shell.recordings.recordings import read

from barsync_async.errors import OutputError
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.recordings.recording import Got, RecordedConnection, Refused
from barsync_async.shell.recordings.recording_file import Recording
from barsync_async.shell.recordings.recording_writer import RecordingWriter
from barsync_async.units import WallMs

WALL = WallMs(1_767_364_200_000)
CONNECTION = RecordedConnection("sim", "sim", "binance", "ws://venue.test/stream", ("SPY_1s",))
FULL = Path("/dev/full")  # every write to it fails


def line(detail: str) -> Refused:
    return Refused(mono_ns=1_000, wall_ns=WALL * 1_000_000, connection="sim", detail=detail)


@pytest.fixture
def full_disk() -> Iterator[BinaryIO]:
    if not FULL.is_char_device():
        pytest.skip("this system has no /dev/full")
    file = FULL.open("wb")
    yield file
    assert file.closed


@asynccontextmanager
async def writing(path: Path) -> AsyncIterator[RecordingWriter]:
    writer = RecordingWriter(path, [CONNECTION], VirtualClock(WALL))
    await writer.open()
    running = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        await writer.close()
        await running


@pytest.mark.parametrize("name", ["r.jsonl", "new/folder/r.jsonl.gz"])
async def test_the_first_line_what_was_put_and_the_last_line_stand_in_the_file(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    async with writing(path) as writer:
        writer.put(line("one"))
        writer.put(line("two"))
    first, *details, last = read(path)
    assert (first["type"], first["version"]) == ("barsync-recording", 1)
    assert first["wall_ns"] == WALL * 1_000_000
    assert first["connections"][0]["sources"] == ["SPY_1s"]
    assert [each["detail"] for each in details] == ["one", "two"]
    assert last["type"] == "stopped"
    assert writer.written_bytes == path.stat().st_size
    assert Recording(path).survey.stopped


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
async def test_a_kill_a_second_later_costs_nothing(tmp_path: Path, name: str) -> None:
    path, killed = tmp_path / name, tmp_path / "killed"
    async with writing(path) as writer:
        for number in range(10):
            writer.put(line(f"{number}"))
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        killed.write_bytes(path.read_bytes())
    attempts = Recording(killed).survey.attempts["sim"]
    assert [getattr(each, "detail", "") for each in attempts] == [f"{each}" for each in range(10)]


async def test_lines_are_gathered_not_written_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, batches = asyncio.get_running_loop(), 0
    run_in_executor = loop.run_in_executor

    def counting(*arguments: object) -> object:
        nonlocal batches
        batches += 1
        return run_in_executor(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "run_in_executor", counting)
    async with writing(tmp_path / "r") as writer:
        for number in range(1_000):
            writer.put(line(f"{number}"))
            await asyncio.sleep(0.001)
    assert batches <= 10
    assert len(read(tmp_path / "r")) == 1_002


async def test_who_records_more_than_the_disk_takes_waits(tmp_path: Path) -> None:
    async with writing(tmp_path / "r") as writer:
        await writer.room()
        frame = Got(mono_ns=1, wall_ns=1, number=1, text="x" * 4_000_000)
        for _ in range(9):
            writer.put(frame)
        waiting = asyncio.create_task(writer.room())
        assert not waiting.done()
        await waiting
        assert writer.written_bytes > 32_000_000


async def test_a_file_that_holds_something_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(OutputError, match="is there already, and is not written over"):
        async with writing(path):
            pass
    assert path.read_text("utf-8") == "precious"


async def test_an_empty_file_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "r").touch()
    async with writing(tmp_path / "r"):
        pass
    assert len(read(tmp_path / "r")) == 2


async def test_a_place_that_cannot_be_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be opened"):
        async with writing(tmp_path / "file" / "r"):
            pass


@pytest.mark.skipif(not FULL.is_char_device(), reason="this system has no /dev/full")
async def test_a_full_disk_ends_the_writing_with_one_error() -> None:
    writer = RecordingWriter(FULL, [CONNECTION], VirtualClock(WALL))
    with pytest.raises(OutputError, match=r"/dev/full: cannot be written: .*No space left"):
        await writer.open()
    await writer.close()


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
async def test_a_disk_that_fills_up_later_ends_the_task_and_closing_is_silent(
    tmp_path: Path, name: str, full_disk: BinaryIO
) -> None:
    writer = RecordingWriter(tmp_path / name, [CONNECTION], VirtualClock(WALL))
    await writer.open()
    assert writer._file is not None
    writer._file._file.close()
    writer._file._file = full_disk
    writer.put(line("one"))
    with pytest.raises(OutputError, match=r"cannot be written: .*No space left"):
        await writer.run()
    await writer.close()


async def test_nothing_is_written_where_nothing_was_opened(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "r", [CONNECTION], VirtualClock(WALL))
    await writer.close()
    assert not (tmp_path / "r").exists()
