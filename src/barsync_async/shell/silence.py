"""Sources from which nothing comes though their connection lives: a subscription gone silent."""

from collections.abc import Iterator, Mapping

from barsync_async.shell.producer import Producer
from barsync_async.units import TIMEFRAMES, SourceId, WallMs, split_source

_BARS = 3
_LEAST_MS = 60_000


class SilentSources:
    """Knows which sources are silent, and which of them are news.

    A source is silent once nothing came, and it is subscribed, for as long as three bars and a
    minute.
    """

    def __init__(self, producers: Mapping[SourceId, Producer]) -> None:
        self._producers = producers
        self._patience_ms = {
            source: _BARS * TIMEFRAMES[split_source(source)[1]].length_ms + _LEAST_MS
            for source in producers
        }
        self._known: set[SourceId] = set()
        self.look_every_ms = min(self._patience_ms.values(), default=_LEAST_MS) // 2

    def news(self, subscribed_at: WallMs, now: WallMs) -> list[SourceId]:
        """The sources that were not silent at the last look and are now."""
        silent = set(self._silent(subscribed_at, now))
        news = sorted(silent - self._known)
        self._known = silent
        return news

    def _silent(self, subscribed_at: WallMs, now: WallMs) -> Iterator[SourceId]:
        for source, producer in self._producers.items():
            heard_at = max(subscribed_at, producer.last_at or 0)
            if now - heard_at > self._patience_ms[source]:
                yield source
