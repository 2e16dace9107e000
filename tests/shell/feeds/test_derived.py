"""Longer bars of a feed's shorter ones, on their way: what is vouched for and what is not."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.end_to_end.venue import MINUTE, kline
from tests.shell.feeds.test_feed import bars, running, settled

from barsync_async.messages import Bar, Trade
from barsync_async.ports import Arrival, ConnectionChange
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.feeds.derived import Derived
from barsync_async.shell.feeds.producer import Producer
from barsync_async.shell.intake import Inbox, Intake
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.outcomes import Rejection, Running, Traded

NOON = WallMs(1_767_355_200_000)
PARTS, LONGER = SourceId("SPY_1m"), SourceId("SPY_5m")
GRACE_MS = 2_000
UP, DOWN = ConnectionChange(up=True), ConnectionChange(up=False)


class Bench:
    """The producers of both sources; the test plays the feed, which is heard all the time."""

    def __init__(self, room: int = 100, parts: SourceId = PARTS) -> None:
        self.clock = VirtualClock(WallMs(NOON - 1_000))
        self.intake = Intake()
        self.parts: Inbox[Arrival] = Inbox(max(100, room))
        self.made: Inbox[Arrival] = Inbox(room)
        self.froze_at: WallMs | None = None
        self.producer = Producer(parts, self.intake, [self.parts], clock=self.clock)
        self.target = Producer(LONGER, self.intake, [self.made], clock=self.clock)
        derived = Derived("a", LONGER, parts, grace_ms=GRACE_MS, heard_at=self.heard_at)
        self.producer.derive(derived, self.target)
        self._order = 0

    def heard_at(self) -> WallMs | None:
        return self.froze_at or self.clock.now().wall

    async def tell(self, item: Any, feed: str = "a") -> None:
        self._order += 1
        await self.producer.offer([Arrival(self.clock.now(), feed, self._order, item)])
        await settled()

    async def part(
        self, minute: int, close: float | None = None, *, backfilled: bool = False
    ) -> None:
        """Of the minute that ends ``minute`` past noon, whenever it comes."""
        bar = create_bar(PARTS, NOON + minute * MINUTE, float(minute) if close is None else close)
        await self.tell(msgspec.structs.replace(bar, backfilled=True) if backfilled else bar)

    async def until(self, minutes: float) -> None:
        """So many minutes past noon."""
        await asyncio.sleep((NOON - self.clock.now().wall) / 1_000 + minutes * 60)

    async def live(self, *minutes: int) -> None:
        """A part for each of these, in its time."""
        for minute in minutes:
            await self.until(minute + 0.001)
            await self.part(minute)

    def took(self) -> list[tuple[int, float, float]]:
        """Of the bars made so far: minute, open and close."""
        items = [each.item for each in self.made.take()]
        return [
            ((bar.timestamp - NOON) // MINUTE, bar.open, bar.close)
            for bar in items
            if isinstance(bar, Bar)
        ]


@asynccontextmanager
async def deriving(room: int = 100, parts: SourceId = PARTS) -> AsyncIterator[Bench]:
    """At the end nothing is left behind."""
    bench = Bench(room, parts)
    tasks = [asyncio.create_task(each.run()) for each in (bench.producer, bench.target)]
    yield bench
    for each, task in zip((bench.producer, bench.target), tasks, strict=True):
        each.queue.close()
        await asyncio.wait_for(task, 5)
    assert bench.intake.under_way == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_last_part_gives_the_bar_at_its_moment_whatever_the_connection() -> None:
    async with deriving() as bench:
        await bench.live(1, 2, 3, 4)
        assert len(bench.made) == 0
        await bench.live(5)
        (arrival,) = bench.made.take()
        assert isinstance(arrival.item, Bar)
        assert (arrival.item.source, arrival.item.timestamp) == (LONGER, NOON + 5 * MINUTE)
        assert (arrival.item.open, arrival.item.close) == (1.0, 5.0)
        *_, last = bench.parts.take()
        assert (arrival.at, arrival.feed, arrival.order) == (last.at, last.feed, last.order)


async def test_a_silent_minute_is_vouched_for_by_a_part_of_the_next_window() -> None:
    async with deriving() as bench:
        await bench.tell(UP)
        await bench.live(1, 2, 4, 6)
        assert bench.took() == [(5, 1.0, 4.0)]


async def test_a_silent_minute_is_vouched_for_by_the_clock_once_the_grace_has_passed() -> None:
    async with deriving() as bench:
        await bench.tell(UP)
        await bench.live(1, 2, 4)
        await bench.until(5 + 1.9 / 60)
        assert bench.took() == []
        await bench.until(5 + 2.1 / 60)
        assert bench.took() == [(5, 1.0, 4.0)]


async def test_a_connection_that_froze_vouches_for_nothing() -> None:
    async with deriving() as bench:
        await bench.tell(UP)
        await bench.live(1, 2, 4)
        bench.froze_at = WallMs(NOON + 5 * MINUTE - 1)
        await bench.until(9)
        assert bench.took() == []
        with capture_logs() as logs:
            await bench.tell(DOWN)
            await bench.until(10)
        assert bench.took() == []
        assert [(line["event"], line["reason"]) for line in logs] == [("no bar", "incomplete")]


async def test_a_window_that_had_begun_when_the_connection_did_is_given_up_unless_it_is_whole() -> (
    None
):
    async with deriving() as bench:
        await bench.until(0.5)
        await bench.tell(UP)
        await bench.live(2, 3, 4, 5, 6)
        with capture_logs() as logs:
            await bench.until(6.5)
        assert bench.took() == []
        assert [line["timestamp"] for line in logs if line["event"] == "no bar"] == []
        await bench.part(1, backfilled=True)
        assert bench.took() == [(5, 1.0, 5.0)]


async def test_bars_of_another_feed_are_no_parts() -> None:
    async with deriving() as bench:
        await bench.live(1, 2, 3, 4)
        await bench.tell(create_bar(PARTS, NOON + 5 * MINUTE, 9.0), feed="b")
        assert bench.took() == []
        await bench.part(5)
        assert bench.took() == [(5, 1.0, 5.0)]
        assert len(bench.parts.take()) == 6


async def test_a_revised_part_gives_the_bar_again_and_one_that_was_asked_for_again_does_not() -> (
    None
):
    async with deriving() as bench:
        await bench.live(1, 2, 3, 4, 5)
        await bench.part(5, 5.5)
        assert bench.took() == [(5, 1.0, 5.0), (5, 1.0, 5.5)]
        await bench.part(4, backfilled=True)
        await bench.part(5, 5.5, backfilled=True)
        assert bench.took() == []


@pytest.mark.parametrize("backfilled", [True, False])
async def test_a_bar_made_of_a_backfilled_part_says_so(backfilled: bool) -> None:
    async with deriving() as bench:
        await bench.until(6)
        for minute in range(1, 6):
            await bench.part(minute, backfilled=backfilled and minute == 2)
        (arrival,) = bench.made.take()
        assert isinstance(arrival.item, Bar)
        assert (arrival.item.backfilled is True) is backfilled


# Wall clocks get set


async def test_a_clock_that_was_set_ahead_makes_the_connection_no_older_than_it_is() -> None:
    async with deriving() as bench:
        await bench.tell(UP)
        bench.clock.step(10 * MINUTE + 2 * MINUTE + 1_000)  # it was slow: two past a window's begin
        await bench.live(13, 14, 15, 16)
        assert bench.took() == [], "what came in the first two minutes nobody knows"
        await bench.live(17, 19, 21)
        assert bench.took() == [(20, 16.0, 19.0)]


async def test_a_clock_that_was_set_back_does_not_make_the_connection_one_of_the_future() -> None:
    async with deriving() as bench:
        await bench.until(60)
        await bench.tell(UP)
        bench.clock.step(-60 * MINUTE)
        await bench.live(1, 2, 4, 6, 7, 9, 11)
        assert bench.took() == [(10, 6.0, 9.0)]


async def test_a_connection_of_before_the_clock_was_set_counts_from_when_it_was() -> None:
    """Both are taken in at once."""
    async with deriving() as bench:
        before = bench.clock.now()
        bench.clock.step(12 * MINUTE)
        await bench.producer.offer([Arrival(before, "a", 1, UP)])
        await bench.live(13, 14, 15, 16)
        assert bench.took() == []


async def test_a_clock_that_was_set_back_makes_the_connection_no_older_than_it_is() -> None:
    """It began amid a window; by the new clock, before it."""
    async with deriving() as bench:
        await bench.until(2.5)
        await bench.tell(UP)
        bench.clock.step(-3 * MINUTE)
        for minute in (3, 4, 5, 6):
            await bench.part(minute)
        assert bench.took() == []


async def test_a_part_that_was_refused_for_the_future_is_not_taken_for_a_silent_one() -> None:
    """A clock that is a minute slow takes what comes a little later for the present."""
    async with deriving() as bench:
        await bench.tell(UP)
        await bench.live(1, 2, 3, 4, 5)
        assert bench.took() == [(5, 1.0, 5.0)]
        await bench.until(5.2)
        bench.clock.step(-MINUTE - 1_000)
        for minute in (6, 7, 8, 9, 10, 11):
            late_s = 0 if minute == 6 else 2
            await bench.until(minute + (late_s - 61) / 60)
            await bench.part(minute)
        assert bench.took() == []


async def test_what_could_not_be_decided_is_not_taken_for_silence() -> None:
    async with deriving() as bench:
        await bench.tell(UP)
        await bench.live(1, 2, 3)
        await bench.tell(Rejection("future", "a state of a bar"))
        await bench.tell(UP)  # of another line's, or told again
        await bench.live(5, 6, 7, 8, 10, 11)
        assert bench.took() == [(10, 6.0, 10.0)]


async def test_a_part_that_was_asked_for_does_not_end_the_doubt() -> None:
    async with deriving() as bench:
        await bench.tell(UP)
        await bench.until(7)
        await bench.tell(Rejection("future", "a state of a bar"))
        await bench.part(5, backfilled=True)
        await bench.live(8, 9, 10, 11)
        assert bench.took() == []


# What could not be read


async def test_an_interval_whose_bar_could_not_be_read_is_not_taken_for_a_silent_one() -> None:
    async with running([PARTS]) as bench:
        made: Inbox[Arrival] = Inbox(100)
        target = Producer(LONGER, bench.intake, [made], clock=bench.clock)
        derived = Derived("sim", LONGER, PARTS, grace_ms=GRACE_MS, heard_at=bench.feed.heard_at)
        bench._producers[PARTS].derive(derived, target)
        making = asyncio.create_task(target.run())
        bench.line.deliver('{"result":null,"id":1}')
        for minute in range(1, 22):
            await asyncio.sleep(60 * minute - bench.time())
            if minute == 8:
                bench.line.deliver(kline(PARTS, minute * MINUTE, "nonsense"))
            elif minute == 13:
                bench.line.deliver(kline("IWM_1m", minute * MINUTE))  # of no source of ours
            else:
                bench.line.deliver(kline(PARTS, minute * MINUTE))
        await settled()
        got = [timestamp // MINUTE for _, timestamp in bars(made.take())]
        assert got == [5, 15, 20]
        bench._producers[PARTS].queue.close()
        await bench._producers[PARTS].done.wait()
        target.queue.close()
        await making


async def test_parts_that_are_refused_are_rejections_of_the_bars_one_each() -> None:
    async with deriving(room=3_000, parts=SourceId("SPY_trades")) as bench:
        await bench.until(-5)
        await bench.tell(UP)
        with capture_logs() as logs:
            for number in range(1_000):
                odd = Trade(math.nan, 1.0, bench.clock.now().wall, number)
                await bench.tell(Traded("SPY", odd))
            future = WallMs(bench.clock.now().wall + 2 * MINUTE)
            await bench.tell(Traded("SPY", Trade(1.0, 1.0, future)))
        items = [each.item for each in bench.made.take()]
        reasons = Counter(item.reason for item in items if isinstance(item, Rejection))
        assert reasons == {"invalid": 1_000, "future": 1}
        assert items[-1] == Rejection("future", f"a part of SPY_5m at {future}")
        assert {line["event"] for line in logs} == {"rejected"}, "of which the log keeps a few"
        assert {(line["feed"], line["source"]) for line in logs} == {("a", LONGER)}


async def test_a_trade_of_a_window_that_is_forgotten_is_counted_and_casts_no_doubt() -> None:
    async with deriving(parts=SourceId("SPY_trades")) as bench:
        await bench.tell(UP)
        for minute in range(0, 60, 5):
            await bench.until(minute + 1)
            now = bench.clock.now().wall
            await bench.tell(Traded("SPY", Trade(float(minute), 1.0, now)))
        await bench.tell(Traded("SPY", Trade(9.0, 1.0, NOON)))
        assert [each.item for each in bench.made.take()][-1] == Rejection(
            "too_old", f"a part of SPY_5m at {NOON}"
        )
        await bench.until(60.5)
        assert bench.took() == [(60, 55.0, 55.0)]


# Trades


async def test_trades_at_the_boundary_of_two_bars_out_of_order_and_twice() -> None:
    """The bar's last trade comes behind the next one's first, which comes exactly at its moment."""
    async with deriving(parts=SourceId("SPY_trades")) as bench:
        await bench.tell(UP)
        begin, end = NOON + 5 * MINUTE, NOON + 10 * MINUTE
        first, amid, last, following = (
            Trade(price, size, WallMs(at), number, number)
            for number, (price, size, at) in enumerate(
                [
                    (5.0, 1.0, begin),
                    (9.0, 2.0, begin + 90_000),
                    (6.0, 4.0, end - 1),
                    (7.0, 8.0, end),
                ]
            )
        )
        for minute, trades in ((5, [first]), (6.5, [amid, first]), (10, [following, last, last])):
            await bench.until(minute)
            for each in trades:
                await bench.tell(Traded("SPY", each))
        await bench.until(10 + (GRACE_MS - 1) / MINUTE)
        assert bench.took() == []
        await bench.until(10 + (GRACE_MS + 1) / MINUTE)
        (arrival,) = bench.made.take()
        assert arrival.item == Bar("SPY", "5m", WallMs(end), 5.0, 9.0, 5.0, 6.0, 7.0)
        await bench.until(15 + (GRACE_MS + 1) / MINUTE)
        assert bench.took() == [(15, 7.0, 7.0)]


# Held up


async def test_a_full_inbox_of_the_longer_bars_holds_the_shorter_ones_and_nothing_is_lost() -> None:
    async with deriving(room=1) as bench:
        await bench.until(41)
        for minute in range(1, 41):
            await bench.part(minute)
        bench.producer.queue.close()
        assert bench.intake.under_way == 8 - 1
        got: list[int] = []
        while len(got) < 8:
            got += [minute for minute, _, _ in bench.took()]
            await settled()
        assert got == [*range(5, 41, 5)]


async def test_the_parts_of_bars_that_are_held_themselves_are_decided_first() -> None:
    """The last part's end and grace are those of the window."""
    async with deriving() as bench:
        bench.producer.decide("a", GRACE_MS, bench.heard_at)
        await bench.tell(UP)
        for minute in range(1, 6):
            await bench.until(minute - 0.5)
            bar = create_bar(PARTS, NOON + minute * MINUTE, float(minute))
            await bench.tell(Running(bar))
        await bench.until(5 + 2.1 / 60)
        assert bench.took() == [(5, 1.0, 5.0)]
