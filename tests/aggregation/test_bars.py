"""Longer bars from shorter ones: when a window gives its bar, and which."""

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.aggregation.oracle import Clock, Connection, Part, Rules, Step, longer_bar, told

from barsync_async.aggregation import BarAggregator, GivenUp, Outcome, Refused
from barsync_async.messages import Bar
from barsync_async.testing import create_bar
from barsync_async.units import TIMEFRAMES, WallMs

MINUTE = 60_000
T = 1_800_000_000_000  # a close of 5m
END = T + 5 * MINUTE
GRACE = 2_000


def part(minute: float, close: float = 100.0, **values: float) -> Bar:
    """The part that ends ``minute`` minutes after T."""
    return create_bar("A_1m", int(T + minute * MINUTE), close, **values)


def whole(minute: int, parts: Sequence[Bar]) -> Bar:
    return longer_bar(parts, "5m", T + minute * MINUTE)


def on_bar(bars: BarAggregator, bar: Bar, now: int | None = None) -> list[Outcome]:
    """A tenth of a second after the part's end, where no other time is given."""
    return list(bars.on_bar(bar, WallMs(bar.timestamp + 100 if now is None else now)))


def on_bars(bars: BarAggregator, *parts: Bar) -> list[Outcome]:
    return [outcome for each in parts for outcome in on_bar(bars, each)]


def clock(bars: BarAggregator, now: int, heard_at: int | None = None) -> list[Outcome]:
    """The connection was heard just now, where no other time is given."""
    return list(bars.on_clock(WallMs(now), WallMs(now if heard_at is None else heard_at)))


def connect(bars: BarAggregator, now: int, up: bool = True) -> None:
    bars.on_connection(up, WallMs(now))


@pytest.fixture
def bars() -> BarAggregator:
    """Never connected."""
    return BarAggregator("A", "1m", "5m", GRACE)


@pytest.fixture
def live(bars: BarAggregator) -> BarAggregator:
    """Connected since T."""
    connect(bars, T)
    return bars


FIVE = [part(n, 100.0 + n, high=110.0 - n, low=90.0 + n, volume=n / 10) for n in range(1, 6)]


def test_the_last_part_gives_the_bar(bars: BarAggregator) -> None:
    assert on_bars(bars, *FIVE[:4]) == []
    (bar,) = on_bar(bars, FIVE[4])
    assert bar == Bar("A", "5m", WallMs(END), 101.0, 109.0, 91.0, 105.0, 1.5)
    assert bars.due_at() is None


@pytest.mark.parametrize("last", range(5))
def test_in_whatever_order_the_parts_come_the_bar_is_the_same(
    bars: BarAggregator, last: int
) -> None:
    assert on_bars(bars, *FIVE[last + 1 :], *FIVE[:last]) == []
    assert on_bar(bars, FIVE[last]) == [whole(5, FIVE)]


def test_volume_is_summed_exactly(bars: BarAggregator) -> None:
    volumes = [1e16, 1.0, 1.0, 0.1, 0.2]
    (bar,) = on_bars(bars, *(part(n, volume=each) for n, each in enumerate(volumes, 1)))
    assert isinstance(bar, Bar)
    assert bar.volume == math.fsum(volumes) != sum(volumes)


def test_a_repeated_part_changes_and_gives_nothing(bars: BarAggregator) -> None:
    assert on_bars(bars, FIVE[0], *FIVE, *FIVE, FIVE[2]) == [whole(5, FIVE)]


def test_a_part_revised_in_time_replaces_the_one_before(bars: BarAggregator) -> None:
    revised = part(2, 300.0)
    assert on_bars(bars, FIVE[1], revised, FIVE[0], *FIVE[2:]) == [
        whole(5, [FIVE[0], revised, *FIVE[2:]])
    ]


def test_a_part_revised_later_gives_the_bar_again(bars: BarAggregator) -> None:
    on_bars(bars, *FIVE)
    revised = part(5, 300.0)
    assert on_bar(bars, revised, END + 30_000) == [whole(5, [*FIVE[:4], revised])]
    assert on_bar(bars, FIVE[4], END + 31_000) == [whole(5, FIVE)]


def test_a_revision_that_leaves_the_bar_as_it_was_gives_nothing(bars: BarAggregator) -> None:
    on_bars(bars, *FIVE)
    assert on_bar(bars, part(3, 104.0, high=107.0, low=93.0, volume=0.3)) == []


def test_a_part_of_a_later_window_closes_one_with_silent_minutes(live: BarAggregator) -> None:
    assert on_bars(live, FIVE[0], FIVE[3]) == []
    assert on_bar(live, part(7)) == [whole(5, [FIVE[0], FIVE[3]])]


