"""The prices that a portfolio goes by: each symbol's newest close, and where it can be filled."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from barsync_async.messages import Bar
from barsync_async.units import TIMEFRAMES, SourceId, split_source


class Marks:
    """The newest close of each symbol that was asked for; of two that are as new, that of a fresh
    bar, and of these the one of the shorter.
    """

    def __init__(self) -> None:
        self._sources: dict[str, list[SourceId]] = {}
        self._known: set[SourceId] = set()
        self._newest: dict[str, Bar] = {}
        self._bars: Mapping[SourceId, Bar] = {}

    @property
    def symbols(self) -> Collection[str]:
        """Those that have sources."""
        return self._sources.keys()

    def expect(self, sources: Collection[SourceId]) -> None:
        """Cells of ``sources`` may come."""
        if not self._known.issuperset(sources):
            for source in {*sources} - self._known:
                self._sources.setdefault(split_source(source)[0], []).append(source)
            self._known.update(sources)
            for each in self._sources.values():
                each.sort(key=_length)

    def see(self, bars: Mapping[SourceId, Bar]) -> None:
        """The cells of the next timestamp."""
        self._bars = bars
        self.expect(bars.keys())

    def move(self, symbols: Iterable[str]) -> Iterator[tuple[str, float]]:
        """Mark each of ``symbols`` at its newest close; gives those that moved, and by how much."""
        for symbol in symbols:
            before = self._newest.get(symbol)
            for bar in self._cells(symbol):
                held = self._newest.get(symbol)
                if held is None or _rank(bar) >= _rank(held):
                    self._newest[symbol] = bar
            after = self._newest.get(symbol)
            if before is not None and after is not None and after.close != before.close:
                yield symbol, after.close - before.close

    def fill(self, symbol: str) -> float | None:
        """At what it can be bought and sold at this timestamp; None: not at all."""
        for bar in self._cells(symbol):
            if bar.provenance == "fresh":
                return bar.close
        return None

    def _cells(self, symbol: str) -> Iterator[Bar]:
        """The present cells of ``symbol`` that were traded, the shortest first."""
        for source in self._sources.get(symbol, ()):
            bar = self._bars.get(source)
            if bar is not None and bar.provenance != "interpolated":
                yield bar


def _length(source: SourceId) -> int:
    return TIMEFRAMES[split_source(source)[1]].length_ms


def _rank(bar: Bar) -> tuple[int, bool, int]:
    return bar.timestamp, bar.provenance == "fresh", -TIMEFRAMES[bar.timeframe].length_ms
