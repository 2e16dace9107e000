"""One output: a subscription, a sink, and the task between them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import anyio
import structlog

from barsync_async.errors import BarsyncError, OutputStuck, Overflow
from barsync_async.messages import EventType
from barsync_async.ports import Sink
from barsync_async.shell.bus import EventBus
from barsync_async.shell.subscription import OverflowPolicy, Subscription
from barsync_async.shell.thread import AbandonableThread

T = TypeVar("T")

PATIENCE_S = 5.0
"""A target that does not take one batch in this time will not, as far as a stop is concerned."""

_LOOK_S = 0.1

log = structlog.get_logger("barsync.output")


class Output:
    """Writes the events of some types, in order, in a thread of its own: a slow disk or reader
    never delays a deadline. Where it cannot keep up, ``overflow`` says what happens.

    Args:
        sink: writes them.
        buses: one for each container.
        events: which types.
        queue: how many events of a container may wait.
        overflow: what happens to more.
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
        self.failure: BarsyncError | None = None
        """Why it ended before the others did; None: it did not."""
        self.finished = anyio.Event()
        """Set once nothing more will be written."""
        self._sink = sink
        self._subscriptions = [
            bus.subscribe_queue(
                *events, name=f"output {sink.name}", capacity=queue, overflow=overflow
            )
            for bus in buses
        ]
        self._left = len(self._subscriptions)
        self._writing: list[anyio.CancelScope] = []
        self._thread = AbandonableThread(f"output-{sink.name}")
        self._calls = 0
        self._in_call = False
        self._in_hand = 0

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
            with anyio.CancelScope() as scope:
                self._writing.append(scope)
                await self._write_all(subscription)
        except Overflow as error:
            self.failure = error
        self._left -= 1
        if not self._left:
            self.finished.set()

    async def _write_all(self, subscription: Subscription) -> None:
        while events := await subscription.take():
            self._in_hand += len(events)
            await self._in_thread(lambda batch=events: self._sink.write(batch))  # type: ignore[misc]
            self._in_hand -= len(events)

    def stop(self) -> None:
        """Take nothing new; what waits is still written."""
        for subscription in self._subscriptions:
            subscription.close()

    async def close(self) -> None:
        """Make everything durable.

        Raises:
            OutputError: it cannot be.
            OutputStuck: the target still does not take what it was given.
        """
        if not isinstance(self.failure, OutputStuck):
            if await self._is_stuck():
                raise self._give_up()
            await self._in_thread(self._sink.close)
        self._thread.shutdown()

    async def watch(self) -> None:
        """While everything stops: give up a target that takes nothing, so that the rest can go on.
        Ends with the output. Safe to cancel.
        """
        while not self.finished.is_set():
            if await self._is_stuck():
                self._give_up()
                return
            with anyio.move_on_after(_LOOK_S):
                await self.finished.wait()

    async def _is_stuck(self) -> bool:
        """Whether one call of the sink lasts for all of :data:`PATIENCE_S` from now."""
        call = self._calls
        for _ in range(round(PATIENCE_S / _LOOK_S)):
            if not self._in_call or self._calls != call:
                return False
            await anyio.sleep(_LOOK_S)
        return True

    def _give_up(self) -> OutputStuck:
        """Events that were handed over may or may not have been written."""
        lost = self._in_hand + sum(each.abandon() for each in self._subscriptions)
        is_cut_off = any(each.is_cut_off for each in self._subscriptions)
        stuck = OutputStuck(self._sink.name, PATIENCE_S, lost, is_cut_off=is_cut_off)
        self.failure = stuck
        log.error("given up", output=self._sink.name, detail=str(stuck))
        for scope in self._writing:
            scope.cancel()
        return stuck

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._call, work)

    def _call(self, work: Callable[[], T]) -> T:
        self._in_call = True
        try:
            return work()
        finally:
            self._calls += 1
            self._in_call = False
