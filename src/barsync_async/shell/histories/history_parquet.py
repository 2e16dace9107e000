"""Parquet files of past bars, by the package pyarrow, which is loaded only when one is read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import repeat
from pathlib import Path
from typing import Any

import msgspec

from barsync_async.errors import HistoryError
from barsync_async.units import SourceId
from barsync_async.venues.history_cells import Cell
from barsync_async.venues.history_format import FileFormat
from barsync_async.venues.history_rows import HistoryItem, HistoryRows, places_of

_BATCH_ROWS = 16_384
_MIN_ROWS = 1_000_000  # so many need no justification
_MAX_ROWS_A_BYTE = 20  # a row that differs from its neighbour at all takes more


def parquet_items(
    path: Path, kind: str, source: SourceId, form: FileFormat
) -> Iterator[HistoryItem]:
    """The rows of the file as bars and rejections, in its order.

    A time column that has a type of its own is read by it, whatever ``form`` says of text or
    numbers; ``form.timezone`` is that of times without one.

    Raises:
        HistoryError: the file is not what it should be, or pyarrow is not installed.
    """
    del kind
    arrow, parquet = _library(path)
    with _reading(path, arrow), _opened(path, parquet) as file:
        _check_rows(path, file.metadata.num_rows)
        schema = file.schema_arrow
        rows = HistoryRows(source, _typed(form, schema, arrow), schema.names)
        columns = sorted({schema.names[place] for place in rows.places})
        _check_once(columns, schema.names)
        counted = rows.places[0] if len(form.columns.times) == 1 else None
        number = 0
        for batch in file.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False):
            for cells in _rows(batch, schema, rows.places, counted, arrow):
                number += 1
                yield rows.item(cells, f"row {number}")


def parquet_beginning(path: Path) -> list[list[str]]:
    """The columns' names, and the first row as text where there is one.

    Raises:
        HistoryError: as :func:`parquet_items`.
    """
    arrow, parquet = _library(path)
    with _reading(path, arrow), _opened(path, parquet) as file:
        names = file.schema_arrow.names
        _check_rows(path, file.metadata.num_rows)
        for batch in file.iter_batches(1, use_threads=False):
            return [names, [str(column[0].as_py()) for column in batch.columns]]
        return [names]


def _library(path: Path) -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        detail = (
            "is a Parquet file, which needs the package pyarrow: "
            "pip install 'barsync-async[parquet]'"
        )
        raise HistoryError(str(path), detail) from None


def _opened(path: Path, parquet: Any) -> Any:
    return parquet.ParquetFile(path, page_checksum_verification=True)  # where it has checksums


def _check_rows(path: Path, rows: int) -> None:
    if rows > _MIN_ROWS + _MAX_ROWS_A_BYTE * path.stat().st_size:
        raise HistoryError(str(path), f"claims {rows} rows, too many for its size")


def _check_once(columns: Sequence[str], names: Sequence[str]) -> None:
    for column in columns:
        if names.count(column) > 1:
            raise ValueError(f"{names.count(column)} columns {column!r}")


def _typed(form: FileFormat, schema: Any, arrow: Any) -> FileFormat:
    """``form``, with what the type of the time column says."""
    if len(form.columns.times) > 1:
        return form
    column = form.columns.times[0]
    (place,) = places_of([column], schema.names)
    kind = _as_timestamp(schema.types[place], arrow)
    if not arrow.types.is_timestamp(kind):
        return form
    if kind.tz is None and form.timezone is None:
        raise ValueError(f"column {column!r} holds times without an offset; timezone is needed")
    return msgspec.structs.replace(
        form, time_unit=kind.unit, time_format=None, date=None, wall_epoch=kind.tz is None
    )


def _as_timestamp(kind: Any, arrow: Any) -> Any:
    if arrow.types.is_date32(kind):
        return arrow.timestamp("s")
    return arrow.timestamp("ms") if arrow.types.is_date64(kind) else kind


def _rows(
    batch: Any, schema: Any, places: Sequence[int], counted: int | None, arrow: Any
) -> Iterator[tuple[Cell, ...]]:
    """Rows with a cell at each of ``places`` and nothing at the others; moments at ``counted``
    are the counts that they are in the file, of which none is too large for Python.
    """
    columns: list[Any] = [repeat(None, batch.num_rows)] * (max(places) + 1)
    for place in places:
        column = batch.column(schema.names[place])
        kind = _as_timestamp(column.type, arrow)
        if place == counted and arrow.types.is_timestamp(kind):
            column = column.cast(kind).cast(arrow.int64())
        columns[place] = column.to_pylist()
    return zip(*columns, strict=False)


@contextmanager
def _reading(path: Path, arrow: Any) -> Iterator[None]:
    """What the library says of a file that it cannot read, in our words."""
    try:
        yield
    except (arrow.ArrowException, OSError, UnicodeError) as error:
        first = str(error).partition("\n")[0]
        raise HistoryError(str(path), f"is damaged or no Parquet file: {first}") from None
    except (ValueError, OverflowError) as error:
        raise HistoryError(str(path), str(error)) from None
