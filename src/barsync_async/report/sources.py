"""What became of each source's cells."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from barsync_async.messages import LateBar, SynchronizedBars, SyncSkipped
from barsync_async.units import SourceId


class SourceCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The cells of one source, by provenance, and the bars of it that came too late.

    ``missing`` counts the timestamps at which it had no cell: it was waited for in vain and nothing
    stood in, or it was not due and had had no bar yet; ``skipped`` those at which its bar was there
    and the set was not published. No event tells of ``received``, ``duplicate``, ``corrected`` and
    ``rejected`` bars by source: they are what a synchronizer counted, once somebody has put them
    in.
    """

    fresh: int = 0
    carried: int = 0
    filled: int = 0
    interpolated: int = 0
    missing: int = 0
    skipped: int = 0
    late: int = 0
    received: int = 0
    duplicate: int = 0
    corrected: int = 0
    rejected: int = 0


class SourceRecord:
    """Takes sets, skips and late bars in, one by one."""

    def __init__(self) -> None:
        self._counts: dict[SourceId, Counter[str]] = {}

    def add_set(self, sealed: SynchronizedBars) -> None:
        """Count its cells; revisions are none of its kind."""
        counts = self._counts
        for source, bar in sealed.bars.items():
            try:
                counts[source][bar.provenance] += 1
            except KeyError:
                self._of(source)[bar.provenance] += 1
        for source in sealed.sources_missing:
            if source not in sealed.bars:
                self._of(source)["missing"] += 1

    def add_skip(self, skip: SyncSkipped) -> None:
        """Count what was there in vain, and what was not."""
        for source in skip.sources_present:
            self._of(source)["skipped"] += 1
        for source in skip.sources_missing:
            self._of(source)["missing"] += 1

    def add_late(self, late: LateBar) -> None:
        """Count it."""
        self._of(late.bar.source)["late"] += 1

    def _of(self, source: SourceId) -> Counter[str]:
        return self._counts.setdefault(source, Counter())

    def counts(self) -> Mapping[SourceId, SourceCounts]:
        """All so far, by source in their order."""
        return {source: SourceCounts(**self._counts[source]) for source in sorted(self._counts)}
