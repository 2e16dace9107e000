"""Which past bars of a feed's sources are wanted, and their way here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import anyio
import structlog

from barsync_async.messages import Bar
from barsync_async.ports import Clock
from barsync_async.shell.feeds.backfill import Backfill, HandOn
from barsync_async.shell.feeds.producer import Producer
from barsync_async.units import TIMEFRAMES, SourceId, WallMs, split_source
from barsync_async.venues.fields import end_of, oldest_first
from barsync_async.venues.history.exchange import Span
from barsync_async.venues.outcomes import Rejection

_WITHIN_S = 60.0
_LOOKS, _LOOK_AGAIN_S = 2, 2.0
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
        self._known: dict[SourceId, WallMs | None] = {}
        self.is_filled = True
        """Whether nothing is missed, or all of it was asked for."""
        self._log = log.bind(feed=feed)

    def note_outage(self) -> None:
        """A connection opened where there was none: from the newest bar of now on, bars may have
        been missed, whatever the venue tells of its own accord before its history answers. A
        snapshot of the last few is newer than what is missed and must not hide it. Nor must what
        came between two outages, where the first one was not made up for yet.
        """
        unfilled = {} if self.is_filled else self._known
        self._known = {
            source: unfilled.get(source) or each.newest for source, each in self._producers.items()
        }
        self.is_filled = False

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
            await self._backfill.fetch(self._spans({}, start), keep)
        if scope.cancelled_caught:
            self._log.warning("past bars took too long", bars=len(found))
        return found

    async def missed(self, within_s: float) -> Sequence[Bar | Rejection]:
        """What is newer than each source's newest bar at :meth:`note_outage`, at most a thousand
        bars of each, and the last ones before, which may have been revised; what does not come in
        time is left to :meth:`hand_on_missed`. Say :meth:`note` once they are handed on. Safe to
        cancel.
        """
        found: list[Bar | Rejection] = []

        async def keep(items: Sequence[Bar | Rejection]) -> None:
            found.extend(items)

        with anyio.move_on_after(within_s):
            await self._backfill.fetch(self._spans(self._known, again=_REVISED), keep)
        return found

    async def hand_on_missed(self, hand_on: HandOn) -> None:
        """What :meth:`missed` did not give, page by page. The venue may show a bar only some time
        after its end, so what is not there is asked for twice.
        """

        async def keep(items: Sequence[Bar | Rejection]) -> None:
            await hand_on(items)
            self.note(items)

        for look in range(_LOOKS):
            if look:
                await anyio.sleep(_LOOK_AGAIN_S)
            if not (spans := self._spans(self._known)):
                break
            await self._backfill.fetch(spans, keep)
        self.is_filled = True

    def note(self, items: Sequence[Bar | Rejection]) -> None:
        """``items`` are handed on: they need not be asked for again."""
        for item in items:
            if isinstance(item, Bar):
                known = self._known.get(item.source)
                self._known[item.source] = max(known or item.timestamp, item.timestamp)

    def _spans(
        self,
        known: Mapping[SourceId, WallMs | None],
        start: WallMs | None = None,
        *,
        again: int = 0,
    ) -> list[Span]:
        """What lies behind ``start``, and at least the last bar; or behind what is ``known``, and
        so many bars before that ``again``.
        """
        spans = [self._span(each, known.get(each), start, again) for each in self._producers]
        return [span for span in spans if span is not None]

    def _span(
        self, source: SourceId, known: WallMs | None, start: WallMs | None, again: int
    ) -> Span | None:
        length_ms = _length_ms(source)
        until = WallMs(TIMEFRAMES[split_source(source)[1]].next_close(self._now()) - length_ms)
        if start is not None:
            after = min(start, until - length_ms)
        elif known is None:
            after = until - length_ms
        else:
            after = max(known - again * length_ms, until - _MOST_MISSED * length_ms)
        return Span(source, WallMs(after), until) if after < until else None

    def _now(self) -> WallMs:
        return WallMs(self._clock.now().wall - self._settle_ms)


def _length_ms(source: SourceId) -> int:
    return TIMEFRAMES[split_source(source)[1]].length_ms


def in_order(items: Iterable[Bar | Rejection]) -> Iterator[Sequence[Bar | Rejection]]:
    """One timestamp after the other: its set is whole before a later one opens, however few a
    synchronizer keeps open.
    """
    for _, of_one in groupby(oldest_first(items), key=end_of):
        yield list(of_one)
