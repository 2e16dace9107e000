"""Past bars before the first live ones, so that slower sources and indicators are warm."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import anyio
import structlog

from barsync_async.messages import Bar
from barsync_async.shell.feeds.feed import Feed
from barsync_async.shell.intake import Intake
from barsync_async.venues.fields import end_of
from barsync_async.venues.outcomes import Rejection

_Item = tuple[Feed, Bar | Rejection]

log = structlog.get_logger("barsync.backfill")


async def warm_up(feeds: Mapping[Feed, int], intake: Intake) -> None:
    """Hand on the last bars of every feed, so many of its shortest source as ``feeds`` says, in
    the order of their timestamps: a set of the past is whole before the next one begins. Safe to
    cancel.
    """
    past: dict[Feed, Sequence[Bar | Rejection]] = {}

    async def get(feed: Feed, bars: int) -> None:
        if feed.past is not None:
            past[feed] = await feed.past.last(bars)

    async with anyio.create_task_group() as tasks:
        for feed, bars in feeds.items():
            tasks.start_soon(get, feed, bars, name=f"past bars {feed.name}")
    if past:
        count = sum(map(len, past.values()))
        log.info("past bars", bars=count, feeds=[feed.name for feed in past])
    for of_one_timestamp in _in_order(past):
        for feed, item in of_one_timestamp:
            await feed.hand_on([item])
        await intake.empty()


def _in_order(past: Mapping[Feed, Sequence[Bar | Rejection]]) -> Iterable[Iterable[_Item]]:
    """One timestamp after the other, each with the items of every feed."""
    items = [(feed, item) for feed, some in past.items() for item in some]
    items.sort(key=_timestamp)
    return (of_one for _, of_one in groupby(items, key=_timestamp))


def _timestamp(feed_and_item: _Item) -> int:
    return end_of(feed_and_item[1])
