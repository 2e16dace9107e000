"""Strategies side by side: features in, signals out, always in the same order."""

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import anyio

from barsync_async.errors import ItemsRefused
from barsync_async.messages import (
    Decision,
    Event,
    EventType,
    Features,
    PortfolioUpdate,
    Signal,
    StrategyFault,
)
from barsync_async.plugins import each_made
from barsync_async.shell.components.strategy_seat import Seat
from barsync_async.shell.components.strategy_wire import RequestEncoder
from barsync_async.shell.components.strategy_worker import (
    StrategyStatistics,
    StrategyWorker,
    make_seat,
)
from barsync_async.shell.container import Container
from barsync_async.shell.subscription import Subscription
from barsync_async.strategy_choice import (
    Executor,
    StrategyChoice,
    check_executor,
    executor_of,
    strategy_plan,
)
from barsync_async.units import WallMs


class StrategyRunner:
    """Asks every strategy about every FEATURES event but those of revised sets.

    What they say about one timestamp is published together, as SIGNAL or STRATEGY_FAULT, in the
    order in which the strategies are named: who was quicker does not show. Where a portfolio waits
    no longer, those go first who have spoken by then. One that failed rests for some sets, more
    after each fault in a row, and says nothing about those.

    Args:
        strategies: names, ``{"name": ..., **parameters}``, or ``package.module:Class``. A table
            may have an ``executor`` and a ``time_limit_ms`` of its own.
        parallel: each strategy in a thread of its own with its own bounded queue and time limit;
            otherwise one after the other on the event loop.
        executor: ``inline``, ``thread`` or ``process``, in place of what ``parallel`` means.
        time_limit_ms: how long one decision may take in a thread or process.
        max_faults: how many faults in a row until a strategy is left off; 0: it never is.

    Raises:
        ItemsRefused: some strategies are unknown, or cannot be made with their parameters.
        ValueError: two have one name, or there is no such executor.
    """

    stop_rank: ClassVar[int] = 2
    sole: ClassVar[bool] = True

    def __init__(
        self,
        strategies: Iterable[StrategyChoice],
        parallel: bool = True,
        *,
        executor: Executor | None = None,
        time_limit_ms: float = 250,
        max_faults: int = 5,
    ) -> None:
        self._max_faults = max_faults
        self._time_limit_ms = time_limit_ms
        self._workers = self._made(list(strategies), check_executor(executor), parallel)
        self.strategy_names = tuple(worker.name for worker in self._workers)
        if len(set(self.strategy_names)) != len(self.strategy_names):
            raise ValueError(f"two strategies have one name: {' '.join(self.strategy_names)}")
        self._asked_inline = self._workers
        self._portfolio: PortfolioUpdate | None = None
        self._said: dict[WallMs, dict[str, Event | None]] = {}
        self._queues: list[Subscription] = []
        self._stopped = False

    def _made(
        self, choices: list[StrategyChoice], executor: Executor | None, parallel: bool
    ) -> list[StrategyWorker]:
        """All processes begin before the first is waited for."""
        encoder = RequestEncoder()

        def seated(choice: StrategyChoice) -> _Seated:
            plan = strategy_plan(choice)
            place = executor_of(plan, executor, parallel=parallel)
            seat = make_seat(place, choice, encoder)
            return _Seated(seat, place, plan.time_limit_ms or self._time_limit_ms)

        seats, unseated = each_made(seated, dict(enumerate(choices)))
        workers, nameless = each_made(self._worker, seats)
        if unseated or nameless:
            for each in seats.values():
                each.seat.stop()
            raise ItemsRefused("strategies", {**unseated, **nameless})
        return [*workers.values()]

    def _worker(self, seated: "_Seated") -> StrategyWorker:
        seat, executor, limit_ms = seated
        return StrategyWorker(seat, executor, time_limit_ms=limit_ms, max_faults=self._max_faults)

    def statistics(self) -> tuple[StrategyStatistics, ...]:
        """What was counted so far of each strategy, in their order."""
        return tuple(worker.statistics() for worker in self._workers)

    def initialize(self, container: Container) -> None:
        """Listen for features and for the portfolio's versions."""
        self._name = container.name
        self._bus = container.event_bus
        self._bus.subscribe(EventType.FEATURES, self._on_features)
        self._bus.subscribe(EventType.PORTFOLIO, self._on_portfolio)

    def start(self) -> None:
        """Nothing to do before the first features."""

    def _on_portfolio(self, event: Event) -> None:
        self._portfolio = event.payload

    def _on_features(self, event: Event) -> None:
        """Ask those that have no task of their own, one after the other."""
        if event.payload.revision:
            return  # what was decided at that timestamp is done
        for worker in self._asked_inline:
            seen = self._portfolio
            answer = worker.ask_now(event.payload, seen)
            self._collect(worker, event.payload, seen, answer)

    async def run(self) -> None:
        """One task for each strategy in a thread or a process, until :meth:`stop`."""
        if self._stopped:
            for worker in self._workers:
                worker.stop()
            return
        self._asked_inline = [each for each in self._workers if each.executor == "inline"]
        async with anyio.create_task_group() as tasks:
            for worker in self._workers:
                if worker.executor != "inline":
                    queue = self._bus.subscribe_queue(
                        EventType.FEATURES, name=f"strategy {worker.name}", holds_turn=True
                    )
                    self._queues.append(queue)
                    tasks.start_soon(self._work, worker, queue, name=f"{self._name}.{worker.name}")

    async def stop(self) -> None:
        """Take nothing new; what waits is still decided."""
        self._stopped = True
        for queue in self._queues:
            queue.close()

    async def _work(self, worker: StrategyWorker, queue: Subscription) -> None:
        try:
            async for event in queue:
                if event.payload.revision:
                    continue  # what was decided at that timestamp is done
                seen = self._portfolio
                answer = await worker.ask(event.payload, seen)
                self._collect(worker, event.payload, seen, answer)
            queue.done()
        finally:
            worker.stop()

    def publish_said(self, timestamp: WallMs) -> None:
        """What was said about that timestamp so far, in order; somebody waits for it no longer. The
        rest follows, in order again, once all have spoken.
        """
        said = self._said.get(timestamp, {})
        for name in self.strategy_names:
            event = said.get(name)
            if event is not None:
                said[name] = None
                self._bus.publish(event)

    def _collect(
        self,
        worker: StrategyWorker,
        features: Features,
        seen: PortfolioUpdate | None,
        answer: Decision | StrategyFault | None,
    ) -> None:
        """Once all have spoken about a timestamp, publish what they said, in order."""
        said = self._said.setdefault(features.timestamp, {})
        said[worker.name] = _event(features.timestamp, worker.name, seen, answer)
        if len(said) == len(self._workers):
            self.publish_said(features.timestamp)
            del self._said[features.timestamp]


class _Seated(NamedTuple):
    seat: Seat
    executor: Executor
    limit_ms: float


def _event(
    timestamp: WallMs,
    strategy: str,
    seen: PortfolioUpdate | None,
    answer: Decision | StrategyFault | None,
) -> Event | None:
    if answer is None:
        return None
    if isinstance(answer, StrategyFault):
        return Event(EventType.STRATEGY_FAULT, answer)
    signal = Signal(
        timestamp=timestamp,
        strategy=strategy,
        targets=answer.targets,
        reason=answer.reason,
        depends_on_version=0 if seen is None else seen.version,
    )
    return Event(EventType.SIGNAL, signal)
