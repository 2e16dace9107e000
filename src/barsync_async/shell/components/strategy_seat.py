"""Where a strategy decides: in a thread, or in a process of its own, and within what time.

Both are asked in a thread, so that nobody waits for them but who asked. An overrun thread can only
be abandoned; it runs on, and nobody hears it. An overrun process is killed.
"""

import asyncio
from collections.abc import Callable
from functools import cached_property, partial
from typing import ParamSpec, Protocol, TypeVar

from barsync_async.messages import Features, PortfolioUpdate, excerpt
from barsync_async.ports import Strategy
from barsync_async.shell.components.held_strategy import (
    INTERRUPTS,
    Answer,
    Failure,
    HeldStrategy,
    made_anew,
)
from barsync_async.shell.components.strategy_process import StrategyProcess
from barsync_async.shell.components.strategy_wire import RequestEncoder
from barsync_async.shell.components.time_limit import TimeLimit
from barsync_async.shell.thread import AbandonableThread
from barsync_async.strategy_choice import StrategyChoice

P = ParamSpec("P")
T = TypeVar("T")

NOT_YET = Failure("late", "what takes its place has not begun yet", is_anew=False)
"""What a set is told that comes before a strategy in place of a lost one is there."""

_NOBODY = Failure("raised", "nobody in place of one that overran")


class Seat(Protocol):
    """Where one strategy decides."""

    @property
    def name(self) -> str:
        """The strategy's. Raises ValueError where it cannot be made."""

    def ask_now(self, features: Features, portfolio: PortfolioUpdate | None) -> Answer:
        """Decide inline, with no time limit; only before the first :meth:`ask`."""

    async def ask(
        self, features: Features, portfolio: PortfolioUpdate | None, limit_ms: float
    ) -> Answer:
        """Decide within ``limit_ms``. Safe to cancel."""

    def stop(self) -> None:
        """It is not asked any more: let go of the thread or process."""


class Successor:
    """Begins by ``begin`` in place of a lost strategy, beside the sets: a call that gives why there
    is none, or None. A set waits for it within the limit of its decision. On virtual time, where no
    limit falls, what comes of it does not depend on how fast the machine is.
    """

    def __init__(self, begin: Callable[[], Failure | None]) -> None:
        self._begin = begin
        self._begun: asyncio.Future[Failure | None] | None = None

    def begin(self, thread: AbandonableThread) -> None:
        """Begin in ``thread``; nobody waits."""
        self._begun = _called(thread, self._begin)

    async def failure(self, limit: TimeLimit) -> Failure | None:
        """Why there is nobody to ask; None: there is somebody. Safe to cancel."""
        if self._begun is None:
            return None
        if not await limit.is_done(self._begun):
            return NOT_YET
        begun, self._begun = self._begun, None
        return begun.result()


class ThreadSeat:
    """Holds the strategy that ``make`` makes; asked inline, or in a thread of its own. One that
    overruns is never asked again: without another in its place there is none.
    """

    def __init__(self, make: Callable[[], Strategy]) -> None:
        self._make = make
        self._held = HeldStrategy(make)
        self.name = self._held.name
        self._thread: AbandonableThread | None = None
        self._is_lost = False
        self._successor = Successor(self._begin)

    def ask_now(self, features: Features, portfolio: PortfolioUpdate | None) -> Answer:
        """Decide inline, with no time limit."""
        return self._held.decide(features, portfolio, INTERRUPTS)

    async def ask(
        self, features: Features, portfolio: PortfolioUpdate | None, limit_ms: float
    ) -> Answer:
        """Decide in the strategy's thread; one that overruns is abandoned, thread and all, and
        another is made in another thread, for which no set waits longer than for a decision.
        """
        limit = TimeLimit(limit_ms)
        failure = await self._successor.failure(limit)
        if failure is NOT_YET:
            return failure
        answer = failure or await self._asked(features, portfolio, limit)
        if self._is_lost:
            self._successor.begin(self._own_thread())
        return answer

    async def _asked(
        self, features: Features, portfolio: PortfolioUpdate | None, limit: TimeLimit
    ) -> Answer:
        call = _called(self._own_thread(), self._held.decide, features, portfolio)
        if await limit.is_done(call):
            return call.result()
        call.cancel()
        self.stop()
        self._is_lost = True
        return _late(limit)

    def _begin(self) -> Failure | None:
        held, failure = made_anew(lambda: HeldStrategy(self._make), _NOBODY)
        if held is None:
            return failure
        self._held, self._is_lost = held, False
        return None

    def _own_thread(self) -> AbandonableThread:
        self._thread = self._thread or AbandonableThread(f"strategy-{self.name}")
        return self._thread

    def stop(self) -> None:
        """Let go of the thread."""
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None


class ProcessSeat:
    """Holds the strategy that ``choice`` names in a process of its own, begun at once.

    Args:
        choice: the strategy.
        encoder: the one that it shares with all that are asked the same; None: its own.

    Raises:
        ValueError: its parameters cannot go to another process.
    """

    def __init__(self, choice: StrategyChoice, encoder: RequestEncoder | None = None) -> None:
        self._process = StrategyProcess(choice, encoder)
        self._thread: AbandonableThread | None = None
        self._successor = Successor(self._begin)
        self._is_stopped = False

    @cached_property
    def name(self) -> str:
        """Waits for the process. Raises ValueError where the strategy cannot be made."""
        return self._process.greeted()

    def ask_now(self, features: Features, portfolio: PortfolioUpdate | None) -> Answer:
        """Wait for the answer, however long it takes."""
        if self._process.is_lost and (failure := self._begin()) is not None:
            return failure
        return self._process.ask(features, portfolio)

    async def ask(
        self, features: Features, portfolio: PortfolioUpdate | None, limit_ms: float
    ) -> Answer:
        """Decide in the process; one that overruns is killed, and another begins."""
        if self._thread is None:
            self._thread = AbandonableThread(f"strategy-{self.name}")
        limit = TimeLimit(limit_ms)
        failure = await self._successor.failure(limit)
        if failure is NOT_YET:
            return failure
        answer = failure or await self._asked(self._thread, features, portfolio, limit)
        if self._process.is_lost:
            self._successor.begin(self._thread)
        return answer

    async def _asked(
        self,
        thread: AbandonableThread,
        features: Features,
        portfolio: PortfolioUpdate | None,
        limit: TimeLimit,
    ) -> Answer:
        call = _called(thread, self._process.ask, features, portfolio)
        if await limit.is_done(call):
            return call.result()
        call.cancel()
        self._process.kill()
        return _late(limit)

    def _begin(self) -> Failure | None:
        try:
            if not self._is_stopped:
                self._process.start()
                self._process.greeted()
        except (ValueError, OSError) as error:
            detail = excerpt(f"cannot be made anew: {error}")
            return Failure("died", detail, is_anew=False)
        return None

    def stop(self) -> None:
        """End the process: what waits for it hears so at once, and then it is closed."""
        self._is_stopped = True
        self._process.kill()
        if self._thread is None:
            self._process.close()
        else:
            self._thread.submit(self._process.close)
            self._thread.shutdown(wait=False)


def _called(
    thread: AbandonableThread, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> asyncio.Future[T]:
    call = partial(function, *args, **kwargs)
    return asyncio.get_running_loop().run_in_executor(thread, call)


def _late(limit: TimeLimit) -> Failure:
    return Failure("late", f"no decision within {limit.limit_ms:g} ms")
