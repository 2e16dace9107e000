"""The running bars of one source, from venues that never say which is the last, made final."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from barsync_async.messages import Bar
from barsync_async.ports import Arrival, ConnectionChange
from barsync_async.units import Instant, WallMs
from barsync_async.venues.finality import Finality
from barsync_async.venues.outcomes import Running


class _Stream(NamedTuple):
    finality: Finality
    heard_at: Callable[[], WallMs | None]


class FinalBars:
    """Decides by a :class:`~barsync_async.venues.finality.Finality` for each feed."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._last: dict[str, Arrival] = {}

    def add(self, feed: str, grace_ms: int, heard_at: Callable[[], WallMs | None]) -> None:
        """``feed`` sends running bars; ``heard_at`` tells when its connection was last heard."""
        self._streams[feed] = _Stream(Finality(grace_ms), heard_at)

    def decided(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """What of ``arrivals``, or of what came before, is final now; and all that is no bar."""
        out: list[Arrival] = []
        for arrival in arrivals:
            if isinstance(arrival.item, Running):
                out += self._on_running(arrival, arrival.item.bar)
                continue
            stream = self._streams.get(arrival.feed)  # None: one that says which bars are final
            is_loss = isinstance(arrival.item, ConnectionChange) and not arrival.item.up
            if stream is not None and is_loss:
                stream.finality.on_lost()
            out.append(arrival)
        return out

    def _on_running(self, arrival: Arrival, bar: Bar) -> list[Arrival]:
        self._last[arrival.feed] = arrival
        finality = self._streams[arrival.feed].finality
        return [arrival._replace(item=item) for item in finality.on_running(bar, arrival.at.wall)]

    def on_clock(self, now: Instant) -> list[Arrival]:
        """What the clock alone makes final."""
        out: list[Arrival] = []
        for feed, stream in self._streams.items():
            final = stream.finality.on_clock(now.wall, stream.heard_at())
            out += [self._last[feed]._replace(at=now, item=bar) for bar in final]
        return out

    def due_at(self) -> WallMs | None:
        """When to call :meth:`on_clock` next; None while nothing waits for the clock."""
        due = [stream.finality.due_at() for stream in self._streams.values()]
        return min((when for when in due if when is not None), default=None)
