"""Venues' wire formats, pure: one venue a file, bytes in, bars out."""

from collections.abc import Mapping

from barsync_async.venues.binance import BinanceCodec

CODECS: Mapping[str, BinanceCodec] = {codec.name: codec for codec in (BinanceCodec(),)}
"""Every venue, by the name that a config's ``venue`` key takes."""
