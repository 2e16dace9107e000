"""Histories: the bars of one source in a file, opened, looked through and read in order.

A file that cannot be used is a :class:`~barsync_async.errors.HistoryError`; a row that cannot be
used is a rejection among the bars. What a file is, its first bytes tell: Parquet, gzip, zip, else
plain text. All of this blocks: on an event loop, call it from a thread.
"""

import csv
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from barsync_async.errors import HistoryError
from barsync_async.messages import Bar
from barsync_async.shell.histories.history_csv import csv_beginning, csv_items
from barsync_async.shell.histories.history_parquet import parquet_beginning, parquet_items
from barsync_async.units import SourceId, counted
from barsync_async.venues.history_format import FileFormat
from barsync_async.venues.history_guess import guess_delimiter
from barsync_async.venues.history_order import Survey, Surveyor, ascending
from barsync_async.venues.history_rows import HistoryItem

CHUNK_ROWS = 16_384

_BEGINNING_ROWS = 2

_MAGIC = {
    "Parquet": b"PAR1",
    "gzip": b"\x1f\x8b",
    "zip": b"PK\x03\x04",
}
_SUFFIXES = {".parquet": "Parquet", ".pq": "Parquet", ".gz": "gzip", ".zip": "zip"}


class History:
    """The bars of ``source`` in one file; made by :func:`open_history`.

    ``survey`` says how many they are, from when to when, and in which order they stand.
    """

    def __init__(self, path: Path, kind: str, source: SourceId, form: FileFormat) -> None:
        self.path = path
        self.source = source
        self.form = form
        self._kind = kind
        self.survey = self._surveyed()

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Sequence[HistoryItem]]:
        """Bars ascending by timestamp, equal ones as they stand in the file, with each rejection
        behind the bar that it follows there; at most ``rows`` at a time.

        An ascending file is read as it is asked for, and only a chunk of it held; of any other,
        all is read and sorted first.

        Raises:
            HistoryError: the file cannot be read any more, or is not what it was when opened.
        """
        items = self._items()
        if self.survey.order == "ascending":
            items = self._still_ascending(items)
        else:
            items = iter(ascending(items))
        while chunk := tuple(islice(items, rows)):
            yield chunk

    def _items(self) -> Iterator[HistoryItem]:
        read = parquet_items if self._kind == "Parquet" else csv_items
        return read(self.path, self._kind, self.source, self.form)

    def _surveyed(self) -> Survey:
        surveyor = Surveyor()
        for item in self._items():
            surveyor.look(item)
        survey = surveyor.result()
        if not survey.bars:
            raise HistoryError(str(self.path), self._nothing(survey))
        return survey

    def _nothing(self, survey: Survey) -> str:
        if survey.first_rejection is None:
            return f"is empty; expected bars of {self.source}"
        first = survey.first_rejection.detail
        rows = counted(survey.rejections, "row")
        return f"none of its {rows} is a bar of {self.source}; {first}"

    def _still_ascending(self, items: Iterable[HistoryItem]) -> Iterator[HistoryItem]:
        last = self.survey.first or 0
        for item in items:
            if isinstance(item, Bar):
                if item.timestamp < last:
                    raise HistoryError(str(self.path), "was changed while it was read")
                last = item.timestamp
            yield item


def open_history(path: Path, source: SourceId, form: FileFormat) -> History:
    """Look through the whole file once, holding none of it, and be ready to read it again.

    Raises:
        HistoryError: there is no such file, it is not what ``form`` says, or no row is a bar.
    """
    return History(path, _kind(path), source, form)


class Beginning(msgspec.Struct, frozen=True):
    """The cells of the first rows of a file, a header among them, and what stands between them."""

    rows: Sequence[Sequence[str]]
    delimiter: str


def beginning(path: Path, delimiter: str | None = None) -> Beginning:
    """How a file begins; without a ``delimiter``, that of a CSV file is the one in its first line.

    Raises:
        HistoryError: there is no such file, or nothing in it can be read.
    """
    kind = _kind(path)
    if kind == "Parquet":
        return Beginning(parquet_beginning(path), ",")
    lines = csv_beginning(path, kind, _BEGINNING_ROWS)
    by = delimiter or guess_delimiter(lines[0] if lines else "")
    return Beginning([*csv.reader(lines, delimiter=by)], by)


def _kind(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise HistoryError(str(path), "is no regular file")
        with path.open("rb") as stream:
            beginning = stream.read(4)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        why = error.strerror if isinstance(error, OSError) else None
        raise HistoryError(str(path), f"cannot be read: {why or error}") from None
    found = [kind for kind, magic in _MAGIC.items() if beginning.startswith(magic)]
    kind = found[0] if found else "text"
    named = _SUFFIXES.get(path.suffix.lower(), kind)
    if beginning and named != kind:
        raise HistoryError(str(path), f"is called {path.suffix} but holds no {named} data")
    return kind
