"""Bars from trades: when a window gives its bar, and which."""

import math
import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.aggregation.oracle import Clock, Connection, Print, Rules, Step, bar_of_trades, told

from barsync_async.aggregation import GivenUp, Outcome, Refused, Trade, TradeAggregator
from barsync_async.aggregation.trades import IDS_REMEMBERED, _add
from barsync_async.messages import Alters, Bar
from barsync_async.units import WallMs

MINUTE = 60_000
T = 1_800_000_000_000  # a close of 1m
END = T + MINUTE
GRACE = 2_000


def trade(at: int, price: float = 100.0, size: float = 1.0, name: int | str | None = None) -> Trade:
    """A trade ``at`` milliseconds after T; one that has a number goes by it."""
    return Trade(price, size, WallMs(T + at), name, name if isinstance(name, int) else 0)


def whole(minute: int, *trades: Trade) -> Bar:
    bar = bar_of_trades([Print(each, 0) for each in trades], "1m", T + minute * MINUTE)
    assert bar is not None
    return bar


def restricted(each: Trade, **alters: bool) -> Trade:
    return msgspec.structs.replace(each, alters=Alters(**alters))


def on_trade(trades: TradeAggregator, each: Trade, now: int | None = None) -> list[Outcome]:
    """Fifty milliseconds after it, where no other time is given."""
    return list(trades.on_trade(each, WallMs(each.at_ms + 50 if now is None else now)))


def on_trades(trades: TradeAggregator, *prints: Trade) -> list[Outcome]:
    return [outcome for each in prints for outcome in on_trade(trades, each)]


def clock(trades: TradeAggregator, now: int, heard_at: int | None = None) -> list[Outcome]:
    """The connection was heard just now, where no other time is given."""
    return list(trades.on_clock(WallMs(now), WallMs(now if heard_at is None else heard_at)))


def connect(trades: TradeAggregator, now: int, up: bool = True) -> None:
    trades.on_connection(up, WallMs(now))


@pytest.fixture
def trades() -> TradeAggregator:
    """Never connected."""
    return TradeAggregator("A", "1m", GRACE)


@pytest.fixture
def live(trades: TradeAggregator) -> TradeAggregator:
    """Connected in time for the window that begins at T."""
    connect(trades, T - GRACE)
    return trades


def test_the_clock_gives_the_bar_a_grace_after_the_windows_end(live: TradeAggregator) -> None:
    prints = [trade(0, 100.0), trade(5_000, 103.0, 0.5), trade(9_000, 98.0), trade(59_999, 101.0)]
    assert on_trades(live, *prints) == []
    assert live.due_at() == END + GRACE
    assert clock(live, END + GRACE - 1) == []
    assert clock(live, END + GRACE) == [Bar("A", "1m", WallMs(END), 100.0, 103.0, 98.0, 101.0, 3.5)]
    assert live.due_at() is None


def test_a_trade_at_the_windows_end_belongs_to_the_next(live: TradeAggregator) -> None:
    on_trades(live, trade(59_999), trade(60_000, 7.0))
    assert clock(live, END + GRACE) == [whole(1, trade(59_999))]
    assert clock(live, END + MINUTE + GRACE) == [whole(2, trade(60_000, 7.0))]


def test_a_trade_a_grace_after_the_end_gives_the_bar(live: TradeAggregator) -> None:
    assert on_trades(live, trade(10), trade(MINUTE + GRACE - 1)) == []
    assert on_trade(live, trade(MINUTE + GRACE)) == [whole(1, trade(10))]


def test_within_the_grace_a_straggler_still_counts(live: TradeAggregator) -> None:
    on_trades(live, trade(10), trade(MINUTE + 500), trade(59_000, 120.0))
    assert clock(live, END + GRACE) == [whole(1, trade(10), trade(59_000, 120.0))]


def test_open_and_close_go_by_time_whatever_came_first(live: TradeAggregator) -> None:
    on_trades(live, trade(30, 3.0), trade(10, 1.0), trade(50, 5.0), trade(20, 2.0))
    (bar,) = clock(live, END + GRACE)
    assert isinstance(bar, Bar)
    assert (bar.open, bar.close) == (1.0, 5.0)


