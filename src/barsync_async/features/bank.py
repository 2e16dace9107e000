"""All indicators over all sources, running: one array pass a set."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy, deepcopy
from typing import NamedTuple, Self, TypeVar

import numpy as np

from barsync_async.errors import IndicatorFailed
from barsync_async.features.cointegration import Cointegration, Result
from barsync_async.features.columns import FloatArray, read_only
from barsync_async.features.fresh_bars import FreshBars
from barsync_async.features.fresh_pairs import FreshPairs, PairColumns
from barsync_async.features.indicator import PairIndicator, SourceIndicator
from barsync_async.features.pairs import Pair, pair_name, pairs_with
from barsync_async.features.spec import IndicatorSpec
from barsync_async.features.table import FeatureTable, Values
from barsync_async.raised import told
from barsync_async.units import SourceId

B = TypeVar("B")

_REAL = "fiub"


class IndicatorBank:
    """The state of all indicators.

    Args:
        sources: the columns.
        specs: what to compute.
        pairs: which sources to compare, for the indicators that have no benchmark.

    Raises:
        ValueError: two outputs have one name, or a benchmark is none of the sources.
    """

    def __init__(
        self, sources: Sequence[SourceId], specs: Sequence[IndicatorSpec], pairs: Sequence[Pair]
    ) -> None:
        self._columns: dict[str, int] = {source: column for column, source in enumerate(sources)}
        self._sources = sources
        self._of_source: list[tuple[tuple[str, ...], SourceIndicator]] = []
        self._across: list[_Comparison] = []
        self._names: dict[str, int] = {}
        self._taken: set[str] = set(sources)
        for spec in specs:
            if spec.scope == "source":
                self._add_of_source(spec)
            else:
                self._add_across(spec, pairs)
        self._by_source = self._columns if self._of_source else {}
        self._shape = (len(self._by_source),)

    def _add_of_source(self, spec: IndicatorSpec) -> None:
        indicator: SourceIndicator = spec.make(len(self._columns))
        names = indicator.outputs(spec.label)
        for name in names:
            if name in self._names:
                raise _taken(name)
            self._names[name] = len(self._names)
        self._of_source.append((names, indicator))

    def _add_across(self, spec: IndicatorSpec, pairs: Sequence[Pair]) -> None:
        if spec.benchmark is not None:
            pairs = pairs_with(spec.benchmark, self._sources)
        group = self._group(pairs)
        indicator: PairIndicator = spec.make(group.columns)
        names = indicator.outputs(spec.label)
        for name in names:
            if name in self._taken:
                raise _taken(name)
            self._taken.add(name)
        self._across.append(_Comparison(indicator, names, group))

    def _group(self, pairs: Sequence[Pair]) -> "_Group":
        """That of ``pairs``: one for all indicators that compare the same."""
        places = {pair_name(pair): place for place, pair in enumerate(pairs)}
        for each in self._across:
            if each.group.places == places:
                return each.group
        lefts, rights = (
            read_only(np.array([self._columns[pair[side]] for pair in pairs], dtype=np.intp))
            for side in (0, 1)
        )
        return _Group(PairColumns(lefts, rights, len(self._columns)), places)

    def update(self, bars: FreshBars) -> FeatureTable:
        """Move on by one set; all values after it."""
        rows = np.empty((len(self._names), *self._shape))
        place = 0
        for names, indicator in self._of_source:
            for array in _values(indicator.update, bars, names, self._shape):
                rows[place] = array
                place += 1
        across = self._compare(bars) if self._across else {}
        return FeatureTable(self._by_source, self._names, rows, across)

    def _compare(self, bars: FreshBars) -> dict[str, Values]:
        fresh: dict[int, FreshPairs] = {}
        values: dict[str, Values] = {}
        for indicator, names, group in self._across:
            pairs = fresh.setdefault(id(group), FreshPairs(group.columns, bars))
            arrays = _values(indicator.update, pairs, names, group.columns.lefts.shape)
            for name, array in zip(names, arrays, strict=True):
                values[name] = Values(group.places, np.array(array, dtype=np.float64))
        return values

    def defer_to(self, defer: Callable[[Callable[[], FloatArray]], Result]) -> None:
        """Have the work of the slow ones done by ``defer``."""
        for indicator in self._slow():
            indicator.defer = defer

    def due(self) -> list[Result]:
        """What the next update would wait for."""
        return [due for each in self._slow() if (due := each.due()) is not None]

    def _slow(self) -> Iterator[Cointegration]:
        for each in self._across:
            if isinstance(each.indicator, Cointegration):
                yield each.indicator

    def copy(self) -> Self:
        """Another bank in the same state, which moves on by itself."""
        twin = copy(self)
        twin._of_source = deepcopy(self._of_source)  # noqa: SLF001 - of the same class
        twin._across = [  # noqa: SLF001 - the same
            each._replace(indicator=deepcopy(each.indicator)) for each in self._across
        ]
        return twin


class _Group(NamedTuple):
    """Some pairs, with the place of each under its name."""

    columns: PairColumns
    places: dict[str, int]


class _Comparison(NamedTuple):
    """An indicator of the pairs in ``group``, and the names of its outputs."""

    indicator: PairIndicator
    names: tuple[str, ...]
    group: _Group


def _values(
    update: Callable[[B], tuple[FloatArray, ...]],
    given: B,
    names: Sequence[str],
    shape: tuple[int, ...],
) -> tuple[FloatArray, ...]:
    """What an indicator makes of what is ``given``: an array of ``shape`` for each of ``names``.

    Raises:
        IndicatorFailed: it raises or gives anything else, for it may be the user's own.
    """
    try:
        arrays = update(given)
    except (Exception, SystemExit) as error:
        raise IndicatorFailed(names[0], told(error)) from error
    if type(arrays) is not tuple or len(arrays) != len(names):
        expected = f"update() has to return a tuple of {len(names)}: {', '.join(names)}"
        raise IndicatorFailed(names[0], expected)
    for place, array in enumerate(arrays):
        if type(array) is not np.ndarray or array.shape != shape or array.dtype.kind not in _REAL:
            expected = f"update() has to return real numbers in arrays of {shape[0]}"
            raise IndicatorFailed(names[place], expected)
    return arrays


def _taken(name: str) -> ValueError:
    return ValueError(f"the name {name!r} of an indicator is taken: give it another label")
