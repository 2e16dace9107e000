"""One task per source between the connections that carry it and the synchronizers that want it."""

import logging
from collections.abc import Sequence

import structlog

from barsync_async.messages import Bar
from barsync_async.ports import Arrival
from barsync_async.shell.intake import Inbox, Intake

_CAPACITY = 4_096

log = structlog.get_logger("barsync.producer")


class Producer:
    """Pushes what arrives for one source into every synchronizer that expects it.

    A full inbox holds the producer, a full producer holds the connection, and a held connection
    stops reading its socket: nothing is dropped on the way.
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
            self._trace(arrivals)
            for inbox in self._inboxes:
                await inbox.put(arrivals)
            for arrival in arrivals:
                self._intake.leave(arrival.at)

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
