"""bytewax: a stateful step, keyed by timestamp, that gives a set out when its last bar is there.

Keys and bars are paired before the clock starts; the dataflow runs in this thread (``run_main``)
from a ``TestingSource`` into a ``TestingSink``, without recovery.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from barsync_async.messages import Bar

if TYPE_CHECKING:
    from benchmarks.rivals.load import Load, Result, Stopwatch
else:
    from rivals.load import Load, Result, Stopwatch

BATCH = 100
"""Of 1, 100 and 1,000 the fastest on the whole."""

Cells = dict[str, Bar]


def bar_by_bar(load: Load) -> Result:
    """Every bar is taken on its own, as it comes; the default."""
    return run(load, batch_size=1)


def batched(load: Load) -> Result:
    """Bars are taken a hundred at a time, so a set may wait for bars that come after it."""
    return run(load, batch_size=BATCH)


def run(load: Load, *, batch_size: int) -> Result:
    """One dataflow over the whole load."""
    operators, testing = import_module("bytewax.operators"), import_module("bytewax.testing")
    expected = len(load.symbols)

    def gather(cells: Cells | None, bar: Bar) -> tuple[Cells | None, tuple[Cells, ...]]:
        cells = {} if cells is None else cells
        cells[bar.symbol] = bar
        return (None, (cells,)) if len(cells) == expected else (cells, ())

    out: list[tuple[str, Cells]] = []
    keyed = [(str(bar.timestamp), bar) for bar in load.bars()]
    flow = import_module("bytewax.dataflow").Dataflow("bars")
    stream = operators.input("bars", flow, testing.TestingSource(keyed, batch_size=batch_size))
    sets = operators.stateful_flat_map("sets", stream, gather)
    operators.output("out", sets, testing.TestingSink(out))
    watch = Stopwatch()
    testing.run_main(flow)
    return watch.result(len(out))
