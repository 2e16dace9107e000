"""The synchronizer coroutine: drives the pure core and owns its timers."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, ClassVar

import structlog

from barsync_async.core.spec import SynchronizerSpec
from barsync_async.core.statistics import SourceStatistics, Statistics
from barsync_async.core.synchronizer import Outcome, Synchronizer
from barsync_async.messages import (
    Bar,
    BarRejected,
    ClockStep,
    Event,
    EventType,
    LateBar,
    SourceStatus,
    SynchronizedBars,
    SyncSkipped,
)
from barsync_async.ports import Arrival, CaughtUp, ConnectionChange, SourcesRefused, TimerHandle
from barsync_async.shell.bus import MOST_WAITING
from barsync_async.shell.clock_watch import ClockWatch
from barsync_async.shell.container import Container
from barsync_async.shell.intake import PATIENCE_NS, Inbox, Intake
from barsync_async.units import MonoNs, SourceId, WallMs
from barsync_async.venues.outcomes import Rejection

_EVENT_TYPES = {
    SynchronizedBars: EventType.SYNCHRONIZED_BARS,
    SyncSkipped: EventType.SYNC_SKIPPED,
    LateBar: EventType.LATE_BAR,
    BarRejected: EventType.BAR_REJECTED,
    SourceStatus: EventType.SOURCE_STATUS,
    ClockStep: EventType.CLOCK_STEP,
}


_MOST_UNPUBLISHED = 4 * MOST_WAITING  # from a source that goes on though nobody should read
_HEARTBEAT_NS = 1_000_000_000
_WIRE_ORDER = itemgetter(0, 1, 2)  # moment, feed, place on its wire

log = structlog.get_logger("barsync")


class BarSynchronizer:
    """Collects the bars of ``expected_sources`` into one set per timestamp.

    Args:
        expected_sources: names like ``SPY_1m``.
        timeout_ms: from the arrival of a timestamp's first bar to its deadline.
        require_all: publish only sets in which every source has a cell, else SYNC_SKIPPED.
        inbox: how many bars may wait for the synchronizer before the sockets are read no more.
        options: any other field of :class:`~barsync_async.core.spec.SynchronizerSpec`.

    Raises:
        ValueError: a source's name is not ``SYMBOL_TIMEFRAME``, there is none, or one text stands
            in place of the set.
        TypeError: there is no such option.
    """

    stop_rank: ClassVar[int] = 0
    sole: ClassVar[bool] = True

    def __init__(
        self,
        expected_sources: Iterable[str],
        timeout_ms: float = 100,
        require_all: bool = True,
        *,
        inbox: int = 65_536,
        **options: Any,
    ) -> None:
        if isinstance(expected_sources, str):
            raise ValueError(f"{expected_sources!r}: expected a set of sources, got a text")
        self.expected_sources = frozenset(SourceId(source) for source in expected_sources)
        self.spec = SynchronizerSpec(
            expected_sources=self.expected_sources,
            timeout_ms=timeout_ms,
            require_all=require_all,
            **options,
        )
        self._core = Synchronizer(self.spec)
        self._timers: dict[WallMs, tuple[MonoNs, TimerHandle]] = {}
        self.inbox: Inbox[Arrival] = Inbox(inbox)
        self.intake = Intake()
        self._heartbeat: TimerHandle | None = None
        self._holds_back = False
        self._finished = asyncio.Event()
        self._runs = False

    @property
    def bar_buffer(self) -> Mapping[WallMs, Mapping[SourceId, Bar]]:
        """The timestamps that wait for bars, each with the bars that it has."""
        return self._core.open_bars

    def statistics(self) -> Statistics:
        """What was counted so far."""
        return self._core.statistics()

    def source_statistics(self) -> Mapping[SourceId, SourceStatistics]:
        """What was counted so far of each source."""
        return self._core.source_statistics()

    def initialize(self, container: Container) -> None:
        """Listen for BAR events."""
        self._clock = container.clock
        self._bus = container.event_bus
        self._bus.subscribe(EventType.BAR, self._on_bar_event)
        self._bus.on_crowded(self._hold_back)

    def start(self) -> None:
        """The stream begins."""
        self._core.on_start(self._clock.now())

    def _on_bar_event(self, event: Event) -> None:
        """A bar that the program itself published: decided at once, with or without a loop."""
        self._publish(self._core.on_bar(event.payload, self._clock.now()))
        self.inbox.wake()

    def _hold_back(self, crowded: bool) -> None:
        """Sets wait to be published: what was read is taken in and sealed in time, but no more is
        read, and the clock opens no slot whose bars would have to wait in their sockets.
        """
        self._holds_back = crowded
        if crowded:
            feeds = frozenset(chain.from_iterable(self.spec.feeds.values()))
            log.warning(
                "reading no more: sets wait to be published",
                waits_for_ms={name: round(age) for name, age in self._bus.waited_for().items()},
            )
            self.intake.gate.close(self, feeds)
        else:
            log.info("reading again")
            self.intake.gate.open(self)
        self.inbox.wake()

    # Under a loop

    async def run(self) -> None:
        """Work until :meth:`stop`; then seal what is open. Stopped before, it has nothing to do."""
        if self._finished.is_set():
            return
        self._runs = True
        try:
            await self._run()
        finally:
            self._finished.set()  # cancelled or failed, nobody waits for it for ever

    async def _run(self) -> None:
        watch = ClockWatch(self._clock)
        self._set_timers()
        self._beat()
        while not self.inbox.finished:
            await self.inbox.wait()
            await self._step(watch)
        self._end()
        if self._heartbeat is not None:
            self._heartbeat.cancel()

    async def stop(self) -> None:
        """No more bars come: take in those in the inbox, seal what is open, and return."""
        self.inbox.close()
        if not self._runs and not self._finished.is_set():
            self._take_in(self.inbox.take())
            self._end()
            self._finished.set()
        await self._finished.wait()

    def _end(self) -> None:
        self._publish(self._core.on_end(self._clock.now()))
        self._set_timers()

    async def _step(self, watch: ClockWatch) -> None:
        """Take in all that has been read, then seal what was due before that."""
        self._look_at(watch)
        asked = self._clock.now().mono
        due = [timestamp for timestamp, when in self._deadlines().items() if when <= asked]
        if due:
            await self._take_in_all(asked + PATIENCE_NS)
        else:
            await self.intake.gather(full=lambda: self.inbox.full)
            self._take_in(self.inbox.take())
        now = self._clock.now()
        for timestamp in sorted(due):
            self._publish(self._core.on_deadline(timestamp, now))
        self._set_timers()
        await self._bus.room(_MOST_UNPUBLISHED)

    def _deadlines(self) -> Mapping[WallMs, MonoNs]:
        deadlines = self._core.deadlines
        if not self._holds_back:
            return deadlines
        opening = self._core.next_opening
        return {each: when for each, when in deadlines.items() if each != opening}

    async def _take_in_all(self, until: int) -> None:
        """Take in what has been read, or is read in the loop's next iterations up to ``until``."""
        settled = False
        while not settled:
            settled = await self.intake.settle(
                self._clock, until=until, full=lambda: self.inbox.full
            )
            self._take_in(self.inbox.take())

    def _take_in(self, arrivals: list[Arrival]) -> None:
        arrivals.sort(key=_WIRE_ORDER)
        on_bar = self._core.on_bar
        for at, feed, _, item in arrivals:
            if type(item) is Bar:
                if outcomes := on_bar(item, at, feed):
                    self._publish(outcomes)
            elif isinstance(item, Rejection):
                self._publish(self._core.on_rejected(item.reason, feed, item.detail, at))
            elif isinstance(item, ConnectionChange):
                catching_up = item.catching_up
                self._publish(
                    self._core.on_connection(feed, up=item.up, now=at, catching_up=catching_up)
                )
            elif isinstance(item, SourcesRefused):
                self._publish(self._core.on_refused(feed, item.sources, at))
            elif isinstance(item, CaughtUp):
                self._publish(self._core.on_caught_up(feed, at))

    def _look_at(self, watch: ClockWatch) -> None:
        now = self._clock.now()
        moved = watch.look(now)
        if moved is not None:
            step_ms, cause = moved
            self._publish(self._core.on_clock_step(step_ms, cause, now))

    def _beat(self) -> None:
        """Look at the clock every second at least: deadlines may depend on the wall's."""
        self.inbox.wake()
        if self.spec.deadline_from == "close":
            when = MonoNs(self._clock.now().mono + _HEARTBEAT_NS)
            self._heartbeat = self._clock.call_at(when, self._beat)

    def _publish(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self._bus.publish(Event(_event_type(outcome), outcome))

    def _set_timers(self) -> None:
        """One timer per open timestamp, none besides. One that is due is set again, for it may have
        fired for what went before: a slot's opening, of which the deadline is now the same moment.
        """
        deadlines, now = self._deadlines(), self._clock.now().mono
        for timestamp in [*self._timers]:
            when, timer = self._timers[timestamp]
            if deadlines.get(timestamp) != when or when <= now:
                timer.cancel()
                del self._timers[timestamp]
        for timestamp, when in deadlines.items():
            if timestamp not in self._timers:
                timer = self._clock.call_at(when, self.inbox.wake)
                self._timers[timestamp] = (when, timer)


def _event_type(outcome: Outcome) -> EventType:
    if isinstance(outcome, SynchronizedBars) and outcome.revision:
        return EventType.SYNCHRONIZED_BARS_REVISED
    return _EVENT_TYPES[type(outcome)]
