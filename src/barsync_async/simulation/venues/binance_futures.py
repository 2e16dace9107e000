"""Binance's USD-M futures, the server's side: the rules that differ from spot's."""

from barsync_async.simulation.venues.binance import BinanceRules
from barsync_async.simulation.venues.binance_rest import RestRules

USD_M_FUTURES = BinanceRules(
    name="binance_futures",
    root="/market",
    trades="aggTrade",
    messages_per_second=10,
    rest=RestRules(
        path="/fapi/v1/klines",
        most=1_500,
        refuses_more=True,
        weights=((99, 1), (499, 2), (1_000, 5), (1_500, 10)),
        budget=2_400,
    ),
)
"""The market; :class:`.BinanceProtocol` takes it."""
