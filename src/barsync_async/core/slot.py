"""The life of one timestamp, as a table.

::

    state      event      next state
    ---------  ---------  ----------
    OPEN       PROOF      SEALED     every due source delivered, or is proved absent
    OPEN       DEADLINE   SEALED     the deadline passed
    OPEN       CROWDED    SEALED     more than max_open slots: the oldest gives way
    OPEN       END        SEALED     the stream ends
    SEALED     HOLD       HELD       a missing cell is to be interpolated: wait for the next bar
    HELD       PROOF      SEALED     every next bar is there
    HELD       DEADLINE   SEALED     the hold ended
    HELD       CROWDED    SEALED     as above
    HELD       END        SEALED     as above
    SEALED     RELEASE    RELEASED   every earlier slot is released: the set goes out

There is no way back to OPEN: what comes for a sealed timestamp is late.
"""

from enum import Enum, auto

from barsync_async.core.alignment import Due
from barsync_async.messages import Bar
from barsync_async.units import MonoNs, WallMs


class State(Enum):
    """Where a slot is in its life."""

    __hash__ = object.__hash__  # Enum's own is written in Python, and asked for by every slot

    OPEN = auto()
    SEALED = auto()
    HELD = auto()
    RELEASED = auto()


class Cause(Enum):
    """What moves a slot on."""

    __hash__ = object.__hash__

    PROOF = auto()
    DEADLINE = auto()
    CROWDED = auto()
    END = auto()
    HOLD = auto()
    RELEASE = auto()


_SEALING = (Cause.PROOF, Cause.DEADLINE, Cause.CROWDED, Cause.END)

TRANSITIONS = {
    **{(State.OPEN, cause): State.SEALED for cause in _SEALING},
    **{(State.HELD, cause): State.SEALED for cause in _SEALING},
    (State.SEALED, Cause.HOLD): State.HELD,
    (State.SEALED, Cause.RELEASE): State.RELEASED,
}

NOBODY: frozenset[int] = frozenset()


class Slot:
    """One timestamp's cells while they come in, and what became of them.

    ``cells[i]`` is the fresh bar of source ``i``, ``arrived[i]`` the wall time of its arrival, 0
    before it. ``due[i]`` is 1 where it is waited for; ``waiting`` counts those of them that neither
    delivered nor are proved ``absent``. ``excluded`` are the sources that would be due and are not
    waited for; ``for_everyone`` says that all sources would be due. ``quick[i]`` is 1 where nothing
    but its delivery is to be noted of a first bar; it may be all 0. ``late`` holds the newest late
    bar of a source, so that its repetition is known as such. ``final`` are the cells of the set as
    last published, for amendments. ``slept``: the machine slept through it, and nothing came.
    """

    __slots__ = (
        "absent",
        "amending",
        "arrived",
        "cells",
        "deadline",
        "due",
        "excluded",
        "final",
        "first_at",
        "for_everyone",
        "late",
        "needs",
        "opened_at",
        "quick",
        "revision",
        "sealed_at",
        "slept",
        "state",
        "timestamp",
        "waiting",
    )

    def __init__(
        self, timestamp: WallMs, opened_at: MonoNs, deadline: MonoNs, sources: int, pattern: Due
    ) -> None:
        self.timestamp = timestamp
        self.opened_at = opened_at
        self.deadline = deadline
        self.cells: list[Bar | None] = [None] * sources
        self.arrived = pattern.no_arrivals[:]
        self.due: bytes | bytearray = pattern.flags
        self.quick: bytes = pattern.none
        self.waiting = pattern.count
        self.for_everyone = pattern.is_everyone
        self.absent: set[int] | frozenset[int] = NOBODY
        self.excluded: set[int] | frozenset[int] = NOBODY
        self.first_at: MonoNs | None = None
        self.state = State.OPEN
        self.sealed_at = opened_at
        self.slept = False
        self.needs: set[int] | frozenset[int] = NOBODY
        self.late: dict[int, Bar] | None = None
        self.final: list[Bar | None] | None = None
        self.revision = 0
        self.amending: list[tuple[int, Bar]] = []

    def move(self, cause: Cause) -> None:
        """Take the transition that ``cause`` names; KeyError where the table has none."""
        self.state = TRANSITIONS[self.state, cause]

    def lacks(self, index: int) -> bool:
        """Whether source ``index`` is due here and has not delivered."""
        return bool(self.due[index]) and self.cells[index] is None

    @property
    def is_complete(self) -> bool:
        """Whether some source is due and all that are have delivered."""
        return not self.waiting and not self.absent and (not self.excluded or any(self.due))

    @property
    def is_whole(self) -> bool:
        """Whether all sources were due and delivered: no cell is empty."""
        return self.for_everyone and not (self.waiting or self.absent or self.excluded)

    @property
    def is_proved(self) -> bool:
        """Whether nothing more is to be waited for."""
        return not self.waiting and (not self.excluded or any(self.due))

    def missing(self) -> list[int]:
        """The due sources that have not delivered."""
        return [
            index
            for index, (cell, due) in enumerate(zip(self.cells, self.due, strict=True))
            if due and cell is None
        ]

    def newest(self, index: int) -> Bar | None:
        """The newest bar of source ``index`` for this timestamp, in time or late."""
        late = self.late.get(index) if self.late else None
        return late or self.cells[index]

    def prove_absent(self, index: int) -> None:
        """Source ``index``, which is due and has not delivered, will not."""
        if index not in self.absent:
            self.absent = _own(self.absent)
            self.absent.add(index)
            self.waiting -= 1

    def exclude(self, index: int) -> None:
        """Wait no longer for source ``index``, which is due and has not delivered."""
        self.quick = bytes(len(self.due))
        self.due = _own_flags(self.due)
        self.due[index] = 0
        self.excluded = _own(self.excluded)
        self.excluded.add(index)
        if not self._found(index):
            self.waiting -= 1

    def deliver(self, index: int, bar: Bar) -> None:
        """A first bar of source ``index``, whether it is waited for, proved absent or excluded."""
        self.cells[index] = bar
        if index in self.excluded:
            self.excluded = _own(self.excluded)
            self.excluded.discard(index)
            self.due = _own_flags(self.due)
            self.due[index] = 1
        elif not self._found(index):
            self.waiting -= 1

    def _found(self, index: int) -> bool:
        """Whether ``index`` was proved absent; it is no longer."""
        if index not in self.absent:
            return False
        self.absent = _own(self.absent)
        self.absent.discard(index)
        return True

    @property
    def wait_ns(self) -> int:
        """From the opening to the seal."""
        return max(0, self.sealed_at - self.opened_at)

    @property
    def lag_ns(self) -> int:
        """How long after its deadline it was sealed; 0 where it was sealed before."""
        return max(0, self.sealed_at - self.deadline)


def _own(indices: set[int] | frozenset[int]) -> set[int]:
    return indices if isinstance(indices, set) else set(indices)


def _own_flags(flags: bytes | bytearray) -> bytearray:
    return flags if isinstance(flags, bytearray) else bytearray(flags)
