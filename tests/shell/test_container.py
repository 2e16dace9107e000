"""Components that meet on one bus: put in, started, run and stopped in order."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from structlog.testing import capture_logs

from barsync_async.errors import ComponentError
from barsync_async.messages import Event, EventType
from barsync_async.shell.clock import SystemClock, VirtualClock
from barsync_async.shell.components.feature_calculator import MultiSymbolFeatureCalculator
from barsync_async.shell.components.portfolio import Portfolio
from barsync_async.shell.components.strategy_runner import StrategyRunner
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container, ContainerRole
from barsync_async.units import WallMs


class Plain:
    """Plays a component's role and notes what is done with it."""

    def __init__(self, name: str = "plain", log: list[str] | None = None) -> None:
        self.name = name
        self.log = [] if log is None else log

    def initialize(self, container: Container) -> None:
        self.container = container
        self.log.append(f"{self.name} initialized")

    def start(self) -> None:
        self.log.append(f"{self.name} started")


class Worker(Plain):
    """One that works until it is stopped."""

    def __init__(self, name: str = "worker", log: list[str] | None = None) -> None:
        super().__init__(name, log)
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        self.log.append(f"{self.name} runs")
        await self.stopping.wait()
        self.log.append(f"{self.name} ended")

    async def stop(self) -> None:
        self.log.append(f"{self.name} stopped")
        self.stopping.set()


class Ranked(Worker):
    """One that has its place in the flow of events."""

    def __init__(self, name: str, log: list[str], stop_rank: int) -> None:
        super().__init__(name, log)
        self.stop_rank = stop_rank


class Failing(Plain):
    """One whose work fails."""

    async def run(self) -> None:
        raise RuntimeError("mine")


class Halfway(Worker):
    """Holds the last event's consequences for a while."""

    def initialize(self, container: Container) -> None:
        super().initialize(container)
        self.queue = container.event_bus.subscribe_queue(
            EventType.SIGNAL, name=self.name, holds_turn=True
        )

    async def run(self) -> None:
        async for _ in self.queue:
            await asyncio.sleep(5)
            self.log.append(f"{self.name} worked")
        self.queue.done()

    async def stop(self) -> None:
        self.log.append(f"{self.name} stopped")
        self.queue.close()


def container_of(components: Iterable[Plain]) -> Container:
    container = Container("c")
    for component in components:
        container.add_component(component.name, component)
    return container


def test_a_container_has_a_name_a_role_and_a_bus_of_its_name() -> None:
    container = Container("pairs")
    assert (container.name, container.role) == ("pairs", ContainerRole.PROCESSOR)
    assert container.event_bus.container == "pairs"
    assert isinstance(container.clock, SystemClock)
    assert Container().name == "main"


def test_a_container_has_the_clock_that_it_was_given() -> None:
    clock = VirtualClock(WallMs(0))
    assert Container(clock=clock).clock is clock


def test_a_component_is_initialized_when_it_is_put_in_and_found_by_its_name() -> None:
    component = Plain()
    container = container_of([component])
    assert component.log == ["plain initialized"]
    assert component.container is container
    assert container.components == {"plain": component}


def test_components_are_started_in_the_order_in_which_they_were_put_in() -> None:
    log: list[str] = []
    container = container_of([Plain("b", log), Plain("a", log)])
    container.start()
    assert log == ["b initialized", "a initialized", "b started", "a started"]


def test_a_name_is_given_once() -> None:
    container = container_of([Plain()])
    other = Plain()
    with pytest.raises(ComponentError, match="container c has a component 'plain' already"):
        container.add_component("plain", other)
    assert other.log == []


SOLE: dict[str, Callable[[], Any]] = {
    "BarSynchronizer": lambda: BarSynchronizer({"SPY_1m"}),
    "MultiSymbolFeatureCalculator": MultiSymbolFeatureCalculator,
    "StrategyRunner": lambda: StrategyRunner(["momentum"], executor="inline"),
    "Portfolio": Portfolio,
}


@pytest.mark.parametrize("kind", SOLE)
def test_of_what_speaks_of_every_set_there_is_one(kind: str) -> None:
    container = Container("c")
    for name, make in SOLE.items():
        container.add_component(name, make())
    with pytest.raises(ComponentError, match=f"container c has a {kind} already, '{kind}'"):
        container.add_component("another", SOLE[kind]())
    assert list(container.components) == list(SOLE)


@pytest.mark.parametrize("thing", [None, object(), "component", Container])
def test_what_cannot_be_initialized_and_started_is_no_component(thing: Any) -> None:
    container = Container("c")
    with pytest.raises(ComponentError, match=r"it needs initialize\(container\) and start\(\)"):
        container.add_component("thing", thing)
    assert container.components == {}


def test_components_are_found_by_kind_in_the_order_in_which_they_were_put_in() -> None:
    async def made() -> None:
        plain, worker, other = Plain("p"), Worker("w"), Worker("o")
        container = container_of([plain, worker, other])
        assert container.find(Worker) == [worker, other]
        assert container.find(Plain) == [plain, worker, other]
        assert container.find(Failing) == []

    asyncio.run(made())


