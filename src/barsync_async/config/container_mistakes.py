"""What is wrong between the components of one container.

What is wrong in one of them by itself is left to whoever tells that. It may have been meant to be
anything; nothing is said here that depends on it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from barsync_async.config.document import ComponentTable, containers
from barsync_async.config.offered import Offered
from barsync_async.config.tables import (
    BarSynchronizerConfig,
    Config,
    FeatureCalculatorConfig,
    PortfolioConfig,
    StrategyRunnerConfig,
)
from barsync_async.errors import Mistake
from barsync_async.mistakes import key_path
from barsync_async.strategies import Need
from barsync_async.strategy_choice import executor_of, needs_of, strategy_plan
from barsync_async.units import SourceId

T = TypeVar("T", bound=BaseModel)


def container_mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """All of them, container by container."""
    for components in containers(document):
        yield from _lookahead(components)
        yield from _deadlines(components)
        yield from _compared(components)
        yield from _needs(components, named=True)


def remarks(config: Config) -> Iterator[Mistake]:
    """Features that a strategy of ours reads untold and that are not there, and strategies that
    nobody asks: they decide nothing. No mistakes of a config, for what is missing may be added.
    """
    for components in containers(config.model_dump(include={"containers"})):
        yield from _needs(components, named=False)
        yield from _never_asked(components)


class _Understood(NamedTuple, Generic[T]):
    """A component's table without what is wrong in it."""

    path: tuple[str, ...]
    table: T
    wrong: frozenset[str]
    """The keys that are left out for that."""


def _understood(
    components: Sequence[ComponentTable], kind: str, model: type[T]
) -> Iterator[_Understood[T]]:
    """The components of one type, but for those that lack what they need."""
    for each in components:
        if each.kind == kind:
            config, wrong = _parted(each.config, model)
            with suppress(ValidationError):
                yield _Understood(each.path, model.model_validate(config), wrong)


def _parted(
    config: Mapping[str, Any], model: type[BaseModel]
) -> tuple[dict[str, Any], frozenset[str]]:
    """What of ``config`` is good, and the keys of the rest; in the place of a single strategy or
    indicator that is wrong stands an unknown one.
    """
    good, wrong = dict(config), set[str]()
    try:
        model.model_validate(good)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            key, *index = str(detail["loc"][0]), *detail["loc"][1:]
            if key in _CHOICES and index:
                good[key] = [*good[key]]
                good[key][index[0]] = _UNKNOWN
            else:
                good.pop(key, None)
                wrong.add(key)
    return good, frozenset(wrong)


_CHOICES = ("indicators", "strategies")
_UNKNOWN = "unknown:Unknown"
"""As a class of the user's own, of which nothing is known."""


def _lookahead(components: Sequence[ComponentTable]) -> Iterator[Mistake]:
    """Interpolation, which looks ahead, where there are strategies."""
    if not any(each.kind == "StrategyRunner" for each in components):
        return
    for each in components:
        asks = each.config.get("missing") == "interpolate"
        if asks and each.config.get("allow_lookahead") is not True:
            expected = (
                "looks ahead, and the container has strategies: "
                "set allow_lookahead = true if that is meant"
            )
            yield Mistake(key_path((*each.path, "config", "missing")), "'interpolate'", expected)


def _deadlines(components: Sequence[ComponentTable]) -> Iterator[Mistake]:
    """Strategies that may take longer than their portfolio waits.

    Both times begin with the features. What all decided is published together, so at equal times
    one strategy that overruns would race with the portfolio, and take the others with it.
    """
    for runner in _understood(components, "StrategyRunner", StrategyRunnerConfig):
        for portfolio in _understood(components, "Portfolio", PortfolioConfig):
            if runner.wrong.isdisjoint(_LIMITING) and "decision_timeout_ms" not in portfolio.wrong:
                yield from _too_long(runner, portfolio)


_LIMITING = ("time_limit_ms", "executor", "parallel")


def _too_long(
    runner: _Understood[StrategyRunnerConfig], portfolio: _Understood[PortfolioConfig]
) -> Iterator[Mistake]:
    where = key_path((*portfolio.path, "config", "decision_timeout_ms"))
    most_ms = portfolio.table.decision_timeout_ms
    for place, limit_ms in dict(_limits(runner)).items():
        if limit_ms < most_ms:
            continue
        if place is None:
            limit = f"{limit_ms:.15g} that time_limit_ms of {key_path(runner.path)} is"
            expected = f"expected more than the {limit} unless it is set"
            yield Mistake(where, f"{most_ms:.15g}", expected)
        else:
            expected = f"expected less than {where}, which is {most_ms:.15g}"
            yield Mistake(place, f"{limit_ms:.15g}", expected)


