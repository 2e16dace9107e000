"""The role of an indicator: Protocols, for those that come with barsync and for a user's own.

An indicator is a class. It is made with the number of its columns, or with its pairs, and with the
parameters that stand in a config; it keeps its state in arrays with a place for each column, and it
is copied with :func:`copy.deepcopy` where late bars may revise a set.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

from barsync_async.features.columns import FloatArray
from barsync_async.features.fresh_bars import FreshBars
from barsync_async.features.fresh_pairs import FreshPairs

Scope: TypeAlias = Literal["source", "pair"]
SCOPES: tuple[Scope, ...] = ("source", "pair")


class SourceIndicator(Protocol):
    """Looks at each source by itself; made as ``Class(columns, **parameters)``, ``columns`` being
    the number of sources.
    """

    scope: ClassVar[Scope]

    def outputs(self, label: str) -> tuple[str, ...]:
        """The name of each array that :meth:`update` returns, where a config calls it ``label``."""

    def update(self, bars: FreshBars) -> tuple[FloatArray, ...]:
        """Take in one set.

        Returns:
            All sources' values after it, each array of shape ``(columns,)``; NaN until warm. A
            source that did not move on keeps its values. They are copied before the next set.
        """


class PairIndicator(Protocol):
    """Compares two sources; made as ``Class(pairs, **parameters)``, ``pairs`` being the
    :class:`~barsync_async.features.fresh_pairs.PairColumns` to compare.
    """

    scope: ClassVar[Scope]

    def outputs(self, label: str) -> tuple[str, ...]:
        """As of a :class:`SourceIndicator`."""

    def update(self, pairs: FreshPairs) -> tuple[FloatArray, ...]:
        """The same, with a value for each pair."""


IndicatorMaker: TypeAlias = Callable[..., Any]
