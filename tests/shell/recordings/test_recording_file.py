"""Recordings as they may lie on a disk: whole, broken off, and none at all."""

import gzip
import json
import re
from pathlib import Path

import pytest
from tests.shell.recordings.recordings import (
    SECOND,
    Line,
    as_bytes,
    at,
    began,
    ended,
    frame,
    opened,
    stopped,
    write,
)

from barsync_async.errors import RecordingError
from barsync_async.shell.recordings.recording import Got, Sent, frame_record
from barsync_async.shell.recordings.recording_file import Recording, is_recording
from barsync_async.units import Instant

WHOLE = (began(), opened(1), frame(2, "a"), frame(3, "b"), ended(4), stopped(5))


def texts(recording: Recording, number: int | None = None) -> list[str | None]:
    moments = recording.moments(number)
    return [each.record.text for each in moments if isinstance(each.record, Got)]


def refused(path: Path) -> str:
    with pytest.raises(RecordingError) as caught:
        Recording(path)
    assert str(caught.value).startswith(f"recording {path}: ")
    return caught.value.detail


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_a_recording_is_read_whatever_its_name_if_its_bytes_are_packed(
    tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / name, *WHOLE).rename(tmp_path / "other")
    assert is_recording(path)
    recording = Recording(path)
    assert texts(recording) == ["a", "b"]
    assert [each.at_ns / SECOND for each in recording.moments()] == [1, 2, 3, 4, 5]
    survey = recording.survey
    assert (survey.span_ns, survey.frames, survey.stopped) == (5 * SECOND, {1: 2}, True)
    assert not recording.cut


@pytest.mark.parametrize("cut", range(1, 60))
@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_a_recording_that_breaks_off_anywhere_is_read_up_to_its_last_whole_line(
    tmp_path: Path, name: str, cut: int
) -> None:
    many = [frame(2 + number / 100, f"frame {number:09}") for number in range(50)]
    path = write(tmp_path / name, began(), opened(1), *many, cut=cut)
    recording = Recording(path)
    got = texts(recording)
    assert got == [f"frame {number:09}" for number in range(len(got))]
    assert len(got) < 50 or cut == 1 or name.endswith(".gz")
    assert recording.cut or (cut == 1 and len(got) == 50)
    assert not recording.survey.stopped


def test_a_packed_recording_whose_process_was_killed_is_read_up_to_the_last_flush(
    tmp_path: Path,
) -> None:
    path = tmp_path / "r.jsonl.gz"
    with gzip.open(path, "wb") as file:
        file.write(as_bytes(WHOLE[:3]))
        file.flush()
        left = path.read_bytes()  # what the system has at this moment
    path.write_bytes(left)
    recording = Recording(path)
    assert (texts(recording), recording.cut) == (["a"], True)


def test_what_is_not_utf8_comes_back_as_it_was() -> None:
    moment = Instant.of(1, 2)
    for data in (b"\xff\xfe", b"", b"plain", "\u00e9\u2028".encode(), bytes(range(256))):
        assert frame_record(1, moment, data).wire == data
    assert frame_record(1, moment, "a\ud800b").wire == b"a\xed\xa0\x80b"


NONE = {
    "nothing": b"",
    "an empty line": b"\n",
    "text": b"hello\nworld\n",
    "bytes": bytes(range(256)) * 10,
    "an event": b'{"type":"SYNCHRONIZED_BARS","timestamp":1}\n',
    "a number": b"42\n",
    "an array": b"[1]\n",
    "deep nesting": b"[" * 100_000,
    "a scenario": b"seed = 7\n[sources.SPY_1s]\n",
    "something packed": gzip.compress(b"hello\n"),
    "the beginning of a packed file": gzip.compress(as_bytes(WHOLE))[:12],
    "packed garbage": b"\x1f\x8b" + bytes(range(256)),
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_recording_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(NONE[name])
    assert not is_recording(path)
    assert refused(path)


def test_a_file_that_is_not_there_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path / "none") == "No such file or directory"
    assert refused(tmp_path) == "Is a directory"
    assert not is_recording(tmp_path / "none")
    assert not is_recording(tmp_path)


def test_another_version_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "r", began(version=2) | {"connections": "all of them"})
    assert is_recording(path)
    assert refused(path) == "is of version 2; only version 1 can be read"


@pytest.mark.parametrize(
    "first",
    [
        began() | {"version": "1"},
        began() | {"connections": None},
        began() | {"mono_ns": -1},
        began() | {"wall_ns": 2**64},
        began() | {"mono_ns": 1.5},
        began()
        | {"connections": [{"name": "", "feed": "", "venue": "", "url": "", "sources": []}]},
    ],
)
def test_a_first_line_that_makes_no_sense_is_told(tmp_path: Path, first: dict[str, object]) -> None:
    assert refused(write(tmp_path / "r", first)).startswith("line 1: ")


