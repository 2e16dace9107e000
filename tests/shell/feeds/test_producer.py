"""From the connections of a source to the synchronizers that want it, nothing lost on the way."""

import asyncio
from functools import partial
from typing import Any

from barsync_async.messages import Bar
from barsync_async.ports import Arrival, ConnectionChange
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.feeds.producer import Producer
from barsync_async.shell.intake import Inbox, Intake
from barsync_async.testing import create_bar
from barsync_async.units import WallMs
from barsync_async.venues.outcomes import Rejection, Running

CLOCK = VirtualClock(WallMs(0))


def arrival(order: int) -> Arrival:
    return Arrival(CLOCK.now(), "sim", order, create_bar("SPY_1m", order * 60_000))


def orders(inbox: Inbox[Arrival]) -> list[int]:
    return [each.order for each in inbox.take()]


class Bench:
    """A producer between a feed, which the test plays, and some inboxes."""

    def __init__(self, *room: int, capacity: int = 100) -> None:
        self.intake = Intake()
        self.inboxes: list[Inbox[Arrival]] = [Inbox(each) for each in room]
        self.producer = Producer("SPY_1m", self.intake, self.inboxes, capacity, clock=CLOCK)

    async def finish(self, running: "asyncio.Future[None]") -> None:
        self.producer.queue.close()
        await asyncio.wait_for(running, 1)


async def test_every_inbox_gets_everything_in_order() -> None:
    bench = Bench(100, 100)
    running = asyncio.ensure_future(bench.producer.run())
    for order in range(5):
        await bench.producer.offer([arrival(order)])
    await asyncio.sleep(0)
    assert [orders(inbox) for inbox in bench.inboxes] == [[0, 1, 2, 3, 4]] * 2
    await bench.finish(running)


async def test_what_is_on_its_way_is_counted_until_it_lies_in_every_inbox() -> None:
    bench = Bench(100, 1)
    for order in range(3):
        await bench.producer.offer([arrival(order)])
    assert bench.intake.under_way == 3
    running = asyncio.ensure_future(bench.producer.run())
    await asyncio.sleep(0)
    assert bench.intake.under_way == 3  # the second inbox has room for one
    got: list[int] = []
    while len(got) < 3:
        got += orders(bench.inboxes[1])
        await asyncio.sleep(0)
    assert got == [0, 1, 2]
    assert bench.intake.under_way == 0
    await bench.finish(running)


async def test_a_full_inbox_holds_the_producer_and_a_full_producer_the_connection() -> None:
    bench = Bench(1, capacity=2)
    running = asyncio.ensure_future(bench.producer.run())

    async def feed() -> None:
        for order in range(10):
            await bench.producer.offer([arrival(order)])

    feeding = asyncio.ensure_future(feed())
    for _ in range(50):
        await asyncio.sleep(0)
    assert not feeding.done()
    assert len(bench.inboxes[0]) == 1
    assert len(bench.producer.queue) == 2
    got: list[int] = []
    while len(got) < 10:
        await bench.inboxes[0].wait()
        got += orders(bench.inboxes[0])
    await feeding
    assert got == [*range(10)]
    await bench.finish(running)
    assert bench.intake.under_way == 0


async def test_closed_it_hands_on_what_waits_and_ends() -> None:
    bench = Bench(100)
    for order in range(3):
        await bench.producer.offer([arrival(order)])
    await bench.finish(asyncio.ensure_future(bench.producer.run()))
    assert orders(bench.inboxes[0]) == [0, 1, 2]
    assert bench.intake.under_way == 0


async def test_who_gives_up_offering_leaves_nothing_on_its_way() -> None:
    bench = Bench(100, capacity=2)
    offering = asyncio.ensure_future(bench.producer.offer([arrival(order) for order in range(5)]))
    await asyncio.sleep(1)
    assert bench.intake.under_way == 5
    offering.cancel()
    await asyncio.wait([offering])
    assert offering.cancelled()
    await bench.finish(asyncio.ensure_future(bench.producer.run()))
    assert orders(bench.inboxes[0]) == [0, 1]
    assert bench.intake.under_way == 0


async def test_without_inboxes_nothing_stays_on_its_way() -> None:
    bench = Bench()
    await bench.producer.offer([arrival(0)])
    await bench.finish(asyncio.ensure_future(bench.producer.run()))
    assert bench.intake.under_way == 0


# Running bars


