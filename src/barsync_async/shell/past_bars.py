"""Which past bars of a feed's sources are wanted, and their way here."""

from collections.abc import Mapping, Sequence

import anyio
import structlog

from barsync_async.messages import Bar
from barsync_async.ports import Clock
from barsync_async.shell.backfill import Backfill, HandOn
from barsync_async.shell.producer import Producer
from barsync_async.units import TIMEFRAMES, SourceId, WallMs, split_source
from barsync_async.venues.history.exchange import Span
from barsync_async.venues.outcomes import Rejection

_WITHIN_S = 60.0
_LOOK_AGAIN_S = 2.0
_REVISED = 2
_MOST_MISSED = 1_000  # bars of a source, after a long outage

log = structlog.get_logger("barsync.backfill")


class PastBars:
    """What the history of one feed's venue has for it.

    Args:
        feed: its name, for the log.
        producers: where each source's bars go; they know the newest of each.
        backfill: asks the venue.
        clock: says what is past.
        settle_ms: how long after its end a bar may change at the venue.
    """

    def __init__(
        self,
        feed: str,
        producers: Mapping[SourceId, Producer],
        backfill: Backfill,
        *,
        clock: Clock,
        settle_ms: int,
    ) -> None:
        self._producers = producers
        self._backfill = backfill
        self._clock = clock
        self._settle_ms = settle_ms
        self._reached: dict[SourceId, WallMs | None] | None = None  # None: there is no gap
        self._log = log.bind(feed=feed)

    async def last(self, bars: int) -> Sequence[Bar | Rejection]:
        """The last ``bars`` of the shortest source, and of each longer one those of the same time
        and at least the last; what cannot be got within a minute is left out. Safe to cancel.
        """
        found: list[Bar | Rejection] = []

        async def keep(items: Sequence[Bar | Rejection]) -> None:
            found.extend(items)

        shortest = min(_length_ms(source) for source in self._producers)
        start = WallMs(self._now() - bars * shortest)
        with anyio.move_on_after(_WITHIN_S) as scope:
            await self._backfill.fetch(self._since(start), keep)
        if scope.cancelled_caught:
            self._log.warning("past bars took too long", bars=len(found))
        return found

    def begin(self) -> None:
        """A connection is there after one was lost, or none was: what is later than the newest bar
        that we have now is missed. Where the last gap was not made up for, it is still open.
        """
        open_gap = self._reached or {}
        self._reached = {
            source: open_gap.get(source) or each.newest for source, each in self._producers.items()
        }

    async def make_up(self, hand_on: HandOn) -> None:
        """What was missed, at most a thousand bars of each source. The venue may show a bar only
        some time after its end, so what is not there is asked for once more; the last bars that we
        have may have been revised, so they are asked for again. Safe to cancel: the gap stays open.
        """

        async def note(items: Sequence[Bar | Rejection]) -> None:
            await hand_on(items)
            for item in items:
                if isinstance(item, Bar):
                    self._reach(item.source, item.timestamp)

        await self._backfill.fetch(self._missed(again=_REVISED), note)
        if self._missed(again=0):
            await anyio.sleep(_LOOK_AGAIN_S)
            await self._backfill.fetch(self._missed(again=0), note)
        self._reached = None

    def _reach(self, source: SourceId, timestamp: WallMs) -> None:
        if self._reached is not None:
            self._reached[source] = max(self._reached[source] or timestamp, timestamp)

    def _missed(self, *, again: int) -> list[Span]:
        """What is later than what we have reached, and so many bars before it again."""
        spans = []
        for source, reached in (self._reached or {}).items():
            length_ms, until = _length_ms(source), self._until(source)
            after = until - length_ms
            if reached is not None:
                after = max(reached - again * length_ms, until - _MOST_MISSED * length_ms)
            if after < until:
                spans.append(Span(source, WallMs(after), until))
        return spans

    def _since(self, start: WallMs) -> list[Span]:
        """Of each source, its bars since ``start`` and at least the last."""
        spans = []
        for source in self._producers:
            until = self._until(source)
            after = min(start, until - _length_ms(source))
            spans.append(Span(source, WallMs(after), until))
        return spans

    def _until(self, source: SourceId) -> WallMs:
        """When the last bar of ``source`` that is over, and settled, was."""
        timeframe = TIMEFRAMES[split_source(source)[1]]
        return WallMs(timeframe.next_close(self._now()) - timeframe.length_ms)

    def _now(self) -> WallMs:
        return WallMs(self._clock.now().wall - self._settle_ms)


def _length_ms(source: SourceId) -> int:
    return TIMEFRAMES[split_source(source)[1]].length_ms
