"""Sources from which nothing comes though their connection lives: a subscription gone silent."""

from collections.abc import Collection, Iterator, Mapping

from barsync_async.shell.feeds.producer import Producer
from barsync_async.units import NS_PER_MS, TIMEFRAMES, MonoNs, SourceId, split_source

_BARS = 3
_LEAST_MS = 60_000
_MOST_DOUBLED = 10


class SilentSources:
    """Knows which sources are silent, and which of them are news.

    A source is silent once nothing came, and it is subscribed, for as long as three bars and a
    minute. One that was news and of which nothing came since is news again only after twice as
    long, each time: another connection does not make a market trade. All by the monotonic clock:
    a wall clock that is set ahead makes nobody silent.
    """

    def __init__(self, producers: Mapping[SourceId, Producer]) -> None:
        self._producers = producers
        self._patience_ms = {
            source: _BARS * TIMEFRAMES[split_source(source)[1]].length_ms + _LEAST_MS
            for source in producers
        }
        self._known: set[SourceId] = set()
        self._told: dict[SourceId, tuple[MonoNs | None, int]] = {}
        self.look_every_ms = min(self._patience_ms.values(), default=_LEAST_MS) // 2

    def news(
        self, subscribed_at: MonoNs, now: MonoNs, *, refused: Collection[SourceId] = ()
    ) -> list[SourceId]:
        """The sources that were not silent at the last look and are now; of those ``refused``
        nothing is expected.
        """
        silent = dict(self._silent(subscribed_at, now))
        for source in refused:
            silent.pop(source, None)
        self._known.intersection_update(silent)
        news = sorted(
            source
            for source, silent_ms in silent.items()
            if source not in self._known
            and silent_ms > self._patience_ms[source] << self._times_told(source)
        )
        for source in news:
            times = min(self._times_told(source) + 1, _MOST_DOUBLED)
            self._told[source] = self._producers[source].last_at, times
        self._known.update(news)
        return news

    def _silent(self, subscribed_at: MonoNs, now: MonoNs) -> Iterator[tuple[SourceId, int]]:
        """Which, and for how many ms."""
        for source, producer in self._producers.items():
            last_at = subscribed_at if producer.last_at is None else producer.last_at
            silent_ms = (now - max(subscribed_at, last_at)) // NS_PER_MS
            if silent_ms > self._patience_ms[source]:
                yield source, silent_ms

    def _times_told(self, source: SourceId) -> int:
        """How often it was news since its last bar."""
        last_at, times = self._told.get(source, (None, 0))
        return times if last_at == self._producers[source].last_at else 0
