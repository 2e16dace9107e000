"""One order for everybody, bounded queues, and no loss untold."""

import asyncio
from types import SimpleNamespace

import pytest

from barsync_async.errors import Overflow
from barsync_async.messages import Event, EventType, Gap
from barsync_async.shell.bus import MOST_WAITING, EventBus
from barsync_async.shell.subscription import OverflowPolicy, Subscription
from barsync_async.units import WallMs


def event(timestamp: int, event_type: EventType = EventType.SYNCHRONIZED_BARS) -> Event:
    return Event(event_type, SimpleNamespace(timestamp=timestamp))


def features(timestamp: int) -> Event:
    return event(timestamp, EventType.FEATURES)


def shown(events: list[Event]) -> list[tuple[int, str, int]]:
    return [(each.seq, each.event_type.value, each.payload.timestamp) for each in events]


def test_events_are_numbered_and_named_after_their_container() -> None:
    bus = EventBus("pairs")
    seen: list[Event] = []
    bus.subscribe(EventType.SYNCHRONIZED_BARS, seen.append)
    bus.publish(event(1))
    bus.publish(event(2))
    assert [(each.container, each.seq) for each in seen] == [("pairs", 1), ("pairs", 2)]


def test_a_bar_that_goes_in_has_no_number() -> None:
    bus = EventBus()
    seen: list[Event] = []
    bus.subscribe(EventType.BAR, seen.append)
    bus.subscribe(EventType.FEATURES, seen.append)
    bus.publish(event(1, EventType.BAR))
    bus.publish(features(1))
    assert [each.seq for each in seen] == [0, 1]


def test_what_a_handler_publishes_comes_after_what_it_handles_for_everybody() -> None:
    bus = EventBus()
    seen: list[Event] = []
    bus.subscribe(EventType.SYNCHRONIZED_BARS, lambda each: bus.publish(features(1)))
    bus.subscribe(EventType.FEATURES, seen.append)
    bus.subscribe(EventType.SYNCHRONIZED_BARS, seen.append)
    bus.publish(event(1))
    assert shown(seen) == [(1, "SYNCHRONIZED_BARS", 1), (2, "FEATURES", 1)]


def fail(_: Event) -> None:
    raise RuntimeError("mine")


def test_a_handlers_exception_reaches_the_publisher_after_all_others_had_the_event() -> None:
    bus = EventBus()
    seen: list[Event] = []
    bus.subscribe(EventType.SYNCHRONIZED_BARS, fail)
    bus.subscribe(EventType.SYNCHRONIZED_BARS, seen.append)
    with pytest.raises(RuntimeError, match="mine"):
        bus.publish(event(1))
    assert len(seen) == 1
    bus.subscribe(EventType.SYNCHRONIZED_BARS, fail)
    with pytest.raises(ExceptionGroup):
        bus.publish(event(2))


def test_a_handler_that_fails_keeps_nothing_from_being_delivered() -> None:
    bus = EventBus()
    seen: list[Event] = []

    def first(_: Event) -> None:
        bus.publish(features(1))
        raise RuntimeError("mine")

    bus.subscribe(EventType.SYNCHRONIZED_BARS, first)
    bus.subscribe(EventType.FEATURES, seen.append)
    with pytest.raises(RuntimeError, match="mine"):
        bus.publish(event(1))
    assert shown(seen) == [(2, "FEATURES", 1)]
    bus.publish(features(2))
    assert shown(seen)[1:] == [(3, "FEATURES", 2)]


async def test_a_handlers_exception_does_not_reach_the_worker_for_which_an_event_waited() -> None:
    bus = EventBus()
    bus.subscribe(EventType.SYNC_SKIPPED, fail)
    worker = bus.subscribe_queue(EventType.SYNCHRONIZED_BARS, name="innocent", holds_turn=True)
    bus.publish(event(1))
    bus.publish(event(2, EventType.SYNC_SKIPPED))
    bus.publish(event(3))
    assert (await anext(worker)).payload.timestamp == 1
    assert (await anext(worker)).payload.timestamp == 3
    with pytest.raises(RuntimeError, match="mine"):
        bus.publish(event(4))
    worker.close()
    bus.publish(event(5))  # it is told once


async def test_who_waits_for_all_to_be_worked_out_hears_of_a_handler_that_failed() -> None:
    bus = EventBus()
    bus.subscribe(EventType.SYNC_SKIPPED, fail)
    worker = bus.subscribe_queue(EventType.SYNCHRONIZED_BARS, name="innocent", holds_turn=True)
    bus.publish(event(1))
    bus.publish(event(2, EventType.SYNC_SKIPPED))
    worker.close()
    assert (await anext(worker)).payload.timestamp == 1
    worker.done()
    with pytest.raises(RuntimeError, match="mine"):
        await bus.drained()
    await bus.drained()


def test_an_ended_subscription_gets_nothing_and_may_be_ended_again() -> None:
    bus = EventBus()
    seen: list[Event] = []
    end = bus.subscribe(EventType.SYNCHRONIZED_BARS, seen.append)
    other = bus.subscribe(EventType.SYNCHRONIZED_BARS, seen.append)
    end()
    end()
    bus.publish(event(1))
    assert len(seen) == 1
    other()
    bus.publish(event(2))
    assert len(seen) == 1