def test_trades_of_one_millisecond_go_by_their_numbers(live: TradeAggregator) -> None:
    on_trades(live, trade(7, 2.0, name=12), trade(7, 1.0, name=11), trade(7, 3.0, name=13))
    (bar,) = clock(live, END + GRACE)
    assert isinstance(bar, Bar)
    assert (bar.open, bar.close) == (1.0, 3.0)


@pytest.mark.parametrize("names", [("z", "y", "x"), (None, None, None)])
def test_trades_of_one_millisecond_without_numbers_go_by_arrival(
    live: TradeAggregator, names: Sequence[str | None]
) -> None:
    on_trades(live, *(trade(7, float(n), name=name) for n, name in enumerate(names)))
    (bar,) = clock(live, END + GRACE)
    assert isinstance(bar, Bar)
    assert (bar.open, bar.close) == (0.0, 2.0)


def test_a_late_trade_gives_the_bar_again(live: TradeAggregator) -> None:
    on_trade(live, trade(10))
    clock(live, END + GRACE)
    late = trade(59_998, 90.0, 0.25)
    assert on_trade(live, late, END + 9_000) == [whole(1, trade(10), late)]


def test_a_late_trade_that_leaves_the_bar_as_it_was_gives_nothing(live: TradeAggregator) -> None:
    on_trade(live, trade(10))
    clock(live, END + GRACE)
    assert on_trade(live, trade(11, size=0.0), END + 9_000) == []


def test_a_late_trade_of_an_empty_window_gives_its_first_bar(live: TradeAggregator) -> None:
    on_trade(live, trade(3 * MINUTE))
    late = trade(59_000)
    assert on_trade(live, late, T + 3 * MINUTE) == [whole(1, late)]


@pytest.mark.parametrize("name", [5, "five"])
def test_a_trade_that_is_sent_again_counts_once(live: TradeAggregator, name: int | str) -> None:
    on_trades(live, trade(10, name=name), trade(10, name=name), trade(10, 300.0, name=name))
    assert clock(live, END + GRACE) == [whole(1, trade(10))]
    assert on_trade(live, trade(10, name=name), END + GRACE) == []


def test_an_id_that_comes_again_at_another_time_is_another_trade(live: TradeAggregator) -> None:
    """Some venues number the trades of every day, or of every exchange, from 1 on."""
    on_trades(live, trade(10, name=1), trade(MINUTE, name=1), trade(MINUTE + 1, 3.0, name=1))
    assert clock(live, END + GRACE) == [whole(1, trade(10))]
    assert clock(live, END + MINUTE + GRACE) == [
        whole(2, trade(MINUTE), trade(MINUTE + 1, 3.0)),
    ]


def test_an_id_says_nothing_of_order(live: TradeAggregator) -> None:
    first = Trade(1.0, 1.0, WallMs(T + 7), id=9, number=1)
    last = Trade(2.0, 1.0, WallMs(T + 7), id=8, number=2)
    on_trades(live, last, first)
    (bar,) = clock(live, END + GRACE)
    assert isinstance(bar, Bar)
    assert (bar.open, bar.close) == (1.0, 2.0)


def test_trades_without_ids_all_count(live: TradeAggregator) -> None:
    on_trades(live, trade(10), trade(10))
    assert clock(live, END + GRACE) == [whole(1, trade(10), trade(10))]


def test_so_many_ids_are_remembered_and_no_more(live: TradeAggregator) -> None:
    for name in range(IDS_REMEMBERED + 1):
        on_trade(live, trade(10, name=name))
    assert len(live._ids) == IDS_REMEMBERED
    (bar,) = clock(live, END + GRACE)
    assert isinstance(bar, Bar)
    assert bar.volume == IDS_REMEMBERED + 1
    assert on_trade(live, trade(10, name=1), END + GRACE) == []


def test_a_window_without_trades_gives_nothing(live: TradeAggregator) -> None:
    assert clock(live, T + 10 * MINUTE) == []
    assert live.due_at() is None


