"""Whether each source is live, idle or down.

::

    status   event                                    next
    -------  ---------------------------------------  ----
    live     missed ``idle_after`` slots in a row     idle
    live     no feed that carries it is connected     down
    idle     a bar                                    live
    idle     no feed that carries it is connected     down
    down     a feed that carries it is connected      live

A feed whose venue has refused a source does not carry it until it is connected anew.
"""

from collections.abc import Iterator, Sequence

from barsync_async.messages import SourceStatus
from barsync_async.units import Instant, MonoNs, SourceId

HEALTHY_LAG_NS = 25_000_000
"""A seal later than this after its deadline tells of the machine, not of the source."""


class Liveness:
    """The state of every source.

    ``uneasy`` are the sources for which a bar alters something here; ``excluded`` those that are
    not waited for until their next bar.

    Args:
        sources: by index.
        carriers: the feeds of each; empty where none is named, and such a source is never down.
        idle_after: how many missed slots make a source idle; 0: never.
        exclude_idle: whether idle and down sources are excluded.
    """

    def __init__(
        self,
        sources: Sequence[SourceId],
        carriers: Sequence[tuple[str, ...]],
        *,
        idle_after: int,
        exclude_idle: bool,
    ) -> None:
        self._sources = sources
        self._carriers = carriers
        self._idle_after = idle_after
        self._exclude_idle = exclude_idle
        self._misses = [0] * len(sources)
        self._up_since: dict[str, MonoNs] = {}
        self._told: set[str] = set()
        self._once_up: set[str] = set()
        self._refused: set[tuple[int, str]] = set()
        self.status: list[SourceStatus | None] = [None] * len(sources)  # None: live from the start
        self.uneasy: set[int] = set()
        self.excluded: set[int] = set()

    def on_connection(self, feed: str, *, up: bool, now: Instant) -> Iterator[SourceStatus]:
        """``feed`` has a new connection, or lost it; gives every change of status."""
        self._told.add(feed)
        self._refused = {each for each in self._refused if each[1] != feed}
        if up:
            self._up_since[feed] = now.mono
            self._once_up.add(feed)
        else:
            self._up_since.pop(feed, None)
        for index, carriers in enumerate(self._carriers):
            if feed in carriers:
                yield from self._on_reach(index, now)

    def on_refused(self, index: int, feed: str, now: Instant) -> Iterator[SourceStatus]:
        """The venue of ``feed`` will not send this source; gives the change of status, if any."""
        self._refused.add((index, feed))
        yield from self._on_reach(index, now)

    def _on_reach(self, index: int, now: Instant) -> Iterator[SourceStatus]:
        carriers = self._carriers[index]
        reached = any(
            feed in self._up_since and (index, feed) not in self._refused for feed in carriers
        )
        lost = not reached and not self._once_up.isdisjoint(carriers)
        if lost and not self._is(index, "down"):
            self._misses[index] = 0
            yield self._turn(index, "down", now)
        elif reached and self._is(index, "down"):
            yield self._turn(index, "live", now)

    def on_bar(self, index: int, now: Instant) -> SourceStatus | None:
        """A bar of an uneasy source; gives the change of status that it makes, if any."""
        self._misses[index] = 0
        self.excluded.discard(index)
        self.uneasy.discard(index)
        return self._turn(index, "live", now) if self._is(index, "idle") else None

    def on_missed(self, index: int, opened_at: MonoNs, now: Instant) -> SourceStatus | None:
        """It did not deliver for a slot that opened at ``opened_at``; gives the change."""
        if not self._idle_after or not self._was_connected(index, opened_at):
            return None
        self._misses[index] += 1
        self.uneasy.add(index)
        if self._misses[index] < self._idle_after or self._is(index, "idle"):
            return None
        return self._turn(index, "idle", now)

    def _was_connected(self, index: int, since: MonoNs) -> bool:
        carriers = [feed for feed in self._carriers[index] if feed in self._told]
        if not carriers:
            return True
        return any(
            self._up_since.get(feed, since + 1) <= since and (index, feed) not in self._refused
            for feed in carriers
        )

    def _is(self, index: int, status: str) -> bool:
        now = self.status[index]
        return (now.status if now is not None else "live") == status

    def _turn(self, index: int, status: str, now: Instant) -> SourceStatus:
        change = SourceStatus(
            timestamp=now.wall,
            source=self._sources[index],
            status=status,  # type: ignore[arg-type]  # one of the three
            since=now.wall,
        )
        self.status[index] = change
        if status != "live":
            self.uneasy.add(index)
            if self._exclude_idle:
                self.excluded.add(index)
        return change
