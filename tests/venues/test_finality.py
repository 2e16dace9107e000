"""Which states of running bars are final, and when."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.testing import create_bar
from barsync_async.units import WallMs
from barsync_async.venues.finality import Finality
from barsync_async.venues.outcomes import Rejection

MINUTE = 60_000
T = 1_800_000_000_000
GRACE = 2_000


def state(timestamp: int, close: float = 100.0) -> Bar:
    return create_bar("BTC/USD_1m", timestamp, close)


def running(finality: Finality, bar: Bar, now: int | None = None) -> list[Bar | Rejection]:
    """Ten seconds before the bar's end, where no other time is given."""
    return list(finality.on_running(bar, WallMs(bar.timestamp - 10_000 if now is None else now)))


def clock(finality: Finality, now: int, heard_at: int | None) -> list[Bar]:
    heard = None if heard_at is None else WallMs(heard_at)
    return list(finality.on_clock(WallMs(now), heard))


@pytest.fixture
def finality() -> Finality:
    return Finality(GRACE)


@pytest.fixture
def holding(finality: Finality) -> Finality:
    """It holds a state of T."""
    assert running(finality, state(T)) == []
    return finality


def test_a_bar_is_final_when_a_later_one_arrives(holding: Finality) -> None:
    assert running(holding, state(T + MINUTE)) == [state(T)]


def test_the_newest_state_replaces_the_pending_one(holding: Finality) -> None:
    assert running(holding, state(T, 101.0)) == []
    assert running(holding, state(T, 102.0)) == []
    assert running(holding, state(T + MINUTE)) == [state(T, 102.0)]


def test_a_later_bar_makes_final_even_where_silent_minutes_lie_between(holding: Finality) -> None:
    assert running(holding, state(T + 7 * MINUTE)) == [state(T)]
    assert holding.due_at() == T + 7 * MINUTE + GRACE


def test_a_bar_is_final_by_the_clock_a_grace_after_its_end(holding: Finality) -> None:
    assert holding.due_at() == T + GRACE
    assert clock(holding, T + GRACE - 1, T + 500) == []
    assert clock(holding, T + GRACE, T + 500) == [state(T)]
    assert holding.due_at() is None


def test_a_bar_is_given_out_once_by_the_clock(holding: Finality) -> None:
    assert clock(holding, T + GRACE, T) == [state(T)]
    assert clock(holding, T + 2 * GRACE, T + GRACE) == []
    assert running(holding, state(T + MINUTE)) == []


@pytest.mark.parametrize("heard_at", [None, T - 1, T - MINUTE])
def test_a_connection_that_froze_before_the_end_makes_nothing_final(
    holding: Finality, heard_at: int | None
) -> None:
    assert clock(holding, T + GRACE, heard_at) == []
    assert clock(holding, T + 10 * MINUTE, heard_at) == []


def test_a_heartbeat_after_the_end_is_enough(holding: Finality) -> None:
    assert clock(holding, T + GRACE, T - 1) == []
    assert clock(holding, T + GRACE + 1, T + GRACE + 1) == [state(T)]


def test_a_fruitless_look_moves_the_next_one_on(holding: Finality) -> None:
    clock(holding, T + GRACE, None)
    assert holding.due_at() == T + 2 * GRACE
    clock(holding, T + 2 * GRACE + 5, None)
    assert holding.due_at() == T + 3 * GRACE + 5


def test_with_no_grace_the_next_look_is_a_second_later() -> None:
    finality = Finality(0)
    running(finality, state(T))
    assert clock(finality, T, None) == []
    assert finality.due_at() == T + 1_000


def test_a_new_state_of_the_pending_bar_is_looked_at_when_it_is_due(holding: Finality) -> None:
    clock(holding, T + GRACE, None)
    assert running(holding, state(T, 101.0), T + GRACE - 1) == []
    assert holding.due_at() == T + GRACE


def test_a_frame_from_a_clock_that_was_set_back_since_proves_nothing(holding: Finality) -> None:
    assert clock(holding, T + GRACE, T + GRACE + 1) == []
    assert clock(holding, T + GRACE, T + GRACE) == [state(T)]


