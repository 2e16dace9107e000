"""Events from those who publish to those who listen, in one order for everybody.

A container's stream is totally ordered: a set, then all its consequences (features, signals,
portfolio), then the next set. So ``seq`` means the same whatever the scheduling: while a worker
still holds a consequence of the last set, the next *root* event waits.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import StrEnum

import msgspec

from barsync_async.errors import Overflow
from barsync_async.messages import Event, EventType, Gap

Handler = Callable[[Event], None]

CONSEQUENCES = frozenset(
    {EventType.BAR, EventType.FEATURES, EventType.SIGNAL, EventType.PORTFOLIO}
    | {EventType.STRATEGY_FAULT, EventType.GAP}
)
"""Published at once; all other types are roots and take their turn."""

_ROOTS_WAITING = 256


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
    """One queue as it is now, and what it lost since the start."""

    name: str
    policy: OverflowPolicy
    capacity: int
    depth: int
    dropped: int
    connected: bool


class Subscription:
    """One subscriber's own bounded queue; made by :meth:`EventBus.subscribe_queue`.

    Iterate over it. Asking for the next event says that the last one is done with.
    """

    def __init__(
        self, bus: "EventBus", name: str, capacity: int, policy: OverflowPolicy, *, holds: bool
    ) -> None:
        self._bus = bus
        self.name = name
        self.capacity = 1 if policy is OverflowPolicy.LATEST else capacity
        self.policy = policy
        self._holds = holds
        self._held = 0
        self._events: deque[Event] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self._cut = False
        self._lost = 0
        self._dropped = 0
        self._first_lost = self._last_lost = 0

    def statistics(self) -> SubscriptionStatistics:
        """Depth and losses."""
        return SubscriptionStatistics(
            self.name,
            self.policy,
            self.capacity,
            len(self._events),
            self._dropped,
            not self._closed,
        )

    @property
    def blocking(self) -> bool:
        """Whether it asks everybody to wait."""
        full = len(self._events) >= self.capacity
        return full and self.policy is OverflowPolicy.BLOCK and not self._closed

    @property
    def idle(self) -> bool:
        """Whether nothing waits here."""
        return not self._events

    def offer(self, event: Event) -> None:
        """Take ``event`` in as the policy says; never waits. For the bus."""
        if self._closed:
            return
        if len(self._events) >= self.capacity and self.policy is not OverflowPolicy.BLOCK:
            if self.policy is OverflowPolicy.DISCONNECT:
                self._cut = True
                self.close()
                return
            self._lose(self._events.popleft())
        self._events.append(event)
        if self._holds:
            self._bus.hold()
        self._changed.set()

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
        self._closed = True
        self._changed.set()
        self._bus.pump()

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
        events = [first]
        while self._events:
            events.append(self._next())
        return events

    def _end_if_closed(self) -> None:
        if self._cut:
            raise Overflow(self.name, self.capacity)
        if self._closed:
            raise StopAsyncIteration

    def _next(self) -> Event:
        if self._lost:
            return self._gap()
        event = self._events.popleft()
        if self._holds:
            self._held += 1
        if len(self._events) == self.capacity - 1:
            self._bus.pump()
        return event

    def _gap(self) -> Event:
        following = self._events[0]
        gap = Gap(
            timestamp=following.payload.timestamp,
            subscriber=self.name,
            first_seq=self._first_lost,
            last_seq=self._last_lost,
            events_lost=self._lost,
        )
        self._lost = 0
        return Event(EventType.GAP, gap, following.container, self._last_lost)


class EventBus:
    """Publish and subscribe within one container.

    Without a running loop it works the same: every handler is called before ``publish`` returns.
    """

    def __init__(self, container: str = "") -> None:
        self.container = container
        self._handlers: dict[EventType, list[Handler]] = {}
        self._queues: dict[EventType, list[Subscription]] = {}
        self._subscriptions: list[Subscription] = []
        self._ready: deque[Event] = deque()
        self._roots: deque[Event] = deque()
        self._seq = 0
        self._holding = 0
        self._delivering = False
        self._eased = asyncio.Event()

    def subscribe(self, event_type: EventType, handler: Handler) -> Callable[[], None]:
        """Call ``handler`` inline with each event of this type; returns what ends it.

        An exception in a handler reaches whoever published, after all others had the event.
        """
        handlers = self._handlers.setdefault(event_type, [])
        handlers.append(handler)
        return lambda: handlers.remove(handler)

    def subscribe_queue(
        self,
        *event_types: EventType,
        name: str,
        capacity: int = 1024,
        overflow: OverflowPolicy = OverflowPolicy.BLOCK,
        holds_turn: bool = False,
    ) -> Subscription:
        """A queue of one's own for events of these types.

        ``holds_turn``: what the subscriber publishes about an event belongs to the same set, so
        the next root event waits until the subscriber is done with it.
        """
        subscription = Subscription(self, name, capacity, overflow, holds=holds_turn)
        for event_type in dict.fromkeys(event_types):  # one named twice is still one event
            self._queues.setdefault(event_type, []).append(subscription)
        self._subscriptions.append(subscription)
        return subscription

    def publish(self, event: Event) -> None:
        """Number the event and hand it on; never waits. A root event may wait its turn."""
        (self._ready if event.event_type in CONSEQUENCES else self._roots).append(event)
        self.pump()

    def statistics(self) -> tuple[SubscriptionStatistics, ...]:
        """Every queue's depth and losses."""
        return tuple(subscription.statistics() for subscription in self._subscriptions)

    async def room(self) -> None:
        """Until the backlog of root events is small; for a publisher with much to say."""
        await self._until(lambda: len(self._roots) <= _ROOTS_WAITING)

    async def drained(self) -> None:
        """Until everything published so far had all its consequences."""
        await self._until(lambda: not (self._roots or self._ready or self._holding))

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._eased.clear()
            await self._eased.wait()

    # For subscriptions

    def hold(self) -> None:
        """A worker took on a consequence of the present set."""
        self._holding += 1

    def release(self, count: int = 1) -> None:
        """So many consequences were worked out."""
        self._holding -= count
        self.pump()

    def pump(self) -> None:
        """Deliver what may go. Events published meanwhile are delivered by the outermost call."""
        if self._delivering:
            return
        self._delivering = True
        try:
            while (event := self._next()) is not None:
                self._deliver(event)
        finally:
            self._delivering = False
            self._eased.set()

    def _next(self) -> Event | None:
        if self._ready:
            return self._ready.popleft()
        if self._roots and not self._holding and not self._blocked():
            return self._roots.popleft()
        return None

    def _blocked(self) -> bool:
        return any(subscription.blocking for subscription in self._subscriptions)

    def _deliver(self, event: Event) -> None:
        if event.event_type is not EventType.BAR:
            self._seq += 1
            event = Event(event.event_type, event.payload, self.container, self._seq)
        for subscription in self._queues.get(event.event_type, ()):
            subscription.offer(event)
        errors = []
        for handler in tuple(self._handlers.get(event.event_type, ())):
            try:
                handler(event)
            except Exception as error:  # noqa: BLE001 - raised below, once all had the event
                errors.append(error)
        if errors:
            raise errors[0] if len(errors) == 1 else ExceptionGroup("event handlers", errors)
