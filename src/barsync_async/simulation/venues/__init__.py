"""Venues' wire formats and rules, pure, the server's side: one venue a file."""

from collections.abc import Mapping

from barsync_async.simulation.roles import VenueProtocol
from barsync_async.simulation.venues.alpaca import AlpacaProtocol
from barsync_async.simulation.venues.alpaca_bars import CRYPTO_RULES
from barsync_async.simulation.venues.binance import BinanceProtocol
from barsync_async.simulation.venues.binance_futures import USD_M_FUTURES
from barsync_async.simulation.venues.bybit import BybitProtocol
from barsync_async.simulation.venues.coinbase import CoinbaseProtocol
from barsync_async.simulation.venues.json import JsonProtocol
from barsync_async.simulation.venues.kraken import KrakenProtocol
from barsync_async.simulation.venues.okx import OkxProtocol
from barsync_async.simulation.venues.polygon import PolygonProtocol

_ALL: tuple[VenueProtocol, ...] = (
    AlpacaProtocol(),
    AlpacaProtocol(CRYPTO_RULES),
    BinanceProtocol(),
    BinanceProtocol(USD_M_FUTURES),
    BybitProtocol(),
    CoinbaseProtocol(),
    JsonProtocol(),
    KrakenProtocol(),
    OkxProtocol(),
    PolygonProtocol(),
)

PROTOCOLS: Mapping[str, VenueProtocol] = {protocol.name: protocol for protocol in _ALL}
"""Every venue that can be simulated, by the name that a scenario's ``protocol`` key takes."""
