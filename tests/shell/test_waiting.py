"""Waiting for whichever comes first, and work that ends when something happens."""

import asyncio

import anyio
import pytest

from barsync_async.shell.waiting import cancelled_by, first_of


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_any_of_the_events_ends_it_and_leaves_no_task(which: int) -> None:
    events = [anyio.Event() for _ in range(3)]
    waiting = asyncio.create_task(first_of(*events))
    await asyncio.sleep(1)
    assert not waiting.done()
    events[which].set()
    await asyncio.wait_for(waiting, 1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_one_that_is_set_already_is_not_waited_for() -> None:
    done, never = anyio.Event(), anyio.Event()
    done.set()
    before = asyncio.get_running_loop().time()
    await first_of(never, done)
    assert asyncio.get_running_loop().time() == before


async def test_cancelled_it_leaves_no_task() -> None:
    waiting = asyncio.create_task(first_of(anyio.Event(), anyio.Event()))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_work_is_cancelled_by_the_event() -> None:
    event = anyio.Event()
    asyncio.get_running_loop().call_later(1, event.set)
    done = False
    with anyio.fail_after(2):
        async with cancelled_by(event):
            await anyio.sleep_forever()
            done = True
    assert not done
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_work_that_is_done_waits_for_no_event() -> None:
    with anyio.fail_after(1):
        async with cancelled_by(anyio.Event()):
            done = True
    assert done
    assert asyncio.all_tasks() == {asyncio.current_task()}
