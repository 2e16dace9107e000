"""From sets to features, in order."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from barsync_async.features.bank import IndicatorBank
from barsync_async.features.cointegration import Result
from barsync_async.features.columns import FloatArray
from barsync_async.features.fresh_bars import FreshBarsReader
from barsync_async.features.pairs import Pair, chosen_pairs, default_pairs
from barsync_async.features.replay import Replay
from barsync_async.features.spec import IndicatorSpec
from barsync_async.messages import Features, SynchronizedBars
from barsync_async.units import SourceId, WallMs, split_source

Defer: TypeAlias = Callable[[Callable[[], FloatArray]], Result]


class FeatureEngine:
    """Turns sets into features, in order; a set costs a few array operations.

    Only a ``fresh`` cell moves its source on. A carried cell entered when it was fresh and does
    not enter again; a filled, interpolated or missing one is no observation. Such a source keeps
    its values. A pair moves on where both of its sources are fresh in the same set.

    In ``Features.features`` stand ``{source: {name: value}}`` and, of what compares sources,
    ``{name: {"A|B": value}}``; A and B are in sorted order, or B is the
    benchmark. Values are NaN until warm. ``docs/features.md`` has all names.

    Args:
        sources: the columns; a cell of any other source is not looked at.
        indicators: what to compute; see :func:`~barsync_async.indicator_choice.parse_indicators`.
        pairs: which sources to compare; None: all pairs of the shortest timeframe.
        remembered: of how many of the last sets a revision may come; at least so many are kept.

    Raises:
        ValueError: ``sources`` or ``indicators`` is empty or repeats itself; a pair is not two
            of the sources, or a benchmark not one; or the default pairs are more than 125,000.
    """

    def __init__(
        self,
        sources: Sequence[SourceId],
        indicators: Sequence[IndicatorSpec],
        *,
        pairs: Sequence[Pair] | None = None,
        remembered: int = 0,
    ) -> None:
        self.sources = _checked_sources(sources)
        if not indicators:
            raise ValueError("indicators is empty: name at least one, e.g. sma")
        self.pairs = self._choose(pairs, indicators)
        self._reader = FreshBarsReader(self.sources)
        self._bank = IndicatorBank(self.sources, indicators, self.pairs)
        self._replay = Replay(self._bank, remembered) if remembered else None
        self._timestamp: WallMs | None = None
        self._defer: Defer | None = None

    def _choose(
        self, pairs: Sequence[Pair] | None, indicators: Sequence[IndicatorSpec]
    ) -> tuple[Pair, ...]:
        if pairs is not None:
            return chosen_pairs(self.sources, pairs)
        compares = any(each.scope == "pair" and each.benchmark is None for each in indicators)
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
                "features take each timestamp once, in order; revisions by revise()"
            )
        self._timestamp = bars.timestamp
        return self._take_in(bars)

    def _take_in(self, bars: SynchronizedBars) -> Features:
        if self._replay is not None:
            self._replay.note(self._bank, bars)
        table = self._bank.update(self._reader.read(bars))
        return Features(
            timestamp=bars.timestamp, revision=bars.revision, features=table, bars=bars.bars
        )

    def defer_to(self, defer: Defer) -> None:
        """Have slow work done by ``defer``, an executor's ``submit``. It changes no value."""
        self._defer = defer
        self._bank.defer_to(defer)

    def due(self) -> list[Result]:
        """What the next :meth:`update`, or step of a revision, would wait for: results of what was
        deferred.
        """
        return self._bank.due()

    def revise(self, bars: SynchronizedBars) -> Iterator[Features | None]:
        """Correct the state by the revision of an earlier set: it is, to the bit, as if ``bars``
        had come in the place of that set, or in its turn where its timestamp had none.

        That set and all after it are worked out again, in steps of one set each, so that whoever
        calls can do something else in between; but until the end nothing else of this engine than
        :meth:`due`.

        Returns:
            None before each step, and at the end all values after the revised set, with its
            revision; those after later sets are not told again. Nothing at all, and nothing is
            altered, where the set is not remembered any more.
        """
        rewound = None if self._replay is None else self._replay.rewind(bars)
        if rewound is None:
            return
        self._bank = rewound.bank
        if self._defer is not None:
            self._bank.defer_to(self._defer)
        self._timestamp = max(bars.timestamp, self._timestamp or bars.timestamp)
        revised = None
        for each in rewound.sets:
            yield None
            features = self._take_in(each)
            if each is bars:
                revised = features
        yield revised


def _checked_sources(sources: Sequence[SourceId]) -> tuple[SourceId, ...]:
    for source in sources:
        split_source(source)
    if not sources or len(set(sources)) != len(sources):
        raise ValueError(f"sources: {list(sources)!r}: expected at least one, none twice")
    return tuple(sources)
