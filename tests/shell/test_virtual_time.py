"""Time that passes at once, and alarms that never ring early."""

import asyncio

import pytest

from barsync_async.shell.clock import SystemClock, VirtualClock
from barsync_async.shell.virtual_time import VirtualTimeLoop
from barsync_async.units import MonoNs, WallMs

DAY_S = 86_400


async def test_a_day_passes_at_once() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    before = loop.time()
    await asyncio.sleep(DAY_S)
    assert loop.time() - before == pytest.approx(DAY_S, abs=1e-6)


@pytest.mark.timeout(20)
async def test_years_pass_and_a_timer_of_their_end_still_rings_at_its_moment() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(3_000):
        before = loop.time()
        await asyncio.sleep(DAY_S + 0.001)
        assert loop.time() - before == pytest.approx(DAY_S + 0.001, abs=1e-6)
    when = loop.time() + 0.25
    rung = asyncio.Event()
    loop.call_at(when, rung.set)
    await rung.wait()
    assert when <= loop.time() < when + 1e-6


async def test_sleepers_wake_in_the_order_of_their_times() -> None:
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await asyncio.sleep(seconds)
        woken.append(seconds)

    await asyncio.gather(*(sleeper(s) for s in (3, 1, 2)))
    assert woken == [1, 2, 3]


async def test_the_wall_clock_runs_with_the_loop() -> None:
    clock = VirtualClock(WallMs(1_000))
    start = clock.now()
    await asyncio.sleep(2)
    assert clock.now().wall - start.wall == 2_000


@pytest.mark.parametrize("ahead_ns", [1, 999, 1_000_001, 86_400_000_000_007])
async def test_an_alarm_rings_at_its_nanosecond_and_not_before(ahead_ns: int) -> None:
    clock = VirtualClock(WallMs(0))
    when = MonoNs(clock.now().mono + ahead_ns)
    rung = asyncio.Event()
    clock.call_at(when, rung.set)
    await rung.wait()
    assert 0 <= clock.now().mono - when <= 2


async def test_a_cancelled_alarm_stays_silent() -> None:
    clock, rung = VirtualClock(WallMs(0)), []
    alarm = clock.call_at(MonoNs(clock.now().mono + 1_000), lambda: rung.append(1))
    alarm.cancel()
    await asyncio.sleep(1)
    assert rung == []


async def test_work_for_a_thread_is_done_inline_and_its_error_is_the_awaiters() -> None:
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(lambda: 1 // 0)


def test_a_loop_on_which_nothing_can_happen_says_so() -> None:
    loop = VirtualTimeLoop()
    with pytest.raises(RuntimeError, match="virtual time stands still"):
        loop.run_until_complete(loop.create_future())
    loop.close()


def test_the_system_clock_never_rings_early() -> None:
    early: list[int] = []

    async def main() -> None:
        clock = SystemClock()
        rung = asyncio.Event()
        for n in range(1, 6):
            when = MonoNs(clock.now().mono + n * 300_000)

            def ring(when: MonoNs = when) -> None:
                if clock.now().mono < when:
                    early.append(when)
                rung.set()

            clock.call_at(when, ring)
            await rung.wait()
            rung.clear()

    asyncio.run(main())
    assert early == []