def _limits(runner: _Understood[StrategyRunnerConfig]) -> Iterator[tuple[str | None, float]]:
    """The time limits that hold, each with where it stands; None: nowhere, it is the default."""
    table = runner.table
    own = {"time_limit_ms"} & table.model_fields_set
    shared = key_path((*runner.path, "config", "time_limit_ms")) if own else None
    for index, choice in enumerate(table.strategies):
        plan = strategy_plan(choice)
        place = executor_of(plan, table.executor, parallel=table.parallel)
        if place == "inline" or choice == _UNKNOWN:
            continue
        if plan.time_limit_ms is None:
            yield shared, table.time_limit_ms
        else:
            keys = ("config", "strategies", index, "time_limit_ms")
            yield key_path((*runner.path, *keys)), plan.time_limit_ms


def _never_asked(components: Sequence[ComponentTable]) -> Iterator[Mistake]:
    kinds = [each.kind for each in components]
    if "MultiSymbolFeatureCalculator" not in kinds and not any(":" in kind for kind in kinds):
        for each in components:
            if each.kind == "StrategyRunner":
                expected = "is never asked: the container has no MultiSymbolFeatureCalculator"
                yield Mistake(key_path(each.path), "", expected)


def _compared(components: Sequence[ComponentTable]) -> Iterator[Mistake]:
    """Sources that indicators are to compare, and that no set holds."""
    offered = _offered(components)
    if offered is None:
        return
    for calculator in _calculators(components):
        for keys, source in _to_compare(calculator.table):
            why = offered.why_not(Need("source", source, "", source))
            if why is not None:
                yield Mistake(key_path((*calculator.path, "config", *keys)), repr(source), why)


def _to_compare(table: FeatureCalculatorConfig) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The sources that ``table`` names, each with where it stands in it."""
    for index, pair in enumerate(table.pairs or ()):
        for source in pair:
            yield ("pairs", index), source
    for index, choice in enumerate(table.indicators):
        benchmark = choice.get("benchmark") if isinstance(choice, dict) else None
        if isinstance(benchmark, str):
            yield ("indicators", index, "benchmark"), benchmark


def _needs(components: Sequence[ComponentTable], *, named: bool) -> Iterator[Mistake]:
    """Sources, features and pairs that a strategy of ours reads and that are not there."""
    offered = _offered(components)
    if offered is None:
        return
    for runner in _understood(components, "StrategyRunner", StrategyRunnerConfig):
        for index, choice in enumerate(runner.table.strategies):
            keys: tuple[str | int, ...] = (*runner.path, "config", "strategies", index)
            for need, why in _unmet(needs_of(choice, named=named), offered):
                yield Mistake(key_path((*keys, need.parameter)), repr(need.given), why)


def _unmet(needs: Iterable[Need], offered: Offered) -> Iterator[tuple[Need, str]]:
    """Those that are not there, each with the reason; of a pair that lacks a source, that alone."""
    lacking: set[str] = set()
    for need in needs:
        why = offered.why_not(need) if lacking.isdisjoint(need.name.split("|")) else None
        if why is not None:
            lacking.add(need.name)
            yield need, why


def _offered(components: Sequence[ComponentTable]) -> Offered | None:
    """None where the sources cannot be known: a table lacks them, or there is no synchronizer."""
    synchronizers = [*_understood(components, "BarSynchronizer", BarSynchronizerConfig)]
    kinds = [each.kind for each in components]
    if not synchronizers or len(synchronizers) < kinds.count("BarSynchronizer"):
        return None
    sources = {SourceId(each) for one in synchronizers for each in one.table.expected_sources}
    calculators = [each for each in _calculators(components) if "pairs" not in each.wrong]
    is_known = len(calculators) == kinds.count("MultiSymbolFeatureCalculator") == 1
    return Offered(sources, calculators[0].table if is_known else None)


def _calculators(
    components: Sequence[ComponentTable],
) -> Iterator[_Understood[FeatureCalculatorConfig]]:
    return _understood(components, "MultiSymbolFeatureCalculator", FeatureCalculatorConfig)
