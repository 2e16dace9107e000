"""One subscriber's queue: bounded, with a named choice of what happens when it is full."""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, Self

import msgspec
import structlog

from barsync_async.errors import Overflow
from barsync_async.messages import Event, EventType, Gap
from barsync_async.units import NS_PER_MS, MonoNs

log = structlog.get_logger("barsync.bus")


class Turns(Protocol):
    """The bus, as its subscriptions know it."""

    def hold(self) -> None:
        """A worker took on a consequence of the present set."""

    def release(self, count: int = 1) -> None:
        """So many consequences were worked out."""

    def pump(self) -> None:
        """Deliver what may go."""

    def part(self, subscription: "Subscription") -> None:
        """It takes nothing more."""


class OverflowPolicy(StrEnum):
    """What happens when a subscriber's queue is full.

    ``block``: no further set is published until it has room; nothing is lost, everybody waits.
    ``drop_oldest``: the oldest event is lost. ``latest``: only the newest is kept.
    ``disconnect``: the subscriber is cut off. Every loss is told by a GAP event.
    """

    BLOCK = "block"
    DROP_OLDEST = "drop_oldest"
    LATEST = "latest"
    DISCONNECT = "disconnect"


class SubscriptionStatistics(msgspec.Struct, frozen=True):
    """One queue as it is now, and what became of its events since the start.

    ``depth`` events wait; ``deepest`` is the most that ever did. ``oldest_age_ms``: since when the
    oldest of them is there (0 where none is), or the one that is worked on, where the next set
    waits for that. ``delivered`` were given out, ``dropped`` were lost, and told by GAP
    events. ``held_up_ms``: for how long its full queue kept the next set from everybody.
    """

    name: str
    policy: OverflowPolicy
    capacity: int
    depth: int
    deepest: int
    oldest_age_ms: float
    delivered: int
    dropped: int
    held_up_ms: float
    connected: bool


class Subscription:
    """One subscriber's own bounded queue; made by :meth:`EventBus.subscribe_queue`.

    Iterate over it. Asking for the next event says that the last one is done with.
    """

    def __init__(
        self,
        bus: Turns,
        name: str,
        capacity: int,
        policy: OverflowPolicy,
        *,
        holds: bool,
        now: Callable[[], MonoNs],
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity of {name!r} is {capacity}: expected at least 1")
        self._bus = bus
        self._now = now
        self.name = name
        self.capacity = 1 if policy is OverflowPolicy.LATEST else capacity
        self.policy = policy
        self._holds = holds
        self._held = 0
        self._held_since = MonoNs(0)
        self._events: deque[tuple[Event, MonoNs]] = deque()  # each with the moment since it waits
        self._changed = asyncio.Event()
        self._closed = False
        self.is_cut_off = False
        """Whether it fell behind and gets nothing more."""
        self._lost = 0
        self._dropped = 0
        self._delivered = 0
        self._deepest = 0
        self._held_up_ns = 0
        self._holding_up_since: MonoNs | None = None
        self._first_lost = self._last_lost = 0

    def statistics(self) -> SubscriptionStatistics:
        """Depth, age, losses."""
        return SubscriptionStatistics(
            name=self.name,
            policy=self.policy,
            capacity=self.capacity,
            depth=len(self._events),
            deepest=self._deepest,
            oldest_age_ms=self.oldest_age_ms,
            delivered=self._delivered,
            dropped=self._dropped,
            held_up_ms=self._all_held_up_ns() / NS_PER_MS,
            connected=not self._closed,
        )

    @property
    def oldest_age_ms(self) -> float:
        """Since when it has what it is not done with."""
        if not (self._held or self._events):
            return 0.0
        since = self._held_since if self._held else self._events[0][1]
        return (self._now() - since) / NS_PER_MS

    @property
    def blocking(self) -> bool:
        """Whether it asks everybody to wait."""
        full = len(self._events) >= self.capacity
        return full and self.policy is OverflowPolicy.BLOCK and not self._closed

    @property
    def holding(self) -> bool:
        """Whether the next set waits until it is done with this one."""
        return self._holds and bool(self._held or self._events)

    def offer(self, event: Event, at: MonoNs) -> None:
        """Take ``event`` in as the policy says, ``at`` this moment; never waits. For the bus."""
        if len(self._events) >= self.capacity and self.policy is not OverflowPolicy.BLOCK:
            if self.policy is OverflowPolicy.DISCONNECT:
                self.is_cut_off = True
                log.error(
                    "cut off", subscriber=self.name, capacity=self.capacity, after_seq=event.seq - 1
                )
                self.close()
                return
            self._lose(self._events.popleft()[0])
        self._events.append((event, at))
        self._deepest = max(self._deepest, len(self._events))
        if self._holds:
            self._bus.hold()
        self._changed.set()

    def hold_up(self) -> None:
        """Everybody waits for room in this queue, from now on. For the bus."""
        self._holding_up_since = self._now()

    def let_go(self) -> None:
        """They do not any more. For the bus."""
        self._held_up_ns, self._holding_up_since = self._all_held_up_ns(), None

    def _all_held_up_ns(self) -> int:
        since = self._holding_up_since
        return self._held_up_ns + (0 if since is None else self._now() - since)

    def _lose(self, event: Event) -> None:
        self._dropped += 1
        if not self._lost:
            self._first_lost = event.seq
        self._last_lost = event.seq
        self._lost += 1
        if self._holds:
            self._bus.release()

    def close(self) -> None:
        """No further events; those in the queue can still be taken."""
        self._part()
        self._changed.set()
        self._bus.pump()

    def abandon(self) -> int:
        """No further events, and those in the queue are lost as well; gives how many."""
        self._part()
        lost = len(self._events)
        while self._events:
            self._lose(self._events.popleft()[0])
        self._lost = 0  # there is no next event to tell it before
        self.done()
        self._changed.set()
        self._bus.pump()
        return lost

    def _part(self) -> None:
        if not self._closed:
            self._closed = True
            self._bus.part(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Event:
        """The next event; the iteration ends when the subscription is closed and empty.

        Raises:
            Overflow: it was cut off; the events before that have all been given out.
        """
        self.done()
        while not self._events:
            self._end_if_closed()
            self._changed.clear()
            await self._changed.wait()
        return self._next()

    def done(self) -> None:
        """All events given out so far are dealt with."""
        held, self._held = self._held, 0
        if held:
            self._bus.release(held)

    async def take(self) -> list[Event]:
        """All events that wait, at least one; an empty list when closed. Safe to cancel.

        Raises:
            Overflow: as in iteration.
        """
        try:
            first = await anext(self)
        except StopAsyncIteration:
            return []
        # What is published meanwhile, because there is room again, is for the next call.
        return [first, *(self._next() for _ in range(len(self._events)))]

    def _end_if_closed(self) -> None:
        if self.is_cut_off:
            raise Overflow(self.name, self.capacity)
        if self._closed:
            raise StopAsyncIteration

    def _next(self) -> Event:
        if self._lost:
            return self._gap()
        event, at = self._events.popleft()
        self._delivered += 1
        if self._holds:
            if not self._held:
                self._held_since = at
            self._held += 1
        if len(self._events) == self.capacity - 1:
            self._bus.pump()
        return event

    def _gap(self) -> Event:
        following, _ = self._events[0]
        gap = Gap(
            timestamp=following.payload.timestamp,
            subscriber=self.name,
            first_seq=self._first_lost,
            last_seq=self._last_lost,
            events_lost=self._lost,
        )
        self._lost = 0
        return Event(EventType.GAP, gap, following.container, self._last_lost)
