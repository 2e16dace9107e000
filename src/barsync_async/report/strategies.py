"""What each strategy decided, and what of the portfolio's trades and gains is its own.

A portfolio holds the sum of what its strategies want, and changes a symbol only where it has a
fresh bar. So each strategy's own holdings are known: what it wanted when the symbol could be
filled. Their sum is the portfolio's as long as nothing but the strategies' wishes decides; what is
left over is told apart (:attr:`~barsync_async.report.figures.PortfolioFigures.unattributed`).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import msgspec

from barsync_async.messages import Signal, StrategyFault
from barsync_async.report.marks import Marks
from barsync_async.units import symbol_of


class StrategyCounts(msgspec.Struct, frozen=True, kw_only=True):
    """``decisions`` are its signals, ``applied`` those that came into a version in time,
    ``changes`` those of the applied that wanted another position than it wanted before, whether or
    not that was granted, ``refused`` its targets that the portfolio refused, whatever for, each
    time that it asked. ``faults`` counts by kind. ``traded`` is the value of its own changes of
    position, ``gain`` what its own holdings won at the marks, before costs; both in the currency of
    the closes.
    """

    decisions: int
    applied: int
    changes: int
    refused: int
    faults: Mapping[str, int]
    traded: float
    gain: float


class StrategyRecord:
    """One strategy, as its events come."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}
        self.wanted: dict[str, float] = {}
        self.held: dict[str, float] = {}
        self._pending: set[str] = set()
        self._decisions = self._applied = self._changes = self._refused = 0
        self._faults: Counter[str] = Counter()
        self._traded = 0.0
        self.gain = 0.0

    def decided(self) -> None:
        """It sent a signal."""
        self._decisions += 1

    def failed(self, fault: StrategyFault) -> None:
        """It gave no decision."""
        self._faults[fault.kind] += 1

    def moved(self, moves: Sequence[tuple[str, float]]) -> None:
        """The marks of some symbols moved by so much a unit."""
        for symbol, by in moves:
            units = self.held.get(symbol)
            if units:
                self.gain += units * by

    def apply(self, signal: Signal, symbols: Collection[str]) -> None:
        """Its wishes became part of a version; ``symbols`` are those of the container."""
        self._applied += 1
        targets = {symbol_of(key, symbols): units for key, units in signal.targets.items()}
        self._changes += bool(_changed(self._asked, targets))
        self._asked.update(targets)
        self._pending |= _changed(self.wanted, targets)
        self.wanted.update(targets)

    def fill(self, marks: Marks, granted: Mapping[str, float]) -> None:
        """Take on what can be filled at this timestamp; of symbols in ``granted`` no more than so
        many units, for the rest was refused.
        """
        self._refused += len(granted)
        self.wanted.update(granted)
        for symbol in sorted(self._pending):
            price = marks.fill(symbol)
            if price is not None:
                self._pending.discard(symbol)
                units = self.wanted[symbol]
                self._traded += abs(units - self.held.get(symbol, 0.0)) * price
                self.held[symbol] = units

    def counts(self) -> StrategyCounts:
        """All so far."""
        return StrategyCounts(
            decisions=self._decisions,
            applied=self._applied,
            changes=self._changes,
            refused=self._refused,
            faults=dict(sorted(self._faults.items())),
            traded=self._traded,
            gain=self.gain,
        )


def _changed(before: Mapping[str, float], targets: Mapping[str, float]) -> set[str]:
    """The symbols of which ``targets`` want another position than ``before``."""
    return {symbol for symbol, units in targets.items() if units != before.get(symbol, 0.0)}
