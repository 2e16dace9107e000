"""When bars close: on the wall clock's grid, or at a pace, and never in the future."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from barsync_async.simulation.scenario import parse_scenario
from barsync_async.simulation.timeline import Timeline
from barsync_async.units import NS_PER_MS, TIMEFRAMES, Instant, MonoNs, WallMs

STARTED = Instant(MonoNs(77), WallMs(1_767_364_200_400))
walls = st.integers(min_value=1_000_000_000, max_value=4_000_000_000_000)


def timeline(started: Instant = STARTED, source: str = "SPY_1s", **venue: Any) -> Timeline:
    return Timeline(parse_scenario({"venue": venue, "sources": {source: {}}}, "x"), started)


def test_without_a_pace_bars_close_when_the_wall_clock_says_so() -> None:
    plain = timeline()
    assert plain.first_close == 1_767_364_201_000
    assert plain.close_ns(0) == 77 + 600 * NS_PER_MS
    assert plain.close_ns(3) == 77 + 3_600 * NS_PER_MS


def test_with_a_pace_bars_close_at_it_from_the_given_start() -> None:
    paced = timeline(pace_ms=50, start=1_000)
    assert paced.first_close == 1_000
    assert [paced.close_ns(step) for step in range(2)] == [
        77 + 50 * NS_PER_MS,
        77 + 100 * NS_PER_MS,
    ]


def test_a_moment_of_a_step_lies_between_its_closes_at_the_pace() -> None:
    plain, paced = timeline(), timeline(pace_ms=50, start=1_000)
    assert plain.moment_ns(1, plain.first_close) == plain.close_ns(0)
    assert plain.moment_ns(0, plain.first_close - 1) == plain.close_ns(0) - NS_PER_MS
    assert plain.moment_ns(0, plain.first_close - 1_000) < STARTED.mono, "before the venue opened"
    assert paced.moment_ns(2, 2_500) == 77 + 125 * NS_PER_MS


def test_a_pace_counts_the_shortest_bars_also_where_steps_are_shorter() -> None:
    document = {"venue": {"pace_ms": 30}, "sources": {"A_3m": {}, "A_5m": {}}}
    steps = Timeline(parse_scenario(document, "x"), STARTED)
    assert steps.close_ns(1) - steps.close_ns(0) == 10 * NS_PER_MS


@given(
    walls,
    st.sampled_from(list(TIMEFRAMES)),
    st.sampled_from([0.1, 50, 2_000, 1e8]) | st.none(),
    st.sampled_from([0.5, 60, 1e6]) | st.none(),
    st.sampled_from([0, 1, 999, 10**6]),
)
def test_no_bar_closes_in_the_future(
    wall: int, timeframe: str, pace_ms: float | None, duration_s: float | None, step: int
) -> None:
    venue = {"pace_ms": pace_ms, "duration_s": duration_s}
    lined = timeline(Instant(MonoNs(5), WallMs(wall)), f"A_{timeframe}", **venue)
    grid = TIMEFRAMES[timeframe]
    assert grid.closes_at(lined.first_close)
    assert lined.first_close >= grid.length_ms
    assert lined.wall_ms(lined.close_ns(step)) >= lined.first_close + step * grid.length_ms


def test_a_paced_scenario_is_not_slowed_down_within_its_duration() -> None:
    paced = timeline(pace_ms=2, duration_s=60)
    assert paced.close_ns(29_999) == 77 + 60_000 * NS_PER_MS


def test_a_start_in_the_future_waits_for_it() -> None:
    ahead = timeline(pace_ms=1, start=STARTED.wall + 4_600)
    assert ahead.close_ns(0) == 77 + 4_600 * NS_PER_MS


def test_the_schedule_ends_with_the_duration() -> None:
    short = timeline(pace_ms=100, duration_s=1)
    assert short.next_close_ns(9) == short.end_ns
    assert short.next_close_ns(10) is None
    assert timeline().next_close_ns(10**9) is not None
