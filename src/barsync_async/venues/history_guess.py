"""What the beginning of a history file shows of its layout by itself.

Only what cannot be taken for something else is guessed; which end of its interval a row's time
names, and in which zone, no file shows.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

DELIMITERS = ",;\t|"

TIME_NAMES = (
    *("time", "timestamp", "datetime", "date_time", "open_time", "close_time", "ts", "date"),
    *("opentime", "closetime", "open time", "close time", "t"),
)
"""What a column of times may be called; the first of these that there is."""

_DATE_AND_TIME = ("date", "time")

PRICE_NAMES = {
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
}
"""What the other columns may be called."""

TIME_DIGITS = {9: "s", 10: "s", 12: "ms", 13: "ms", 15: "us", 16: "us", 18: "ns", 19: "ns"}
"""By the number of digits; 1973 to 2286 lie in these."""

_NUMBER = re.compile(r"\s*[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\s*")


def guess_delimiter(line: str) -> str:
    """The one of :data:`DELIMITERS` that stands most often in ``line``; where none, the comma."""
    return max(DELIMITERS, key=line.count)


def guess_format(rows: Sequence[Sequence[str]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of the table of a file, as a config has it, by its first two rows of cells.

    Args:
        rows: the beginning, a header where there is one among them.
        given: what was said of the file; it is taken as it is, and not given back.
    """
    guessed: dict[str, Any] = {}
    if not rows:
        return guessed
    header = given.get("header")
    if header is None:
        header = not all(map(_NUMBER.fullmatch, rows[0][1:]))
        guessed["header"] = header
    names = [name.strip() for name in rows[0]] if header else None
    columns = {**_columns(names), **given.get("columns", {})}
    if columns:
        guessed["columns"] = columns
    row = rows[1] if header and len(rows) > 1 else rows[0]
    unit = _unit(row, names, columns.get("time", "time" if header else 0))
    if unit is not None and not {"time_unit", "time_format"} & given.keys():
        guessed["time_unit"] = unit
    return guessed


def _columns(names: Sequence[str] | None) -> dict[str, Any]:
    """What the columns are called that are not called as usual."""
    if names is None:
        return {}
    found: dict[str, Any] = {}
    for key, words in PRICE_NAMES.items():
        name = _first(words, names)
        if name is not None:
            found[key] = name
    when = [_first((word,), names) for word in _DATE_AND_TIME]
    if None not in when:
        found["time"] = when
    elif (name := _first(TIME_NAMES, names)) is not None:
        found["time"] = name
    return {key: name for key, name in found.items() if name != key}


def _first(words: Iterable[str], names: Sequence[str]) -> str | None:
    """The first of ``words`` that is a column's name, as it is written there."""
    alike = {name.casefold(): name for name in names}
    return next((alike[word] for word in words if word in alike), None)


def _unit(row: Sequence[str], names: Sequence[str] | None, column: Any) -> str | None:
    """The unit of a time that is a count from the epoch; None where it is none."""
    if isinstance(column, str) and names is not None:
        column = names.index(column) if column in names else None
    if not isinstance(column, int) or column >= len(row):
        return None
    text = row[column].strip()
    return TIME_DIGITS.get(len(text)) if text.isascii() and text.isdigit() else None
