"""Binance's USD-M futures: what differs from spot; the wire format is :mod:`.binance`'s.

Since 2026-04-23 the venue serves streams by kind, and klines are on ``/market``: on the paths
without it a subscription is still confirmed, and nothing follows. The host sends a ping frame
every 3 minutes and wants a pong within 10, which is the transport's matter; a running kline comes
every 250 ms.
"""

from barsync_async.units import TIMEFRAMES
from barsync_async.venues.binance import BinanceMarket
from barsync_async.venues.facts import VenueFacts
from barsync_async.venues.history.binance import BinanceHistory

_NOT_OFFERED = ("1s", "5s", "15s", "30s")

USD_M_FUTURES = BinanceMarket(
    name="binance_futures",
    short="Binance USD-M futures",
    endpoint="wss://fstream.binance.com",
    trades="aggTrade",  # single trades are not streamed here
    root="/market",
    send_interval_ms=150,  # the venue allows 10 incoming messages a second, pongs included
    facts=VenueFacts(
        title="Binance USD-M futures",
        timeframes=tuple(name for name in TIMEFRAMES if name not in _NOT_OFFERED),
        finality="flag",
        revisions="none",
        silence="empty bar",
        max_sources=1_024,
        trades=True,
        limits="10 messages a second from us",
        lifetime_s=86_400,
    ),
    history=BinanceHistory(
        endpoint="https://fapi.binance.com",
        path="/fapi/v1/klines",
        most=1_500,
        interval_ms=500,  # a page of more than 1,000 weighs 10 of the 2,400 of a minute
    ),
)
"""The market; :class:`.BinanceCodec` takes it."""
