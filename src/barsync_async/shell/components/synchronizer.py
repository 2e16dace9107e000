"""The synchronizer coroutine: drives the pure core and owns its timers."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from barsync_async.core.missing import MissingPolicy
from barsync_async.core.statistics import Statistics
from barsync_async.core.synchronizer import Outcome, Synchronizer, SynchronizerSpec
from barsync_async.messages import (
    Bar,
    BarRejected,
    Event,
    EventType,
    LateBar,
    SynchronizedBars,
    SyncSkipped,
)
from barsync_async.ports import Arrival, TimerHandle
from barsync_async.shell.container import Container
from barsync_async.shell.intake import PATIENCE_NS, Inbox, Intake
from barsync_async.units import MonoNs, SourceId, WallMs
from barsync_async.venues.outcomes import Rejection

_EVENT_TYPES = {
    SynchronizedBars: EventType.SYNCHRONIZED_BARS,
    SyncSkipped: EventType.SYNC_SKIPPED,
    LateBar: EventType.LATE_BAR,
    BarRejected: EventType.BAR_REJECTED,
}


class BarSynchronizer:
    """Collects the bars of ``expected_sources`` into one set per timestamp.

    Args:
        expected_sources: names like ``SPY_1m``.
        timeout_ms: from the arrival of a timestamp's first bar to its deadline.
        require_all: publish only sets in which every source has a cell, else SYNC_SKIPPED.
        missing: ``skip`` leaves the cell of a source that did not deliver empty, ``last_known``
            fills it with the source's last bar.
        max_age_ms: the oldest bar that ``last_known`` fills with; None for any.
        max_future_ms: how far beyond the wall clock plus one interval a feed's bar may lie.
        max_open: how many timestamps may be open at once.
        history: how many published sets are remembered, to tell duplicates from late bars.
        inbox: how many bars may wait for the synchronizer before the sockets are read no more.

    Raises:
        ValueError: a source's name is not ``SYMBOL_TIMEFRAME``, or there is none.
    """

    def __init__(
        self,
        expected_sources: Iterable[str],
        timeout_ms: float = 100,
        require_all: bool = True,
        *,
        missing: MissingPolicy = "skip",
        max_age_ms: int | None = None,
        max_future_ms: int = 1_000,
        max_open: int = 64,
        history: int = 256,
        inbox: int = 65_536,
    ) -> None:
        self.expected_sources = frozenset(SourceId(source) for source in expected_sources)
        spec = SynchronizerSpec(
            expected_sources=self.expected_sources,
            timeout_ms=timeout_ms,
            require_all=require_all,
            missing=missing,
            max_age_ms=max_age_ms,
            max_future_ms=max_future_ms,
            max_open=max_open,
            history=history,
        )
        self._core = Synchronizer(spec)
        self._timers: dict[WallMs, tuple[MonoNs, TimerHandle]] = {}
        self.inbox: Inbox[Arrival] = Inbox(inbox)
        self.intake = Intake()
        self._finished = asyncio.Event()

    @property
    def bar_buffer(self) -> Mapping[WallMs, Mapping[SourceId, Bar]]:
        """The timestamps that wait for bars, each with the bars that it has."""
        return self._core.open_bars

    def statistics(self) -> Statistics:
        """What was counted so far."""
        return self._core.statistics()

    def initialize(self, container: Container) -> None:
        """Listen for BAR events."""
        self._clock = container.clock
        self._bus = container.event_bus
        self._bus.subscribe(EventType.BAR, self._on_bar_event)

    def start(self) -> None:
        """Nothing to do before the first bar."""

    def _on_bar_event(self, event: Event) -> None:
        """A bar that the program itself published: decided at once, with or without a loop."""
        self._publish(self._core.on_bar(event.payload, self._clock.now()))
        self.inbox.wake()

    # Under a loop

    async def run(self) -> None:
        """Work until :meth:`stop`; then seal what is open."""
        while not self.inbox.finished:
            await self.inbox.wait()
            await self._step()
        self._publish(self._core.on_end(self._clock.now()))
        self._set_timers()
        self._finished.set()

    async def stop(self) -> None:
        """No more bars come: take in those in the inbox, seal what is open, and return."""
        self.inbox.close()
        await self._finished.wait()

    async def _step(self) -> None:
        """Take in all that has been read, then seal what was due before that."""
        asked = self._clock.now().mono
        due = [timestamp for timestamp, when in self._core.deadlines.items() if when <= asked]
        if due:
            await self._take_in_all(asked + PATIENCE_NS)
        else:
            await self.intake.gather(full=lambda: self.inbox.full)
            self._take_in(self.inbox.take())
        now = self._clock.now()
        for timestamp in sorted(due):
            self._publish(self._core.on_deadline(timestamp, now))
        self._set_timers()
        await self._bus.room()

    async def _take_in_all(self, until: int) -> None:
        """Take in what has been read, or is read in the loop's next iterations up to ``until``."""
        settled = False
        while not settled:
            settled = await self.intake.settle(
                self._clock, until=until, full=lambda: self.inbox.full
            )
            self._take_in(self.inbox.take())

    def _take_in(self, arrivals: list[Arrival]) -> None:
        arrivals.sort()
        on_bar = self._core.on_bar
        for at, feed, _, item in arrivals:
            if isinstance(item, Rejection):
                self._publish(self._core.on_rejected(item.reason, feed, item.detail, at))
            elif outcomes := on_bar(item, at, feed):
                self._publish(outcomes)

    def _publish(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self._bus.publish(Event(_EVENT_TYPES[type(outcome)], outcome))

    def _set_timers(self) -> None:
        """One timer per open timestamp, none besides."""
        deadlines = self._core.deadlines
        for timestamp in [*self._timers]:
            when, timer = self._timers[timestamp]
            if deadlines.get(timestamp) != when:
                timer.cancel()
                del self._timers[timestamp]
        for timestamp, when in deadlines.items():
            if timestamp not in self._timers:
                timer = self._clock.call_at(when, self.inbox.wake)
                self._timers[timestamp] = (when, timer)
