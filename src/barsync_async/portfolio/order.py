"""What strategies want: their decisions, as far as these are neither filled nor taken back."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from barsync_async.portfolio.limits import Wish

ByStrategy = Mapping[str, Mapping[str, float]]
"""Units of each symbol, by strategy."""


class Order(NamedTuple):
    """What is left of a strategy's decision, made on the version ``depends_on_version``: the units
    that it wants of some symbols.
    """

    strategy: str
    depends_on_version: int
    units: Mapping[str, float]

    def without(self, symbols: Collection[str]) -> "Order":
        """What it wants of all others."""
        left = {symbol: each for symbol, each in self.units.items() if symbol not in symbols}
        return self._replace(units=left)

    def wishes(self, held: ByStrategy, prices: Collection[str]) -> list[Wish]:
        """What it wants otherwise than its strategy has, of the symbols that can be filled."""
        own = held.get(self.strategy, {})
        return [
            Wish(self.strategy, symbol, before, target)
            for symbol, target in sorted(self.units.items())
            if symbol in prices and target != (before := own.get(symbol, 0.0))
        ]


def up_to_date(orders: Sequence[Order]) -> list[Order]:
    """``orders``, each without the symbols of which its strategy says something else later."""
    said: dict[str, set[str]] = {}
    left: list[Order] = []
    for order in reversed(orders):
        later = said.setdefault(order.strategy, set())
        left.append(order.without(later))
        later.update(order.units)
    return left[::-1]


def unfilled(orders: Iterable[Order], symbols: Collection[str]) -> list[Order]:
    """What is left of ``orders`` where ``symbols`` could be filled."""
    return [left for order in orders if (left := order.without(symbols)).units]
