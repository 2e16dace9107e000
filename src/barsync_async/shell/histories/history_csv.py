"""CSV files of past bars: plain, gzip, or the single member of a zip.

Read line by line, and a line is a row: a quote that is never closed spoils its own line, no more.
"""

import csv
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, cast

from barsync_async.errors import HistoryError
from barsync_async.messages import excerpt
from barsync_async.units import SourceId
from barsync_async.venues.history_cells import MALFORMED
from barsync_async.venues.history_format import FileFormat
from barsync_async.venues.history_rows import HistoryItem, HistoryRows, rejection

_MAX_LINE = 65_536
_MAX_RATIO = 200  # prices in text pack to a tenth, a flat market to a fiftieth
_MIN_UNPACKED = 16 * 1024 * 1024  # below this, no ratio is too much
_ENCRYPTED = 0x1

_DAMAGED = (
    EOFError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
)

Line = tuple[int, str]


def csv_items(path: Path, kind: str, source: SourceId, form: FileFormat) -> Iterator[HistoryItem]:
    """The rows of the file as bars and rejections, in its order; ``kind`` is text, gzip or zip.

    Raises:
        HistoryError: the file is not what it should be.
    """
    with _reading(path), ExitStack() as stack:
        binary = _opened(path, kind, stack)
        text = stack.enter_context(TextIOWrapper(binary, encoding="utf-8-sig"))
        lines = _lines(path, text, _most(path, kind))
        names = _header(path, lines, form.delimiter) if form.header else None
        rows = HistoryRows(source, form, names)
        for number, line in lines:
            yield _item(rows, line, form.delimiter, f"line {number}")


def csv_beginning(path: Path, kind: str, rows: int) -> list[str]:
    """The first so many lines that have something in them.

    Raises:
        HistoryError: as :func:`csv_items`.
    """
    with _reading(path), ExitStack() as stack:
        binary = _opened(path, kind, stack)
        text = stack.enter_context(TextIOWrapper(binary, encoding="utf-8-sig"))
        return [line for _, line in islice(_lines(path, text, _most(path, kind)), rows)]


def _item(rows: HistoryRows, line: str, delimiter: str, where: str) -> HistoryItem:
    try:
        cells = _cells(line, delimiter)
    except csv.Error as error:
        return rejection(MALFORMED, where, str(error), [line.rstrip("\n")])
    return rows.item(cells, where)


def _cells(line: str, delimiter: str) -> Sequence[str]:
    if '"' not in line:  # then a row is what it looks like, and three times as fast to read
        return line.rstrip("\n").split(delimiter)
    return next(csv.reader((line,), delimiter=delimiter, strict=True), [])


def _header(path: Path, lines: Iterator[Line], delimiter: str) -> Sequence[str]:
    number, line = next(lines, (0, ""))
    if not number:
        raise HistoryError(str(path), "is empty; expected a header")
    try:
        return _cells(line, delimiter)
    except csv.Error as error:
        detail = f"line {number}: expected a header: {error}: {excerpt(line.rstrip())}"
        raise HistoryError(str(path), detail) from None


def _lines(path: Path, text: IO[str], most: int | None) -> Iterator[Line]:
    """The lines with something in them, numbered from 1; none is longer than it may be."""
    number = total = 0
    while line := text.readline(_MAX_LINE + 1):
        number += 1
        total += len(line)
        if len(line) > _MAX_LINE:
            detail = f"line {number} is longer than {_MAX_LINE} characters; expected CSV"
            raise HistoryError(str(path), detail)
        if most is not None and total > most:
            raise HistoryError(str(path), f"unpacks to more than {_MAX_RATIO} times its size")
        if not line.isspace():
            yield number, line


def _most(path: Path, kind: str) -> int | None:
    """Into how many characters a packed file may unpack."""
    if kind == "text":
        return None
    return max(_MIN_UNPACKED, _MAX_RATIO * path.stat().st_size)


def _opened(path: Path, kind: str, stack: ExitStack) -> IO[bytes]:
    if kind == "gzip":
        return cast("IO[bytes]", stack.enter_context(gzip.open(path)))
    if kind == "zip":
        archive = stack.enter_context(zipfile.ZipFile(path))
        return stack.enter_context(archive.open(_member(path, archive)))
    return stack.enter_context(path.open("rb"))


def _member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [
        each
        for each in archive.infolist()
        if not each.filename.endswith("/") and not each.filename.startswith("__MACOSX/")
    ]
    if len(members) != 1:
        names = excerpt(", ".join(each.filename for each in members[:5]))
        detail = f"holds {len(members)} files ({names}); expected one" if members else "is empty"
        raise HistoryError(str(path), detail)
    if members[0].flag_bits & _ENCRYPTED:
        raise HistoryError(str(path), "is encrypted")
    return members[0]


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What the libraries say of a file that they cannot read, in one kind of words."""
    try:
        yield
    except UnicodeDecodeError:
        raise HistoryError(str(path), "is not UTF-8 text; expected CSV") from None
    except ValueError as error:  # a column that is not there
        raise HistoryError(str(path), str(error)) from None
    except _DAMAGED as error:
        why = str(error) or "unexpected end"
        raise HistoryError(str(path), f"is damaged or cut off: {why}") from None
    except (OSError, NotImplementedError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise HistoryError(str(path), f"cannot be read: {reason or error}") from None
