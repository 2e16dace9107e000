"""One strategy at work: asked or at rest, its faults told and counted."""

from collections import Counter
from collections.abc import Mapping

import msgspec
import structlog

from barsync_async.core.statistics import Histogram, Histograms
from barsync_async.messages import (
    Decision,
    FaultKind,
    Features,
    PortfolioUpdate,
    StrategyFault,
    frozen_mapping,
)
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.components.held_strategy import Answer, Failure
from barsync_async.shell.components.strategy_seat import ProcessSeat, Seat, ThreadSeat
from barsync_async.shell.components.strategy_wire import RequestEncoder
from barsync_async.strategies.supervision import Supervision
from barsync_async.strategy_choice import Executor, StrategyChoice, strategy_maker
from barsync_async.units import NS_PER_MS

log = structlog.get_logger("barsync.strategy")


class StrategyStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one strategy since the start.

    ``asked == decisions + sum of faults``; ``rested`` sets it was not asked about. ``latency`` is
    from asking to the answer, or to the limit, by the machine's clock, on virtual time too.
    """

    name: str
    executor: Executor
    asked: int
    decisions: int
    faults: Mapping[FaultKind, int]
    rested: int
    is_left_off: bool
    latency: Histogram
    latency_max_ms: float


def make_seat(executor: Executor, choice: StrategyChoice, encoder: RequestEncoder) -> Seat:
    """Where the strategy that ``choice`` names decides; ``encoder`` is shared by all processes.

    Raises:
        ValueError: it is unknown, its parameters are wrong, or cannot go to another process.
    """
    if executor == "process":
        return ProcessSeat(choice, encoder)
    return ThreadSeat(strategy_maker(choice))


class StrategyWorker:
    """Asks the strategy in ``seat``, unless it rests after a fault.

    Args:
        seat: where it decides.
        executor: what kind of seat that is.
        time_limit_ms: how long a decision may take where it is awaited.
        max_faults: in a row, after which it is left off; 0: never.

    Raises:
        ValueError: the strategy cannot be made.
    """

    def __init__(
        self, seat: Seat, executor: Executor, *, time_limit_ms: float, max_faults: int
    ) -> None:
        self.name = seat.name
        self.executor = executor
        self._seat = seat
        self._time_limit_ms = time_limit_ms
        self._supervision = Supervision(max_faults)
        self._clock = SystemClock()
        self._rested = self._decisions = 0
        self._faults: Counter[FaultKind] = Counter()
        self._latencies = Histograms(1)
        self._latency_max_ms = 0.0

    def ask_now(
        self, features: Features, portfolio: PortfolioUpdate | None
    ) -> Decision | StrategyFault | None:
        """Decide inline, with no time limit; None where it rests."""
        if not self._is_asked():
            return None
        began = self._clock.now().mono
        answer = self._seat.ask_now(features, portfolio)
        return self._settle(answer, features, began)

    async def ask(
        self, features: Features, portfolio: PortfolioUpdate | None
    ) -> Decision | StrategyFault | None:
        """Decide in its seat, within the time limit; None where it rests. Safe to cancel."""
        if not self._is_asked():
            return None
        began = self._clock.now().mono
        answer = await self._seat.ask(features, portfolio, self._time_limit_ms)
        return self._settle(answer, features, began)

    def stop(self) -> None:
        """Let go of its thread or process."""
        self._seat.stop()

    def statistics(self) -> StrategyStatistics:
        """What was counted so far."""
        return StrategyStatistics(
            name=self.name,
            executor=self.executor,
            asked=self._decisions + self._faults.total(),
            decisions=self._decisions,
            faults=frozen_mapping(dict(self._faults)),
            rested=self._rested,
            is_left_off=self._supervision.is_left_off,
            latency=self._latencies.row(0),
            latency_max_ms=self._latency_max_ms,
        )

    def _is_asked(self) -> bool:
        is_asked = self._supervision.next_set()
        self._rested += not is_asked
        return is_asked

    def _settle(self, answer: Answer, features: Features, began: int) -> Decision | StrategyFault:
        took_ms = (self._clock.now().mono - began) / NS_PER_MS
        self._latencies.add([0], [took_ms])
        self._latency_max_ms = max(self._latency_max_ms, took_ms)
        if isinstance(answer, Decision):
            self._decisions += 1
            self._supervision.decided()
            return answer
        return self._told(answer, features)

    def _told(self, failure: Failure, features: Features) -> StrategyFault:
        self._faults[failure.kind] += 1
        rest_sets = self._supervision.failed()
        fault = StrategyFault(
            timestamp=features.timestamp,
            strategy=self.name,
            kind=failure.kind,
            detail=failure.detail,
            action=_action(failure, rest_sets),
            rest_sets=rest_sets,
        )
        if rest_sets is None:
            self.stop()
        log.warning(
            "strategy fault",
            strategy=fault.strategy,
            kind=fault.kind,
            detail=fault.detail,
            action=fault.action,
            timestamp_ms=fault.timestamp,
        )
        return fault


def _action(failure: Failure, rest_sets: int | None) -> str:
    if rest_sets is None:
        return "left off"
    done = "restarted" if failure.is_anew else "kept as it was"
    plural = "" if rest_sets == 1 else "s"
    return f"{done}, rests for {rest_sets} set{plural}" if rest_sets else done
