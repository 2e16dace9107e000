"""Alpaca's two markets, stocks and crypto: one wire format, each with an endpoint and names."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from barsync_async.venues.facts import VenueFacts
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.pairs import split_pair

_STOCK = re.compile(r"[A-Z0-9.]{1,24}")
_CURRENCY = re.compile(r"[A-Z0-9]{1,24}")


class AlpacaMarket(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the markets has of its own.

    Args:
        name: what a config calls it.
        endpoint: the host of its streams.
        path: the stream that is meant where a URL names none.
        rest: the host of its REST endpoint.
        rest_path: the path of its bars there.
        rest_is_public: whether that endpoint asks for no credentials.
        facts: its figures.
        wire_symbol: a symbol as the venue writes it; None for what cannot be one.
        hint: how a person should write a symbol.
    """

    name: str
    endpoint: str
    path: str
    rest: str
    rest_path: str
    rest_is_public: bool
    facts: VenueFacts
    wire_symbol: Callable[[str], str | None]
    hint: str

    def url(self, options: VenueOptions) -> str:
        """Where to connect; an address without a path gets the market's."""
        url = options.url or self.endpoint
        return url if urlsplit(url).path.strip("/") else url.rstrip("/") + self.path

    def feed(self, options: VenueOptions) -> str:
        """The last part of the stream's path: ``iex``, ``sip``, ``us``."""
        return urlsplit(self.url(options)).path.rstrip("/").rpartition("/")[2]


def _stock(symbol: str) -> str | None:
    """``spy`` -> ``SPY``."""
    name = symbol.upper()
    return name if _STOCK.fullmatch(name) else None


def _pair(symbol: str) -> str | None:
    """``BTC-USD`` and ``btcusd`` -> ``BTC/USD``."""
    currencies = split_pair(symbol.upper()) or ()
    if not currencies or not all(map(_CURRENCY.fullmatch, currencies)):
        return None
    return "/".join(currencies)


_LATER = "once, half a minute later, where trades were reported late"

STOCKS = AlpacaMarket(
    name="alpaca",
    endpoint="wss://stream.data.alpaca.markets",
    path="/v2/iex",
    rest="https://data.alpaca.markets",
    rest_path="/v2/stocks/bars",
    rest_is_public=False,
    facts=VenueFacts(
        title="Alpaca stocks",
        timeframes=("1m",),
        finality="sent once",
        revisions=_LATER,
        silence="no bar",
        trades=True,
        max_sources=10_000,
        limits="one connection to an endpoint; 30 symbols on the free plan",
        credentials=("key", "secret"),
    ),
    wire_symbol=_stock,
    hint="letters, digits and dots, e.g. SPY or BRK.B; crypto is the venue alpaca_crypto",
)

CRYPTO = AlpacaMarket(
    name="alpaca_crypto",
    endpoint="wss://stream.data.alpaca.markets",
    path="/v1beta3/crypto/us",
    rest="https://data.alpaca.markets",
    rest_path="/v1beta3/crypto/{feed}/bars",
    rest_is_public=True,
    facts=VenueFacts(
        title="Alpaca crypto",
        timeframes=("1m",),
        finality="sent once",
        revisions=_LATER,
        silence="empty bar",  # made of quotes' mid-prices, so a minute without a trade has one
        trades=True,
        max_sources=10_000,
        limits="one connection to an endpoint; 30 symbols on the free plan",
        credentials=("key", "secret"),
    ),
    wire_symbol=_pair,
    hint="BASE/QUOTE, e.g. BTC/USD",
)
