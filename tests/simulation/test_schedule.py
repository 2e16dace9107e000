"""Fates and the schedule: drawn per bar, and every closed bar accounted for."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barsync_async.simulation.candle import Candle
from barsync_async.simulation.faults import ending, source_faults
from barsync_async.simulation.scenario import FaultsTable, Scenario, parse_scenario
from barsync_async.simulation.schedule import Schedule, Sending
from barsync_async.units import NS_PER_MS, SourceId, WallMs

SPY, QQQ = SourceId("SPY_1s"), SourceId("QQQ_1s")
FLAT = Candle(1.0, 1.0, 1.0, 1.0, 0, 0, -1)
BARS = 100
shares = st.sampled_from([0.0, 0.1, 0.5, 1.0])


def scenario(seed: int = 1, /, **faults: Any) -> Scenario:
    return parse_scenario({"seed": seed, "defaults": faults, "sources": {SPY: {}, QQQ: {}}}, "x")


def uniform(max_ms: int) -> dict[str, Any]:
    return {"kind": "uniform", "max_ms": max_ms}


def sent(told: Scenario, *, bars: int = BARS) -> list[tuple[int, Sending]]:
    schedule = Schedule(source_faults(told))
    for step in range(bars):
        close_ns = (step + 1) * 1_000 * NS_PER_MS
        for source in (SPY, QQQ):
            timestamp = WallMs((step + 1) * 1_000)
            schedule.add(source, timestamp, FLAT, step=step, close_ns=close_ns)
    schedule.end()
    found = []
    while (due := schedule.next_at()) is not None:
        found += [(due, each) for each in schedule.take(due)]
    return found


def test_a_fate_depends_on_nothing_but_seed_source_and_step() -> None:
    told = scenario(delay=uniform(100), loss=0.3, duplicate=0.3, reorder=0.3)
    forward = [source_faults(told)[SPY].fate(step) for step in range(BARS)]
    faults = source_faults(told)
    for step in reversed(range(BARS)):
        faults[QQQ].fate(step)
        assert faults[SPY].fate(step) == forward[step]
    assert forward != [source_faults(told)[QQQ].fate(step) for step in range(BARS)]


def test_more_loss_leaves_the_delays_of_the_others() -> None:
    few = source_faults(scenario(delay=uniform(100), loss=0.1))[SPY]
    many = source_faults(scenario(delay=uniform(100), loss=0.6))[SPY]
    for step in range(BARS):
        assert few.fate(step).delay_ns == many.fate(step).delay_ns
        assert few.fate(step).lost <= many.fate(step).lost


@pytest.mark.parametrize("fault", ["loss", "duplicate", "reorder"])
def test_shares_come_out_as_told(fault: str) -> None:
    faults = source_faults(scenario(**{fault: 0.05}))[SPY]
    fates = [faults.fate(step) for step in range(10_000)]
    hits = {
        "loss": sum(fate.lost for fate in fates),
        "duplicate": sum(fate.again_ns is not None for fate in fates),
        "reorder": sum(fate.swapped for fate in fates),
    }
    assert 420 < hits.pop(fault) < 580
    assert set(hits.values()) == {0}


@given(st.integers(0, 2**32), shares, shares, shares, st.sampled_from([0, 50, 5_000]))
@settings(max_examples=50)
def test_every_closed_bar_is_sent_or_lost_and_sent_twice_if_so_fated(
    seed: int, loss: float, duplicate: float, reorder: float, max_ms: int
) -> None:
    told = scenario(seed, loss=loss, duplicate=duplicate, reorder=reorder, delay=uniform(max_ms))
    counts = Counter((each.source, each.timestamp, each.lost) for _, each in sent(told))
    faults = source_faults(told)
    for source in (SPY, QQQ):
        for step in range(BARS):
            fate = faults[source].fate(step)
            times = 2 if fate.again_ns is not None and not fate.lost else 1
            assert counts.pop((source, WallMs((step + 1) * 1_000), fate.lost)) == times
    assert not counts


@given(st.integers(0, 2**32), st.sampled_from([0, 500, 5_000]))
@settings(max_examples=30)
def test_delays_alone_never_change_a_sources_order(seed: int, max_ms: int) -> None:
    found = sent(scenario(seed, delay=uniform(max_ms), loss=0.1))
    for source in (SPY, QQQ):
        times = [each.timestamp for _, each in found if each.source == source]
        assert times == sorted(times)
    assert all(due >= each.timestamp * NS_PER_MS for due, each in found)


def test_a_swapped_bar_goes_out_right_behind_its_successor() -> None:
    found = [
        each.timestamp for _, each in sent(scenario(reorder=1.0), bars=5) if each.source == SPY
    ]
    assert found == [2_000, 1_000, 4_000, 3_000, 5_000]


def test_a_source_is_quiet_once_its_bar_has_left() -> None:
    schedule = Schedule(source_faults(scenario(delay={"kind": "constant", "ms": 10})))
    schedule.add(SPY, WallMs(1_000), FLAT, step=0, close_ns=0)
    assert not schedule.is_quiet(SPY, 9 * NS_PER_MS)
    assert schedule.is_quiet(SPY, 10 * NS_PER_MS)
    assert schedule.is_quiet(QQQ, 0)


def test_connections_end_around_the_told_time_and_some_abruptly() -> None:
    faults = FaultsTable(disconnect_every_s=45, disconnect_jitter=0.2, abrupt=0.5)
    endings = [ending(1, number, faults) for number in range(200)]
    assert endings == [ending(1, number, faults) for number in range(200)]
    assert all(each is not None and 36e9 <= each.after_ns <= 54e9 for each in endings)
    assert 60 < sum(each is not None and each.abrupt for each in endings) < 140
    assert ending(1, 1, FaultsTable()) is None
