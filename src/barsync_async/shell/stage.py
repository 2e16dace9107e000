"""A component's step from some events to others: inline without a loop, a worker task with one."""

import asyncio
from collections.abc import Callable

from barsync_async.messages import EventType
from barsync_async.shell.bus import EventBus, Handler
from barsync_async.shell.subscription import Subscription


class Stage:
    """Calls ``handle`` with each event of the given types, in order, one at a time.

    Until :meth:`run` it is called inline by the publisher. From then on it has its own bounded
    queue and task, and the container's turn waits for it.
    """

    def __init__(
        self, bus: EventBus, name: str, event_types: tuple[EventType, ...], handle: Handler
    ) -> None:
        self._bus = bus
        self._name = name
        self._event_types = event_types
        self._handle = handle
        self._inline: list[Callable[[], None]] = [
            bus.subscribe(event_type, handle) for event_type in event_types
        ]
        self._queue: Subscription | None = None

    def queue(self) -> Subscription:
        """End the inline calls; events come by this queue from now on."""
        while self._inline:
            self._inline.pop()()
        if self._queue is None:
            self._queue = self._bus.subscribe_queue(
                *self._event_types, name=self._name, holds_turn=True
            )
        return self._queue

    async def run(self) -> None:
        """Work until :meth:`stop`."""
        queue = self.queue()
        async for event in queue:
            self._handle(event)
        queue.done()

    async def caught_up(self) -> None:
        """Until all events that are there have been handled; for one that runs. Safe to cancel."""
        while self.queue().holding:  # noqa: ASYNC110 - its task is at it in the next iteration
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Take nothing new; what waits is still worked on. Before :meth:`run`, nothing is."""
        self.queue().close()
