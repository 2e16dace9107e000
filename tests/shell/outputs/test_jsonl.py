"""Events as lines in a file or on standard output."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from barsync_async.errors import OutputError
from barsync_async.messages import Event, EventType, Gap
from barsync_async.shell.outputs.jsonl import JsonlSink
from barsync_async.units import WallMs


def event(seq: int) -> Event:
    gap = Gap(timestamp=WallMs(seq), subscriber="s", first_seq=1, last_seq=1, events_lost=1)
    return Event(EventType.GAP, gap, "c", seq)


def seqs(content: str | bytes) -> list[int]:
    return [json.loads(line)["seq"] for line in content.splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_events_are_lines_in_the_order_written(path: Path) -> None:
    sink = JsonlSink("events", str(path))
    sink.open()
    sink.write([event(1), event(2)])
    sink.write([])
    sink.write([event(3)])
    sink.close()
    content = path.read_bytes()
    assert content.endswith(b"}\n")
    assert seqs(content) == [1, 2, 3]


def test_each_batch_can_be_read_as_soon_as_it_is_written(path: Path) -> None:
    sink = JsonlSink("events", str(path))
    sink.open()
    for number in range(1, 4):
        sink.write([event(number)])
        assert seqs(path.read_bytes()) == [*range(1, number + 1)]
    sink.close()


def test_a_file_that_is_there_is_appended_to(path: Path) -> None:
    for number in (1, 2):
        sink = JsonlSink("events", str(path))
        sink.open()
        sink.write([event(number)])
        sink.close()
    assert seqs(path.read_bytes()) == [1, 2]


def test_the_folders_on_the_way_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "events.jsonl"
    sink = JsonlSink("events", str(path))
    sink.open()
    sink.close()
    assert path.read_bytes() == b""


def test_a_path_that_cannot_be_opened_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "events.jsonl"):
        sink = JsonlSink("events", str(path))
        with pytest.raises(OutputError, match="cannot be opened") as error:
            sink.open()
        assert error.value.target == str(path)


def test_one_that_is_not_open_cannot_be_written(path: Path) -> None:
    sink = JsonlSink("events", str(path))
    with pytest.raises(OutputError, match="is not open"):
        sink.write([event(1)])
    sink.open()
    sink.close()
    with pytest.raises(OutputError, match="is not open"):
        sink.write([event(1)])


def test_a_file_is_synced_before_it_is_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(path.read_bytes()))
    sink = JsonlSink("events", str(path))
    sink.open()
    sink.write([event(1)])
    assert synced == []
    sink.close()
    assert [seqs(content) for content in synced] == [[1]]


def test_a_disk_that_fails_to_sync_is_an_output_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    sink = JsonlSink("events", str(path))
    sink.open()
    with pytest.raises(OutputError, match=r"cannot be closed: .*Input/output error"):
        sink.close()


def test_it_may_be_closed_unopened_and_twice(path: Path) -> None:
    sink = JsonlSink("events", str(path))
    sink.close()
    sink.open()
    sink.close()
    sink.close()
    assert path.exists()


def test_a_full_disk_is_an_output_error_and_leaves_no_file_open() -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("this system has no /dev/full")
    sink = JsonlSink("events", "/dev/full")
    sink.open()
    with pytest.raises(OutputError, match=r"^/dev/full: cannot be written: "):
        sink.write([event(1)])
    with pytest.raises(OutputError, match="is not open"):
        sink.write([event(2)])
    sink.close()


def test_a_named_pipe_is_an_output_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        sink = JsonlSink("events", str(path))
        sink.open()
        sink.write([event(1)])
        sink.close()
        assert seqs(os.read(reader, 65_536)) == [1]
    finally:
        os.close(reader)


def test_a_pipe_whose_reader_has_gone_is_an_output_error(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sink = JsonlSink("events", str(path))
    sink.open()
    os.close(reader)
    with pytest.raises(OutputError, match=r"cannot be written: .*Broken pipe"):
        sink.write([event(1)])
    sink.close()


def test_a_dash_is_standard_output_which_is_flushed_and_left_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(io.BufferedWriter(raw))
    monkeypatch.setattr(sys, "stdout", stream)
    sink = JsonlSink("events", "-")
    sink.open()
    sink.write([event(1)])
    assert seqs(raw.getvalue()) == [1]
    sink.close()
    assert not stream.closed
    assert not Path("-").exists()
