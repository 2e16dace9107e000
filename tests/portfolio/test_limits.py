"""Limits, by example and against an oracle that looks for the furthest step in exact numbers."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.portfolio import Limits
from barsync_async.portfolio.limits import Grant, Holdings, Wish
from barsync_async.portfolio.limits import granted as granted_by_decision

MARKS = {"A": 10.0, "B": 20.0, "C": 40.0}


def granted(wishes: Sequence[Wish], holdings: Holdings, limits: Limits) -> list[Grant]:
    """What ``wishes`` come to, where those of one strategy are one decision."""
    groups = groupby(wishes, key=lambda each: each.strategy)
    return granted_by_decision([tuple(own) for _, own in groups], holdings, limits)


def units(
    limits: Limits,
    *wishes: tuple[str, str, float],
    positions: Mapping[str, float] | None = None,
    equity: float = 1_000.0,
) -> list[tuple[str, float, str | None]]:
    """What strategies that hold nothing are granted of what they want."""
    holdings = Holdings(positions or {}, MARKS, equity)
    made = [Wish(strategy, symbol, 0.0, target) for strategy, symbol, target in wishes]
    grants = granted(made, holdings, limits)
    return [(each.wish.symbol, each.units, each.reason) for each in grants]


def test_without_limits_all_is_granted() -> None:
    assert units(Limits(), ("s", "A", 1e9)) == [("A", 1e9, None)]


TOO_MUCH = "more than 5e+13 of equity and positions cannot be kept to a cent"


@pytest.mark.parametrize(("breach", "clipped"), [("refuse", 0.0), ("clip", 4e12)])
@pytest.mark.parametrize("side", [1, -1])
def test_without_limits_too_what_a_float_cannot_hold_to_a_cent_is_refused(
    breach: Any, clipped: float, side: int
) -> None:
    limits = Limits(breach=breach)
    assert units(limits, ("s", "A", side * 1e15), equity=1e13) == [("A", side * clipped, TOO_MUCH)]
    assert units(limits, ("s", "A", side * 4e12), equity=1e13) == [("A", side * 4e12, None)]
    assert units(limits, ("s", "A", side * 4e12), equity=-2e13)[0][2] == TOO_MUCH
    assert units(limits, ("s", "A", 1.0), equity=1e15) == [("A", 0.0, TOO_MUCH)]


def test_what_several_symbols_are_worth_is_held_to_a_cent_together() -> None:
    grants = units(Limits(), ("s", "A", 4e12), ("t", "B", -2e12))
    assert grants == [("A", 4e12, None), ("B", 0.0, TOO_MUCH)]


def test_a_position_that_the_market_made_too_large_for_a_cent_may_shrink_not_grow() -> None:
    held = {"A": 1e13}
    for target, expected in ((9e12, 9e12), (0.0, 0.0), (1.1e13, 1e13)):
        (grant,) = granted([Wish("s", "A", 1e13, target)], Holdings(held, MARKS, 1e6), Limits())
        assert grant.units == expected


def test_what_is_no_number_is_refused_without_limits_too() -> None:
    for target in (math.nan, math.inf, -math.inf):
        assert units(Limits(), ("s", "A", target), ("s", "B", 1.0)) == [
            ("A", 0.0, TOO_MUCH),
            ("B", 1.0, None),
        ]


@pytest.mark.parametrize(
    ("given_limit", "clipped"),
    [
        ({"max_units": 30.0}, 30.0),
        ({"max_notional": 250.0}, 25.0),
        ({"max_weight": 0.2}, 20.0),
        ({"max_gross_leverage": 0.5}, 50.0),
        ({"max_net_leverage": 0.4}, 40.0),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_each_limit_stops_a_target_by_itself_and_is_named(
    given_limit: dict[str, Any], clipped: float, side: int
) -> None:
    ((name, value),) = given_limit.items()
    reason = f"{name} = {value:g}"
    wish = ("s", "A", side * 90.0)
    assert units(Limits(**given_limit, breach="clip"), wish) == [("A", side * clipped, reason)]
    assert units(Limits(**given_limit), wish) == [("A", 0.0, reason)]
    at_the_limit = ("s", "A", side * clipped)
    assert units(Limits(**given_limit), at_the_limit) == [("A", side * clipped, None)]


def test_of_several_limits_the_narrowest_is_named() -> None:
    limits = Limits(max_units=50.0, max_weight=0.1, max_gross_leverage=2.0, breach="clip")
    assert units(limits, ("s", "A", 90.0)) == [("A", 10.0, "max_weight = 0.1")]


def test_legs_that_offset_each_other_are_looked_at_together() -> None:
    limits = Limits(max_net_leverage=0.1)
    assert units(limits, ("s", "A", 90.0), ("s", "B", -45.0)) == [
        ("A", 90.0, None),
        ("B", -45.0, None),
    ]
    assert units(limits, ("s", "A", 90.0), ("t", "A", -90.0)) == [
        ("A", 90.0, None),
        ("A", -90.0, None),
    ]


def test_what_does_not_fit_together_is_granted_by_strategy_in_order() -> None:
    limits = Limits(max_gross_leverage=1.0)
    assert units(limits, ("s", "A", 60.0), ("t", "B", 30.0), ("u", "C", 5.0)) == [
        ("A", 60.0, None),
        ("B", 0.0, "max_gross_leverage = 1"),
        ("C", 5.0, None),
    ]


def test_legs_of_one_strategy_are_looked_at_together_where_another_one_does_not_fit() -> None:
    limits = Limits(max_net_leverage=0.005)
    wishes = [Wish("s", "A", 0.0, 1.0), Wish("s", "B", 0.0, -MARKS["A"] / MARKS["B"])]
    wishes.append(Wish("t", "C", 0.0, 1_000.0))
    grants = granted(wishes, Holdings({}, MARKS, 10.0), limits)
    assert [each.reason is None for each in grants] == [True, True, False]


def test_two_decisions_of_one_strategy_are_looked_at_one_after_the_other() -> None:
    limits = Limits(max_net_leverage=0.01)
    legs, large = (
        [Wish("s", "A", 0.0, 50.0), Wish("s", "B", 0.0, -25.0)],
        [Wish("t", "C", 0.0, 1e9)],
    )
    holdings = Holdings({}, MARKS, 1_000.0)
    grants = granted_by_decision([legs, large], holdings, limits)
    assert [each.units for each in grants] == [50.0, -25.0, 0.0]
    grants = granted_by_decision([legs[:1], legs[1:], large], holdings, limits)
    assert [each.units for each in grants] == [0.0, 0.0, 0.0]


def test_legs_that_bring_a_net_exposure_back_together_are_granted_though_one_adds_to_it() -> None:
    limits = Limits(max_net_leverage=0.01)
    wishes = [Wish("s", "A", 50.0, 10.0), Wish("s", "B", 0.0, 1.0)]
    grants = granted(wishes, Holdings({"A": 50.0}, MARKS, 1_000.0), limits)
    assert [each.units for each in grants] == [10.0, 1.0]


def test_of_one_strategy_what_makes_room_goes_first() -> None:
    limits = Limits(max_gross_leverage=1.0, breach="clip")
    wishes = [Wish("s", "A", 0.0, 120.0), Wish("s", "B", 50.0, 10.0)]
    grants = granted(wishes, Holdings({"B": 50.0}, MARKS, 1_000.0), limits)
    assert [(each.wish.symbol, each.units) for each in grants] == [("B", 10.0), ("A", 80.0)]


def test_a_position_that_the_market_carried_over_a_limit_may_stay_or_shrink_not_grow() -> None:
    limits = Limits(max_weight=0.1)
    held = {"A": 50.0}
    for target, expected in ((50.0, 50.0), (20.0, 20.0), (51.0, 50.0), (-10.0, -10.0)):
        (grant,) = granted([Wish("s", "A", 50.0, target)], Holdings(held, MARKS, 1_000.0), limits)
        assert grant.units == expected
        assert (grant.reason is None) == (target == expected)


def test_a_position_beyond_a_limit_comes_no_further_on_the_other_side_than_the_limit() -> None:
    held = {"A": 50.0}
    for target, expected in ((-10.0, -10.0), (-11.0, -10.0), (-50.0, -10.0)):
        limits = Limits(max_weight=0.1, breach="clip")
        (grant,) = granted([Wish("s", "A", 50.0, target)], Holdings(held, MARKS, 1_000.0), limits)
        assert grant.units == expected
        assert (grant.reason is None) == (target == expected)


prices = st.floats(0.01, 10_000.0)


@given(st.lists(prices, min_size=1, max_size=12), st.floats(1.0, 1e9), st.sampled_from([1, -1]))
def test_equal_shares_of_the_equity_come_up_to_a_limit_and_are_within_it(
    closes: Sequence[float], equity: float, side: int
) -> None:
    marks = {f"S{number}": close for number, close in enumerate(closes)}
    wishes = [
        Wish("s", symbol, 0.0, side * equity / len(closes) / close)
        for symbol, close in marks.items()
    ]
    for limits in (
        Limits(max_gross_leverage=1.0),
        Limits(max_net_leverage=1.0),
        Limits(max_weight=1 / len(closes)),
        Limits(max_notional=equity / len(closes)),
    ):
        for wanted in (wishes, [each._replace(strategy=each.symbol) for each in wishes]):
            grants = granted(wanted, Holdings({}, marks, equity), limits)
            assert [each.units for each in grants] == [each.target for each in wanted]
        too_much = Wish("t", "S0", 0.0, side * equity)
        assert granted([*wishes, too_much], Holdings({}, marks, equity), limits)[-1].reason


def test_what_two_strategies_want_together_is_not_refused_for_how_a_sum_is_rounded() -> None:
    wishes = (("s", "A", 0.1), ("t", "A", 0.2))
    assert units(Limits(max_units=0.3), *wishes) == [("A", 0.1, None), ("A", 0.2, None)]


@given(st.lists(prices, min_size=2, max_size=12), st.floats(1.0, 1e9))
def test_legs_that_offset_each_other_are_within_a_net_limit_of_0(
    closes: Sequence[float], value: float
) -> None:
    marks = {f"S{number}": close for number, close in enumerate(closes)}
    sides = [value] * (len(closes) - 1) + [-value * (len(closes) - 1)]
    wishes = [
        Wish("s", symbol, 0.0, side / marks[symbol])
        for symbol, side in zip(marks, sides, strict=True)
    ]
    grants = granted(wishes, Holdings({}, marks, value), Limits(max_net_leverage=0.0))
    assert [each.reason for each in grants] == [None] * len(wishes)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_units=100.0),
        Limits(max_notional=1_000.0),
        Limits(max_weight=1.0),
        Limits(max_gross_leverage=1.0),
        Limits(max_net_leverage=1.0),
    ],
)
@pytest.mark.parametrize("start", [0.0, 100.0, 150.0])
@pytest.mark.parametrize("beside", [[], [Wish("s", "B", 0.0, 1e9)]], ids=["alone", "one by one"])
def test_nothing_grows_beyond_a_limit_little_by_little(
    limits: Limits, start: float, beside: list[Wish]
) -> None:
    held = start
    for _ in range(20):
        wish = Wish("s", "A", held, max(held, 100.0) * (1 + 4e-10))
        grants = granted([wish, *beside], Holdings({"A": held}, MARKS, 1_000.0), limits)
        held = grants[0].units
    assert max(start, 100.0) <= held <= max(start, 100.0 * (1 + 1e-9))


def test_without_equity_nothing_can_grow_by_its_share() -> None:
    limits = Limits(max_gross_leverage=3.0, breach="clip")
    assert units(limits, ("s", "A", 1.0), equity=-5.0) == [("A", 0.0, "max_gross_leverage = 3")]


def test_a_refusal_says_what_there_is_instead() -> None:
    limits = Limits(max_units=3, breach="clip")
    (grant,) = granted([Wish("s", "A", 0.0, 90.0)], Holdings({}, MARKS, 1_000.0), limits)
    refusal = grant.refusal
    assert refusal is not None
    assert (refusal.strategy, refusal.symbol, refusal.target) == ("s", "A", 90.0)
    assert (refusal.granted, refusal.reason) == (3.0, "max_units = 3")


def test_what_is_no_number_is_granted_by_no_limit() -> None:
    for target in (math.nan, math.inf, -math.inf):
        ((_, got, reason),) = units(Limits(max_weight=0.5, breach="clip"), ("s", "A", target))
        assert (got, reason) == (0.0, "max_weight = 0.5")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_units": -1}, "max_units = -1: expected a number of at least 0"),
        ({"max_net_leverage": math.nan}, "max_net_leverage = nan: expected a number"),
        ({"breach": "panic"}, "breach = 'panic': expected refuse or clip"),
    ],
)
def test_limits_that_make_no_sense_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Limits(**fields)


# Against an oracle. Figures are whole or halves, so that sums in floats are exact.

STRATEGIES = ("s", "t", "u")
whole = st.integers(-100, 100).map(float)
halves = st.integers(0, 40).map(lambda n: n / 4)
limits_drawn = st.builds(
    Limits,
    max_units=st.none() | st.integers(0, 100).map(float),
    max_notional=st.none() | st.integers(0, 2_000).map(float),
    max_weight=st.none() | halves,
    max_gross_leverage=st.none() | halves,
    max_net_leverage=st.none() | halves,
    breach=st.sampled_from(["refuse", "clip"]),
)
held_drawn = st.fixed_dictionaries(
    {(strategy, symbol): whole for strategy in STRATEGIES for symbol in MARKS}
)
targets_drawn = st.dictionaries(
    st.tuples(st.sampled_from(STRATEGIES), st.sampled_from(sorted(MARKS))), whole, max_size=6
)


def _is_within(
    value: Fraction, most: Fraction, before: Fraction, tolerance: Fraction = Fraction(0)
) -> bool:
    """Within -``most`` to ``most``, or on the way there from ``before``; below 0 it is 0."""
    ends: list[Fraction] = [-max(most, Fraction(0)), max(most, Fraction(0)), before]
    return min(ends) - tolerance <= value <= max(ends) + tolerance


class Oracle:
    """Positions in exact numbers; how far a step may go is found by halving."""

    def __init__(self, positions: Mapping[str, Fraction], equity: float, limits: Limits) -> None:
        self.positions = dict(positions)
        self.equity = Fraction(equity)
        self.limits = limits

    def measures(self, positions: Mapping[str, Fraction]) -> dict[str, tuple[Fraction, Fraction]]:
        """Of each limit, what is measured by it, and the most of that, on either side of 0."""
        limits, equity = self.limits, self.equity
        values = {key: each * Fraction(MARKS[key]) for key, each in positions.items()}
        found: dict[str, tuple[Fraction, Fraction]] = {}
        for key, each in positions.items():
            if limits.max_units is not None:
                found[f"units {key}"] = each, Fraction(limits.max_units)
            if limits.max_notional is not None:
                found[f"notional {key}"] = values[key], Fraction(limits.max_notional)
            if limits.max_weight is not None:
                found[f"weight {key}"] = values[key], Fraction(limits.max_weight) * equity
        if limits.max_gross_leverage is not None:
            gross = sum(map(abs, values.values()), Fraction(0))
            found["gross"] = gross, Fraction(limits.max_gross_leverage) * equity
        if limits.max_net_leverage is not None:
            net = sum(values.values(), Fraction(0))
            found["net"] = net, Fraction(limits.max_net_leverage) * equity
        return found

    def fits(self, after: Mapping[str, Fraction]) -> bool:
        before = self.measures(self.positions)
        return all(
            _is_within(value, most, before[name][0])
            for name, (value, most) in self.measures(after).items()
        )

    def moved(self, wishes: Sequence[Wish], share: Fraction = Fraction(1)) -> dict[str, Fraction]:
        after = dict(self.positions)
        for wish in wishes:
            after[wish.symbol] += share * (Fraction(wish.target) - Fraction(wish.held))
        return after

    def share(self, wish: Wish) -> Fraction:
        if self.fits(self.moved([wish])):
            return Fraction(1)
        low, high = Fraction(0), Fraction(1)
        for _ in range(40 if self.limits.breach == "clip" else 0):
            middle = (low + high) / 2
            low, high = (middle, high) if self.fits(self.moved([wish], middle)) else (low, middle)
        return low

    def grant(self, wishes: Sequence[Wish]) -> dict[tuple[str, str], Fraction]:
        if self.fits(self.moved(wishes)):
            self.positions = self.moved(wishes)
            return {(each.strategy, each.symbol): Fraction(each.target) for each in wishes}
        found: dict[tuple[str, str], Fraction] = {}
        for _, group in groupby(wishes, key=lambda each: each.strategy):
            own = list(group)
            if self.fits(self.moved(own)):
                self.positions = self.moved(own)
                found |= {(each.strategy, each.symbol): Fraction(each.target) for each in own}
                continue
            for wish in sorted(own, key=self.order):
                share = self.share(wish)
                self.positions = self.moved([wish], share)
                step = share * (Fraction(wish.target) - Fraction(wish.held))
                found[wish.strategy, wish.symbol] = Fraction(wish.held) + step
        return found

    def order(self, wish: Wish) -> tuple[bool, str]:
        shrinks = abs(self.moved([wish])[wish.symbol]) < abs(self.positions[wish.symbol])
        return not shrinks, wish.symbol


def drawn_case(
    held: Mapping[tuple[str, str], float], targets: Mapping[tuple[str, str], float]
) -> tuple[list[Wish], dict[str, Fraction]]:
    wishes = [
        Wish(strategy, symbol, held[strategy, symbol], target)
        for (strategy, symbol), target in sorted(targets.items())
        if target != held[strategy, symbol]
    ]
    positions = {
        key: sum((Fraction(held[strategy, key]) for strategy in STRATEGIES), Fraction(0))
        for key in MARKS
    }
    return wishes, positions


@given(limits_drawn, held_drawn, targets_drawn, st.integers(-1_000, 20_000).map(float))
def test_what_is_granted_is_what_the_oracle_grants(
    limits: Limits,
    held: Mapping[tuple[str, str], float],
    targets: Mapping[tuple[str, str], float],
    equity: float,
) -> None:
    wishes, positions = drawn_case(held, targets)
    floats = {key: float(each) for key, each in positions.items()}
    grants = granted(wishes, Holdings(floats, MARKS, equity), limits)
    got = {(each.wish.strategy, each.wish.symbol): each.units for each in grants}
    exact = Oracle(positions, equity, limits).grant(wishes)
    assert got == pytest.approx({key: float(each) for key, each in exact.items()}, abs=1e-6)
    assert len(grants) == len(wishes)
    for each in grants:
        assert (each.reason is None) == (each.units == each.wish.target)


@given(limits_drawn, held_drawn, targets_drawn, st.integers(-1_000, 20_000).map(float))
def test_no_limit_is_further_from_being_kept_than_before(
    limits: Limits,
    held: Mapping[tuple[str, str], float],
    targets: Mapping[tuple[str, str], float],
    equity: float,
) -> None:
    wishes, positions = drawn_case(held, targets)
    floats = {key: float(each) for key, each in positions.items()}
    after = dict(positions)
    for each in granted(wishes, Holdings(floats, MARKS, equity), limits):
        after[each.wish.symbol] += Fraction(each.units) - Fraction(each.wish.held)
    oracle = Oracle(positions, equity, limits)
    before = oracle.measures(positions)
    for name, (value, most) in oracle.measures(after).items():
        assert _is_within(value, most, before[name][0], Fraction(1, 10**6)), name
