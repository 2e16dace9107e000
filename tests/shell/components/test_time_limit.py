"""One limit for all that a set waits for."""

import asyncio

from barsync_async.shell.components.time_limit import TimeLimit


def done_in(seconds: float) -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_later(seconds, future.set_result, None)
    return future


async def test_what_one_call_took_the_next_has_not() -> None:
    limit, loop = TimeLimit(250), asyncio.get_running_loop()
    began = loop.time()
    assert await limit.is_done(done_in(0.2))
    assert not await limit.is_done(done_in(0.1))
    assert round(loop.time() - began, 6) == 0.25


async def test_when_it_is_over_only_what_is_done_already_is() -> None:
    limit, early, late = TimeLimit(100), done_in(0.1), done_in(0.3)
    await asyncio.sleep(0.2)
    assert await limit.is_done(early)
    assert not await limit.is_done(late)


async def test_what_is_not_done_in_time_goes_on() -> None:
    call = done_in(0.2)
    assert not await TimeLimit(100).is_done(call)
    assert not call.cancelled()
    assert await TimeLimit(150).is_done(call)
