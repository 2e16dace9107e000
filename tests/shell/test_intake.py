"""The way from a socket to the synchronizer: bounded, batched, counted."""

import asyncio

import pytest

from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.intake import Inbox, Intake
from barsync_async.units import WallMs

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
    intake, inbox = Intake(), Inbox[int](10)

    async def carry() -> None:
        for step in range(3):
            await asyncio.sleep(0)
            inbox.put_nowait(step)
        intake.leave()

    intake.read()
    carrier = asyncio.ensure_future(carry())
    await intake.settle(CLOCK, full=never_full)
    assert inbox.take() == [0, 1, 2]
    await carrier


async def test_settling_goes_on_while_every_iteration_reads_something() -> None:
    intake, loop, left = Intake(), asyncio.get_running_loop(), [5]

    def read_one() -> None:
        left[0] -= 1
        intake.read()
        intake.leave()
        if left[0]:
            loop.call_soon(read_one)

    loop.call_soon(read_one)
    await intake.settle(CLOCK, full=never_full)
    assert left == [0]


async def test_settling_ends_when_the_inbox_is_full_or_nothing_moves() -> None:
    intake = Intake()
    intake.read()
    await intake.settle(CLOCK, full=lambda: True)
    await intake.settle(CLOCK, full=never_full)
    await intake.gather(full=never_full)
