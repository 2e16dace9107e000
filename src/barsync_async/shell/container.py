"""A container: named components around one event bus."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from inspect import iscoroutinefunction
from operator import itemgetter
from typing import Any, TypeVar

import anyio
import structlog

from barsync_async.errors import ComponentError
from barsync_async.ports import Clock, Component
from barsync_async.shell.bus import EventBus
from barsync_async.shell.clock import SystemClock

T = TypeVar("T")

_SLOW_S = 5

log = structlog.get_logger("barsync")


class ContainerRole(StrEnum):
    """What a container is for."""

    PROCESSOR = "processor"


class Container:
    """Components that meet on one bus; works with and without a running loop.

    Without a loop, adding the components is enough: each reacts inline to what is published.
    Under a loop, :meth:`run` gives each component that has an ``async run()`` a task of its own
    until :meth:`stop` has let everything under way come out.
    """

    def __init__(
        self,
        name: str = "main",
        role: ContainerRole = ContainerRole.PROCESSOR,
        *,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.role = role
        self.clock: Clock = clock or SystemClock()
        self.event_bus = EventBus(name, clock=self.clock)
        self.components: dict[str, Component] = {}
        self._has_run = False

    def add_component(self, name: str, component: Component) -> None:
        """Put ``component`` in and initialize it.

        Raises:
            ComponentError: the name is taken, the container runs already, it is no component, or it
                says by ``sole = True`` that there can be one of its kind, and there is one.
        """
        if name in self.components:
            raise ComponentError(f"container {self.name} has a component {name!r} already")
        if self._has_run:
            raise ComponentError(f"container {self.name} runs already: {name!r} comes too late")
        if why := _flaw(component):
            raise ComponentError(f"{name!r} ({type(component).__name__}) is no component: {why}")
        if getattr(component, "sole", False):
            self._check_sole(component)
        self.components[name] = component
        component.initialize(self)

    def _check_sole(self, component: Component) -> None:
        kind = type(component)
        for name, each in self.components.items():
            if isinstance(each, kind):
                raise ComponentError(
                    f"container {self.name} has a {kind.__name__} already, {name!r}: "
                    "a second one would speak of the same sets"
                )

    def find(self, kind: type[T]) -> list[T]:
        """The components that are of, or play the role of, ``kind``, in the order added."""
        return [each for each in self.components.values() if isinstance(each, kind)]

    def start(self) -> None:
        """All components are in: start each, in the order added."""
        for component in self.components.values():
            component.start()

    async def run(self) -> None:
        """Run every component in a task of its own, until all have stopped; once.

        Raises:
            ComponentError: it ran before: what was cut short then cannot be taken up again.
            ExceptionGroup: of what a component, or a handler of its bus, raised; the others are
                cancelled.
        """
        if self._has_run:
            raise ComponentError(f"container {self.name} ran before: make another one")
        self._has_run = True
        runs = [(name, getattr(each, "run", None)) for name, each in self.components.items()]
        running = {name: run for name, run in runs if run is not None}
        if not running:
            return
        async with anyio.create_task_group() as tasks:

            async def work(name: str) -> None:
                with _noted(f"component {name} of container {self.name}"):
                    await running[name]()
                del running[name]
                if not running:
                    tasks.cancel_scope.cancel()  # the watch for what handlers raise

            tasks.start_soon(self.event_bus.failure, name=f"{self.name} handlers")
            for name in running:
                tasks.start_soon(work, name, name=f"{self.name}.{name}")

    async def stop(self) -> None:
        """Stop one component after the other, each once all that it was given has come out: those
        with a ``stop_rank`` from the lowest to the highest, as the events flow, whatever the order
        in which they were added; any other behind the one that was added before it.
        """
        for name in self._as_events_flow():
            told = asyncio.get_running_loop().call_later(_SLOW_S, self._tell_slow, name)
            try:
                await self._stop(self.components[name])
            finally:
                told.cancel()

    async def _stop(self, component: Component) -> None:
        stop: Any = getattr(component, "stop", None)
        if stop is not None:
            await stop()
        await self.event_bus.drained()

    def _tell_slow(self, name: str) -> None:
        waits_for = [*self.event_bus.waited_for()]
        log.warning("still stops", container=self.name, component=name, waits_for=waits_for)

    def _as_events_flow(self) -> list[str]:
        """The components' names, in the order of their ranks."""
        ranks: list[int] = []
        for component in self.components.values():
            before = ranks[-1] if ranks else 0
            ranks.append(getattr(component, "stop_rank", before))
        ranked = sorted(zip(ranks, self.components, strict=True), key=itemgetter(0))
        return [name for _, name in ranked]


def _flaw(component: object) -> str | None:
    """Why it is no component."""
    if not isinstance(component, Component):
        return "it needs initialize(container) and start()"
    for name in ("initialize", "start"):
        if iscoroutinefunction(getattr(component, name)):
            return f"its {name}() is not awaited: it cannot be an async def"
    for name in ("run", "stop"):
        method = getattr(component, name, None)
        if method is not None and not iscoroutinefunction(method):
            return f"its {name}() is awaited: it has to be an async def"
    return None


@contextmanager
def _noted(place: str) -> Iterator[None]:
    """An exception says where it was raised."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in {place}")
        raise
