"""The synchronizer over an asynchronous source, on virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from barsync_async.core.spec import SynchronizerSpec
from barsync_async.messages import Bar, SynchronizedBars, SyncSkipped
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.stream import synchronize_stream
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs

START = 1_800_000_000_000
SPEC = SynchronizerSpec(
    expected_sources=frozenset(map(SourceId, ("SPY_1s", "QQQ_1s"))),
    timeout_ms=100,
    require_all=False,
)

Step = float | Bar | Exception


def bar(source: str, second: int = 0) -> Bar:
    return create_bar(source, START + second * 1_000)


async def play(*steps: Step) -> AsyncIterator[Bar]:
    """Bars, pauses in seconds, and an error that ends it."""
    for step in steps:
        if isinstance(step, Exception):
            raise step
        if isinstance(step, Bar):
            yield step
        else:
            await asyncio.sleep(step)


async def run(*steps: Step, spec: SynchronizerSpec = SPEC) -> list[tuple[float, int, str]]:
    """Each set: its moment in ms since the start, its second, its status."""
    loop, clock = asyncio.get_running_loop(), VirtualClock(WallMs(START))
    began = loop.time()
    seen: list[tuple[float, int, str]] = []
    async for each in synchronize_stream(play(*steps), spec, clock=clock):
        assert isinstance(each, SynchronizedBars | SyncSkipped)
        status = each.status if isinstance(each, SynchronizedBars) else each.reason
        moment = round((loop.time() - began) * 1_000, 2)
        seen.append((moment, (each.timestamp - START) // 1_000, status))
    return seen


async def test_a_set_goes_out_when_it_is_whole_or_at_its_deadline_while_the_source_sleeps() -> None:
    seen = await run(bar("SPY_1s"), 0.03, bar("QQQ_1s"), 1.0, bar("SPY_1s", 1), 5.0)
    assert seen == [
        (30.0, 0, "complete"),
        (1_130.0, 1, "partial"),
    ]


async def test_at_the_end_of_the_source_open_slots_are_sealed() -> None:
    assert await run(bar("SPY_1s")) == [(0, 0, "partial")]


async def test_with_close_deadlines_the_clock_opens_the_slots() -> None:
    spec = SynchronizerSpec(
        expected_sources=SPEC.expected_sources, deadline_from="close", require_all=False
    )
    seen = await run(3.5, spec=spec)
    assert [(second, status) for _, second, status in seen] == [
        (1, "empty"),
        (2, "empty"),
        (3, "empty"),
    ]


async def test_an_error_of_the_source_is_raised_after_what_came_before_it() -> None:
    source = play(bar("SPY_1s"), RuntimeError("feed broke"))
    async with aclosing(
        synchronize_stream(source, SPEC, clock=VirtualClock(WallMs(START)))
    ) as outcomes:
        assert (await anext(outcomes)).timestamp == START
        with pytest.raises(RuntimeError, match="feed broke"):
            await anext(outcomes)


async def test_leaving_early_ends_the_reading_task() -> None:
    before = asyncio.all_tasks()
    source = play(bar("SPY_1s"), bar("QQQ_1s"), 1_000.0, bar("SPY_1s", 1))
    async with aclosing(
        synchronize_stream(source, SPEC, clock=VirtualClock(WallMs(START)))
    ) as outcomes:
        first = await anext(outcomes)
    assert first.timestamp == START
    assert asyncio.all_tasks() == before
