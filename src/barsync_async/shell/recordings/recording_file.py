"""A recording as it lies on disk: opened, looked through once, then read in the order of time.

A recording that breaks off, because its process was killed or its machine lost power, is good up
to its last whole line. Anything else that is wrong in it is told before anything is played.
"""

import gzip
import zlib
from collections.abc import Iterator
from heapq import heappop, heappush
from pathlib import Path
from typing import IO, NamedTuple, cast

import msgspec

from barsync_async.errors import RecordingError
from barsync_async.shell.recordings.recording import (
    FIRST_TYPE,
    VERSION,
    Began,
    Ended,
    FirstLook,
    Got,
    Opened,
    Record,
    decode_record,
    is_first_line,
)
from barsync_async.shell.recordings.recording_survey import Survey, SurveyInProgress

_MOST_LINE_BYTES = 32 * 1024 * 1024
_LOOK_BYTES = 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_SORTED_WITHIN = 4_096


class Moment(NamedTuple):
    """A record and when it is due, in ns since the recording's beginning; never goes back."""

    at_ns: int
    record: Record


class _Waiting(NamedTuple):
    """Sorts as it is to be played; ``order`` is another one for each."""

    at_ns: int
    is_end: bool
    order: int
    record: Record

    @property
    def moment(self) -> Moment:
        return Moment(self.at_ns, self.record)


class Recording:
    """The recording in ``path``, looked through once.

    Raises:
        RecordingError: it cannot be read, or is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut = False
        """Whether it breaks off in the middle of a line."""
        self.survey: Survey = self._look_through()

    @property
    def began(self) -> Began:
        """The first line."""
        return self.survey.began

    def moments(self, number: int | None = None) -> Iterator[Moment]:
        """All records but the first, or those of one opening, sorted by time: those of one opening
        stay in their own order, and a clock that went back stands still until it is where it was.

        Raises:
            RecordingError: the file is not any more what it was.
        """
        last_ns = 0
        for at_ns, record in self._nearly_sorted(number):
            last_ns = max(last_ns, at_ns)
            yield Moment(last_ns, record)

    def _nearly_sorted(self, number: int | None) -> Iterator[Moment]:
        """By a window that slides over the file: lines are out of order only by what their
        connection was held up.
        """
        waiting: list[_Waiting] = []
        newest: dict[int, int] = {}
        for order, (_, record) in enumerate(self._records()):
            own: int | None = getattr(record, "number", None)
            if number is not None and own != number:
                continue
            at_ns = record.mono_ns - self.began.mono_ns
            is_end = isinstance(record, Ended)
            if own is not None and _is_in_order(record):
                at_ns = newest[own] = max(at_ns, newest.get(own, at_ns))
            heappush(waiting, _Waiting(at_ns, is_end, order, record))
            if len(waiting) > _SORTED_WITHIN:
                yield heappop(waiting).moment
        while waiting:
            yield heappop(waiting).moment

    def _look_through(self) -> Survey:
        lines = self._lines()
        survey = SurveyInProgress(self._began(next(lines, (1, b""))[1]))
        for line, record in self._records():
            if (wrong := survey.add(record)) is not None:
                raise RecordingError(str(self.path), f"line {line}: {wrong}")
        return survey.done()

    def _began(self, line: bytes) -> Began:
        if not line:
            raise RecordingError(str(self.path), "is empty, or breaks off in its first line")
        if not is_first_line(line):
            detail = f"is no recording: its first line is not of type {FIRST_TYPE}"
            raise RecordingError(str(self.path), detail)
        try:
            version = msgspec.json.decode(line, type=FirstLook).version
            if version != VERSION:
                detail = f"is of version {version}; only version {VERSION} can be read"
                raise RecordingError(str(self.path), detail)
            return cast("Began", decode_record(line))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise RecordingError(str(self.path), f"line 1: {error}") from None

    def _records(self) -> Iterator[tuple[int, Record]]:
        """All records but the first, each with the number of its line."""
        self.cut = False
        for number, line in self._lines():
            if number == 1:
                continue
            try:
                yield number, decode_record(line)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                if not line.endswith(b"\n"):
                    self.cut = True
                    return
                detail = f"line {number} is no record of a recording: {error}"
                raise RecordingError(str(self.path), detail) from None

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        number = 0
        try:
            with _opened(self.path) as file:
                while line := file.readline(_MOST_LINE_BYTES):
                    number += 1
                    if len(line) == _MOST_LINE_BYTES:
                        detail = f"line {number} has more than {_MOST_LINE_BYTES} bytes"
                        raise RecordingError(str(self.path), detail)
                    yield number, line
        except EOFError:
            self.cut = True  # a gzip file that was never closed
        except (OSError, zlib.error) as error:
            why = getattr(error, "strerror", None) or str(error)
            detail = f"cannot be read after line {number}: {why}" if number else why
            raise RecordingError(str(self.path), detail) from None


def _is_in_order(record: Record) -> bool:
    """Whether nothing of its opening may be played after it that stands before it. What was read
    before an end that we made is written after it; what we sent is stamped afterwards.
    """
    return isinstance(record, Opened | Got) or (isinstance(record, Ended) and record.by == "venue")


def is_recording(path: Path) -> bool:
    """Whether the file means to be a recording; False where it cannot be read at all."""
    try:
        with _opened(path) as file:
            return is_first_line(file.readline(_LOOK_BYTES))
    except (OSError, EOFError, zlib.error):
        return False


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")
