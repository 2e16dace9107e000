"""What is counted, and histograms of bounded size."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.scene import MS, NOON, Scene, some_bar

from barsync_async.core.cells import aged
from barsync_async.core.statistics import BOUNDS_MS, Counters, Histogram, Histograms
from barsync_async.units import SourceId, WallMs

A, B = SourceId("A_1m"), SourceId("B_1m")
MICROSECOND = 0.001
NINE_PER_CENT = 2 ** (1 / 8)


def histogram(*durations_ms: float) -> Histogram:
    some = Histograms(1)
    some.add(np.zeros(len(durations_ms), dtype=int), durations_ms)
    return some.row(0)


def test_bounds_rise_by_nine_per_cent_from_a_microsecond() -> None:
    assert BOUNDS_MS[:2] == (0.0, MICROSECOND)
    steps = [later / earlier for earlier, later in pairwise(BOUNDS_MS[1:])]
    assert steps == pytest.approx([NINE_PER_CENT] * len(steps))
    assert BOUNDS_MS[-1] > 3_600_000, "an hour can be told from more"


def test_a_histogram_has_one_count_for_each_bound() -> None:
    found = histogram(1.0)
    assert found.bounds_ms is BOUNDS_MS
    assert len(found.counts) == len(BOUNDS_MS)


@given(st.floats(0, 1e12))
def test_a_duration_is_counted_from_its_lower_bound_up_to_its_upper(duration: float) -> None:
    found = histogram(duration)
    place = found.counts.index(1)
    assert found.count == 1
    assert found.bounds_ms[place - 1] <= duration
    assert duration < found.bounds_ms[place] or place == len(found.bounds_ms) - 1


def test_a_duration_on_a_bound_belongs_above_it() -> None:
    for place in (1, 80, 160):
        assert histogram(BOUNDS_MS[place]).counts[place + 1] == 1


def test_a_negative_duration_counts_as_none_and_an_endless_one_as_the_longest() -> None:
    assert histogram(-5.0) == histogram(0.0)
    assert histogram(1e300).counts[-1] == 1


@given(
    st.lists(st.floats(MICROSECOND, 3_600_000), min_size=1, max_size=200),
    st.sampled_from([0.01, 0.5, 0.9, 0.99, 0.999, 1.0]),
)
def test_a_quantile_is_within_nine_per_cent_of_the_exact_one(
    durations: list[float], share: float
) -> None:
    exact = np.quantile(durations, share, method="inverted_cdf")
    found = histogram(*durations).quantile(share)
    assert exact <= found <= exact * NINE_PER_CENT * 1.000001


def test_a_quantile_of_nothing_is_no_number() -> None:
    assert math.isnan(histogram().quantile(0.5))


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert histogram(1e300).quantile(1.0) == BOUNDS_MS[-1]


def test_rows_are_counted_apart_and_repetitions_all() -> None:
    some = Histograms(2)
    some.add([0, 1, 1, 1], [1.0, 1.0, 1.0, 2.0])
    assert (some.row(0).count, some.row(1).count) == (1, 3)
    assert max(some.row(1).counts) == 2


def test_lags_are_measured_where_a_bar_came_and_by_source() -> None:
    counters = Counters((A, B))
    counters.sealed(NOON, [NOON + 20, 0], 5 * MS, None)
    counters.sealed(NOON, [NOON + 20, NOON + 40], 5 * MS, 3 * MS)
    found = counters.by_source([None, None])
    assert (found[A].lag.count, found[B].lag.count) == (2, 1)
    assert found[B].lag.quantile(1.0) == pytest.approx(40, rel=0.1)


def test_every_wait_is_measured_and_an_overshoot_only_of_a_deadline() -> None:
    counters = Counters((A,))
    counters.sealed(NOON, [NOON], 50 * MS, None)
    counters.sealed(NOON, [NOON], 70 * MS, 3 * MS)
    record = counters.record(0)
    assert (record.wait.count, record.overshoot.count) == (2, 1)
    assert record.wait.quantile(1.0) == pytest.approx(70, rel=0.1)
    assert record.overshoot.quantile(1.0) == pytest.approx(3, rel=0.1)
    assert counters.record(0) == record, "what was read once is not counted twice"


def test_what_waits_to_be_counted_is_bounded() -> None:
    counters = Counters((A, B))
    most = 0
    for _ in range(20_000):
        counters.sealed(NOON, [NOON, NOON], MS, MS)
        most = max(most, len(counters._waiting))
    assert most < 8_192
    assert (counters.record(0).wait.count, counters.record(0).overshoot.count) == (20_000, 20_000)
    assert counters.by_source([None, None])[B].lag.count == 20_000


def test_filled_counts_filled_and_interpolated_cells_by_source() -> None:
    counters = Counters((A, B))
    fresh = some_bar("A_1m")
    old = [aged(fresh, WallMs(NOON), each) for each in ("filled", "interpolated", "carried")]
    for cells in ([old[0], None], [old[1], fresh], [old[2], old[0]]):
        counters.count_filled(cells)
    assert counters.filled == [2, 1]
    assert counters.record(0).filled == 3


def test_every_bar_is_counted_as_one_thing_in_total_and_for_its_source() -> None:
    scene = Scene("A_1m", "B_1m", timeout_ms=100)
    scene.bar("A_1m", 0, 1.0)  # accepted
    scene.bar("A_1m", 0, 2.0)  # corrected
    scene.bar("A_1m", 0, 2.0)  # duplicate
    scene.pass_ms(100)
    scene.bar("B_1m", 0)  # late
    scene.bar("B_1m", 0.5, feed="x")  # off the grid
    scene.bar("C_1m", 0)  # of no source
    counted = scene.core.statistics()
    assert (counted.received, counted.accepted, counted.corrected) == (6, 1, 1)
    assert (counted.duplicate, counted.late, counted.rejected) == (1, 1, 2)
    assert counted.rejected_by == {"off_grid": 1, "unknown_source": 1}
    assert counted.skips_by == {"incomplete": 1}
    assert (counted.sets_by, counted.open_slots) == ({}, 0)
    a, b = scene.core.source_statistics().values()
    assert (a.received, a.accepted, a.corrected, a.duplicate) == (3, 1, 1, 1)
    assert (b.received, b.late, b.rejected, b.conflicts) == (2, 1, 1, 0)
    assert (a.status, b.status) == ("live", "live")


def test_a_record_does_not_change_afterwards() -> None:
    scene = Scene("A_1m")
    before = scene.core.statistics()
    scene.bar("A_1m", 0)
    scene.bar("C_1m", 0)
    assert (before.accepted, before.rejected_by, before.sets_by) == (0, {}, {})
