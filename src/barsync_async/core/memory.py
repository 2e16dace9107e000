"""What is remembered of timestamps that are over: to tell a repetition from news, and to amend."""

from collections import OrderedDict
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import TypeVar

from barsync_async.core.slot import Slot
from barsync_async.messages import Bar, is_same
from barsync_async.units import MonoNs, WallMs

K = TypeVar("K")
V = TypeVar("V")

_Key = tuple[WallMs, int]


class Memory:
    """The newest ``size`` released slots; and for each of ``sources`` about as many late bars of
    timestamps that had no slot, and bars that belong to no set.
    """

    def __init__(self, size: int, sources: int) -> None:
        self._size = size
        self._most_bars = size * sources
        self._released: OrderedDict[WallMs, Slot] = OrderedDict()
        self._strays: OrderedDict[_Key, Bar] = OrderedDict()
        self._between: OrderedDict[_Key, Bar] = OrderedDict()
        self._unsettled: list[_Key] = []
        self._first_feed: OrderedDict[_Key, str] = OrderedDict()

    def first_feed(self, index: int, timestamp: WallMs, feed: str) -> str:
        """The feed that was the first to bring this bar; ``feed``, where there was none."""
        first = self._first_feed.setdefault((timestamp, index), feed)
        _keep_newest(self._first_feed, self._most_bars)
        return first

    def following(self, index: int, timestamp: WallMs) -> Bar | None:
        """The first bar of no set later than ``timestamp``."""
        later = [key for key in self._unsettled if key[1] == index and key[0] > timestamp]
        return self._between.get(min(later)) if later else None

    def has_before(self, index: int, timestamp: WallMs) -> bool:
        """Whether a bar of no set is to be carried into that of ``timestamp``."""
        return any(key[1] == index and key[0] < timestamp for key in self._unsettled)

    def between(self, index: int, timestamp: WallMs) -> Bar | None:
        """The bar of no set for ``timestamp``."""
        return self._between.get((timestamp, index))

    def release(self, slot: Slot) -> None:
        """``slot`` is out."""
        self._released[slot.timestamp] = slot
        _keep_newest(self._released, self._size)

    def released(self, timestamp: WallMs) -> Slot | None:
        """The slot of ``timestamp``, if it had one that is still remembered."""
        return self._released.get(timestamp)

    def sealed_after(self, timestamp: WallMs) -> MonoNs | None:
        """When the next later slot was sealed, for a timestamp that had none."""
        later = min((when for when in self._released if when > timestamp), default=None)
        return None if later is None else self._released[later].sealed_at

    def stray(self, index: int, timestamp: WallMs) -> Bar | None:
        """The newest late bar for a timestamp that had no slot."""
        return self._strays.get((timestamp, index))

    def keep_stray(self, index: int, bar: Bar) -> None:
        """A late bar for a timestamp that had no slot."""
        self._strays[bar.timestamp, index] = bar
        _keep_newest(self._strays, self._most_bars)

    def put_between(self, index: int, bar: Bar) -> Bar | None:
        """A bar that belongs to no set; gives what stood there before."""
        key = (bar.timestamp, index)
        held = self._between.get(key)
        if is_same(held, bar):
            return held
        self._between[key] = bar
        heappush(self._unsettled, key)
        _keep_newest(self._between, self._most_bars)
        if len(self._unsettled) > self._most_bars:
            heappop(self._unsettled)
        return held

    @property
    def has_unsettled(self) -> bool:
        """Whether there are bars of no set that none was told of yet."""
        return bool(self._unsettled)

    def settle_between(self, timestamp: WallMs) -> Iterator[tuple[int, Bar]]:
        """The bars of no set up to ``timestamp``, oldest first, each as it is now."""
        while self._unsettled and self._unsettled[0][0] <= timestamp:
            key = heappop(self._unsettled)
            if key in self._between:
                yield key[1], self._between[key]


def _keep_newest(memory: OrderedDict[K, V], count: int) -> None:
    """Forget the oldest entry where there are more than ``count``."""
    if len(memory) > count:
        memory.popitem(last=False)  # a dict would look for it past all that were forgotten before
