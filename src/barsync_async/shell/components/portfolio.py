"""The portfolio component: the single writer behind a barrier per timestamp."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, ClassVar

import anyio
import msgspec
import structlog

from barsync_async.messages import (
    Event,
    EventType,
    Features,
    Signal,
    StrategyFault,
    frozen_mapping,
)
from barsync_async.portfolio import Barrier, Book, Costs, Limits, Roster
from barsync_async.ports import TimerHandle
from barsync_async.shell.components.strategy_runner import StrategyRunner
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container
from barsync_async.shell.groups import one_error
from barsync_async.shell.stage import Stage
from barsync_async.units import NS_PER_MS, MonoNs, WallMs, symbol_of

_ITERATIONS = 8  # 4 at most take an answer from its thread to us
_LEFT_OUT = "left out of this version"

log = structlog.get_logger("barsync.portfolio")


class PortfolioStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How many versions there were, and of how many each strategy was left out as ``late``."""

    versions: int
    late: Mapping[str, int]


class Portfolio:
    """Applies all strategies' decisions for one timestamp at once, and publishes one version.

    Only strategies of the container's ``StrategyRunner`` trade. A SIGNAL of anybody else changes
    nothing, and the log says so.

    It waits for every strategy of the container's ``StrategyRunner`` that is asked, at most
    ``decision_timeout_ms`` from the features' arrival, and for none that rests after a fault. One
    that has not answered by then is reported as a late STRATEGY_FAULT and left out of that
    version. Until it runs there is no time limit: every strategy is waited for.

    Args:
        cash: what it starts with, in the currency of the closes; above 0, for weights, leverage and
            drawdown are shares of it.
        decision_timeout_ms: how long it waits for decisions.
        costs: of a fill, or its fields: :class:`~barsync_async.portfolio.Costs`.
        limits: of positions, or its fields: :class:`~barsync_async.portfolio.Limits`.

    Raises:
        ValueError: the cash, a cost or a limit makes no sense.
        TypeError: there is no such cost or limit.
    """

    stop_rank: ClassVar[int] = 3
    sole: ClassVar[bool] = True

    def __init__(
        self,
        cash: float = 1_000_000.0,
        *,
        decision_timeout_ms: float = 500,
        costs: Costs | Mapping[str, float] | None = None,
        limits: Limits | Mapping[str, Any] | None = None,
    ) -> None:
        if not 0 < cash < math.inf:
            raise ValueError(f"cash = {cash!r}: expected a number above 0")
        charged = Costs(**costs) if isinstance(costs, Mapping) else costs
        allowed = Limits(**limits) if isinstance(limits, Mapping) else limits
        self._make_book = partial(Book, cash, charged, allowed)
        self._timeout_ns = round(decision_timeout_ms * NS_PER_MS)
        self._traders: frozenset[str] = frozenset()
        self._roster = Roster()
        self._barrier: Barrier | None = None
        self._timer: TimerHandle | None = None
        self._overdue: Barrier | None = None
        self._fell_due = asyncio.Event()
        self._versions = 0
        self._late: Counter[str] = Counter()

    def initialize(self, container: Container) -> None:
        """Listen for features and for what the strategies say of them."""
        self._container = container
        self._bus = container.event_bus
        listen_to = (EventType.FEATURES, EventType.SIGNAL, EventType.STRATEGY_FAULT)
        self._stage = Stage(self._bus, "portfolio", listen_to, self._on_event)

    @cached_property
    def _book(self) -> Book:
        """Made for the first version: by then all components are in, whatever their order."""
        expected = [each.expected_sources for each in self._container.find(BarSynchronizer)]
        symbols = {symbol_of(source) for sources in expected for source in sources}
        return self._make_book(symbols=symbols if expected else None)

    def statistics(self) -> PortfolioStatistics:
        """What was counted so far."""
        return PortfolioStatistics(versions=self._versions, late=frozen_mapping(dict(self._late)))

    def start(self) -> None:
        """Nothing to do before the first features."""

    async def run(self) -> None:
        """Work until :meth:`stop`.

        Raises:
            ConservationBroken: a version does not balance.
        """
        with one_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._close_in_time, name="time of the portfolio")
                await self._stage.run()
                tasks.cancel_scope.cancel()
        self._close()  # whoever has not spoken will not any more

    async def _close_in_time(self) -> None:
        """Here, and not where the timer fires: what a version raises is this component's."""
        while True:
            await self._fell_due.wait()
            self._fell_due.clear()
            overdue = self._overdue
            if overdue is not None:
                await self._let_in(overdue)
            if self._barrier is overdue:
                self._close()

    async def _let_in(self, barrier: Barrier) -> None:
        """What was decided, though others have not: also while the loop stood still, which is on
        its way through the next few iterations.
        """
        for _ in range(_ITERATIONS):
            if self._barrier is not barrier:
                return
            await asyncio.sleep(0)
        for runner in self._container.find(StrategyRunner):
            runner.publish_said(barrier.features.timestamp)
        await self._stage.caught_up()

    async def stop(self) -> None:
        """Take nothing new; what waits is still applied."""
        await self._stage.stop()

    def _on_event(self, event: Event) -> None:
        match event.payload:
            case Features(revision=0) as features:
                self._open(features)
            case Signal() as signal:
                self._answer(signal, signal)
            case StrategyFault() as fault if fault.action != _LEFT_OUT:  # its own tell of no rest
                self._roster.told(fault)
                self._answer(fault, None)

    def _open(self, features: Features) -> None:
        self._close()  # whoever has not spoken of the last ones will not any more
        runners = self._container.find(StrategyRunner)
        everyone = [name for runner in runners for name in runner.strategy_names]
        self._traders = frozenset(everyone)
        names = self._roster.next_set(everyone)
        self._barrier = Barrier(names, features)
        if names:
            self._timer = self._set_timer(partial(self._fall_due, self._barrier))
        else:
            self._close()

    def _fall_due(self, barrier: Barrier) -> None:
        self._overdue = barrier
        self._fell_due.set()

    def _set_timer(self, callback: Callable[[], None]) -> TimerHandle | None:
        with suppress(RuntimeError):  # no running loop: nothing passes but bars
            asyncio.get_running_loop()
            clock = self._container.clock
            return clock.call_at(MonoNs(clock.now().mono + self._timeout_ns), callback)
        return None

    def _answer(self, said: Signal | StrategyFault, signal: Signal | None) -> None:
        if said.strategy not in self._traders:
            stranger = "no strategy of the container's StrategyRunner: trades nothing"
            log.warning(stranger, strategy=said.strategy)
            return
        barrier = self._barrier
        if barrier is None or said.timestamp != barrier.features.timestamp:
            return  # after its version went out: that it was late has been published
        if not barrier.answer(said.strategy, signal):
            log.warning("not an answer waited for", strategy=said.strategy)
        if not barrier.missing:
            self._close()

    def _close(self) -> None:
        """One version, with the decisions that are there; harmless where none is waited for."""
        barrier, self._barrier = self._barrier, None
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if barrier is None:
            return
        features = barrier.features
        for name in barrier.missing:
            self._leave_out(name, features.timestamp)
        update = self._book.apply(features.timestamp, features.bars, barrier.decisions)
        self._versions = update.version
        self._bus.publish(Event(EventType.PORTFOLIO, update))

    def _leave_out(self, strategy: str, timestamp: WallMs) -> None:
        self._late[strategy] += 1
        detail = f"no decision within {self._timeout_ns / NS_PER_MS:g} ms"
        log.warning("late for a version", strategy=strategy, detail=detail, timestamp_ms=timestamp)
        fault = StrategyFault(
            timestamp=timestamp, strategy=strategy, kind="late", detail=detail, action=_LEFT_OUT
        )
        self._bus.publish(Event(EventType.STRATEGY_FAULT, fault))
