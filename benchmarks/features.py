"""How fast sets become features: this engine beside others, in one run.

First ``sma`` (20) and ``rsi`` (14) of every source, every source fresh in every set. The rates are
source-updates in a second: sources times sets, by the time of all sets. Medians of several runs,
all contenders in turn, each in a fresh process; what one reads is made before its clock starts.

From arrays, a row of closes a set, to arrays:

- ``this engine``: all that ``FeatureEngine`` has but the reading of sets.
- ``bare NumPy loop``: a running sum and Wilder's averages, for sources that are all warm and all
  fresh. It knows no gaps, no start and no names, and its sum drifts.
- ``talipp``: ``SMA.add`` and ``RSI.add`` of each source; old values are purged, as one that runs on
  must.
- ``TA-Lib``: ``update`` of ``stream.SMA`` and ``stream.RSI`` of each source.

From ``SynchronizedBars`` to what stands under each name:

- ``this engine``: ``FeatureEngine.update``, which gives ``Features``.
- ``bare NumPy loop``: the closes read from the bars as fast as Python can, then the loop above.

Then ``correlation`` (20) of all pairs after every set: this engine, with the returns made of
closes, beside ``numpy.corrcoef`` of the last 20 returns, made anew, the returns given; and this
engine where one source after the other is missing in a set, which no single matrix can tell. The
matrix products have one thread, for all: with more, they wait for each other on a busy machine.

To repeat::

    pip install talipp
    python benchmarks/features.py
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from barsync_async.features import Columns, FeatureEngine, FloatArray, FreshBars
from barsync_async.features.bank import IndicatorBank
from barsync_async.features.pairs import default_pairs
from barsync_async.indicator_choice import parse_indicators
from barsync_async.messages import SynchronizedBars, frozen_mapping
from barsync_async.units import SourceId, WallMs

if TYPE_CHECKING:
    from benchmarks import _common
else:
    import _common  # a script finds its neighbours beside it

SOURCES = (3, 100, 1_000, 10_000)
MOST_SETS, FEWEST_SETS = 20_000, 40
PAIRED = (100, 500)
PAIRED_UPDATES = 100_000
WARM_UP = 40
WINDOW, CHANGES = 20, 14
TALIPP_KEEPS = 100

Step = Callable[[int], object]
"""Takes in one set, by its number."""


class Contender(NamedTuple):
    """Someone who computes features; ``needs`` is the module to install for it. It gets about so
    many ``updates`` of sources, to be done in reasonable time.
    """

    name: str
    make: Callable[[int, int], Step]
    updates: int
    needs: str = "numpy"

    def sets(self, sources: int) -> int:
        """How many sets it gets of so many sources."""
        return min(MOST_SETS, max(FEWEST_SETS, self.updates // sources))


def walk(sources: int, sets: int) -> FloatArray:
    """Closes, a row a set."""
    steps = np.random.default_rng(1).normal(0, 0.001, (sets, sources))
    closes: FloatArray = 100 * np.exp(steps.cumsum(axis=0))
    return closes


def names(sources: int) -> list[SourceId]:
    """As many as that, in sorted order."""
    return [SourceId(f"S{number:05}_1m") for number in range(sources)]


def sets_of(closes: FloatArray) -> list[SynchronizedBars]:
    """One set for each row, with bars of its own."""
    sources, made = names(closes.shape[1]), []
    for number, row in enumerate(closes.tolist(), start=1):
        at = number * _common.MINUTE_MS
        bars = {
            source: _common.bar_of(source, at, close)
            for source, close in zip(sources, row, strict=True)
        }
        made.append(
            SynchronizedBars(
                timestamp=WallMs(at),
                status="complete",
                bars=frozen_mapping(bars),
                sources_present=tuple(sources),
                sources_missing=(),
                wait_ms=0.0,
                loop_lag_ms=0.0,
            )
        )
    return made


# sma and rsi of every source

_NOTHING_ELSE: Callable[[str], FloatArray] = dict[str, FloatArray]().__getitem__


def engine_on_arrays(sources: int, sets: int) -> Step:
    """This engine without the reading of sets."""
    bank = IndicatorBank(names(sources), parse_indicators(["sma", "rsi"]), ())
    closes = walk(sources, sets)
    return lambda number: bank.update(fresh(closes[number]))


def fresh(closes: FloatArray, columns: Columns = slice(None)) -> FreshBars:
    """A set of which only the closes are looked at."""
    return FreshBars(WallMs(0), columns, closes, _NOTHING_ELSE)


class BareLoop:
    """As few array operations as there can be."""

    def __init__(self, sources: int) -> None:
        self._ring = np.zeros((WINDOW, sources))
        self._sum = np.zeros(sources)
        self._previous = np.full(sources, 100.0)
        self._gain, self._loss = np.zeros(sources), np.zeros(sources)

    def step(self, number: int, closes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both indicators after one more set."""
        row = self._ring[number % WINDOW]
        self._sum += closes - row
        row[:] = closes
        changes = closes - self._previous
        self._previous = closes
        gains = np.maximum(changes, 0.0)
        self._gain = (self._gain * (CHANGES - 1) + gains) / CHANGES
        self._loss = (self._loss * (CHANGES - 1) + (gains - changes)) / CHANGES
        return self._sum / WINDOW, 100.0 * self._gain / (self._gain + self._loss)


