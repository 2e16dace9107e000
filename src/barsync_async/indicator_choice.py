"""What a config's ``indicators`` key says, and how to make the indicators it names."""

import inspect
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from barsync_async.errors import ItemsRefused
from barsync_async.features import INDICATORS, IndicatorSpec, PairColumns
from barsync_async.features.indicator import SCOPES, IndicatorMaker
from barsync_async.plugins import choices, each_made, entry_point, load_class, make, named
from barsync_async.units import SourceId, split_source

IndicatorChoice = str | Mapping[str, Any]
"""A name, ``package.module:Class``, or ``{"name": either of them, **parameters}``; of the
parameters, ``label`` and ``benchmark`` are the engine's, all others the indicator's.
"""

ENTRY_POINTS = "barsync.indicators"
"""The group in which other packages name indicators of theirs."""


def parse_indicators(choices: Iterable[IndicatorChoice]) -> tuple[IndicatorSpec, ...]:
    """What a config's ``indicators`` key says.

    Without a label, an indicator's is its name where all parameters have their defaults, else its
    name and the values of all of them: ``sma_50``, ``macd_8_21_5``.

    Raises:
        ItemsRefused: of some, there is no such indicator, or it does not take a parameter or its
            value.
        ValueError: a text stands in place of the list.
    """
    if isinstance(choices, str):
        raise ValueError(f"{choices!r}: expected a list of indicators, got a text")
    specs, refused = each_made(_parse, dict(enumerate(choices)))
    if refused:
        raise ItemsRefused("indicators", refused)
    return tuple(specs.values())


def check_indicator(choice: IndicatorChoice) -> None:
    """Raises ValueError where ``choice`` is no indicator of ours with good parameters; what is the
    user's own is not loaded for that.
    """
    if not is_own_indicator(choice):
        _parse(choice)


def is_own_indicator(choice: IndicatorChoice) -> bool:
    """Whether what ``choice`` names is the user's own, which is not for us to know.

    Raises:
        ValueError: it has no name.
    """
    name, _ = _parts(choice)
    if name in INDICATORS:
        return False
    return ":" in name or entry_point(ENTRY_POINTS, name) is not None


def hidden_by_ours(choice: IndicatorChoice) -> str | None:
    """What an installed package calls by the name that ``choice`` gives, where we have one of that
    name: then ours is taken.
    """
    name, _ = _parts(choice)
    return entry_point(ENTRY_POINTS, name) if name in INDICATORS else None


def output_names(spec: IndicatorSpec) -> tuple[str, ...]:
    """The names of the features that ``spec`` gives."""
    names: tuple[str, ...] = spec.make(_COLUMNS_OF[spec.scope]).outputs(spec.label)
    return names


def _parse(choice: IndicatorChoice) -> IndicatorSpec:
    name, parameters = _parts(choice)
    label, benchmark = parameters.pop("label", None), parameters.pop("benchmark", None)
    maker = _found(name)
    scope = getattr(maker, "scope", None)
    if scope not in SCOPES:
        raise ValueError(f"{name}: scope = {scope!r}: expected one of {' '.join(SCOPES)}")
    _check_label(name, label)
    _check_benchmark(name, scope, benchmark)
    indicator = make(name, partial(maker, _COLUMNS_OF[scope]), parameters)
    with named(name):
        label = _default_label(name, maker, parameters) if label is None else label
        _check_methods(indicator, label)
    return IndicatorSpec(
        label=label,
        make=lambda columns: make(name, partial(maker, columns), parameters),
        scope=scope,
        benchmark=None if benchmark is None else SourceId(benchmark),
    )


_COLUMNS_OF: Mapping[str, int | PairColumns] = {
    "source": 1,
    "pair": PairColumns(np.array([0]), np.array([1]), 2),
}
"""What an indicator is made with to see whether it can be."""


def _parts(choice: object) -> tuple[str, dict[str, Any]]:
    if isinstance(choice, str):
        return choice, {}
    if not isinstance(choice, Mapping) or not isinstance(choice.get("name"), str):
        raise ValueError(f"indicator {choice!r}: expected a name, or a table with the key name")
    parameters = dict(choice)
    return parameters.pop("name"), parameters


def _found(name: str) -> IndicatorMaker:
    """An indicator of ours, of the user's by its path, or by a name that its package gives it."""
    if name in INDICATORS:
        return INDICATORS[name]
    path = name if ":" in name else entry_point(ENTRY_POINTS, name)
    if path is None:
        expected = choices(INDICATORS, ENTRY_POINTS)
        raise ValueError(f"indicator {name!r} is unknown: expected {expected}")
    return load_class(path)


def _check_methods(indicator: Any, label: str) -> None:
    for method in ("outputs", "update"):
        if not callable(getattr(indicator, method, None)):
            raise ValueError("an indicator has outputs(label) and update(...)")
    names = indicator.outputs(label)
    if not isinstance(names, tuple) or not all(isinstance(each, str) for each in names):
        raise ValueError(f"outputs({label!r}) gives {names!r}: expected a tuple of names")


def _check_label(name: str, label: object) -> None:
    if label is not None and (not isinstance(label, str) or not label):
        raise ValueError(f"{name}: label = {label!r}: expected a name")


def _check_benchmark(name: str, scope: str, benchmark: object) -> None:
    if benchmark is None:
        return
    if scope != "pair":
        raise ValueError(f"{name}: benchmark = {benchmark!r}: it compares no sources")
    if not isinstance(benchmark, str):
        raise ValueError(f"{name}: benchmark = {benchmark!r}: expected a source")
    split_source(benchmark)


def _default_label(name: str, maker: IndicatorMaker, parameters: Mapping[str, Any]) -> str:
    _, *known = inspect.signature(maker).parameters.values()
    values = {each.name: parameters.get(each.name, each.default) for each in known}
    short = name.rpartition(":")[2]
    if all(values[each.name] == each.default for each in known):
        return short
    return "_".join([short, *map(_shown, values.values())])


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
