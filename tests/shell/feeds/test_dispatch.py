"""What was read together goes on together, straight to the synchronizers where nobody waits."""

import asyncio

from barsync_async.ports import Arrival
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.feeds.dispatch import Dispatch, SortedOut
from barsync_async.shell.feeds.producer import Producer
from barsync_async.shell.intake import Inbox, Intake
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.outcomes import Rejection

CLOCK = VirtualClock(WallMs(0))
SOURCES = ("SPY_1m", "QQQ_1m", "IWM_1m")


class Bench:
    """A feed of three sources, into an inbox with so much room."""

    def __init__(self, room: int) -> None:
        self.intake = Intake()
        self.inbox: Inbox[Arrival] = Inbox(room)
        self.producers = {SourceId(source): self._producer(source) for source in SOURCES}
        self.events = self._producer("events")
        self.dispatch = Dispatch("sim", self.producers, self.events)
        self._running = [
            asyncio.ensure_future(each.run()) for each in [*self.producers.values(), self.events]
        ]

    def _producer(self, name: str) -> Producer:
        return Producer(name, self.intake, [self.inbox], clock=CLOCK)

    def read(self, minute: int) -> SortedOut:
        """One bar of each source."""
        sorted_out = SortedOut()
        for source in SOURCES:
            bar = create_bar(source, minute * 60_000)
            assert self.dispatch.sort(bar, CLOCK.now(), sorted_out)
        return sorted_out

    def orders(self) -> list[int]:
        return [each.order for each in self.inbox.take()]

    async def finish(self) -> None:
        for each in [*self.producers.values(), self.events]:
            each.queue.close()
        await asyncio.gather(*self._running)


async def test_bars_that_are_only_passed_on_wake_no_producer() -> None:
    bench = Bench(100)
    await asyncio.sleep(0)
    await bench.dispatch.offer(bench.read(1))
    assert bench.orders() == [1, 2, 3]
    assert bench.intake.under_way == 0
    assert {each.newest for each in bench.producers.values()} == {60_000}
    await bench.finish()


async def test_where_the_synchronizer_has_no_room_producers_wait_for_it() -> None:
    bench = Bench(2)
    await asyncio.sleep(0)
    await bench.dispatch.offer(bench.read(1))
    assert bench.intake.under_way == 1  # as many as have room went on
    got: list[int] = []
    await bench.dispatch.offer(bench.read(2))
    while len(got) < 6:
        await asyncio.sleep(0)
        got += bench.orders()
    assert sorted(got) == [1, 2, 3, 4, 5, 6]
    assert [order for order in got if order % 3 == 1] == [1, 4]  # of one source, in order
    await asyncio.sleep(0)
    assert bench.intake.under_way == 0
    await bench.finish()


async def test_before_producers_run_bars_wait_for_them() -> None:
    bench = Bench(100)
    await bench.dispatch.offer(bench.read(1))
    assert bench.intake.under_way == 3
    await asyncio.sleep(0)
    assert bench.orders() == [1, 2, 3]
    await bench.finish()


async def test_what_is_no_bar_is_numbered_with_the_bars_and_given_back() -> None:
    bench = Bench(100)
    await asyncio.sleep(0)
    sorted_out = bench.read(1)
    bench.dispatch.sort(Rejection("malformed", "?"), CLOCK.now(), sorted_out)
    (event,) = await bench.dispatch.offer(sorted_out)
    assert event.order == 4
    assert bench.orders() == [1, 2, 3, 4]
    await bench.finish()
