"""What all strategies together hold: nothing comes from nowhere, and nothing gets lost."""

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Literal, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.errors import ConservationBroken
from barsync_async.messages import Bar, PortfolioUpdate, Refusal, Signal
from barsync_async.portfolio import Book, Costs, Limits
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs

"""For a slow machine, and for the second that the first text of all takes to generate."""

NOON = 1_800_000_000_000 - 1_800_000_000_000 % 300_000
MINUTE = 60_000
SYMBOLS = ("IWM", "QQQ", "SPY")
STRATEGIES = ("momentum", "pairs", "mine")

Breach = Literal["refuse", "clip"]
BREACHES: tuple[Breach, ...] = get_args(Breach)

Step = tuple[Mapping[str, float], Mapping[str, Mapping[str, float]]]
"""The fresh closes of one timestamp by symbol, and the targets of each strategy that spoke."""


def cells(*bars: Bar) -> dict[SourceId, Bar]:
    return {bar.source: bar for bar in bars}


def fresh(timestamp: int, **closes: float) -> dict[SourceId, Bar]:
    return cells(*(create_bar(f"{key}_1m", timestamp, close) for key, close in closes.items()))


def stale(bar: Bar, timestamp: int, provenance: str) -> Bar:
    return msgspec.structs.replace(bar, provenance=provenance, age_ms=timestamp - bar.timestamp)


def signal(strategy: str, **targets: float) -> Signal:
    return Signal(timestamp=WallMs(NOON), strategy=strategy, targets=targets, reason="")


def apply(
    book: Book, timestamp: int, bars: Mapping[SourceId, Bar], *signals: Signal
) -> PortfolioUpdate:
    return book.apply(WallMs(timestamp), bars, signals)


def test_a_target_is_filled_at_the_close_of_its_timestamp() -> None:
    book = Book(1_000.0)
    update = apply(book, NOON, fresh(NOON, SPY=50.0), signal("momentum", SPY=3.0))
    assert update == PortfolioUpdate(
        timestamp=WallMs(NOON),
        version=1,
        positions={"SPY": 3.0},
        cash=850.0,
        equity=1_000.0,
        peak=1_000.0,
        turnover=150.0,
        gross_exposure=150.0,
        net_exposure=150.0,
        applied=("momentum",),
    )


def test_equity_moves_with_the_market_and_cash_does_not() -> None:
    book = Book(1_000.0)
    apply(book, NOON, fresh(NOON, SPY=50.0), signal("momentum", SPY=3.0))
    update = apply(book, NOON + MINUTE, fresh(NOON + MINUTE, SPY=60.0))
    assert (update.cash, update.equity, update.positions) == (850.0, 1_030.0, {"SPY": 3.0})


def test_going_flat_brings_the_money_back_and_leaves_no_position() -> None:
    book = Book(1_000.0)
    apply(book, NOON, fresh(NOON, SPY=50.0), signal("momentum", SPY=-3.0))
    update = apply(book, NOON + MINUTE, fresh(NOON + MINUTE, SPY=40.0), signal("momentum", SPY=0.0))
    assert (update.positions, update.cash, update.equity) == ({}, 1_030.0, 1_030.0)


def test_a_symbol_holds_the_sum_of_what_the_strategies_want() -> None:
    book = Book(1_000.0)
    bars = fresh(NOON, SPY=10.0)
    update = apply(book, NOON, bars, signal("momentum", SPY=3.0), signal("pairs", SPY=-1.0))
    assert update.positions == {"SPY": 2.0}
    later = NOON + MINUTE
    update = apply(book, later, fresh(later, SPY=10.0), signal("momentum", SPY=0.0))
    assert update.positions == {"SPY": -1.0}


def test_a_symbol_that_a_decision_leaves_out_is_left_as_it_is() -> None:
    book = Book(1_000.0)
    apply(book, NOON, fresh(NOON, SPY=10.0, QQQ=10.0), signal("momentum", SPY=3.0, QQQ=1.0))
    later = NOON + MINUTE
    update = apply(book, later, fresh(later, SPY=11.0, QQQ=12.0), signal("momentum", QQQ=2.0))
    assert update.positions == {"QQQ": 2.0, "SPY": 3.0}


