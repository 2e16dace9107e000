"""What was read from the sockets and has not reached the synchronizer yet.

A set is sealed only after all that had been read is in it. :class:`Intake` is how the
synchronizer knows: every frame and bar on its way is counted here from the moment of its reading
until it lies in the inbox.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from barsync_async.ports import Clock
from barsync_async.units import NS_PER_MS

T = TypeVar("T")

_PATIENCE_NS = 25 * NS_PER_MS
_ITERATIONS = 1_000
_QUIET_ITERATIONS = 2  # on the standard loop a task runs before the reads of its own iteration
_BRIEF = 16


class Intake:
    """Counts what is on its way; one for all feeds of a daemon."""

    def __init__(self) -> None:
        self.frames_read = 0
        self.under_way = 0

    def read(self) -> None:
        """A frame was read from its socket."""
        self.frames_read += 1
        self.under_way += 1

    def enter(self, count: int = 1) -> None:
        """So many items more are on their way."""
        self.under_way += count

    def leave(self, count: int = 1) -> None:
        """So many arrived, or turned out to be nothing."""
        self.under_way -= count

    async def settle(self, clock: Clock, *, full: Callable[[], bool]) -> None:
        """Before a seal: wait until a whole loop iteration reads nothing and nothing is on its way.

        Gives up after 25 ms, and at once when the inbox is ``full``. Safe to cancel.
        """
        until = clock.now().mono + _PATIENCE_NS
        quiet = 0
        for _ in range(_ITERATIONS):
            before = self.frames_read
            await asyncio.sleep(0)
            quiet = quiet + 1 if self.frames_read == before and not self.under_way else 0
            if quiet >= _QUIET_ITERATIONS or full() or clock.now().mono > until:
                return

    async def gather(self, *, full: Callable[[], bool]) -> None:
        """Before bars are taken in: let those that are on their way arrive, briefly."""
        for _ in range(_BRIEF):
            if not self.under_way or full():
                return
            await asyncio.sleep(0)


class Inbox(Generic[T]):
    """A bounded queue whose reader takes everything at once.

    A burst costs the reader one wake. A writer waits while the queue is full, so nothing is
    dropped and its own source is read no further.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._items: deque[T] = deque()
        self._changed = asyncio.Event()
        self._room: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        """Whether a writer must wait."""
        return len(self._items) >= self.capacity

    @property
    def finished(self) -> bool:
        """Whether it is closed and everything was taken."""
        return self._closed and not self._items

    def put_nowait(self, item: T) -> bool:
        """Put ``item`` in; False, and nothing done, where the queue is full."""
        if self.full:
            return False
        self._items.append(item)
        self._changed.set()
        return True

    async def put(self, items: Iterable[T]) -> None:
        """Put all ``items`` in, in order. Cancelled, it has put in a part of them."""
        for item in items:
            while not self.put_nowait(item):
                await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._room:
                self._room.remove(waiter)

    def take(self) -> list[T]:
        """Everything that lies here, oldest first; empty where nothing does."""
        items = list(self._items)
        self._items.clear()
        while self._room:
            waiter = self._room.popleft()
            if not waiter.done():
                waiter.set_result(None)
        return items

    async def wait(self) -> None:
        """Until something was put in, :meth:`wake` was called, or it was closed. Safe to cancel."""
        await self._changed.wait()
        if not self._closed:
            self._changed.clear()

    def wake(self) -> None:
        """Let the reader look around though nothing was put in."""
        self._changed.set()

    def close(self) -> None:
        """Nothing more comes; the reader takes what is left."""
        self._closed = True
        self._changed.set()
