"""The bars of all sources, step by step; the longer ones are exact sums of the shortest.

The market opens with its first step: a longer bar whose interval began before that holds the
trades since. Nothing here depends on when it is asked.
"""

import math
from collections.abc import Iterator, Sequence

from barsync_async.simulation.candle import Candle, Trade, candle_of, join
from barsync_async.simulation.grid import base_timeframe, venue_grid
from barsync_async.simulation.roles import Deal
from barsync_async.simulation.scenario import Scenario
from barsync_async.simulation.seeding import seeded
from barsync_async.simulation.walk import TRADES_PER_STEP, Walk, common_moves
from barsync_async.units import TIMEFRAMES, SourceId, Timeframe, WallMs, split_source


class Market:
    """All symbols of ``scenario``, the first step of which closes at ``first_close``."""

    def __init__(self, scenario: Scenario, first_close: WallMs) -> None:
        self._grid = venue_grid(scenario.sources)
        share = self._grid.length_ms / base_timeframe(scenario.sources).length_ms
        volatility = scenario.market.volatility * math.sqrt(share)
        self._seed = scenario.seed
        self._step = 0
        self._timestamp = first_close
        self._tapes = {
            symbol: _Tape(Walk(scenario.seed, symbol, scenario.market, volatility))
            for symbol in dict.fromkeys(split_source(source)[0] for source in scenario.sources)
        }
        self._books = [
            _Book(SourceId(source), self._tapes[split_source(source)[0]])
            for source in scenario.sources
        ]
        self._by_source = {book.source: book for book in self._books}
        self._trade()

    @property
    def step(self) -> int:
        """The number of the step that is under way, from 0."""
        return self._step

    @property
    def timestamp(self) -> WallMs:
        """The close of the step that is under way."""
        return self._timestamp

    def running(self, source: SourceId, share: float) -> tuple[WallMs, Candle] | None:
        """The bar of ``source`` that is under way, after ``share`` of the present step, with the
        timestamp that it will have; None while it has no trade.
        """
        book = self._by_source[source]
        candle = book.under_way(math.ceil(min(max(share, 0.0), 1.0) * TRADES_PER_STEP))
        if not candle.trades:
            return None
        return book.timeframe.next_close(self._timestamp - 1), candle

    def deals(self) -> Iterator[Deal]:
        """The trades of the present step, at random moments of it; by symbol, in their order."""
        opened, length_ms = self._timestamp - self._grid.length_ms, self._grid.length_ms
        for symbol, tape in self._tapes.items():
            trades = tape.trades()
            draw = seeded(self._seed, "moments", symbol, self._step)
            moments = sorted(draw.randrange(length_ms) for _ in trades)
            for moment, (number, trade) in zip(moments, trades, strict=True):
                yield Deal(symbol, trade.price, trade.volume, number, opened + moment)

    def close(self) -> Sequence[tuple[SourceId, Candle]]:
        """End the step: the bars that close with it, in the scenario's order. The next begins."""
        closed = list(self._closed())
        self._step += 1
        self._timestamp = self._grid.next_close(self._timestamp)
        self._trade()
        return closed

    def _closed(self) -> Iterator[tuple[SourceId, Candle]]:
        for book in self._books:
            candle = book.take(closes=book.timeframe.closes_at(self._timestamp))
            if candle is not None:
                yield book.source, candle

    def _trade(self) -> None:
        common = common_moves(self._seed, self._step)
        for tape in self._tapes.values():
            tape.turn(self._step, common)


class _Tape:
    """One symbol's trades of the present step."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._before = walk.price
        self._first_trade = 1
        self._trades: Sequence[Trade] = ()

    def turn(self, step: int, common: Sequence[float]) -> None:
        self._first_trade += len(self._trades)
        self._before = self._walk.price
        self._trades = self._walk.trades(step, common)

    def trades(self) -> Sequence[tuple[int, Trade]]:
        """Those of the step, with their numbers."""
        return list(enumerate(self._trades, self._first_trade))

    def candle(self, count: int) -> Candle:
        """Of the first ``count`` trades of the step."""
        return candle_of(self._trades[:count], self._first_trade, self._before)


class _Book:
    """One source's bar, as far as the steps before the present one go."""

    def __init__(self, source: SourceId, tape: _Tape) -> None:
        self.source = source
        self.timeframe: Timeframe = TIMEFRAMES[split_source(source)[1]]
        self._tape = tape
        self._so_far: Candle | None = None

    def under_way(self, count: int) -> Candle:
        return join(self._so_far, self._tape.candle(count))

    def take(self, *, closes: bool) -> Candle | None:
        """Add the whole step; the bar if it ends here, else None."""
        candle = join(self._so_far, self._tape.candle(TRADES_PER_STEP))
        self._so_far = None if closes else candle
        return candle if closes else None
