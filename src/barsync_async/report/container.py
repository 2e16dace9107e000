"""All that is told of one container, from its events as an output gets them."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from barsync_async.messages import BarRejected, Event, EventType, SynchronizedBars, SyncSkipped
from barsync_async.report.portfolio import PortfolioRecord, PortfolioSeries
from barsync_async.report.sets import SetRecord, SetSeries
from barsync_async.report.sources import SourceCounts, SourceRecord
from barsync_async.report.strategies import StrategyCounts
from barsync_async.units import SourceId


class ContainerReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a container did.

    ``portfolio`` is None where it has none; ``rejected`` counts what came in and is no bar of
    it, by reason.
    """

    name: str
    sets: SetSeries
    revised: int
    sources: Mapping[SourceId, SourceCounts]
    rejected: Mapping[str, int]
    portfolio: PortfolioSeries | None
    strategies: Mapping[str, StrategyCounts]


class ContainerRecord:
    """Takes the events of the container ``name`` in, one by one, in their order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._sets = SetRecord()
        self._sources = SourceRecord()
        self._portfolio = PortfolioRecord()
        self._rejected: Counter[str] = Counter()
        self._revised = 0
        self._takers: dict[EventType, Callable[[Any], None]] = {
            EventType.SYNCHRONIZED_BARS: self._take_set,
            EventType.SYNCHRONIZED_BARS_REVISED: self._take_revision,
            EventType.SYNC_SKIPPED: self._take_skip,
            EventType.LATE_BAR: self._sources.add_late,
            EventType.BAR_REJECTED: self._take_rejection,
            EventType.FEATURES: self._portfolio.see,
            EventType.SIGNAL: self._portfolio.add_signal,
            EventType.STRATEGY_FAULT: self._portfolio.add_fault,
            EventType.PORTFOLIO: self._portfolio.add_version,
        }

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """Those that it wants to see; others say nothing to it."""
        return tuple(self._takers)

    def take(self, event: Event) -> None:
        """The next event."""
        self._takers[event.event_type](event.payload)

    def _take_set(self, sealed: SynchronizedBars) -> None:
        self._sets.add_set(sealed)
        self._sources.add_set(sealed)
        self._portfolio.expect(sealed.sources_present)
        self._portfolio.expect(sealed.sources_missing)

    def _take_revision(self, revised: SynchronizedBars) -> None:
        del revised
        self._revised += 1

    def _take_skip(self, skip: SyncSkipped) -> None:
        self._sets.add_skip(skip)
        self._sources.add_skip(skip)

    def _take_rejection(self, rejected: BarRejected) -> None:
        self._rejected[rejected.reason] += 1

    def report(self) -> ContainerReport:
        """All so far."""
        return ContainerReport(
            name=self.name,
            sets=self._sets.series(),
            revised=self._revised,
            sources=self._sources.counts(),
            rejected=dict(sorted(self._rejected.items())),
            portfolio=self._portfolio.series(),
            strategies=self._portfolio.strategies(),
        )
