"""What a fill costs, against the same sum in exact numbers."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.portfolio import Costs

rates = st.floats(0, 500)


def test_nothing_is_charged_unless_asked_for() -> None:
    assert Costs().of(100.0, 50.0) == 0.0


def test_a_commission_is_on_the_value_traded_or_on_the_units() -> None:
    assert Costs(commission_bps=10).of(-100.0, 50.0) == 5.0
    assert Costs(commission_per_unit=0.01).of(-100.0, 50.0) == 1.0


@pytest.mark.parametrize("units", [100.0, -100.0])
def test_slippage_costs_a_buyer_and_a_seller_alike(units: float) -> None:
    assert Costs(slippage_bps=2).of(units, 50.0) == 1.0


def test_the_commission_is_on_what_was_paid_slippage_included() -> None:
    costs = Costs(slippage_bps=100, commission_bps=100)
    assert costs.of(100.0, 10.0) == pytest.approx(10 + 10.1)
    assert costs.of(-100.0, 10.0) == pytest.approx(10 + 9.9)


def test_at_a_close_below_0_slippage_is_against_a_buyer_and_a_seller_too() -> None:
    costs = Costs(slippage_bps=100, commission_bps=100)
    assert costs.of(1.0, -37.0) == pytest.approx(0.37 + 0.3663)
    assert costs.of(-1.0, -37.0) == pytest.approx(0.37 + 0.3737)


@given(rates, rates, rates, st.floats(-1e6, 1e6), st.floats(-1e3, 1e5))
def test_costs_are_those_of_exact_numbers(
    bps: float, per_unit: float, slippage_bps: float, units: float, close: float
) -> None:
    costs = Costs(commission_bps=bps, commission_per_unit=per_unit, slippage_bps=slippage_bps)
    side = 1 if units > 0 else -1
    price = Fraction(close) + side * abs(Fraction(close)) * Fraction(slippage_bps) / 10_000
    size = abs(Fraction(units))
    lost = size * abs(price - Fraction(close))
    exact = lost + size * abs(price) * Fraction(bps) / 10_000 + size * Fraction(per_unit)
    assert costs.of(units, close) == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ["commission_bps", "commission_per_unit", "slippage_bps"])
def test_a_rate_that_makes_no_sense_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} = .*: expected a number of at least 0"):
        Costs(**{name: value})
