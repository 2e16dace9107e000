"""Writes a recording in a thread of its own: a slow disk never delays what is recorded.

Lines are written in batches, handed to the system a few times a second, and made durable at the
end: a kill costs at most the last fraction of a second. Where the disk cannot keep up, what is
recorded waits; nothing is dropped.
"""

import asyncio
import os
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

import anyio

from barsync_async.errors import OutputError
from barsync_async.ports import Clock
from barsync_async.shell.durable import make_durable
from barsync_async.shell.recordings.recording import (
    VERSION,
    Began,
    Got,
    Record,
    RecordedConnection,
    Stopped,
    encode_record,
    moment,
)

T = TypeVar("T")

GATHER_S = 0.25
"""How long lines are gathered before they are handed to the system."""

_MOST_WAITING_BYTES = 32 * 1024 * 1024
_LINE_BYTES = 128  # of a line beside its frame
_GZIP_LEVEL = 6
_GZIP_WBITS = 31  # with the header and trailer of a gzip file


class RecordingWriter:
    """Writes to ``path``, gzipped where the name ends in ``.gz``; never over a file that holds
    something.

    ``open()``, then ``run()`` in a task of its own until ``close()`` was called.
    """

    def __init__(self, path: Path, connections: Sequence[RecordedConnection], clock: Clock) -> None:
        self._path = path
        self._connections = tuple(connections)
        self._clock = clock
        self._file: _RecordingFile | None = None
        self._thread = ThreadPoolExecutor(1, "recording")
        self._waiting: list[Record] = []
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._hurry = asyncio.Event()
        self._room = asyncio.Event()
        self._closing = False
        self.written_bytes = 0
        """The size of the file."""
        self.is_whole = False
        """Whether all of it is on the disk, the last line included."""

    def put(self, record: Record) -> None:
        """Write ``record`` soon."""
        self._waiting.append(record)
        frame = (record.text or record.data or "") if isinstance(record, Got) else ""
        self._waiting_bytes += _LINE_BYTES + len(frame)
        self._changed.set()
        if self._is_full:
            self._hurry.set()

    async def room(self) -> None:
        """Until not too much waits to be written. Safe to cancel."""
        while self._is_full:
            self._room.clear()
            await self._room.wait()

    @property
    def _is_full(self) -> bool:
        return self._waiting_bytes >= _MOST_WAITING_BYTES

    async def open(self) -> None:
        """Make the file and write its first line.

        Raises:
            OutputError: it cannot be written, or is there already.
        """
        self._file = await self._in_thread(lambda: _RecordingFile(self._path))
        began = Began(**moment(self._clock.now()), version=VERSION, connections=self._connections)
        await self._write([began])

    async def run(self) -> None:
        """Write what is put, until :meth:`close`.

        Raises:
            OutputError: it cannot be written any more.
        """
        while not self._closing:
            await self._changed.wait()
            with anyio.move_on_after(GATHER_S):
                await self._hurry.wait()
            await self._write_waiting()

    async def close(self) -> None:
        """Write what waits and the last line, and make all of it durable; nothing where the file
        was not opened, or gave up.

        Raises:
            OutputError: that failed.
        """
        self._closing = True
        self._hurry.set()
        self._changed.set()
        if self._file is not None:
            self.put(Stopped(**moment(self._clock.now())))
            await self._write_waiting()
        file, self._file = self._file, None
        if file is not None:
            self.written_bytes = await self._in_thread(file.close)
            self.is_whole = True
        self._thread.shutdown(wait=False)

    async def _write_waiting(self) -> None:
        records, self._waiting = self._waiting, []
        self._waiting_bytes = 0
        self._changed.clear()
        if not self._closing:
            self._hurry.clear()
        if records:
            await self._write(records)
        self._room.set()

    async def _write(self, records: Sequence[Record]) -> None:
        file = self._file
        if file is None:
            return
        try:
            self.written_bytes = await self._in_thread(lambda: file.write(records))
        except OutputError:
            self._file = None
            raise

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class _RecordingFile:
    """The file, seen from the thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() and path.stat().st_size:
                raise OutputError(str(path), "is there already, and is not written over")
            self._file: BinaryIO = path.open("wb")
        except OSError as error:
            raise OutputError(str(path), f"cannot be opened: {error}") from error
        self._gzip = (
            zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WBITS) if path.suffix == ".gz" else None
        )

    def write(self, records: Sequence[Record]) -> int:
        """Hand whole lines to the system; the size of the file."""
        lines = b"".join(map(encode_record, records))
        if self._gzip is not None:  # flushed, so that what was handed over can be read
            lines = self._gzip.compress(lines) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        try:
            self._file.write(lines)
            self._file.flush()
            return self._size()
        except OSError as error:
            self._give_up()
            raise OutputError(str(self._path), f"cannot be written: {error}") from error

    def close(self) -> int:
        """Make all of it durable; the size of the file."""
        try:
            if self._gzip is not None:
                self._file.write(self._gzip.flush())
            self._file.flush()
            make_durable(self._file)
            size = self._size()
            self._file.close()
        except OSError as error:
            self._give_up()
            raise OutputError(str(self._path), f"cannot be closed: {error}") from error
        return size

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _give_up(self) -> None:
        """Let go of the file; what could not be written is tried once more, in vain."""
        with suppress(OSError):
            self._file.close()
