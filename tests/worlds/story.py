"""One container's part of a record, sorted out for the checks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from tests.worlds.record import MAIN, Published, Record
from tests.worlds.venue import Given
from tests.worlds.world import ContainerPlan

from barsync_async.core.statistics import SourceStatistics, Statistics
from barsync_async.messages import EventType
from barsync_async.units import SourceId
from barsync_async.wire import encode


@dataclass(frozen=True)
class Story:
    """What one container was given and what it published."""

    record: Record
    plan: ContainerPlan

    @property
    def name(self) -> str:
        return f"world {self.record.world.seed} {self.plan.name}"

    @property
    def published(self) -> list[Published]:
        return self.record.published[self.plan.name]

    @property
    def written(self) -> bytes:
        return bytes(self.record.written[self.plan.name])

    @property
    def encoded(self) -> bytes:
        return b"".join(encode(each.event) + b"\n" for each in self.published)

    @property
    def statistics(self) -> Statistics:
        return self.record.statistics[self.plan.name]

    @property
    def by_source(self) -> Mapping[SourceId, SourceStatistics]:
        return self.record.by_source[self.plan.name]

    def of(self, *types: EventType) -> list[Published]:
        """Its events of these types."""
        return [each for each in self.published if each.event.event_type in types]

    @cached_property
    def main(self) -> dict[int, Published]:
        """The main event of each T."""
        return {each.event.payload.timestamp: each for each in self.of(*MAIN)}

    @cached_property
    def feeds(self) -> set[str]:
        """The feeds that carry a source of this container."""
        return {name for source in self.plan.sources for name in self.carriers(source)}

    def carriers(self, source: SourceId) -> tuple[str, ...]:
        return self.record.world.carriers(source)

    @cached_property
    def given(self) -> list[Given]:
        """What reached this container, in the order in which it counts."""
        mine = (each for each in self.record.given if self._concerns(each))
        return sorted(mine, key=lambda each: (each.at, each.feed, each.order))

    def _concerns(self, given: Given) -> bool:
        if given.quote is not None:
            return given.quote.source in self.plan.sources
        return given.feed in self.feeds and given.kind != "noise"

    @cached_property
    def bars(self) -> list[Given]:
        return [each for each in self.given if each.quote is not None]

    @cached_property
    def values(self) -> dict[tuple[str, int], set[float]]:
        """All values that were given for a source and T."""
        values: dict[tuple[str, int], set[float]] = {}
        for each in self.bars:
            if each.quote is not None:
                key = (each.quote.source, each.quote.timestamp)
                values.setdefault(key, set()).add(each.quote.value)
        return values

    @property
    def has_blocking_reader(self) -> bool:
        """Whether somebody puts the publication of its sets off."""
        return any(
            each.container == self.plan.name and each.policy == "block"
            for each in self.record.world.readers
        )

    @property
    def ordered(self) -> set[str]:
        """The feeds of which a later bar proves something."""
        return {feed.name for feed in self.record.world.feeds if feed.in_order}

    def was_away(self, source: SourceId, until: int) -> bool:
        """Whether a source has ever been idle or down."""
        return any(
            each.event.payload.source == source and each.event.payload.status != "live"
            for each in self.of(EventType.SOURCE_STATUS)
            if each.at.mono <= until
        )

    def status_before(self, moment: int) -> dict[SourceId, str]:
        """The status of each source as last published before a moment."""
        status = dict.fromkeys(self.plan.sources, "live")
        for each in self.of(EventType.SOURCE_STATUS):
            if each.at.mono < moment:
                status[each.event.payload.source] = each.event.payload.status
        return status


def stories(record: Record) -> Iterator[Story]:
    for plan in record.world.containers:
        yield Story(record, plan)
