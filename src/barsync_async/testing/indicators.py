"""What an indicator takes in, out of nothing."""

import numpy as np

from barsync_async.features import FloatArray, FreshBars
from barsync_async.features.columns import read_only
from barsync_async.messages import Bar
from barsync_async.units import WallMs


def fresh_bars_of(*bars: Bar | None) -> FreshBars:
    """One set for an indicator: a bar for each column, None where the source has no fresh one."""
    places = np.array([place for place, bar in enumerate(bars) if bar is not None], dtype=np.intp)
    fresh = [bar for bar in bars if bar is not None]

    def read(field: str) -> FloatArray:
        return read_only(np.array([getattr(bar, field) for bar in fresh], dtype=np.float64))

    timestamp = fresh[0].timestamp if fresh else WallMs(0)
    return FreshBars(timestamp, places, read("close"), read)
