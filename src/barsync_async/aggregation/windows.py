"""Which windows are open, which past ones are remembered, and which are known in full.

::

    state     event                                                            next
    --------  ---------------------------------------------------------------  --------
    open      what it holds or what came after it proves that it is over       given
    open      the clock, covered, and the connection was heard after its end   given
    open      the clock, not covered                                           given up
    open      more than ``keep`` later ones are open as well                   given up
    given     something new about it                                           given (revised)
    given up  something new about it makes it complete                         given
    given, given up   ``keep`` later ones are past as well                     forgotten

A window is *covered* while the connection is up and has been, unbroken, since before it began:
then what did not arrive did not happen.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from barsync_async.aggregation.outcomes import GivenUp, GivenUpReason
from barsync_async.messages import Bar, is_same
from barsync_async.units import WallMs

_LOOK_AGAIN_MS = 1_000

CLOCKS_DIFFER_MS = 60_000
"""What a feed's clock may be ahead of this one before its news counts as the future's."""

MOST_VOLUME = 1e300
"""A larger volume is no record of trades, and could make a sum overflow."""


class Content(Protocol):
    """What a window holds, which is not nothing."""

    def bar(self, end: WallMs) -> Bar | None:
        """The bar of all that is known; None where no price of it is."""


C = TypeVar("C", bound=Content)


class Window(Generic[C]):
    """The window that ends at ``end``, exclusively.

    ``is_open`` until it is first given or given up; ``was_given``: what it holds was known to be
    all that there is; ``given`` is the bar that it gave last; ``patient_until`` is the wall time
    before which it is not given up.
    """

    def __init__(self, end: WallMs, content: C, due_at: int) -> None:
        self.end = end
        self.content = content
        self.due_at = due_at
        self.patient_until = due_at
        self.not_before = 0
        self.is_open = True
        self.was_given = False
        self.given: Bar | None = None


class Windows(Generic[C]):
    """The windows of one stream.

    Args:
        length_ms: of every window.
        grace_ms: how long after its end a window may be waited for; at least 0.
        keep: how many past windows are remembered, and how many may be open beside the newest; at
            least 1.
        lead_ms: how long before a window begins the connection must be up to cover it.
        content: makes what a new window holds.

    Raises:
        ValueError: ``grace_ms`` or ``keep`` is too small.
    """

    def __init__(
        self,
        length_ms: int,
        grace_ms: int,
        keep: int,
        lead_ms: int,
        content: Callable[[], C],
    ) -> None:
        if grace_ms < 0:
            raise ValueError(f"grace_ms is {grace_ms}; at least 0")
        if keep < 1:
            raise ValueError(f"keep is {keep} windows; at least 1")
        self._span_ms = length_ms + lead_ms
        self._grace_ms = grace_ms
        self._look_again_ms = max(grace_ms, _LOOK_AGAIN_MS)
        self._keep = keep
        self._content = content
        self._up_since: WallMs | None = None
        self._open: dict[WallMs, Window[C]] = {}
        self._past: dict[WallMs, Window[C]] = {}
        self._forgotten = -1  # the end of the latest window that is remembered no more

    def on_connection(self, *, up: bool, now: WallMs) -> None:
        """A connection begins, also where one was up, or the one there was has ended."""
        self._up_since = now if up else None

    def at(self, end: WallMs) -> Window[C] | None:
        """The window that ends at ``end``, opened if it is new; None where it is forgotten."""
        window = self._open.get(end) or self._past.get(end)
        if window is None and end > self._forgotten:
            window = Window(end, self._content(), end + self._grace_ms)
            self._open[end] = window
        return window

    def open(self) -> Sequence[Window[C]]:
        """The open windows, oldest first."""
        return [self._open[end] for end in sorted(self._open)]

    def covers(self, window: Window[C]) -> bool:
        """Whether the connection has been up, unbroken, since before ``window`` began."""
        return self._up_since is not None and self._up_since <= window.end - self._span_ms

    def due_at(self) -> WallMs | None:
        """When the clock could settle the first of the open windows; None where none is open."""
        due = (max(self._due_at(window), window.not_before) for window in self._open.values())
        earliest = min(due, default=None)
        return None if earliest is None else WallMs(earliest)

    def give(self, window: Window[C]) -> Iterator[Bar]:
        """The bar of ``window``, if it has one, and not the one given last; an open window is past
        now.
        """
        bar = window.content.bar(window.end)
        window.was_given = True
        if window.is_open:
            self._settle(window)
        if bar is not None and not is_same(window.given, bar):
            window.given = bar
            yield bar

    def give_up(self, window: Window[C], reason: GivenUpReason = "incomplete") -> GivenUp:
        """The open ``window`` is past, without a bar."""
        self._settle(window)
        return GivenUp(window.end, reason)

    def on_clock(self, now: WallMs, heard_at: WallMs | None) -> Iterator[Bar | GivenUp]:
        """Settle the open windows that the clock can settle, oldest first."""
        for window in self.open():
            latest = max(window.due_at, now + self._grace_ms)  # the clock may have been set back
            window.patient_until = min(window.patient_until, latest)
            if now < self._due_at(window):
                window.not_before = 0
            elif not self.covers(window):
                yield self.give_up(window)
            elif heard_at is not None and window.end <= heard_at <= now:
                yield from self.give(window)
            else:
                window.not_before = now + self._look_again_ms

    def make_room(self) -> Iterator[GivenUp]:
        """Give up the oldest open windows where there are too many."""
        for window in self.open()[: -1 - self._keep]:
            yield self.give_up(window, "crowded")

    def _due_at(self, window: Window[C]) -> int:
        return window.due_at if self.covers(window) else window.patient_until

    def _settle(self, window: Window[C]) -> None:
        window.is_open = False
        self._past[window.end] = self._open.pop(window.end)
        if len(self._past) > self._keep:
            oldest = min(self._past)
            del self._past[oldest]
            self._forgotten = max(self._forgotten, oldest)
