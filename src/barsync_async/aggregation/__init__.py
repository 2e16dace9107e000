"""Bars made here, pure: longer ones from shorter ones, and bars from trades.

Each aggregator promises exact bars of closed windows or a report that it has none: a window of
which something may be unknown is given up, never guessed.
"""

from barsync_async.aggregation.bars import BarAggregator
from barsync_async.aggregation.outcomes import GivenUp, Outcome, Refused
from barsync_async.aggregation.trades import TradeAggregator
from barsync_async.messages import Trade

__all__ = ["BarAggregator", "GivenUp", "Outcome", "Refused", "Trade", "TradeAggregator"]
