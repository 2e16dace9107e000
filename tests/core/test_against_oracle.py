"""The core against the oracle, on days that hypothesis makes up."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracle import Arrived, Oracle, Rules, Written

from barsync_async.core.synchronizer import Outcome, Synchronizer, SynchronizerSpec
from barsync_async.messages import SynchronizedBars, SyncSkipped
from barsync_async.testing import create_bar
from barsync_async.units import NS_PER_MS, Instant, MonoNs, SourceId, WallMs

TIMEOUT_NS = 100 * NS_PER_MS
MINUTE = 60_000
SOURCES = ("A_1m", "B_1m", "C_3m", "D_5m", "E_1m")


def run_core(core: Synchronizer, arrivals: list[Arrived], end: int) -> list[Outcome]:
    """Drive the core as a shell does: deadlines fall when they pass, bars first at a tie."""
    out: list[Outcome] = []

    def let_time_pass(now: int) -> None:
        while passed := [(d, t) for t, d in core.deadlines.items() if d < now]:
            deadline, timestamp = min(passed)
            out.extend(core.on_deadline(timestamp, Instant(deadline, WallMs(0))))
            check(core, out)

    for arrival in sorted(arrivals, key=lambda each: each.at):
        let_time_pass(arrival.at)
        bar = create_bar(arrival.source, arrival.timestamp, arrival.value)
        out.extend(core.on_bar(bar, Instant(MonoNs(arrival.at), WallMs(0))))
        check(core, out)
    let_time_pass(end)
    return out


def check(core: Synchronizer, out: list[Outcome]) -> None:
    counted = core.statistics()
    assert counted.received == (
        counted.accepted + counted.corrected + counted.duplicate + counted.late + counted.rejected
    )
    main = [each for each in out if isinstance(each, SynchronizedBars | SyncSkipped)]
    times = [each.timestamp for each in main]
    assert times == sorted(set(times))
    for each in main:
        if isinstance(each, SynchronizedBars):
            assert all(bar.timestamp <= each.timestamp for bar in each.bars.values())


@st.composite
def days(draw: st.DrawFn) -> tuple[Rules, list[Arrived]]:
    sources = draw(st.lists(st.sampled_from(SOURCES), min_size=1, max_size=4, unique=True))
    rules = Rules(
        sources=tuple(sources),
        timeout_ns=TIMEOUT_NS,
        require_all=draw(st.booleans()),
        fill=draw(st.booleans()),
        max_age_ms=draw(st.sampled_from([None, MINUTE, 4 * MINUTE])),
    )
    arrivals = []
    now = 0
    for _ in range(draw(st.integers(0, 40))):
        now += draw(st.sampled_from([0, 1, 20, 50, 99, 100, 101, 250])) * NS_PER_MS
        source = draw(st.sampled_from(sources))
        step = {"1m": 1, "3m": 3, "5m": 5}[source[2:]]
        timestamp = draw(st.integers(0, 16 // step)) * step * MINUTE + 15 * 60 * MINUTE
        arrivals.append(Arrived(now, source, timestamp, draw(st.sampled_from([1.0, 2.0]))))
    return rules, arrivals


@given(days())
@settings(max_examples=1_500)
def test_the_core_says_what_the_oracle_says(day: tuple[Rules, list[Arrived]]) -> None:
    rules, arrivals = day
    end = max((arrival.at for arrival in arrivals), default=0) + 10 * TIMEOUT_NS
    spec = SynchronizerSpec(
        expected_sources=frozenset(map(SourceId, rules.sources)),
        timeout_ms=rules.timeout_ns / NS_PER_MS,
        require_all=rules.require_all,
        missing="last_known" if rules.fill else "skip",
        max_age_ms=rules.max_age_ms,
    )
    core = Synchronizer(spec)
    outcomes = run_core(core, arrivals, end)
    answer = Oracle(rules).work_out(arrivals, end)
    assert [seen(each) for each in outcomes if seen(each)] == [
        (each.timestamp, each.verdict, shown(each.verdict, each.cells), waited(each))
        for each in answer.written
    ]
    counted = core.statistics()
    assert (counted.accepted, counted.corrected, counted.duplicate, counted.late) == (
        answer.accepted,
        answer.corrected,
        answer.duplicate,
        answer.late,
    )
    assert counted.open_slots == 0


def seen(outcome: Outcome) -> Any:
    if isinstance(outcome, SynchronizedBars):
        cells = {s: (b.close, b.provenance, b.age_ms) for s, b in outcome.bars.items()}
        return outcome.timestamp, outcome.status, cells, outcome.wait_ms
    if isinstance(outcome, SyncSkipped):
        return outcome.timestamp, outcome.reason, None, outcome.wait_ms
    return None


def shown(verdict: str, cells: Any) -> Any:
    return dict(cells) if verdict in ("complete", "filled", "partial") else None


def waited(written: Written) -> float:
    return (written.sealed_at - written.opened_at) / NS_PER_MS
