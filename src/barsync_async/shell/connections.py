"""Which connection carries which sources: a config's feeds, cut to what a venue allows on one."""

from collections.abc import Iterator

import msgspec

from barsync_async.config import Config, FeedConfig
from barsync_async.units import SourceId
from barsync_async.venues import CODECS
from barsync_async.venues.options import VenueOptions


class ConnectionPlan(msgspec.Struct, frozen=True):
    """One connection: its name is the feed's, numbered where the feed needs several."""

    name: str
    feed: str
    venue: str
    options: VenueOptions
    sources: tuple[SourceId, ...]
    in_order: bool


def plan_connections(config: Config) -> list[ConnectionPlan]:
    """Every connection that ``config`` needs; a source that no container expects is left out."""
    wanted = expected_sources(config)
    return [each for name, table in config.feeds.items() for each in _of_feed(name, table, wanted)]


def expected_sources(config: Config) -> set[str]:
    """The sources that some synchronizer of ``config`` expects."""
    return {
        source
        for container in config.containers.values()
        for component in container.components.values()
        for source in component.config.get("expected_sources", ())
    }


def _of_feed(name: str, table: FeedConfig, wanted: set[str]) -> Iterator[ConnectionPlan]:
    sources = tuple(SourceId(source) for source in table.sources if source in wanted)
    most = CODECS[table.venue].facts.max_sources
    starts = range(0, len(sources), most)
    for number, start in enumerate(starts, 1):
        yield ConnectionPlan(
            name if len(starts) == 1 else f"{name}.{number}",
            name,
            table.venue,
            table.options,
            sources[start : start + most],
            table.in_order,
        )
