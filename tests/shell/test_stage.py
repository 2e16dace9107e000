"""A step from some events to others, inline and as a worker."""

import asyncio
from types import SimpleNamespace

from barsync_async.messages import Event, EventType
from barsync_async.shell.bus import EventBus
from barsync_async.shell.stage import Stage

LISTENS = (EventType.SYNCHRONIZED_BARS, EventType.SIGNAL)


def event(timestamp: int, event_type: EventType = EventType.SYNCHRONIZED_BARS) -> Event:
    return Event(event_type, SimpleNamespace(timestamp=timestamp))


class Bench:
    """A stage that notes what it handles."""

    def __init__(self) -> None:
        self.bus = EventBus("c")
        self.handled: list[tuple[str, int]] = []
        self.stage = Stage(self.bus, "step", LISTENS, self._handle)

    def _handle(self, event: Event) -> None:
        self.handled.append((event.event_type.value, event.payload.timestamp))
        if event.event_type is EventType.SYNCHRONIZED_BARS:
            made = Event(EventType.FEATURES, event.payload)
            self.bus.publish(made)


def test_without_a_loop_it_is_called_by_the_publisher_for_its_types_only() -> None:
    bench = Bench()
    bench.bus.publish(event(1))
    bench.bus.publish(event(2, EventType.PORTFOLIO))
    bench.bus.publish(event(3, EventType.SIGNAL))
    assert bench.handled == [("SYNCHRONIZED_BARS", 1), ("SIGNAL", 3)]


async def test_running_it_handles_every_event_once_in_order_across_its_types() -> None:
    bench = Bench()
    running = asyncio.ensure_future(bench.stage.run())
    await asyncio.sleep(0)
    bench.bus.publish(event(1))
    bench.bus.publish(event(1, EventType.SIGNAL))
    bench.bus.publish(event(2))
    assert bench.handled == []
    await bench.bus.drained()
    assert bench.handled == [
        ("SYNCHRONIZED_BARS", 1),
        ("SIGNAL", 1),
        ("SYNCHRONIZED_BARS", 2),
    ]
    await bench.stage.stop()
    await running


async def test_running_it_holds_the_next_set_until_it_is_done_with_the_last() -> None:
    bench = Bench()
    seen: list[tuple[str, int]] = []
    for event_type in (EventType.SYNCHRONIZED_BARS, EventType.FEATURES):
        bench.bus.subscribe(
            event_type, lambda each: seen.append((each.event_type.value, each.payload.timestamp))
        )
    running = asyncio.ensure_future(bench.stage.run())
    await asyncio.sleep(0)
    bench.bus.publish(event(1))
    bench.bus.publish(event(2))
    assert seen == [("SYNCHRONIZED_BARS", 1)]
    await bench.bus.drained()
    assert seen == [
        ("SYNCHRONIZED_BARS", 1),
        ("FEATURES", 1),
        ("SYNCHRONIZED_BARS", 2),
        ("FEATURES", 2),
    ]
    await bench.stage.stop()
    await running


async def test_once_it_is_caught_up_it_has_handled_all_that_was_there() -> None:
    bench = Bench()
    running = asyncio.ensure_future(bench.stage.run())
    await asyncio.wait_for(bench.stage.caught_up(), 1)
    for number in range(3):
        bench.bus.publish(event(number, EventType.SIGNAL))
    await bench.stage.caught_up()
    assert bench.handled == [("SIGNAL", 0), ("SIGNAL", 1), ("SIGNAL", 2)]
    await bench.stage.stop()
    await running


async def test_its_queue_is_one_by_name_however_often_it_is_asked_for() -> None:
    bench = Bench()
    assert bench.stage.queue() is bench.stage.queue()
    assert [each.name for each in bench.bus.statistics()] == ["step"]


async def test_events_between_asking_for_the_queue_and_running_wait_in_it() -> None:
    bench = Bench()
    bench.stage.queue()
    bench.bus.publish(event(1))
    assert bench.handled == []
    running = asyncio.ensure_future(bench.stage.run())
    await bench.bus.drained()
    assert bench.handled == [("SYNCHRONIZED_BARS", 1)]
    await bench.stage.stop()
    await running


async def test_stopped_it_works_on_what_waits_and_takes_nothing_new() -> None:
    bench = Bench()
    running = asyncio.ensure_future(bench.stage.run())
    await asyncio.sleep(0)
    bench.bus.publish(event(1))
    await bench.stage.stop()
    bench.bus.publish(event(2, EventType.SIGNAL))
    await running
    assert bench.handled == [("SYNCHRONIZED_BARS", 1)]


async def test_stopped_before_it_ran_it_ends_at_once() -> None:
    bench = Bench()
    await bench.stage.stop()
    await asyncio.wait_for(bench.stage.run(), 1)
    bench.bus.publish(event(1))
    assert bench.handled == []
