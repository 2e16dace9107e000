"""Strategies side by side: features in, signals out, always in the same order."""

from collections.abc import Callable, Iterable

import anyio

from barsync_async.messages import Decision, Event, EventType, Features, PortfolioUpdate, Signal
from barsync_async.shell.components.strategy_worker import Answer, StrategyWorker
from barsync_async.shell.container import Container
from barsync_async.shell.subscription import Subscription
from barsync_async.strategy_choice import StrategyChoice, strategy_maker
from barsync_async.units import WallMs


class StrategyRunner:
    """Asks every strategy about every FEATURES event.

    The decisions for one timestamp are published together, as SIGNAL or STRATEGY_FAULT, in the
    order in which the strategies are named: who was quicker does not show.

    Args:
        strategies: names, ``{"name": ..., **parameters}``, or ``package.module:Class``.
        parallel: each strategy in a thread of its own with its own bounded queue and time limit;
            otherwise one after the other on the event loop.
        time_limit_ms: how long one decision may take when parallel.

    Raises:
        ValueError: a strategy is unknown, its parameters are wrong, or two have one name.
    """

    def __init__(
        self,
        strategies: Iterable[StrategyChoice],
        parallel: bool = True,
        *,
        time_limit_ms: float = 250,
    ) -> None:
        self._workers = [
            StrategyWorker(strategy_maker(choice), time_limit_ms) for choice in strategies
        ]
        self.strategy_names = tuple(worker.name for worker in self._workers)
        if len(set(self.strategy_names)) != len(self.strategy_names):
            raise ValueError(f"two strategies have one name: {' '.join(self.strategy_names)}")
        self._parallel = parallel
        self._portfolio: PortfolioUpdate | None = None
        self._events: dict[WallMs, dict[str, Event]] = {}
        self._queues: list[Subscription] = []
        self._stopped = False
        self._leave_inline: Callable[[], None] | None = None

    def initialize(self, container: Container) -> None:
        """Listen for features and for the portfolio's versions."""
        self._name = container.name
        self._bus = container.event_bus
        self._leave_inline = self._bus.subscribe(EventType.FEATURES, self._on_features)
        self._bus.subscribe(EventType.PORTFOLIO, self._on_portfolio)

    def start(self) -> None:
        """Nothing to do before the first features."""

    def _on_portfolio(self, event: Event) -> None:
        self._portfolio = event.payload

    def _on_features(self, event: Event) -> None:
        """Ask one after the other, inline."""
        for worker in self._workers:
            seen = self._portfolio
            self._collect(worker, event.payload, seen, worker.ask_now(event.payload, seen))

    async def run(self) -> None:
        """When parallel: one task for each strategy, until :meth:`stop`."""
        if not self._parallel or self._stopped:
            return
        if self._leave_inline is not None:
            self._leave_inline()
        async with anyio.create_task_group() as tasks:
            for worker in self._workers:
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
        async for event in queue:
            seen = self._portfolio
            self._collect(worker, event.payload, seen, await worker.ask(event.payload, seen))
        queue.done()
        worker.stop()

    def _collect(
        self,
        worker: StrategyWorker,
        features: Features,
        seen: PortfolioUpdate | None,
        answer: Answer,
    ) -> None:
        """Once all have spoken about a timestamp, publish what they said, in order."""
        events = self._events.setdefault(features.timestamp, {})
        events[worker.name] = _event(features.timestamp, worker.name, seen, answer)
        if len(events) < len(self._workers):
            return
        del self._events[features.timestamp]
        for name in self.strategy_names:
            self._bus.publish(events[name])


def _event(timestamp: WallMs, strategy: str, seen: PortfolioUpdate | None, answer: Answer) -> Event:
    if not isinstance(answer, Decision):
        return Event(EventType.STRATEGY_FAULT, answer)
    signal = Signal(
        timestamp=timestamp,
        strategy=strategy,
        targets=answer.targets,
        reason=answer.reason,
        depends_on_version=0 if seen is None else seen.version,
    )
    return Event(EventType.SIGNAL, signal)
