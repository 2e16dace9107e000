"""Events from those who publish to those who listen, in one order for everybody.

A container's stream is totally ordered: a set, then all its consequences (features, signals,
portfolio), then the next set. So ``seq`` means the same whatever the scheduling: while a worker
still holds a consequence of the last set, the next *root* event waits.
"""

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from typing import NoReturn

import structlog

from barsync_async.messages import Event, EventType
from barsync_async.ports import Clock
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.subscription import OverflowPolicy, Subscription, SubscriptionStatistics
from barsync_async.units import MonoNs

Handler = Callable[[Event], None]

CONSEQUENCES = frozenset(
    {EventType.BAR, EventType.FEATURES, EventType.SIGNAL, EventType.PORTFOLIO}
    | {EventType.STRATEGY_FAULT, EventType.GAP}
)
"""Published at once; all other types are roots and take their turn."""

MOST_WAITING = 256
"""So many root events may wait before those who publish should hold back."""

_REMEMBERED = 64  # subscriptions that were closed, in the statistics

log = structlog.get_logger("barsync.bus")


class _Parted:
    """What is remembered of a subscription that was closed; not its events, once nobody reads it
    any more.
    """

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = weakref.ref(subscription)
        self._last = subscription.statistics()

    def statistics(self) -> SubscriptionStatistics:
        subscription = self._subscription()
        return self._last if subscription is None else subscription.statistics()


