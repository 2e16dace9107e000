"""Positions and cash: what all strategies together hold, one version a timestamp.

Every strategy has its own position in a symbol; the portfolio holds their sum. So two strategies
that trade one symbol never overwrite each other, and without limits their order cannot matter.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from barsync_async.messages import Bar, PortfolioUpdate, Refusal, Signal, frozen_mapping
from barsync_async.portfolio.conservation import check_conserved
from barsync_async.portfolio.costs import Costs
from barsync_async.portfolio.limits import Grant, Holdings, Limits, Wish, granted
from barsync_async.portfolio.order import ByStrategy, Order, unfilled, up_to_date
from barsync_async.portfolio.prices import (
    closes,
    fill_prices,
    gross_value,
    net_value,
    newest,
    total,
)
from barsync_async.units import SourceId, WallMs, symbol_of


class _Fill(NamedTuple):
    symbol: str
    position: float
    """What there is after it."""
    units: float
    close: float

    @property
    def value(self) -> float:
        return self.units * self.close


class _Heard(NamedTuple):
    """What a version is made of: what is said at its timestamp, and what was said before and
    waited for a price that came with it.
    """

    signals: Sequence[Signal]
    waited: Sequence[Order]
    refused: tuple[Refusal, ...]

    def oldest_version(self, default: int) -> int:
        """On which one of the decisions was made."""
        said = [signal.depends_on_version for signal in self.signals]
        return min([*said, *(order.depends_on_version for order in self.waited)], default=default)


class Book:
    """The state of one portfolio; :meth:`apply` is the only way to alter it.

    A change of position is filled at the symbol's close at T, less ``costs``, as far as ``limits``
    allow by the prices of T and the equity before the fills. Where the set has no fresh bar of the
    symbol, the order waits for the next one, or until the strategy wants something else: a stale
    price is no fill. Positions are marked at the newest close that was traded.

    Args:
        cash: what it starts with, in the currency of the closes; may go below 0.
        costs: of a fill.
        limits: of positions and of all together.
        symbols: of which bars may come: a target of any other is refused. None: of all.
    """

    def __init__(
        self,
        cash: float,
        costs: Costs | None = None,
        limits: Limits | None = None,
        *,
        symbols: Collection[str] | None = None,
    ) -> None:
        self._symbols = None if symbols is None else frozenset(symbols)
        self._costs = costs or Costs()
        self._limits = limits or Limits()
        self._held: ByStrategy = {}
        self._waiting: Sequence[Order] = ()
        self._newest: Mapping[str, Bar] = {}
        self._last = PortfolioUpdate(
            timestamp=WallMs(0),
            version=0,
            positions={},
            cash=cash,
            equity=cash,
            peak=cash,
            applied=(),
        )

    def apply(
        self, timestamp: WallMs, bars: Mapping[SourceId, Bar], signals: Sequence[Signal]
    ) -> PortfolioUpdate:
        """Take in all decisions for ``timestamp``, in the order given, as one new version.

        Raises:
            ConservationBroken: money or units would come from nowhere; nothing is altered.
        """
        known, prices = newest(bars.values(), self._newest), fill_prices(bars)
        said, strangers = self._said(signals, known.keys())
        marks, orders = closes(known), up_to_date([*self._waiting, *said])
        wishes = [each.wishes(self._held, prices) for each in orders]
        waited = [each for each, own in zip(self._waiting, wishes, strict=False) if own]
        grants = self._granted(wishes, marks)
        held = _after(self._held, grants)
        fills = _fills(self._last.positions, held, grants, prices)
        refused = (*strangers, *filter(None, (grant.refusal for grant in grants)))
        update = self._version(timestamp, _Heard(signals, waited, refused), fills, marks)
        check_conserved(self._last, update, marks)
        self._newest, self._held, self._last = known, held, update
        self._waiting = unfilled(orders, prices)
        return update

    def _said(
        self, signals: Iterable[Signal], seen: Collection[str]
    ) -> tuple[list[Order], list[Refusal]]:
        """What each strategy wants, by symbol; of a symbol that has no bars it would wait for ever:
        that is refused.
        """
        known = seen if self._symbols is None else self._symbols
        said: list[Order] = []
        strangers: list[Refusal] = []
        for signal in signals:
            units = {symbol_of(key, known): each for key, each in signal.targets.items()}
            unknown = set() if self._symbols is None else units.keys() - self._symbols
            order = Order(signal.strategy, signal.depends_on_version, units)
            said.append(order.without(unknown))
            strangers += [
                Refusal(
                    strategy=signal.strategy,
                    symbol=symbol,
                    target=units[symbol],
                    granted=0.0,
                    reason="no source has bars of it",
                )
                for symbol in sorted(unknown)
            ]
        return said, strangers

    def _granted(self, wishes: Sequence[Sequence[Wish]], marks: Mapping[str, float]) -> list[Grant]:
        """Of what each order wants now, what the limits leave."""
        last = self._last
        equity = last.cash + net_value(last.positions, marks)
        return granted(wishes, Holdings(last.positions, marks, equity), self._limits)

    def _version(
        self,
        timestamp: WallMs,
        heard: _Heard,
        fills: Sequence[_Fill],
        marks: Mapping[str, float],
    ) -> PortfolioUpdate:
        last, (signals, waited, refused) = self._last, heard
        paid = total(self._costs.of(fill.units, fill.close) for fill in fills)
        cash = total([last.cash, -paid, *(-fill.value for fill in fills)])
        moved = {**last.positions, **{fill.symbol: fill.position for fill in fills}}
        positions = {symbol: units for symbol, units in sorted(moved.items()) if units}
        equity = cash + net_value(positions, marks)
        peak = max(last.peak, equity)
        return PortfolioUpdate(
            timestamp=timestamp,
            version=last.version + 1,
            depends_on_version=heard.oldest_version(last.version),
            positions=frozen_mapping(positions),
            cash=cash,
            equity=equity,
            peak=peak,
            drawdown=1 - equity / peak if peak > 0 else math.nan,
            costs=last.costs + paid,
            turnover=total([last.turnover, *(abs(fill.value) for fill in fills)]),
            gross_exposure=gross_value(positions, marks),
            net_exposure=net_value(positions, marks),
            applied=tuple(signal.strategy for signal in signals),
            stale=tuple(s.strategy for s in signals if s.depends_on_version < last.version),
            waited=tuple(dict.fromkeys(each.strategy for each in waited)),
            refused=refused,
        )


def _after(held: ByStrategy, grants: Iterable[Grant]) -> ByStrategy:
    """What each strategy holds once ``grants`` are filled."""
    after = {strategy: dict(own) for strategy, own in held.items()}
    for grant in grants:
        after.setdefault(grant.wish.strategy, {})[grant.wish.symbol] = grant.units
    return after


def _fills(
    positions: Mapping[str, float],
    held: ByStrategy,
    grants: Iterable[Grant],
    prices: Mapping[str, float],
) -> list[_Fill]:
    """What has to be traded so that the portfolio holds what all strategies do together."""
    fills: list[_Fill] = []
    for symbol in sorted({grant.wish.symbol for grant in grants}):
        position = total(own.get(symbol, 0.0) for own in held.values())
        units = position - positions.get(symbol, 0.0)
        if units:
            fills.append(_Fill(symbol, position, units, prices[symbol]))
    return fills