def test_a_clock_set_back_makes_the_bar_due_at_its_end_again(holding: Finality) -> None:
    clock(holding, T + 60 * MINUTE, None)
    assert clock(holding, T - 5_000, T - 5_000) == []
    assert holding.due_at() == T + GRACE


def test_a_clock_set_back_by_much_keeps_no_state_of_the_pending_bar_from_it(
    holding: Finality,
) -> None:
    hour_ago = T - 3_600_000
    assert running(holding, state(T, 101.0), hour_ago) == []
    assert running(holding, state(T + MINUTE, 1.0), hour_ago + 5_000) == [state(T, 101.0)]
    assert running(holding, state(T + MINUTE, 2.0), hour_ago + 6_000) == []
    (refused,) = running(holding, state(T + 3 * MINUTE), hour_ago + 7_000)
    assert isinstance(refused, Rejection)


def test_a_clock_set_back_a_little_costs_no_longer_wait(holding: Finality) -> None:
    clock(holding, T + GRACE, None)
    assert clock(holding, T + GRACE - 1, T + GRACE - 1) == []
    assert holding.due_at() == T + GRACE


def test_a_state_long_past_its_end_is_final_at_once(finality: Finality) -> None:
    assert running(finality, state(T), T + GRACE) == [state(T)]
    assert finality.due_at() is None


def test_a_state_within_the_grace_is_held(finality: Finality) -> None:
    assert running(finality, state(T), T + GRACE - 1) == []


def test_a_pending_bar_comes_out_before_a_later_one_that_is_final_too(holding: Finality) -> None:
    assert running(holding, state(T + MINUTE), T + 3 * MINUTE) == [state(T), state(T + MINUTE)]


def test_the_end_of_a_pending_bar_that_is_past_replaces_it(holding: Finality) -> None:
    assert running(holding, state(T, 101.0), T + GRACE) == [state(T, 101.0)]
    assert running(holding, state(T + MINUTE)) == []


def test_a_snapshot_comes_out_but_for_the_bar_that_runs(finality: Finality) -> None:
    now = T + 3 * MINUTE + 10_000
    snapshot = [state(T + n * MINUTE) for n in range(5)]
    assert [each for bar in snapshot for each in running(finality, bar, now)] == snapshot[:-1]
    assert finality.due_at() == T + 4 * MINUTE + GRACE


def test_an_earlier_bar_is_a_restatement_and_comes_out_as_it_is(holding: Finality) -> None:
    running(holding, state(T + MINUTE))
    assert running(holding, state(T)) == [state(T)]
    assert running(holding, state(T, 99.0)) == [state(T, 99.0)]
    assert running(holding, state(T - 30 * MINUTE)) == [state(T - 30 * MINUTE)]
    assert holding.due_at() == T + MINUTE + GRACE, "the pending bar is as it was"


def test_a_bar_given_out_by_the_clock_is_restated_at_once(holding: Finality) -> None:
    clock(holding, T + GRACE, T)
    assert running(holding, state(T), T + GRACE + 1) == [state(T)]
    assert running(holding, state(T, 99.0), T + GRACE + 2) == [state(T, 99.0)]


def test_a_bar_given_out_by_a_clock_that_was_ahead_is_held_while_it_runs(
    holding: Finality,
) -> None:
    assert clock(holding, T + 60 * MINUTE, T + 60 * MINUTE) == [state(T)]
    assert running(holding, state(T, 101.0)) == []
    assert clock(holding, T + GRACE, T + 1) == [state(T, 101.0)]


def test_a_lost_connection_takes_the_pending_bar_with_it(holding: Finality) -> None:
    holding.on_lost()
    assert holding.due_at() is None
    assert clock(holding, T + MINUTE, T + MINUTE) == []
    assert running(holding, state(T + MINUTE)) == []


def test_the_next_connections_snapshot_brings_the_forgotten_bar(holding: Finality) -> None:
    holding.on_lost()
    now = T + 1_000
    assert running(holding, state(T - MINUTE), now) == [state(T - MINUTE)]
    assert running(holding, state(T, 103.0), now) == []
    assert running(holding, state(T + MINUTE), now) == [state(T, 103.0)]


