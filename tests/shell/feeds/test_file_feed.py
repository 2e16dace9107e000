"""Bars of files given out when the clock shows their timestamps. The files are fakes."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.shell.feeds.test_feed import settled

from barsync_async.errors import HistoryError
from barsync_async.messages import Bar
from barsync_async.ports import Arrival, ConnectionChange
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.feeds.derived import Derived
from barsync_async.shell.feeds.file_feed import BarHistory, FileFeed
from barsync_async.shell.feeds.producer import Producer
from barsync_async.shell.intake import Inbox, Intake
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.history_order import Survey, Surveyor
from barsync_async.venues.history_rows import HistoryItem
from barsync_async.venues.outcomes import Rejection

NOON, MINUTE = WallMs(1_767_355_200_000), 60_000
SPY, QQQ, LONGER = SourceId("SPY_1m"), SourceId("QQQ_1m"), SourceId("SPY_5m")
JUNK = Rejection("malformed", "line 7: no price")


class History:
    """Some items; the role of BarHistory. Broken, it fails where they end."""

    def __init__(
        self, source: SourceId, items: Sequence[HistoryItem], *, broken: bool = False
    ) -> None:
        self.source = source
        self._items = items
        self._broken = broken

    @property
    def survey(self) -> Survey:
        surveyor = Surveyor()
        for item in self._items:
            surveyor.look(item)
        return surveyor.result()

    def chunks(self, rows: int) -> Iterator[Sequence[HistoryItem]]:
        for start in range(0, len(self._items), rows):
            yield self._items[start : start + rows]
        if self._broken:
            raise HistoryError("spy.csv", "is not what it was")


def history(source: SourceId, *minutes: int | Rejection, broken: bool = False) -> History:
    """A bar that closes so many minutes past noon for each."""
    items = [
        each if isinstance(each, Rejection) else create_bar(source, NOON + each * MINUTE, each)
        for each in minutes
    ]
    return History(source, items, broken=broken)


class Bench:
    """A feed of files between these and the inboxes of its producers."""

    def __init__(self, *histories: BarHistory, room: int = 1_000) -> None:
        self.clock = VirtualClock(WallMs(NOON - 1))
        self.intake = Intake()
        self.inboxes: dict[str, Inbox[Arrival]] = {
            name: Inbox(room) for name in (SPY, QQQ, LONGER, "events")
        }
        self.producers = {
            name: Producer(name, self.intake, [inbox], clock=self.clock)
            for name, inbox in self.inboxes.items()
        }
        self.feed = FileFeed(
            "past",
            histories,
            producers={source: self.producers[source] for source in (SPY, QQQ)},
            events=self.producers["events"],
            clock=self.clock,
        )
        derived = Derived("past", LONGER, SPY, grace_ms=0, heard_at=self.feed.heard_at)
        self.producers[SPY].derive(derived, self.producers[LONGER])
        self.tasks = [asyncio.create_task(each.run()) for each in self.producers.values()]

    def minutes(self, name: str) -> list[int]:
        """Of the bars that arrived."""
        items = [each.item for each in self.inboxes[name].take()]
        return [(each.timestamp - NOON) // MINUTE for each in items if isinstance(each, Bar)]

    async def finish(self) -> None:
        for each in self.producers.values():
            each.queue.close()
            await each.done.wait()
        assert self.intake.under_way == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}


@asynccontextmanager
async def feeding(*histories: BarHistory, room: int = 1_000) -> AsyncIterator[Bench]:
    bench = Bench(*histories, room=room)
    yield bench
    await bench.finish()


async def test_every_bar_comes_at_its_timestamp_and_all_of_one_together() -> None:
    async with feeding(history(SPY, 0, 1, 3), history(QQQ, 1, 2)) as bench:
        await bench.feed.run()
        await settled()
        arrivals = [*bench.inboxes[SPY].take(), *bench.inboxes[QQQ].take()]
        for each in arrivals:
            assert isinstance(each.item, Bar)
            assert each.at.wall == each.item.timestamp
            assert each.feed == "past"
        ordered = sorted(arrivals)
        assert [each.order for each in ordered] == [2, 3, 4, 5, 6]  # 1 is that it is up
        sources = [each.item.source for each in ordered if isinstance(each.item, Bar)]
        assert sources == [SPY, SPY, QQQ, QQQ, SPY]


async def test_equal_timestamps_come_as_they_stand_there() -> None:
    bars = [create_bar(SPY, NOON, close) for close in (3.0, 1.0, 2.0)]
    async with feeding(History(SPY, bars)) as bench:
        await bench.feed.run()
        await settled()
        assert [each.item for each in bench.inboxes[SPY].take()] == bars


async def test_a_row_that_is_no_bar_goes_with_the_one_before_it_to_the_events() -> None:
    async with feeding(history(SPY, JUNK, 1, JUNK, 2)) as bench:
        await bench.feed.run()
        await settled()
        up, *rejected = bench.inboxes["events"].take()
        assert up.item == ConnectionChange(up=True)
        assert [each.item for each in rejected] == [JUNK, JUNK]
        assert {each.at.wall for each in rejected} == {NOON + MINUTE}
        assert bench.minutes(SPY) == [1, 2]


async def test_what_does_not_stand_in_a_file_did_not_happen() -> None:
    async with feeding(history(SPY, *range(6), 7, 9, 11)) as bench:
        await bench.feed.run()
        await settled()
        assert bench.minutes(LONGER) == [5, 10]


async def test_a_row_that_is_no_bar_is_no_silent_interval() -> None:
    """It stands before the first bar of its window, amid them, and behind the last one."""
    minutes = (*range(6), JUNK, 7, 8, 9, 10, 11, JUNK, 13, 14, 15, 17, 18, 19, JUNK, 21, 22, 24, 26)
    async with feeding(history(SPY, *minutes)) as bench:
        await bench.feed.run()
        await settled()
        assert bench.minutes(LONGER) == [5]


async def test_after_a_row_that_is_no_bar_silence_counts_again_from_the_next_bar_on() -> None:
    async with feeding(history(SPY, *range(6), JUNK, 6, 7, 8, 9, 11, 13, 15, 16)) as bench:
        await bench.feed.run()
        await settled()
        assert bench.minutes(LONGER) == [5, 15]


async def test_stopped_it_gives_out_no_more() -> None:
    async with feeding(history(SPY, *range(1_000))) as bench:
        running = asyncio.create_task(bench.feed.run())
        await asyncio.sleep(30 * 60)
        await bench.feed.stop()
        await asyncio.wait_for(running, 1)
        await settled()
        assert bench.minutes(SPY) == [*range(30)]


async def test_a_full_inbox_holds_it_and_nothing_is_lost() -> None:
    async with feeding(history(SPY, *range(10_000)), room=1_500) as bench:
        running = asyncio.create_task(bench.feed.run())
        got: list[int] = []
        while not running.done() or len(got) < 10_000:
            got += bench.minutes(SPY)
            bench.minutes(LONGER)
            await asyncio.sleep(3_600)
        assert got == [*range(10_000)]


async def test_a_file_that_is_not_what_it_was_ends_it_after_what_could_be_read() -> None:
    async with feeding(history(SPY, 0, 1, broken=True), history(QQQ, 0, 5)) as bench:
        with pytest.raises(HistoryError, match=r"spy\.csv: is not what it was"):
            await bench.feed.run()
        await settled()
        assert bench.minutes(SPY)[:1] == [0]


async def test_without_a_file_it_ends_at_once() -> None:
    async with feeding() as bench:
        await bench.feed.run()
        await settled()
        assert len(bench.inboxes["events"].take()) == 1
