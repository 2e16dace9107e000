"""Subscribers of every policy, each of them stalled for ten seconds, and the daemon beside them."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.shell.test_daemon import SOURCES, Run, document, jsonl, read, scenario, synchronizer

from barsync_async.errors import Overflow
from barsync_async.messages import Event, EventType, SourceStatus, SynchronizedBars
from barsync_async.shell.subscription import OverflowPolicy, Subscription
from barsync_async.units import SourceId, WallMs

SET = EventType.SYNCHRONIZED_BARS
STALLED_S, SECONDS = (20, 30), 60


class Reader:
    """Takes one event after the other, but none while it is stalled."""

    def __init__(self, queue: Subscription, *, stalls: bool) -> None:
        self.queue = queue
        self.events: list[tuple[float, Event]] = []
        self.error: Overflow | None = None
        self._stalls = stalls

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async for event in self.queue:
                since = loop.time() - began
                self.events.append((since, event))
                if self._stalls and STALLED_S[0] <= since < STALLED_S[1]:
                    await asyncio.sleep(STALLED_S[1] - since)
        except Overflow as error:
            self.error = error

    def sets(self) -> list[SynchronizedBars]:
        return [event.payload for _, event in self.events if event.event_type is SET]

    def gaps(self) -> list[int]:
        return [
            event.payload.events_lost
            for _, event in self.events
            if event.event_type is EventType.GAP
        ]


async def stalled(capacity: int) -> dict[str, Reader]:
    """A minute of a set a second, of which one bar in twenty is lost and so waited for."""
    settings = {"require_all": False, "timeout_ms": 200, "deadline_from": "close"}
    config = document({"c": synchronizer(SOURCES, **settings)}, {})
    it = Run(config, scenario(defaults={"loss": 0.05}))
    bus = it.daemon.containers[0].event_bus
    readers = {
        name: Reader(
            bus.subscribe_queue(
                SET,
                name=name,
                capacity=1_000 if name == "quick" else capacity,
                overflow=OverflowPolicy.BLOCK if name == "quick" else OverflowPolicy(name),
            ),
            stalls=name != "quick",
        )
        for name in ("quick", *OverflowPolicy)
    }
    async with asyncio.TaskGroup() as tasks:
        for reader in readers.values():
            tasks.create_task(reader.run())
        await it.go(SECONDS + 0.5)
        for reader in readers.values():
            reader.queue.close()
    return readers


async def test_none_delays_another_or_a_deadline_and_each_loses_what_its_policy_says() -> None:
    readers = await stalled(capacity=16)
    quick, sets = readers["quick"], readers["quick"].sets()
    assert len(sets) == SECONDS
    assert sum(each.status == "partial" for each in sets) > 3
    assert {each.loop_lag_ms for each in sets} == {0.0}
    assert max(each.wait_ms for each in sets) == 200
    began = sets[0].timestamp - quick.events[0][0] * 1_000
    waits = [since * 1_000 + began - event.payload.timestamp for since, event in quick.events]
    assert max(waits) - min(waits) <= 201  # as soon as it is whole, or at its deadline
    assert readers["block"].sets() == sets
    assert readers["drop_oldest"].sets() == sets
    assert readers["latest"].gaps() == [8]
    assert len(readers["latest"].sets()) == SECONDS - 8
    assert readers["disconnect"].sets() == sets
    assert quick.gaps() == []


async def test_queues_that_are_too_short_lose_are_cut_off_or_hold_all_up_as_they_are_named() -> (
    None
):
    readers = await stalled(capacity=4)
    sets = readers["quick"].sets()
    assert len(sets) == SECONDS
    assert readers["block"].sets() == sets
    assert readers["block"].queue.statistics().held_up_ms > 4_000
    assert [each.loop_lag_ms for each in sets] == [0.0] * SECONDS  # sealed, only not published
    gaps = readers["drop_oldest"].gaps()
    assert len(gaps) == 1
    assert len(readers["drop_oldest"].sets()) == SECONDS - gaps[0] < SECONDS
    cut = readers["disconnect"]
    assert str(cut.error) == "subscriber disconnect fell 4 events behind and was cut off"
    assert cut.sets() == sets[: len(cut.sets())]


async def test_what_an_output_lost_stands_in_its_file(tmp_path: Path) -> None:
    """On virtual time a sink takes no time: it falls behind before it begins."""
    path = tmp_path / "events.jsonl"
    config = document({"c": synchronizer(SOURCES)}, {"events": jsonl(path)})
    config["outputs"]["events"] |= {"queue": 2, "overflow": "drop_oldest"}
    it = Run(config)
    bus = it.daemon.containers[0].event_bus
    for number in range(5):
        bus.publish(Event(EventType.SOURCE_STATUS, status(number)))
    with capture_logs() as logs:
        await it.go(0.05)
    lines = read(path)
    assert [line["type"] for line in lines[:3]] == ["GAP", "SOURCE_STATUS", "SOURCE_STATUS"]
    assert (lines[0]["first_seq"], lines[0]["events_lost"]) == (1, 3)
    (told,) = [line for line in logs if line["event"] == "queue"]
    assert (told["name"], told["dropped"], told["log_level"]) == ("output events", 3, "warning")


async def test_an_output_that_is_cut_off_ends_alone_and_the_daemon_says_so_at_its_end(
    tmp_path: Path,
) -> None:
    short, whole = tmp_path / "short.jsonl", tmp_path / "whole.jsonl"
    outputs = {"short": jsonl(short), "whole": jsonl(whole)}
    outputs["short"] |= {"queue": 2, "overflow": "disconnect"}
    it = Run(document({"c": synchronizer(SOURCES)}, outputs))
    bus = it.daemon.containers[0].event_bus
    with capture_logs() as logs:
        for number in range(5):
            bus.publish(Event(EventType.SOURCE_STATUS, status(number)))
        with pytest.raises(Overflow, match="output short fell 2 events"):
            await it.go(20.5)
    assert len(read(short)) == 2
    assert len([line for line in read(whole) if line["type"] == "SYNCHRONIZED_BARS"]) == 16
    (told,) = [line for line in logs if line["event"] == "cut off"]
    assert (told["subscriber"], told["capacity"], told["after_seq"]) == ("output short", 2, 2)


def status(number: int) -> SourceStatus:
    at = WallMs(number)
    return SourceStatus(timestamp=at, source=SourceId("SPY_1s"), status="live", since=at)
