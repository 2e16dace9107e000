"""The feature worker: one FEATURES event for each synchronized set."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import ClassVar

import structlog

from barsync_async.errors import ComponentError
from barsync_async.features import FeatureEngine, FloatArray
from barsync_async.indicator_choice import IndicatorChoice, parse_indicators
from barsync_async.messages import Event, EventType, Features
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container
from barsync_async.shell.stage import Stage
from barsync_async.shell.thread import AbandonableThread
from barsync_async.units import SourceId

log = structlog.get_logger("barsync.features")


class MultiSymbolFeatureCalculator:
    """Computes indicators over all sources of the container's synchronizer at once.

    A revised set corrects their state, and its features are published again, with its revision.

    Args:
        indicators: names, ``{"name": ..., **parameters}``, or ``package.module:Class``.
        pairs: the pairs of sources for the cross-source indicators; None for all pairs of the
            shortest timeframe.

    Raises:
        ItemsRefused: some indicators are unknown or their parameters are wrong.
    """

    stop_rank: ClassVar[int] = 1
    sole: ClassVar[bool] = True

    def __init__(
        self,
        indicators: Iterable[IndicatorChoice] = ("sma", "rsi", "correlation", "spread"),
        *,
        pairs: Sequence[Sequence[str]] | None = None,
    ) -> None:
        self._indicators = parse_indicators(indicators)
        self._thread: AbandonableThread | None = None
        self._pairs = None if pairs is None else [(SourceId(a), SourceId(b)) for a, b in pairs]

    def initialize(self, container: Container) -> None:
        """Find the container's synchronizer, whose sources are the columns, and listen to it.

        Raises:
            ComponentError: the container has no ``BarSynchronizer`` yet.
        """
        synchronizers = container.find(BarSynchronizer)
        if not synchronizers:
            raise ComponentError(
                f"container {container.name}: put a BarSynchronizer in before its features"
            )
        sources = sorted(synchronizers[0].expected_sources)
        spec = synchronizers[0].spec
        self._engine = FeatureEngine(
            sources,
            self._indicators,
            pairs=self._pairs,
            remembered=spec.remembered if spec.late == "amend" else 0,
        )
        self._bus = container.event_bus
        listen_to = (EventType.SYNCHRONIZED_BARS, EventType.SYNCHRONIZED_BARS_REVISED)
        self._stage = Stage(self._bus, "features", listen_to, self._on_bars)

    def start(self) -> None:
        """Nothing to do before the first set."""

    def _on_bars(self, event: Event) -> None:
        for _ in self._steps(event):
            pass

    def _steps(self, event: Event) -> Iterator[None]:
        """Work on ``event``; stops before each set that a revision has to go through again."""
        if event.event_type is EventType.SYNCHRONIZED_BARS:
            self._publish(self._engine.update(event.payload))
            return
        revised = None
        for step in self._engine.revise(event.payload):
            revised = step
            yield
        if revised is None:
            log.warning("revised set too old for features", timestamp=event.payload.timestamp)
        else:
            self._publish(revised)

    def _publish(self, features: Features) -> None:
        self._bus.publish(Event(EventType.FEATURES, features))

    async def run(self) -> None:
        """Work until :meth:`stop`; slow indicators in a thread, for which a set may wait.

        A revision lets the loop turn before each set that it goes through again: deadlines and
        reading go on, while the container's turn is held.
        """
        self._engine.defer_to(self._in_thread)
        queue = self._stage.queue()
        try:
            async for event in queue:
                await self._due()
                for _ in self._steps(event):
                    await asyncio.sleep(0)
                    await self._due()
            queue.done()
        finally:
            if self._thread is not None:
                self._thread.shutdown(wait=False)

    async def _due(self) -> None:
        """Until all is there that the next step needs."""
        for due in self._engine.due():
            if isinstance(due, Future):
                await asyncio.wrap_future(due)

    def _in_thread(self, work: Callable[[], FloatArray]) -> Future[FloatArray]:
        if self._thread is None:
            self._thread = AbandonableThread("features")
        return self._thread.submit(work)

    async def stop(self) -> None:
        """Take nothing new; what waits is still worked on."""
        await self._stage.stop()