class Undecided(Bench):
    """A producer of a source whose venues never say that a bar is final; on its own clock."""

    def __init__(self, *feeds: str, room: int = 100) -> None:
        self.clock = VirtualClock(WallMs(NOON))
        self.intake = Intake()
        self.inboxes = [Inbox(room)]
        self.producer = Producer("SPY_1m", self.intake, self.inboxes, clock=self.clock)
        self.heard: dict[str, WallMs | None] = dict.fromkeys(feeds)
        for feed in feeds:
            self.producer.decide(feed, 2_000, partial(self.heard.__getitem__, feed))
        self.running = asyncio.ensure_future(self.producer.run())
        self._order = 0

    async def tell(self, feed: str, item: Any) -> None:
        self._order += 1
        now = self.clock.now()
        self.heard[feed] = now.wall
        await self.producer.offer([Arrival(now, feed, self._order, item)])
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def running_bar(self, feed: str, minute: int, close: float) -> None:
        await self.tell(feed, Running(create_bar("SPY_1m", NOON + minute * MINUTE, close)))

    def final(self) -> list[tuple[str, int, float]]:
        return [
            (each.feed, (each.item.timestamp - NOON) // MINUTE, each.item.close)
            for each in self.inboxes[0].take()
            if isinstance(each.item, Bar)
        ]

    async def end(self) -> None:
        await self.finish(self.running)
        assert self.intake.under_way == 0


NOON, MINUTE = 1_767_355_200_000, 60_000


async def test_a_later_bar_makes_the_one_before_it_final() -> None:
    bench = Undecided("a")
    await bench.running_bar("a", 1, 1.0)
    await bench.running_bar("a", 1, 2.0)
    assert bench.final() == []
    await asyncio.sleep(60)
    await bench.running_bar("a", 2, 3.0)
    assert bench.final() == [("a", 1, 2.0)]
    await bench.end()
    assert bench.final() == []


async def test_the_clock_makes_a_bar_final_once_its_end_and_the_grace_have_passed() -> None:
    bench = Undecided("a")
    await bench.running_bar("a", 1, 1.0)
    await asyncio.sleep(61.9)
    bench.heard["a"] = bench.clock.now().wall
    assert bench.final() == []
    await asyncio.sleep(0.2)
    assert bench.final() == [("a", 1, 1.0)]
    await bench.end()


async def test_a_connection_that_froze_makes_nothing_final() -> None:
    bench = Undecided("a")
    await bench.running_bar("a", 1, 1.0)
    await asyncio.sleep(300)
    assert bench.final() == []
    await bench.tell("a", ConnectionChange(up=False))
    await bench.end()
    assert bench.final() == []


async def test_a_wall_clock_that_is_set_ahead_is_noticed() -> None:
    bench = Undecided("a")
    await bench.running_bar("a", 2, 1.0)
    bench.clock.step(3_600_000)
    bench.heard["a"] = bench.clock.now().wall
    await asyncio.sleep(11)
    assert bench.final() == [("a", 2, 1.0)]
    await bench.end()


async def test_two_lines_are_decided_each_for_itself() -> None:
    bench = Undecided("a", "b")
    await bench.running_bar("a", 1, 1.0)
    await bench.running_bar("b", 1, 1.5)
    await asyncio.sleep(60)
    await bench.running_bar("b", 2, 2.0)
    assert bench.final() == [("b", 1, 1.5)]
    await bench.tell("b", ConnectionChange(up=False))
    await bench.running_bar("a", 2, 2.0)
    assert bench.final() == [("a", 1, 1.0)]
    await bench.end()


async def test_a_bar_of_the_far_future_makes_nothing_final() -> None:
    bench = Undecided("a")
    await bench.running_bar("a", 1, 1.0)
    await bench.running_bar("a", 1_000, 9.0)
    (arrival,) = bench.inboxes[0].take()
    assert isinstance(arrival.item, Rejection)
    assert arrival.item.reason == "future"
    await bench.end()


async def test_a_line_beside_it_that_says_what_is_final_decides_nothing() -> None:
    bench = Undecided("a")
    await bench.running_bar("a", 1, 1.0)
    await bench.tell("flagged", create_bar("SPY_1m", NOON + MINUTE, 1.5))
    await bench.tell("flagged", ConnectionChange(up=False))
    assert bench.final() == [("flagged", 1, 1.5)]
    await asyncio.sleep(60)
    await bench.running_bar("a", 2, 2.0)
    assert bench.final() == [("a", 1, 1.0)]
    await bench.end()


async def test_the_clock_does_not_give_out_a_state_that_a_newer_one_waits_behind() -> None:
    bench = Undecided("a", room=1)
    await bench.running_bar("a", 1, 1.0)
    await asyncio.sleep(59)
    assert bench.inboxes[0].put_nowait(arrival(0))
    await bench.running_bar("a", 2, 2.0)  # makes the first final, and is held up with it
    await asyncio.sleep(59)
    await bench.running_bar("a", 2, 2.5)
    await asyncio.sleep(4)
    bench.heard["a"] = bench.clock.now().wall
    got: list[tuple[str, int, float]] = []
    while len(got) < 3:
        got += bench.final()
        await asyncio.sleep(0.1)
    assert got[1:] == [("a", 1, 1.0), ("a", 2, 2.5)]
    await bench.end()
    assert bench.final() == []
