"""In which order the bars of a file stand, and how they come out: ascending."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from barsync_async.messages import Bar
from barsync_async.units import WallMs
from barsync_async.venues.history_rows import HistoryItem
from barsync_async.venues.outcomes import Rejection

FileOrder = Literal["ascending", "descending", "mixed"]


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole file holds.

    ``first`` and ``last`` are the least and the greatest timestamp, None without a bar;
    ``closest_ms`` is the least time between a bar and the next, None without two.
    ``out_of_order`` counts the bars of a ``mixed`` file that step against its direction,
    ``contradictions`` those that differ from their neighbour of the same timestamp, of which
    ``contradicted`` is the first. ``first_rejection`` says what the first row that is no bar has
    wrong.
    """

    bars: int
    rejections: int
    first: WallMs | None
    last: WallMs | None
    closest_ms: int | None
    order: FileOrder
    out_of_order: int
    contradictions: int
    contradicted: WallMs | None
    first_rejection: Rejection | None


class Surveyor:
    """Looks at items one by one, in the order of the file, and remembers none."""

    def __init__(self) -> None:
        self._bars = self._rejections = self._up = self._down = self._contradictions = 0
        self._previous: Bar | None = None
        self._contradicted: WallMs | None = None
        self._first: WallMs | None = None
        self._last: WallMs | None = None
        self._closest_ms: int | None = None
        self._first_rejection: Rejection | None = None

    def look(self, item: HistoryItem) -> None:
        """Take the next item in."""
        if isinstance(item, Bar):
            self._look_at(item)
        else:
            self._rejections += 1
            self._first_rejection = self._first_rejection or item

    def _look_at(self, bar: Bar) -> None:
        self._bars += 1
        timestamp, previous = bar.timestamp, self._previous or bar
        self._up += timestamp > previous.timestamp
        self._down += timestamp < previous.timestamp
        if timestamp == previous.timestamp and bar != previous:
            self._contradictions += 1
            self._contradicted = self._contradicted or timestamp
        if apart_ms := abs(timestamp - previous.timestamp):
            self._closest_ms = min(apart_ms, self._closest_ms or apart_ms)
        self._previous = bar
        self._first = timestamp if self._first is None else min(self._first, timestamp)
        self._last = timestamp if self._last is None else max(self._last, timestamp)

    def result(self) -> Survey:
        """What was seen so far."""
        return Survey(
            bars=self._bars,
            rejections=self._rejections,
            first=self._first,
            last=self._last,
            closest_ms=self._closest_ms,
            order=self._order(),
            out_of_order=min(self._up, self._down),
            contradictions=self._contradictions,
            contradicted=self._contradicted,
            first_rejection=self._first_rejection,
        )

    def _order(self) -> FileOrder:
        if not self._down:
            return "ascending"
        return "mixed" if self._up else "descending"


def ascending(items: Iterable[HistoryItem]) -> Sequence[HistoryItem]:
    """``items`` by timestamp; equal ones stay in the order of the file.

    A rejection has no timestamp: it stays behind the bar that it followed in the file.
    """
    return [item for _, item in sorted(_keyed(items), key=lambda pair: pair[0])]


def _keyed(items: Iterable[HistoryItem]) -> Iterator[tuple[int, HistoryItem]]:
    key = -1
    for item in items:
        if isinstance(item, Bar):
            key = item.timestamp
        yield key, item
