"""Positions and cash: what all strategies together hold, one version a timestamp.

Every strategy has its own wanted position in a symbol; the portfolio holds their sum. So two
strategies that trade one symbol never overwrite each other, and their order cannot matter but in
the last digits, which a fixed order settles too.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from barsync_async.errors import ConservationBroken
from barsync_async.messages import Bar, PortfolioUpdate, Signal, frozen_mapping
from barsync_async.units import TIMEFRAMES, SourceId, WallMs, symbol_of

_TOLERANCE = 1e-9  # of the money that moved and of the equity: rounding, never a lost unit


class Book:
    """The state of one portfolio; :meth:`apply` is the only way to alter it.

    A change of position is filled at the symbol's close at T. Where the set has no fresh bar of
    the symbol, the change waits for the next one: a stale price is no fill. Positions are marked
    at the newest close seen.

    Args:
        cash: what it starts with, in the currency of the closes; may go below 0.
    """

    def __init__(self, cash: float) -> None:
        self._version = 0
        self._cash = cash
        self._positions: dict[str, float] = {}
        self._wanted: dict[str, dict[str, float]] = {}
        self._newest: dict[str, Bar] = {}

    def apply(
        self, timestamp: WallMs, bars: Mapping[SourceId, Bar], signals: Sequence[Signal]
    ) -> PortfolioUpdate:
        """Take in all decisions for ``timestamp``, in the order given, as one new version.

        Raises:
            ConservationBroken: money or units would come from nowhere; nothing is altered.
        """
        wanted = self._with(signals)
        newest = _newest(bars.values(), self._newest)
        marks = _closes(newest)
        positions, cash = self._filled(wanted, _fills(timestamp, bars))
        self._check(positions, cash, marks)
        self._version += 1
        self._wanted, self._newest = wanted, newest
        self._positions, self._cash = positions, cash
        return PortfolioUpdate(
            timestamp=timestamp,
            version=self._version,
            positions=frozen_mapping(dict(sorted(positions.items()))),
            cash=cash,
            equity=_equity(positions, cash, marks),
            applied=tuple(signal.strategy for signal in signals),
        )

    def _with(self, signals: Sequence[Signal]) -> dict[str, dict[str, float]]:
        wanted = dict(self._wanted)
        for signal in signals:
            own = dict(wanted.get(signal.strategy, {}))
            own.update((symbol_of(key), units) for key, units in signal.targets.items())
            wanted[signal.strategy] = own
        return wanted

    def _filled(
        self, wanted: Mapping[str, Mapping[str, float]], prices: Mapping[str, float]
    ) -> tuple[dict[str, float], float]:
        positions, cash = dict(self._positions), self._cash
        for symbol, price in sorted(prices.items()):
            target = _sum(own.get(symbol, 0.0) for own in wanted.values())
            units = target - positions.get(symbol, 0.0)
            if units:
                positions[symbol] = target
                cash -= units * price
        return {symbol: units for symbol, units in positions.items() if units}, cash

    def _check(
        self, positions: Mapping[str, float], cash: float, marks: Mapping[str, float]
    ) -> None:
        """Fills at the mark move value between cash and positions, and make or lose none."""
        before = _equity(self._positions, self._cash, marks)
        after = _equity(positions, cash, marks)
        scale = abs(cash) + max(_gross(each, marks) for each in (self._positions, positions))
        kept = abs(after - before) <= _TOLERANCE * (scale + abs(before)) + _TOLERANCE
        if not (kept and math.isfinite(after)):
            raise ConservationBroken(before, after)


def _fills(timestamp: WallMs, bars: Mapping[SourceId, Bar]) -> dict[str, float]:
    """The price of each symbol that closed at ``timestamp``: its shortest fresh bar's close."""
    fresh = [bar for bar in bars.values() if bar.age_ms == 0 and bar.timestamp == timestamp]
    return _closes(_newest(fresh))


def _newest(bars: Iterable[Bar], known: Mapping[str, Bar] | None = None) -> dict[str, Bar]:
    """The newest bar of each symbol, among ``known`` too; of several for one moment, the
    shortest.
    """
    newest = dict(known or {})
    for bar in bars:
        held = newest.get(bar.symbol)
        if held is None or _rank(bar) >= _rank(held):
            newest[bar.symbol] = bar
    return newest


def _rank(bar: Bar) -> tuple[int, int]:
    return bar.timestamp, -TIMEFRAMES[bar.timeframe].length_ms


def _closes(bars: Mapping[str, Bar]) -> dict[str, float]:
    return {symbol: bar.close for symbol, bar in bars.items()}


def _equity(positions: Mapping[str, float], cash: float, marks: Mapping[str, float]) -> float:
    return _sum([cash, *(units * marks[symbol] for symbol, units in positions.items())])


def _gross(positions: Mapping[str, float], marks: Mapping[str, float]) -> float:
    return _sum(abs(units * marks[symbol]) for symbol, units in positions.items())


def _sum(values: Iterable[float]) -> float:
    """NaN where there is no such number, so that no check holds for it."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # too large, or infinity less infinity
        return math.nan
