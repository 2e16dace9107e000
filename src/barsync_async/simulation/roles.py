"""What the simulated venue's engine needs of a protocol: the roles, and what they say."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from barsync_async.messages import Bar
from barsync_async.simulation.actions import POLICY_VIOLATION
from barsync_async.simulation.candle import Candle
from barsync_async.units import Instant, SourceId


class Quote(msgspec.Struct, frozen=True):
    """One state of ``bar``, with its ``candle``'s trades, as the venue tells it.

    ``final``: nothing will be added; a venue may have no way of saying so. ``revision``: how often
    the final bar was told before with other values.
    """

    bar: Bar
    candle: Candle
    final: bool
    revision: int = 0


class Deal(msgspec.Struct, frozen=True):
    """One trade of ``symbol``, the ``number``-th: ``volume`` units at ``at_ms`` by the venue."""

    symbol: str
    price: float
    volume: int
    number: int
    at_ms: int


class Violation(msgspec.Struct, frozen=True):
    """The client broke a rule, or is not wanted: the connection is to be closed for ``reason``."""

    reason: str
    code: int = POLICY_VIOLATION


Answer = str | Violation
"""A frame to the client, or the end of its connection."""


class HttpAnswer(msgspec.Struct, frozen=True):
    """What the venue's REST endpoint says to one GET; ``body`` is JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class Shelf(Protocol):
    """The bars that the venue has to show: for snapshots and its REST endpoint."""

    def closed(self, source: SourceId) -> Sequence[Quote]:
        """The newest closed bars of ``source``, oldest first, those lost on the wire too."""

    def running(self, source: SourceId) -> Quote | None:
        """The bar of ``source`` that is under way; None while it has no trade."""


class VenueLine(Protocol):
    """One client's connection, seen from the venue, as a pure state machine."""

    def greet(self, now: Instant) -> Sequence[Answer]:
        """What the venue says when the connection has opened."""

    def receive(self, frame: str | bytes, now: Instant) -> Sequence[Answer]:
        """The answers to ``frame``. Never raises, whatever the frame holds."""

    def publish(self, quote: Quote, now: Instant) -> str | None:
        """``quote`` as this client gets it; None where it is not subscribed."""

    def next_at(self) -> int | None:
        """The moment (monotonic ns) at which :meth:`advance` has something to do next."""

    def advance(self, now: Instant) -> Sequence[Answer]:
        """What is due by ``now`` though nobody asked: heartbeats, a cut for want of pings."""

    def farewell(self, now: Instant) -> Sequence[str]:
        """How the venue announces that it closes the connection; often not at all."""


@runtime_checkable
class DealLine(Protocol):
    """A line of a venue that streams trades."""

    def hears_deals(self) -> bool:
        """Whether the client is subscribed to trades of anything."""

    def tell(self, deal: Deal, now: Instant) -> str | None:
        """``deal`` as this client gets it; None where it is not subscribed."""


class VenueServer(Protocol):
    """A venue's wire format and rules, the server's side."""

    def knows_path(self, path: str) -> bool:
        """Whether there is a websocket at ``path``, the request's target with its query."""

    def accept(self, path: str, now: Instant) -> VenueLine:
        """A new client at ``path``, for which :meth:`knows_path` holds."""

    def get(self, target: str, headers: Mapping[str, str], now: Instant) -> HttpAnswer | None:
        """The REST endpoint's answer to a GET of ``target``; None where there is nothing. The
        names of ``headers`` are in lower case.
        """


class VenueProtocol(Protocol):
    """Makes servers; knows what the venue calls things."""

    name: str

    def stream(self, source: str) -> str:
        """What the venue calls ``source``; two sources of one stream cannot both be sold.

        Raises:
            ValueError: the venue has no such bars.
        """

    def serve(self, sources: Sequence[SourceId], shelf: Shelf) -> VenueServer:
        """A server that sells ``sources``."""