@pytest.mark.parametrize("connected_at", [T - GRACE + 1, T, T + 30_000])
def test_the_first_window_of_a_connection_is_given_up(
    trades: TradeAggregator, connected_at: int
) -> None:
    connect(trades, connected_at)
    on_trades(trades, trade(40_000), trade(MINUTE + 10))
    assert clock(trades, END + GRACE) == [GivenUp(WallMs(END), "incomplete")]
    assert clock(trades, END + MINUTE + GRACE) == [whole(2, trade(MINUTE + 10))]


def test_a_trade_a_grace_after_the_end_gives_an_inexact_window_up(
    trades: TradeAggregator,
) -> None:
    on_trade(trades, trade(10))
    assert on_trade(trades, trade(MINUTE + GRACE)) == [GivenUp(WallMs(END), "incomplete")]


def test_a_gap_makes_the_windows_that_it_touches_inexact(live: TradeAggregator) -> None:
    on_trade(live, trade(10))
    connect(live, T + 20_000, up=False)
    connect(live, T + 20_100)
    on_trade(live, trade(30_000))
    assert clock(live, END + GRACE) == [GivenUp(WallMs(END), "incomplete")]
    assert on_trade(live, trade(40_000), END + GRACE) == [], "no trade makes it exact"


def test_what_one_trade_settles_comes_out_oldest_first(live: TradeAggregator) -> None:
    prints = [trade(70_000), trade(110_000, 200.0)]
    on_trade(live, prints[0])
    clock(live, END + MINUTE + GRACE)
    connect(live, END + MINUTE + GRACE)
    on_trade(live, trade(10), END + MINUTE + GRACE)
    assert on_trade(live, prints[1], END + MINUTE + GRACE) == [
        GivenUp(WallMs(END), "incomplete"),
        whole(2, *prints),
    ]


def test_a_connection_lost_within_the_grace_may_have_kept_the_last_trades(
    live: TradeAggregator,
) -> None:
    on_trade(live, trade(10))
    connect(live, END + GRACE - 1, up=False)
    assert clock(live, END + GRACE) == [GivenUp(WallMs(END), "incomplete")]


@pytest.mark.parametrize("heard_at", [END - 1, END + GRACE + 1])
def test_the_clock_gives_nothing_on_a_connection_that_may_be_frozen(
    live: TradeAggregator, heard_at: int
) -> None:
    on_trade(live, trade(10))
    assert clock(live, END + GRACE, heard_at) == []
    assert live.due_at() == END + 2 * GRACE
    assert clock(live, END + GRACE, END) == [whole(1, trade(10))]


def test_of_past_windows_only_the_newest_are_remembered() -> None:
    trades = TradeAggregator("A", "1m", GRACE, keep=1)
    connect(trades, T - GRACE)
    on_trades(trades, trade(0), trade(MINUTE))
    clock(trades, END + MINUTE + GRACE)
    assert on_trade(trades, trade(1), END) == [Refused(WallMs(T + 1), "too_old")]
    assert on_trade(trades, trade(MINUTE + 1)) == [whole(2, trade(MINUTE), trade(MINUTE + 1))]


def test_of_too_many_open_windows_the_oldest_is_given_up() -> None:
    trades = TradeAggregator("A", "1s", 60_000, keep=1)
    assert on_trades(trades, trade(0), trade(1_000)) == []
    assert on_trade(trades, trade(2_000)) == [GivenUp(WallMs(T + 1_000), "crowded")]


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (trade(MINUTE + 1), "future"),
        (trade(0, math.nan), "invalid"),
        (trade(0, -math.inf), "invalid"),
        (trade(0, size=-1.0), "invalid"),
        (trade(0, size=math.nan), "invalid"),
        (trade(0, size=1e301), "invalid"),
    ],
)
def test_a_trade_that_cannot_be_one_is_refused(
    live: TradeAggregator, odd: Trade, reason: str
) -> None:
    assert [getattr(each, "reason", None) for each in on_trade(live, odd, T)] == [reason]
    assert live.due_at() is None