WRONG: dict[str, tuple[Line | str, str]] = {
    "garbage": ("garbage", "line 3 is no record of a recording: "),
    "an unknown type": ({"type": "told"} | at(1), "line 3 is no record of a recording: "),
    "no moment": ({"type": "stopped"}, "line 3 is no record of a recording: "),
    "a moment before all time": (frame(2) | {"mono_ns": -1}, "line 3 is no record"),
    "a moment in words": (frame(2) | {"mono_ns": "now"}, "line 3 is no record"),
    "a moment of thousands of digits": (
        json.dumps(frame(2)).replace(str(at(2)["mono_ns"]), "9" * 5_000),
        "line 3 is no record",
    ),
    "bytes that are no base64": (frame(2) | {"text": None, "data": "?"}, "line 3 is no record"),
    "nothing": ("", "line 3 is no record"),
    "a second recording": (began(), "line 3: a second recording begins here"),
    "a frame of nobody": (frame(2, number=7), "line 3: there is no opening 7"),
    "an end of nobody": (ended(2, number=7), "line 3: there is no opening 7"),
    "an opening again": (opened(2), "line 3: opening 1 is there already"),
    "an unknown connection": (
        opened(2, 2, "other"),
        "line 3: the first line has no connection 'other'",
    ),
    "a year of silence": (frame(367 * 86_400), "line 3: is 366 days later"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, name: str) -> None:
    line, expected = WRONG[name]
    path = write(tmp_path / "r", began(), opened(1), line, stopped(9))
    assert refused(path).startswith(expected)


@pytest.mark.parametrize("after", [frame(5), ended(5), stopped(6), opened(6, 2)])
def test_nothing_comes_after_an_end(tmp_path: Path, after: dict[str, object]) -> None:
    path = write(tmp_path / "r", began(), opened(1), ended(3), after, stopped(7), stopped(8))
    assert refused(path).startswith("line ")


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "r.gz"
    endless = b'{"type":"frame","text":"' + b"x" * (33 * 1024 * 1024)
    path.write_bytes(gzip.compress(as_bytes(WHOLE[:2]) + endless))
    assert refused(path).startswith("line 3 has more than ")


def test_what_came_before_an_end_of_ours_may_be_told_after_it(tmp_path: Path) -> None:
    path = write(tmp_path / "r", began(), opened(1), ended(3, by="us"), frame(2, "a"), stopped(4))
    kinds = [type(each.record).__name__ for each in Recording(path).moments()]
    assert kinds == ["Opened", "Got", "Ended", "Stopped"]


def test_connections_are_sorted_into_one_order_of_time_and_one_alone_is_found(
    tmp_path: Path,
) -> None:
    lines = (
        began("a", "b"),
        opened(0, 1, "a"),
        opened(0, 2, "b"),
        frame(1, "a1"),
        frame(4, "a4"),
        frame(2, "b2", 2),
        frame(4, "b4", 2),
        stopped(5),
    )
    recording = Recording(write(tmp_path / "r", *lines))
    assert texts(recording) == ["a1", "b2", "a4", "b4"]
    assert texts(recording, 2) == ["b2", "b4"]


def test_a_clock_that_goes_back_stands_still_and_no_frame_changes_its_place(
    tmp_path: Path,
) -> None:
    lines = (
        began(),
        opened(1),
        frame(5, "a"),
        frame(2, "b"),
        frame(-3, "c"),
        frame(6, "d"),
        ended(4),
        stopped(0),
    )
    recording = Recording(write(tmp_path / "r", *lines))
    assert texts(recording) == ["a", "b", "c", "d"]
    moments = [each.at_ns / SECOND for each in recording.moments()]
    assert moments == sorted(moments)
    assert recording.survey.went_back == 2
    assert recording.survey.span_ns == 6 * SECOND


def test_a_greeting_read_before_its_opening_was_told_and_a_frame_read_before_ours_was_sent_are_fine(
    tmp_path: Path,
) -> None:
    sent = {"type": "sent", "number": 1, "bytes": 2} | at(3)
    lines = (began(), opened(1), frame(0.9, "greeting"), sent, frame(2, "answer"), stopped(4))
    recording = Recording(write(tmp_path / "r", *lines))
    assert recording.survey.went_back == 0
    assert texts(recording) == ["greeting", "answer"]
    assert [each.at_ns / SECOND for each in recording.moments()] == [1, 1, 2, 3, 4]


def test_the_example_on_the_page_is_a_recording(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "recording.md"
    (text,) = re.findall(r"^```json\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "r").write_text(text, encoding="utf-8")
    recording = Recording(tmp_path / "r")
    assert recording.survey.stopped
    (sent,) = [each.record for each in recording.moments() if isinstance(each.record, Sent)]
    assert sent.bytes == len(sent.text or "")


def test_a_file_that_changes_while_it_is_played_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "r", *WHOLE)
    recording = Recording(path)
    path.unlink()
    with pytest.raises(RecordingError, match="No such file"):
        list(recording.moments())
