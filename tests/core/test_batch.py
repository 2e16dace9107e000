"""The batch helper is the core, driven by the bars' own moments."""

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.driver import Driver
from tests.oracle import Arrived, Rules

from barsync_async.core.batch import synchronize
from barsync_async.core.spec import SynchronizerSpec
from barsync_async.messages import Bar, LateBar, SynchronizedBars, SyncSkipped
from barsync_async.testing import create_bar
from barsync_async.units import NS_PER_MS, SourceId

SOURCES = ("A_1s", "B_1s", "C_5s")
START = 1_800_000_000_000
SPEC = SynchronizerSpec(expected_sources=frozenset(map(SourceId, SOURCES)), require_all=False)


def shown(outcomes: Iterable[object]) -> list[tuple[int, str]]:
    sets = [each for each in outcomes if isinstance(each, SynchronizedBars)]
    return [((each.timestamp - START) // 1_000, each.status) for each in sets]


def test_without_moments_sets_are_decided_by_bars_alone() -> None:
    bars = [
        create_bar("A_1s", START),
        create_bar("B_1s", START),
        create_bar("C_5s", START),
        create_bar("A_1s", START + 1_000),
        create_bar("A_1s", START + 2_000),
        create_bar("B_1s", START + 2_000),
        create_bar("A_1s", START + 3_000),
    ]
    outcomes = list(synchronize(bars, SPEC))
    assert shown(outcomes) == [(0, "complete"), (1, "partial"), (2, "complete"), (3, "partial")]


def test_nothing_comes_out_of_nothing() -> None:
    assert list(synchronize([], SPEC)) == []


def test_it_takes_one_bar_after_the_other_from_an_endless_iterable() -> None:
    def endless() -> Iterator[Bar]:
        second = 0
        while True:
            for source in ("A_1s", "B_1s"):
                yield create_bar(source, START + second * 1_000 + 1_000)
            second += 1

    spec = SynchronizerSpec(expected_sources=frozenset(map(SourceId, ("A_1s", "B_1s"))))
    outcomes = synchronize(endless(), spec)
    assert [next(outcomes).timestamp for _ in range(3)] == [
        START + 1_000,
        START + 2_000,
        START + 3_000,
    ]


def test_moments_that_go_back_are_refused() -> None:
    bars = [create_bar("A_1s", START), create_bar("B_1s", START)]
    moments = iter([START + 5.0, START + 4.0])
    with pytest.raises(ValueError, match="B_1s of 1800000000000 arrived before the bar before it"):
        list(synchronize(bars, SPEC, arrival_ms=lambda _: next(moments)))


def test_with_close_deadlines_every_timestamp_has_its_event() -> None:
    spec = SynchronizerSpec(
        expected_sources=frozenset({SourceId("A_1s")}), deadline_from="close", require_all=False
    )
    bars = [create_bar("A_1s", START), create_bar("A_1s", START + 4_000)]
    outcomes = list(synchronize(bars, spec, arrival_ms=lambda bar: bar.timestamp + 10))
    main = [each for each in outcomes if isinstance(each, SynchronizedBars | SyncSkipped)]
    assert [(each.timestamp - START) // 1_000 for each in main] == [0, 1, 2, 3, 4]


def test_close_deadlines_without_moments_are_refused() -> None:
    spec = SynchronizerSpec(expected_sources=SPEC.expected_sources, deadline_from="close")
    with pytest.raises(ValueError, match="needs arrival_ms"):
        list(synchronize([create_bar("A_1s", START)], spec))


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[int, Bar]]:
    now, found = 0, []
    for _ in range(draw(st.integers(0, 25))):
        now += draw(st.sampled_from([0, 1, 50, 100, 101, 900]))
        source = draw(st.sampled_from(SOURCES))
        span = 5_000 if source == "C_5s" else 1_000
        timestamp = START + draw(st.integers(0, 10_000 // span)) * span
        found.append((now, create_bar(source, timestamp, draw(st.sampled_from([1.0, 2.0])))))
    return found


@given(arrivals())
def test_with_moments_it_says_what_the_driven_core_says(day: list[tuple[int, Bar]]) -> None:
    moments = iter([START + after for after, _ in day])
    outcomes = list(synchronize([bar for _, bar in day], SPEC, arrival_ms=lambda _: next(moments)))
    inputs = [
        Arrived(after * NS_PER_MS, bar.source, bar.timestamp, bar.close) for after, bar in day
    ]
    driver = Driver(Rules(SOURCES, 100 * NS_PER_MS, require_all=False), START)
    end = max((each.at for each in inputs), default=0)
    driven = [outcome for _, outcome in driver.run(inputs, end - 1, finish=False)]
    driver.now = end
    driven += driver.core.on_end(driver.instant())
    kinds = (SynchronizedBars, SyncSkipped, LateBar)
    assert [each for each in outcomes if isinstance(each, kinds)] == [
        each for each in driven if isinstance(each, kinds)
    ]
