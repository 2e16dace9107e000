"""When slots open and fall due: from their first bar, or by the wall clock."""

from collections.abc import Callable

from barsync_async.core.alignment import Alignment
from barsync_async.core.slot import Slot
from barsync_async.core.slots import Slots
from barsync_async.core.spec import SynchronizerSpec
from barsync_async.units import NS_PER_MS, Instant, MonoNs, WallMs


class Timing:
    """Sets the deadlines of ``slots``.

    With ``deadline_from = "close"`` the clock has yet to open the slot of ``next_close``; until
    then the moment of that stands among the deadlines.

    Args:
        spec: from what deadlines are counted, and how far.
        alignment: which timestamps there are.
        slots: those in play.
        is_over: whether a timestamp had its slot.
    """

    def __init__(
        self,
        spec: SynchronizerSpec,
        alignment: Alignment,
        slots: Slots,
        is_over: Callable[[WallMs], bool],
    ) -> None:
        self.by_clock = spec.deadline_from == "close"
        self.next_close: WallMs | None = None
        self._timeout_ns = round(spec.timeout_ms * NS_PER_MS)
        self._min_wait_ns = round(spec.min_wait_ms * NS_PER_MS)
        self._alignment = alignment
        self._slots = slots
        self._is_over = is_over
        self._stepped_at = MonoNs(0)

    def start(self, now: Instant) -> None:
        """The first slot that the clock opens is the next one."""
        if self.by_clock:
            self.await_close(self._alignment.next_slot(now.wall), now)

    def opening(self, timestamp: WallMs, now: Instant) -> MonoNs:
        """When the clock showed ``timestamp``; not before it was last set."""
        return MonoNs(max(self._mono_at(timestamp, now), self._stepped_at))

    def deadline(self, timestamp: WallMs, opened_at: MonoNs, now: Instant) -> MonoNs:
        """That of a slot that opens, without a bar yet."""
        since = self._mono_at(timestamp, now) if self.by_clock else opened_at
        return MonoNs(since + self._timeout_ns)

    def note_first(self, slot: Slot, now: Instant) -> None:
        """The first bar of an open slot is there."""
        slot.first_at = now.mono
        slot.opened_at = min(slot.opened_at, now.mono)
        if self.by_clock:
            self._put_off(slot, now)

    def step(self, now: Instant) -> None:
        """The wall clock was set: count anew from it."""
        if self.by_clock:
            self._stepped_at = now.mono
            for slot in self._slots.open.values():
                self._put_off(slot, now)
            self.await_close(self.next_close, now)

    def await_close(self, timestamp: WallMs | None, now: Instant) -> None:
        """The clock is to open the slot of ``timestamp`` next, or the first one after it that had
        none; None: it opens no more.
        """
        deadlines = self._slots.deadlines
        if self.next_close is not None and self.next_close not in self._slots.open:
            deadlines.pop(self.next_close, None)
        while timestamp is not None and self._has_slot(timestamp):
            timestamp = self._alignment.next_slot(timestamp)
        self.next_close = timestamp
        if timestamp is not None:
            deadlines[timestamp] = self._mono_at(timestamp, now)

    def _has_slot(self, timestamp: WallMs) -> bool:
        return timestamp in self._slots.open or self._is_over(timestamp)

    def _put_off(self, slot: Slot, now: Instant) -> None:
        deadline = self.deadline(slot.timestamp, slot.opened_at, now)
        if slot.first_at is not None:
            deadline = MonoNs(max(deadline, slot.first_at + self._min_wait_ns))
        self._slots.put_off(slot, deadline)

    def _mono_at(self, wall: int, now: Instant) -> MonoNs:
        return MonoNs(now.mono - now.rest_ns + (wall - now.wall) * NS_PER_MS)
