"""Rows of a history file to bars: rows in, ``Bar | Rejection`` out. It opens no file.

Whatever stands in a row, it becomes a bar that closes on its timeframe's grid or a rejection that
names the line and shows its beginning; never an exception.
"""

from collections.abc import Sequence

from barsync_async.messages import EXCERPT_BYTES, Bar, excerpt, flaw
from barsync_async.units import MAX_WALL_MS, TIMEFRAMES, SourceId, WallMs, shown_time, split_source
from barsync_async.venues.history_cells import (
    MALFORMED,
    OFF_GRID,
    Cell,
    Unreadable,
    moments,
    number,
    plain_numbers,
    shown,
)
from barsync_async.venues.history_format import Column, FileFormat
from barsync_async.venues.outcomes import Rejection

HistoryItem = Bar | Rejection

_NAMES = ("open", "high", "low", "close", "volume")
_SHOWN_NAMES = 20


class HistoryRows:
    """Makes bars of ``source`` out of the rows of one file.

    Args:
        source: whose bars the file holds.
        form: how its rows are to be understood.
        names: of its columns, in their order; None where it has no header.

    Attributes:
        places: those of the columns that are read.

    Raises:
        ValueError: columns that ``form`` names are not there, or are there twice; all of them.
    """

    def __init__(self, source: SourceId, form: FileFormat, names: Sequence[str] | None) -> None:
        self._symbol, self._timeframe = split_source(source)
        self._length = TIMEFRAMES[self._timeframe]
        self._to_close = self._length.length_ms if form.label == "open" else 0
        self._scale = form.price_scale
        self._moment = moments(form)
        times, values = form.columns.times, form.columns.values
        self.places = places_of([*times, *values], names)
        self._times, self._values = self.places[: len(times)], self.places[len(times) :]
        self._width = max(self.places) + 1

    def item(self, cells: Sequence[Cell], where: str) -> HistoryItem:
        """The bar in ``cells``, or why there is none; ``where`` is e.g. ``line 7``."""
        try:
            return self._bar(cells)
        except Unreadable as error:
            return rejection(error.reason, where, error.why, cells)

    def _bar(self, cells: Sequence[Cell]) -> Bar:
        if len(cells) < self._width:
            raise Unreadable(MALFORMED, f"{len(cells)} columns, {self._width} are needed")
        timestamp = self._timestamp(cells)
        opened, high, low, close, *rest = self._numbers([cells[place] for place in self._values])
        volume = rest[0] if rest else 0.0
        bar = Bar(self._symbol, self._timeframe, timestamp, opened, high, low, close, volume)
        wrong = flaw(bar)
        if wrong is not None:
            raise Unreadable("invalid", wrong)
        return bar

    def _numbers(self, cells: Sequence[Cell]) -> Sequence[float]:
        numbers = plain_numbers(cells) if self._scale == 1 else None
        if numbers is not None:
            return numbers
        return [
            number(name, cell, 1 if name == "volume" else self._scale)
            for name, cell in zip(_NAMES, cells, strict=False)
        ]

    def _timestamp(self, cells: Sequence[Cell]) -> WallMs:
        if len(self._times) == 1:
            cell = cells[self._times[0]]
        else:
            cell = " ".join(str(cells[place]).strip() for place in self._times)
        timestamp = self._moment(cell) + self._to_close
        if not 0 <= timestamp <= MAX_WALL_MS:
            raise Unreadable("invalid", f"time {shown(cell)} is not in the years 1970 to 9999")
        if not self._length.closes_at(timestamp):
            when = shown_time(timestamp)
            raise Unreadable(OFF_GRID, f"no bar of {self._timeframe} closes at {when}")
        return WallMs(timestamp)


def rejection(reason: str, where: str, why: str, cells: Sequence[Cell]) -> Rejection:
    """What is said of a row that is no bar."""
    row = ",".join("" if cell is None else str(cell) for cell in cells[:_SHOWN_NAMES])
    return Rejection(reason, f"{where}: {why}: {excerpt(row)}"[:EXCERPT_BYTES])


def places_of(columns: Sequence[Column], names: Sequence[str] | None) -> tuple[int, ...]:
    """Where each of ``columns`` stands. Upper and lower case are one where only one name fits.

    Raises:
        ValueError: some are not there, or are there twice; it names all of them.
    """
    known = [name.strip() for name in names or ()]
    found = [_found(each, known, has_names=names is not None) for each in columns]
    if any(len(places) != 1 for places in found):
        raise ValueError(f"{_faults(columns, found)}; {_known(known)}")
    return tuple(place for (place,) in found)


def _found(column: Column, known: Sequence[str], *, has_names: bool) -> list[int]:
    if isinstance(column, int):
        return [column] if not has_names or column < len(known) else []
    found = [place for place, name in enumerate(known) if name == column]
    alike = column.casefold()
    return found or [place for place, name in enumerate(known) if name.casefold() == alike]


def _faults(columns: Sequence[Column], found: Sequence[Sequence[int]]) -> str:
    counts = dict(zip(columns, map(len, found), strict=True))
    missing = [each for each, count in counts.items() if not count]
    parts = [f"no column {', '.join(map(repr, missing))}"] if missing else []
    if any(isinstance(each, int) for each in missing):
        parts[0] += ", counted from 0"
    parts += [f"{count} columns {each!r}" for each, count in counts.items() if count > 1]
    return "; ".join(parts)


def _known(names: Sequence[str]) -> str:
    return f"there are {excerpt(', '.join(names[:_SHOWN_NAMES]))[:EXCERPT_BYTES]}"
