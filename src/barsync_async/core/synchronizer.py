"""The synchronizer as a state machine: bars, deadlines and ``now`` in, outcomes out.

It promises the contract's four promises for whatever it is told; it knows no clock, loop, queue
or socket. Whoever drives it stamps each arrival, calls :meth:`Synchronizer.on_deadline` at or
after each of :attr:`Synchronizer.deadlines`, and gives it the bars that were read before that
moment first.
"""

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

import msgspec

from barsync_async.core.alignment import Alignment
from barsync_async.core.missing import MissingPolicy, aged, fill
from barsync_async.core.slot import Cause, Slot
from barsync_async.core.statistics import Statistics
from barsync_async.messages import (
    Bar,
    BarRejected,
    LateBar,
    SkipReason,
    Status,
    SynchronizedBars,
    SyncSkipped,
    excerpt,
)
from barsync_async.units import NS_PER_MS, Instant, MonoNs, SourceId, WallMs, to_ms

K = TypeVar("K")
V = TypeVar("V")

Outcome = SynchronizedBars | SyncSkipped | LateBar | BarRejected

_NOTHING: tuple[Outcome, ...] = ()


class SynchronizerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a synchronizer is to do; :class:`Synchronizer` is that, running.

    Args:
        expected_sources: the sources of every set.
        timeout_ms: from a slot's opening to its deadline.
        require_all: a set goes out only if every expected source has a cell.
        missing: what stands in the cell of a due source that did not deliver.
        max_age_ms: the oldest bar that ``last_known`` fills with; None: any.
        max_future_ms: how far a timestamp may lie beyond the wall clock plus one interval.
        max_open: how many slots may be open at once.
        history: how many released sets are remembered, to tell duplicates from late bars.
    """

    expected_sources: frozenset[SourceId]
    timeout_ms: float = 100.0
    require_all: bool = True
    missing: MissingPolicy = "skip"
    max_age_ms: int | None = None
    max_future_ms: int = 1_000
    max_open: int = 64
    history: int = 256


class Synchronizer:
    """Many slots open at once, released strictly in the order of their timestamps."""

    def __init__(self, spec: SynchronizerSpec) -> None:
        self.spec = spec
        self.alignment = Alignment(spec.expected_sources)
        self._timeout_ns = round(spec.timeout_ms * NS_PER_MS)
        self._open: dict[WallMs, Slot] = {}
        self._deadlines: dict[WallMs, MonoNs] = {}
        self._order: list[WallMs] = []  # open and sealed slots, not yet released
        self._sealed: dict[WallMs, Slot] = {}
        self._history: dict[WallMs, Slot] = {}
        self._strays: dict[WallMs, Slot] = {}  # late bars of timestamps that never opened
        self._released_through: WallMs | None = None
        self._last: list[Bar | None] = [None] * len(self.alignment.sources)
        self._between: dict[tuple[int, WallMs], Bar] = {}  # carried, in no slot
        self._accepted = self._corrected = self._duplicate = self._late = self._crowded = 0
        self._rejected: Counter[str] = Counter()
        self._sets: Counter[str] = Counter()
        self._skips: Counter[str] = Counter()

    @property
    def deadlines(self) -> Mapping[WallMs, MonoNs]:
        """The open slots and when each must be sealed; a live, read-only view."""
        return MappingProxyType(self._deadlines)

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
        rejected = self._rejected.total()
        return Statistics(
            received=self._accepted + self._corrected + self._duplicate + self._late + rejected,
            accepted=self._accepted,
            corrected=self._corrected,
            duplicate=self._duplicate,
            late=self._late,
            rejected=rejected,
            rejected_by=dict(self._rejected),
            sets_by=dict(self._sets),
            skips_by=dict(self._skips),
            crowded=self._crowded,
            open_slots=len(self._open),
        )

    # What comes in

    def on_bar(self, bar: Bar, now: Instant, feed: str | None = None) -> Sequence[Outcome]:
        """A final bar, read at ``now``.

        ``feed`` is None for a bar that the program made itself: only bars from a feed are held
        against the grid and the clock.
        """
        index = self.alignment.index_of.get((bar.symbol, bar.timeframe))
        if index is None:
            return self.on_rejected("unknown_source", feed or "", _shown(bar), now)
        slot = self._open.get(bar.timestamp)
        if slot is None or self.alignment.slow[index] is not None:
            return self._on_first(bar, index, now, feed)
        return self._on_slot(slot, bar, index, now)

    def on_rejected(
        self, reason: str, feed: str, detail: str, now: Instant
    ) -> tuple[BarRejected, ...]:
        """Something arrived that is no bar: count it and say so."""
        self._rejected[reason] += 1
        return (BarRejected(timestamp=now.wall, reason=reason, feed=feed, detail=detail),)

    def on_deadline(self, timestamp: WallMs, now: Instant) -> Sequence[Outcome]:
        """The time of ``timestamp`` may be up; before its deadline nothing happens."""
        slot = self._open.get(timestamp)
        if slot is None or now.mono < slot.deadline:
            return _NOTHING
        return self._seal(slot, Cause.DEADLINE, now.mono)

    def on_end(self, now: Instant) -> Sequence[Outcome]:
        """Nothing more will come: seal every open slot, as at its deadline."""
        outcomes: list[Outcome] = []
        for timestamp in sorted(self._open):
            outcomes += self._seal(self._open[timestamp], Cause.END, now.mono)
        return outcomes

    # A bar's way

    def _on_first(self, bar: Bar, index: int, now: Instant, feed: str | None) -> Sequence[Outcome]:
        """The way of a bar that must be looked at before a slot takes it."""
        if feed is not None:
            reason = self._guard(bar, index, now)
            if reason is not None:
                return self.on_rejected(reason, feed, _shown(bar), now)
        timestamp = bar.timestamp
        slot = self._open.get(timestamp)
        if self._is_between(index, timestamp):
            return self._on_between(bar, index)
        if slot is not None:
            return self._on_slot(slot, bar, index, now)
        if self._is_sealed(timestamp):
            return self._on_sealed(bar, index, now)
        return self._on_slot(self._open_slot(timestamp, now), bar, index, now)

    def _is_between(self, index: int, timestamp: int) -> bool:
        """Whether this close of a slower source has no slot of its own (5m among 3m)."""
        slow = self.alignment.slow[index]
        if slow is None:
            return False
        return not (slow.closes_at(timestamp) and self.alignment.is_slot(timestamp))

    def _guard(self, bar: Bar, index: int, now: Instant) -> str | None:
        timeframe = self.alignment.timeframes[index]
        if not timeframe.closes_at(bar.timestamp):
            return "off_grid"
        if bar.timestamp > now.wall + timeframe.length_ms + self.spec.max_future_ms:
            return "future"
        return None

    def _open_slot(self, timestamp: WallMs, now: Instant) -> Slot:
        deadline = MonoNs(now.mono + self._timeout_ns)
        due = self.alignment.due_count(timestamp)
        slot = Slot(timestamp, now.mono, deadline, len(self.alignment.sources), due)
        self._open[timestamp] = slot
        self._deadlines[timestamp] = deadline
        insort(self._order, timestamp)
        return slot

    def _on_slot(self, slot: Slot, bar: Bar, index: int, now: Instant) -> Sequence[Outcome]:
        cells = slot.cells
        held = cells[index]
        if held is not None:
            if held == bar:
                self._duplicate += 1
            else:
                cells[index] = bar
                self._corrected += 1
            return _NOTHING
        cells[index] = bar
        self._accepted += 1
        slot.waiting -= 1
        if slot.waiting == 0:
            return self._seal(slot, Cause.PROOF, now.mono)
        if len(self._open) > self.spec.max_open:
            self._crowded += 1
            return self._seal(self._open[min(self._open)], Cause.CROWDED, now.mono)
        return _NOTHING

    def _on_between(self, bar: Bar, index: int) -> Sequence[Outcome]:
        """It belongs to no set and is carried into those after it."""
        key = (index, bar.timestamp)
        held = self._between.get(key)
        if held is None:
            self._accepted += 1
        elif held == bar:
            self._duplicate += 1
        else:
            self._corrected += 1
        self._between[key] = bar
        _keep_newest(self._between, self.spec.history)
        return _NOTHING

    def _is_sealed(self, timestamp: WallMs) -> bool:
        through = self._released_through
        return (through is not None and timestamp <= through) or timestamp in self._sealed

    def _on_sealed(self, bar: Bar, index: int, now: Instant) -> Sequence[Outcome]:
        timestamp = bar.timestamp
        slot = self._sealed.get(timestamp) or self._history.get(timestamp)
        if slot is None:
            slot = self._passed_over(timestamp, now)
        held = slot.late.get(index) or slot.cells[index] or self._last[index]
        if held == bar:
            self._duplicate += 1
            return _NOTHING
        self._late += 1
        slot.late[index] = bar
        if timestamp not in self._sealed:  # else it is remembered once that slot is released
            self._remember(index, bar)
        late_by = to_ms(max(0, now.mono - slot.sealed_at))
        return (LateBar(timestamp=timestamp, bar=bar, late_by_ms=late_by, action="dropped"),)

    def _passed_over(self, timestamp: WallMs, now: Instant) -> Slot:
        """A timestamp that never opened, as if sealed together with the next one that did."""
        slot = self._strays.get(timestamp)
        if slot is None:
            next_one = min((when for when in self._history if when > timestamp), default=None)
            moment = now.mono if next_one is None else self._history[next_one].sealed_at
            slot = Slot(timestamp, moment, moment, len(self.alignment.sources), 0)
            self._strays[timestamp] = slot
            _keep_newest(self._strays, self.spec.history)
        return slot

    def _remember(self, index: int, bar: Bar) -> None:
        last = self._last[index]
        if last is None or (last is not bar and last.timestamp <= bar.timestamp):
            self._last = [*self._last]  # the list may be a released slot's own cells
            self._last[index] = bar

    # A slot's end

    def _seal(self, slot: Slot, cause: Cause, now: MonoNs) -> Sequence[Outcome]:
        slot.seal(cause, now)
        timestamp = slot.timestamp
        del self._open[timestamp], self._deadlines[timestamp]
        self._sealed[timestamp] = slot
        outcomes: list[Outcome] = []
        while self._order and (ready := self._sealed.pop(self._order[0], None)) is not None:
            del self._order[0]
            outcomes.append(self._release(ready))
        return outcomes

    def _release(self, slot: Slot) -> SynchronizedBars | SyncSkipped:
        """Every earlier slot is out: decide the cells that depend on them, and go."""
        slot.move(Cause.RELEASE)
        timestamp = slot.timestamp
        self._settle_between(timestamp)
        cells = slot.cells
        previous = self._last
        outcome: SynchronizedBars | SyncSkipped
        if slot.waiting == 0 and self.alignment.due_count(timestamp) == len(cells):
            self._last = cells
            outcome = self._emit(slot, cells, "complete")
        else:
            self._last = [new or old for new, old in zip(cells, previous, strict=True)]
            outcome = self._judge(slot, self._completed(slot, previous))
        for index, bar in slot.late.items():
            self._remember(index, bar)
        self._released_through = timestamp
        self._history[timestamp] = slot
        _keep_newest(self._history, self.spec.history)
        return outcome

    def _settle_between(self, timestamp: WallMs) -> None:
        for key in sorted(key for key in self._between if key[1] <= timestamp):
            self._remember(key[0], self._between[key])

    def _completed(self, slot: Slot, previous: Sequence[Bar | None]) -> list[Bar | None]:
        """The slot's cells with the carried and filled ones put in."""
        cells = list(slot.cells)
        timestamp = slot.timestamp
        for index, last in enumerate(previous):
            if cells[index] is None and last is not None:
                if self.alignment.is_due(index, timestamp):
                    cells[index] = fill(self.spec.missing, last, timestamp, self.spec.max_age_ms)
                else:
                    cells[index] = aged(last, timestamp, "carried")
        return cells

    def _judge(self, slot: Slot, cells: Sequence[Bar | None]) -> SynchronizedBars | SyncSkipped:
        whole = None not in cells
        if all(cell is None for cell in cells):
            return self._skip(slot, cells, "empty")
        if self.spec.require_all and not whole:
            return self._skip(slot, cells, "warmup" if self._warming_up() else "incomplete")
        if slot.waiting == 0:
            return self._emit(slot, cells, "complete")
        return self._emit(slot, cells, "filled" if whole else "partial")

    def _warming_up(self) -> bool:
        """Whether a slower source has not had its first bar."""
        slow = self.alignment.slow
        return any(
            last is None and timeframe is not None
            for last, timeframe in zip(self._last, slow, strict=True)
        )

    def _emit(self, slot: Slot, cells: Sequence[Bar | None], status: Status) -> SynchronizedBars:
        self._sets[status] += 1
        sources = self.alignment.sources
        if None in cells:
            bars = {s: bar for s, bar in zip(sources, cells, strict=True) if bar is not None}
        else:
            bars = dict(zip(sources, cells, strict=True))  # type: ignore[arg-type]  # no None left
        present, missing = self._present(cells)
        return SynchronizedBars(
            timestamp=slot.timestamp,
            status=status,
            bars=MappingProxyType(bars),
            sources_present=present,
            sources_missing=missing,
            wait_ms=to_ms(slot.wait_ns),
            loop_lag_ms=to_ms(slot.lag_ns),
        )

    def _skip(self, slot: Slot, cells: Sequence[Bar | None], reason: SkipReason) -> SyncSkipped:
        self._skips[reason] += 1
        present, missing = self._present(cells)
        return SyncSkipped(
            timestamp=slot.timestamp,
            reason=reason,
            sources_present=present,
            sources_missing=missing,
            wait_ms=to_ms(slot.wait_ns),
        )

    def _present(
        self, cells: Iterable[Bar | None]
    ) -> tuple[tuple[SourceId, ...], tuple[SourceId, ...]]:
        """The sources whose cell is fresh or carried, and the others."""
        present: list[SourceId] = []
        missing: list[SourceId] = []
        for source, cell in zip(self.alignment.sources, cells, strict=True):
            there = cell is not None and cell.provenance in ("fresh", "carried")
            (present if there else missing).append(source)
        return tuple(present), tuple(missing)


def _keep_newest(memory: dict[K, V], count: int) -> None:
    """Forget the oldest entry where there are more than ``count``."""
    if len(memory) > count:
        del memory[next(iter(memory))]


def _shown(bar: Bar) -> str:
    """A bar as the detail of its rejection."""
    return excerpt(f"{bar.symbol}_{bar.timeframe} {bar.timestamp} {bar.close!r}")
