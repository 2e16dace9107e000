"""From a slot whose cells are settled to what is said of it."""

from collections.abc import Iterable
from itertools import compress
from operator import not_
from types import MappingProxyType

from barsync_async.core.alignment import Alignment
from barsync_async.core.cells import Cells
from barsync_async.core.slot import Slot
from barsync_async.core.statistics import Counters
from barsync_async.messages import Bar, SkipReason, Status, SynchronizedBars, SyncSkipped
from barsync_async.units import SourceId, to_ms

Names = tuple[SourceId, ...]

_THERE = frozenset({"fresh", "carried"})


class Publication:
    """Makes the events of the main stream, and counts them.

    Args:
        alignment: the sources.
        counters: where to count.
        require_all: publish a set only if every source has a cell.
    """

    def __init__(self, alignment: Alignment, counters: Counters, *, require_all: bool) -> None:
        self._alignment = alignment
        self._counters = counters
        self._require_all = require_all
        self._nobody: Names = ()

    def whole(self, slot: Slot) -> SynchronizedBars:
        """Every source was due and delivered."""
        self._counters.sets_by["complete"] += 1
        bars = dict(zip(self._alignment.sources, slot.cells))  # noqa: B905 - as many, and faster
        return SynchronizedBars(
            timestamp=slot.timestamp,
            status="complete",
            bars=MappingProxyType(bars),  # type: ignore[arg-type]  # no None is among them
            sources_present=self._alignment.sources,
            sources_missing=self._nobody,
            wait_ms=to_ms(slot.wait_ns),
            loop_lag_ms=to_ms(slot.lag_ns),
        )

    def judged(
        self, slot: Slot, cells: Cells, *, cold: Iterable[int]
    ) -> SynchronizedBars | SyncSkipped:
        """The set, or why there is none; ``cold`` are the sources that had no bar yet."""
        if slot.slept:
            return self._skip(slot, cells, "suspended")
        if not any(cells):
            return self._skip(slot, cells, "empty")
        is_whole = None not in cells
        if self._require_all and not is_whole:
            warming_up = any(self._alignment.slow[each] or not slot.due[each] for each in cold)
            return self._skip(slot, cells, "warmup" if warming_up else "incomplete")
        status: Status = "filled" if is_whole else "partial"
        if slot.is_complete:
            status = "complete"
        self._counters.sets_by[status] += 1
        return self._set(slot, cells, status)

    def revised(self, slot: Slot, cells: Cells) -> SynchronizedBars | None:
        """The next revision of a set; None where it is still not one that is published."""
        is_whole = None not in cells
        if self._require_all and not is_whole:
            return None
        slot.revision += 1
        self._counters.revised += 1
        status: Status = "filled" if is_whole else "partial"
        if any(slot.due) and not slot.missing():
            status = "complete"
        return self._set(slot, cells, status)

    def _set(self, slot: Slot, cells: Cells, status: Status) -> SynchronizedBars:
        present, missing = self._sorted_out(cells)
        sources = self._alignment.sources
        bars = {source: bar for source, bar in zip(sources, cells, strict=True) if bar is not None}
        return SynchronizedBars(
            timestamp=slot.timestamp,
            revision=slot.revision,
            status=status,
            bars=MappingProxyType(bars),
            sources_present=present,
            sources_missing=missing,
            wait_ms=to_ms(slot.wait_ns),
            loop_lag_ms=to_ms(slot.lag_ns),
        )

    def _skip(self, slot: Slot, cells: Cells, reason: SkipReason) -> SyncSkipped:
        self._counters.skips_by[reason] += 1
        present, missing = self._sorted_out(cells)
        return SyncSkipped(
            timestamp=slot.timestamp,
            reason=reason,
            sources_present=present,
            sources_missing=missing,
            wait_ms=to_ms(slot.wait_ns),
        )

    def _sorted_out(self, cells: Iterable[Bar | None]) -> tuple[Names, Names]:
        """The sources whose cell is fresh or carried, and the others."""
        there = [cell is not None and cell.provenance in _THERE for cell in cells]
        sources = self._alignment.sources
        return tuple(compress(sources, there)), tuple(compress(sources, map(not_, there)))
