"""Past bars before the first live ones, so that slower sources and indicators are warm."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import anyio
import structlog

from barsync_async.messages import Bar
from barsync_async.shell.feed import Feed
from barsync_async.shell.intake import Intake
from barsync_async.shell.past_bars import TIMESTAMPS_AT_ONCE
from barsync_async.venues.outcomes import Rejection

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
    for chunk in _chunks(past):
        for feed, items in chunk:
            await feed.hand_on(items)
        await intake.empty()


def _chunks(
    past: Mapping[Feed, Sequence[Bar | Rejection]],
) -> Iterable[list[tuple[Feed, list[Bar | Rejection]]]]:
    """A few timestamps after the other, each with the items of every feed."""
    items = [(_timestamp(item), feed, item) for feed, some in past.items() for item in some]
    items.sort(key=lambda each: each[0])
    timestamps = sorted({timestamp for timestamp, _, _ in items})
    place = {timestamp: index for index, timestamp in enumerate(timestamps)}
    for _, chunk in groupby(items, key=lambda each: place[each[0]] // TIMESTAMPS_AT_ONCE):
        by_feed: dict[Feed, list[Bar | Rejection]] = {}
        for _, feed, item in chunk:
            by_feed.setdefault(feed, []).append(item)
        yield list(by_feed.items())


def _timestamp(item: Bar | Rejection) -> int:
    return item.timestamp if isinstance(item, Bar) else 0
