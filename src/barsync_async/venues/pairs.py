"""Currency pairs as people write them: ``BTC/USD``, ``BTC-USD``, ``BTCUSD``, ``btcusd``."""

_QUOTES = (
    *("PYUSD", "USDT", "USDC", "EURC"),
    *("USD", "EUR", "GBP", "CAD", "AUD", "CHF", "JPY", "DAI", "BTC", "XBT", "ETH"),
)
"""The currencies that a price can be in where no separator shows it; a longer name first."""


def split_pair(symbol: str) -> tuple[str, str] | None:
    """``BTC-USD`` -> ``("BTC", "USD")``; None where it is no pair.

    A name in lower case throughout is raised to upper case, another is left as it was written:
    there are assets with a small letter in their name (``AAPLx``).
    """
    text = symbol.upper() if symbol.islower() else symbol
    for separator in "/-":
        base, found, quote = text.partition(separator)
        if found:
            return (base, quote) if base and quote else None
    for quote in _QUOTES:
        if text.endswith(quote) and text != quote:
            return text.removesuffix(quote), quote
    return None
