"""A moment in any of the units that feeds have, in ms since the epoch."""

from collections.abc import Callable
from typing import Any

import msgspec

from barsync_async.units import MAX_WALL_MS
from barsync_async.venues.fields import rfc3339_ms
from barsync_async.venues.json_format import TimeUnit

_MOST_DIGITS = 20
_MOST_EXACT = 2**53
_PER_MS = {"us": 1_000, "ns": 1_000_000}


def moment_of(unit: TimeUnit) -> Callable[[Any], int]:
    """From a decoded JSON value to ms since the epoch; what is below a ms is cut off.

    A number may be written as a decimal text, and a whole one with a fraction of 0. The function
    raises ValueError, TypeError, OverflowError or msgspec.ValidationError for what is none.
    """
    if unit == "iso":
        return _iso
    if unit == "s":
        return lambda value: _sane(_seconds(_number(value)))
    if unit == "ms":
        return _milliseconds
    per_ms = _PER_MS[unit]
    return lambda value: _sane(_whole(_number(value)) // per_ms)


def _milliseconds(value: Any) -> int:
    return _sane(value if type(value) is int else _whole(_number(value)))


def _iso(value: Any) -> int:
    if type(value) is not str:
        raise TypeError("the time is no text")
    return _sane(rfc3339_ms(value))


def _number(value: Any) -> int | float:
    if type(value) is str:
        if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
            return int(value)  # a float would lose nanoseconds
        return msgspec.convert(value, float, strict=False)
    if type(value) is int or type(value) is float:
        return value
    raise TypeError("the time is no number")


def _seconds(value: float) -> int:
    return value * 1_000 if type(value) is int else round(value * 1_000)


def _whole(value: float) -> int:
    if type(value) is float and not (value.is_integer() and abs(value) < _MOST_EXACT):
        raise ValueError("the time is no whole number")
    return int(value)


def _sane(moment: int) -> int:
    if not 0 <= moment < MAX_WALL_MS:
        raise ValueError("the time is not between 1970 and 9999: is its unit the right one?")
    return moment
