"""Venues' wire formats, pure: one venue a file, bytes in, bars out."""

from collections.abc import Mapping

from barsync_async.venues.binance import BinanceCodec
from barsync_async.venues.bybit import BybitCodec
from barsync_async.venues.coinbase import CoinbaseCodec
from barsync_async.venues.kraken import KrakenCodec
from barsync_async.venues.okx import OkxCodec

Codec = BinanceCodec | BybitCodec | CoinbaseCodec | KrakenCodec | OkxCodec

_ALL: tuple[Codec, ...] = (
    BinanceCodec(),
    BybitCodec(),
    CoinbaseCodec(),
    KrakenCodec(),
    OkxCodec(),
)

CODECS: Mapping[str, Codec] = {codec.name: codec for codec in _ALL}
"""Every venue, by the name that a config's ``venue`` key takes."""
