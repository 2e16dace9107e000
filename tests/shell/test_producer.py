"""From the connections of a source to the synchronizers that want it, nothing lost on the way."""

import asyncio

from barsync_async.ports import Arrival
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.intake import Inbox, Intake
from barsync_async.shell.producer import Producer
from barsync_async.testing import create_bar
from barsync_async.units import WallMs

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


async def test_without_inboxes_nothing_stays_on_its_way() -> None:
    bench = Bench()
    await bench.producer.offer([arrival(0)])
    await bench.finish(asyncio.ensure_future(bench.producer.run()))
    assert bench.intake.under_way == 0
