"""That a version which makes or loses money is noticed, beside however much."""

import math

import pytest

from barsync_async.errors import ConservationBroken
from barsync_async.messages import PortfolioUpdate
from barsync_async.portfolio.conservation import check_conserved
from barsync_async.units import WallMs

MARKS = {"SPY": 100.0}


def version(cash: float, units: float, costs: float = 0.0, close: float = 100.0) -> PortfolioUpdate:
    value = units * close
    return PortfolioUpdate(
        timestamp=WallMs(0),
        version=1,
        positions={"SPY": units},
        cash=cash,
        equity=cash + value,
        costs=costs,
        gross_exposure=abs(value),
        applied=(),
    )


def test_what_was_paid_for_and_what_it_cost_is_in_order() -> None:
    check_conserved(version(1_000.0, 0.0), version(494.0, 5.0, 6.0), MARKS)
    check_conserved(version(494.0, 5.0, 6.0), version(494.0, 5.0, 6.0, 120.0), {"SPY": 120.0})


@pytest.mark.parametrize(
    ("size", "lost"), [(10.0, 1e-7), (1e4, 1e-7), (1e7, 1e-5), (1e10, 0.01), (1e13, 1.0)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_lost_or_made_beside_any_sum_that_is_allowed_is_noticed(
    size: float, lost: float, sign: int
) -> None:
    last, units = version(size, 0.0), size / 100
    check_conserved(last, version(0.0, units), MARKS)
    with pytest.raises(ConservationBroken):
        check_conserved(last, version(sign * lost, units), MARKS)


def test_what_is_no_number_does_not_balance() -> None:
    for cash in (math.nan, math.inf, -math.inf):
        with pytest.raises(ConservationBroken):
            check_conserved(version(1.0, 0.0), version(cash, 0.0), MARKS)
        with pytest.raises(ConservationBroken):
            check_conserved(version(cash, 0.0), version(cash, 0.0), MARKS)
