"""One strategy in a thread of its own, so that it can fail or stall alone."""

import asyncio
from collections.abc import Callable

from barsync_async.messages import (
    Decision,
    FaultKind,
    Features,
    PortfolioUpdate,
    StrategyFault,
    excerpt,
)
from barsync_async.ports import Strategy
from barsync_async.shell.thread import AbandonableThread
from barsync_async.units import WallMs

Answer = Decision | StrategyFault


class StrategyWorker:
    """Asks one strategy, with a time limit.

    One that raises or overruns is made anew by ``make``: the state it was in is not trusted
    again. The thread of one that overruns is abandoned; nobody waits for it.
    """

    def __init__(self, make: Callable[[], Strategy], time_limit_ms: float) -> None:
        self._make = make
        self._strategy = make()
        self._time_limit_ms = time_limit_ms
        self._thread: AbandonableThread | None = None

    @property
    def name(self) -> str:
        """The strategy's own name."""
        return self._strategy.name

    def ask_now(self, features: Features, portfolio: PortfolioUpdate | None) -> Answer:
        """Decide inline, with no time limit."""
        return self._settle(_decide(self._strategy, features, portfolio))

    async def ask(self, features: Features, portfolio: PortfolioUpdate | None) -> Answer:
        """Decide in the strategy's thread, within the time limit. Safe to cancel."""
        if self._thread is None:
            self._thread = AbandonableThread(f"strategy-{self.name}")
        call = asyncio.get_running_loop().run_in_executor(
            self._thread, _decide, self._strategy, features, portfolio
        )
        await asyncio.wait([call], timeout=self._time_limit_ms / 1_000)
        if call.done():
            return self._settle(call.result())
        call.cancel()
        self.stop()
        detail = f"no decision within {self._time_limit_ms:g} ms"
        return self._settle(_fault(self.name, features.timestamp, "late", detail))

    def stop(self) -> None:
        """Let go of the thread."""
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None

    def _settle(self, answer: Answer) -> Answer:
        if not isinstance(answer, Decision):
            self._strategy = self._make()
        return answer


def _decide(strategy: Strategy, features: Features, portfolio: PortfolioUpdate | None) -> Answer:
    try:
        return strategy.decide(features, portfolio)
    except Exception as error:  # noqa: BLE001 - told as STRATEGY_FAULT
        detail = f"{type(error).__name__}: {error}"
        return _fault(strategy.name, features.timestamp, "raised", detail)


def _fault(name: str, timestamp: WallMs, kind: FaultKind, detail: str) -> StrategyFault:
    return StrategyFault(
        timestamp=timestamp,
        strategy=name,
        kind=kind,
        detail=excerpt(detail),
        action="restarted",
    )
