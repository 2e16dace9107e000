"""The newest closed bars of every source, for snapshots and REST."""

from collections import deque
from collections.abc import Iterable, Sequence

from barsync_async.simulation.roles import Quote
from barsync_async.units import SourceId

_MOST_EACH, _FEWEST_EACH, _MOST = 1_000, 10, 200_000


class ClosedBars:
    """Up to 1,000 of each source; fewer of each where there are many sources."""

    def __init__(self, sources: Iterable[SourceId]) -> None:
        names = list(sources)
        each = max(_FEWEST_EACH, min(_MOST_EACH, _MOST // max(1, len(names))))
        self._bars: dict[SourceId, deque[Quote]] = {name: deque(maxlen=each) for name in names}

    def add(self, quote: Quote) -> None:
        """The next bar of its source."""
        self._bars[quote.bar.source].append(quote)

    def of(self, source: SourceId) -> Sequence[Quote]:
        """Those of ``source``, oldest first."""
        return tuple(self._bars[source])