def test_a_source_as_a_key_stands_for_its_symbol() -> None:
    book = Book(1_000.0)
    bars = fresh(NOON, SPY=10.0, QQQ=10.0)
    update = apply(book, NOON, bars, signal("momentum", SPY_1m=3.0), signal("pairs", SPY=1.0))
    assert update.positions == {"SPY": 4.0}
    later = NOON + MINUTE
    update = apply(book, later, fresh(later, SPY=10.0), signal("momentum", SPY=0.0))
    assert update.positions == {"SPY": 1.0}


def test_a_key_that_is_a_symbol_is_that_one_though_it_looks_like_a_source_of_another() -> None:
    bars = cells(create_bar("X_1m", NOON, 10.0), create_bar("X_1d_1m", NOON, 99.0))
    for symbols in ({"X", "X_1d"}, None):
        book = Book(1_000.0, symbols=symbols)
        update = apply(book, NOON, bars, signal("momentum", X_1d=7.0), signal("pairs", X_1m=1.0))
        assert (update.positions, update.cash) == ({"X": 1.0, "X_1d": 7.0}, 1_000.0 - 10 - 693)
        update = apply(book, NOON + 1, {}, signal("momentum", X_1d_1m=0.0))
        update = apply(book, NOON + 2, bars)
        assert update.positions == {"X": 1.0}


def test_a_key_that_looks_like_a_source_is_one_where_no_such_symbol_is_known() -> None:
    book = Book(1_000.0, symbols={"X"})
    update = apply(book, NOON, fresh(NOON, X=10.0), signal("momentum", X_1d=7.0))
    assert (update.positions, update.refused) == ({"X": 7.0}, ())


def test_a_symbol_with_an_underscore_is_no_source() -> None:
    update = apply(
        Book(0.0), NOON, cells(create_bar("A_B_1m", NOON, 2.0)), signal("momentum", A_B=1.0)
    )
    assert update.positions == {"A_B": 1.0}


@pytest.mark.parametrize("provenance", ["carried", "filled"])
def test_a_stale_price_is_no_fill_and_the_change_waits_for_a_fresh_one(provenance: str) -> None:
    book = Book(1_000.0)
    old = create_bar("SPY_1m", NOON - MINUTE, 10.0)
    bars = cells(stale(old, NOON, provenance))
    update = apply(book, NOON, bars, signal("momentum", SPY=3.0))
    assert (update.positions, update.cash) == ({}, 1_000.0)
    later = NOON + MINUTE
    update = apply(book, later, fresh(later, SPY=20.0))
    assert (update.positions, update.cash, update.applied) == ({"SPY": 3.0}, 940.0, ())


def test_an_interpolated_price_was_never_traded_it_fills_nothing_and_marks_nothing() -> None:
    book, later = Book(1_000.0), NOON + MINUTE
    apply(book, NOON, fresh(NOON, SPY=10.0), signal("momentum", SPY=2.0))
    guess = msgspec.structs.replace(create_bar("SPY_1m", later, 15.0), provenance="interpolated")
    update = apply(book, later, cells(guess), signal("momentum", SPY=3.0))
    assert (update.positions, update.cash, update.equity) == ({"SPY": 2.0}, 980.0, 1_000.0)
    update = apply(book, later + MINUTE, fresh(later + MINUTE, SPY=20.0))
    assert (update.positions, update.cash, update.equity) == ({"SPY": 3.0}, 960.0, 1_020.0)


def test_a_bar_that_closes_now_but_is_not_due_fills_nothing_and_gives_way_to_a_fresh_one() -> None:
    not_due = stale(create_bar("SPY_1m", NOON, 90.0), NOON, "carried")
    update = apply(Book(0.0), NOON, cells(not_due), signal("momentum", SPY=1.0))
    assert update.positions == {}
    bars = cells(not_due, create_bar("SPY_5m", NOON, 99.0))
    update = apply(Book(0.0), NOON, bars, signal("momentum", SPY=1.0))
    assert (update.cash, update.equity) == (-99.0, 0.0)


