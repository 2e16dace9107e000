"""Events as JSON lines, to a file or to standard output."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from barsync_async.errors import OutputError
from barsync_async.messages import Event
from barsync_async.shell.durable import make_durable
from barsync_async.shell.outputs.standard_output import standard_output
from barsync_async.wire import encode_lines

STANDARD_OUTPUT = "-"


class JsonlSink:
    """Appends to ``path``; ``-`` is standard output. Each batch is handed to the system at once,
    whole lines only, and a file is made durable at the end.
    """

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self._path = path
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """Open the file, making its folder where there is none. Raises OutputError."""
        try:
            if self._path == STANDARD_OUTPUT:
                self._file = standard_output().buffer
                return
            path = Path(self._path)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
        except OSError as error:
            raise OutputError(self._path, f"cannot be opened: {error}") from error

    def write(self, events: Sequence[Event]) -> None:
        """Append one line for each event. Raises OutputError."""
        if self._file is None:
            raise OutputError(self._path, "is not open")
        try:
            self._file.write(encode_lines(events))
            self._file.flush()
        except OSError as error:
            self._give_up()
            raise OutputError(self._path, f"cannot be written: {error}") from error

    def _give_up(self) -> None:
        """Let go of the file without trying again to write what could not be written."""
        file, self._file = self._file, None
        if file is not None and self._path != STANDARD_OUTPUT:
            with suppress(OSError):
                file.close()

    def close(self) -> None:
        """Sync and close the file. Raises OutputError."""
        file, self._file = self._file, None
        if file is None or self._path == STANDARD_OUTPUT:
            return
        try:
            with file:
                make_durable(file)
        except OSError as error:
            raise OutputError(self._path, f"cannot be closed: {error}") from error
