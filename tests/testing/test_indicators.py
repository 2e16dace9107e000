"""The shipped fake is what an indicator takes in."""

import numpy as np

from barsync_async.testing import create_bar, fresh_bars_of


def test_the_columns_are_those_of_the_bars_that_are_there() -> None:
    first, last = (
        create_bar("A_1m", 60_000, 10.0, high=12.0, volume=3.0),
        create_bar("C_1m", 60_000),
    )
    bars = fresh_bars_of(first, None, last)
    assert np.asarray(bars.columns).tolist() == [0, 2]
    assert bars.timestamp == 60_000
    assert bars.close.tolist() == [10.0, 100.0]
    assert bars.high.tolist() == [12.0, 100.0]
    assert bars.volume.tolist() == [3.0, 1.0]


def test_there_may_be_no_bar_at_all() -> None:
    bars = fresh_bars_of(None, None)
    assert (np.asarray(bars.columns).tolist(), bars.close.tolist()) == ([], [])
