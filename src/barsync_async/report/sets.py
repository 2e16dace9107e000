"""The outcome of every timestamp, in the order in which they were sealed."""

from array import array
from collections import Counter
from typing import get_args

import msgspec
import numpy as np
import numpy.typing as npt

from barsync_async.messages import SkipReason, Status, SynchronizedBars, SyncSkipped

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

OUTCOMES: tuple[str, ...] = (*get_args(Status), "skipped")
REASONS: tuple[str, ...] = ("", *get_args(SkipReason))


class SetSeries(msgspec.Struct, frozen=True):
    """One row a timestamp, sets and skips alike.

    ``outcome`` and ``reason`` are places in :data:`OUTCOMES` and :data:`REASONS`, ``present`` and
    ``missing`` counts of sources, ``wait_ms`` is from the slot's opening to its seal.
    """

    timestamp: Integers
    outcome: Integers
    reason: Integers
    present: Integers
    missing: Integers
    wait_ms: Floats

    @property
    def counts(self) -> dict[str, int]:
        """How many there were of each of :data:`OUTCOMES`."""
        counted = np.bincount(self.outcome, minlength=len(OUTCOMES))
        return dict(zip(OUTCOMES, counted.tolist(), strict=True))

    @property
    def reasons(self) -> dict[str, int]:
        """How many were skipped for each reason that there was."""
        counted = Counter(REASONS[place] for place in self.reason.tolist() if place)
        return dict(sorted(counted.items()))


class SetRecord:
    """Takes sets and skips in, one by one."""

    def __init__(self) -> None:
        self._timestamps = array("q")
        self._outcomes = array("q")
        self._reasons = array("q")
        self._present = array("q")
        self._missing = array("q")
        self._waits = array("d")

    def add_set(self, sealed: SynchronizedBars) -> None:
        """The next set; revisions are none."""
        self._add(sealed, sealed.status, "")

    def add_skip(self, skip: SyncSkipped) -> None:
        """The next timestamp that gave none."""
        self._add(skip, "skipped", skip.reason)

    def _add(self, sealed: SynchronizedBars | SyncSkipped, outcome: str, reason: str) -> None:
        self._timestamps.append(sealed.timestamp)
        self._outcomes.append(OUTCOMES.index(outcome))
        self._reasons.append(REASONS.index(reason))
        self._present.append(len(sealed.sources_present))
        self._missing.append(len(sealed.sources_missing))
        self._waits.append(sealed.wait_ms)

    def series(self) -> SetSeries:
        """All so far."""
        return SetSeries(
            timestamp=np.array(self._timestamps, dtype=np.int64),
            outcome=np.array(self._outcomes, dtype=np.int64),
            reason=np.array(self._reasons, dtype=np.int64),
            present=np.array(self._present, dtype=np.int64),
            missing=np.array(self._missing, dtype=np.int64),
            wait_ms=np.array(self._waits, dtype=np.float64),
        )
