"""Venues' wire formats and rules, pure, the server's side: one venue a file."""

from collections.abc import Mapping

from barsync_async.simulation.roles import VenueProtocol
from barsync_async.simulation.venues.binance import BinanceProtocol
from barsync_async.simulation.venues.bybit import BybitProtocol
from barsync_async.simulation.venues.coinbase import CoinbaseProtocol
from barsync_async.simulation.venues.kraken import KrakenProtocol
from barsync_async.simulation.venues.okx import OkxProtocol

_ALL: tuple[VenueProtocol, ...] = (
    BinanceProtocol(),
    BybitProtocol(),
    CoinbaseProtocol(),
    KrakenProtocol(),
    OkxProtocol(),
)

PROTOCOLS: Mapping[str, VenueProtocol] = {protocol.name: protocol for protocol in _ALL}
"""Every venue that can be simulated, by the name that a scenario's ``protocol`` key takes."""
