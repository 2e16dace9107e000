"""Which of two sources did better."""

import math

import pytest
from tests.features.table import run_separate

from barsync_async.features.relative_strength import RelativeStrength


def test_it_is_the_growth_of_the_first_over_that_of_the_second() -> None:
    prices = [(10.0, 5.0), (11.0, 5.0), None, (15.0, 10.0)]
    rows = run_separate(RelativeStrength, [[each] for each in prices], window=2)
    values = [row[0][0] for row in rows]
    assert values == pytest.approx([math.nan] * 3 + [0.75], nan_ok=True)


def test_a_close_that_is_not_above_0_gives_no_value() -> None:
    prices = [(10.0, 5.0), (0.0, 5.0), (12.0, 6.0), (12.0, 4.0)]
    rows = run_separate(RelativeStrength, [[each] for each in prices], window=1)
    values = [row[0][0] for row in rows]
    assert values == pytest.approx([math.nan, math.nan, math.nan, 1.5], nan_ok=True)