def test_a_longer_bar_fills_where_the_shorter_one_is_interpolated() -> None:
    guess = msgspec.structs.replace(create_bar("SPY_1m", NOON, 15.0), provenance="interpolated")
    bars = cells(create_bar("SPY_5m", NOON, 99.0), guess)
    update = apply(Book(0.0), NOON, bars, signal("momentum", SPY=1.0))
    assert (update.cash, update.equity) == (-99.0, 0.0)


def test_a_symbol_without_a_bar_is_not_filled_and_the_others_are() -> None:
    book = Book(1_000.0)
    update = apply(book, NOON, fresh(NOON, SPY=10.0), signal("momentum", SPY=1.0, QQQ=1.0))
    assert update.positions == {"SPY": 1.0}


def test_of_two_fresh_bars_the_shorter_one_gives_the_price_whatever_their_order() -> None:
    bars = [create_bar("SPY_5m", NOON, 99.0), create_bar("SPY_1m", NOON, 100.0)]
    for given_order in (bars, bars[::-1]):
        update = apply(Book(0.0), NOON, cells(*given_order), signal("momentum", SPY=1.0))
        assert (update.cash, update.equity) == (-100.0, 0.0)


def test_a_longer_bar_fills_where_the_shorter_one_did_not_come() -> None:
    bars = cells(
        create_bar("SPY_5m", NOON, 99.0),
        stale(create_bar("SPY_1m", NOON - MINUTE, 100.0), NOON, "filled"),
    )
    update = apply(Book(0.0), NOON, bars, signal("momentum", SPY=1.0))
    assert (update.cash, update.equity) == (-99.0, 0.0)


def test_positions_are_marked_at_the_newest_close_seen_never_at_an_older_one() -> None:
    book = Book(0.0)
    slow = create_bar("SPY_5m", NOON - MINUTE, 100.0)
    bars = cells(create_bar("SPY_1m", NOON, 110.0), stale(slow, NOON, "carried"))
    apply(book, NOON, bars, signal("momentum", SPY=1.0))
    later = NOON + MINUTE  # the shorter bar is missing now, the older one carried on
    update = apply(book, later, cells(stale(slow, later, "carried")))
    assert update.equity == 0.0
    update = apply(book, later + MINUTE, fresh(later + MINUTE, SPY=90.0))
    assert update.equity == -20.0


def test_every_version_is_one_more_than_the_last_even_where_nothing_moved() -> None:
    book = Book(5.0)
    versions = [apply(book, NOON + number, {}).version for number in range(5)]
    assert versions == [1, 2, 3, 4, 5]


def test_positions_are_sorted_and_cannot_be_altered() -> None:
    book, later = Book(0.0), NOON + MINUTE
    apply(book, NOON, fresh(NOON, SPY=1.0), signal("momentum", SPY=1.0, IWM=1.0, QQQ=1.0))
    update = apply(book, later, fresh(later, QQQ=1.0, IWM=1.0))
    assert list(update.positions) == ["IWM", "QQQ", "SPY"]
    with pytest.raises(TypeError):
        update.positions["SPY"] = 2.0  # type: ignore[index]  # the point


def test_a_version_keeps_its_positions_when_the_next_one_is_made() -> None:
    book = Book(0.0)
    first = apply(book, NOON, fresh(NOON, SPY=1.0), signal("momentum", SPY=1.0))
    apply(book, NOON + MINUTE, fresh(NOON + MINUTE, SPY=1.0), signal("momentum", SPY=2.0))
    assert first.positions == {"SPY": 1.0}


def test_what_a_strategy_does_to_its_targets_afterwards_alters_nothing() -> None:
    book, targets = Book(0.0), {"SPY": 1.0}
    apply(book, NOON, {}, Signal(timestamp=WallMs(NOON), strategy="m", targets=targets, reason=""))
    targets["SPY"] = 100.0
    update = apply(book, NOON, fresh(NOON, SPY=1.0))
    assert update.positions == {"SPY": 1.0}


