"""How a file of past bars is laid out: a frozen description, checked when it is made."""

import datetime as dt
import re
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

Label = Literal["open", "close"]
TimeUnit = Literal["iso", "s", "ms", "us", "ns", "ms_of_day"]
Column = str | int

MAX_SCALE = 10**18

_SAMPLE = dt.datetime(2019, 12, 31, 23, 58, 59, tzinfo=dt.UTC)
_READ_BACK = (  # whoever writes hours by 12, and not which half of the day, is none of these
    _SAMPLE,
    _SAMPLE.replace(second=0),
    _SAMPLE.replace(minute=0, second=0),
    _SAMPLE.replace(hour=0, minute=0, second=0),
)


class Columns(msgspec.Struct, frozen=True):
    """Where each value of a bar stands: a header's name, or a place counted from 0.

    ``time`` may be several columns, which are joined by a space (a date and a time of day).
    ``volume`` is None where the file has none: the bars then have volume 0.
    """

    time: Column | tuple[Column, ...] = "time"
    open: Column = "open"
    high: Column = "high"
    low: Column = "low"
    close: Column = "close"
    volume: Column | None = "volume"

    @property
    def times(self) -> tuple[Column, ...]:
        """The columns of the time, one or several."""
        return self.time if isinstance(self.time, tuple) else (self.time,)

    @property
    def values(self) -> tuple[Column, ...]:
        """Open, high, low, close, and the volume where there is one."""
        prices = (self.open, self.high, self.low, self.close)
        return prices if self.volume is None else (*prices, self.volume)


PLACES = Columns(0, 1, 2, 3, 4, 5)
"""The columns of a file without a header, in the usual order."""


class FileFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of one file are to be understood.

    Args:
        label: which end of its interval a row's time names. There is no default: a wrong one
            looks ahead by a whole bar.
        columns: where each value stands.
        timezone: the zone of times that carry no offset, e.g. ``America/New_York``.
        time_unit: ``iso``: text as ISO 8601 has it, or as ``time_format`` says; ``s``, ``ms``,
            ``us``, ``ns``: a count from the epoch; ``ms_of_day``: milliseconds on the clock of
            ``timezone`` since midnight of ``date``.
        time_format: of ``iso`` times, as ``datetime.strptime`` takes it.
        date: of ``ms_of_day`` times, the day.
        wall_epoch: whether a count from the epoch is one on the clock of ``timezone``, not UTC.
        price_scale: what prices are divided by, once and correctly rounded.
        header: whether the first line of a CSV file names its columns.
        delimiter: between the cells of a CSV file.

    Raises:
        ValueError: what is said contradicts itself or cannot be.
    """

    label: Label
    columns: Columns = Columns()
    timezone: str | None = None
    time_unit: TimeUnit = "iso"
    time_format: str | None = None
    date: dt.date | None = None
    wall_epoch: bool = False
    price_scale: int = 1
    header: bool = True
    delimiter: str = ","

    def __post_init__(self) -> None:
        _check_choices(self)
        _check_time(self)
        _check_columns(self)


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that name.

    Raises:
        ValueError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("expected a time zone, e.g. America/New_York") from None


def check_time_format(text: str) -> str:
    """``text`` itself, if it reads back a day, and as much of a time of day, as it wrote.

    Raises:
        ValueError: it does not.
    """
    try:
        read = dt.datetime.strptime(_SAMPLE.strftime(text), text)  # noqa: DTZ007 - some have one
    except (ValueError, re.error):  # the second where one directive stands twice
        read = None
    if read is None or read.replace(tzinfo=dt.UTC) not in _READ_BACK:
        raise ValueError("expected a format of date and time, e.g. %d.%m.%Y %H:%M:%S")
    return text


def check_delimiter(text: str) -> str:
    """``text`` itself, if it can stand between cells.

    Raises:
        ValueError: it cannot.
    """
    if len(text) != 1 or text in '"\r\n\0':
        raise ValueError("expected one character that is no quote and no end of a line")
    return text


def _check_choices(form: FileFormat) -> None:
    if form.label not in get_args(Label):
        raise ValueError(f"label {form.label!r}: expected open or close")
    if form.time_unit not in get_args(TimeUnit):
        known = " ".join(get_args(TimeUnit))
        raise ValueError(f"time_unit {form.time_unit!r}: expected one of {known}")
    if not 1 <= form.price_scale <= MAX_SCALE:
        raise ValueError(f"price_scale {form.price_scale!r}: expected 1 to {MAX_SCALE}")
    check_delimiter(form.delimiter)


def _check_time(form: FileFormat) -> None:
    if form.timezone is not None:
        zone_named(form.timezone)
    if form.time_format is not None:
        if form.time_unit != "iso":
            raise ValueError(f"time_format is for text, and time_unit is {form.time_unit}")
        check_time_format(form.time_format)
    is_of_day = form.time_unit == "ms_of_day"
    if is_of_day and form.date is None:
        raise ValueError("time_unit ms_of_day needs date, the day that it counts from")
    if form.date is not None and not is_of_day:
        raise ValueError(f"date is for time_unit ms_of_day, and time_unit is {form.time_unit}")
    if (is_of_day or form.wall_epoch) and form.timezone is None:
        raise ValueError(f"time_unit {form.time_unit} on a wall's clock needs timezone")


def _check_columns(form: FileFormat) -> None:
    columns = (*form.columns.times, *form.columns.values)
    if not form.columns.times or (len(form.columns.times) > 1 and form.time_unit != "iso"):
        raise ValueError("columns.time: several columns are for text, joined by a space")
    for column in columns:
        if isinstance(column, int) and column < 0:
            raise ValueError(f"columns: {column} is no place; they are counted from 0")
        if isinstance(column, str) and not form.header:
            raise ValueError(f"columns: {column!r} is a name, and without a header there are none")
    if len(set(columns)) != len(columns):
        raise ValueError("columns: one column stands for two values")
