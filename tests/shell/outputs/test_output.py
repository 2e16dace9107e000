"""One output's task: everything in order, nothing lost, nobody delayed but by its own bound."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from barsync_async.config import ConsoleConfig, JsonlConfig
from barsync_async.errors import OutputError, OutputStuck
from barsync_async.messages import Event, EventType, Gap
from barsync_async.shell.bus import EventBus
from barsync_async.shell.outputs.console import ConsoleSink
from barsync_async.shell.outputs.jsonl import JsonlSink
from barsync_async.shell.outputs.output import Output
from barsync_async.shell.outputs.registry import make_sink
from barsync_async.shell.subscription import OverflowPolicy
from barsync_async.units import WallMs

EVENTS = [EventType.SIGNAL, EventType.SYNC_SKIPPED]


class Notes:
    """Plays a sink's role: notes what is done with it, and in which thread."""

    name = "notes"

    def __init__(self, fail_on: str = "") -> None:
        self.calls: list[str] = []
        self.seqs: list[tuple[str, int]] = []
        self.threads: set[str] = set()
        self._fail_on = fail_on

    def _note(self, call: str) -> None:
        self.calls.append(call)
        self.threads.add(threading.current_thread().name)
        if call == self._fail_on:
            raise OutputError("notes", f"cannot {call}")

    def open(self) -> None:
        self._note("open")

    def write(self, events: Sequence[Event]) -> None:
        self._note("write")
        self.seqs += [(event.container, event.seq) for event in events]

    def close(self) -> None:
        self._note("close")


def event(event_type: EventType = EventType.SIGNAL) -> Event:
    payload = Gap(timestamp=WallMs(1), subscriber="s", first_seq=1, last_seq=1, events_lost=1)
    return Event(event_type, payload)


async def work(output: Output) -> None:
    """What the daemon does with an output."""
    await output.open()
    async with asyncio.TaskGroup() as tasks:
        for subscription in output.subscriptions:
            tasks.create_task(output.write_from(subscription))
    await output.close()


async def test_events_of_its_types_are_written_in_order_and_the_sink_is_closed() -> None:
    sink, bus = Notes(), EventBus("c")
    output = Output(sink, [bus], EVENTS)
    working = asyncio.ensure_future(work(output))
    for event_type in (EventType.SIGNAL, EventType.PORTFOLIO, EventType.SYNC_SKIPPED):
        bus.publish(event(event_type))
    await asyncio.sleep(1)
    assert sink.seqs == [("c", 1), ("c", 3)]
    assert sink.calls == ["open", "write"]
    bus.publish(event())
    output.stop()
    bus.publish(event())
    await working
    assert sink.seqs == [("c", 1), ("c", 3), ("c", 4)]
    assert sink.calls == ["open", "write", "write", "close"]


async def test_a_type_that_is_named_twice_is_written_once() -> None:
    sink, bus = Notes(), EventBus("c")
    output = Output(sink, [bus], [EventType.SIGNAL, EventType.SIGNAL])
    bus.publish(event())
    output.stop()
    await work(output)
    assert sink.seqs == [("c", 1)]


async def test_every_container_has_a_queue_of_its_own_and_keeps_its_order() -> None:
    sink, buses = Notes(), [EventBus("a"), EventBus("b")]
    output = Output(sink, buses, EVENTS)
    for _ in range(3):
        for bus in buses:
            bus.publish(event())
    output.stop()
    await work(output)
    assert [each for each in sink.seqs if each[0] == "a"] == [("a", 1), ("a", 2), ("a", 3)]
    assert [each for each in sink.seqs if each[0] == "b"] == [("b", 1), ("b", 2), ("b", 3)]
    assert [each.name for each in output.subscriptions] == ["output notes", "output notes"]


async def test_what_was_published_before_it_began_is_written_too() -> None:
    sink, bus = Notes(), EventBus("c")
    output = Output(sink, [bus], EVENTS)
    for _ in range(10):
        bus.publish(event())
    output.stop()
    await work(output)
    assert sink.seqs == [("c", number) for number in range(1, 11)]
    assert sink.calls == ["open", "write", "close"]


async def test_when_it_cannot_keep_up_the_sets_wait_and_none_is_lost() -> None:
    sink, bus = Notes(), EventBus("c")
    output = Output(sink, [bus], EVENTS)
    for _ in range(5_000):
        bus.publish(event(EventType.SYNC_SKIPPED))
    (statistics,) = bus.statistics()
    assert statistics.depth == statistics.capacity < 5_000
    working = asyncio.ensure_future(work(output))
    await bus.drained()
    output.stop()
    await working
    assert sink.seqs == [("c", number) for number in range(1, 5_001)]
    assert bus.statistics()[0].dropped == 0


@pytest.mark.parametrize("call", ["open", "write", "close"])
async def test_a_sink_that_fails_ends_the_work_with_its_own_error(call: str) -> None:
    bus = EventBus("c")
    output = Output(Notes(fail_on=call), [bus], EVENTS)
    bus.publish(event())
    output.stop()
    with pytest.raises((OutputError, ExceptionGroup)) as caught:
        await work(output)
    error = caught.value
    inner = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
    assert str(inner) == f"notes: cannot {call}"