def test_a_venues_clock_may_be_a_minute_ahead(live: TradeAggregator) -> None:
    assert on_trade(live, trade(MINUTE), T) == []
    assert live.due_at() == END + MINUTE + GRACE


# What a trade may alter


def test_a_trade_that_may_not_open_and_close_a_bar_may_be_its_high_and_low(
    live: TradeAggregator,
) -> None:
    high, low = (restricted(trade(at, price), open_close=False) for at, price in ((1, 9), (99, 1)))
    on_trades(live, high, trade(10, 5.0), trade(20, 6.0), low)
    assert clock(live, END + GRACE) == [Bar("A", "1m", WallMs(END), 5.0, 9.0, 1.0, 6.0, 4.0)]


def test_a_trade_of_volume_alone_leaves_every_price_as_it_was(live: TradeAggregator) -> None:
    odd = [restricted(trade(at, 1.0, 0.5), open_close=False, high_low=False) for at in (1, 59_999)]
    on_trades(live, odd[0], trade(10, 5.0), odd[1])
    assert clock(live, END + GRACE) == [Bar("A", "1m", WallMs(END), 5.0, 5.0, 5.0, 5.0, 2.0)]


def test_an_official_close_counts_neither_twice_nor_as_a_price(live: TradeAggregator) -> None:
    close = restricted(trade(20, 9.0, 500.0), open_close=False, high_low=False, volume=False)
    on_trades(live, trade(10, 5.0), close)
    assert clock(live, END + GRACE) == [whole(1, trade(10, 5.0))]


def test_a_price_without_a_volume_of_its_own_sets_prices_alone(live: TradeAggregator) -> None:
    on_trades(live, trade(10, 5.0), restricted(trade(20, 9.0, 500.0), volume=False))
    assert clock(live, END + GRACE) == [Bar("A", "1m", WallMs(END), 5.0, 9.0, 5.0, 9.0, 1.0)]


def test_what_may_open_a_bar_is_within_its_high_and_low_in_any_case(live: TradeAggregator) -> None:
    on_trades(live, trade(10, 5.0), restricted(trade(20, 9.0), high_low=False))
    assert clock(live, END + GRACE) == [whole(1, trade(10, 5.0), trade(20, 9.0))]


@pytest.mark.parametrize("high_low", [True, False])
def test_a_window_that_nothing_may_open_gives_no_bar(live: TradeAggregator, high_low: bool) -> None:
    """Its volume is not added to another one's."""
    odd = restricted(trade(10, size=7.0), open_close=False, high_low=high_low)
    on_trades(live, odd, trade(MINUTE))
    assert clock(live, END + GRACE) == []
    assert live.due_at() == END + MINUTE + GRACE, "it is settled"
    assert clock(live, END + MINUTE + GRACE) == [whole(2, trade(MINUTE))]


def test_a_late_trade_that_may_open_a_bar_gives_it_with_the_volume_of_before(
    live: TradeAggregator,
) -> None:
    odd = restricted(trade(10, size=7.0), open_close=False, high_low=False)
    on_trade(live, odd)
    assert clock(live, END + GRACE) == []
    assert on_trade(live, trade(20, 5.0), END + 9_000) == [whole(1, odd, trade(20, 5.0))]


def test_of_a_window_that_was_given_up_no_late_trade_gives_a_bar(trades: TradeAggregator) -> None:
    connect(trades, T + 5)
    on_trade(trades, restricted(trade(10), open_close=False, high_low=False))
    assert clock(trades, END + GRACE) == [GivenUp(WallMs(END), "incomplete")]
    assert on_trade(trades, trade(20), END + 9_000) == []


def test_volume_is_summed_exactly(live: TradeAggregator) -> None:
    on_trades(live, *(trade(10, size=size) for size in (1.0, 2**-53, 2**-106)))
    (bar,) = clock(live, END + GRACE)
    assert isinstance(bar, Bar)
    assert bar.volume == 1 + 2**-52, "just above the tie, so it is rounded up"


