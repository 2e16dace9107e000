"""One task per source between the connections that carry it and the synchronizers that want it."""

import logging
from collections.abc import Callable, Sequence

import structlog

from barsync_async.messages import Bar
from barsync_async.ports import Arrival, Clock
from barsync_async.shell.final_bars import FinalBars
from barsync_async.shell.intake import Inbox, Intake
from barsync_async.units import WallMs

_CAPACITY = 4_096

log = structlog.get_logger("barsync.producer")


class Producer:
    """Pushes what arrives for one source into every synchronizer that expects it.

    A full inbox holds the producer, a full producer holds the connection, and a held connection
    stops reading its socket: nothing is dropped on the way. Running bars stay here until they are
    final.
    """

    def __init__(
        self,
        name: str,
        intake: Intake,
        inboxes: Sequence[Inbox[Arrival]],
        capacity: int = _CAPACITY,
    ) -> None:
        self.name = name
        self.queue: Inbox[Arrival] = Inbox(capacity)
        self._intake = intake
        self._inboxes = tuple(inboxes)
        self._final_bars: FinalBars | None = None
        self.newest: WallMs | None = None
        """The timestamp of the last bar that was handed on."""

    def decide(
        self, feed: str, grace_ms: int, heard_at: Callable[[], WallMs | None], clock: Clock
    ) -> None:
        """``feed`` sends running bars of this source: find out here which are final."""
        if self._final_bars is None:
            self._final_bars = FinalBars(clock, self.queue.wake)
        self._final_bars.add(feed, grace_ms, heard_at)

    async def offer(self, arrivals: Sequence[Arrival]) -> None:
        """Hand ``arrivals`` over; waits only where the queue is full."""
        for arrival in arrivals:
            self._intake.enter(arrival.at)
        await self.queue.put(arrivals)

    async def run(self) -> None:
        """Work until the queue is closed and empty."""
        while not self.queue.finished:
            await self.queue.wait()
            arrivals = self.queue.take()
            if self._final_bars is None:
                await self._hand_on(arrivals)
            else:
                await self._hand_on(self._final_bars.decided(arrivals))
                await self._hand_on(self._final_bars.by_clock())
            for arrival in arrivals:
                self._intake.leave(arrival.at)
        if self._final_bars is not None:
            self._final_bars.stop()

    async def _hand_on(self, arrivals: Sequence[Arrival]) -> None:
        if not arrivals:
            return
        self._trace(arrivals)
        for inbox in self._inboxes:
            await inbox.put(arrivals)
        last = arrivals[-1].item
        if type(last) is Bar:
            self.newest = last.timestamp

    def _trace(self, arrivals: Sequence[Arrival]) -> None:
        """At level debug: every bar, with the monotonic moment that decides whether it is late."""
        if log.is_enabled_for(logging.DEBUG):
            for at, feed, _, item in arrivals:
                if isinstance(item, Bar):
                    log.debug(
                        "arrived",
                        source=self.name,
                        feed=feed,
                        timestamp=item.timestamp,
                        at_ns=at.mono,
                    )
