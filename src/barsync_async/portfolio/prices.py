"""Which close counts: what a change is filled at, and what a position is worth."""

from collections.abc import Iterable, Mapping

from barsync_async.messages import Bar
from barsync_async.units import TIMEFRAMES, SourceId, WallMs


def fill_prices(timestamp: WallMs, bars: Mapping[SourceId, Bar]) -> dict[str, float]:
    """The price of each symbol that closed at ``timestamp``: its shortest fresh bar's close."""
    fresh = [bar for bar in bars.values() if bar.age_ms == 0 and bar.timestamp == timestamp]
    return closes(newest(fresh))


def newest(bars: Iterable[Bar], known: Mapping[str, Bar] | None = None) -> dict[str, Bar]:
    """The newest bar of each symbol, among ``known`` too; of several for one moment, the
    shortest.
    """
    found = dict(known or {})
    for bar in bars:
        held = found.get(bar.symbol)
        if held is None or _rank(bar) >= _rank(held):
            found[bar.symbol] = bar
    return found


def _rank(bar: Bar) -> tuple[int, int]:
    return bar.timestamp, -TIMEFRAMES[bar.timeframe].length_ms


def closes(bars: Mapping[str, Bar]) -> dict[str, float]:
    """The close of each symbol's bar."""
    return {symbol: bar.close for symbol, bar in bars.items()}
