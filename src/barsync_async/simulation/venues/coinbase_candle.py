"""Coinbase's candles, as recorded ones look: every number a text, times in seconds."""

from collections.abc import Iterable, Mapping

from barsync_async.simulation.roles import Quote
from barsync_async.simulation.venues.wire import decimal_text, pair_of
from barsync_async.units import TIMEFRAMES, split_source

TIMEFRAME = "5m"
LENGTH_S = TIMEFRAMES[TIMEFRAME].length_ms // 1_000

_OF_THEIR_OWN = frozenset({"USDT-USDC", "EURC-USDC"})


def product_of(source: str) -> str:
    """``BTC/USDC_5m`` -> ``BTC-USD``: the product whose data is sent.

    Raises:
        ValueError: the venue has no such bars.
    """
    symbol, timeframe = split_source(source)
    if timeframe != TIMEFRAME:
        raise ValueError(f"Coinbase has {TIMEFRAME} candles only, not {source!r}")
    return answered_as("-".join(pair_of(symbol)).upper())


def answered_as(product: str) -> str:
    """A -USDC product's data are those of the -USD product, but for two products."""
    if product.endswith("-USDC") and product not in _OF_THEIR_OWN:
        return product.removesuffix("C")
    return product


def start_s(quote: Quote) -> int:
    """When the bar opened, in seconds."""
    return quote.bar.timestamp // 1_000 - LENGTH_S


def rest_candle(quote: Quote) -> Mapping[str, str]:
    """A candle as REST has it."""
    bar = quote.bar
    return {
        "start": str(start_s(quote)),
        "low": decimal_text(bar.low),
        "high": decimal_text(bar.high),
        "open": decimal_text(bar.open),
        "close": decimal_text(bar.close),
        "volume": decimal_text(bar.volume),
    }


def socket_candles(quotes: Iterable[Quote]) -> list[Mapping[str, str]]:
    """The same on the socket: with the product's name."""
    return [{**rest_candle(quote), "product_id": product_of(quote.bar.source)} for quote in quotes]
