"""Where a strategy decides: in a thread, or in a process of its own, and within what time.

Both are asked in a thread, so that nobody waits for them but who asked. An overrun thread can only
be abandoned; it runs on, and nobody hears it. An overrun process is killed.
"""

import asyncio
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, ParamSpec, Protocol, TypeVar

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
from barsync_async.shell.thread import AbandonableThread
from barsync_async.strategy_choice import StrategyChoice

P = ParamSpec("P")
T = TypeVar("T")

NOT_YET = Failure("late", "its new process has not begun yet", is_anew=False)
"""What a set is told that comes before a process in place of another is there."""

_NOBODY = Failure("late", "no strategy in place of one that overran")


class Seat(Protocol):
    """Where one strategy decides."""

    @property
    def name(self) -> str:
        """The strategy's. Raises ValueError where it cannot be made."""

    def ask_now(self, features: Features, portfolio: PortfolioUpdate | None) -> Answer:
        """Decide inline, with no time limit."""

    async def ask(
        self, features: Features, portfolio: PortfolioUpdate | None, limit_ms: float
    ) -> Answer:
        """Decide within ``limit_ms``. Safe to cancel."""

    def stop(self) -> None:
        """It is not asked any more: let go of the thread or process."""


class ThreadSeat:
    """Holds the strategy that ``make`` makes; asked inline, or in a thread of its own. One that
    overruns is never asked again: without another in its place there is none.
    """

    def __init__(self, make: Callable[[], Strategy]) -> None:
        self._make = make
        self._held: HeldStrategy | None = HeldStrategy(make)
        self.name = self._held.name
        self._thread: AbandonableThread | None = None

    def ask_now(self, features: Features, portfolio: PortfolioUpdate | None) -> Answer:
        """Decide inline, with no time limit."""
        if self._held is not None:
            return self._held.decide(features, portfolio, INTERRUPTS)
        self._held, told = self._replaced(_NOBODY)
        return told

    async def ask(
        self, features: Features, portfolio: PortfolioUpdate | None, limit_ms: float
    ) -> Answer:
        """Decide in the strategy's thread; one that overruns is abandoned, thread and all, and
        another is made, within the same limit, in another thread.
        """
        if self._held is None:
            return await self._made_anew(_NOBODY, limit_ms)
        call = _called(self._own_thread(), self._held.decide, features, portfolio)
        if await _is_done(call, limit_ms):
            return call.result()
        return await self._made_anew(_late(limit_ms), limit_ms)

    async def _made_anew(self, failure: Failure, limit_ms: float) -> Failure:
        self.stop()
        self._held = None
        making = _called(self._own_thread(), self._replaced, failure)
        if await _is_done(making, limit_ms):
            self._held, told = making.result()
            return told
        self.stop()
        detail = f"{failure.detail}; not made anew within {limit_ms:g} ms"
        return Failure(failure.kind, detail, is_anew=False)

    def _replaced(self, failure: Failure) -> tuple[HeldStrategy | None, Failure]:
        return made_anew(lambda: HeldStrategy(self._make), failure)

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
        self._begun: asyncio.Future[str | None] | None = None
        self._is_stopped = False

    @cached_property
    def name(self) -> str:
        """Waits for the process. Raises ValueError where the strategy cannot be made."""
        return self._process.greeted()

    def ask_now(self, features: Features, portfolio: PortfolioUpdate | None) -> Answer:
        """Wait for the answer, however long it takes."""
        if self._process.is_lost and (error := self._begin()) is not None:
            return _not_begun(error)
        return self._process.ask(features, portfolio)

    async def ask(
        self, features: Features, portfolio: PortfolioUpdate | None, limit_ms: float
    ) -> Answer:
        """Decide in the process; one that overruns is killed. For a new one to begin it is waited
        for as long: on virtual time, where no limit falls, what comes of it does not depend on how
        fast the machine is.
        """
        if self._thread is None:
            self._thread = AbandonableThread(f"strategy-{self.name}")
        if self._begun is not None:
            await asyncio.wait([self._begun], timeout=limit_ms / 1_000)
            if not self._begun.done():
                return NOT_YET
        begun, self._begun = self._begun, None
        error = None if begun is None else begun.result()
        if error is None:
            answer = await self._asked(self._thread, features, portfolio, limit_ms)
        else:
            answer = _not_begun(error)
        if self._process.is_lost:
            self._begun = _called(self._thread, self._begin)
        return answer

    async def _asked(
        self,
        thread: AbandonableThread,
        features: Features,
        portfolio: PortfolioUpdate | None,
        limit_ms: float,
    ) -> Answer:
        call = _called(thread, self._process.ask, features, portfolio)
        if await _is_done(call, limit_ms):
            return call.result()
        self._process.kill()
        return _late(limit_ms)

    def _begin(self) -> str | None:
        """Why there is no new process, or None."""
        try:
            if not self._is_stopped:
                self._process.start()
                self._process.greeted()
        except (ValueError, OSError) as error:
            return str(error)
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


async def _is_done(call: asyncio.Future[Any], limit_ms: float) -> bool:
    """Whether ``call`` is done within the limit; otherwise nobody hears it any more."""
    await asyncio.wait([call], timeout=limit_ms / 1_000)
    return call.done() or not call.cancel()


def _late(limit_ms: float) -> Failure:
    return Failure("late", f"no decision within {limit_ms:g} ms")


def _not_begun(error: str) -> Failure:
    return Failure("died", excerpt(f"cannot be made anew: {error}"), is_anew=False)
