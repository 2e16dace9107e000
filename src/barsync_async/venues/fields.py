"""What venues' messages have in common: names, moments, a bar from its six numbers."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import msgspec

from barsync_async.messages import EXCERPT_BYTES, Bar, excerpt, flaw
from barsync_async.units import MAX_WALL_MS, WallMs
from barsync_async.venues.outcomes import Rejection, Running

MAX_FRAME_BYTES = 65_536
"""A longer frame is refused unread, unless the venue is known to send such."""

Timestamp = Annotated[int, msgspec.Meta(ge=0, le=MAX_WALL_MS)]
"""Integer milliseconds since the epoch."""

Name = Annotated[str, msgspec.Meta(max_length=64)]

Item = TypeVar("Item", bound=Bar | Running | Rejection)

NO_JSON = (msgspec.DecodeError, RecursionError, UnicodeError)
"""What decoding raises: no JSON, of another form, nested too deep, or of no text."""

_BELOW_MS = re.compile(r"[.,]\d{3}(\d{1,6})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LONGEST_MOMENT = 40


def rfc3339_ms(text: str) -> WallMs:
    """``2021-02-22T19:15:00Z``, with 0 to 9 digits of a second's fraction, in ms since the epoch;
    what is below a millisecond is cut off.

    Raises:
        ValueError: it is no such moment, has no offset, or lies before the epoch.
    """
    if len(text) > _LONGEST_MOMENT:
        raise ValueError("a moment is not so long")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    since = (moment - _EPOCH) // _MILLISECOND
    if since < 0:
        raise ValueError(f"{text!r} lies before 1970")
    return WallMs(since)


def below_ms(text: str) -> int:
    """What :func:`rfc3339_ms` cuts off ``text``, in nanoseconds."""
    digits = _BELOW_MS.search(text)
    return int(digits[1].ljust(6, "0")) if digits else 0


def compact_symbol(symbol: str) -> str:
    """``BTC/USDT``, ``BTC-USDT`` and ``btcusdt`` -> ``BTCUSDT``."""
    return symbol.replace("/", "").replace("-", "").upper()


def oldest_first(items: Iterable[Item]) -> list[Item]:
    """Bars and states of bars by their ends; what is neither comes first."""
    return sorted(items, key=end_of)


def end_of(item: Bar | Running | Rejection) -> int:
    """The timestamp of a bar or of the bar that runs, 0 of what is neither."""
    if isinstance(item, Running):
        return item.bar.timestamp
    return item.timestamp if isinstance(item, Bar) else 0


def checked(bar: Bar, frame: str | bytes) -> Bar | Rejection:
    """``bar``, or what is wrong with it; ``frame`` is shown."""
    wrong = flaw(bar)
    return bar if wrong is None else rejection("invalid", wrong, frame)


def rejection(reason: str, detail: str, frame: str | bytes) -> Rejection:
    """A rejection that shows the beginning of ``frame``."""
    return Rejection(reason, f"{detail}: {excerpt(frame)}"[:EXCERPT_BYTES])


def oversized(frame: str | bytes) -> Rejection:
    """``frame`` is longer than any that the venue sends."""
    return rejection("oversized", f"{len(frame)} bytes", frame[:64])