def bare_on_arrays(sources: int, sets: int) -> Step:
    """The bare loop, the closes given."""
    loop, closes = BareLoop(sources), walk(sources, sets)
    return lambda number: loop.step(number, closes[number])


def with_talipp(sources: int, sets: int) -> Step:
    """An object for each source and indicator."""
    talipp: Any = import_module("talipp.indicators")
    indicators = [(talipp.SMA(WINDOW), talipp.RSI(CHANGES)) for _ in range(sources)]
    rows = walk(sources, sets).tolist()

    def step(number: int) -> object:
        for pair, close in zip(indicators, rows[number], strict=True):
            for indicator in pair:
                indicator.add(close)
        if number % TALIPP_KEEPS == TALIPP_KEEPS - 1:
            for indicator in (each for pair in indicators for each in pair):
                indicator.purge_oldest(TALIPP_KEEPS // 2)
        return [(sma[-1], rsi[-1]) for sma, rsi in indicators]

    return step


def with_talib(sources: int, sets: int) -> Step:
    """An object for each source and indicator, begun with the closes of the warm-up."""
    stream: Any = import_module("talib.stream")
    closes = walk(sources, sets)
    begun = closes[:WARM_UP].T.copy()
    indicators = [(stream.SMA(each, WINDOW), stream.RSI(each, CHANGES)) for each in begun]
    rows = closes.tolist()

    def step(number: int) -> object:
        if number < WARM_UP:
            return None
        return [
            (sma.update(close), rsi.update(close))
            for (sma, rsi), close in zip(indicators, rows[number], strict=True)
        ]

    return step


def engine_on_sets(sources: int, sets: int) -> Step:
    """This engine, whole."""
    engine = FeatureEngine(names(sources), parse_indicators(["sma", "rsi"]))
    given = sets_of(walk(sources, sets))
    return lambda number: engine.update(given[number])


def bare_on_sets(sources: int, sets: int) -> Step:
    """The bare loop, the closes to be read from the bars."""
    loop, given = BareLoop(sources), sets_of(walk(sources, sets))

    def step(number: int) -> object:
        return loop.step(number, np.array([bar.close for bar in given[number].bars.values()]))

    return step


ENGINE, BARE, TALIPP = "this engine", "bare NumPy loop", "talipp"
ON_ARRAYS = (
    Contender(ENGINE, engine_on_arrays, 3_000_000),
    Contender(BARE, bare_on_arrays, 3_000_000),
    Contender(TALIPP, with_talipp, 60_000, "talipp"),
    Contender("TA-Lib, streaming", with_talib, 300_000, "talib"),
)
ON_SETS = (Contender(ENGINE, engine_on_sets, 300_000), Contender(BARE, bare_on_sets, 300_000))


# All pairs


def engine_on_pairs(sources: int, sets: int) -> Step:
    """All correlations, of closes."""
    bank, closes = bank_of_pairs(sources), walk(sources, sets)
    return lambda number: bank.update(fresh(closes[number]))


def bank_of_pairs(sources: int) -> IndicatorBank:
    """One that has the correlation of all pairs."""
    columns = names(sources)
    return IndicatorBank(columns, parse_indicators(["correlation"]), default_pairs(columns))


def engine_on_gaps(sources: int, sets: int) -> Step:
    """The same, with another source missing in every set."""
    bank, closes = bank_of_pairs(sources), walk(sources, sets)
    columns = [np.delete(np.arange(sources), number % sources) for number in range(sets)]
    return lambda number: bank.update(fresh(closes[number, columns[number]], columns[number]))


def numpy_on_pairs(sources: int, sets: int) -> Step:
    """All correlations, of returns."""
    returns = np.diff(np.log(walk(sources, sets)), axis=0, prepend=0.0)

    def step(number: int) -> object:
        if number < WINDOW:
            return None
        return np.corrcoef(returns[number + 1 - WINDOW : number + 1], rowvar=False)

    return step


CORRCOEF = "numpy.corrcoef"
ON_PAIRS = (
    Contender(ENGINE, engine_on_pairs, PAIRED_UPDATES),
    Contender(CORRCOEF, numpy_on_pairs, PAIRED_UPDATES),
    Contender(f"{ENGINE}, gaps", engine_on_gaps, PAIRED_UPDATES),
)


# Measuring


def seconds_a_set(make: Callable[[int, int], Step], sources: int, sets: int) -> float:
    """How long a set takes on average, once all is warm."""
    step = make(sources, sets + WARM_UP)
    for number in range(WARM_UP):
        step(number)
    began = time.perf_counter()
    for number in range(WARM_UP, WARM_UP + sets):
        step(number)
    return (time.perf_counter() - began) / sets


def measure(contenders: Sequence[Contender], sources: int, runs: int) -> dict[str, float]:
    """The median seconds a set of each that is installed, all in turn."""
    there = [each for each in contenders if find_spec(each.needs)]
    times: dict[str, list[float]] = {each.name: [] for each in there}
    for _ in range(runs):
        for each in there:
            sets = each.sets(sources)
            seconds = _common.in_fresh_process(seconds_a_set, each.make, sources, sets)
            times[each.name].append(seconds)
    return {name: _common.median(values) for name, values in times.items()}


def print_rates(title: str, contenders: Sequence[Contender], runs: int) -> None:
    """Source-updates in a second, for each number of sources."""
    print(f"\n{title}: million source-updates/s\n")
    taken = {sources: measure(contenders, sources, runs) for sources in SOURCES}
    rows = [
        [name, *(f"{sources / taken[sources][name] / 1e6:.2f}" for sources in SOURCES)]
        for name in taken[SOURCES[0]]
    ]
    for name in taken[SOURCES[0]]:
        if name != ENGINE:
            ratios = [taken[sources][name] / taken[sources][ENGINE] for sources in SOURCES]
            rows.append([f"{ENGINE} of {name}", *(f"{each:.2f}" for each in ratios)])
    _common.print_table(["sources", *(f"{sources:,}" for sources in SOURCES)], rows)


def print_pairs(runs: int) -> None:
    """Milliseconds a set, for each number of sources."""
    print("\nall correlations after every set: ms\n")
    taken = {sources: measure(ON_PAIRS, sources, runs) for sources in PAIRED}
    rows = [
        [each.name, *(f"{taken[sources][each.name] * 1e3:.3f}" for sources in PAIRED)]
        for each in ON_PAIRS
    ]
    ratios = [taken[sources][CORRCOEF] / taken[sources][ENGINE] for sources in PAIRED]
    rows.append([f"speed of {ENGINE} to {CORRCOEF}", *(f"{each:.2f}" for each in ratios)])
    _common.print_table(["sources", *map(str, PAIRED)], rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="how often each is measured")
    runs: int = parser.parse_args().runs
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read by each fresh process
    print(_common.describe_machine())
    print_rates("sma and rsi, from arrays", ON_ARRAYS, runs)
    print_rates("sma and rsi, from sets", ON_SETS, runs)
    print_pairs(runs)


if __name__ == "__main__":
    main()