@pytest.mark.parametrize("close", [math.nan, math.inf, -math.inf, 1e308])
def test_a_version_that_cannot_balance_is_refused_as_a_whole(close: float) -> None:
    book = Book(1_000.0)
    apply(book, NOON, fresh(NOON, SPY=50.0, QQQ=10.0), signal("pairs", SPY=3.0))
    later = NOON + MINUTE
    with pytest.raises(ConservationBroken):
        apply(book, later, fresh(later, SPY=close, QQQ=10.0), signal("pairs", QQQ=2.0))
    update = apply(book, later, fresh(later, SPY=60.0, QQQ=10.0))
    assert (update.version, update.positions, update.cash, update.equity) == (
        2,
        {"SPY": 3.0},
        850.0,
        1_030.0,
    )


@pytest.mark.parametrize(
    "units",
    [(math.nan,), (math.inf,), (-math.inf,), (math.inf, -math.inf), (1e308,), (1.7e308, 1.7e308)],
)
def test_what_no_account_can_hold_is_refused_and_the_others_are_granted(
    units: Sequence[float],
) -> None:
    book = Book(1_000.0)
    bad = [signal(str(number), SPY=each) for number, each in enumerate(units)]
    bars = fresh(NOON, SPY=100.0, QQQ=10.0)
    update = apply(book, NOON, bars, signal("pairs", QQQ=2.0), *bad)
    assert (update.positions, update.cash, update.equity) == ({"QQQ": 2.0}, 980.0, 1_000.0)
    reason = "more than 5e+13 of equity and positions cannot be kept to a cent"
    assert [(each.granted, each.reason) for each in update.refused] == [(0.0, reason)] * len(units)


@given(
    st.floats(1.0, 1e14), st.floats(-1e15, 1e15), st.floats(1e-3, 1e9), st.sampled_from(BREACHES)
)
def test_what_is_bought_and_sold_at_one_price_leaves_the_cash_as_it_was_to_the_cent(
    cash: float, units: float, close: float, breach: Breach
) -> None:
    book, later = Book(cash, limits=Limits(breach=breach)), NOON + MINUTE
    update = apply(book, NOON, fresh(NOON, SPY=close), signal("momentum", SPY=units))
    assert update.gross_exposure <= 5e13
    assert update.equity == pytest.approx(cash, rel=0, abs=0.01)
    update = apply(book, later, fresh(later, SPY=close), signal("momentum", SPY=0.0))
    assert update.positions == {}
    assert update.cash == pytest.approx(cash, rel=0, abs=0.01)


def test_closing_large_positions_that_offset_each_other_is_no_loss() -> None:
    book, later = Book(0.0), NOON + MINUTE
    bought = signal("pairs", QQQ=7_661.0, IWM=2.0)
    apply(book, NOON, fresh(NOON, IWM=1.5, QQQ=2_190.0), bought)
    sold = signal("pairs", QQQ=0.0, IWM=0.0)
    update = apply(book, later, fresh(later, IWM=1.6113988057040842, QQQ=2_190.0), sold)
    assert update.positions == {}
    assert update.equity == pytest.approx(2 * 0.1113988057040842)


# Costs, limits, and what is told of both


def test_a_fill_costs_what_the_costs_say_and_they_are_summed_from_the_start() -> None:
    book = Book(1_000.0, Costs(commission_per_unit=1.0, slippage_bps=100))
    update = apply(book, NOON, fresh(NOON, SPY=10.0), signal("momentum", SPY=10.0))
    assert (update.cash, update.equity, update.costs) == (889.0, 989.0, 11.0)
    later = NOON + MINUTE
    update = apply(book, later, fresh(later, SPY=10.0), signal("momentum", SPY=0.0))
    assert (update.cash, update.equity, update.costs) == (978.0, 978.0, 22.0)
    assert update.turnover == 200.0


def test_strategies_that_trade_against_each_other_pay_for_what_the_portfolio_trades() -> None:
    book = Book(1_000.0, Costs(commission_per_unit=1.0))
    bars = fresh(NOON, SPY=10.0)
    update = apply(book, NOON, bars, signal("momentum", SPY=10.0), signal("pairs", SPY=-10.0))
    assert (update.costs, update.positions, update.cash) == (0.0, {}, 1_000.0)


