"""Prices weighted by volume: over a window, and since the day began."""

import math
from typing import Any

import pytest
from tests.features.table import fresh_bars, run_one, values

from barsync_async.features.vwap import SessionVwap, Vwap

MIDNIGHT = 1_799_971_200_000
HOUR = 3_600_000


def traded(close: float, volume: float) -> dict[str, float]:
    return {"high": close + 2, "low": close - 2, "close": close, "volume": volume}


def day(*bars: tuple[float, float, float], **options: Any) -> list[float]:
    """Bars of (hours after midnight, close, volume)."""
    indicator = SessionVwap(1, **options)
    return [
        values(
            indicator.update(fresh_bars([traded(close, volume)], MIDNIGHT + round(hour * HOUR)))
        )[0][0]
        for hour, close, volume in bars
    ]


def test_a_price_counts_by_its_volume() -> None:
    assert run_one(Vwap, [traded(10, 1), traded(20, 3)], window=2)[1] == 17.5


def test_a_window_without_volume_has_no_price() -> None:
    cells = [traded(10, 0), traded(20, 0), traded(30, 2)]
    assert run_one(Vwap, cells, window=2)[1:] == pytest.approx([math.nan, 30.0], nan_ok=True)


def test_a_day_has_its_own_sum_and_the_bar_that_ends_with_it_belongs_to_it() -> None:
    assert day((23, 10, 1), (24, 20, 3), (25, 50, 1), (26, 70, 1)) == [10.0, 17.5, 50.0, 60.0]


def test_a_day_may_begin_at_another_time() -> None:
    bars = ((13, 10.0, 1.0), (13.5, 20.0, 3.0), (13.75, 50.0, 1.0))
    assert day(*bars, start="13:30") == [10.0, 17.5, 50.0]


def test_a_source_that_is_silent_keeps_the_value_of_its_last_day() -> None:
    indicator = SessionVwap(2)
    indicator.update(fresh_bars([traded(10, 1), traded(20, 1)], MIDNIGHT + HOUR))
    later = indicator.update(fresh_bars([traded(30, 1), None], MIDNIGHT + 30 * HOUR))
    assert values(later) == [[30.0], [20.0]]


def test_before_anything_was_traded_there_is_no_price() -> None:
    assert day((1, 10, 0), (2, 20, 1)) == pytest.approx([math.nan, 20.0], nan_ok=True)
