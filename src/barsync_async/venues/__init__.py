"""Venues' wire formats, pure: one venue a file, bytes in, bars out."""

from collections.abc import Mapping

from barsync_async.venues.alpaca import AlpacaCodec
from barsync_async.venues.alpaca_market import CRYPTO
from barsync_async.venues.binance import BinanceCodec
from barsync_async.venues.binance_futures import USD_M_FUTURES
from barsync_async.venues.bybit import BybitCodec
from barsync_async.venues.coinbase import CoinbaseCodec
from barsync_async.venues.json import JsonCodec
from barsync_async.venues.kraken import KrakenCodec
from barsync_async.venues.okx import OkxCodec
from barsync_async.venues.polygon import PolygonCodec

Codec = (
    AlpacaCodec
    | BinanceCodec
    | BybitCodec
    | CoinbaseCodec
    | JsonCodec
    | KrakenCodec
    | OkxCodec
    | PolygonCodec
)

_ALL: tuple[Codec, ...] = (
    AlpacaCodec(),
    AlpacaCodec(CRYPTO),
    BinanceCodec(),
    BinanceCodec(USD_M_FUTURES),
    BybitCodec(),
    CoinbaseCodec(),
    JsonCodec(),
    KrakenCodec(),
    OkxCodec(),
    PolygonCodec(),
)

CODECS: Mapping[str, Codec] = {codec.name: codec for codec in _ALL}
"""Every venue, by the name that a config's ``venue`` key takes."""
