"""The synchronizer coroutine on virtual time, its bars put into its inbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from barsync_async.messages import ClockStep, Event, EventType
from barsync_async.ports import Arrival
from barsync_async.shell.bus import MOST_WAITING
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container
from barsync_async.shell.subscription import Subscription
from barsync_async.testing import create_bar, create_bar_event
from barsync_async.units import WallMs
from barsync_async.venues.outcomes import Rejection

NOON = 1_800_000_000_000 - 1_800_000_000_000 % 300_000
MINUTE = 60_000
OUT = (
    EventType.SYNCHRONIZED_BARS,
    EventType.SYNC_SKIPPED,
    EventType.LATE_BAR,
    EventType.BAR_REJECTED,
    EventType.CLOCK_STEP,
)


class Bench:
    """A running synchronizer and all that it published, with the moment of each event."""

    def __init__(self, **options: Any) -> None:
        self.clock = VirtualClock(WallMs(NOON))
        self.container = Container("c", clock=self.clock)
        options.setdefault("expected_sources", {"SPY_1m", "QQQ_1m"})
        self.synchronizer = BarSynchronizer(**options)
        self.container.add_component("sync", self.synchronizer)
        self.events: list[Event] = []
        self.moments: list[float] = []
        self.order = 0
        for event_type in OUT:
            self.container.event_bus.subscribe(event_type, self._note)

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self.moments.append(asyncio.get_running_loop().time())

    def arrive(self, source: str, timestamp: int, close: float = 100.0) -> None:
        self.put(create_bar(source, timestamp, close))

    def put(self, item: Any, feed: str = "sim") -> None:
        self.order += 1
        arrival = Arrival(self.clock.now(), feed, self.order, item)
        assert self.synchronizer.inbox.put_nowait(arrival)

    @property
    def types(self) -> list[str]:
        return [event.event_type.value for event in self.events]


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Bench]:
    bench = Bench(**options)
    task = asyncio.ensure_future(bench.container.run())
    try:
        yield bench
    finally:
        await bench.container.stop()
        await task


async def test_a_set_goes_out_at_proof_and_leaves_no_timer() -> None:
    async with running() as bench:
        bench.arrive("SPY_1m", NOON)
        await asyncio.sleep(0.01)
        bench.arrive("QQQ_1m", NOON)
        await asyncio.sleep(0.01)
        assert bench.types == ["SYNCHRONIZED_BARS"]
        assert bench.events[0].payload.wait_ms == 10.0
        assert bench.synchronizer._timers == {}


async def test_an_incomplete_set_is_sealed_exactly_at_its_deadline() -> None:
    async with running(timeout_ms=100, require_all=False, **AHEAD) as bench:
        start = asyncio.get_running_loop().time()
        bench.arrive("SPY_1m", NOON)
        await asyncio.sleep(1)
        assert bench.types == ["SYNCHRONIZED_BARS"]
        assert bench.moments[0] - start == pytest.approx(0.1, abs=1e-8)
        assert bench.events[0].payload.loop_lag_ms == 0.0


async def test_each_open_timestamp_has_one_timer_of_its_own() -> None:
    async with running(require_all=False) as bench:
        for number in range(5):
            bench.arrive("SPY_1m", NOON - number * MINUTE)
            await asyncio.sleep(0.001)
        assert len(bench.synchronizer._timers) == 5
        await asyncio.sleep(1)
        assert [event.payload.timestamp for event in bench.events] == [
            NOON - number * MINUTE for number in (4, 3, 2, 1, 0)
        ]
        assert bench.synchronizer._timers == {}


async def test_a_bar_read_at_the_very_deadline_is_in_time_whoever_is_called_first() -> None:
    async with running(timeout_ms=100) as bench:
        loop = asyncio.get_running_loop()
        bench.arrive("SPY_1m", NOON)
        loop.call_later(0.1, bench.arrive, "QQQ_1m", NOON)
        await asyncio.sleep(1)
        assert bench.types == ["SYNCHRONIZED_BARS"]
        assert bench.events[0].payload.status == "complete"


async def test_arrivals_of_one_moment_are_taken_in_by_feed_and_order_not_by_task() -> None:
    async with running() as bench:
        bench.order = 10
        bench.put(create_bar("SPY_1m", NOON, 2.0), feed="b")
        bench.order = 0
        bench.put(create_bar("SPY_1m", NOON, 1.0), feed="a")
        await asyncio.sleep(0)
        bench.arrive("QQQ_1m", NOON)
        await asyncio.sleep(0.01)
        assert bench.events[0].payload.bars["SPY_1m"].close == 2.0
        assert bench.synchronizer.statistics().corrected == 1


async def test_late_and_rejected_bars_are_told() -> None:
    async with running(timeout_ms=50) as bench:
        bench.arrive("SPY_1m", NOON)
        await asyncio.sleep(0.08)
        bench.arrive("QQQ_1m", NOON)
        bench.put(Rejection("malformed", "no JSON"))
        bench.arrive("SPY_1m", NOON + 1)
        await asyncio.sleep(0.01)
        assert bench.types == ["SYNC_SKIPPED", "LATE_BAR", "BAR_REJECTED", "BAR_REJECTED"]
        assert bench.events[1].payload.late_by_ms == 30.0
        assert [event.payload.reason for event in bench.events[2:]] == ["malformed", "off_grid"]


async def test_stopping_takes_in_what_waits_and_seals_what_is_open() -> None:
    async with running(require_all=False) as bench:
        bench.arrive("SPY_1m", NOON)
        await bench.container.stop()
        assert bench.types == ["SYNCHRONIZED_BARS"]
        assert bench.synchronizer.inbox.finished


async def test_one_that_never_ran_is_stopped_the_same_way_and_then_runs_for_nothing() -> None:
    bench = Bench(require_all=False)
    bench.arrive("SPY_1m", NOON)
    bench.container.event_bus.publish(create_bar_event("QQQ_1m", NOON + MINUTE))
    async with asyncio.timeout(1):
        await bench.container.stop()
        assert bench.types == ["SYNCHRONIZED_BARS"] * 2
        await bench.container.stop()
        await bench.container.run()
    assert bench.types == ["SYNCHRONIZED_BARS"] * 2


async def test_a_bar_published_on_the_bus_gets_its_deadline_too() -> None:
    async with running(require_all=False) as bench:
        bench.container.event_bus.publish(create_bar_event("SPY_1m", NOON))
        await asyncio.sleep(1)
        assert bench.types == ["SYNCHRONIZED_BARS"]
        assert bench.events[0].payload.wait_ms == 100.0


async def test_a_deadline_that_a_clock_step_moves_to_a_moment_gone_by_falls_at_once() -> None:
    async with running(deadline_from="close", timeout_ms=150, require_all=False) as bench:
        bench.container.start()
        loop, clock = asyncio.get_running_loop(), bench.clock
        opening_ms = MINUTE - (clock.now().wall - NOON) % MINUTE
        await asyncio.sleep(opening_ms / 1_000 + 0.01)
        clock.step(150)
        bench.synchronizer.inbox.wake()
        stepped = loop.time()
        await asyncio.sleep(0.005)
        assert bench.types == ["CLOCK_STEP", "SYNC_SKIPPED"]
        assert bench.moments[-1] - stepped < 0.005


async def stalled(bench: Bench, sets: int) -> Subscription:
    """A subscriber that takes nothing, and so many sets that wait for it."""
    slow = bench.container.event_bus.subscribe_queue(*OUT, name="slow", capacity=1)
    for number in range(sets + 1):
        for source in ("SPY_1m", "QQQ_1m"):
            bench.arrive(source, NOON + number * MINUTE)
    await asyncio.sleep(0.01)
    return slow


AHEAD = {"max_future_ms": 10**12}
CARRIED: dict[str, Any] = {"feeds": {"SPY_1m": ("sim",), "QQQ_1m": ("sim", "twin")}}


async def test_a_stalled_subscriber_delays_no_deadline_and_sets_say_how_long_they_waited() -> None:
    async with running(timeout_ms=100, require_all=False, **AHEAD) as bench:
        slow = await stalled(bench, MOST_WAITING + 5)
        began = asyncio.get_running_loop().time()
        bench.arrive("SPY_1m", NOON + 1_000 * MINUTE)
        await asyncio.sleep(10)
        assert bench.synchronizer.statistics().sets_by["partial"] == 1
        while (last := (await anext(slow)).payload).status != "partial":
            pass
        assert (last.wait_ms, last.loop_lag_ms) == (100.0, 0.0)
        assert bench.moments[-1] == pytest.approx(began + 10)
        slow.close()


async def test_while_too_many_sets_wait_its_feeds_are_not_read_and_the_log_says_for_whom() -> None:
    with capture_logs() as logs:
        async with running(**CARRIED, **AHEAD) as bench:
            gate = bench.synchronizer.intake.gate
            slow = await stalled(bench, MOST_WAITING)
            assert gate.is_open("sim")
            for source in ("SPY_1m", "QQQ_1m"):
                bench.arrive(source, NOON + 1_000 * MINUTE)
            await asyncio.sleep(0.01)
            assert [gate.is_open(feed) for feed in ("sim", "twin", "another")] == [
                False,
                False,
                True,
            ]
            for _ in range(MOST_WAITING // 2):
                assert not gate.is_open("sim")
                await anext(slow)
            await anext(slow)
            assert gate.is_open("sim")
            slow.close()
    assert [
        (line["event"], line.get("waits_for_ms")) for line in logs if "reading" in line["event"]
    ] == [
        ("reading no more: sets wait to be published", {"slow": 10}),
        ("reading again", None),
    ]


async def test_while_too_many_sets_wait_the_clock_opens_no_slot_whose_bars_are_not_read() -> None:
    async with running(deadline_from="close", timeout_ms=100) as bench:
        bench.synchronizer.start()
        bus = bench.container.event_bus
        slow = bus.subscribe_queue(EventType.CLOCK_STEP, name="slow", capacity=1)
        step = ClockStep(timestamp=WallMs(NOON), step_ms=0, cause="step")
        for _ in range(MOST_WAITING + 2):
            bus.publish(Event(EventType.CLOCK_STEP, step))
        await asyncio.sleep(3 * 60)
        assert bench.synchronizer.statistics().skips_by == {}
        slow.close()
        await asyncio.sleep(1)
        assert bench.synchronizer.statistics().skips_by == {"empty": 3}


async def test_a_source_that_goes_on_though_nobody_should_read_has_to_wait_at_last() -> None:
    async with running(**AHEAD) as bench:
        slow = await stalled(bench, 4 * MOST_WAITING + 1)
        bench.arrive("SPY_1m", NOON + 9_000 * MINUTE)
        await asyncio.sleep(60)
        assert len(bench.synchronizer.inbox) == 1
        await anext(slow)
        await asyncio.sleep(0.2)
        assert len(bench.synchronizer.inbox) == 0
        slow.close()


def test_a_text_in_place_of_the_sources_is_told_as_one() -> None:
    with pytest.raises(ValueError, match="'SPY_1m': expected a set of sources, got a text"):
        BarSynchronizer("SPY_1m")
