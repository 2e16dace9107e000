"""What was read from the sockets and has not reached the synchronizer yet.

A set is sealed only after all that had been read is in it. :class:`Intake` is how the
synchronizer knows: every frame, every bar and every end of a connection is counted here from the
moment of its reading until it lies in the inbox.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from barsync_async.ports import Clock
from barsync_async.shell.gate import Gate
from barsync_async.units import NS_PER_MS, Instant, MonoNs

T = TypeVar("T")

PATIENCE_NS = 25 * NS_PER_MS
"""How long after a deadline new reads are still let in."""

_QUIET_ITERATIONS = 2  # on the standard loop a task runs before the reads of its own iteration
_STUCK_ITERATIONS = 1_000
_BRIEF = 16


class Intake:
    """Counts what is on its way, by the moment at which it was read; one for all feeds of a
    daemon.
    """

    def __init__(self) -> None:
        self.gate = Gate()
        """Which feeds may read on."""
        self.frames_read = 0
        self._under_way: dict[MonoNs, int] = {}
        self._emptied: asyncio.Event | None = None

    @property
    def under_way(self) -> int:
        """How much was read and has not arrived."""
        return sum(self._under_way.values())

    def read(self, at: Instant) -> None:
        """A frame was read from its socket."""
        self.frames_read += 1
        self.enter(at)

    def enter(self, at: Instant) -> None:
        """One item more, read at ``at``, is on its way."""
        self._under_way[at.mono] = self._under_way.get(at.mono, 0) + 1

    def leave(self, at: Instant) -> None:
        """One that was read at ``at`` arrived, or turned out to be nothing."""
        left = self._under_way[at.mono] - 1
        if left:
            self._under_way[at.mono] = left
        else:
            del self._under_way[at.mono]
            if self._emptied is not None and not self._under_way:
                self._emptied.set()
                self._emptied = None

    def is_behind(self, moment: int) -> bool:
        """Whether something read by ``moment`` is still on its way."""
        return any(at <= moment for at in self._under_way)

    async def settle(self, clock: Clock, *, until: int, full: Callable[[], bool]) -> bool:
        """Before a seal: wait until a whole loop iteration reads nothing and nothing is on its way.

        After ``until`` it waits no longer for new reads, but still for all that was read by then,
        as long as that moves: what another container's full inbox holds up is not waited for.
        Safe to cancel.

        Returns:
            Whether that is so; False at once when the inbox is ``full``: take out what lies there
            and call again.
        """
        quiet = still = 0
        while not full():
            before = self.frames_read, self.under_way
            await asyncio.sleep(0)
            moved = (self.frames_read, self.under_way) != before
            still = 0 if moved else still + 1
            quiet = 0 if moved or self._under_way else quiet + 1
            late = clock.now().mono > until
            enough = quiet >= _QUIET_ITERATIONS or still >= _STUCK_ITERATIONS
            if enough or (late and not self.is_behind(until)):
                return True
        return False

    async def empty(self) -> None:
        """Until nothing is on its way. Safe to cancel."""
        if self._under_way:
            self._emptied = self._emptied or asyncio.Event()
            await self._emptied.wait()

    async def gather(self, *, full: Callable[[], bool]) -> None:
        """Before bars are taken in: let those that are on their way arrive, briefly."""
        for _ in range(_BRIEF):
            if not self._under_way or full():
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
        return not self.has_room_for(1)

    def has_room_for(self, count: int) -> bool:
        """Whether so many items can be put in at once."""
        return len(self._items) + count <= self.capacity

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

    def put_some(self, items: Sequence[T]) -> int:
        """Put in as many of ``items`` as there is room for, in order; gives how many."""
        room = self.capacity - len(self._items)
        some = items if len(items) <= room else items[: max(0, room)]
        if some:
            self._items.extend(some)
            self._changed.set()
        return len(some)

    async def put(self, items: Sequence[T]) -> None:
        """Put all ``items`` in, in order. Cancelled, it has put in a part of them."""
        while items := items[self.put_some(items) :]:
            await self.room()

    async def room(self) -> None:
        """Until the reader has taken something. Safe to cancel."""
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


def put_in_each(inboxes: Sequence[Inbox[T]], items: Sequence[T]) -> bool:
    """Put all ``items`` into each inbox; False, and nothing done, where one has too little room."""
    fits = all(inbox.has_room_for(len(items)) for inbox in inboxes)
    if fits:
        for inbox in inboxes:
            inbox.put_some(items)
    return fits