def test_a_refused_trade_does_not_take_its_id_with_it(live: TradeAggregator) -> None:
    on_trade(live, trade(0, math.nan, name=5))
    on_trade(live, trade(0, name=5))
    assert clock(live, END + GRACE) == [whole(1, trade(0))]


def test_an_unknown_timeframe_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown timeframe '2m'; one of 1s"):
        TradeAggregator("A", "2m", GRACE)


# ------------------------------------------------------------------ any stream at all


def play(trades: TradeAggregator, step: Step) -> list[Outcome]:
    match step:
        case Print(each, now):
            return list(trades.on_trade(each, WallMs(now)))
        case Clock(now, heard_at):
            return list(
                trades.on_clock(WallMs(now), None if heard_at is None else WallMs(heard_at))
            )
        case Connection(up, now):
            trades.on_connection(up, WallMs(now))
    return []


sizes = st.sampled_from([0.0, 0.1, 0.2, 0.3, 1e16, 7.0])
alters = st.just(Alters()) | st.builds(Alters, st.booleans(), st.booleans(), st.booleans())
pauses = st.sampled_from([0, 100, 1_900, 2_000, 15_000, 60_000, 61_000, 200_000, -45_000])


@st.composite
def days(draw: st.DrawFn) -> list[Step]:
    """Mostly a live stream; also repetitions, stragglers, lies about time, and outages."""
    now = T
    steps: list[Step] = [Connection(up=True, now=now - 90_000)] if draw(st.booleans()) else []
    names = st.none() | st.integers(1, 12) | st.sampled_from(["x", "y"])
    for _ in range(draw(st.integers(1, 40))):
        now += draw(pauses)
        what = draw(st.integers(0, 9))
        if what < 6:
            at = now - draw(st.sampled_from([50, 50, 50, 0, 1_000, 59_000, 130_000, -70_000]))
            price = draw(st.sampled_from([1.0, 2.0, 3.0]))
            number = draw(st.integers(0, 2))
            trade = Trade(price, draw(sizes), WallMs(at), draw(names), number, draw(alters))
            steps.append(Print(trade, now))
        elif what < 9:
            heard = draw(st.sampled_from([0, 0, 0, -1_000, -400_000, 1_000, None]))
            steps.append(Clock(now, None if heard is None else now + heard))
        else:
            steps.append(Connection(draw(st.booleans()), now))
    return steps


@given(days(), st.sampled_from([0, 500, 2_000, 90_000]))
def test_each_step_says_what_the_oracle_says(steps: Sequence[Step], grace_ms: int) -> None:
    trades = TradeAggregator("A", "1m", grace_ms, keep=1_000)
    assert [play(trades, step) for step in steps] == told(steps, Rules("1m", grace_ms))


@given(days(), st.sampled_from([1, 2, 3]))
def test_with_any_memory_it_holds_no_more_than_it_says(steps: Sequence[Step], keep: int) -> None:
    trades = TradeAggregator("A", "1m", GRACE, keep=keep)
    for step in steps:
        play(trades, step)
        assert len(trades._windows._past) <= keep
        assert len(trades._windows._open) <= keep + 1


@given(
    st.lists(st.tuples(st.integers(0, 59_999), st.floats(1, 9), sizes), min_size=1), st.randoms()
)
def test_in_whatever_order_numbered_trades_come_the_bar_is_the_same(
    told_in_order: Sequence[tuple[int, float, float]], chance: random.Random
) -> None:
    prints = [trade(*each, name=n) for n, each in enumerate(sorted(told_in_order, key=min))]
    expected = whole(1, *prints)
    chance.shuffle(prints)
    trades = TradeAggregator("A", "1m", GRACE)
    connect(trades, T - GRACE)
    on_trades(trades, *prints, *prints)
    assert clock(trades, END + GRACE) == [expected]


@given(st.lists(st.floats(0, 1e300)))
def test_a_running_sum_is_exact_to_the_last_digit(values: Sequence[float]) -> None:
    parts: list[float] = []
    for value in values:
        _add(parts, value)
    assert math.fsum(parts) == math.fsum(values)
