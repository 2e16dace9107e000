"""What a config's ``strategies`` key says, and how to make the strategies it names."""

import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Literal, cast, get_args

import msgspec

from barsync_async.plugins import choices, entry_point, load_class, make, named
from barsync_async.ports import Strategy
from barsync_async.strategies import STRATEGIES, Momentum, Need, PairsTrading

StrategyChoice = str | dict[str, Any]
"""A name, ``package.module:Class``, or ``{"name": either of them, **parameters}``; of the
parameters, ``executor`` and ``time_limit_ms`` are the runner's, all others the strategy's.
"""

ENTRY_POINTS = "barsync.strategies"
"""The group in which other packages name strategies of theirs."""

Executor = Literal["inline", "thread", "process"]
EXECUTORS: tuple[Executor, ...] = get_args(Executor)


class StrategyPlan(msgspec.Struct, frozen=True):
    """A choice, read; None: as the runner has it for all."""

    name: str
    parameters: Mapping[str, Any]
    executor: Executor | None = None
    time_limit_ms: float | None = None


def strategy_plan(choice: object) -> StrategyPlan:
    """A :data:`StrategyChoice` in its parts.

    Raises:
        ValueError: it is none, has no name, or what it says of the runner makes no sense.
    """
    if isinstance(choice, str):
        return StrategyPlan(choice, {})
    parameters = dict(choice) if isinstance(choice, dict) else {}
    name = parameters.pop("name", None)
    if not isinstance(name, str):
        raise ValueError(f"strategy {choice!r}: expected a name, or a table with the key name")
    executor = check_executor(parameters.pop("executor", None))
    limit = _checked_limit(parameters.pop("time_limit_ms", None))
    return StrategyPlan(name, parameters, executor, limit)


def executor_of(plan: StrategyPlan, executor: Executor | None, *, parallel: bool) -> Executor:
    """Where the strategy of ``plan`` decides in a runner with these of its parameters."""
    return plan.executor or executor or ("thread" if parallel else "inline")


def strategy_maker(choice: StrategyChoice) -> Callable[[], Strategy]:
    """What makes the strategy that ``choice`` names, as often as one is needed.

    Raises:
        ValueError: there is no such strategy. Its parameters are looked at when it is made.
    """
    plan = strategy_plan(choice)
    maker = _found(plan.name)
    return lambda: _made(plan.name, maker, plan.parameters)


def check_strategy(choice: StrategyChoice) -> None:
    """Raises ValueError where ``choice`` is no strategy of ours with good parameters; what is the
    user's own is not loaded for that.
    """
    plan = strategy_plan(choice)
    if plan.name in STRATEGIES:
        _made(plan.name, STRATEGIES[plan.name], plan.parameters)
    elif not is_own_strategy(choice):
        raise _unknown(plan.name)


def is_own_strategy(choice: StrategyChoice) -> bool:
    """Whether what ``choice`` names is the user's own, which is not for us to know.

    Raises:
        ValueError: as by :func:`strategy_plan`.
    """
    name = strategy_plan(choice).name
    if name in STRATEGIES:
        return False
    return ":" in name or entry_point(ENTRY_POINTS, name) is not None


def hidden_by_ours(choice: StrategyChoice) -> str | None:
    """What an installed package calls by the name that ``choice`` gives, where we have one of that
    name: then ours is taken.
    """
    name = strategy_plan(choice).name
    return entry_point(ENTRY_POINTS, name) if name in STRATEGIES else None


def needs_of(choice: StrategyChoice, *, named: bool) -> tuple[Need, ...]:
    """What a strategy of ours reads: what ``choice`` names, or what it reads untold. Nothing of the
    user's own, which is not loaded.

    Raises:
        ValueError: as by :func:`check_strategy`.
    """
    plan = strategy_plan(choice)
    if plan.name not in STRATEGIES:
        return ()
    maker = STRATEGIES[plan.name]
    usual = maker().needs
    made = cast("Momentum | PairsTrading", _made(plan.name, maker, plan.parameters))
    return tuple(need for need in made.needs if named == (need not in usual))


def check_executor(value: object) -> Executor | None:
    """``value``, as one of the executors or None. Raises ValueError where it is neither."""
    for executor in (*EXECUTORS, None):
        if value == executor:
            return executor
    raise ValueError(f"executor = {value!r}: expected one of {' '.join(EXECUTORS)}")


def _checked_limit(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or (is_number and 0 < value < math.inf):  # type: ignore[operator]  # it is one
        return cast("float | None", value)
    raise ValueError(f"time_limit_ms = {value!r}: expected a number above 0")


def _found(name: str) -> Callable[..., Any]:
    """A strategy of ours, of the user's by its path, or by a name that its package gives it."""
    if ":" in name:
        return load_class(name)
    if name in STRATEGIES:
        return STRATEGIES[name]
    path = entry_point(ENTRY_POINTS, name)
    if path is None:
        raise _unknown(name)
    return load_class(path)


def _unknown(name: str) -> ValueError:
    return ValueError(f"strategy {name!r} is unknown: expected {choices(STRATEGIES, ENTRY_POINTS)}")


def _copied(name: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """So that what a strategy alters in them is forgotten when it is made anew."""
    try:
        return deepcopy(parameters)
    except Exception as error:  # whatever an object's own copying raises
        raise ValueError(f"{name}: its parameters cannot be copied: {error}") from error


def _made(name: str, maker: Callable[..., Any], parameters: Mapping[str, Any]) -> Strategy:
    strategy = make(name, maker, _copied(name, parameters))
    with named(name):
        has_name = isinstance(getattr(strategy, "name", None), str)
        if has_name and callable(getattr(strategy, "decide", None)):
            return strategy  # type: ignore[no-any-return]  # just looked at
        raise ValueError("a strategy has a name and decide(features, portfolio)")
