"""One output: a subscription, a sink, and the task between them."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog

from barsync_async.errors import Overflow
from barsync_async.messages import EventType
from barsync_async.ports import Sink
from barsync_async.shell.bus import EventBus
from barsync_async.shell.subscription import OverflowPolicy, Subscription

T = TypeVar("T")

log = structlog.get_logger("barsync.output")


class Output:
    """Writes the events of some types, in order, in a thread of its own: a slow disk or reader
    never delays a deadline.

    Args:
        sink: where to.
        buses: of the containers whose events it writes.
        events: which of them.
        queue: how many of each container may wait.
        overflow: what happens when as many do.
    """

    def __init__(
        self,
        sink: Sink,
        buses: Sequence[EventBus],
        events: Sequence[EventType],
        *,
        queue: int = 4_096,
        overflow: OverflowPolicy = OverflowPolicy.BLOCK,
    ) -> None:
        self._sink = sink
        self.cut_off: Overflow | None = None
        """Why it writes no more; None while it goes on."""
        self._subscriptions = [
            bus.subscribe_queue(
                *events,
                name=f"output {sink.name}",
                capacity=queue,
                overflow=overflow,
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
        """Write one container's events until its subscription is closed, or cut off."""
        try:
            while events := await subscription.take():
                await self._in_thread(lambda batch=events: self._sink.write(batch))  # type: ignore[misc]
        except Overflow as error:
            self.cut_off = error
            log.error("cut off", output=self._sink.name, detail=str(error))  # noqa: TRY400 - told

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
