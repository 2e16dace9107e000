"""Venues' wire formats, pure: one venue a file, bytes in, bars out."""

from barsync_async.venues.binance import BinanceCodec

CODECS = {codec.name: codec for codec in (BinanceCodec(),)}
"""Every venue, by the name that a config's ``venue`` key takes."""
