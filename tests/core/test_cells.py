"""What stands in a cell that got no bar of its own."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.scene import MINUTE, NOON, slot_of, some_bar, synchronizer

from barsync_async.core.cells import interpolated, settled
from barsync_async.messages import Bar
from barsync_async.units import WallMs

FRESH, BEFORE = some_bar(close=5.0), some_bar(minute=-2, close=3.0)
AFTER = some_bar(minute=2, close=7.0)


def cell(
    *,
    fresh: Bar | None = None,
    last: Bar | None = BEFORE,
    due: bool = True,
    after: Bar | None = None,
    **options: Any,
) -> tuple[float, str, int] | None:
    """Close, provenance and age of the only cell."""
    slot = slot_of(1, due=bytes([due]))
    slot.cells = [fresh]
    (found,) = settled(slot, [last], synchronizer(**options).spec, lambda index: after)
    assert slot.cells == [fresh], "the slot's own cells stay as they came"
    return None if found is None else (found.close, found.provenance, found.age_ms)


@pytest.mark.parametrize("missing", ["skip", "last_known", "interpolate"])
def test_a_bar_that_came_stands_as_it_is(missing: str) -> None:
    assert cell(fresh=FRESH, after=AFTER, missing=missing) == (5.0, "fresh", 0)


@pytest.mark.parametrize("missing", ["skip", "last_known", "interpolate"])
def test_a_source_that_is_not_due_is_carried_whatever_the_policy_and_its_age(missing: str) -> None:
    found = cell(due=False, after=AFTER, missing=missing, max_age_ms=1)
    assert found == (3.0, "carried", 2 * MINUTE)


def test_skip_leaves_a_due_source_without_a_cell() -> None:
    assert cell(missing="skip", after=AFTER) is None


def test_last_known_fills_with_the_bar_before() -> None:
    assert cell(missing="last_known", after=AFTER) == (3.0, "filled", 2 * MINUTE)


@pytest.mark.parametrize(
    ("max_age_ms", "fills"), [(2 * MINUTE, True), (2 * MINUTE - 1, False), (0, False)]
)
@pytest.mark.parametrize("missing", ["last_known", "interpolate"])
def test_a_bar_older_than_max_age_fills_nothing(missing: str, max_age_ms: int, fills: bool) -> None:
    assert (cell(missing=missing, max_age_ms=max_age_ms) is not None) is fills


def test_interpolate_takes_the_line_and_without_a_later_bar_the_last_known_one() -> None:
    assert cell(missing="interpolate", after=AFTER, max_age_ms=1) == (5.0, "interpolated", 0)
    assert cell(missing="interpolate") == (3.0, "filled", 2 * MINUTE)


@pytest.mark.parametrize("due", [False, True])
def test_before_its_first_bar_a_source_has_no_cell(due: bool) -> None:
    assert cell(last=None, due=due, missing="interpolate", after=AFTER) is None


def test_each_value_lies_on_its_own_line() -> None:
    before = Bar("A", "1m", WallMs(NOON), 1.0, 4.0, 0.0, 2.0, 100.0)
    after = Bar("A", "1m", WallMs(NOON + 4 * MINUTE), 5.0, 8.0, 4.0, 6.0, 500.0)
    found = interpolated(before, after, WallMs(NOON + MINUTE))
    assert found == Bar(
        "A", "1m", WallMs(NOON + MINUTE), 2.0, 5.0, 1.0, 3.0, 200.0, "interpolated", 0
    )


prices = st.floats(0, 1e6)


@given(st.tuples(prices, prices, prices), st.tuples(prices, prices, prices), st.integers(1, 99))
def test_an_interpolated_bar_is_as_possible_as_its_neighbours(
    one: tuple[float, ...], other: tuple[float, ...], share: int
) -> None:
    def bar(minute: int, values: tuple[float, ...]) -> Bar:
        low, close, high = sorted(values)
        whole = some_bar(minute=minute)
        return msgspec.structs.replace(whole, open=close, high=high, low=low, close=close)

    found = interpolated(bar(0, one), bar(100, other), WallMs(NOON + share * MINUTE))
    slack = 1e-6
    assert found.low - slack <= found.close <= found.high + slack
    ends = sorted((sorted(one)[1], sorted(other)[1]))
    assert ends[0] - slack <= found.close <= ends[1] + slack
