"""The life of one timestamp, as a table.

::

    state      event      next state
    ---------  ---------  ----------
    OPEN       PROOF      SEALED     every due source delivered
    OPEN       DEADLINE   SEALED     the deadline passed
    OPEN       CROWDED    SEALED     more than max_open slots: the oldest gives way
    OPEN       END        SEALED     the stream ends
    SEALED     RELEASE    RELEASED   every earlier slot is released: the set goes out

There is no way back: what comes for a sealed timestamp is late.
"""

from enum import Enum, auto

from barsync_async.messages import Bar
from barsync_async.units import MonoNs, WallMs


class State(Enum):
    """Where a slot is in its life."""

    OPEN = auto()
    SEALED = auto()
    RELEASED = auto()


class Cause(Enum):
    """What moves a slot on."""

    PROOF = auto()
    DEADLINE = auto()
    CROWDED = auto()
    END = auto()
    RELEASE = auto()


TRANSITIONS = {
    (State.OPEN, Cause.PROOF): State.SEALED,
    (State.OPEN, Cause.DEADLINE): State.SEALED,
    (State.OPEN, Cause.CROWDED): State.SEALED,
    (State.OPEN, Cause.END): State.SEALED,
    (State.SEALED, Cause.RELEASE): State.RELEASED,
}


class Slot:
    """One timestamp's cells while they come in, and what became of them.

    ``cells[i]`` is the fresh bar of source ``i``; ``waiting`` counts the due sources without one.
    ``late`` holds the newest late bar of a source, so that its repetition is known as such.
    """

    __slots__ = (
        "cells",
        "deadline",
        "late",
        "opened_at",
        "sealed_at",
        "state",
        "timestamp",
        "waiting",
    )

    def __init__(
        self, timestamp: WallMs, opened_at: MonoNs, deadline: MonoNs, sources: int, due: int
    ) -> None:
        self.timestamp = timestamp
        self.opened_at = opened_at
        self.deadline = deadline
        self.cells: list[Bar | None] = [None] * sources
        self.waiting = due
        self.state = State.OPEN
        self.sealed_at = opened_at
        self.late: dict[int, Bar] = {}

    def move(self, cause: Cause) -> None:
        """Take the transition that ``cause`` names; KeyError where the table has none."""
        self.state = TRANSITIONS[self.state, cause]

    def seal(self, cause: Cause, now: MonoNs) -> None:
        """Nothing that comes from now on is part of the set."""
        self.move(cause)
        self.sealed_at = now

    @property
    def wait_ns(self) -> int:
        """From the opening to the seal."""
        return self.sealed_at - self.opened_at

    @property
    def lag_ns(self) -> int:
        """How long after its deadline it was sealed; 0 where it was sealed before."""
        return max(0, self.sealed_at - self.deadline)
