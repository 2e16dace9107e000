"""Which connection carries which sources: a config's feeds, cut to what a venue allows on one."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from barsync_async.config import Config, FeedConfig
from barsync_async.units import TIMEFRAMES, SourceId, is_trades, split_source, split_stream
from barsync_async.venues import CODECS
from barsync_async.venues.facts import VenueFacts
from barsync_async.venues.options import VenueOptions

_SHARE_OF_LIFE = 0.95  # a connection is replaced so long before the venue cuts it


class ConnectionPlan(msgspec.Struct, frozen=True):
    """One connection: its name is the feed's, numbered where the feed needs several.

    ``derived`` are the sources made here of some of ``sources``. ``backfill`` is how many past
    bars of the shortest source are wanted at the start; 0: no past bars ever.
    """

    name: str
    feed: str
    venue: str
    options: VenueOptions
    sources: tuple[SourceId, ...]
    derived: Mapping[SourceId, SourceId]
    in_order: bool
    grace_ms: int
    rollover_s: float | None
    backfill: int

    @property
    def carried(self) -> frozenset[SourceId]:
        """All sources that bars come of."""
        return frozenset((*self.sources, *self.derived))


def plan_connections(config: Config) -> list[ConnectionPlan]:
    """Every connection that ``config`` needs; a source that no container expects, and nothing that
    one expects is derived from, is left out.
    """
    expected = expected_sources(config)
    return [
        plan for name, table in config.feeds.items() for plan in _of_feed(name, table, expected)
    ]


def expected_sources(config: Config) -> set[str]:
    """The sources that some synchronizer of ``config`` expects."""
    return {
        source
        for container in config.containers.values()
        for component in container.components.values()
        for source in component.config.get("expected_sources", ())
    }


def wanted_of(table: FeedConfig, expected: Collection[str]) -> tuple[SourceId, ...]:
    """What of a feed's sources is ``expected``, or is part of one derived source that is."""
    parts = {part for source, part in table.derived.items() if source in expected}
    return tuple(SourceId(each) for each in table.sources if each in expected or each in parts)


def _of_feed(name: str, table: FeedConfig, expected: Collection[str]) -> Iterator[ConnectionPlan]:
    wanted = wanted_of(table, expected)
    codec = CODECS.get(table.venue)  # none: files
    shares = list(_shares(wanted, codec.facts)) if codec else [wanted] * bool(wanted)
    lifetime_s = None if codec is None else codec.facts.lifetime_s
    for number, sources in enumerate(shares, 1):
        yield ConnectionPlan(
            name if len(shares) == 1 else f"{name}.{number}",
            name,
            table.venue,
            table.options,
            sources,
            {
                SourceId(each): SourceId(part)
                for each, part in table.derived.items()
                if each in expected and part in sources
            },
            table.in_order,
            table.grace_ms,
            table.rollover_s or (lifetime_s and lifetime_s * _SHARE_OF_LIFE),
            0 if codec is None or codec.history is None else _past_bars(table),
        )


def _shares(wanted: Sequence[SourceId], facts: VenueFacts) -> Iterator[tuple[SourceId, ...]]:
    """``wanted``, cut to what the venue allows on one connection."""
    groups: dict[str, list[SourceId]] = {}
    for source in wanted:
        groups.setdefault(split_stream(source)[1] if facts.one_timeframe else "", []).append(source)
    for group in groups.values():
        for start in range(0, len(group), facts.max_sources):
            yield tuple(group[start : start + facts.max_sources])


def _past_bars(table: FeedConfig) -> int:
    """As configured; else one, and enough for one of each derived bar, unless the feed's url is not
    the venue's own and nobody said where its history is.
    """
    if table.backfill is not None:
        return table.backfill
    if table.url is not None and table.history_url is None:
        return 0
    made = [(each, part) for each, part in table.derived.items() if not is_trades(part)]
    return max([1, *(2 * _parts(each, part) for each, part in made)])


def _parts(longer: str, shorter: str) -> int:
    lengths = [TIMEFRAMES[split_source(each)[1]].length_ms for each in (longer, shorter)]
    return lengths[0] // lengths[1]