def test_a_part_that_ends_with_the_window_does_not_close_one_with_holes(
    live: BarAggregator,
) -> None:
    assert on_bars(live, FIVE[0], FIVE[4]) == []
    assert live.due_at() == END + GRACE


def test_a_window_without_any_part_gives_nothing(live: BarAggregator) -> None:
    assert on_bars(live, *FIVE, part(16)) == [whole(5, FIVE)]
    assert clock(live, T + 20 * MINUTE + GRACE) == [whole(20, [part(16)])]


def test_the_clock_closes_a_window_that_silence_would_hold_open(live: BarAggregator) -> None:
    on_bar(live, FIVE[1])
    assert live.due_at() == END + GRACE
    assert clock(live, END + GRACE - 1) == []
    assert clock(live, END + GRACE) == [whole(5, [FIVE[1]])]
    assert live.due_at() is None


@pytest.mark.parametrize("heard_at", [END - 1, END + GRACE + 1])
def test_the_clock_closes_nothing_on_a_connection_that_may_be_frozen(
    live: BarAggregator, heard_at: int
) -> None:
    on_bar(live, FIVE[1])
    assert clock(live, END + GRACE, heard_at) == []
    assert list(live.on_clock(WallMs(END + GRACE), None)) == []
    assert live.due_at() == END + 2 * GRACE
    assert clock(live, END + GRACE + 5, END) == [whole(5, [FIVE[1]])]


def test_with_no_grace_the_next_look_is_a_second_later() -> None:
    bars = BarAggregator("A", "1m", "5m", 0)
    connect(bars, T)
    on_bar(bars, FIVE[1])
    clock(bars, END, END - 1)
    assert bars.due_at() == END + 1_000


def test_a_clock_set_back_makes_the_window_due_at_its_end_again(live: BarAggregator) -> None:
    on_bar(live, FIVE[1])
    clock(live, END + 60 * MINUTE, END - 1)
    assert clock(live, END - 1) == []
    assert live.due_at() == END + GRACE


def test_a_window_that_had_begun_before_the_connection_is_given_up(bars: BarAggregator) -> None:
    connect(bars, T + 1)
    on_bars(bars, *FIVE[1:])
    assert on_bar(bars, part(6)) == [], "a later window proves nothing of this one"
    assert clock(bars, END + GRACE) == [GivenUp(WallMs(END), "incomplete")]
    assert on_bar(bars, part(11)) == [whole(10, [part(6)])]


def test_a_window_that_had_begun_before_has_its_bar_if_all_of_its_parts_came(
    bars: BarAggregator,
) -> None:
    connect(bars, T + 30_000)
    assert on_bars(bars, *FIVE) == [whole(5, FIVE)]


def test_a_lost_connection_makes_its_windows_inexact(live: BarAggregator) -> None:
    on_bars(live, *FIVE[:2])
    connect(live, T + 150_000, up=False)
    connect(live, T + 151_000)
    assert on_bars(live, FIVE[4], part(6)) == []
    assert clock(live, END + GRACE) == [GivenUp(WallMs(END), "incomplete")]


def test_a_backfill_that_closes_the_gap_in_time_gives_the_bar(live: BarAggregator) -> None:
    on_bars(live, *FIVE[:2])
    connect(live, T + 150_000, up=False)
    connect(live, T + 210_000)
    on_bar(live, FIVE[3])
    assert on_bar(live, FIVE[2], T + 250_000) == []
    assert on_bar(live, FIVE[4]) == [whole(5, FIVE)]


def test_a_backfill_that_comes_after_a_window_was_given_up_gives_its_bar(
    live: BarAggregator,
) -> None:
    on_bars(live, *FIVE[:3])
    connect(live, T + 200_000, up=False)
    assert clock(live, END + GRACE) == [GivenUp(WallMs(END), "incomplete")]
    assert on_bar(live, FIVE[3], END + MINUTE) == []
    assert on_bar(live, FIVE[4], END + MINUTE) == [whole(5, FIVE)]


def test_parts_of_long_ago_are_waited_for_from_the_newest_on(bars: BarAggregator) -> None:
    now = END + 3_600_000
    on_bar(bars, FIVE[0], now)
    on_bar(bars, FIVE[1], now + 500)
    assert bars.due_at() == now + 500 + GRACE
    assert clock(bars, now + GRACE) == []
    assert clock(bars, now + 500 + GRACE) == [GivenUp(WallMs(END), "incomplete")]


def test_a_wait_begun_before_the_clock_was_set_back_is_cut(bars: BarAggregator) -> None:
    on_bar(bars, FIVE[0], END + 3_600_000)
    assert clock(bars, END + 10) == []
    assert bars.due_at() == END + 10 + GRACE


def test_a_part_that_comes_when_its_window_is_due_is_waited_on(bars: BarAggregator) -> None:
    on_bar(bars, FIVE[0], END + GRACE)
    assert bars.due_at() == END + 2 * GRACE


