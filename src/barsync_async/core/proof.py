"""What a feed has proved absent: a later bar of a source says that no earlier one will come.

That holds on one connection of one feed. Where several feeds carry a source, each must have said
so; a feed whose bars come in no order says nothing, nor does one that is still asking the venue for
the bars that it missed.
"""

from collections.abc import Mapping, Sequence

from barsync_async.units import SourceId

NOTHING = 0
"""No timestamp is below it."""

SLOW = 1 << 62
"""Stands in :attr:`Proof.through` for a source that needs a closer look: it is above any bar."""


class Proof:
    """How far each source is known to have no further bars.

    ``through[i]`` is that timestamp for a source of one ordered feed, and :data:`SLOW` for all
    others; the caller may write to the former in place of calling :meth:`delivered`.
    """

    def __init__(
        self,
        sources: Sequence[SourceId],
        feeds: Mapping[SourceId, tuple[str, ...]],
        unordered: frozenset[str],
    ) -> None:
        self._carriers = [feeds.get(source, ()) for source in sources]
        self._unordered = unordered
        self._catching_up: set[str] = set()
        self.through = [NOTHING if self._is_plain(each) else SLOW for each in self._carriers]
        self._newest: dict[tuple[int, str], int] = {}

    def _is_plain(self, carriers: tuple[str, ...]) -> bool:
        return len(carriers) <= 1 and not self._unordered.intersection(carriers)

    def is_shared(self, index: int) -> bool:
        """Whether several feeds carry source ``index``."""
        return len(self._carriers[index]) > 1

    def carriers(self, index: int) -> tuple[str, ...]:
        """The feeds of source ``index``; none where none is named."""
        return self._carriers[index]

    def known(self, index: int) -> int:
        """No bar of source ``index`` for a timestamp below this will come."""
        plain = self.through[index]
        if plain != SLOW:
            return plain
        carriers = self._carriers[index]
        if not (self._unordered | self._catching_up).isdisjoint(carriers):
            return NOTHING
        return min(self._newest.get((index, feed), NOTHING) for feed in carriers)

    def delivered(self, index: int, feed: str | None, timestamp: int) -> None:
        """``feed`` delivered a bar of source ``index`` for ``timestamp``; where feeds are named, a
        bar of none of them proves nothing.
        """
        carriers = self._carriers[index]
        if carriers and feed not in carriers:
            return
        if self.through[index] != SLOW:
            self.through[index] = max(self.through[index], timestamp)
        elif feed is not None:
            key = (index, feed)
            self._newest[key] = max(self._newest.get(key, NOTHING), timestamp)

    def reset(self, feed: str) -> None:
        """``feed`` has a new connection: what it may send again is open."""
        self._catching_up.discard(feed)
        for index, carriers in enumerate(self._carriers):
            if feed in carriers:
                self._newest.pop((index, feed), None)
                if self._is_plain(carriers):
                    self.through[index] = NOTHING

    def catch_up(self, feed: str) -> None:
        """``feed`` asks for the bars that it missed: until :meth:`caught_up` it proves nothing."""
        self._catching_up.add(feed)
        for index in self._carried_by(feed):
            self.through[index] = SLOW

    def caught_up(self, feed: str) -> Sequence[int]:
        """What ``feed`` has delivered since is proof again; gives its sources."""
        if feed not in self._catching_up:
            return ()
        self._catching_up.discard(feed)
        carried = self._carried_by(feed)
        for index in carried:
            if self._is_plain(self._carriers[index]):
                self.through[index] = self._newest.pop((index, feed), NOTHING)
        return carried

    def _carried_by(self, feed: str) -> Sequence[int]:
        return [index for index, carriers in enumerate(self._carriers) if feed in carriers]