def test_the_drawdown_is_the_share_of_the_peak_that_was_lost() -> None:
    book, seen = Book(100.0), []
    apply(book, NOON, fresh(NOON, SPY=10.0), signal("momentum", SPY=10.0))
    for number, close in enumerate((20.0, 15.0, 25.0), 1):
        timestamp = NOON + number * MINUTE
        update = apply(book, timestamp, fresh(timestamp, SPY=close))
        seen.append((update.equity, update.peak, update.drawdown))
    assert seen == [(200.0, 200.0, 0.0), (150.0, 200.0, 0.25), (250.0, 250.0, 0.0)]


@pytest.mark.parametrize("cash", [0.0, -5.0])
def test_where_there_never_was_equity_no_share_of_it_can_be_lost(cash: float) -> None:
    update = apply(Book(cash), NOON, fresh(NOON, SPY=10.0), signal("momentum", SPY=10.0))
    assert update.peak == cash
    assert math.isnan(update.drawdown)


def test_exposure_is_the_value_of_all_positions_with_and_without_their_signs() -> None:
    bars = fresh(NOON, SPY=10.0, QQQ=20.0)
    update = apply(Book(0.0), NOON, bars, signal("momentum", SPY=3.0, QQQ=-1.0))
    assert (update.gross_exposure, update.net_exposure) == (50.0, 10.0)


def test_a_refused_target_says_why_and_the_strategy_keeps_what_it_had() -> None:
    book = Book(1_000.0, limits=Limits(max_weight=0.5))
    apply(book, NOON, fresh(NOON, SPY=10.0), signal("momentum", SPY=20.0))
    later = NOON + MINUTE
    update = apply(book, later, fresh(later, SPY=10.0), signal("momentum", SPY=60.0))
    assert update.positions == {"SPY": 20.0}
    assert update.applied == ("momentum",)
    assert update.refused == (
        Refusal(
            strategy="momentum", symbol="SPY", target=60.0, granted=20.0, reason="max_weight = 0.5"
        ),
    )


def test_a_refused_target_is_not_tried_again_by_itself() -> None:
    book = Book(1_000.0, limits=Limits(max_notional=100.0))
    apply(book, NOON, fresh(NOON, SPY=10.0), signal("momentum", SPY=60.0))
    later = NOON + MINUTE
    update = apply(book, later, fresh(later, SPY=1.0))
    assert (update.positions, update.refused) == ({}, ())


def test_a_clipped_target_is_followed_as_far_as_the_limit_allows() -> None:
    book = Book(1_000.0, limits=Limits(max_units=25.0, breach="clip"))
    update = apply(book, NOON, fresh(NOON, SPY=10.0), signal("momentum", SPY=60.0))
    assert update.positions == {"SPY": 25.0}
    assert [each.granted for each in update.refused] == [25.0]


def test_limits_are_judged_by_the_equity_at_the_prices_of_the_moment() -> None:
    book = Book(100.0, limits=Limits(max_weight=1.0, breach="clip"))
    apply(book, NOON, fresh(NOON, SPY=10.0, QQQ=10.0), signal("momentum", SPY=10.0))
    later = NOON + MINUTE
    update = apply(book, later, fresh(later, SPY=20.0, QQQ=10.0), signal("momentum", QQQ=30.0))
    assert update.positions == {"QQQ": 20.0, "SPY": 10.0}


def test_limits_are_judged_when_the_change_is_filled_not_when_it_is_wanted() -> None:
    book = Book(1_000.0, limits=Limits(max_notional=100.0))
    update = apply(book, NOON, {}, signal("momentum", SPY=5.0))
    assert (update.positions, update.refused) == ({}, ())
    later = NOON + MINUTE
    update = apply(book, later, fresh(later, SPY=30.0))
    assert [each.reason for each in update.refused] == ["max_notional = 100"]


