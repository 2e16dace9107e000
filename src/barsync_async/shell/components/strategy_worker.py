"""One strategy in a thread of its own, so that it can fail or stall alone."""

import asyncio
import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from msgspec.structs import replace

from barsync_async.messages import (
    Decision,
    FaultKind,
    Features,
    PortfolioUpdate,
    StrategyFault,
    excerpt,
    frozen_mapping,
)
from barsync_async.ports import Strategy
from barsync_async.shell.thread import AbandonableThread
from barsync_async.units import WallMs, symbol_of

Answer = Decision | StrategyFault

_MOST_UNITS = 1e15  # beyond, a double no longer tells one unit from none


class StrategyWorker:
    """Asks one strategy, with a time limit.

    An answer that is no decision counts as raised. One that raises or overruns is made anew by
    ``make``: the state it was in is not trusted again. The thread of one that overruns is
    abandoned; nobody waits for it.
    """

    def __init__(self, make: Callable[[], Strategy], time_limit_ms: float) -> None:
        self._make = make
        self._strategy = make()
        self.name: str = self._strategy.name
        self._time_limit_ms = time_limit_ms
        self._thread: AbandonableThread | None = None

    def ask_now(self, features: Features, portfolio: PortfolioUpdate | None) -> Answer:
        """Decide inline, with no time limit."""
        return self._settle(_decide(self.name, self._strategy, features, portfolio))

    async def ask(self, features: Features, portfolio: PortfolioUpdate | None) -> Answer:
        """Decide in the strategy's thread, within the time limit. Safe to cancel."""
        if self._thread is None:
            self._thread = AbandonableThread(f"strategy-{self.name}")
        call = asyncio.get_running_loop().run_in_executor(
            self._thread, _decide, self.name, self._strategy, features, portfolio
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
        if isinstance(answer, Decision):
            return answer
        try:
            self._strategy = self._make()
        except Exception as error:  # noqa: BLE001 - told with the fault that led here
            detail = excerpt(f"{answer.detail}; cannot be made anew: {_told(error)}")
            return replace(answer, detail=detail, action="kept as it was")
        return answer


def _decide(
    name: str, strategy: Strategy, features: Features, portfolio: PortfolioUpdate | None
) -> Answer:
    try:
        return _checked(strategy.decide(features, portfolio))
    except Exception as error:  # noqa: BLE001 - told as STRATEGY_FAULT
        return _fault(name, features.timestamp, "raised", _told(error))


def _checked(answer: Any) -> Decision:
    """``answer`` as others may have it: a copy, so that its maker cannot alter it any more.

    Raises:
        TypeError: it is no decision, or not all of its parts have their types.
        ValueError: a target is no finite number, or a text cannot be written as UTF-8.
    """
    if not isinstance(answer, Decision):
        raise TypeError(f"decide() returned {type(answer).__name__}: expected a Decision")
    targets: Any = answer.targets
    if not isinstance(targets, Mapping):
        raise TypeError(f"targets are {type(targets).__name__}: expected a mapping")
    units = {_text("a target's key", key): _units(key, each) for key, each in targets.items()}
    symbols = [symbol_of(key) for key in units]
    if len(set(symbols)) < len(symbols):
        raise ValueError(f"targets name a symbol twice: {' '.join(units)}")
    return Decision(frozen_mapping(units), _text("reason", answer.reason))


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is {value!r}: expected text")
    value.encode()
    return value


def _units(key: str, value: Any) -> float:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise ValueError(f"target of {key!r} is {value!r}: expected a finite number")
    if abs(value) > _MOST_UNITS:
        raise ValueError(f"target of {key!r} is {value!r}: expected at most {_MOST_UNITS:g} units")
    return float(value)


def _told(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an exception's text is its own code, and may raise too
        return type(error).__name__


def _fault(name: str, timestamp: WallMs, kind: FaultKind, detail: str) -> StrategyFault:
    return StrategyFault(
        timestamp=timestamp,
        strategy=name,
        kind=kind,
        detail=excerpt(detail),
        action="restarted",
    )
