"""From a slot's opening to its release: what :mod:`~barsync_async.core.slot` has as a table, done.

Bars are delivered into slots by the synchronizer; here it is decided when a slot opens, is sealed,
is held, and goes out. What is to be said lies in ``out``, in its order, until it is taken.
"""

from collections import deque

from barsync_async.core.alignment import Alignment
from barsync_async.core.cells import Cells, settled
from barsync_async.core.last_bars import LastBars
from barsync_async.core.lateness import Lateness
from barsync_async.core.liveness import HEALTHY_LAG_NS, Liveness
from barsync_async.core.memory import Memory
from barsync_async.core.proof import NOTHING, Proof
from barsync_async.core.publication import Publication
from barsync_async.core.slot import Cause, Slot, State
from barsync_async.core.slots import Slots
from barsync_async.core.spec import SynchronizerSpec
from barsync_async.core.statistics import Counters
from barsync_async.core.timing import Timing
from barsync_async.messages import (
    Bar,
    BarRejected,
    ClockStep,
    LateBar,
    SourceStatus,
    SynchronizedBars,
    SyncSkipped,
)
from barsync_async.units import NS_PER_MS, Instant, MonoNs, WallMs, split_source

Outcome = SynchronizedBars | SyncSkipped | LateBar | BarRejected | SourceStatus | ClockStep

_SLEEPS = 256  # the newest spans that the machine slept through


