"""The way from a socket to the synchronizer: bounded, batched, counted."""

import asyncio
from collections.abc import Callable

import pytest

from barsync_async.ports import TimerHandle
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.intake import Inbox, Intake, put_in_each
from barsync_async.units import Instant, MonoNs, WallMs

CLOCK = VirtualClock(WallMs(0))


def never_full() -> bool:
    return False


async def test_a_burst_is_taken_at_once_in_order() -> None:
    inbox: Inbox[int] = Inbox(10)
    await inbox.put(range(5))
    await inbox.wait()
    assert inbox.take() == [0, 1, 2, 3, 4]
    assert inbox.take() == []


async def test_a_writer_waits_while_the_inbox_is_full_and_nothing_is_lost() -> None:
    inbox: Inbox[int] = Inbox(3)
    writer = asyncio.ensure_future(inbox.put(range(8)))
    got: list[int] = []
    while len(got) < 8:
        await inbox.wait()
        assert len(inbox) <= 3
        got += inbox.take()
    await writer
    assert got == list(range(8))


async def test_a_cancelled_writer_leaves_no_trace() -> None:
    inbox: Inbox[int] = Inbox(1)
    writer = asyncio.ensure_future(inbox.put(range(2)))
    await asyncio.sleep(0)
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    assert not inbox._room
    assert inbox.take() == [0]


async def test_a_closed_inbox_is_finished_once_it_is_empty() -> None:
    inbox: Inbox[int] = Inbox(3)
    assert inbox.put_nowait(1)
    inbox.close()
    assert not inbox.finished
    await inbox.wait()
    assert inbox.take() == [1]
    assert inbox.finished


async def test_wake_lets_the_reader_look_around() -> None:
    inbox: Inbox[int] = Inbox(3)
    inbox.wake()
    await inbox.wait()
    assert inbox.take() == []


async def test_settling_lets_in_what_other_tasks_have_on_the_way() -> None:
    intake, inbox, now = Intake(), Inbox[int](10), CLOCK.now()

    async def carry() -> None:
        for step in range(3):
            await asyncio.sleep(0)
            inbox.put_nowait(step)
        intake.leave(now)

    intake.read(now)
    carrier = asyncio.ensure_future(carry())
    assert await intake.settle(CLOCK, until=10**18, full=never_full)
    assert inbox.take() == [0, 1, 2]
    await carrier


async def test_settling_goes_on_while_every_iteration_reads_something() -> None:
    intake, loop, left, now = Intake(), asyncio.get_running_loop(), [5], CLOCK.now()

    def read_one() -> None:
        left[0] -= 1
        intake.read(now)
        intake.leave(now)
        if left[0]:
            loop.call_soon(read_one)

    loop.call_soon(read_one)
    assert await intake.settle(CLOCK, until=10**18, full=never_full)
    assert left == [0]


async def test_settling_ends_when_the_inbox_is_full_or_nothing_moves() -> None:
    intake = Intake()
    intake.read(CLOCK.now())
    assert not await intake.settle(CLOCK, until=10**18, full=lambda: True)
    assert await intake.settle(CLOCK, until=10**18, full=never_full)
    await intake.gather(full=never_full)


class Ticking:
    """A clock on which every look costs a tenth of a millisecond."""

    def __init__(self) -> None:
        self.mono = 0

    def now(self) -> Instant:
        self.mono += 100_000
        return Instant(MonoNs(self.mono), WallMs(0))

    def slept_ns(self) -> int:
        return 0

    def call_at(self, when: MonoNs, callback: Callable[[], None]) -> TimerHandle:
        raise NotImplementedError


async def test_out_of_patience_it_waits_only_for_what_had_been_read_by_then() -> None:
    intake, inbox, clock = Intake(), Inbox[int](100), Ticking()
    early = clock.now()
    intake.read(early)

    async def carry() -> None:
        for step in range(20):
            await asyncio.sleep(0)
            intake.read(clock.now())  # a feed that never pauses
            inbox.put_nowait(step)
        intake.leave(early)

    carrier = asyncio.ensure_future(carry())
    assert await intake.settle(clock, until=early.mono + 500_000, full=never_full)
    assert len(inbox) == 20
    assert intake.under_way == 20
    await carrier


async def test_so_much_is_put_in_as_there_is_room_for() -> None:
    inbox: Inbox[int] = Inbox(3)
    assert [inbox.put_some(range(2)), inbox.put_some(range(2)), inbox.put_some(range(2))] == [
        2,
        1,
        0,
    ]
    assert inbox.take() == [0, 1, 0]
    assert inbox.put_some(()) == 0


async def test_to_put_in_nothing_wakes_nobody() -> None:
    inbox: Inbox[int] = Inbox(3)
    waiting = asyncio.ensure_future(inbox.wait())
    await inbox.put(())
    await asyncio.sleep(1)
    assert not waiting.done()
    waiting.cancel()


async def test_empty_is_when_the_last_one_has_arrived() -> None:
    intake = Intake()
    await intake.empty()
    at = CLOCK.now()
    intake.read(at)
    intake.enter(at)
    waiting = [asyncio.ensure_future(intake.empty()) for _ in range(3)]
    await asyncio.sleep(1)
    waiting.pop().cancel()
    intake.leave(at)
    await asyncio.sleep(1)
    assert not any(each.done() for each in waiting)
    intake.leave(at)
    await asyncio.wait_for(asyncio.gather(*waiting), 1)


def test_items_go_into_each_inbox_or_into_none() -> None:
    wide: Inbox[int] = Inbox(3)
    narrow: Inbox[int] = Inbox(2)
    assert not put_in_each([wide, narrow], [1, 2, 3])
    assert wide.take() == narrow.take() == []
    assert put_in_each([wide, narrow], [1, 2])
    assert wide.take() == narrow.take() == [1, 2]
