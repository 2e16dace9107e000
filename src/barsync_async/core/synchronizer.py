"""The synchronizer as a state machine: bars, deadlines and ``now`` in, outcomes out.

It promises the contract's four promises for whatever it is told; it knows no clock, loop, queue
or socket. Whoever drives it stamps each arrival, calls :meth:`Synchronizer.on_deadline` at or
after each of :attr:`Synchronizer.deadlines`, and gives it the bars that were read before that
moment first. ``docs/synchronization.md`` has the rules.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from barsync_async.core.admission import Admission
from barsync_async.core.alignment import Alignment
from barsync_async.core.lifecycle import Lifecycle, Outcome
from barsync_async.core.slot import Cause, Slot, State
from barsync_async.core.spec import SynchronizerSpec
from barsync_async.core.statistics import Counters, SourceStatistics, Statistics
from barsync_async.messages import (
    Bar,
    BarRejected,
    ClockStep,
    SourceStatus,
    StepCause,
    excerpt,
    is_same,
)
from barsync_async.units import Instant, MonoNs, SourceId, WallMs, split_source

__all__ = ["Outcome", "Synchronizer"]

_NOTHING: tuple[Outcome, ...] = ()


class Synchronizer:
    """Many slots open at once, released strictly in the order of their timestamps."""

    def __init__(self, spec: SynchronizerSpec) -> None:
        self.spec = spec
        self.alignment = Alignment(spec.expected_sources, spec.calendars)
        self._index = self.alignment.index_by_symbol
        self._counters = Counters(self.alignment.sources)
        self._accepted = self._counters.accepted
        self._life = Lifecycle(spec, self.alignment, self._counters)
        self._liveness = self._life.liveness
        self._memory = self._life.memory
        self._slots = self._life.slots
        self._open = self._life.slots.open
        self._order = self._life.slots.order
        self._through = self._life.proof.through
        self._uneasy = self._liveness.uneasy
        self._has_feeds = bool(spec.feeds)
        self._admission = Admission(
            self.alignment, spec.max_future_ms, self._life.proof, self._memory, self._life.known
        )

    # What one may ask

    @property
    def deadlines(self) -> Mapping[WallMs, MonoNs]:
        """When :meth:`on_deadline` is to be called for which timestamp: for an open slot its
        deadline, for a held one the end of its hold, for the next one that the clock opens its
        opening. A live, read-only view.
        """
        return MappingProxyType(self._life.slots.deadlines)

    @property
    def next_opening(self) -> WallMs | None:
        """Which of :attr:`deadlines` is the opening of a slot by the clock; None: none is. One who
        keeps bars waiting may let it wait as well.
        """
        return self._life.timing.next_close

    @property
    def open_bars(self) -> Mapping[WallMs, Mapping[SourceId, Bar]]:
        """The bars that wait in each open slot."""
        return {
            timestamp: {
                source: bar
                for source, bar in zip(self.alignment.sources, slot.cells, strict=True)
                if bar is not None
            }
            for timestamp, slot in self._open.items()
        }

    def statistics(self) -> Statistics:
        """What was counted so far."""
        return self._counters.record(len(self._open))

    def source_statistics(self) -> Mapping[SourceId, SourceStatistics]:
        """What was counted so far of each source."""
        return self._counters.by_source(self._liveness.status)

    # What comes in

    def on_start(self, now: Instant) -> None:
        """The stream begins: with ``deadline_from = "close"``, the clock opens slots from now."""
        self._life.timing.start(now)

    def on_bar(self, bar: Bar, now: Instant, feed: str | None = None) -> Sequence[Outcome]:
        """A final bar, read at ``now``.

        ``feed`` is None for a bar that the program made itself: only bars from a feed are held
        against the grid and the clock.
        """
        timestamp = bar.timestamp
        try:
            index = self._index[bar.timeframe][bar.symbol]
        except KeyError:
            return self.on_rejected("unknown_source", feed or "", _shown(bar), now)
        slot = self._slots.sole or self._opened(timestamp, index, now)
        if (
            slot is None
            or slot.timestamp != timestamp
            or not slot.quick[index]
            or slot.cells[index] is not None
            or self._through[index] >= timestamp
            or (self._uneasy and index in self._uneasy)
            or (feed is None and self._has_feeds)
        ):
            return self._on_unusual(bar, index, now, feed)
        # The first bar of a source that is waited for, from its only feed, in order, and no other
        # slot that it could mean something for.
        slot.cells[index] = bar
        slot.arrived[index] = now.wall
        self._accepted[index] += 1
        self._through[index] = timestamp
        slot.waiting -= 1
        if slot.waiting:
            return _NOTHING
        self._life.seal(slot, Cause.PROOF, now)
        self._life.release_ready()
        return self._life.take_out()

    def on_rejected(
        self, reason: str, feed: str, detail: str, now: Instant
    ) -> tuple[BarRejected, ...]:
        """Something arrived that is no bar: count it and say so."""
        self._counters.rejected_by[reason] += 1
        return (BarRejected(timestamp=now.wall, reason=reason, feed=feed, detail=detail),)

    def on_deadline(self, timestamp: WallMs, now: Instant) -> Sequence[Outcome]:
        """The time of ``timestamp`` may be up; before its deadline nothing happens."""
        deadline = self._life.slots.deadlines.get(timestamp)
        if deadline is None or now.mono < deadline:
            return _NOTHING
        if timestamp == self._life.timing.next_close:
            self._life.open_by_clock(timestamp, now)
        else:
            self._life.settle(timestamp, Cause.DEADLINE, now)
            self._life.release_ready()
        return self._life.take_out()

    def on_connection(
        self, feed: str, *, up: bool, now: Instant, catching_up: bool = False
    ) -> Sequence[Outcome]:
        """``feed`` has a new connection, or lost the one it had. ``catching_up``: it asks for the
        bars that it missed, so its later bars prove nothing until :meth:`on_caught_up`.
        """
        self._life.proof.reset(feed)
        if catching_up:
            self._life.proof.catch_up(feed)
        self._life.look_closer()  # what was proved absent may come after all
        return self._turned(self._liveness.on_connection(feed, up=up, now=now), now)

    def on_refused(self, feed: str, sources: Iterable[SourceId], now: Instant) -> Sequence[Outcome]:
        """The venue of ``feed`` will not send ``sources``, for as long as this connection lives."""
        changes: list[SourceStatus] = []
        for source in sources:
            index = self.alignment.index(*split_source(source))
            if index is not None:
                changes += self._liveness.on_refused(index, feed, now)
        return self._turned(changes, now)

    def _turned(self, changes: Iterable[SourceStatus], now: Instant) -> Sequence[Outcome]:
        """Sources turned live or down: say so, and wait no longer for who is excluded now."""
        for change in changes:
            self._life.out.append(change)
            self._life.let_go(change, now)
        self._life.release_ready()
        return self._life.take_out()

    def on_caught_up(self, feed: str, now: Instant) -> Sequence[Outcome]:
        """``feed`` has delivered what it missed, or can not; its later bars are proof again."""
        self._life.caught_up(feed, now)
        self._life.release_ready()
        return self._life.take_out()

    def on_clock_step(self, step_ms: float, cause: StepCause, now: Instant) -> Sequence[Outcome]:
        """The wall clock moved by ``step_ms`` against the monotonic one, to ``now``."""
        if cause == "resume":
            self._life.slept.append((round(now.wall - step_ms), now.wall))
        self._life.look_closer()  # what was no bar of the future may be one now
        self._life.timing.step(now)
        return (ClockStep(timestamp=now.wall, step_ms=step_ms, cause=cause),)

    def on_end(self, now: Instant) -> Sequence[Outcome]:
        """Nothing more will come: seal every open slot, as at its deadline, and those too that the
        clock has shown and nobody has opened yet.
        """
        while (closed := self._life.timing.next_close) is not None and closed <= now.wall:
            self._life.open_by_clock(closed, now)
        self._life.timing.await_close(None, now)
        for timestamp in [*self._order]:
            self._life.settle(timestamp, Cause.END, now)
        self._life.release_ready()
        return self._life.take_out()

    # A bar's way

    def _opened(self, timestamp: WallMs, index: int, now: Instant) -> Slot | None:
        """A slot for the first bar after all others, where it is the only one and nobody is
        excluded: for such a bar nothing else is to be noted. Else None.
        """
        life = self._life
        due = self.alignment.due(timestamp)
        if (
            self._order
            or timestamp <= life.furthest
            or self._liveness.excluded
            or not due.flags[index]
            or self._through[index] >= timestamp
            or index in self._uneasy
            or not self._admission.refuses_none(timestamp, now)
        ):
            return None
        slot = life.open(timestamp, now.mono, now)
        slot.quick = due.flags
        life.timing.note_first(slot, now)
        return slot

    def _on_unusual(
        self, bar: Bar, index: int, now: Instant, feed: str | None
    ) -> Sequence[Outcome]:
        """Every bar but the usual one: rule by rule."""
        reason = self._admission.refusal(bar, index, now, feed)
        if reason is not None:
            self._counters.rejected[index] += 1
            self._counters.conflicts[index] += reason == "conflict"
            return self.on_rejected(reason, feed or "", _shown(bar), now)
        if index in self._uneasy:
            change = self._liveness.on_bar(index, now)
            self._life.out += [] if change is None else [change]
        self._place(bar, index, now)
        self._life.delivered(index, feed, bar, now)
        slot = self._open.get(bar.timestamp)
        if slot is not None and slot.is_proved:
            self._life.seal(slot, Cause.PROOF, now)
        self._life.release_ready()
        self._life.make_room(now)
        return self._life.take_out() or _NOTHING

    def _place(self, bar: Bar, index: int, now: Instant) -> None:
        """Put the bar where it belongs, and count it as what it is there."""
        if not self.alignment.due(bar.timestamp).flags[index]:
            self._count(bar, index, self._memory.put_between(index, bar))
        elif self._life.is_over(bar.timestamp):
            self._place_late(bar, index, now)
        else:
            self._place_in_slot(bar, index, now)

    def _count(self, bar: Bar, index: int, held: Bar | None) -> None:
        """As accepted, duplicate or corrected, by what was ``held`` of it before."""
        if held is None:
            self._accepted[index] += 1
        elif is_same(held, bar):
            self._counters.duplicate[index] += 1
        else:
            self._counters.corrected[index] += 1

    def _place_in_slot(self, bar: Bar, index: int, now: Instant) -> None:
        slot = self._open.get(bar.timestamp)
        if slot is None:
            slot = self._life.open(bar.timestamp, now.mono, now)
        held = slot.cells[index]
        self._count(bar, index, held)
        if held is not None:
            slot.cells[index] = bar
            return
        slot.deliver(index, bar)
        slot.arrived[index] = now.wall
        if slot.first_at is None:
            self._life.timing.note_first(slot, now)
            if not slot.absent and self._admission.refuses_none(bar.timestamp, now):
                slot.quick = bytes(slot.due)

    def _place_late(self, bar: Bar, index: int, now: Instant) -> None:
        slot = self._life.over(bar.timestamp)
        held = self._memory.stray(index, bar.timestamp) if slot is None else slot.newest(index)
        if is_same(held or self._life.last.bars[index], bar):
            self._counters.duplicate[index] += 1
            return
        self._counters.late[index] += 1
        if slot is None or slot.state is State.RELEASED:
            self._life.last.remember(index, bar)
        self._life.out += self._life.lateness.take(bar, index, slot, now)


def _shown(bar: Bar) -> str:
    """A bar as the detail of its rejection."""
    return excerpt(f"{bar.symbol}_{bar.timeframe} {bar.timestamp} {bar.close!r}")