async def test_the_next_set_waits_while_a_worker_holds_the_last_one() -> None:
    bus = EventBus()
    seen: list[Event] = []
    for event_type in (EventType.SYNCHRONIZED_BARS, EventType.FEATURES):
        bus.subscribe(event_type, seen.append)
    worker = bus.subscribe_queue(EventType.SYNCHRONIZED_BARS, name="w", holds_turn=True)
    bus.publish(event(1))
    bus.publish(event(2))
    first = await anext(worker)
    assert shown(seen) == [(1, "SYNCHRONIZED_BARS", 1)]
    bus.publish(features(first.payload.timestamp))
    second = await anext(worker)
    assert second.payload.timestamp == 2
    assert shown(seen) == [
        (1, "SYNCHRONIZED_BARS", 1),
        (2, "FEATURES", 1),
        (3, "SYNCHRONIZED_BARS", 2),
    ]


async def test_drained_waits_for_the_last_consequence() -> None:
    bus = EventBus()
    worker = bus.subscribe_queue(EventType.SYNCHRONIZED_BARS, name="w", holds_turn=True)
    bus.publish(event(1))
    drained = asyncio.ensure_future(bus.drained())
    await anext(worker)
    await asyncio.sleep(0)
    assert not drained.done()
    worker.done()
    await drained


async def test_a_blocking_subscriber_holds_the_sets_back_and_loses_none() -> None:
    bus = EventBus()
    seen: list[Event] = []
    bus.subscribe(EventType.SYNCHRONIZED_BARS, seen.append)
    slow = bus.subscribe_queue(EventType.SYNCHRONIZED_BARS, name="slow", capacity=2)
    for number in range(5):
        bus.publish(event(number))
    assert len(seen) == 2
    got = [(await anext(slow)).payload.timestamp for _ in range(5)]
    assert got == [0, 1, 2, 3, 4]
    assert len(seen) == 5


async def test_room_is_there_again_once_the_backlog_is_small() -> None:
    bus = EventBus()
    slow = bus.subscribe_queue(EventType.SYNCHRONIZED_BARS, name="slow", capacity=1)
    for number in range(300):
        bus.publish(event(number))
    room = asyncio.ensure_future(bus.room())
    await asyncio.sleep(0)
    assert not room.done()
    for _ in range(100):
        await anext(slow)
    await room


def lossy(bus: EventBus, policy: OverflowPolicy) -> Subscription:
    return bus.subscribe_queue(
        EventType.SYNCHRONIZED_BARS, name="slow", capacity=2, overflow=policy
    )


async def test_drop_oldest_keeps_the_newest_and_tells_the_gap_first() -> None:
    bus = EventBus("c")
    slow = lossy(bus, OverflowPolicy.DROP_OLDEST)
    for number in range(1, 6):
        bus.publish(event(number))
    gap = await anext(slow)
    assert gap.event_type is EventType.GAP
    assert gap.container == "c"
    assert gap.payload == Gap(
        timestamp=WallMs(4), subscriber="slow", first_seq=1, last_seq=3, events_lost=3
    )
    assert [(await anext(slow)).seq for _ in range(2)] == [4, 5]
    assert slow.statistics().dropped == 3


async def test_latest_keeps_one() -> None:
    bus = EventBus()
    slow = lossy(bus, OverflowPolicy.LATEST)
    for number in range(1, 4):
        bus.publish(event(number))
    events = await slow.take()
    assert [each.event_type for each in events] == [EventType.GAP, EventType.SYNCHRONIZED_BARS]
    assert events[0].payload.events_lost == 2
    assert events[1].seq == 3


async def test_disconnect_gives_out_what_was_queued_and_then_says_why() -> None:
    bus = EventBus()
    slow = lossy(bus, OverflowPolicy.DISCONNECT)
    for number in range(1, 5):
        bus.publish(event(number))
    assert [each.seq for each in await slow.take()] == [1, 2]
    with pytest.raises(Overflow, match="slow fell 2 events behind"):
        await anext(slow)
    assert not slow.statistics().connected


async def test_a_closed_subscription_ends_after_what_was_queued() -> None:
    bus = EventBus()
    reader = bus.subscribe_queue(EventType.SYNCHRONIZED_BARS, name="r")
    bus.publish(event(1))
    reader.close()
    bus.publish(event(2))
    assert [each.seq async for each in reader] == [1]
    assert await reader.take() == []


async def test_one_slow_subscriber_that_may_lose_events_delays_no_other() -> None:
    bus = EventBus()
    lossy(bus, OverflowPolicy.DROP_OLDEST)
    quick = bus.subscribe_queue(EventType.SYNCHRONIZED_BARS, name="quick")
    for number in range(100):
        bus.publish(event(number))
    assert len(await quick.take()) == 100


async def test_a_publisher_is_told_when_too_much_waits_and_when_half_of_it_has_gone() -> None:
    bus = EventBus()
    told: list[bool] = []
    bus.on_crowded(told.append)
    slow = bus.subscribe_queue(EventType.SYNCHRONIZED_BARS, name="slow", capacity=1)
    for number in range(MOST_WAITING + 1):
        bus.publish(event(number))
    assert told == []
    bus.publish(event(0))
    bus.publish(event(0))
    assert told == [True]
    assert list(bus.waited_for()) == ["slow"]
    for _ in range(MOST_WAITING // 2 + 1):
        assert told == [True]
        await anext(slow)
    await anext(slow)
    assert told == [True, False]
