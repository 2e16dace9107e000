"""Which close counts: what a change is filled at, and what positions are worth."""

import math
from collections.abc import Iterable, Mapping

from barsync_async.messages import Bar
from barsync_async.units import TIMEFRAMES, SourceId


def fill_prices(bars: Mapping[SourceId, Bar]) -> dict[str, float]:
    """The price of each symbol that closed at the set's timestamp: its shortest fresh bar's close.
    At any other price nobody can trade then: it is an old one or, interpolated, a guess from a
    later one.
    """
    return closes(newest(bar for bar in bars.values() if bar.provenance == "fresh"))


def newest(bars: Iterable[Bar], known: Mapping[str, Bar] | None = None) -> dict[str, Bar]:
    """The newest bar of each symbol, among ``known`` too; of several for one moment, a fresh one,
    and of these the shortest. Interpolated ones are none: they were never traded.
    """
    found = dict(known or {})
    for bar in bars:
        if bar.provenance == "interpolated":
            continue
        held = found.get(bar.symbol)
        if held is None or _rank(bar) >= _rank(held):
            found[bar.symbol] = bar
    return found


def _rank(bar: Bar) -> tuple[int, bool, int]:
    return bar.timestamp, bar.provenance == "fresh", -TIMEFRAMES[bar.timeframe].length_ms


def closes(bars: Mapping[str, Bar]) -> dict[str, float]:
    """The close of each symbol's bar."""
    return {symbol: bar.close for symbol, bar in bars.items()}


def net_value(positions: Mapping[str, float], marks: Mapping[str, float]) -> float:
    """Of all positions, a short's below 0."""
    return total(units * marks[symbol] for symbol, units in positions.items())


def gross_value(positions: Mapping[str, float], marks: Mapping[str, float]) -> float:
    """Of all positions, a short's counted like a long's."""
    return total(abs(units * marks[symbol]) for symbol, units in positions.items())


def total(values: Iterable[float]) -> float:
    """Their sum, rounded once; NaN where there is no such number, so that no check holds for it."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # too large, or infinity less infinity
        return math.nan
