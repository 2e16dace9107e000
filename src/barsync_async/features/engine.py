"""All indicators over all sources: one array pass a set."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from barsync_async.features.pairs import Pair, chosen_pairs, default_pairs, pair_name
from barsync_async.features.ring import FloatArray
from barsync_async.features.spec import (
    PAIR_INDICATORS,
    SOURCE_INDICATORS,
    IndicatorSpec,
    PairIndicator,
    SourceIndicator,
)
from barsync_async.messages import Bar, Features, SynchronizedBars, frozen_mapping
from barsync_async.units import SourceId, WallMs, split_source

Values = Mapping[str, float]


class FeatureEngine:
    """Turns sets into features, in order; a set costs a few array operations.

    Only a ``fresh`` cell moves its source on. A carried cell entered when it was fresh and does
    not enter again; a filled, interpolated or missing one is no observation. Such a source keeps
    its values. A pair moves on where both of its sources are fresh in the same set.

    In ``Features.features`` stand ``{source: {label: value}}`` for ``sma`` and ``rsi``, and
    ``{label: {"A|B": value}}`` for ``correlation`` and ``spread``, the latter also under
    ``spread_zscore`` and ``hedge_ratio``; A and B are in sorted order. Values are NaN until warm.

    Args:
        sources: the columns; a cell of any other source is not looked at.
        indicators: what to compute; see :func:`~barsync_async.features.parse_indicators`.
        pairs: which sources to compare; None: all pairs of the shortest timeframe.

    Raises:
        ValueError: ``sources`` or ``indicators`` is empty or repeats itself; a pair is not two
            of the sources; or the default pairs are more than 5,000.
    """

    def __init__(
        self,
        sources: Sequence[SourceId],
        indicators: Sequence[IndicatorSpec],
        *,
        pairs: Sequence[Pair] | None = None,
    ) -> None:
        self.sources = _checked_sources(sources)
        self.indicators = _checked_indicators(indicators, self.sources)
        self.pairs = self._choose(pairs)
        self._pair_names = [pair_name(pair) for pair in self.pairs]
        column = {source: index for index, source in enumerate(self.sources)}
        self._lefts = np.array([column[left] for left, _ in self.pairs], dtype=np.intp)
        self._rights = np.array([column[right] for _, right in self.pairs], dtype=np.intp)
        self._of_source: dict[str, SourceIndicator] = {
            each.key: SOURCE_INDICATORS[each.name](each.length, len(self.sources))
            for each in self.indicators
            if each.name in SOURCE_INDICATORS
        }
        self._of_pair: dict[str, PairIndicator] = {
            each.key: PAIR_INDICATORS[each.name](each.length, len(self.pairs))
            for each in self.indicators
            if each.name in PAIR_INDICATORS
        }
        self._timestamp: WallMs | None = None

    def _choose(self, pairs: Sequence[Pair] | None) -> tuple[Pair, ...]:
        if pairs is not None:
            return chosen_pairs(self.sources, pairs)
        compares = any(each.name in PAIR_INDICATORS for each in self.indicators)
        return default_pairs(self.sources) if compares else ()

    def update(self, bars: SynchronizedBars) -> Features:
        """Move on by one set.

        Returns:
            All values after it, read-only throughout.

        Raises:
            ValueError: the set is not later than the one before; the state is as it was.
        """
        if self._timestamp is not None and bars.timestamp <= self._timestamp:
            raise ValueError(
                f"the set of {bars.timestamp} came after that of {self._timestamp}: "
                "features take each timestamp once, in order, and no revisions"
            )
        self._timestamp = bars.timestamp
        closes = self._fresh_closes(bars.bars)
        features = dict(self._source_features(closes))
        features.update(self._pair_features(closes))
        return Features(
            timestamp=bars.timestamp,
            revision=bars.revision,
            features=frozen_mapping(features),
            bars=bars.bars,
        )

    def _fresh_closes(self, cells: Mapping[SourceId, Bar]) -> FloatArray:
        """Shape ``(sources,)``; NaN where the source does not move on."""
        found = [cells.get(source) for source in self.sources]
        return np.array(
            [
                cell.close if cell is not None and cell.provenance == "fresh" else math.nan
                for cell in found
            ]
        )

    def _source_features(self, closes: FloatArray) -> Iterator[tuple[str, Values]]:
        fresh = np.flatnonzero(np.isfinite(closes))
        labels = tuple(self._of_source)
        columns = [each.update(closes, fresh).tolist() for each in self._of_source.values()]
        for source, row in zip(self.sources, zip(*columns, strict=True), strict=False):
            yield source, frozen_mapping(dict(zip(labels, row, strict=True)))

    def _pair_features(self, closes: FloatArray) -> Iterator[tuple[str, Values]]:
        left, right = closes[self._lefts], closes[self._rights]
        joint = np.flatnonzero(np.isfinite(left) & np.isfinite(right))
        for label, indicator in self._of_pair.items():
            columns = indicator.update(left, right, joint)
            for name, column in zip(indicator.outputs(label), columns, strict=True):
                values = dict(zip(self._pair_names, column.tolist(), strict=True))
                yield name, frozen_mapping(values)


def _checked_sources(sources: Sequence[SourceId]) -> tuple[SourceId, ...]:
    for source in sources:
        split_source(source)
    if not sources or len(set(sources)) != len(sources):
        raise ValueError(f"sources: {list(sources)!r}: expected at least one, none twice")
    return tuple(sources)


def _checked_indicators(
    indicators: Sequence[IndicatorSpec], sources: Sequence[SourceId]
) -> tuple[IndicatorSpec, ...]:
    """Every name under which values go out must be free."""
    if not indicators:
        raise ValueError("indicators is empty: name at least one, e.g. sma")
    labels: set[tuple[str, str]] = {("across", source) for source in sources}
    for each in indicators:
        for label in _labels(each):
            if label in labels:
                raise ValueError(
                    f"the name {label[1]!r} of an indicator is taken: give it another label"
                )
            labels.add(label)
    return tuple(indicators)


def _labels(spec: IndicatorSpec) -> list[tuple[str, str]]:
    across = PAIR_INDICATORS.get(spec.name)
    if across is None:
        return [("source", spec.key)]
    return [("across", name) for name in across.outputs(spec.key)]
