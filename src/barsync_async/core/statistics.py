"""What a synchronizer counted: mutable while it runs, an immutable record for whoever asks."""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from barsync_async.messages import Bar, SourceStatus
from barsync_async.units import NS_PER_MS, SourceId

_PER_OCTAVE = 8
_OCTAVES = 32
_BUCKETS = _PER_OCTAVE * _OCTAVES + 2
_WAITING = 16_384
_STAND_INS = frozenset({"filled", "interpolated"})

Counts = npt.NDArray[np.int64]


class Histogram(msgspec.Struct, frozen=True):
    """How often each size of a duration was seen; in bounded space.

    ``counts[i]`` is the number of durations from ``bounds_ms[i - 1]`` up to, and without,
    ``bounds_ms[i]``; eight buckets an octave, so a quantile is known to 9 per cent.
    """

    bounds_ms: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many durations there were."""
        return sum(self.counts)

    def quantile(self, share: float) -> float:
        """The upper bound in ms of the bucket in which a share (0 to 1) of all is reached; NaN of
        nothing.
        """
        if not self.count:
            return float("nan")
        place = int(np.searchsorted(np.cumsum(self.counts), share * self.count, side="left"))
        return self.bounds_ms[min(place, len(self.bounds_ms) - 1)]


BOUNDS_MS = (
    0.0,
    *(2.0 ** (step / _PER_OCTAVE) / 1_000 for step in range(_PER_OCTAVE * _OCTAVES + 1)),
)
"""0, then a microsecond to 71 minutes."""

_BUCKET_OF_MS = np.searchsorted(BOUNDS_MS, np.arange(4_096.0), side="right")
"""That of each whole number of milliseconds in the first four seconds."""


class Histograms:
    """One histogram for each of ``rows`` things; values are taken in bulk.

    All things' counts of one bucket lie together: most are touched together, and few are.
    """

    def __init__(self, rows: int) -> None:
        self._counts: Counts = np.zeros((_BUCKETS, rows), dtype=np.int64)

    def add(self, rows: npt.ArrayLike, durations_ms: npt.ArrayLike) -> None:
        """Count one duration for each of ``rows``; both of one shape."""
        values = np.maximum(np.asarray(durations_ms, dtype=np.float64), 0.0)
        buckets = np.searchsorted(BOUNDS_MS, values, side="right")
        self._count(np.asarray(rows), np.minimum(buckets, _BUCKETS - 1))

    def add_whole(self, rows: Counts, durations_ms: Counts) -> None:
        """As :meth:`add`, of whole milliseconds: what is short, and most are, is looked up."""
        is_short = durations_ms < len(_BUCKET_OF_MS)
        self._count(rows[is_short], _BUCKET_OF_MS[np.maximum(durations_ms[is_short], 0)])
        self.add(rows[~is_short], durations_ms[~is_short])

    def _count(self, rows: Counts, buckets: Counts) -> None:
        np.add.at(self._counts.reshape(-1), buckets * self._counts.shape[1] + rows, 1)

    def row(self, row: int) -> Histogram:
        """The histogram of one thing."""
        return Histogram(BOUNDS_MS, tuple(self._counts[:, row].tolist()))


class SourceStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one source since the start; ``lag`` is from its bars' ends to their arrivals.

    ``received == accepted + corrected + duplicate + late + rejected``.
    """

    received: int
    accepted: int
    corrected: int
    duplicate: int
    late: int
    rejected: int
    conflicts: int
    filled: int
    status: str
    lag: Histogram


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The counts since the start.

    ``received == accepted + corrected + duplicate + late + rejected``, always. ``conflicts`` are
    among the rejected, ``filled`` counts filled and interpolated cells. ``rejected_by`` and
    ``skips_by`` count by reason, ``sets_by`` by status. ``crowded`` counts the slots sealed early
    because more than ``max_open`` were unreleased. ``wait`` is from a slot's opening to its seal,
    ``overshoot`` from the deadline to the seal of those sealed at it.
    """

    received: int
    accepted: int
    corrected: int
    duplicate: int
    late: int
    rejected: int
    conflicts: int
    filled: int
    revised: int
    rejected_by: Mapping[str, int]
    sets_by: Mapping[str, int]
    skips_by: Mapping[str, int]
    crowded: int
    open_slots: int
    wait: Histogram
    overshoot: Histogram


class Counters:
    """What is counted while it runs; the lists are by source."""

    def __init__(self, sources: Sequence[SourceId]) -> None:
        count = len(sources)
        self._sources = sources
        self.accepted = [0] * count
        self.corrected = [0] * count
        self.duplicate = [0] * count
        self.late = [0] * count
        self.rejected = [0] * count
        self.conflicts = [0] * count
        self.filled = [0] * count
        self.revised = 0
        self.crowded = 0
        self.rejected_by: Counter[str] = Counter()
        self.sets_by: Counter[str] = Counter()
        self.skips_by: Counter[str] = Counter()
        self._lags = Histograms(count)
        self._durations = Histograms(2)
        self._waiting: list[int] = []  # the closes of slots, and in a row the arrivals in them
        self._arrivals = array("q")
        self._waits: list[int] = []
        self._overshoots: list[int] = []

    def sealed(
        self, timestamp: int, arrived: Iterable[int], wait_ns: int, lag_ns: int | None
    ) -> None:
        """A slot is over: ``arrived`` are the wall times of its bars, 0 where none came;
        ``lag_ns`` is None where it was not sealed at its deadline.
        """
        self._waiting.append(timestamp)
        self._arrivals.extend(arrived)
        self._waits.append(wait_ns)
        if lag_ns is not None:
            self._overshoots.append(lag_ns)
        if len(self._arrivals) >= _WAITING:
            self._work_off()

    def count_filled(self, cells: Sequence[Bar | None]) -> None:
        """These cells were settled: note those that stand in for a bar."""
        for index, cell in enumerate(cells):
            if cell is not None and cell.provenance in _STAND_INS:
                self.filled[index] += 1

    def _work_off(self) -> None:
        """Bring what was put aside into the histograms: in bulk it costs little."""
        if not self._waiting:
            return
        arrived = np.array(self._arrivals).reshape(len(self._waiting), -1)
        closes = np.array(self._waiting, dtype=np.int64)
        slots, sources = np.nonzero(arrived)
        self._lags.add_whole(sources, arrived[slots, sources] - closes[slots])
        for row, durations in enumerate((self._waits, self._overshoots)):
            ms = np.array(durations, dtype=np.float64) / NS_PER_MS
            self._durations.add(np.full(len(ms), row), ms)
            durations.clear()
        self._waiting.clear()
        self._arrivals = array("q")

    def record(self, open_slots: int) -> Statistics:
        """The container's counts, as they are now."""
        self._work_off()
        totals = [sum(each) for each in (self.accepted, self.corrected, self.duplicate, self.late)]
        rejected = self.rejected_by.total()
        return Statistics(
            received=sum(totals) + rejected,
            accepted=totals[0],
            corrected=totals[1],
            duplicate=totals[2],
            late=totals[3],
            rejected=rejected,
            conflicts=sum(self.conflicts),
            filled=sum(self.filled),
            revised=self.revised,
            rejected_by=dict(self.rejected_by),
            sets_by=dict(self.sets_by),
            skips_by=dict(self.skips_by),
            crowded=self.crowded,
            open_slots=open_slots,
            wait=self._durations.row(0),
            overshoot=self._durations.row(1),
        )

    def by_source(
        self, status: Sequence[SourceStatus | None]
    ) -> Mapping[SourceId, SourceStatistics]:
        """The counts of every source, as they are now."""
        self._work_off()
        return {
            source: self._source(index, status[index]) for index, source in enumerate(self._sources)
        }

    def _source(self, index: int, status: SourceStatus | None) -> SourceStatistics:
        counted = (self.accepted, self.corrected, self.duplicate, self.late, self.rejected)
        values = [each[index] for each in counted]
        return SourceStatistics(
            received=sum(values),
            accepted=values[0],
            corrected=values[1],
            duplicate=values[2],
            late=values[3],
            rejected=values[4],
            conflicts=self.conflicts[index],
            filled=self.filled[index],
            status="live" if status is None else status.status,
            lag=self._lags.row(index),
        )
