"""Bars from trades, exactly.

The window that ends at T holds the trades with T - length <= time < T. Of a gap nothing can be
known: a window that the connection did not cover from before its beginning until it was given is
given up, and no later trade changes that. Within a connection, what did not arrive did not happen.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from operator import attrgetter

from barsync_async.aggregation.outcomes import GivenUp, Outcome, RefusalReason, Refused
from barsync_async.aggregation.windows import CLOCKS_DIFFER_MS, MOST_VOLUME, Windows
from barsync_async.messages import Bar, Trade
from barsync_async.units import TIMEFRAMES, WallMs

_Place = tuple[float, float, float]  # time, number, arrival
_BEFORE_ALL: _Place = (-math.inf, 0, 0)
_AFTER_ALL: _Place = (math.inf, 0, 0)

_timestamp = attrgetter("timestamp")

IDS_REMEMBERED = 65_536
"""How many trades back a repetition is noticed: more than any venue sends again, or than two
connections are apart while one takes over from the other. They take up to 15 MB.
"""


class _Tape:
    """What one window's trades come to; the trades themselves are not kept."""

    def __init__(self, symbol: str, timeframe: str) -> None:
        self._symbol = symbol
        self._timeframe = timeframe
        self._first = _AFTER_ALL, math.nan
        self._last = _BEFORE_ALL, math.nan
        self._high = -math.inf
        self._low = math.inf
        self._sizes: list[float] = []

    def put(self, trade: Trade, arrival: int) -> None:
        """Take in ``trade``, the ``arrival``-th that came."""
        alters = trade.alters
        if alters.open_close:
            placed = (trade.at_ms, trade.number, arrival), trade.price
            self._first = min(self._first, placed)
            self._last = max(self._last, placed)
        if alters.open_close or alters.high_low:
            self._high = max(self._high, trade.price)
            self._low = min(self._low, trade.price)
        if alters.volume:
            _add(self._sizes, trade.size)

    def bar(self, end: WallMs) -> Bar | None:
        if self._first[0] is _AFTER_ALL:
            return None
        return Bar(
            self._symbol,
            self._timeframe,
            end,
            self._first[1],
            self._high,
            self._low,
            self._last[1],
            math.fsum(self._sizes),
        )


class TradeAggregator:
    """One symbol's trades in, its bars of ``timeframe`` out.

    Open and close are the first and last trade by time, then by number, then by arrival; volume is
    the sum of all sizes, rounded once; of each the trades that may alter it. A window gives its bar

    - when a trade of ``grace_ms`` after its end or later arrives;
    - or ``grace_ms`` after its end by the clock, if the connection was heard after its end;

    provided that it is covered: the connection is up and has been, unbroken, since ``grace_ms``
    before the window began (by so much the venue's clock and this one may differ). At the same
    moments a window that is not covered is given up; so the first window of every connection has
    no bar. A window without a trade that may open and close it gives nothing, whatever its volume:
    no price of it is known.

    A later trade of a window that gave its bar, or nothing, gives the bar, revised, if it alters
    it. A trade whose time and id were seen among the newest ``IDS_REMEMBERED`` gives nothing,
    whatever it says. An id alone repeats nothing: some venues begin anew with every day.

    Wall clocks get set: call :meth:`on_connection` again for the connection that is up, and
    :meth:`on_clock`. Set back, windows stay open for longer; set ahead, covered windows may give
    their bars early, which the trades that follow revise.

    Args:
        symbol: of the trades and of the bars.
        timeframe: the bars', by name.
        grace_ms: by how much a trade may come after later ones, or after its window's end; at
            least 0.
        keep: how many past windows are remembered; at least 1.

    Raises:
        ValueError: the timeframe is unknown; ``grace_ms`` or ``keep`` is too small.
    """

    def __init__(self, symbol: str, timeframe: str, grace_ms: int, keep: int = 8) -> None:
        if timeframe not in TIMEFRAMES:
            raise ValueError(f"unknown timeframe {timeframe!r}; one of {' '.join(TIMEFRAMES)}")
        self._timeframe = TIMEFRAMES[timeframe]
        self._newest = 0  # the time of the latest trade of this connection
        self._arrivals = 0
        self._ids: OrderedDict[tuple[WallMs, int | str], None] = OrderedDict()
        self._windows = Windows(
            self._timeframe.length_ms, grace_ms, keep, grace_ms, lambda: _Tape(symbol, timeframe)
        )

    def on_trade(self, trade: Trade, now: WallMs) -> Sequence[Outcome]:
        """A trade; gives what it settles or revises, oldest first."""
        reason = _refusal(trade, now)
        if reason is None and self._is_repeated(trade):
            return ()
        window = None if reason else self._windows.at(self._timeframe.next_close(trade.at_ms))
        if window is None:
            return (Refused(trade.at_ms, reason or "too_old"),)
        self._arrivals += 1
        window.content.put(trade, self._arrivals)
        self._newest = max(self._newest, trade.at_ms)
        outcomes: list[Bar | GivenUp] = []
        if window.was_given:
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

    def _is_repeated(self, trade: Trade) -> bool:
        """Whether its time and id were seen; from now on they were."""
        if trade.id is None:
            return False
        key = trade.at_ms, trade.id
        if key in self._ids:
            return True
        self._ids[key] = None
        if len(self._ids) > IDS_REMEMBERED:
            self._ids.popitem(last=False)  # of a dict, the first takes longer and longer to find
        return False

    def _overtaken(self) -> Iterator[Bar | GivenUp]:
        """What becomes of the open windows that end a grace before the latest trade."""
        for window in self._windows.open():
            if self._newest < window.due_at:
                continue
            if self._windows.covers(window):
                yield from self._windows.give(window)
            else:
                yield self._windows.give_up(window)


def _refusal(trade: Trade, now: WallMs) -> RefusalReason | None:
    if trade.at_ms > now + CLOCKS_DIFFER_MS:
        return "future"
    if math.isfinite(trade.price) and 0 <= trade.size <= MOST_VOLUME:
        return None
    return "invalid"


def _add(parts: list[float], value: float) -> None:
    """Add ``value`` to the sum of ``parts`` without loss; few parts, however many were added.

    Source: Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric
    Predicates" (1997), grow-expansion, which ``math.fsum`` uses too.
    """
    kept = 0
    for part in parts:
        larger, smaller = (value, part) if abs(value) >= abs(part) else (part, value)
        value = larger + smaller
        if rest := smaller - (value - larger):
            parts[kept] = rest
            kept += 1
    parts[kept:] = [value]
