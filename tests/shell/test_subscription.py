"""A subscriber's queue against a plain account of what each policy promises."""

import asyncio
from collections import deque
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from barsync_async.errors import Overflow
from barsync_async.messages import Event, EventType
from barsync_async.shell.bus import EventBus
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.subscription import OverflowPolicy, Subscription
from barsync_async.shell.virtual_time import VirtualTimeLoop
from barsync_async.units import WallMs

SET = EventType.SYNCHRONIZED_BARS
MOVES = st.lists(st.sampled_from(["publish", "publish", "take", "next", "close"]), max_size=60)


def publish(bus: EventBus, number: int) -> None:
    bus.publish(Event(SET, SimpleNamespace(timestamp=number)))


def subscribed(bus: EventBus, policy: OverflowPolicy, capacity: int) -> Subscription:
    return bus.subscribe_queue(SET, name="slow", capacity=capacity, overflow=policy)


class Account:
    """What ought to come out: the queue as a list of numbers, and who is cut off."""

    def __init__(self, policy: OverflowPolicy, capacity: int) -> None:
        self._policy = policy
        self.capacity = 1 if policy is OverflowPolicy.LATEST else capacity
        self.waiting: deque[int] = deque()
        self.held_back: deque[int] = deque()
        self.lost: list[int] = []
        self.dropped = 0
        self.open = True
        self.cut = False

    def publish(self, number: int) -> None:
        if not self.open:
            return
        if len(self.waiting) < self.capacity:
            self.waiting.append(number)
        elif self._policy is OverflowPolicy.BLOCK:
            self.held_back.append(number)
        elif self._policy is OverflowPolicy.DISCONNECT:
            self.cut, self.open = True, False
        else:
            self.lost.append(self.waiting.popleft())
            self.dropped += 1
            self.waiting.append(number)

    def next(self) -> list[int | tuple[int, int, int]]:
        """The next event, a gap before it where there is one, as (first, last, how many)."""
        given: list[int | tuple[int, int, int]] = []
        if self.lost:
            given.append((self.lost[0], self.lost[-1], len(self.lost)))
            self.lost = []
        given.append(self.waiting.popleft())
        if self.held_back and self.open:
            self.waiting.append(self.held_back.popleft())
        return given

    def close(self) -> None:
        self.open = False
        self.held_back.clear()


def told(event: Event) -> int | tuple[int, int, int]:
    if event.event_type is EventType.GAP:
        gap = event.payload
        return gap.first_seq, gap.last_seq, gap.events_lost
    return event.seq


async def play(policy: OverflowPolicy, capacity: int, moves: list[str]) -> None:
    bus = EventBus()
    slow, account = subscribed(bus, policy, capacity), Account(policy, capacity)
    everything = bus.subscribe_queue(SET, name="quick", capacity=1_000)
    number, given = 0, 0
    for move in moves:
        if move == "publish":
            number += 1
            publish(bus, number)
            account.publish(number)
        elif move == "close":
            slow.close()
            account.close()
        else:
            while account.waiting:
                expected = account.next()
                assert [told(await anext(slow)) for _ in expected] == expected
                given += 1
                if move == "next":
                    break
        statistics = slow.statistics()
        assert statistics.depth == len(account.waiting) <= statistics.capacity == account.capacity
        assert (statistics.delivered, statistics.dropped) == (given, account.dropped)
        assert statistics.connected is account.open
    while account.waiting:
        expected = account.next()
        assert [told(await anext(slow)) for _ in expected] == expected
    if not account.open:
        with pytest.raises(Overflow if account.cut else StopAsyncIteration):
            await anext(slow)
    everything.close()
    assert [each.seq async for each in everything] == list(range(1, number + 1))


@pytest.mark.parametrize("policy", OverflowPolicy)
@given(capacity=st.integers(1, 4), moves=MOVES)
def test_every_policy_gives_what_it_promises(
    policy: OverflowPolicy, capacity: int, moves: list[str]
) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(play(policy, capacity, moves))


