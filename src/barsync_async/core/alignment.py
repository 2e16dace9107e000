"""Which sources are due at which timestamp.

The grid of a container is that of its shortest timeframe. A source is *due* at T when one of its
bars closes at T; a slower source is carried at every other T.
"""

from collections.abc import Iterable

from barsync_async.units import TIMEFRAMES, SourceId, Timeframe, split_source


class Alignment:
    """The expected sources, indexed in sorted order, and their grids.

    ``slow[i]`` is the timeframe of source ``i`` where it is longer than the base timeframe, else
    None.
    """

    def __init__(self, sources: Iterable[SourceId]) -> None:
        self.sources = tuple(sorted(set(sources)))
        if not self.sources:
            raise ValueError("expected_sources is empty: name at least one source, e.g. SPY_1m")
        keys = [split_source(source) for source in self.sources]
        timeframes = [TIMEFRAMES[name] for _, name in keys]
        self.base = min(timeframes, key=lambda timeframe: timeframe.length_ms)
        self.timeframes = tuple(timeframes)
        self.slow = tuple(None if each is self.base else each for each in timeframes)
        self.index_of = {key: index for index, key in enumerate(keys)}
        self.base_count = self.slow.count(None)
        self._slow_groups = _group(self.slow)

    def due_count(self, timestamp: int) -> int:
        """How many sources are due at ``timestamp``."""
        slow = sum(
            len(members)
            for timeframe, members in self._slow_groups
            if timeframe.closes_at(timestamp)
        )
        return self.base_count + slow

    def is_due(self, index: int, timestamp: int) -> bool:
        """Whether source ``index`` is due at ``timestamp``; base sources always are."""
        slow = self.slow[index]
        return slow is None or slow.closes_at(timestamp)

    def is_slot(self, timestamp: int) -> bool:
        """Whether ``timestamp`` lies on the container's grid."""
        return self.base.closes_at(timestamp)


def _group(slow: Iterable[Timeframe | None]) -> list[tuple[Timeframe, list[int]]]:
    groups: dict[str, tuple[Timeframe, list[int]]] = {}
    for index, timeframe in enumerate(slow):
        if timeframe is not None:
            groups.setdefault(timeframe.name, (timeframe, []))[1].append(index)
    return list(groups.values())