def granted_with(*before: tuple[int, Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """What the strategies a and b, in this order, are granted of the 80 units of SPY that each
    wants, where only 100 may be held; ``before`` are the decisions of earlier sets, which had bars
    of QQQ alone.
    """
    book = Book(1e6, limits=Limits(max_units=100.0, breach="clip"))
    steps_ = [*before, (len(before), {"a": {"SPY": 80.0}, "b": {"SPY": 80.0}})]
    for number, said in steps_:
        timestamp = NOON + number * MINUTE
        last = number == len(before)
        bars = fresh(timestamp, **{"SPY" if last else "QQQ": 10.0})
        signals = [signal(name, **targets) for name, targets in said.items()]
        update = apply(book, timestamp, bars, *signals)
    assert update.positions == {"SPY": 100.0}
    return {each.strategy: each.granted for each in update.refused}


def test_the_order_of_the_config_counts_whoever_waits_for_something_else() -> None:
    assert granted_with() == {"b": 20.0}
    assert granted_with((0, {"b": {"DEAD": 1.0}})) == {"b": 20.0}


def test_who_waited_and_wants_it_anew_has_no_place_before_the_others() -> None:
    assert granted_with((0, {"b": {"SPY": 50.0}})) == {"b": 20.0}


def test_of_what_waited_and_was_not_said_anew_the_oldest_comes_first_and_then_what_is_said() -> (
    None
):
    book = Book(1e6, limits=Limits(max_units=100.0, breach="clip"))
    apply(book, NOON, {}, signal("b", SPY=50.0), signal("c", SPY=0.0))
    apply(book, NOON + 1, {}, signal("a", SPY=40.0))
    bars = fresh(NOON + 2, SPY=10.0)
    update = apply(book, NOON + 2, bars, signal("c", SPY=30.0), signal("d", SPY=1.0))
    assert update.positions == {"SPY": 100.0}
    assert [(each.strategy, each.granted) for each in update.refused] == [("c", 10.0), ("d", 0.0)]
    apply(book, NOON + 3, {}, signal("b", SPY=0.0), signal("a", SPY=0.0), signal("c", SPY=0.0))
    apply(book, NOON + 4, fresh(NOON + 4, SPY=10.0))
    apply(book, NOON + 5, {}, signal("b", SPY=70.0))
    apply(book, NOON + 6, {}, signal("a", SPY=70.0))
    update = apply(book, NOON + 7, fresh(NOON + 7, SPY=10.0))
    assert [(each.strategy, each.granted) for each in update.refused] == [("a", 30.0)]


def test_of_two_decisions_of_one_strategy_the_later_one_counts_for_a_symbol_of_both() -> None:
    first, second = signal("momentum", SPY=3.0, QQQ=1.0), signal("momentum", SPY=5.0)
    update = apply(Book(1_000.0), NOON, fresh(NOON, SPY=10.0, QQQ=10.0), first, second)
    assert update.positions == {"QQQ": 1.0, "SPY": 5.0}
    assert update.turnover == 60.0


def on_version(version: int, strategy: str, **targets: float) -> Signal:
    return msgspec.structs.replace(signal(strategy, **targets), depends_on_version=version)


def test_who_waited_for_a_price_is_named_when_it_comes_with_the_version_it_decided_on() -> None:
    book = Book(1_000.0)
    apply(book, NOON, {}, on_version(0, "momentum", SPY=3.0, QQQ=1.0))
    update = apply(book, NOON + 1, {}, on_version(1, "pairs", IWM=1.0))
    assert (update.waited, update.depends_on_version) == ((), 1)
    update = apply(book, NOON + 2, fresh(NOON + 2, SPY=10.0), on_version(2, "mine", SPY=1.0))
    assert update.positions == {"SPY": 4.0}
    assert (update.applied, update.waited, update.stale) == (("mine",), ("momentum",), ())
    assert (update.version, update.depends_on_version) == (3, 0)
    update = apply(book, NOON + 3, fresh(NOON + 3, IWM=10.0, QQQ=10.0))
    assert (update.waited, update.depends_on_version) == (("momentum", "pairs"), 0)
    update = apply(book, NOON + 4, fresh(NOON + 4, SPY=10.0, IWM=10.0, QQQ=10.0))
    assert (update.waited, update.depends_on_version) == ((), 4)


def test_who_wants_nothing_else_than_it_has_or_says_it_anew_did_not_wait() -> None:
    book = Book(1_000.0)
    apply(book, NOON, {}, on_version(0, "momentum", SPY=0.0), on_version(0, "pairs", SPY=1.0))
    said = on_version(1, "pairs", SPY=2.0)
    update = apply(book, NOON + 1, fresh(NOON + 1, SPY=10.0), said)
    assert (update.positions, update.applied) == ({"SPY": 2.0}, ("pairs",))
    assert (update.waited, update.depends_on_version) == ((), 1)


def test_who_waited_is_named_once_and_where_it_is_refused_too() -> None:
    book = Book(1_000.0, limits=Limits(max_units=1.0))
    apply(book, NOON, {}, on_version(0, "momentum", SPY=3.0))
    apply(book, NOON + 1, {}, on_version(1, "momentum", QQQ=1.0))
    update = apply(book, NOON + 2, fresh(NOON + 2, SPY=10.0, QQQ=10.0))
    assert (update.positions, update.waited) == ({"QQQ": 1.0}, ("momentum",))
    assert [each.strategy for each in update.refused] == ["momentum"]
    assert update.depends_on_version == 0


def test_a_decision_on_an_older_version_than_the_last_is_told_as_stale() -> None:
    book = Book(1_000.0)
    apply(book, NOON, fresh(NOON, SPY=10.0))
    apply(book, NOON + MINUTE, {})
    old = msgspec.structs.replace(signal("momentum", SPY=1.0), depends_on_version=1)
    new = msgspec.structs.replace(signal("pairs", SPY=1.0), depends_on_version=2)
    update = apply(book, NOON + 2 * MINUTE, {}, new, old)
    assert (update.version, update.depends_on_version, update.stale) == (3, 1, ("momentum",))
    update = apply(book, NOON + 3 * MINUTE, {})
    assert (update.version, update.depends_on_version, update.stale) == (4, 3, ())


prices = st.floats(0.01, 100_000.0)
units = st.one_of(st.just(0.0), st.floats(-10_000.0, 10_000.0))
steps = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(SYMBOLS), prices),
        st.dictionaries(
            st.sampled_from(STRATEGIES), st.dictionaries(st.sampled_from(SYMBOLS), units)
        ),
    ),
    max_size=12,
)


