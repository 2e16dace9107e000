"""Pairs, however a person writes them."""

import pytest

from barsync_async.venues.pairs import split_pair


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTC/USD", ("BTC", "USD")),
        ("BTC-USD", ("BTC", "USD")),
        ("BTCUSD", ("BTC", "USD")),
        ("btcusd", ("BTC", "USD")),
        ("btc-usd", ("BTC", "USD")),
        ("BTCUSDT", ("BTC", "USDT")),
        ("BTCUSDC", ("BTC", "USDC")),
        ("USDTUSD", ("USDT", "USD")),
        ("PYUSDUSD", ("PYUSD", "USD")),
        ("ETHBTC", ("ETH", "BTC")),
        ("ETHXBT", ("ETH", "XBT")),
        ("AAPLx/USD", ("AAPLx", "USD")),
        ("BTC-PERP-INTX", ("BTC", "PERP-INTX")),
        ("SPY", None),
        ("USD", None),
        ("BTC/", None),
        ("/USD", None),
        ("", None),
    ],
)
def test_a_pair_is_split_where_a_separator_or_a_known_currency_shows_it(
    symbol: str, pair: tuple[str, str] | None
) -> None:
    assert split_pair(symbol) == pair