async def test_every_component_that_can_run_has_a_task_of_its_own_until_it_is_stopped() -> None:
    log: list[str] = []
    container = container_of([Plain("p", log), Worker("b", log), Worker("a", log)])
    log.clear()
    running = asyncio.ensure_future(container.run())
    await asyncio.sleep(1)
    assert log == ["b runs", "a runs"]
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert names >= {"c.b", "c.a"}
    await container.stop()
    await running
    assert log == ["b runs", "a runs", "b stopped", "a stopped", "b ended", "a ended"]


async def test_a_component_is_stopped_once_all_that_came_before_it_has_come_out() -> None:
    log: list[str] = []
    container = container_of([Halfway("first", log), Worker("second", log)])
    running = asyncio.ensure_future(container.run())
    await asyncio.sleep(1)
    container.event_bus.publish(Event(EventType.SIGNAL, None))
    log.clear()
    await container.stop()
    await running
    assert log == ["first stopped", "first worked", "second stopped", "second ended"]


async def test_a_component_that_fails_ends_the_container_and_the_others() -> None:
    log: list[str] = []
    container = container_of([Worker("w", log), Failing("f", log)])
    with pytest.raises(ExceptionGroup) as caught:
        await container.run()
    assert [str(each) for each in caught.value.exceptions] == ["mine"]
    assert "w ended" not in log


async def test_a_handler_that_fails_when_nobody_publishes_ends_the_container() -> None:
    log: list[str] = []
    container = container_of([Worker("w", log)])
    bus = container.event_bus

    def fail(_: Event) -> None:
        raise RuntimeError("mine")

    bus.subscribe(EventType.SYNC_SKIPPED, fail)
    slow = bus.subscribe_queue(EventType.SYNCHRONIZED_BARS, name="slow", holds_turn=True)
    bus.publish(Event(EventType.SYNCHRONIZED_BARS, None))
    bus.publish(Event(EventType.SYNC_SKIPPED, None))
    running = asyncio.ensure_future(container.run())
    await anext(slow)
    slow.done()
    with pytest.raises(ExceptionGroup) as caught:
        await running
    assert [str(each) for each in caught.value.exceptions] == ["mine"]
    assert "w ended" not in log


async def test_a_container_runs_once() -> None:
    container = container_of([Worker("w")])
    running = asyncio.ensure_future(container.run())
    await asyncio.sleep(1)
    running.cancel()
    await asyncio.wait([running])
    with pytest.raises(ComponentError, match="container c ran before"):
        await container.run()


async def test_a_component_that_comes_while_others_run_is_refused_for_it_would_never_run() -> None:
    container = container_of([Worker("w")])
    running = asyncio.ensure_future(container.run())
    await asyncio.sleep(1)
    with pytest.raises(ComponentError, match="container c runs already: 'late' comes too late"):
        container.add_component("late", Plain("late"))
    await container.stop()
    await running


class AwaitedStart(Plain):
    async def start(self) -> None:  # type: ignore[override]
        """Nobody would await it."""


class PlainRun(Plain):
    def run(self) -> None:
        """Nothing to await."""


class PlainStop(Plain):
    def stop(self) -> None:
        """The same."""


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (AwaitedStart, r"its start\(\) is not awaited: it cannot be an async def"),
        (PlainRun, r"its run\(\) is awaited: it has to be an async def"),
        (PlainStop, r"its stop\(\) is awaited: it has to be an async def"),
    ],
)
def test_what_is_awaited_and_what_is_not_is_told_before_it_runs(
    make: Callable[[], Any], why: str
) -> None:
    with pytest.raises(ComponentError, match=why):
        Container("c").add_component("mine", make())


async def test_a_failure_says_in_which_component_or_handler() -> None:
    container = container_of([Failing("f", [])])
    with pytest.raises(ExceptionGroup) as caught:
        await container.run()
    assert caught.value.exceptions[0].__notes__ == ["in component f of container c"]

    def mine(_: Event) -> None:
        raise RuntimeError("mine")

    container.event_bus.subscribe(EventType.SIGNAL, mine)
    with pytest.raises(RuntimeError) as raised:
        container.event_bus.publish(Event(EventType.SIGNAL, None))
    (note,) = raised.value.__notes__
    assert note.startswith("in test_a_failure_says")
    assert note.endswith("mine, a handler of SIGNAL in c")


class Dawdling(Worker):
    async def stop(self) -> None:
        await asyncio.sleep(8)
        await super().stop()


async def test_a_component_that_takes_long_to_stop_is_named() -> None:
    container = container_of([Worker("quick"), Dawdling("slow")])
    running = asyncio.ensure_future(container.run())
    await asyncio.sleep(1)
    with capture_logs() as logs:
        await container.stop()
    await running
    assert [(line["event"], line["component"]) for line in logs] == [("still stops", "slow")]


async def test_a_container_of_nothing_that_runs_is_done_at_once() -> None:
    await asyncio.wait_for(container_of([Plain()]).run(), 1)


async def test_components_stop_as_events_flow_whatever_the_order_in_which_they_were_added() -> None:
    log: list[str] = []
    container = Container(clock=VirtualClock(WallMs(0)))
    for component in (
        Worker("source", log),
        Ranked("portfolio", log, 3),
        Worker("beside the portfolio", log),
        Ranked("features", log, 1),
        Ranked("synchronizer", log, 0),
    ):
        container.add_component(component.name, component)
    await container.stop()
    assert [line for line in log if line.endswith("stopped")] == [
        "source stopped",
        "synchronizer stopped",
        "features stopped",
        "portfolio stopped",
        "beside the portfolio stopped",
    ]
