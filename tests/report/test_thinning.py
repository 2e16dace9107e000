"""Fewer points for a chart: what the eye looks for stays."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.report.sets import OUTCOMES, SetSeries
from barsync_async.report.thinning import BUCKETS, MOST_POINTS, completeness, kept_points

LINES = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=400)


@given(LINES, st.integers(1, 20))
def test_the_ends_and_the_extremes_of_a_line_are_kept(values: list[float], buckets: int) -> None:
    line = np.array(values)
    places = kept_points(line, buckets)
    assert [*places] == sorted({*places.tolist()})
    assert len(places) <= max(4 * buckets, 1)
    assert {0, len(values) - 1} <= {*places.tolist()}
    numbers = line[~np.isnan(line)]
    if len(numbers):
        kept = line[places][~np.isnan(line[places])]
        assert (kept.min(), kept.max()) == (numbers.min(), numbers.max())


@given(LINES)
def test_each_run_keeps_its_own_extremes(values: list[float]) -> None:
    line, buckets = np.array(values), 7
    kept = {*kept_points(line, buckets).tolist()}
    edges = [len(values) * number // buckets for number in range(buckets + 1)]
    for first, end in pairwise(edges):
        run = [each for each in range(first, end) if not np.isnan(line[each])]
        if run and len(values) > 4 * buckets:
            seen = [line[each] for each in run if each in kept]
            assert min(seen) == min(line[each] for each in run)
            assert max(seen) == max(line[each] for each in run)


def test_a_line_of_few_points_is_drawn_whole() -> None:
    assert len(kept_points(np.zeros(MOST_POINTS))) == MOST_POINTS
    assert len(kept_points(np.arange(100_000.0))) <= 4 * BUCKETS


@given(st.lists(st.integers(0, 3), min_size=1, max_size=300), st.integers(1, 50))
def test_every_timestamp_is_in_one_run_of_the_completeness(
    outcomes: list[int], buckets: int
) -> None:
    count = len(outcomes)
    zeros = np.zeros(count, dtype=np.int64)
    stamps = np.arange(count, dtype=np.int64) * 60_000
    sets = SetSeries(stamps, np.array(outcomes), zeros, zeros, zeros, np.zeros(count))
    starts, counts = completeness(sets, buckets)
    assert len(starts) == len(counts) <= buckets
    assert counts.sum(axis=0).tolist() == [outcomes.count(each) for each in range(len(OUTCOMES))]
    for start, row, end in zip(starts, counts, [*starts[1:], count * 60_000], strict=True):
        inside = outcomes[start // 60_000 : end // 60_000]
        assert row.tolist() == [inside.count(each) for each in range(len(OUTCOMES))]
