"""The wall clock against the monotonic one: what is a step, by how much, and why."""

import asyncio

import pytest

from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.clock_watch import ClockWatch
from barsync_async.units import WallMs


class Bench:
    """A watch that looks when it is told to, at moments that are no whole ms."""

    def __init__(self) -> None:
        self.clock = VirtualClock(WallMs(1_767_364_200_000))
        self.watch = ClockWatch(self.clock)

    async def look(self) -> tuple[float, str] | None:
        await asyncio.sleep(0.010_347)
        return self.watch.look(self.clock.now())


async def test_a_step_is_told_exactly_whatever_the_moment() -> None:
    bench = Bench()
    for step_ms in (300, -1_500, 101, -101):
        bench.clock.step(step_ms)
        assert await bench.look() == (step_ms, "step")
        assert await bench.look() is None


@pytest.mark.parametrize("step_ms", [100, -100])
async def test_100_ms_are_no_step_whatever_the_moment(step_ms: int) -> None:
    bench = Bench()
    for _ in range(20):
        bench.clock.step(step_ms)
        assert await bench.look() is None


async def test_a_sleep_is_a_step_with_its_own_cause() -> None:
    bench = Bench()
    bench.clock.sleep(5_000)
    assert await bench.look() == (5_000, "resume")
    bench.clock.step(400)
    assert await bench.look() == (400, "step")


async def test_a_sleep_that_a_step_undid_is_not_the_cause_of_the_next_step() -> None:
    bench = Bench()
    bench.clock.sleep(5_000)
    bench.clock.step(-5_000)
    assert await bench.look() is None
    bench.clock.step(400)
    assert await bench.look() == (400, "step")
