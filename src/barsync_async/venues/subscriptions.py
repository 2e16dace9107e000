"""Subscriptions at a venue whose errors name no source: what was asked for, what became of it.

One request is under way at a time, so that an answer belongs to it. A request for several sources
that the venue refuses as a whole is asked again in halves, until the one to blame stands alone.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from barsync_async.units import SourceId

Request = tuple[SourceId, ...]


def in_requests(sources: Sequence[SourceId], most: int) -> list[Request]:
    """``sources`` in their order, at most ``most`` in a request."""
    return [tuple(sources[start : start + most]) for start in range(0, len(sources), most)]


class Subscriptions:
    """The sources of ``requests``, each until the venue confirmed or refused it."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self._waiting = deque(requests)
        self._pending = dict.fromkeys(source for each in self._waiting for source in each)
        self._asked: Request = ()

    @property
    def pending(self) -> list[SourceId]:
        """Neither confirmed nor refused yet."""
        return list(self._pending)

    @property
    def asked(self) -> Request:
        """The request that is under way, without what was confirmed of it; empty where none is."""
        return self._asked

    def next_request(self) -> Request:
        """What to ask for now; empty where a request is under way, or nothing is left."""
        if self._asked:
            return ()
        while self._waiting and not self._asked:
            self._asked = self._still_pending(self._waiting.popleft())
        return self._asked

    def confirm(self, sources: Iterable[SourceId]) -> Request:
        """The venue confirmed ``sources``: those of them that nothing was known of."""
        confirmed = self._still_pending(sources)
        self._settle(confirmed)
        self._asked = self._still_pending(self._asked)
        return confirmed

    def narrow(self) -> Request:
        """The request that is under way was refused: the source to blame, which is now settled.
        Empty where it may be any of several; these come again as requests, in halves.
        """
        asked, self._asked = self._asked, ()
        if len(asked) == 1:
            self._settle(asked)
            return asked
        middle = len(asked) // 2
        self._waiting.extendleft(half for half in (asked[middle:], asked[:middle]) if half)
        return ()

    def give_up_request(self) -> Request:
        """What is left of the request that is under way is refused."""
        asked, self._asked = self._asked, ()
        self._settle(asked)
        return asked

    def give_up(self) -> Request:
        """All that is neither confirmed nor refused is refused."""
        left = tuple(self._pending)
        self._pending.clear()
        self._asked = ()
        return left

    def _settle(self, sources: Iterable[SourceId]) -> None:
        for source in sources:
            self._pending.pop(source, None)

    def _still_pending(self, sources: Iterable[SourceId]) -> Request:
        return tuple(source for source in sources if source in self._pending)
