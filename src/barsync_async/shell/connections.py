"""Which connection carries which sources: a config's feeds, cut to what a venue allows on one."""

from collections.abc import Iterator

import msgspec

from barsync_async.config import Config, FeedConfig
from barsync_async.units import SourceId
from barsync_async.venues import CODECS
from barsync_async.venues.options import VenueOptions

_SHARE_OF_LIFE = 0.95  # a connection is replaced so long before the venue cuts it


class ConnectionPlan(msgspec.Struct, frozen=True):
    """One connection: its name is the feed's, numbered where the feed needs several."""

    name: str
    feed: str
    venue: str
    options: VenueOptions
    sources: tuple[SourceId, ...]
    in_order: bool
    grace_ms: int
    rollover_s: float | None
    backfill: int
    """How many past bars of the shortest source are wanted at the start; 0: no past bars ever."""


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
            table.grace_ms,
            table.rollover_s or _before(CODECS[table.venue].facts.lifetime_s),
            _past_bars(table),
        )


def _before(lifetime_s: int | None) -> float | None:
    return None if lifetime_s is None else lifetime_s * _SHARE_OF_LIFE


def _past_bars(table: FeedConfig) -> int:
    """As configured; else one, where the venue has a history and it is not another's."""
    if CODECS[table.venue].history is None:
        return 0
    if table.backfill is not None:
        return table.backfill
    return 1 if table.url is None or table.history_url is not None else 0
