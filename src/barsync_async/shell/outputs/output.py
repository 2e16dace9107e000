"""One output: a subscription, a sink, and the task between them."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from barsync_async.messages import EventType
from barsync_async.ports import Sink
from barsync_async.shell.bus import EventBus, OverflowPolicy, Subscription

T = TypeVar("T")

_CAPACITY = 4_096


class Output:
    """Writes the events of some types, in order, in a thread of its own: a slow disk or reader
    never delays a deadline. Where it cannot keep up, the sets wait; none is lost.
    """

    def __init__(self, sink: Sink, buses: Sequence[EventBus], events: Sequence[EventType]) -> None:
        self._sink = sink
        self._subscriptions = [
            bus.subscribe_queue(
                *events,
                name=f"output {sink.name}",
                capacity=_CAPACITY,
                overflow=OverflowPolicy.BLOCK,
            )
            for bus in buses
        ]
        self._thread = ThreadPoolExecutor(1, f"output-{sink.name}")

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """One queue for each container."""
        return self._subscriptions

    async def open(self) -> None:
        """Raises OutputError where the target cannot be written."""
        await self._in_thread(self._sink.open)

    async def write_from(self, subscription: Subscription) -> None:
        """Write one container's events until its subscription is closed."""
        while events := await subscription.take():
            await self._in_thread(lambda batch=events: self._sink.write(batch))  # type: ignore[misc]

    def stop(self) -> None:
        """Take nothing new; what waits is still written."""
        for subscription in self._subscriptions:
            subscription.close()

    async def close(self) -> None:
        """Make everything durable."""
        await self._in_thread(self._sink.close)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
