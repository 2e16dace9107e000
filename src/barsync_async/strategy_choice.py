"""What a config's ``strategies`` key says, and how to make the strategies it names."""

from collections.abc import Callable, Mapping
from typing import Any

from barsync_async.plugins import load_class, make
from barsync_async.ports import Strategy
from barsync_async.strategies import STRATEGIES

StrategyChoice = str | dict[str, Any]
"""A name, ``package.module:Class``, or ``{"name": either of them, **parameters}``."""


def strategy_maker(choice: StrategyChoice) -> Callable[[], Strategy]:
    """What makes the strategy that ``choice`` names, as often as one is needed.

    Raises:
        ValueError: there is no such strategy. Its parameters are looked at when it is made.
    """
    name, parameters = _parts(choice)
    maker = load_class(name) if ":" in name else _registered(name)
    return lambda: _made(name, maker, parameters)


def check_strategy(choice: StrategyChoice) -> None:
    """Raises ValueError where ``choice`` is no strategy of ours with good parameters; a class of
    the user's own is not loaded for that.
    """
    name, parameters = _parts(choice)
    if ":" not in name:
        _made(name, _registered(name), parameters)


def _parts(choice: StrategyChoice) -> tuple[str, Mapping[str, Any]]:
    if isinstance(choice, str):
        return choice, {}
    if not isinstance(choice.get("name"), str):
        raise ValueError(f"strategy {choice!r}: expected a name, or a table with the key name")
    return choice["name"], {key: value for key, value in choice.items() if key != "name"}


def _registered(name: str) -> Callable[..., Any]:
    if name not in STRATEGIES:
        known = " ".join(STRATEGIES)
        raise ValueError(f"strategy {name!r} is unknown: one of {known}, or package.module:Class")
    return STRATEGIES[name]


def _made(name: str, maker: Callable[..., Any], parameters: Mapping[str, Any]) -> Strategy:
    strategy = make(name, maker, parameters)
    named = isinstance(getattr(strategy, "name", None), str)
    if named and callable(getattr(strategy, "decide", None)):
        return strategy  # type: ignore[no-any-return]  # just looked at
    raise ValueError(f"{name}: a strategy has a name and decide(features, portfolio)")