def test_what_was_seen_stays_known_when_the_connection_is_lost(finality: Finality) -> None:
    running(finality, state(T + MINUTE))
    finality.on_lost()
    assert running(finality, state(T)) == [state(T)], "over, for T + 1 min was seen"


def test_a_bar_of_the_far_future_is_refused_and_does_not_make_others_final(
    holding: Finality,
) -> None:
    (refused,) = running(holding, state(T + 60 * MINUTE), T)
    assert refused == Rejection("future", f"BTC/USD_1m of {T + 60 * MINUTE} at {T}")
    assert running(holding, state(T, 101.0)) == []
    assert holding.due_at() == T + GRACE


def test_a_clock_a_minute_behind_the_venues_refuses_nothing(finality: Finality) -> None:
    assert running(finality, state(T), T - 2 * MINUTE) == []
    assert finality.due_at() == T + GRACE


def test_a_negative_grace_is_refused() -> None:
    with pytest.raises(ValueError, match="grace_ms is -1; at least 0"):
        Finality(-1)


# ------------------------------------------------------------------ any connection at all


class Venue:
    """What the stream is, told without looking at what the class under test holds."""

    def __init__(self) -> None:
        self.newest = 0
        self.latest: dict[int, Bar] = {}  # of this connection, by timestamp

    def is_over(self, bar: Bar, now: int, heard_at: int) -> bool:
        ended = now >= bar.timestamp + GRACE and bar.timestamp <= heard_at <= now
        return bar.timestamp < self.newest or ended


minutes = st.integers(-1, 4)
steps = st.one_of(
    st.tuples(st.just("state"), minutes, st.integers(1, 3)),
    st.tuples(st.just("clock"), st.sampled_from([None, -90_000, -1_000, 0, 500]), st.just(0)),
    st.tuples(st.just("lost"), st.just(0), st.just(0)),
)
pauses = st.sampled_from([0, 500, 1_500, 20_000, 61_000, -30_000])


@given(st.lists(st.tuples(pauses, steps), max_size=40))
def test_only_bars_that_are_over_come_out_and_each_as_it_was_last_told(
    script: Sequence[tuple[int, tuple[str, int | None, int]]],
) -> None:
    finality, venue, now = Finality(GRACE), Venue(), T
    for pause, (what, argument, close) in script:
        now += pause
        heard_at, gave = now, []
        if what == "state":
            assert argument is not None
            bar = state(T + argument * MINUTE, float(close))
            if bar.timestamp > max(now + 2 * MINUTE, venue.newest + MINUTE):
                assert [type(each) for each in running(finality, bar, now)] == [Rejection]
                continue
            venue.newest = max(venue.newest, bar.timestamp)
            venue.latest[bar.timestamp] = bar
            gave = running(finality, bar, now)
            if venue.is_over(bar, now, now):
                assert gave[-1] is bar, "nothing that is over is withheld"
        elif what == "clock":
            heard_at = -1 if argument is None else now + argument
            gave = [*clock(finality, now, None if argument is None else heard_at)]
        else:
            finality.on_lost()
            venue.latest.clear()
        for each in gave:
            assert isinstance(each, Bar)
            assert venue.latest[each.timestamp] is each
            assert venue.is_over(each, now, heard_at)
        assert [each.timestamp for each in gave if isinstance(each, Bar)] == sorted(
            {each.timestamp for each in gave if isinstance(each, Bar)}
        )


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 3)), min_size=1, max_size=30))
def test_on_one_connection_each_bar_comes_out_once_with_its_last_values(
    moves: Sequence[tuple[int, int]],
) -> None:
    finality, timestamp, gave = Finality(GRACE), T, []
    last: dict[int, Bar] = {}
    for step, close in moves:
        timestamp += step * MINUTE
        last[timestamp] = state(timestamp, float(close))
        gave += running(finality, last[timestamp])
    gave += clock(finality, timestamp + GRACE, timestamp)
    assert gave == list(last.values())
