"""One symbol's trades: a seeded random walk, correlated with all others of its market.

The trades of a step depend on the seed, the symbol and the steps before, on no clock and on no
other symbol; a market may gain a symbol without any other changing.
"""

import math
from collections.abc import Sequence

from barsync_async.simulation.candle import Trade
from barsync_async.simulation.scenario import MarketTable
from barsync_async.simulation.seeding import seeded

TRADES_PER_STEP = 16
_PULL = 0.0005
_MEAN_VOLUME = 50.0
_TICKS_PER_PRICE = 10_000
_LEAST_DECIMALS = 2
_MOST_DECIMALS = 8


def start_price(seed: int, symbol: str) -> float:
    """Where ``symbol`` starts if the scenario does not say: 50 to 500, with two decimals."""
    return seeded(seed, "start", symbol).randrange(5_000, 50_001) / 100


def common_moves(seed: int, step: int) -> Sequence[float]:
    """What moves all symbols alike during ``step``: one standard normal number a trade."""
    draw = seeded(seed, "common", step)
    return [draw.gauss(0.0, 1.0) for _ in range(TRADES_PER_STEP)]


class Walk:
    """The state of one symbol.

    Prices are whole numbers of ticks; a tick is a ten-thousandth of the start price or finer, two
    to eight decimals. A weak pull towards the start price keeps a market alive for months.
    """

    def __init__(self, seed: int, symbol: str, market: MarketTable, volatility: float) -> None:
        self._seed = seed
        self._symbol = symbol
        self._empty = market.empty
        price = market.start_prices.get(symbol) or start_price(seed, symbol)
        self._scale: int = 10 ** _decimals(price)
        self._home = self._ticks = max(1, round(price * self._scale))
        deviation = volatility / math.sqrt(TRADES_PER_STEP)
        self._common = deviation * math.sqrt(market.correlation)
        self._own = deviation * math.sqrt(1.0 - market.correlation)

    @property
    def price(self) -> float:
        """The price of the last trade."""
        return float(self._ticks / self._scale)

    def trades(self, step: int, common: Sequence[float]) -> Sequence[Trade]:
        """The trades of ``step``, none if it is an empty one. Steps are taken in order."""
        draw = seeded(self._seed, "walk", self._symbol, step)
        if draw.random() < self._empty:
            return ()
        return [self._trade(move, draw.gauss(0.0, 1.0), draw.random()) for move in common]

    def _trade(self, common: float, own: float, size: float) -> Trade:
        move = self._common * common + self._own * own
        pull = _PULL * (self._home - self._ticks) / TRADES_PER_STEP
        self._ticks = max(1, round(self._ticks * math.exp(move) + pull))
        return Trade(self.price, 1 + int(-_MEAN_VOLUME * math.log1p(-size)))


def _decimals(price: float) -> int:
    for decimals in range(_LEAST_DECIMALS, _MOST_DECIMALS):
        if price * 10**decimals >= _TICKS_PER_PRICE:
            return decimals
    return _MOST_DECIMALS
