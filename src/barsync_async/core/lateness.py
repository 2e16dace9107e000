"""Bars that come after their set was sealed: told, remembered and, by policy, amended."""

from barsync_async.core.cells import Cells
from barsync_async.core.memory import Memory
from barsync_async.core.publication import Publication
from barsync_async.core.slot import Slot, State
from barsync_async.core.spec import SynchronizerSpec
from barsync_async.messages import Bar, LateBar, SynchronizedBars
from barsync_async.units import NS_PER_MS, Instant, WallMs, to_ms


class Lateness:
    """What becomes of late bars.

    Args:
        spec: whether they amend their sets, and for how long.
        memory: what is remembered of released slots.
        publication: makes the revisions.
    """

    def __init__(self, spec: SynchronizerSpec, memory: Memory, publication: Publication) -> None:
        self._amends = spec.late == "amend"
        self._allowed_ns = round(spec.allowed_lateness_ms * NS_PER_MS)
        self._memory = memory
        self._publication = publication

    def take(
        self, bar: Bar, index: int, slot: Slot | None, now: Instant
    ) -> list[LateBar | SynchronizedBars]:
        """A late bar for ``slot``, or for a timestamp that had none: what is to be said of it."""
        late_ns = self._late_by(bar.timestamp, slot, now)
        amends = slot is not None and self._amends and late_ns <= self._allowed_ns
        action = "amended" if amends else "dropped"
        told = LateBar(timestamp=bar.timestamp, bar=bar, late_by_ms=to_ms(late_ns), action=action)
        if slot is None:
            self._memory.keep_stray(index, bar)
            return [told]
        slot.late = {**(slot.late or {}), index: bar}
        if not amends:
            return [told]
        if slot.state is not State.RELEASED:
            slot.amending.append((index, bar))
            return [told]
        return [told, *self._amend(slot, index, bar)]

    def _late_by(self, timestamp: WallMs, slot: Slot | None, now: Instant) -> int:
        sealed_at = self._memory.sealed_after(timestamp) if slot is None else slot.sealed_at
        return 0 if sealed_at is None else max(0, now.mono - sealed_at)

    def release(self, slot: Slot, cells: Cells) -> list[SynchronizedBars]:
        """``slot`` went out with ``cells``: the revisions by the late bars that came before."""
        if not self._amends:
            return []
        slot.final = list(cells)
        return [
            revised for index, bar in slot.amending for revised in self._amend(slot, index, bar)
        ]

    def _amend(self, slot: Slot, index: int, bar: Bar) -> list[SynchronizedBars]:
        """The set of a released slot again, with a late bar in it; nothing where it is still not
        one that is published.
        """
        if slot.final is None:
            return []
        slot.final[index] = bar
        slot.cells = [*slot.cells]  # the list may be what the synchronizer knows of every source
        slot.cells[index] = bar
        revised = self._publication.revised(slot, slot.final)
        return [] if revised is None else [revised]
