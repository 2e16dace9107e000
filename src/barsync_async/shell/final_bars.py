"""The running bars of one source, from venues that never say which is the last, made final."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from barsync_async.messages import Bar
from barsync_async.ports import Arrival, Clock, ConnectionChange, TimerHandle
from barsync_async.units import NS_PER_MS, MonoNs, WallMs
from barsync_async.venues.finality import Finality
from barsync_async.venues.outcomes import Running


class _Stream(NamedTuple):
    finality: Finality
    heard_at: Callable[[], WallMs | None]


class FinalBars:
    """Decides by a :class:`~barsync_async.venues.finality.Finality` for each feed.

    Args:
        clock: tells when silence makes a bar final.
        wake: called when :meth:`by_clock` has something to do.
    """

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._streams: dict[str, _Stream] = {}
        self._last: dict[str, Arrival] = {}
        self._timer: TimerHandle | None = None

    def add(self, feed: str, grace_ms: int, heard_at: Callable[[], WallMs | None]) -> None:
        """``feed`` sends running bars; ``heard_at`` tells when its connection was last heard."""
        self._streams[feed] = _Stream(Finality(grace_ms), heard_at)

    def decided(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """What of ``arrivals``, or of what came before, is final now; rejections too."""
        out: list[Arrival] = []
        for arrival in arrivals:
            if isinstance(arrival.item, Running):
                out += self._on_running(arrival, arrival.item.bar)
            elif isinstance(arrival.item, ConnectionChange):
                self._streams[arrival.feed].finality.on_lost()
            else:
                out.append(arrival)
        return out

    def _on_running(self, arrival: Arrival, bar: Bar) -> list[Arrival]:
        self._last[arrival.feed] = arrival
        finality = self._streams[arrival.feed].finality
        return [arrival._replace(item=item) for item in finality.on_running(bar, arrival.at.wall)]

    def by_clock(self) -> list[Arrival]:
        """What the clock alone makes final; sets the timer for what it will."""
        out: list[Arrival] = []
        for feed, stream in self._streams.items():
            now = self._clock.now()
            final = stream.finality.on_clock(now.wall, stream.heard_at())
            out += [self._last[feed]._replace(at=now, item=bar) for bar in final]
        self._set_timer()
        return out

    def stop(self) -> None:
        """Set no more timers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self.stop()
        due = [when for each in self._streams.values() if (when := each.finality.due_at())]
        if due:
            now = self._clock.now()
            wait_ns = max(0, min(due) - now.wall) * NS_PER_MS
            self._timer = self._clock.call_at(MonoNs(now.mono + wait_ns), self._wake)