def test_the_sink_is_called_in_one_thread_which_is_not_the_loops() -> None:
    sink, bus = Notes(), EventBus("c")

    async def main() -> None:
        output = Output(sink, [bus], EVENTS)
        bus.publish(event())
        output.stop()
        await work(output)

    asyncio.run(main())  # the virtual loop has no threads
    assert sink.calls == ["open", "write", "close"]
    assert len(sink.threads) == 1
    assert sink.threads.pop().startswith("output-notes")


def test_a_sink_that_is_slow_holds_up_nobody_on_the_loop() -> None:
    released, reached = threading.Event(), threading.Event()

    class Slow(Notes):
        def write(self, events: Sequence[Event]) -> None:
            reached.set()
            assert released.wait(60)
            super().write(events)

    async def main() -> None:
        sink, bus = Slow(), EventBus("c")
        output = Output(sink, [bus], EVENTS)
        working = asyncio.ensure_future(work(output))
        bus.publish(event())
        await asyncio.get_running_loop().run_in_executor(None, reached.wait, 60)
        seen: list[Event] = []
        bus.subscribe(EventType.SIGNAL, seen.append)
        bus.publish(event())
        assert len(seen) == 1  # while the sink still writes
        assert sink.seqs == []
        released.set()
        output.stop()
        await working
        assert sink.seqs == [("c", 1), ("c", 2)]

    try:
        asyncio.run(main())
    finally:
        released.set()


def test_each_table_of_a_config_makes_its_sink() -> None:
    file = make_sink("file", JsonlConfig(type="jsonl", path="x.jsonl"))
    screen = make_sink("screen", ConsoleConfig(type="console"))
    assert isinstance(file, JsonlSink)
    assert isinstance(screen, ConsoleSink)
    assert (file.name, screen.name) == ("file", "screen")


def test_at_a_stop_a_target_that_takes_nothing_is_given_up_and_the_sets_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("barsync_async.shell.outputs.output.PATIENCE_S", 0.2)
    released = threading.Event()

    class Stuck(Notes):
        def write(self, events: Sequence[Event]) -> None:
            assert released.wait(60)

    async def main() -> None:
        sink, bus = Stuck(), EventBus("c")
        output = Output(sink, [bus], EVENTS, queue=2)
        quick = bus.subscribe_queue(EventType.SYNC_SKIPPED, name="quick")
        for _ in range(5):
            bus.publish(event(EventType.SYNC_SKIPPED))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(output.write_from(output.subscriptions[0]))
            await output.watch()
        await bus.drained()
        assert len(await quick.take()) == 5
        assert isinstance(output.failure, OutputStuck)
        assert output.failure.lost == 5
        assert output.subscriptions[0].statistics().depth == 0
        await output.close()
        assert sink.calls == []

    try:
        asyncio.run(main())
    finally:
        released.set()


def test_closed_while_its_target_takes_nothing_it_says_so_and_does_not_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("barsync_async.shell.outputs.output.PATIENCE_S", 0.2)
    released, reached = threading.Event(), threading.Event()

    class Stuck(Notes):
        def write(self, events: Sequence[Event]) -> None:
            reached.set()
            assert released.wait(60)

    async def main() -> None:
        bus = EventBus("c")
        output = Output(Stuck(), [bus], EVENTS)
        bus.publish(event())
        writing = asyncio.ensure_future(output.write_from(output.subscriptions[0]))
        await asyncio.get_running_loop().run_in_executor(None, reached.wait, 60)
        writing.cancel()
        with pytest.raises(OutputStuck, match=r"output notes: took .*: 1 event may be lost"):
            await output.close()

    try:
        asyncio.run(main())
    finally:
        released.set()


async def test_one_that_falls_behind_with_disconnect_is_cut_off_and_the_others_go_on() -> None:
    sink, bus = Notes(), EventBus("c")
    output = Output(sink, [bus], EVENTS, queue=2, overflow=OverflowPolicy.DISCONNECT)
    for _ in range(5):
        bus.publish(event(EventType.SYNC_SKIPPED))
    await work(output)
    assert sink.seqs == [("c", 1), ("c", 2)]
    assert sink.calls[-1] == "close"
    assert str(output.failure) == "subscriber output notes fell 2 events behind and was cut off"


async def test_one_that_may_drop_writes_the_gap_among_its_lines() -> None:
    sink, bus = Notes(), EventBus("c")
    output = Output(sink, [bus], EVENTS, queue=2, overflow=OverflowPolicy.DROP_OLDEST)
    for _ in range(5):
        bus.publish(event(EventType.SYNC_SKIPPED))
    output.stop()
    await work(output)
    assert sink.seqs == [("c", 3), ("c", 4), ("c", 5)]
    assert output.failure is None