def test_a_part_of_another_connection_closes_nothing(bars: BarAggregator) -> None:
    connect(bars, T + 8 * MINUTE)
    on_bar(bars, part(9))
    connect(bars, T)  # the clock was ten minutes ahead
    assert on_bar(bars, part(1)) == []


def test_what_one_part_settles_comes_out_oldest_first(bars: BarAggregator) -> None:
    later = [part(n) for n in range(6, 11)]
    on_bars(bars, FIVE[0], *later[:4])
    connect(bars, T)
    assert on_bar(bars, later[4]) == [whole(5, FIVE[:1]), whole(10, later)]


def test_a_connection_that_is_said_to_be_up_again_is_a_new_one(live: BarAggregator) -> None:
    on_bar(live, FIVE[1])
    connect(live, T + 3 * MINUTE)
    assert clock(live, END + GRACE) == [GivenUp(WallMs(END), "incomplete")]


def test_a_straggler_of_a_window_that_is_over_gives_its_bar_and_revises_it(
    live: BarAggregator,
) -> None:
    assert on_bar(live, part(6)) == []
    assert on_bar(live, FIVE[0]) == [whole(5, FIVE[:1])]
    assert on_bar(live, FIVE[1]) == [whole(5, FIVE[:2])]


def test_of_past_windows_only_the_newest_are_remembered() -> None:
    bars = BarAggregator("A", "1m", "5m", GRACE, keep=2)
    connect(bars, T)
    on_bars(bars, part(1), part(6), part(11), part(16))  # the first three windows are past
    assert on_bar(bars, part(2), T + 16 * MINUTE) == [Refused(part(2).timestamp, "too_old")]
    assert on_bar(bars, part(7), T + 16 * MINUTE) == [whole(10, [part(6), part(7)])]


def test_what_is_forgotten_stays_forgotten_when_an_older_window_is_over() -> None:
    bars = BarAggregator("A", "1m", "5m", GRACE, keep=1)
    now = T + 15 * MINUTE
    for minute in (1, *range(6, 16), 2, 3, 4, 5):
        on_bar(bars, part(minute), now)
    assert on_bar(bars, part(6, 300.0), now) == [Refused(part(6).timestamp, "too_old")]


def test_of_too_many_open_windows_the_oldest_is_given_up() -> None:
    bars = BarAggregator("A", "1m", "5m", GRACE, keep=1)
    assert on_bars(bars, part(1), part(6)) == []
    assert on_bar(bars, part(11)) == [GivenUp(WallMs(END), "crowded")]


def test_a_part_of_the_future_is_refused_and_closes_nothing(live: BarAggregator) -> None:
    on_bar(live, FIVE[0])
    future = part(60)
    assert on_bar(live, future, T + 2 * MINUTE) == [Refused(future.timestamp, "future")]
    assert live.due_at() == END + GRACE


@pytest.mark.parametrize(
    ("bar", "reason"),
    [
        (part(0.5), "off_grid"),
        (part(1, high=math.inf), "invalid"),
        (part(1, volume=math.nan), "invalid"),
        (part(1, volume=1e301), "invalid"),
        (part(1, low=200.0), "invalid"),
    ],
)
def test_a_part_that_cannot_be_one_is_refused(bars: BarAggregator, bar: Bar, reason: str) -> None:
    assert [getattr(each, "reason", None) for each in on_bar(bars, bar)] == [reason]
    assert bars.due_at() is None


@pytest.mark.parametrize("source", ["B_1m", "A_5m"])
def test_a_bar_of_another_source_is_the_callers_mistake(bars: BarAggregator, source: str) -> None:
    with pytest.raises(ValueError, match=f"{source} is no part of A_5m"):
        on_bar(bars, create_bar(source, T))


def test_a_week_of_days_begins_on_monday() -> None:
    bars = BarAggregator("A", "1d", "1w", GRACE)
    monday = 1_799_625_600_000  # 2027-01-11
    days = [create_bar("A_1d", monday + n * 86_400_000, n) for n in range(1, 8)]
    assert on_bars(bars, *days) == [longer_bar(days, "1w", monday + 7 * 86_400_000)]