class EventBus:
    """Publish and subscribe within one container.

    Without a running loop it works the same: every handler is called before ``publish`` returns.
    """

    def __init__(self, container: str = "", *, clock: Clock | None = None) -> None:
        self.container = container
        self._clock: Clock = clock or SystemClock()
        self._handlers: dict[EventType, dict[object, Handler]] = {}
        self._queues: dict[EventType, list[Subscription]] = {}
        self._subscriptions: list[Subscription] = []
        self._ready: deque[Event] = deque()
        self._roots: deque[Event] = deque()
        self._seq = 0
        self._holding = 0
        self._delivering = False
        self._waits_for: Subscription | None = None
        self._told: set[str] = set()
        self._parted: deque[_Parted] = deque(maxlen=_REMEMBERED)
        self._crowded = False
        self._on_crowded: list[Callable[[bool], None]] = []
        self._eased = asyncio.Event()
        self._errors: list[Exception] = []
        self._failed = asyncio.Event()

    def subscribe(self, event_type: EventType, handler: Handler) -> Callable[[], None]:
        """Call ``handler`` inline with each event of this type; returns what ends it.

        An exception in a handler takes nothing from anybody: all that can be delivered is, then it
        reaches whoever published. What had waited and was delivered because there is room or turn
        again has no publisher any more: its exception ends the container's ``run``, or reaches
        whoever publishes next or waits for :meth:`drained`.
        """
        handlers, key = self._handlers.setdefault(event_type, {}), object()
        handlers[key] = handler

        def end() -> None:
            handlers.pop(key, None)

        return end

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

        Raises:
            ValueError: ``capacity`` is less than 1.
        """
        subscription = Subscription(self, name, capacity, overflow, holds=holds_turn, now=self._now)
        for event_type in dict.fromkeys(event_types):  # one named twice is still one event
            self._queues.setdefault(event_type, []).append(subscription)
        self._subscriptions.append(subscription)
        return subscription

    def publish(self, event: Event) -> None:
        """Number the event and hand it on; never waits. A root event may wait its turn.

        Raises:
            Exception: what a handler raised, an ExceptionGroup of several.
        """
        is_outermost = not self._delivering
        (self._ready if event.event_type in CONSEQUENCES else self._roots).append(event)
        self.pump()
        if not self._crowded and len(self._roots) > MOST_WAITING:
            self._tell_crowded(crowded=True)
        if is_outermost:
            self._raise_errors()

    def statistics(self) -> tuple[SubscriptionStatistics, ...]:
        """Every queue's depth, age and losses; also of the last 64 that were closed."""
        present = [each.statistics() for each in self._subscriptions]
        return (*present, *(each.statistics() for each in self._parted))

    def waited_for(self) -> dict[str, float]:
        """Which subscribers hold the next set back, for want of room or because they are not done
        with the last one; each with the age in ms of the oldest event that it has.
        """
        return {
            each.name: each.oldest_age_ms
            for each in self._subscriptions
            if each.blocking or each.holding
        }

    def on_crowded(self, callback: Callable[[bool], None]) -> None:
        """Call ``callback(True)`` when more than :data:`MOST_WAITING` root events wait, and
        ``callback(False)`` when half of them have gone: who makes them should hold back meanwhile.
        """
        self._on_crowded.append(callback)

    async def room(self, most: int = MOST_WAITING) -> None:
        """Until at most so many root events wait; for a publisher with much to say."""
        await self._until(lambda: len(self._roots) <= most)

    async def drained(self) -> None:
        """Until everything published so far had all its consequences.

        Raises:
            Exception: what a handler raised of which no publisher knows.
        """
        await self._until(lambda: not (self._roots or self._ready or self._holding))
        self._raise_errors()

    async def failure(self) -> NoReturn:
        """Raise what a handler raised, as soon as one did and no publisher knows of it."""
        while True:
            await self._failed.wait()
            self._failed.clear()
            self._raise_errors()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._eased.clear()
            await self._eased.wait()

    def _now(self) -> MonoNs:
        return self._clock.now().mono

    def _tell_crowded(self, *, crowded: bool) -> None:
        self._crowded = crowded
        for callback in self._on_crowded:
            callback(crowded)

    # For subscriptions

    def part(self, subscription: Subscription) -> None:
        """It takes nothing more: forget it, but for the statistics."""
        for queues in self._queues.values():
            if subscription in queues:
                queues.remove(subscription)
        self._subscriptions.remove(subscription)
        self._parted.append(_Parted(subscription))

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
        if self._errors:
            self._failed.set()
        if self._crowded and len(self._roots) <= MOST_WAITING // 2:
            self._tell_crowded(crowded=False)

    def _raise_errors(self) -> None:
        errors, self._errors = self._errors, []
        if errors:
            raise errors[0] if len(errors) == 1 else ExceptionGroup("event handlers", errors)

    def _next(self) -> Event | None:
        if self._ready:
            return self._ready.popleft()
        if self._roots and not self._holding and not self._blocked():
            return self._roots.popleft()
        return None

    def _blocked(self) -> bool:
        """Whether the next set waits for room in somebody's queue."""
        full = next((each for each in self._subscriptions if each.blocking), None)
        if full is not self._waits_for:
            if self._waits_for is not None:
                self._waits_for.let_go()
            self._waits_for = full
            if full is not None:
                full.hold_up()
                self._tell(full)
        return full is not None

    def _tell(self, full: Subscription) -> None:
        """Once for each subscriber: one that is always slow would fill the log."""
        if full.name not in self._told:
            self._told.add(full.name)
            log.warning(
                "a full queue holds every set up until there is room",
                container=self.container,
                subscriber=full.name,
                capacity=full.capacity,
            )

    def _deliver(self, event: Event) -> None:
        if event.event_type is not EventType.BAR:
            self._seq += 1
            event = Event(event.event_type, event.payload, self.container, self._seq)
        queues = tuple(self._queues.get(event.event_type, ()))  # one that is cut off leaves
        at = self._now() if queues else MonoNs(0)
        for subscription in queues:
            subscription.offer(event, at)
        for handler in tuple(self._handlers.get(event.event_type, {}).values()):
            try:
                handler(event)
            except Exception as error:  # noqa: BLE001 - raised once all had what can be delivered
                name = getattr(handler, "__qualname__", type(handler).__name__)
                error.add_note(f"in {name}, a handler of {event.event_type} in {self.container}")
                self._errors.append(error)