costs = st.builds(
    Costs,
    commission_bps=st.floats(0, 100),
    commission_per_unit=st.floats(0, 1),
    slippage_bps=st.floats(0, 100),
)


class Ledger:
    """The same book kept in exact numbers, trade by trade, in the plainest way."""

    def __init__(self, cash: float, charged: Costs) -> None:
        self.cash = Fraction(cash)
        self.held = dict.fromkeys(SYMBOLS, Fraction(0))
        self.wanted = {(name, key): Fraction(0) for name in STRATEGIES for key in SYMBOLS}
        self.marks = dict.fromkeys(SYMBOLS, Fraction(0))
        self.charged = charged
        self.costs = self.turnover = self.moves = Fraction(0)
        self.start = Fraction(cash)
        self.moved = abs(self.cash)

    def step(
        self, closes: Mapping[str, float], decisions: Mapping[str, Mapping[str, float]]
    ) -> None:
        for name, targets in decisions.items():
            for key, target in targets.items():
                self.wanted[name, key] = Fraction(target)
        for key, close in closes.items():
            self.moves += self.held[key] * (Fraction(close) - self.marks[key])
            self.marks[key] = Fraction(close)
        for key in closes:
            self.trade(key, sum(self.wanted[name, key] for name in STRATEGIES))

    def trade(self, key: str, target: Fraction | int) -> None:
        units, mark = target - self.held[key], self.marks[key]
        side = 1 if units > 0 else -1
        price = mark * (1 + side * Fraction(self.charged.slippage_bps) / 10_000)
        commission = abs(units) * Fraction(self.charged.commission_per_unit)
        commission += abs(units) * price * Fraction(self.charged.commission_bps) / 10_000
        self.cash -= units * price + commission
        self.costs += commission + abs(units * (price - mark))
        self.turnover += abs(units * mark)
        self.held[key] = Fraction(target)
        self.moved += abs(units * mark) + self.costs

    @property
    def equity(self) -> Fraction:
        return self.cash + sum(units * self.marks[key] for key, units in self.held.items())

    @property
    def scale(self) -> Fraction:
        """Of the sums that were rounded."""
        return self.moved + sum(abs(each) * self.marks[key] for key, each in self.held.items())


