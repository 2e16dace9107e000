"""One source made of another's bars, or of trades, as they come over one feed."""

from collections.abc import Callable, Iterable, Sequence

import structlog

from barsync_async.aggregation.bars import BarAggregator
from barsync_async.aggregation.outcomes import Outcome, Refused
from barsync_async.aggregation.trades import TradeAggregator
from barsync_async.messages import Bar
from barsync_async.ports import Arrival, ConnectionChange
from barsync_async.units import (
    TRADES,
    Instant,
    MonoNs,
    SourceId,
    WallMs,
    split_source,
    split_stream,
)
from barsync_async.venues.outcomes import Rejection, Traded

_NEVER = Instant(MonoNs(0), WallMs(0))

log = structlog.get_logger("barsync.derived")


class Derived:
    """Bars of ``source`` made of those of ``parts``, or of its trades, which ``feed`` carries.

    Args:
        feed: whose connection vouches for silent intervals.
        source: the longer one.
        parts: the shorter one, or a stream of trades.
        grace_ms: how long after its end a bar waits for parts where silence holds it open.
        heard_at: when the connection was last heard.
    """

    def __init__(
        self,
        feed: str,
        source: SourceId,
        parts: SourceId,
        *,
        grace_ms: int,
        heard_at: Callable[[], WallMs | None],
    ) -> None:
        self.source = source
        self._feed = feed
        (symbol, shorter), (_, longer) = split_stream(parts), split_source(source)
        self._aggregator = (
            TradeAggregator(symbol, longer, grace_ms)
            if shorter == TRADES
            else BarAggregator(symbol, shorter, longer, grace_ms)
        )
        self._heard_at = heard_at
        self._is_up = False
        self._doubted_at: WallMs | None = None
        self._last = Arrival(_NEVER, feed, 0, ConnectionChange(up=False))
        self._log = log.bind(feed=feed, source=source)

    def on_arrivals(self, arrivals: Sequence[Arrival], now: Instant) -> list[Arrival]:
        """What ``arrivals`` of the parts, and changes of the connection, give; it is ``now``."""
        made: list[Arrival] = []
        for arrival in arrivals:
            if arrival.feed != self._feed:
                continue
            self._last = arrival
            if isinstance(arrival.item, Bar | Traded):
                made += self._on_part(arrival.item, arrival.at.wall, now)
            elif isinstance(arrival.item, ConnectionChange):
                self._on_change(arrival.item, now)
            elif isinstance(arrival.item, Rejection):
                self._doubt(now)
        return made

    def _on_part(self, part: Bar | Traded, at: WallMs, now: Instant) -> Iterable[Arrival]:
        outcomes = self._taken(part, at)
        if any(isinstance(each, Refused) and each.reason != "too_old" for each in outcomes):
            self._doubt(now)
        else:
            self._trust_again(part)
        return self._made(outcomes)

    def _on_change(self, change: ConnectionChange, now: Instant) -> None:
        """It counts from ``now``, not from its arrival: the wall clock may have been set since."""
        if self._doubted_at is None or not change.up:
            self._doubted_at = None
            self._is_up = change.up
            self._aggregator.on_connection(change.up, now.wall)

    def _doubt(self, now: Instant) -> None:
        """Whether what is missing was silent, nobody knows any more: the connection vouches for
        nothing until a part says what time it is at the venue.
        """
        if self._is_up:
            self._doubted_at = now.wall
            self._aggregator.on_connection(up=False, now=now.wall)

    def _trust_again(self, part: Bar | Traded) -> None:
        """What is later than ``part`` is yet to come, unless it was asked for itself."""
        is_asked_for = isinstance(part, Bar) and part.backfilled is True
        if self._doubted_at is not None and not is_asked_for:
            time = part.timestamp if isinstance(part, Bar) else part.trade.at_ms
            since = WallMs(max(self._doubted_at, time))
            self._doubted_at = None
            self._aggregator.on_connection(up=True, now=since)

    def _taken(self, item: Bar | Traded, now: WallMs) -> Sequence[Outcome]:
        if isinstance(self._aggregator, TradeAggregator):
            return self._aggregator.on_trade(item.trade, now) if isinstance(item, Traded) else ()
        return self._aggregator.on_bar(item, now) if isinstance(item, Bar) else ()

    def on_clock_step(self, now: Instant) -> None:
        """Somebody set the wall clock: by which of the two did the connection begin when?"""
        self._doubt(now)

    def on_clock(self, now: Instant) -> list[Arrival]:
        """What the clock alone gives."""
        self._last = self._last._replace(at=now)
        return list(self._made(self._aggregator.on_clock(now.wall, self._heard_at())))

    def due_at(self) -> WallMs | None:
        """When to call :meth:`on_clock` next."""
        return self._aggregator.due_at()

    def _made(self, outcomes: Iterable[Outcome]) -> Iterable[Arrival]:
        for outcome in outcomes:
            if isinstance(outcome, Bar):
                yield self._last._replace(item=outcome)
            elif isinstance(outcome, Refused):
                yield self._last._replace(item=self._rejection(outcome))
            else:
                self._log.warning("no bar", timestamp=outcome.timestamp, reason=outcome.reason)

    def _rejection(self, refused: Refused) -> Rejection:
        """Whoever waits for the bars counts it."""
        detail = f"a part of {self.source} at {refused.timestamp}"
        self._log.warning("rejected", reason=refused.reason, detail=detail)
        return Rejection(refused.reason, detail)
