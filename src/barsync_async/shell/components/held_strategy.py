"""One strategy and how to make it again: what it says, as others may have it."""

import math
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from itertools import islice
from numbers import Real
from typing import Any, TypeVar

import msgspec

from barsync_async.messages import (
    Decision,
    FaultKind,
    Features,
    PortfolioUpdate,
    excerpt,
    frozen_mapping,
)
from barsync_async.plugins import reason
from barsync_async.ports import Strategy
from barsync_async.raised import told
from barsync_async.units import symbol_of

T = TypeVar("T")

_MOST_UNITS = 1e15  # beyond, a double no longer tells one unit from none
_MOST_TARGETS = 10_000
_MOST_TEXT = 1_000


class Failure(msgspec.Struct, frozen=True):
    """No decision, and why; ``is_anew``: the strategy was made anew and has forgotten all."""

    kind: FaultKind
    detail: str
    is_anew: bool = True


Answer = Decision | Failure


class _TooMuchError(ValueError):
    """An answer that would flood whoever gets it."""


Exceptions = tuple[type[BaseException], ...]

INTERRUPTS: Exceptions = (KeyboardInterrupt,)
"""Let through inline, where it may be the user's; anywhere else it is the strategy's own."""


class HeldStrategy:
    """Asks the strategy that ``make`` makes, and makes it anew after it failed: the state it was
    in is not trusted again. An answer that is no decision counts as a failure.

    Raises:
        ValueError: it cannot be made.
    """

    def __init__(self, make: Callable[[], Strategy]) -> None:
        self._make = make
        self._strategy = make()
        self.name = checked_name(self._strategy.name)
        if iscoroutinefunction(self._strategy.decide):
            raise ValueError("its decide() is not awaited: it cannot be an async def")

    def decide(
        self, features: Features, portfolio: PortfolioUpdate | None, let_through: Exceptions = ()
    ) -> Answer:
        """What it wants, or why it says nothing; raises nothing but what is ``let_through``."""
        try:
            return checked(self._strategy.decide(features, portfolio))
        except let_through:
            raise
        except _TooMuchError as error:
            return self._renewed(Failure("overflow", str(error)), let_through)
        except BaseException as error:  # noqa: BLE001 - told as STRATEGY_FAULT; sys.exit() too
            return self._renewed(Failure("raised", told(error)), let_through)

    def _renewed(self, failure: Failure, let_through: Exceptions) -> Failure:
        strategy, failed = made_anew(self._make, failure, let_through)
        if strategy is not None:
            self._strategy = strategy
        return failed


def made_anew(
    make: Callable[[], T], failure: Failure, let_through: Exceptions = ()
) -> tuple[T | None, Failure]:
    """What ``make`` makes after ``failure``; None where it cannot, and the failure says why."""
    try:
        return make(), Failure(failure.kind, excerpt(failure.detail))
    except let_through:
        raise
    except BaseException as error:  # noqa: BLE001 - told with the failure that led here
        detail = f"{failure.detail}; cannot be made anew: {reason(error)}"
        return None, Failure(failure.kind, excerpt(detail), is_anew=False)


def checked(answer: Any) -> Decision:
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
    some = dict(islice(targets.items(), _MOST_TARGETS + 1))
    if len(some) > _MOST_TARGETS:
        raise _TooMuchError(f"a decision of more than {_MOST_TARGETS} targets")
    units = {_text("a target's key", key): _units(key, each) for key, each in some.items()}
    symbols = {symbol_of(key) for key in units}
    if len(symbols) < len(units):
        raise ValueError(f"targets name a symbol twice: {' '.join(units)}")
    return Decision(frozen_mapping(units), _text("reason", answer.reason))


def checked_name(name: str) -> str:
    """``name`` as plain text. Raises ValueError where it is none that can be shown."""
    plain = _text("a strategy's name", name)
    if not plain or not plain.isprintable():
        raise ValueError(f"a strategy's name is {plain!r}: expected printable text")
    return plain


def _text(what: str, value: Any) -> str:
    """Never of a class of its own, which no encoder knows."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is {value!r}: expected text")
    plain = str.__str__(value)
    if len(plain) > _MOST_TEXT:
        raise _TooMuchError(f"{what} of {len(plain)} characters, more than {_MOST_TEXT}")
    plain.encode()
    return plain


def _units(key: str, value: Any) -> float:
    """What is looked at is what others get: a class of its own may convert to another number."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    units = float(value) if is_number else math.nan
    if not math.isfinite(units):
        raise ValueError(f"target of {key!r} is {value!r}: expected a finite number")
    if abs(units) > _MOST_UNITS:
        raise ValueError(f"target of {key!r} is {value!r}: expected at most {_MOST_UNITS:g} units")
    return units