def run(
    cash: float, given_steps: Iterable[Step], charged: Costs | None = None
) -> Iterable[tuple[PortfolioUpdate, Ledger]]:
    charged = charged or Costs()
    book, ledger = Book(cash, charged), Ledger(cash, charged)
    for number, (closes, decisions) in enumerate(given_steps):
        timestamp = NOON + number * MINUTE
        signals = [signal(name, **decisions[name]) for name in STRATEGIES if name in decisions]
        update = apply(book, timestamp, fresh(timestamp, **closes), *signals)
        ledger.step(closes, decisions)
        yield update, ledger


@given(st.floats(-1e6, 1e6), steps, costs)
def test_every_figure_is_that_of_an_exact_ledger(
    cash: float, given_steps: list[Step], charged: Costs
) -> None:
    peak = cash
    for number, (update, ledger) in enumerate(run(cash, given_steps, charged), 1):
        assert update.version == number
        held = {key: float(units) for key, units in ledger.held.items() if units}
        assert dict(update.positions) == pytest.approx(held, rel=1e-12, abs=1e-9)
        values = [units * ledger.marks[key] for key, units in ledger.held.items()]
        for found, exact in (
            (update.cash, ledger.cash),
            (update.equity, ledger.equity),
            (update.costs, ledger.costs),
            (update.turnover, ledger.turnover),
            (update.gross_exposure, sum(map(abs, values))),
            (update.net_exposure, sum(values)),
        ):
            assert abs(Fraction(found) - exact) <= ledger.scale / 10**12
        peak = max(peak, update.equity)
        assert update.peak == peak
        if peak > 0:
            assert update.drawdown == 1 - update.equity / peak
        else:
            assert math.isnan(update.drawdown)


@given(st.floats(-1e6, 1e6), steps, costs)
def test_equity_changes_by_the_moves_of_prices_less_the_costs(
    cash: float, given_steps: list[Step], charged: Costs
) -> None:
    for update, ledger in run(cash, given_steps, charged):
        assert ledger.equity == ledger.start + ledger.moves - ledger.costs
        expected = ledger.start + ledger.moves - Fraction(update.costs)
        assert abs(Fraction(update.equity) - expected) <= ledger.scale / 10**12


@given(st.floats(-1e6, 1e6), steps)
def test_fills_alone_never_change_the_equity(cash: float, given_steps: list[Step]) -> None:
    closes = dict.fromkeys(SYMBOLS, 12.5)
    unmoved: list[Step] = [(closes, decisions) for _, decisions in given_steps]
    for update, ledger in run(cash, unmoved):
        assert update.equity == pytest.approx(cash, rel=1e-9, abs=float(ledger.moved) / 10**12)


@given(steps, st.permutations(STRATEGIES))
def test_the_order_in_which_decisions_are_applied_decides_no_position(
    given_steps: list[Step], order: list[str]
) -> None:
    one, other = Book(0.0), Book(0.0)
    for number, (closes, decisions) in enumerate(given_steps):
        timestamp = NOON + number * MINUTE
        bars = fresh(timestamp, **closes)
        signals = {name: signal(name, **targets) for name, targets in decisions.items()}
        first = apply(one, timestamp, bars, *(signals[n] for n in STRATEGIES if n in signals))
        second = apply(other, timestamp, bars, *(signals[n] for n in order if n in signals))
        assert first.positions == second.positions
        assert first.cash == second.cash
        assert second.applied == tuple(name for name in order if name in signals)


def test_a_target_of_which_no_bar_can_come_is_refused_and_does_not_wait() -> None:
    book = Book(1_000.0, symbols={"SPY"})
    update = apply(book, NOON, fresh(NOON, SPY=50.0), signal("momentum", SPY=3.0, SPX=2.0))
    assert update.positions == {"SPY": 3.0}
    (refused,) = update.refused
    assert (refused.strategy, refused.symbol, refused.target, refused.granted) == (
        "momentum",
        "SPX",
        2.0,
        0.0,
    )
    assert refused.reason == "no source has bars of it"
    assert apply(book, NOON + 1, fresh(NOON + 1, SPX=9.0)).positions == {"SPY": 3.0}
