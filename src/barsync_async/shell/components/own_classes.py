"""Classes of the user's own in a config that has other mistakes: which of them cannot be made.

Where it has none, whoever builds the containers finds that out. Where it has, nothing is built, and
yet all that is wrong is to be told at once.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from barsync_async.config.document import ComponentTable, components
from barsync_async.errors import ItemsRefused, Mistake
from barsync_async.indicator_choice import is_own_indicator, parse_indicators
from barsync_async.mistakes import key_path, shown
from barsync_async.plugins import load_class, make
from barsync_async.shell.components.strategy_wire import RequestEncoder
from barsync_async.shell.components.strategy_worker import make_seat
from barsync_async.strategy_choice import EXECUTORS, executor_of, is_own_strategy, strategy_plan


def own_mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """Each of them, made where it would run, and let go of again; of what is wrong in ``document``
    otherwise nothing is told.
    """
    for each in components(document):
        if each.kind == "StrategyRunner":
            yield from _unmade(each, "strategies", partial(_make_strategy, each.config))
        elif each.kind == "MultiSymbolFeatureCalculator":
            yield from _unmade(each, "indicators", _make_indicator)
        elif isinstance(each.kind, str) and ":" in each.kind:
            try:
                make(each.kind, load_class(each.kind), each.config)
            except ValueError as error:
                yield Mistake(key_path(each.path), each.kind, str(error))


def _unmade(table: ComponentTable, key: str, maker: Callable[[Any], None]) -> Iterator[Mistake]:
    listed = table.config.get(key)
    for index, choice in enumerate(listed if isinstance(listed, list) else ()):
        try:
            maker(choice)
        except ValueError as error:
            where = key_path((*table.path, "config", key, index))
            yield Mistake(where, shown(choice), str(error))


def _make_indicator(choice: Any) -> None:
    if not _holds(is_own_indicator, choice):
        return
    try:
        parse_indicators([choice])
    except ItemsRefused as error:
        raise error.reasons[0] from None


def _make_strategy(config: Mapping[str, Any], choice: Any) -> None:
    if not _holds(is_own_strategy, choice):
        return
    plan, executor = strategy_plan(choice), config.get("executor")
    known = executor if executor in EXECUTORS else None
    parallel = config.get("parallel") is not False
    seat = make_seat(executor_of(plan, known, parallel=parallel), choice, RequestEncoder())
    try:
        seat.name  # noqa: B018 - waits until it is made
    finally:
        seat.stop()


def _holds(test: Callable[[Any], bool], choice: Any) -> bool:
    """False of what is no choice at all."""
    try:
        return test(choice)
    except ValueError:
        return False