async def test_the_age_of_the_oldest_event_is_told() -> None:
    bus = EventBus(clock=VirtualClock(WallMs(0)))
    slow = subscribed(bus, OverflowPolicy.DROP_OLDEST, 2)
    assert slow.statistics().oldest_age_ms == 0
    for number in range(3):
        publish(bus, number)
        await asyncio.sleep(1)
    assert slow.statistics().oldest_age_ms == pytest.approx(2_000)
    await slow.take()
    assert slow.statistics().oldest_age_ms == 0


async def test_a_worker_that_the_next_set_waits_for_has_the_age_of_what_it_works_on() -> None:
    bus = EventBus(clock=VirtualClock(WallMs(0)))
    worker = bus.subscribe_queue(SET, name="worker", holds_turn=True)
    publish(bus, 1)
    await asyncio.sleep(1)
    await anext(worker)
    await asyncio.sleep(2)
    assert worker.statistics().depth == 0
    assert bus.waited_for() == {"worker": pytest.approx(3_000)}
    worker.done()
    assert bus.waited_for() == {}
    assert worker.statistics().oldest_age_ms == 0


async def test_for_how_long_a_full_queue_held_everybody_up_is_counted_and_told_once() -> None:
    bus = EventBus("c", clock=VirtualClock(WallMs(0)))
    slow = subscribed(bus, OverflowPolicy.BLOCK, 1)
    with capture_logs() as logs:
        for number in range(4):
            publish(bus, number)
        for number in range(3):
            await asyncio.sleep(2)
            assert slow.statistics().held_up_ms == pytest.approx((number + 1) * 2_000)
            await anext(slow)
    assert slow.statistics().held_up_ms == pytest.approx(6_000)
    assert logs == [
        {
            "event": "a full queue holds every set up until there is room",
            "log_level": "warning",
            "container": "c",
            "subscriber": "slow",
            "capacity": 1,
        }
    ]


async def test_the_most_that_ever_waited_is_remembered() -> None:
    bus = EventBus()
    slow = subscribed(bus, OverflowPolicy.BLOCK, 9)
    for number in range(5):
        publish(bus, number)
    await slow.take()
    assert (slow.statistics().depth, slow.statistics().deepest) == (0, 5)


async def test_one_that_is_given_up_loses_what_waits_and_holds_nobody_up() -> None:
    bus = EventBus()
    slow = bus.subscribe_queue(SET, name="slow", capacity=2, holds_turn=True)
    for number in range(3):
        publish(bus, number)
    await anext(slow)
    assert slow.abandon() == 0  # the one that it works on is not in the queue
    assert slow.statistics().depth == 0
    await bus.drained()
    full = subscribed(bus, OverflowPolicy.BLOCK, 2)
    for number in range(3):
        publish(bus, number)
    assert full.abandon() == 2
    assert full.statistics().dropped == 2
    await bus.drained()


async def test_as_many_are_taken_at_once_as_the_queue_holds_however_many_wait_behind_it() -> None:
    bus = EventBus()
    slow = subscribed(bus, OverflowPolicy.BLOCK, 3)
    for number in range(100):
        publish(bus, number)
    assert [each.seq for each in await slow.take()] == [1, 2, 3, 4]


def test_of_subscribers_that_come_and_go_the_last_ones_are_remembered() -> None:
    bus = EventBus()
    for number in range(100):
        bus.subscribe_queue(EventType.SIGNAL, name=str(number)).close()
    bus.subscribe_queue(EventType.SIGNAL, name="stays")
    names = [each.name for each in bus.statistics()]
    assert names == ["stays", *map(str, range(36, 100))]


def test_a_queue_holds_at_least_one_event() -> None:
    with pytest.raises(ValueError, match="capacity of 'r' is 0: expected at least 1"):
        EventBus().subscribe_queue(EventType.SIGNAL, name="r", capacity=0)


async def test_who_leaves_a_subscription_gives_its_turn_back() -> None:
    bus, seen = EventBus(), list[Event]()
    bus.subscribe(SET, seen.append)

    async def work() -> None:
        with bus.subscribe_queue(SET, name="worker", holds_turn=True) as events:
            async for _ in events:
                await asyncio.sleep(10)

    working = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    publish(bus, 1)
    publish(bus, 2)
    await asyncio.sleep(1)
    assert len(seen) == 1
    working.cancel()
    await asyncio.wait([working])
    assert len(seen) == 2
    await bus.drained()
