"""Longer bars from shorter ones, exactly: ``SPY_5m`` from ``SPY_1m``.

The parts of a window give its first open, highest high, lowest low, last close and the sum of their
volumes, rounded once. A part that never came is a silent interval only where the connection vouches
for it: up, unbroken, since before the window began. Otherwise the window is given up.
"""

import math
from collections.abc import Iterator, Sequence
from operator import attrgetter

import msgspec

from barsync_async.aggregation.outcomes import GivenUp, Outcome, RefusalReason, Refused
from barsync_async.aggregation.windows import CLOCKS_DIFFER_MS, MOST_VOLUME, Windows
from barsync_async.messages import Bar, flaw, is_same
from barsync_async.units import TIMEFRAMES, Timeframe, WallMs

_timestamp = attrgetter("timestamp")


class _Parts:
    """The parts of one window, by timestamp."""

    def __init__(self, symbol: str, timeframe: str) -> None:
        self._symbol = symbol
        self._timeframe = timeframe
        self._parts: dict[WallMs, Bar] = {}

    def __len__(self) -> int:
        return len(self._parts)

    def put(self, part: Bar) -> bool:
        """Take in ``part``; whether it is news. One that was asked for again is none."""
        if is_same(self._parts.get(part.timestamp), part):
            return False
        self._parts[part.timestamp] = part
        return True

    def bar(self, end: WallMs) -> Bar:
        parts = [self._parts[timestamp] for timestamp in sorted(self._parts)]
        return Bar(
            self._symbol,
            self._timeframe,
            end,
            parts[0].open,
            max(part.high for part in parts),
            min(part.low for part in parts),
            parts[-1].close,
            math.fsum(part.volume for part in parts),
            backfilled=True if any(part.backfilled is True for part in parts) else msgspec.UNSET,
        )


class BarAggregator:
    """One symbol's bars of ``from_timeframe`` in, its bars of ``to_timeframe`` out.

    A window gives its bar

    - when none of its parts is missing, whatever became of the connection;
    - or, covered (the connection is up and has been, unbroken, since before the window began), when
      a part of a later window arrives: the parts of a connection come in order, so what is
      missing was silent;
    - or, covered, ``grace_ms`` after its end, if the connection was heard after its end.

    A window that is not covered and lacks a part is given up ``grace_ms`` after its end; where a
    part comes later than that, as in a backfill, ``grace_ms`` after this part. If the missing parts
    come after all, it gives its bar. So the window in which a connection began has a bar only if
    all of its parts came. A window without any part gives nothing.

    A bar of which a part is backfilled is so itself.

    A part that is new or has other values than before gives the bar of a past window again,
    revised, if it alters the bar. A repeated part changes nothing and gives nothing. A backfill
    should come oldest first, for of past windows only the newest are remembered.

    Wall clocks get set: call :meth:`on_connection` again for the connection that is up, and
    :meth:`on_clock`. Set back, windows stay open for longer; set ahead, covered windows may give
    their bars early, which the parts that follow revise.

    Args:
        symbol: of the parts and of the bars.
        from_timeframe: the parts', by name.
        to_timeframe: the bars', by name.
        grace_ms: how long after a window's end its parts are waited for; at least 0.
        keep: how many past windows are remembered, each with its parts; at least 1.

    Raises:
        ValueError: a timeframe is unknown; bars of the longer one are not made of whole bars of the
            shorter one; ``grace_ms`` or ``keep`` is too small.
    """

    def __init__(
        self, symbol: str, from_timeframe: str, to_timeframe: str, grace_ms: int, keep: int = 8
    ) -> None:
        self._from, self._to = _nested(from_timeframe, to_timeframe)
        self._symbol = symbol
        self._count = self._to.length_ms // self._from.length_ms
        self._grace_ms = grace_ms
        self._newest = 0  # the latest part of this connection
        self._windows = Windows(
            self._to.length_ms, grace_ms, keep, 0, lambda: _Parts(symbol, to_timeframe)
        )

    def on_bar(self, bar: Bar, now: WallMs) -> Sequence[Outcome]:
        """A part, final, new or revised; gives what it settles or revises, oldest first.

        Raises:
            ValueError: it is a bar of another source.
        """
        if (bar.symbol, bar.timeframe) != (self._symbol, self._from.name):
            raise ValueError(f"{bar.source} is no part of {self._symbol}_{self._to.name}")
        reason = self._refusal(bar, now)
        window = None if reason else self._windows.at(self._to.next_close(bar.timestamp - 1))
        if window is None:
            return (Refused(bar.timestamp, reason or "too_old"),)
        if not window.content.put(bar):
            return ()
        self._newest = max(self._newest, bar.timestamp)
        if now >= window.due_at:
            window.patient_until = now + self._grace_ms  # more of a backfill may follow
        outcomes: list[Bar | GivenUp] = []
        if window.was_given or len(window.content) == self._count:
            outcomes += self._windows.give(window)
        outcomes += self._overtaken()
        outcomes += self._windows.make_room()
        return sorted(outcomes, key=_timestamp)

    def due_at(self) -> WallMs | None:
        """When to call :meth:`on_clock` next; None while no window is open.

        A look that found the connection unheard moves it on, by ``grace_ms`` or a second, whichever
        is longer.
        """
        return self._windows.due_at()

    def on_clock(self, now: WallMs, heard_at: WallMs | None) -> Sequence[Bar | GivenUp]:
        """It is ``now``; gives what that settles, oldest first.

        It may be called at any time; what was read until ``now`` is to be given in first.

        Args:
            now: the wall time.
            heard_at: the wall time of the newest frame of any kind on the connection, a heartbeat
                too, or None. Before a window's end it cannot tell silence from a frozen
                connection; after ``now`` it was stamped by a clock that was set back since.
        """
        return list(self._windows.on_clock(now, heard_at))

    def on_connection(self, up: bool, now: WallMs) -> None:
        """The subscription is in force from ``now`` on, or is not any more.

        ``up`` where it was up already means a new connection: no window that has begun is covered.
        """
        self._newest = 0
        self._windows.on_connection(up=up, now=now)

    def _refusal(self, part: Bar, now: WallMs) -> RefusalReason | None:
        if not self._from.closes_at(part.timestamp):
            return "off_grid"
        if part.timestamp > now + CLOCKS_DIFFER_MS:
            return "future"
        return "invalid" if part.volume > MOST_VOLUME or flaw(part) else None

    def _overtaken(self) -> Iterator[Bar]:
        """The bars of the open windows that a part of a later one proves to be over."""
        for window in self._windows.open():
            if self._newest > window.end and self._windows.covers(window):
                yield from self._windows.give(window)


def why_not_nested(shorter: str, longer: str) -> str | None:
    """Why whole bars of ``shorter`` do not make one of ``longer``; None where they do."""
    for name in (shorter, longer):
        if name not in TIMEFRAMES:
            return f"unknown timeframe {name!r}; one of {' '.join(TIMEFRAMES)}"
    parts, whole = TIMEFRAMES[shorter], TIMEFRAMES[longer]
    if whole.length_ms <= parts.length_ms:
        return f"{longer} bars are not longer than {shorter} bars"
    if whole.length_ms % parts.length_ms or not parts.closes_at(whole.anchor_ms):
        return f"{longer} bars are not made of whole {shorter} bars"
    return None


def _nested(shorter: str, longer: str) -> tuple[Timeframe, Timeframe]:
    """The two timeframes, of which whole bars of the first make one of the second."""
    if (why := why_not_nested(shorter, longer)) is not None:
        raise ValueError(why)
    return TIMEFRAMES[shorter], TIMEFRAMES[longer]
