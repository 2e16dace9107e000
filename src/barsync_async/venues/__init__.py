"""Venues' wire formats, pure: one venue a file, bytes in, bars out."""

from collections.abc import Mapping

from barsync_async.venues.binance import BinanceCodec
from barsync_async.venues.binance_futures import USD_M_FUTURES
from barsync_async.venues.json import JsonCodec

Codec = BinanceCodec | JsonCodec

_ALL: tuple[Codec, ...] = (
    BinanceCodec(),
    BinanceCodec(USD_M_FUTURES),
    JsonCodec(),
)

CODECS: Mapping[str, Codec] = {codec.name: codec for codec in _ALL}
"""Every venue, by the name that a config's ``venue`` key takes."""
