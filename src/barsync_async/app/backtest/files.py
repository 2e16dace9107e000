"""The report on disk: the page, and every series as CSV and Parquet."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from barsync_async.errors import OutputError
from barsync_async.report.tables import Table

PAGE = "report.html"
EVENTS = "events.jsonl"


def has_parquet() -> bool:
    """Whether the package that writes Parquet is there."""
    return find_spec("pyarrow") is not None


def prepare(folder: Path) -> None:
    """Make ``folder``, and take away what an earlier run left in it.

    Raises:
        OutputError: it cannot be written to.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in _names():
            (folder / name).unlink(missing_ok=True)
        (folder / PAGE).touch()


def _names() -> Iterator[str]:
    yield from (PAGE, EVENTS)
    for table in ("sets", "equity", "strategies", "sources"):
        yield from (f"{table}.csv", f"{table}.parquet")


def write_tables(folder: Path, tables: Sequence[Table]) -> list[str]:
    """Write each as CSV, and where it can be as Parquet; gives the files' names.

    Raises:
        OutputError: one cannot be written.
    """
    names: list[str] = []
    for table in tables:
        path = folder / f"{table.name}.csv"
        with _writing(path):
            _write_csv(path, table)
        names.append(path.name)
        if has_parquet():
            path = path.with_suffix(".parquet")
            with _writing(path):
                _write_parquet(path, table)
            names.append(path.name)
    return names


def write_page(folder: Path, text: str) -> int:
    """Write the page; gives its size in bytes.

    Raises:
        OutputError: it cannot be written.
    """
    path = folder / PAGE
    with _writing(path):
        return path.write_bytes(text.encode())


def _write_csv(path: Path, table: Table) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(zip(*table.columns.values(), strict=True))


def _write_parquet(path: Path, table: Table) -> None:
    """Moments have a type of their own there."""
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    columns = {
        name: arrow.array(values, arrow.timestamp("ms", tz="UTC"))
        if name == "timestamp"
        else values
        for name, values in table.columns.items()
        if name != "time"
    }
    parquet.write_table(arrow.table(columns), path)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(str(path), f"cannot be written: {error.strerror or error}") from None
