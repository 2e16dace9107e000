"""Strategies and indicators of installed packages that one of ours hides by its name."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from barsync_async import indicator_choice, strategy_choice
from barsync_async.config.document import components
from barsync_async.config.tables import Config
from barsync_async.errors import Mistake
from barsync_async.mistakes import key_path

_HIDDEN: Mapping[str, tuple[str, Callable[[Any], str | None]]] = {
    "MultiSymbolFeatureCalculator": ("indicators", indicator_choice.hidden_by_ours),
    "StrategyRunner": ("strategies", strategy_choice.hidden_by_ours),
}


def hidden_plugins(config: Config) -> Iterator[Mistake]:
    """Where ``config`` names one of ours and an installed package calls one of its own so, too. No
    mistake: the name may have been meant as it is taken.
    """
    for each in components(config.model_dump(include={"containers"})):
        key, hidden_by_ours = _HIDDEN.get(each.kind, ("", _nothing))
        for index, choice in enumerate(each.config.get(key, ())):
            if (path := hidden_by_ours(choice)) is not None:
                place = key_path((*each.path, "config", key, index))
                yield Mistake(place, repr(choice), f"is ours; say {path!r} for the installed one")


def _nothing(choice: Any) -> None:
    del choice
