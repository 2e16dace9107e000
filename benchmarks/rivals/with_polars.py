"""polars: one ``pivot`` of all bars at once, by its threads: what a batch can do and a stream
cannot. The frame is made before the clock starts.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.rivals.load import Load, Result, Stopwatch
else:
    from rivals.load import Load, Result, Stopwatch

VALUES = ("open", "high", "low", "close", "volume")


def whole_bars(load: Load) -> Result:
    """Rows of timestamps, five columns a source."""
    return pivot(load, VALUES)


def closes(load: Load) -> Result:
    """Rows of timestamps, a source's close a column."""
    return pivot(load, ("close",))


def pivot(load: Load, values: Sequence[str]) -> Result:
    """Pivot the whole load; a set is a row without a gap."""
    bars = load.bars()
    columns = {name: [getattr(bar, name) for bar in bars] for name in ("timestamp", *VALUES)}
    frame = import_module("polars").DataFrame({"source": [bar.symbol for bar in bars], **columns})
    watch = Stopwatch()
    wide = frame.pivot(on="source", on_columns=load.symbols, index="timestamp", values=values)
    result = watch.result(wide.height)
    assert wide.null_count().transpose().sum().item() == 0
    return result
