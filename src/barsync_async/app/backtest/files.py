"""The report on disk: the page, and every series as CSV and Parquet."""

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from barsync_async.errors import ConfigError, Mistake, OutputError
from barsync_async.report.tables import Table

PAGE = "report.html"
EVENTS = "events.jsonl"
MANIFEST = "report.files"
"""In the folder: which files of it a report wrote, so that a later one takes away no other."""

_HEADER = "# what barsync backtest wrote here, and will write over"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_TABLES = ("sets", "equity", "strategies", "sources")


def has_parquet() -> bool:
    """Whether the package that writes Parquet is there."""
    return find_spec("pyarrow") is not None


def prepare(folder: Path, *, events: bool) -> None:
    """Make ``folder``, and take away what an earlier report wrote in it, and that alone.

    Args:
        folder: where the report goes.
        events: whether the events go there too.

    Raises:
        ConfigError: files are in the way that no report wrote; then nothing is taken away.
        OutputError: it cannot be written to.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        earlier = _claimed(folder)
        _refuse_others(folder, {*_names(events=events), MANIFEST} - earlier)
        for name in earlier - {MANIFEST}:
            (folder / name).unlink(missing_ok=True)
        _claim(folder, [EVENTS] if events else [])


def _names(*, events: bool) -> Iterator[str]:
    """What a report may write."""
    yield PAGE
    for table in _TABLES:
        yield f"{table}.csv"
        if has_parquet():
            yield f"{table}.parquet"
    if events:
        yield EVENTS


def _claimed(folder: Path) -> set[str]:
    """The files that a manifest says are a report's, itself among them; of no other folder."""
    path = folder / MANIFEST
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    if lines[:1] != [_HEADER]:
        return set()
    known = {PAGE, EVENTS, *(f"{table}.{kind}" for table in _TABLES for kind in ("csv", "parquet"))}
    return {MANIFEST, *known.intersection(lines)}


def _refuse_others(folder: Path, names: set[str]) -> None:
    there = [path for path in (folder / name for name in sorted(names)) if os.path.lexists(path)]
    detail = "no report wrote this file: expected a folder without it"
    if there:
        raise ConfigError(
            str(folder), [Mistake("--report", repr(str(each)), detail) for each in there]
        )


def _claim(folder: Path, names: Sequence[str]) -> None:
    """Before they are written: a run that is killed meanwhile is no stranger to the next one."""
    new = folder / f"{MANIFEST}.new"
    new.write_text("\n".join([_HEADER, *names, ""]), "utf-8")
    new.replace(folder / MANIFEST)


def write_report(
    folder: Path, tables: Sequence[Table], page: Callable[[Sequence[str]], str], *, events: bool
) -> int:
    """Write each table as CSV, and where it can be as Parquet, and then the page.

    Args:
        folder: as it was prepared.
        tables: the series.
        page: its text, of the names of the files beside it.
        events: whether the events are among these.

    Returns:
        The page's size in bytes.

    Raises:
        OutputError: one cannot be written.
    """
    writers = {"csv": _write_csv, **({"parquet": _write_parquet} if has_parquet() else {})}
    made = {f"{table.name}.{kind}": table for table in tables for kind in writers}
    names = [*made, *([EVENTS] if events else [])]
    text = page(names).encode()
    with _writing(folder):
        _claim(folder, [*names, PAGE])
    for name, table in made.items():
        path = folder / name
        with _writing(path):
            writers[path.suffix[1:]](path, table)
    with _writing(folder / PAGE):
        return (folder / PAGE).write_bytes(text)


def _write_csv(path: Path, table: Table) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(table.columns)
        for row in zip(*table.columns.values(), strict=True):
            writer.writerow([_inert(cell) for cell in row])


def _inert(cell: Any) -> Any:
    """Text that a spreadsheet would take for a formula, with the apostrophe that makes it text.

    Which these are: OWASP, "CSV Injection". Numbers stay what they are.
    """
    is_formula = isinstance(cell, str) and cell.startswith(_FORMULA_STARTS)
    return f"'{cell}" if is_formula else cell


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