class Lifecycle:
    """All slots of one synchronizer, and everything that lasts longer than a slot."""

    def __init__(self, spec: SynchronizerSpec, alignment: Alignment, counters: Counters) -> None:
        sources = alignment.sources
        self.out: list[Outcome] = []
        self.slots = Slots()
        self.proof = Proof(sources, spec.feeds, spec.unordered_feeds)
        self.liveness = Liveness(
            sources,
            [self.proof.carriers(index) for index in range(len(sources))],
            idle_after=spec.idle_after,
            exclude_idle=spec.exclude_idle,
        )
        self.memory = Memory(spec.remembered, len(sources))
        self.last = LastBars(len(sources))
        self.timing = Timing(spec, alignment, self.slots, self.is_over)
        publication = Publication(alignment, counters, require_all=spec.require_all)
        self.lateness = Lateness(spec, self.memory, publication)
        self.furthest = 0  # the latest timestamp of any bar or slot
        self.slept: deque[tuple[int, int]] = deque(maxlen=_SLEEPS)
        self._spec = spec
        self._alignment = alignment
        self._counters = counters
        self._publication = publication
        self._interpolates = spec.missing == "interpolate"
        self._hold_ns = round(spec.hold_ms * NS_PER_MS)
        self._released_through: WallMs | None = None

    def take_out(self) -> list[Outcome]:
        """What is to be said since the last call."""
        out, self.out = self.out, []
        return out

    def over(self, timestamp: WallMs) -> Slot | None:
        """The slot of ``timestamp``, where it is sealed and still remembered."""
        return self.slots.sealed(timestamp) or self.memory.released(timestamp)

    def is_over(self, timestamp: WallMs) -> bool:
        """Whether ``timestamp`` is sealed, released or passed over."""
        through = self._released_through
        return (through is not None and timestamp <= through) or self.slots.is_sealed(timestamp)

    def known(self, timestamp: WallMs, index: int) -> Bar | None:
        """The newest bar of source ``index`` for ``timestamp``, wherever it is."""
        slot = self.slots.open.get(timestamp) or self.over(timestamp)
        bar = None if slot is None else slot.newest(index)
        return bar or self.memory.between(index, timestamp) or self.memory.stray(index, timestamp)

    # The beginning

    def open(self, timestamp: WallMs, opened_at: MonoNs, now: Instant) -> Slot:
        """A slot for ``timestamp``, which has none."""
        deadline = self.timing.deadline(timestamp, opened_at, now)
        due = self._alignment.due(timestamp)
        slot = Slot(timestamp, opened_at, deadline, len(self._alignment.sources), due)
        if self.slots.add(slot) or timestamp < self.furthest:
            self._recall_proofs(slot)
        for index in self.liveness.excluded:
            if slot.lacks(index):
                slot.exclude(index)
        self.furthest = max(self.furthest, timestamp)
        if timestamp == self.timing.next_close:
            self.timing.await_close(timestamp, now)
        return slot

    def _recall_proofs(self, slot: Slot) -> None:
        """It opens after a later one: who has delivered since is absent from the start."""
        for index in slot.missing():
            if self.proof.known(index) > slot.timestamp:
                slot.prove_absent(index)

    def open_by_clock(self, timestamp: WallMs, now: Instant) -> None:
        """The clock shows ``timestamp``: open its slot."""
        slot = self.open(timestamp, self.timing.opening(timestamp, now), now)
        if slot.is_proved:
            self.seal(slot, Cause.PROOF, now)
        self.release_ready()
        self.make_room(now)

    def look_closer(self) -> None:
        """Let no open slot take a bar the quick way any more."""
        for slot in self.slots.open.values():
            slot.quick = bytes(len(slot.due))

    # Proof

    def delivered(self, index: int, feed: str | None, bar: Bar, now: Instant) -> None:
        """A bar was not refused: older slots may be proved without it, held ones need no more."""
        self.furthest = max(self.furthest, bar.timestamp)
        before = self.proof.known(index)
        self.proof.delivered(index, feed, bar.timestamp)
        self._apply_proof(index, before, now)
        if self._interpolates and not self._is_late(index, bar.timestamp):
            self.slots.end_holds(index, bar.timestamp)

    def caught_up(self, feed: str, now: Instant) -> None:
        """``feed`` has asked for all that it missed: what its later bars prove holds now."""
        for index in self.proof.caught_up(feed):
            self._apply_proof(index, NOTHING, now)

    def _apply_proof(self, index: int, before: int, now: Instant) -> None:
        through = self.proof.known(index)
        if through > before:
            for slot in self.slots.open_within(before, through):
                self._give_up(slot, index, now)

    def _is_late(self, index: int, timestamp: WallMs) -> bool:
        """A bar that is not due never is: it may be carried, and is a neighbour, at once."""
        return self.is_over(timestamp) and bool(self._alignment.due(timestamp).flags[index])

    def let_go(self, change: SourceStatus, now: Instant) -> None:
        """Open slots wait no longer for a source that turned idle or down, if it is excluded."""
        index = self._alignment.index(*split_source(change.source))
        if index is not None and index in self.liveness.excluded:
            self.look_closer()
            for slot in list(self.slots.open.values()):
                self._give_up(slot, index, now)

    def _give_up(self, slot: Slot, index: int, now: Instant) -> None:
        if slot.lacks(index):
            slot.prove_absent(index)
            if slot.is_proved:
                self.seal(slot, Cause.PROOF, now)

    # The end

    def settle(self, timestamp: WallMs, cause: Cause, now: Instant) -> None:
        """Seal the slot if it is open, end its hold if it is held."""
        slot = self.slots.open.get(timestamp)
        if slot is not None:
            self.seal(slot, cause, now)
            return
        held = self.slots.sealed(timestamp)
        if held is not None and held.state is State.HELD:
            self.slots.end_hold(held, cause)

    def seal(self, slot: Slot, cause: Cause, now: Instant) -> None:
        """Nothing that comes from now on is part of the set."""
        self.slots.seal(slot, cause, now.mono)
        if self.slept and not any(slot.cells):
            slot.slept = any(start < slot.timestamp <= end for start, end in self.slept)
        lag = slot.lag_ns if cause is Cause.DEADLINE else None
        self._counters.sealed(slot.timestamp, slot.arrived, slot.wait_ns, lag)
        if self._spec.idle_after and lag is not None and lag <= HEALTHY_LAG_NS:
            self._count_misses(slot, now)
        if self._interpolates and cause in (Cause.PROOF, Cause.DEADLINE):
            self._hold(slot)

    def _count_misses(self, slot: Slot, now: Instant) -> None:
        for index in slot.missing():
            if index not in slot.absent:
                change = self.liveness.on_missed(index, slot.opened_at, now)
                if change is not None:
                    self.out.append(change)
                    self.let_go(change, now)

    def _hold(self, slot: Slot) -> None:
        """Wait for the bars that an interpolation needs, if there is something to wait for."""
        needs = {
            index
            for index in slot.missing()
            if self._has_before(index, slot.timestamp)
            and self._following(index, slot.timestamp) is None
        }
        if needs and self._hold_ns:
            self.slots.hold(slot, needs, MonoNs(slot.sealed_at + self._hold_ns))

    def _has_before(self, index: int, timestamp: WallMs) -> bool:
        return (
            self.last.bars[index] is not None
            or self.slots.has_before(index, timestamp)
            or self.memory.has_before(index, timestamp)
        )

    def _following(self, index: int, timestamp: WallMs) -> Bar | None:
        """The first bar of source ``index`` that is known for a later timestamp."""
        places = (self.slots, self.memory)
        found = (place.following(index, timestamp) for place in places)
        later = [bar for bar in found if bar is not None]
        return min(later, key=lambda bar: bar.timestamp, default=None)

    def make_room(self, now: Instant) -> None:
        """Let the oldest slots go while there are more than ``max_open``."""
        while len(self.slots.order) > self._spec.max_open:
            oldest = self.slots.oldest_unsettled()
            if oldest is None:
                return
            self._counters.crowded += 1
            self.settle(oldest, Cause.CROWDED, now)
            self.release_ready()

    def release_ready(self) -> None:
        """Let the sealed slots go that no earlier one keeps."""
        for slot in self.slots.take_ready(before=self.timing.next_close):
            self._release(slot)

    def _release(self, slot: Slot) -> None:
        """Every earlier slot is out: decide the cells that depend on them, and go."""
        slot.move(Cause.RELEASE)
        if self.memory.has_unsettled:
            for index, bar in self.memory.settle_between(slot.timestamp):
                self.last.remember(index, bar)
        cells = slot.cells
        if slot.is_whole:
            self.out.append(self._publication.whole(slot))
            self.last.bars = cells
        else:
            cells = self._settled(slot)
            self.out.append(self._judged(slot, cells))
            self.last.take_over(slot.cells)
        self._released_through = slot.timestamp
        self.memory.release(slot)
        if slot.late:
            for index, bar in slot.late.items():
                self.last.remember(index, bar)
        self.out += self.lateness.release(slot, cells)

    def _settled(self, slot: Slot) -> Cells:
        cells = settled(
            slot, self.last.bars, self._spec, lambda index: self._following(index, slot.timestamp)
        )
        self._counters.count_filled(cells)
        return cells

    def _judged(self, slot: Slot, cells: Cells) -> SynchronizedBars | SyncSkipped:
        columns = enumerate(zip(slot.cells, self.last.bars, strict=True))
        cold = (index for index, (cell, last) in columns if cell is None and last is None)
        return self._publication.judged(slot, cells, cold=cold)
