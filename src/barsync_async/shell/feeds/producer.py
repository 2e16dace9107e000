"""One task per source between the connections that carry it and the synchronizers that want it."""

import logging
from collections.abc import Callable, Sequence

import anyio
import structlog
from structlog.typing import FilteringBoundLogger

from barsync_async.messages import Bar
from barsync_async.ports import Arrival, Clock, ConnectionChange, TimerHandle
from barsync_async.shell.clock_watch import ClockWatch
from barsync_async.shell.feeds.derived import Derived
from barsync_async.shell.feeds.final_bars import FinalBars
from barsync_async.shell.intake import Inbox, Intake, put_in_each
from barsync_async.units import NS_PER_MS, Instant, MonoNs, WallMs

_CAPACITY = 4_096
_LOOK_NS = 10_000 * NS_PER_MS  # somebody may set the wall clock, and nobody tells us

log = structlog.get_logger("barsync.producer")


class Producer:
    """Pushes what arrives for one source into every synchronizer that expects it.

    A full inbox holds the producer, a full producer holds the connection, and a held connection
    stops reading its socket: nothing is dropped on the way. Running bars stay here until they are
    final. Where nothing waits here and nothing is to be decided, what is offered goes to the
    synchronizers at once, and its task sleeps on.
    """

    def __init__(
        self,
        name: str,
        intake: Intake,
        inboxes: Sequence[Inbox[Arrival]],
        capacity: int = _CAPACITY,
        *,
        clock: Clock,
    ) -> None:
        self.name = name
        self.done = anyio.Event()
        """Set once :meth:`run` has handed on everything."""
        self.queue: Inbox[Arrival] = Inbox(capacity)
        self._intake = intake
        self.inboxes = tuple(inboxes)
        self.is_idle = False
        """Whether it runs, nothing waits here, and final bars may go straight to its inboxes; who
        puts one there says so by :meth:`note`.
        """
        self._clock = clock
        self._final_bars: FinalBars | None = None
        self._derived: list[tuple[Derived, Producer]] = []
        self._timer: TimerHandle | None = None
        self.newest: WallMs | None = None
        """The timestamp of the last bar that was handed on."""
        self.last_at: MonoNs | None = None
        """When it arrived."""

    def decide(self, feed: str, grace_ms: int, heard_at: Callable[[], WallMs | None]) -> None:
        """``feed`` sends running bars of this source: find out here which are final."""
        self._final_bars = self._final_bars or FinalBars()
        self._final_bars.add(feed, grace_ms, heard_at)
        self.is_idle = False

    def derive(self, derived: Derived, producer: "Producer") -> None:
        """Bars of another source are made of these: hand them to its ``producer``, which must not
        be closed before this one is :attr:`done`.
        """
        self._derived.append((derived, producer))
        self.is_idle = False

    @property
    def targets(self) -> "list[Producer]":
        """Those that this one writes to."""
        return [producer for _, producer in self._derived]

    @property
    def wants_changes(self) -> bool:
        """Whether changes of the connection are to be offered as well."""
        return bool(self._final_bars or self._derived)

    async def offer(self, arrivals: Sequence[Arrival]) -> None:
        """Hand ``arrivals`` over; waits only where the queue is full. Cancelled, what was not
        handed over by then is lost, and no more under way.
        """
        if not arrivals:
            return
        if self.is_idle and put_in_each(self.inboxes, arrivals):
            self._note_last(arrivals)
            return
        self.is_idle = False
        for arrival in arrivals:
            self._intake.enter(arrival.at)
        left = arrivals
        try:
            while left := left[self.queue.put_some(left) :]:
                await self.queue.room()
        finally:
            for arrival in left:
                self._intake.leave(arrival.at)

    async def run(self) -> None:
        """Work until the queue is closed and empty."""
        self._watch = ClockWatch(self._clock)
        self._log = log.bind()
        try:
            while not self.queue.finished:
                self.is_idle = not (self.wants_changes or len(self.queue))
                await self.queue.wait()
                self.is_idle = False
                arrivals = self.queue.take()
                await (self._decide(arrivals) if self.wants_changes else self._hand_on(arrivals))
                for arrival in arrivals:
                    self._intake.leave(arrival.at)
        finally:
            self._set_timer(None)
        self.done.set()

    async def _decide(self, arrivals: Sequence[Arrival]) -> None:
        """Hand on what ``arrivals``, or the clock, make final, and what is made of that."""
        now, final = self._clock.now(), self._final_bars
        if self._watch.look(now) is not None:
            for derived, _ in self._derived:
                derived.on_clock_step(now)
        await self._derive(arrivals if final is None else final.decided(arrivals))
        if not len(self.queue):  # the clock does not decide over what was read and waits here
            await self._ask_clock()
        due = [None if final is None else final.due_at()]
        due += [derived.due_at() for derived, _ in self._derived]
        self._set_timer(min((when for when in due if when is not None), default=None))

    async def _ask_clock(self) -> None:
        """All is decided in one moment, before any of it is handed on: a part that is held back
        because its connection is silent must not look like one that never was.
        """
        now = self._clock.now()
        final = [] if self._final_bars is None else self._final_bars.on_clock(now)
        made = [
            (producer, [*derived.on_arrivals(final, now), *derived.on_clock(now)])
            for derived, producer in self._derived
        ]
        await self._pass_on(final, made)

    async def _derive(self, arrivals: Sequence[Arrival]) -> None:
        now = self._clock.now()
        made = [
            (producer, derived.on_arrivals(arrivals, now)) for derived, producer in self._derived
        ]
        await self._pass_on([each for each in arrivals if not _is_change(each)], made)

    async def _pass_on(
        self, arrivals: Sequence[Arrival], made: "Sequence[tuple[Producer, Sequence[Arrival]]]"
    ) -> None:
        """Hand on ``arrivals``, then to others what was made of them."""
        await self._hand_on(arrivals)
        for producer, bars in made:
            await producer.offer(bars)

    def _set_timer(self, due_at: WallMs | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due_at is not None:
            now = self._clock.now()
            wait_ns = min(max(0, due_at - now.wall) * NS_PER_MS, _LOOK_NS)
            self._timer = self._clock.call_at(MonoNs(now.mono + wait_ns), self.queue.wake)

    async def _hand_on(self, arrivals: Sequence[Arrival]) -> None:
        if not arrivals:
            return
        for inbox in self.inboxes:
            await inbox.put(arrivals)
        self._note_last(arrivals)

    def _note_last(self, arrivals: Sequence[Arrival]) -> None:
        trace(arrivals, self._log)
        last = arrivals[-1].item
        if type(last) is Bar:
            self.note(last, arrivals[-1].at)

    def note(self, bar: Bar, at: Instant) -> None:
        """``bar``, read ``at`` this moment, is handed on."""
        self.newest = bar.timestamp
        self.last_at = at.mono


def trace(arrivals: Sequence[Arrival], log: FilteringBoundLogger) -> None:
    """At level debug: every bar, with the monotonic moment that decides whether it is late.

    ``log`` is a bound logger: to ask a lazy one for its level takes as long as some bars.
    """
    if log.is_enabled_for(logging.DEBUG):
        for at, feed, _, item in arrivals:
            if isinstance(item, Bar):
                log.debug(
                    "arrived",
                    source=item.source,
                    feed=feed,
                    timestamp=item.timestamp,
                    at_ns=at.mono,
                )


def _is_change(arrival: Arrival) -> bool:
    return isinstance(arrival.item, ConnectionChange)