@pytest.mark.parametrize(
    ("shorter", "longer", "problem"),
    [
        ("1m", "1m", "1m bars are not longer than 1m bars"),
        ("5m", "1m", "1m bars are not longer than 5m bars"),
        ("3m", "5m", "5m bars are not made of whole 3m bars"),
        ("6h", "8h", "8h bars are not made of whole 6h bars"),
        ("2m", "4m", "unknown timeframe '2m'; one of 1s 5s"),
        ("1m", "7m", "unknown timeframe '7m'; one of 1s 5s"),
    ],
)
def test_timeframes_that_do_not_nest_are_refused(shorter: str, longer: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        BarAggregator("A", shorter, longer, GRACE)


def test_every_other_pair_nests() -> None:
    nested = 0
    for shorter in TIMEFRAMES:
        for longer in TIMEFRAMES:
            try:
                BarAggregator("A", shorter, longer, GRACE)
            except ValueError:
                continue
            nested += 1
    whole_multiples = sum(
        longer.length_ms > shorter.length_ms and longer.length_ms % shorter.length_ms == 0
        for shorter in TIMEFRAMES.values()
        for longer in TIMEFRAMES.values()
    )
    assert nested == whole_multiples, (
        "every length's anchor lies on all shorter grids that divide it"
    )


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: BarAggregator("A", "1m", "5m", -1), "grace_ms is -1; at least 0"),
        (lambda: BarAggregator("A", "1m", "5m", 0, keep=0), "keep is 0 windows; at least 1"),
    ],
)
def test_limits_that_cannot_work_are_refused(
    make: Callable[[], BarAggregator], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        make()


# ------------------------------------------------------------------ any stream at all


def play(bars: BarAggregator, step: Step) -> list[Outcome]:
    match step:
        case Part(bar, now):
            return list(bars.on_bar(bar, WallMs(now)))
        case Clock(now, heard_at):
            return list(bars.on_clock(WallMs(now), None if heard_at is None else WallMs(heard_at)))
        case Connection(up, now):
            bars.on_connection(up, WallMs(now))
    return []


volumes = st.sampled_from([0.0, 0.1, 0.2, 0.3, 1e16, 7.0])
pauses = st.sampled_from([0, 100, 1_900, 2_000, 15_000, 60_000, 61_000, 300_000, -45_000])


@st.composite
def days(draw: st.DrawFn) -> list[Step]:
    """Mostly a live stream with holes; also duplicates, revisions, disorder and outages."""
    now = T
    steps: list[Step] = [Connection(up=True, now=now)] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 40))):
        now += draw(pauses)
        what = draw(st.integers(0, 9))
        if what < 6:
            back = draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3, 6, -1, -2]))
            minute = (now - T) // MINUTE - back
            bar = part(minute, draw(st.sampled_from([1.0, 2.0])), volume=draw(volumes))
            steps.append(Part(bar, now))
        elif what < 9:
            heard = draw(st.sampled_from([0, 0, 0, -1_000, -400_000, 1_000, None]))
            steps.append(Clock(now, None if heard is None else now + heard))
        else:
            steps.append(Connection(draw(st.booleans()), now))
    return steps


@given(days(), st.sampled_from([0, 500, 2_000, 90_000]))
def test_each_step_says_what_the_oracle_says(steps: Sequence[Step], grace_ms: int) -> None:
    bars = BarAggregator("A", "1m", "5m", grace_ms, keep=1_000)
    expected = told(steps, Rules("5m", grace_ms, MINUTE))
    assert [play(bars, step) for step in steps] == expected


@given(days(), st.sampled_from([1, 2, 3]))
def test_with_any_memory_it_never_holds_more_than_it_says(steps: Sequence[Step], keep: int) -> None:
    bars = BarAggregator("A", "1m", "5m", GRACE, keep=keep)
    for step in steps:
        play(bars, step)
        assert len(bars._windows._past) <= keep
        assert len(bars._windows._open) <= keep + 1


@given(days())
def test_a_caller_that_looks_when_it_is_due_never_spins(steps: Sequence[Step]) -> None:
    bars = BarAggregator("A", "1m", "5m", GRACE)
    for step in steps:
        play(bars, step)
        due = bars.due_at()
        if isinstance(step, Clock) and due is not None:
            assert due > step.now
        if due is not None:
            bars.on_clock(due, None)
            assert bars.due_at() is None or bars.due_at() != due


@given(st.permutations(range(15)), st.lists(st.tuples(st.integers(0, 14), volumes), max_size=10))
def test_when_all_is_said_each_bar_is_that_of_its_parts_as_they_were_last_told(
    order: Sequence[int], revisions: Sequence[tuple[int, float]]
) -> None:
    bars = BarAggregator("A", "1m", "5m", GRACE)
    last: dict[int, Bar] = {}
    gave: dict[int, Outcome] = {}
    for minute, volume in [*((minute, 1.0) for minute in order), *revisions]:
        last[minute] = part(minute + 1, float(minute), volume=volume)
        gave |= {each.timestamp: each for each in on_bar(bars, last[minute], T + 15 * MINUTE)}
    assert sorted(gave) == [T + n * MINUTE for n in (5, 10, 15)]
    for n in (5, 10, 15):
        assert gave[T + n * MINUTE] == whole(n, [last[minute] for minute in range(n - 5, n)])
