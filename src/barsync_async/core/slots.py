"""All slots that are not released yet, in the order of their timestamps."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence

from barsync_async.core.slot import Cause, Slot, State
from barsync_async.messages import Bar
from barsync_async.units import MonoNs, WallMs


class Slots:
    """The open slots, and the sealed ones that wait for earlier ones or for an interpolation.

    ``open`` and ``deadlines`` may be looked at, by timestamp; a held slot has a deadline too.
    ``sole`` is the open slot where it is the only one here.
    """

    def __init__(self) -> None:
        self.open: dict[WallMs, Slot] = {}
        self.deadlines: dict[WallMs, MonoNs] = {}
        self.order: list[WallMs] = []
        self.sole: Slot | None = None
        self._sealed: dict[WallMs, Slot] = {}

    def is_sealed(self, timestamp: WallMs) -> bool:
        """Whether its slot is sealed and not released."""
        return timestamp in self._sealed

    def sealed(self, timestamp: WallMs) -> Slot | None:
        """Its slot, where that is sealed and not released."""
        return self._sealed.get(timestamp)

    def add(self, slot: Slot) -> bool:
        """A new open slot; whether there is a later one already."""
        timestamp = slot.timestamp
        self.open[timestamp] = slot
        self.deadlines[timestamp] = slot.deadline
        self.sole = None if self.order else slot
        is_older = bool(self.order) and timestamp < self.order[-1]
        if is_older:
            insort(self.order, timestamp)
        else:
            self.order.append(timestamp)
        return is_older

    def put_off(self, slot: Slot, deadline: MonoNs) -> None:
        """An open slot has another deadline."""
        slot.deadline = self.deadlines[slot.timestamp] = deadline

    def seal(self, slot: Slot, cause: Cause, now: MonoNs) -> None:
        """Nothing that comes from now on is part of the set."""
        slot.move(cause)
        slot.sealed_at = now
        timestamp = slot.timestamp
        del self.open[timestamp], self.deadlines[timestamp]
        self._sealed[timestamp] = slot
        self.sole = None

    def hold(self, slot: Slot, needs: set[int], until: MonoNs) -> None:
        """Keep a sealed slot for the next bars of ``needs``."""
        slot.move(Cause.HOLD)
        slot.needs = needs
        self.deadlines[slot.timestamp] = until

    def end_hold(self, slot: Slot, cause: Cause) -> None:
        """It is kept no longer."""
        slot.move(cause)
        del self.deadlines[slot.timestamp]

    def end_holds(self, index: int, timestamp: WallMs) -> None:
        """A bar of source ``index`` for ``timestamp`` came: earlier held slots may need no more."""
        for slot in self._sealed.values():
            if index in slot.needs and slot.timestamp < timestamp:
                slot.needs = slot.needs - {index}
                if not slot.needs and slot.state is State.HELD:
                    self.end_hold(slot, Cause.PROOF)

    def take_ready(self, before: WallMs | None) -> Iterator[Slot]:
        """The sealed slots up to ``before`` that no earlier one keeps, each no longer here when it
        is given. ``before`` is a timestamp that has yet to get its slot; None: there is none.
        """
        order, sealed = self.order, self._sealed
        while order and (slot := sealed.get(order[0])) is not None and slot.state is State.SEALED:
            if before is not None and slot.timestamp > before:
                return
            del order[0], sealed[slot.timestamp]
            self.sole = self.open.get(order[0]) if len(order) == 1 else None
            yield slot

    def oldest_unsettled(self) -> WallMs | None:
        """The first slot that is open or held."""
        for slot in self._all(self.order):
            if slot.state is not State.SEALED:
                return slot.timestamp
        return None

    def open_within(self, start: int, end: int) -> list[Slot]:
        """The open slots from ``start`` up to, and without, ``end``."""
        found = self.order[bisect_left(self.order, start) : bisect_left(self.order, end)]
        return [self.open[timestamp] for timestamp in found if timestamp in self.open]

    def has_before(self, index: int, timestamp: WallMs) -> bool:
        """Whether a slot before ``timestamp`` has a bar of source ``index`` that came in time."""
        earlier = self.order[: bisect_left(self.order, timestamp)]
        return any(slot.cells[index] is not None for slot in self._all(earlier))

    def following(self, index: int, timestamp: WallMs) -> Bar | None:
        """The first bar of source ``index`` that came in time for one after ``timestamp``."""
        later = self.order[bisect_right(self.order, timestamp) :]
        bars = (slot.cells[index] for slot in self._all(later))
        return next((bar for bar in bars if bar is not None), None)

    def _all(self, timestamps: Sequence[WallMs]) -> Iterator[Slot]:
        for timestamp in timestamps:
            yield self.open.get(timestamp) or self._sealed[timestamp]
