"""What one cell of a history file means: exact numbers, and moments.

A cell is text, or a value that a columnar file holds. Nothing is lost on the way to a float: a
number is kept exact until the one division that rounds it.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from barsync_async.messages import excerpt
from barsync_async.units import MAX_WALL_MS
from barsync_async.venues.history_format import FileFormat, zone_named

Cell = str | int | float | Decimal | date | datetime | None
"""``datetime`` with an offset is a moment, without one what a clock on the wall showed."""

MAX_CELL = 64
MALFORMED = "malformed"
OFF_GRID = "off_grid"
WALL_TIME = "wall_time"

_DIGITS = r"[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?[ \t]*"
_NUMBER = re.compile(_DIGITS)
_NUMBERS = re.compile(rf"{_DIGITS}(?:\n{_DIGITS})*")
_WALL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - on every wall
_MS = timedelta(milliseconds=1)
_DAY_MS = 86_400_000
_EXACT_AS_FLOAT = 2**53
_FIRST_WALL_MS = -62_135_596_800_000  # the first moment of the year 1
_PER_MS = {"s": (1_000, 1), "ms": (1, 1), "us": (1, 1_000), "ns": (1, 1_000_000)}


class Unreadable(Exception):
    """A cell that means nothing here; caught where its row is made into a bar."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(reason, why)
        self.reason = reason
        self.why = why


def number(name: str, cell: Cell, scale: int = 1) -> float:
    """``cell`` divided by ``scale``, rounded once.

    Raises:
        Unreadable: it is no number.
    """
    if scale == 1 and isinstance(cell, str) and _is_number(cell):
        return float(cell)  # as exact as the way by Decimal, and three times as fast
    value = _exact(name, cell)
    try:
        if scale == 1:
            return float(value)
        numerator, denominator = value.as_integer_ratio()
        return numerator / (denominator * scale)
    except (OverflowError, ValueError):
        raise Unreadable(MALFORMED, f"{name} {shown(cell)} is beyond all numbers") from None


def plain_numbers(cells: Sequence[Cell]) -> list[float] | None:
    """What :func:`number` makes of each of ``cells``, where all are text that looks like it, or all
    are floats and small integers; else None, and nothing is said of any.
    """
    try:
        text = "\n".join(cells)  # type: ignore[arg-type]  # what is no text is refused
    except TypeError:
        return _plain_values(cells)
    if len(text) > MAX_CELL or _NUMBERS.fullmatch(text) is None:
        return None
    parts = text.split("\n")
    return [*map(float, parts)] if len(parts) == len(cells) else None  # no cell has two lines


def _plain_values(cells: Sequence[Any]) -> list[float] | None:
    for cell in cells:
        kind = type(cell)
        if kind is not float and (kind is not int or abs(cell) > _EXACT_AS_FLOAT):
            return None
    return [*map(float, cells)]


def _exact(name: str, cell: Cell) -> int | float | Decimal:
    if isinstance(cell, str):
        if _is_number(cell):
            return Decimal(cell.strip())
    elif isinstance(cell, int | float | Decimal) and not isinstance(cell, bool):
        return cell
    raise Unreadable(MALFORMED, f"{name} {shown(cell)} is no number")


def _is_number(text: str) -> bool:
    return len(text) <= MAX_CELL and _NUMBER.fullmatch(text) is not None


def shown(cell: object) -> str:
    """``cell`` for a person to read, cut."""
    if cell is None or cell == "":
        return "(empty)"
    text = cell if isinstance(cell, str) else str(cell)
    return f"'{excerpt(text)[:MAX_CELL]}'"


def moments(form: FileFormat) -> Callable[[Cell], int]:
    """What reads the time of a row: a cell to milliseconds since the epoch, UTC.

    The function raises :class:`Unreadable` for what is no time, for a fraction of a millisecond,
    and for a time on the wall that came twice or never in its zone.
    """
    zone = None if form.timezone is None else zone_named(form.timezone)

    def read(cell: Cell) -> int:
        try:
            if isinstance(cell, datetime):
                return _moment(cell, zone)
            if isinstance(cell, date):
                return _moment(datetime(cell.year, cell.month, cell.day), zone)  # noqa: DTZ001
            if form.time_unit == "iso":
                return _moment(_from_text(cell, form.time_format), zone)
            return _from_count(cell, form, zone)
        except (ValueError, OverflowError):
            raise Unreadable(MALFORMED, f"time {shown(cell)} is not {_wanted(form)}") from None

    return read


def _wanted(form: FileFormat) -> str:
    if form.time_unit == "iso":
        return form.time_format or "an ISO 8601 date and time"
    if form.time_unit == "ms_of_day":
        return "a number of ms of one day"
    return f"a number of {form.time_unit} since the epoch"


def _from_text(cell: Cell, time_format: str | None) -> datetime:
    if not isinstance(cell, str) or len(cell) > MAX_CELL:
        raise ValueError
    text = cell.strip()
    if time_format is None:
        return datetime.fromisoformat(text)
    return datetime.strptime(text, time_format)  # noqa: DTZ007 - the zone is put in later


def _from_count(cell: Cell, form: FileFormat, zone: ZoneInfo | None) -> int:
    unit = "ms" if form.time_unit == "ms_of_day" else form.time_unit
    multiplier, divisor = _PER_MS[unit]
    if isinstance(cell, str) and len(cell) <= MAX_CELL and cell.isascii() and cell.isdigit():
        numerator, denominator = int(cell), 1
    else:
        numerator, denominator = _exact("time", cell).as_integer_ratio()
    ms, rest = divmod(numerator * multiplier, denominator * divisor)
    if rest:
        raise Unreadable(OFF_GRID, f"time {shown(cell)} is no whole number of ms")
    if form.date is not None:
        if not 0 <= ms <= _DAY_MS:
            raise ValueError
        midnight = datetime(form.date.year, form.date.month, form.date.day)  # noqa: DTZ001
        return _moment(midnight + ms * _MS, zone)
    if not form.wall_epoch:
        return ms
    if not _FIRST_WALL_MS <= ms < MAX_WALL_MS:
        raise ValueError
    return _moment(_WALL_EPOCH + ms * _MS, zone)


def _moment(when: datetime, zone: ZoneInfo | None) -> int:
    offset = when.utcoffset()
    if offset is None:
        offset = _offset(when, zone)
    ms, rest = divmod(when.replace(tzinfo=None) - _WALL_EPOCH - offset, _MS)
    if rest:
        raise Unreadable(OFF_GRID, f"time {when.isoformat()} is no whole number of ms")
    return ms


def _offset(wall: datetime, zone: ZoneInfo | None) -> timedelta:
    """How far the clock on that wall was before UTC, where only one answer can be right."""
    if zone is None:
        why = f"time {wall.isoformat()} has no offset, and no timezone is given for it"
        raise Unreadable(WALL_TIME, why)
    first = wall.replace(tzinfo=zone, fold=0).utcoffset()
    second = wall.replace(tzinfo=zone, fold=1).utcoffset()
    if first is None or second is None:
        raise ValueError
    if first == second:
        return first
    times = "came twice" if first > second else "never came"
    why = f"time {wall.isoformat()} {times} in {zone.key}, where the clocks were changed"
    raise Unreadable(WALL_TIME, why)
