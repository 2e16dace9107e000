"""One bar as the venue keeps it, with its trades, and how candles add up."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from barsync_async.messages import Bar
from barsync_async.units import WallMs

NO_TRADE = -1


class Trade(NamedTuple):
    """One trade: the price as a decimal float, a whole number of units."""

    price: float
    volume: int


class Candle(msgspec.Struct, frozen=True):
    """Open, high, low, close and volume of some trades; without any, the price before them.

    ``first_trade`` is the number of the first trade, :data:`NO_TRADE` where there is none.
    """

    open: float
    high: float
    low: float
    close: float
    volume: int
    trades: int
    first_trade: int

    @property
    def last_trade(self) -> int:
        """The number of the last trade, :data:`NO_TRADE` where there is none."""
        return self.first_trade + self.trades - 1 if self.trades else NO_TRADE

    def short_of_one(self) -> "Candle":
        """As it was before its last unit of volume was reported; itself where there is none."""
        if not self.volume:
            return self
        return msgspec.structs.replace(self, volume=self.volume - 1)

    def bar(self, symbol: str, timeframe: str, timestamp: WallMs) -> Bar:
        """As the bar that closes at ``timestamp``."""
        return Bar(
            symbol,
            timeframe,
            timestamp,
            self.open,
            self.high,
            self.low,
            self.close,
            float(self.volume),
        )


def candle_of(trades: Sequence[Trade], first_trade: int, before: float) -> Candle:
    """The candle of ``trades``, the first of which has the number ``first_trade``; of none, a
    flat one at the price ``before``.
    """
    if not trades:
        return Candle(before, before, before, before, 0, 0, NO_TRADE)
    prices = [trade.price for trade in trades]
    volume = sum(trade.volume for trade in trades)
    return Candle(prices[0], max(prices), min(prices), prices[-1], volume, len(trades), first_trade)


def join(earlier: Candle | None, later: Candle) -> Candle:
    """Two neighbours as one: first open, highest high, lowest low, last close, all volume."""
    if earlier is None:
        return later
    return Candle(
        earlier.open,
        max(earlier.high, later.high),
        min(earlier.low, later.low),
        later.close,
        earlier.volume + later.volume,
        earlier.trades + later.trades,
        earlier.first_trade if earlier.trades else later.first_trade,
    )
