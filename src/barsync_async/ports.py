"""The roles that one part of barsync needs another to play: Protocols, and nothing else.

A class plays a role by having its methods; it inherits from nothing here.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec

from barsync_async.messages import (
    Bar,
    Decision,
    Event,
    Features,
    PortfolioUpdate,
)
from barsync_async.units import Instant, MonoNs, SourceId
from barsync_async.venues.facts import VenueFacts
from barsync_async.venues.history.exchange import (
    HistoryAnswer,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.keep_alive import KeepAlive
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import Received, Rejection, Running, Traded


class TimerHandle(Protocol):
    """A timer that has not fired yet."""

    def cancel(self) -> None:
        """Never fire; harmless where it fired already."""


class Clock(Protocol):
    """Reads both clocks, and calls back at a moment of the monotonic one."""

    def now(self) -> Instant:
        """The present moment."""

    def slept_ns(self) -> int:
        """How long the machine has slept so far; only the growth between two calls means much."""

    def call_at(self, when: MonoNs, callback: Callable[[], None]) -> TimerHandle:
        """Call ``callback`` on the running event loop at ``when`` or just after, never before."""


@runtime_checkable
class Component(Protocol):
    """Anything that a container can hold. ``async run()`` and ``async stop()`` are optional."""

    def initialize(self, container: Any) -> None:
        """Called once, when the component is added: look around, subscribe."""

    def start(self) -> None:
        """Called once, when every component of the container is in place."""


class Strategy(Protocol):
    """Turns one FEATURES event into the positions that it wants. Pure: no clock, no I/O."""

    name: str

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        """``portfolio`` is the version before this timestamp's decisions; None where there is no
        portfolio.
        """


class VenueSession(Protocol):
    """One connection's life, seen from the client, as a pure state machine."""

    @property
    def url(self) -> str:
        """Where to connect."""

    @property
    def send_interval_ms(self) -> int:
        """The least time between two frames of ours, by the venue's rate limit."""

    @property
    def keep_alive(self) -> KeepAlive | None:
        """What the venue wants to hear from us; None where websocket pings suffice."""

    @property
    def silence_ms(self) -> int | None:
        """How long nothing may come before the connection is dead; None where that is normal."""

    def opening_frames(self) -> Sequence[str]:
        """What to send after the connection opened, in order."""

    def receive(self, frame: str | bytes) -> Sequence[Received]:
        """What ``frame`` means. Never raises, whatever the frame holds."""

    def unacknowledged(self) -> Sequence[SourceId]:
        """The sources whose subscription the venue has neither confirmed nor refused yet."""


class VenueHistory(Protocol):
    """A venue's REST endpoint for past bars, the client's side; pure."""

    @property
    def interval_ms(self) -> int:
        """The least time between two requests, by the venue's rate limit."""

    def request(self, span: Span, options: VenueOptions) -> HistoryRequest:
        """The first request for the final bars of ``span``; its end is not in the future."""

    def receive(self, request: HistoryRequest, response: HistoryResponse) -> HistoryAnswer:
        """What the answer to ``request`` means. Never raises, whatever the response holds."""


class VenueCodec(Protocol):
    """A venue's wire format, the client's side."""

    @property
    def name(self) -> str:
        """What a config's ``venue`` key calls it."""

    @property
    def default_url(self) -> str:
        """The public endpoint."""

    @property
    def facts(self) -> VenueFacts:
        """What a person should know of it."""

    @property
    def history(self) -> VenueHistory | None:
        """None where the venue has no past bars to give."""

    def supports(self, source: SourceId, options: VenueOptions) -> str | None:
        """Why this venue, so configured, cannot carry it; None if it can."""

    def stream(self, source: SourceId) -> str:
        """What the venue calls it; two sources of one stream cannot be told apart."""

    def session(self, sources: Sequence[SourceId], options: VenueOptions) -> VenueSession:
        """A new connection's state."""


class ConnectionChange(msgspec.Struct, frozen=True):
    """The feed has a new connection (``up``), or lost the one it had. ``catching_up``: it asks the
    venue's history for what it missed, until :class:`CaughtUp`.
    """

    up: bool
    catching_up: bool = False


class CaughtUp(msgspec.Struct, frozen=True):
    """The feed has all that it missed, or as much as there is to be had."""


class SourcesRefused(msgspec.Struct, frozen=True):
    """The venue will not send these sources, or what they are made of, on this connection."""

    sources: tuple[SourceId, ...]


class Arrival(NamedTuple):
    """A bar, a rejection or a change of the connection, its moment (when its frame, or the end of
    the connection, was read from the socket), and the feed it concerns.

    ``order`` numbers the items of one feed. So arrivals sort, as tuples, into one order whatever
    the task scheduling: by moment, then feed, then their order on the wire.
    """

    at: Instant
    feed: str
    order: int
    item: Bar | Running | Traded | Rejection | ConnectionChange | CaughtUp | SourcesRefused


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One websocket message as read from its connection."""

    data: str | bytes
    at: Instant


class Connection(Protocol):
    """One open websocket, whatever library or simulation carries it.

    It counts in the intake as under way what it reads: every frame, and its end. Whoever receives
    from it says when a frame has arrived; whoever tells of its end, when that has.
    """

    async def receive(self) -> Sequence[Frame]:
        """Frames read and not handed out yet, some or all; waits for the first.

        Raises:
            ConnectionRefused: the connection ended.
        """

    async def send(self, text: str) -> None:
        """Send one text frame."""

    async def close(self) -> Instant:
        """Close; harmless on a closed connection.

        Returns:
            The moment of its end, be it this or an earlier one.
        """


class Connector(Protocol):
    """Opens connections."""

    async def connect(self, feed: str, url: str) -> Connection:
        """Open a connection for ``feed``.

        Raises:
            ConnectionRefused: it could not be opened.
        """


class HttpClient(Protocol):
    """Asks a venue's REST endpoint."""

    async def get(self, feed: str, request: HistoryRequest) -> HistoryResponse:
        """The answer, whatever its status.

        Raises:
            ConnectionRefused: there is none.
        """

    async def close(self) -> None:
        """No more requests come."""


class Sink(Protocol):
    """Where an output's events go: opened, written in batches, closed, each in a worker thread."""

    name: str

    def open(self) -> None:
        """Raises OutputError."""

    def write(self, events: Sequence[Event]) -> None:
        """Write these events, in order. Raises OutputError."""

    def close(self) -> None:
        """Make all that was written durable."""
