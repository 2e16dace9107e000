"""Which bars of a stream without a closed flag are final.

Some venues (Coinbase candles, Kraken ohlc) send one state of a bar after another and never say
which was the last. A later bar of the same stream says it; where trading stops, the clock does, but
only for a connection that was heard after the bar's end: one that froze before may have kept the
last trades to itself.

Wall clocks get set. Set back, or behind the venue's: a bar waits longer, for its successor or for
its end to come again; none is lost or given out early. Ahead of the venue's by more than
``grace_ms``: bars look ended while they run, and the states that follow are given out as their
revisions. That cannot be told from here, so ``grace_ms`` has to cover what the clocks differ by.
"""

from collections.abc import Sequence

from barsync_async.messages import Bar
from barsync_async.units import TIMEFRAMES, WallMs
from barsync_async.venues.outcomes import Rejection

_LOOK_AGAIN_MS = 1_000  # a live connection of these venues is heard once a second
_CLOCKS_DIFFER_MS = 60_000


class Finality:
    """One source on one feed: states of running bars in, final bars out.

    Every state is given out, replaced by a newer state of its bar, refused, or forgotten with the
    connection that brought it; the states of one bar are expected in their order.

    Args:
        grace_ms: how long after its end a bar may still change on its way, the difference between
            the venue's clock and this one included; at least 0.

    Raises:
        ValueError: ``grace_ms`` is negative.
    """

    def __init__(self, grace_ms: int) -> None:
        if grace_ms < 0:
            raise ValueError(f"grace_ms is {grace_ms}; at least 0")
        self._grace_ms = grace_ms
        self._look_again_ms = max(grace_ms, _LOOK_AGAIN_MS)
        self._pending: Bar | None = None
        self._newest = -1  # the latest timestamp seen: every bar before it is over
        self._not_before = 0

    def on_running(self, bar: Bar, now: WallMs) -> Sequence[Bar | Rejection]:
        """A new state of a bar; gives, oldest first, the bars that are final now.

        - A bar later than the pending one: the pending one is final, and this one is held.
        - The newest bar of all again: its newest state is held in place of the one before. Was it
          given out already, it is given out again, unless the clock, set back since, says that it
          still runs.
        - An earlier bar: it is over, so this is a restatement (a snapshot after a reconnect, a
          revision) and given out as it is, with the same values too: who gets it counts
          duplicates.
        - A bar whose end is ``grace_ms`` past: final at once, whichever it is. So frames that
          waited longer than that to be read give out states that their successors revise.
        - A bar that ends more than one interval and a minute after ``now``: a
          :class:`~barsync_async.venues.outcomes.Rejection` (``future``) and not remembered, for it
          would make every bar before it look over. Not so the newest bar and the one behind it:
          where the clock was set back, what is pending must not miss its last states.
        """
        timestamp, length_ms = bar.timestamp, TIMEFRAMES[bar.timeframe].length_ms
        if timestamp > max(now + _CLOCKS_DIFFER_MS, self._newest) + length_ms:
            return (Rejection("future", f"{bar.source} of {timestamp} at {now}"),)
        if timestamp < self._newest:
            return (bar,)
        final = self._overtaken_by(timestamp)
        self._newest = timestamp
        if now >= timestamp + self._grace_ms:
            return (*final, self._give_out(bar))
        self._pending = bar
        self._not_before = 0
        return final

    def due_at(self) -> WallMs | None:
        """When to call :meth:`on_clock` next; None while no bar is pending.

        It is the pending bar's timestamp plus ``grace_ms``. After a look that found the connection
        unheard it is that look plus ``grace_ms``, or plus a second where that is longer.
        """
        if self._pending is None:
            return None
        return WallMs(max(self._pending.timestamp + self._grace_ms, self._not_before))

    def on_clock(self, now: WallMs, heard_at: WallMs | None) -> Sequence[Bar]:
        """It is ``now``; gives the pending bar if that makes it final.

        It is final ``grace_ms`` after its end, provided that its connection was heard at or after
        its end. It may be called at any time, before :meth:`due_at` too, and should be whenever the
        wall clock was set; what was read until ``now`` is to be given in first.

        Args:
            now: the wall time.
            heard_at: the wall time of the newest frame of any kind, a heartbeat too, on the
                connection that brought the pending bar; None where there was none. One after
                ``now`` was stamped by a clock that was set back since and proves nothing.
        """
        bar = self._pending
        if bar is None:
            return ()
        is_due = now >= bar.timestamp + self._grace_ms
        if is_due and heard_at is not None and bar.timestamp <= heard_at <= now:
            return (self._give_out(bar),)
        self._not_before = now + self._look_again_ms if is_due else 0
        return ()

    def on_lost(self) -> None:
        """The connection ended. The pending bar may lack its last trades and is forgotten; the next
        connection's snapshot, or a backfill, brings it. What was seen stays known.
        """
        self._pending = None

    def _overtaken_by(self, timestamp: WallMs) -> tuple[Bar, ...]:
        pending = self._pending
        return () if pending is None or pending.timestamp == timestamp else (pending,)

    def _give_out(self, bar: Bar) -> Bar:
        self._pending = None
        return bar
