"""Which bars of a feed are refused: off the grid, of the future, or at odds with a twin."""

from collections.abc import Callable

from barsync_async.core.alignment import Alignment
from barsync_async.core.memory import Memory
from barsync_async.core.proof import Proof
from barsync_async.messages import Bar, is_same
from barsync_async.units import Instant, WallMs


class Admission:
    """The guards.

    Args:
        alignment: the grids.
        max_future_ms: how far a timestamp may lie beyond the wall clock plus one base interval.
        proof: knows which sources several feeds carry.
        memory: remembers which feed was the first with a bar.
        known: the newest bar of a source for a timestamp, wherever it is.
    """

    def __init__(
        self,
        alignment: Alignment,
        max_future_ms: int,
        proof: Proof,
        memory: Memory,
        known: Callable[[WallMs, int], Bar | None],
    ) -> None:
        self._alignment = alignment
        self._ahead_ms = alignment.base.length_ms + max_future_ms
        self._proof = proof
        self._memory = memory
        self._known = known

    def refusal(self, bar: Bar, index: int, now: Instant, feed: str | None) -> str | None:
        """Why a bar is no bar of this container; what the program makes itself is not refused."""
        if feed is None:
            return None
        if not self._alignment.is_on_grid(index, bar.timestamp):
            return "off_grid"
        if self._is_future(bar.timestamp, now):
            return "future"
        twin = self._twin(bar, index, feed)
        return "conflict" if twin is not None and not is_same(twin, bar) else None

    def refuses_none(self, timestamp: WallMs, now: Instant) -> bool:
        """Whether every feed's bar for ``timestamp`` passes, if its source is due and no other feed
        carries it.
        """
        return self._alignment.is_on_base_grid(timestamp) and not self._is_future(timestamp, now)

    def _is_future(self, timestamp: WallMs, now: Instant) -> bool:
        return timestamp > now.wall + self._ahead_ms

    def _twin(self, bar: Bar, index: int, feed: str) -> Bar | None:
        """What is known of this bar from another feed, which was the first to bring it."""
        if not self._proof.is_shared(index):
            return None
        first = self._memory.first_feed(index, bar.timestamp, feed)
        return None if first == feed else self._known(bar.timestamp, index)
