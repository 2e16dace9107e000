"""The portfolio's versions as series, and the strategies' shares in them."""

from array import array
from collections.abc import Collection, Mapping

import msgspec
import numpy as np

from barsync_async.messages import Features, PortfolioUpdate, Signal, StrategyFault
from barsync_async.report.marks import Marks
from barsync_async.report.sets import Floats, Integers
from barsync_async.report.strategies import StrategyCounts, StrategyRecord
from barsync_async.units import SourceId

_COLUMNS = ("cash", "equity", "drawdown", "gross", "net", "traded", "costs")


class PortfolioSeries(msgspec.Struct, frozen=True):
    """One row a version; money is in the currency of the closes.

    ``drawdown`` is the share of the highest equity so far that is lost: 0 at a new high, 0.1 at 10
    per cent below. ``gross`` and ``net`` are the sums of the positions' values, without and with
    their signs. ``traded`` is the value at the marks of what was bought and sold for the version,
    ``costs`` what that cost beyond its value (fees, slippage).
    """

    timestamp: Integers
    version: Integers
    cash: Floats
    equity: Floats
    drawdown: Floats
    gross: Floats
    net: Floats
    traded: Floats
    costs: Floats


class PortfolioRecord:
    """Takes features, signals, faults and versions in, in the order of their events."""

    def __init__(self) -> None:
        self._marks = Marks()
        self._strategies: dict[str, StrategyRecord] = {}
        self._signals: dict[str, Signal] = {}
        self._last: PortfolioUpdate | None = None
        self._timestamps = array("q")
        self._versions = array("q")
        self._values = {name: array("d") for name in _COLUMNS}

    def expect(self, sources: Collection[SourceId]) -> None:
        """What the container has, whether or not there are bars of it yet."""
        self._marks.expect(sources)

    def see(self, features: Features) -> None:
        """The bars that the next version goes by."""
        self._marks.see(features.bars)
        self._signals.clear()

    def add_signal(self, signal: Signal) -> None:
        """A strategy's decision; whether it counts, the next version says."""
        self._signals[signal.strategy] = signal
        self._strategy(signal.strategy).decided()

    def add_fault(self, fault: StrategyFault) -> None:
        """A strategy gave none."""
        self._strategy(fault.strategy).failed(fault)

    def add_version(self, update: PortfolioUpdate) -> None:
        """The next version."""
        for name in update.applied:
            signal = self._signals.pop(name, None)
            if signal is not None:
                self._strategy(name).apply(signal, self._marks.symbols)
        self._move()
        for name, strategy in self._strategies.items():
            strategy.fill(self._marks, _granted(update, name))
        self._append(update)
        self._last = update

    def _strategy(self, name: str) -> StrategyRecord:
        return self._strategies.setdefault(name, StrategyRecord())

    def _move(self) -> None:
        """Mark all that is held or will be; who held it gains by it."""
        symbols = {symbol for each in self._strategies.values() for symbol in each.wanted}
        moves = [*self._marks.move(sorted(symbols))]
        for strategy in self._strategies.values():
            strategy.moved(moves)

    def _append(self, update: PortfolioUpdate) -> None:
        last = self._last
        row = {
            "cash": update.cash,
            "equity": update.equity,
            "drawdown": update.drawdown,
            "gross": update.gross_exposure,
            "net": update.net_exposure,
            "traded": update.turnover - (last.turnover if last else 0.0),
            "costs": update.costs - (last.costs if last else 0.0),
        }
        self._timestamps.append(update.timestamp)
        self._versions.append(update.version)
        for name, value in row.items():
            self._values[name].append(value)

    def series(self) -> PortfolioSeries | None:
        """All versions so far; None of none."""
        if not self._timestamps:
            return None
        return PortfolioSeries(
            timestamp=np.array(self._timestamps, dtype=np.int64),
            version=np.array(self._versions, dtype=np.int64),
            **{name: np.array(each, dtype=np.float64) for name, each in self._values.items()},
        )

    def strategies(self) -> Mapping[str, StrategyCounts]:
        """All so far, by name, in the order in which they first spoke."""
        return {name: each.counts() for name, each in self._strategies.items()}


def _granted(update: PortfolioUpdate, strategy: str) -> dict[str, float]:
    """What ``strategy`` has in place of its targets that were refused."""
    return {each.symbol: each.granted for each in update.refused if each.strategy == strategy}
