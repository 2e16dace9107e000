"""The core against the oracle, on days that hypothesis makes up."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.driver import (
    Driver,
    main_stream,
    main_stream_of_oracle,
    rejections,
    rejections_of_oracle,
    statuses,
    statuses_of_oracle,
)
from tests.oracle import Arrived, Connection, Input, Oracle, Rules, Step

from barsync_async.core.synchronizer import Synchronizer
from barsync_async.units import NS_PER_MS

START = 1_800_000_000_000  # on every grid up to 5m
SOURCES = ("A_1s", "B_1s", "C_1s", "D_5s", "E_15s")
PAUSES_MS = (0, 0, 1, 20, 50, 99, 100, 101, 250, 900, 1_000)
SPANS: Mapping[str, int] = {"1s": 1_000, "5s": 5_000, "15s": 15_000}
MS = NS_PER_MS


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    sources = tuple(sorted(draw(st.sets(st.sampled_from(SOURCES), min_size=1, max_size=4))))
    carriers = st.sampled_from([(), ("x",), ("x", "y"), ("y",)])
    feeds = {source: draw(carriers) for source in sources} if draw(st.booleans()) else {}
    sessions: dict[str, Any] = {
        source: draw(st.sampled_from([[(2_000, 6_000)], [(1_500, 3_000), (7_000, 60_000)]]))
        for source in sources
        if draw(st.integers(0, 4)) == 0
    }
    return Rules(
        sources=sources,
        timeout_ns=100 * MS,
        require_all=draw(st.booleans()),
        missing=draw(st.sampled_from(["skip", "last_known", "interpolate"])),
        max_age_ms=draw(st.sampled_from([None, 1_000, 4_000])),
        hold_ns=draw(st.sampled_from([0, 50 * MS, 2_000 * MS])),
        deadline_from=draw(st.sampled_from(["first_bar", "close"])),
        min_wait_ns=draw(st.sampled_from([0, 30 * MS])),
        late=draw(st.sampled_from(["drop", "amend"])),
        allowed_lateness_ns=draw(st.sampled_from([0, 500 * MS, 10**12])),
        max_open=draw(st.sampled_from([1, 2, 3, 64])),
        max_future_ms=draw(st.sampled_from([0, 1_000, 5_000])),
        idle_after=draw(st.sampled_from([0, 1, 2])),
        exclude_idle=draw(st.booleans()),
        feeds={source: each for source, each in feeds.items() if each},
        unordered=draw(st.sampled_from([frozenset(), frozenset({"x"})])),
        sessions={
            source: [(START + opened, START + closed) for opened, closed in each]
            for source, each in sessions.items()
        },
    )


@st.composite
def days(draw: st.DrawFn) -> tuple[Rules, list[Input]]:
    told = draw(rules())
    inputs: list[Input] = []
    now = wall = 0
    cut: set[str] = set()
    for _ in range(draw(st.integers(0, 40))):
        pause = draw(st.sampled_from(PAUSES_MS))
        now, wall = now + pause, wall + pause
        kind = draw(st.integers(0, 19))
        if kind == 0:
            feed, up = draw(st.sampled_from("xy")), draw(st.booleans())
            (cut.discard if up else cut.add)(feed)
            inputs.append(Connection(now * MS, feed, up))
        elif kind == 1:
            step = draw(st.sampled_from([-3_000, -150, 150, 4_000]))
            cause = draw(st.sampled_from(["step", "resume"])) if step > 0 else "step"
            wall += step
            inputs.append(Step(now * MS, step, cause))
        else:
            bar = draw(bars(told, now, wall))
            if bar.feed not in cut:
                inputs.append(bar)
    return told, inputs


@st.composite
def bars(draw: st.DrawFn, told: Rules, now: int, wall: int) -> Arrived:
    source = draw(st.sampled_from([*told.sources, *told.sources, "Z_1s"]))
    span = SPANS[source.rpartition("_")[2]]
    nearest = (START + wall) // span * span
    timestamp = nearest + draw(st.sampled_from([0, 0, 0, 0, 1, 1, -1, -2, -3, 2, 7])) * span
    timestamp += draw(st.sampled_from([0] * 15 + [1]))
    carriers = told.feeds.get(source, ())
    feed = draw(st.sampled_from(carriers)) if carriers else "z"
    return Arrived(now * MS, source, timestamp, draw(st.sampled_from([1.0, 2.0])), feed)


@given(days(), st.booleans())
@settings(max_examples=1_500, deadline=None)
def test_the_core_says_what_the_oracle_says(day: tuple[Rules, list[Input]], finish: bool) -> None:
    told, inputs = day
    end = max((each.at for each in inputs), default=0) + 3_000 * MS
    driver = Driver(told, START)
    out = driver.run(inputs, end, finish=finish)
    answer = Oracle(told, START).work_out(inputs, end, finish=finish)
    assert main_stream(out) == main_stream_of_oracle(answer)
    assert statuses(out) == statuses_of_oracle(answer)
    assert rejections(out) == rejections_of_oracle(answer)
    check_account(driver.core, answer)
    assert not finish or not driver.core.deadlines


def check_account(core: Synchronizer, answer: Any) -> None:
    counted = core.statistics()
    assert (counted.accepted, counted.corrected, counted.duplicate, counted.late) == (
        answer.accepted,
        answer.corrected,
        answer.duplicate,
        answer.late,
    )
    assert counted.rejected_by == dict(answer.rejected)
    assert counted.conflicts == answer.conflicts
    assert counted.received == (
        counted.accepted + counted.corrected + counted.duplicate + counted.late + counted.rejected
    )
    for each in core.source_statistics().values():
        assert each.received == (
            each.accepted + each.corrected + each.duplicate + each.late + each.rejected
        )
