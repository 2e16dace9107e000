"""Fewer points for a chart, without losing what the eye looks for.

A line of ever so many points is cut into buckets of equally many; of each bucket its first, its
lowest, its highest and its last point are kept. So peaks and troughs stay what and where they are
(M4: Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014).
"""

from itertools import pairwise

import numpy as np

from barsync_async.report.sets import OUTCOMES, Floats, Integers, SetSeries

BUCKETS = 500
"""So many a line has in a chart: about one for each point of a screen that a chart is wide."""

_KEPT = 4
MOST_POINTS = _KEPT * BUCKETS


def kept_points(values: Floats, buckets: int = BUCKETS) -> Integers:
    """The places of the points of a line that are kept, ascending; all, where they are few.

    Args:
        values: the line; NaN is neither low nor high.
        buckets: into how many it is cut; at most four times as many points are kept.
    """
    count = len(values)
    if count <= _KEPT * buckets:
        return np.arange(count, dtype=np.int64)
    edges = np.linspace(0, count, buckets + 1).astype(np.int64)
    kept = [_of_bucket(values, int(a), int(b)) for a, b in pairwise(edges)]
    return np.unique(np.concatenate(kept))


def _of_bucket(values: Floats, first: int, end: int) -> Integers:
    bucket = values[first:end]
    low = int(np.argmin(np.where(np.isnan(bucket), np.inf, bucket)))
    high = int(np.argmax(np.where(np.isnan(bucket), -np.inf, bucket)))
    return np.array([first, first + low, first + high, end - 1], dtype=np.int64)


def completeness(sets: SetSeries, buckets: int) -> tuple[Integers, Integers]:
    """How many timestamps had which outcome, in at most ``buckets`` runs of equally many.

    Returns:
        The first timestamp of each run, shape (runs,), and the counts, shape (runs, 4), in the
        order of :data:`~barsync_async.report.sets.OUTCOMES`.
    """
    count = len(sets.timestamp)
    length = max(1, -(-count // buckets))
    runs = np.arange(count) // length
    counts = np.zeros((-(-count // length), len(OUTCOMES)), dtype=np.int64)
    np.add.at(counts, (runs, sets.outcome), 1)
    return sets.timestamp[::length], counts
