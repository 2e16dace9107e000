"""The units that every other module counts in.

Two kinds of number must never be swapped: :data:`WallMs` labels bars (and so steps when somebody
sets the clock), :data:`MonoNs` drives deadlines (and so means nothing in another process).
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple, NewType

import msgspec

WallMs = NewType("WallMs", int)
"""Integer milliseconds since the Unix epoch, UTC."""

MonoNs = NewType("MonoNs", int)
"""Integer nanoseconds of one process's monotonic clock."""

SourceId = NewType("SourceId", str)
"""``SYMBOL_TIMEFRAME``, split at the last ``_``: ``SPY_1m``, ``BTC/USD_5m``."""

NS_PER_MS = 1_000_000

MAX_WALL_MS = WallMs(253_402_300_800_000)
"""The first moment of the year 10000: no feed's bar is later."""


class Instant(NamedTuple):
    """One moment, read from both clocks at once. The wall clock is ``rest_ns`` beyond ``wall``."""

    mono: MonoNs
    wall: WallMs
    rest_ns: int = 0

    @classmethod
    def of(cls, mono_ns: int, wall_ns: int) -> "Instant":
        """What two clocks show that count ns."""
        wall_ms, rest_ns = divmod(wall_ns, NS_PER_MS)
        return cls(MonoNs(mono_ns), WallMs(wall_ms), rest_ns)


class Timeframe(msgspec.Struct, frozen=True):
    """The length of a bar and the grid on which such bars close.

    A bar closes at every ``timestamp`` with ``(timestamp - anchor_ms) % length_ms == 0``. Every
    timeframe is anchored at the epoch except the week, which opens on Monday 00:00 UTC.
    """

    name: str
    length_ms: int
    anchor_ms: int = 0

    def closes_at(self, timestamp: int) -> bool:
        """Whether a bar of this timeframe closes at ``timestamp`` (ms since the epoch)."""
        return (timestamp - self.anchor_ms) % self.length_ms == 0

    def next_close(self, timestamp: int) -> WallMs:
        """The first close strictly after ``timestamp``."""
        passed = (timestamp - self.anchor_ms) % self.length_ms
        return WallMs(timestamp - passed + self.length_ms)


_SECOND = 1_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_FIRST_MONDAY = 4 * _DAY  # 1970-01-05

TIMEFRAMES = {
    timeframe.name: timeframe
    for timeframe in (
        *(Timeframe(f"{n}s", n * _SECOND) for n in (1, 5, 15, 30)),
        *(Timeframe(f"{n}m", n * _MINUTE) for n in (1, 3, 5, 15, 30)),
        *(Timeframe(f"{n}h", n * _HOUR) for n in (1, 2, 4, 6, 8, 12)),
        Timeframe("1d", _DAY),
        Timeframe("1w", 7 * _DAY, _FIRST_MONDAY),
    )
}
"""Every timeframe there is, by name, shortest first."""


def split_source(source: str) -> tuple[str, str]:
    """``SPY_1m`` -> ``("SPY", "1m")``.

    Raises:
        ValueError: there is no symbol, or the part after the last ``_`` is no timeframe.
    """
    symbol, underscore, timeframe = source.rpartition("_")
    if not underscore or not symbol:
        raise ValueError(f"{source!r} is not SYMBOL_TIMEFRAME, e.g. SPY_1m")
    if timeframe not in TIMEFRAMES:
        raise ValueError(
            f"{source!r} has the unknown timeframe {timeframe!r}; one of {' '.join(TIMEFRAMES)}"
        )
    return symbol, timeframe


TRADES = "trades"
"""Stands where a timeframe stands in the name of a stream of trades: ``BTC/USDT_trades``."""


def is_trades(source: str) -> bool:
    """Whether ``source`` is a stream of trades, of which bars can be made."""
    symbol, underscore, kind = source.rpartition("_")
    return bool(symbol and underscore) and kind == TRADES


def split_stream(source: str) -> tuple[str, str]:
    """A source or a stream of trades in two: ``BTC/USDT_trades`` -> ``("BTC/USDT", "trades")``.

    Raises:
        ValueError: it is neither.
    """
    return (source.rpartition("_")[0], TRADES) if is_trades(source) else split_source(source)


def symbol_of(key: str, known: Collection[str] = ()) -> str:
    """The symbol that ``key`` means: itself, where that is among the ``known`` ones; its own, where
    it is a source; else itself.
    """
    if key in known:
        return key
    try:
        return split_source(key)[0]
    except ValueError:
        return key


def source_id(symbol: str, timeframe: str) -> SourceId:
    """``("SPY", "1m")`` -> ``SPY_1m``."""
    return SourceId(f"{symbol}_{timeframe}")


def to_ms(duration_ns: int) -> float:
    """Nanoseconds as milliseconds with three decimals, the way durations go on the wire."""
    return (duration_ns + 500) // 1_000 / 1_000


def shown_time(timestamp: int) -> str:
    """``2019-02-11T14:31:00Z``; with a fraction where there is one."""
    form = "seconds" if timestamp % 1_000 == 0 else "milliseconds"
    moment = datetime.fromtimestamp(timestamp / 1_000, UTC)
    return moment.isoformat(timespec=form).replace("+00:00", "Z")


def counted(count: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
