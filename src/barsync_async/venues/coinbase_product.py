"""What Coinbase calls its products, and which of them it answers with another one's data."""

from barsync_async.venues.pairs import split_pair

_OF_THEIR_OWN = frozenset({"USDT-USDC", "EURC-USDC"})


def product_id(symbol: str) -> str | None:
    """``BTC/USD``, ``BTCUSD`` -> ``BTC-USD``; None where ``symbol`` is no pair."""
    pair = split_pair(symbol)
    return None if pair is None else "-".join(pair).upper()


def usd_twin(product: str) -> str:
    """``BTC-USDC`` -> ``BTC-USD``: by the venue's documentation the two share one order book, and
    market data of the first come as the second's. Other products are their own.
    """
    base, dash, quote = product.rpartition("-")
    if dash and quote == "USDC" and product not in _OF_THEIR_OWN:
        return f"{base}-USD"
    return product
