"""The simulated venue without sockets: connections are queues, so it lives on virtual time too."""

import asyncio
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlencode

from barsync_async.errors import ConnectionRefused
from barsync_async.ports import Clock, Frame
from barsync_async.shell.intake import Intake
from barsync_async.shell.simulators.venue_schedule import VenueSchedule
from barsync_async.simulation.actions import Action, Close, Send
from barsync_async.simulation.scenario import Scenario
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.units import Instant
from barsync_async.venues.history.exchange import HistoryRequest, HistoryResponse


class MemoryVenue:
    """Opens connections to the venue of ``scenario``; plays the roles of
    :class:`~barsync_async.ports.Connector` and, for its history, of
    :class:`~barsync_async.ports.HttpClient`. A frame arrives the moment it is sent.
    """

    def __init__(self, scenario: Scenario, clock: Clock, intake: Intake) -> None:
        self._venue = SimulatedVenue(scenario, clock.now())
        self._clock = clock
        self._intake = intake
        self._schedule = VenueSchedule(self._venue, clock, self._perform)
        self._connections: dict[int, MemoryConnection] = {}
        self._connected = 0

    async def run(self) -> None:
        """Until the scenario ends; without an end, until cancelled."""
        await self._schedule.run()

    async def close(self) -> None:
        """Nobody asks for more."""

    async def connect(self, feed: str, url: str) -> "MemoryConnection":
        """Open a connection; any ``url`` leads here.

        Raises:
            ConnectionRefused: the venue wants no connection.
        """
        self._connected += 1
        number = self._connected
        connection = MemoryConnection(self, feed, number, self._clock, self._intake)
        self._connections[number] = connection
        path = "/" + url.partition("//")[2].partition("/")[2]
        self._perform(self._venue.connect(number, path, self._clock.now().mono))
        self._schedule.look_again()
        if number not in self._connections:
            self._intake.leave(connection.end("refused"))
            raise ConnectionRefused(feed, f"cannot connect to {url}")
        return connection

    async def get(self, feed: str, request: HistoryRequest) -> HistoryResponse:
        """The venue's history; plays the role of :class:`~barsync_async.ports.HttpClient`."""
        del feed
        place = "/" + request.url.partition("//")[2].partition("/")[2]
        query = urlencode(request.params)
        target = f"{place}{'&' if '?' in place else '?'}{query}" if query else place
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = self._venue.get(target, {"host": "venue"} | headers, self._clock.now().mono)
        if answer is None:
            return HistoryResponse(HTTPStatus.NOT_FOUND, {}, b"")
        told = {name.lower(): value for name, value in answer.headers.items()}
        return HistoryResponse(answer.status, told, answer.body)

    def receive_from(self, number: int, text: str) -> None:
        """A client sent ``text``."""
        self._perform(self._venue.receive(number, text, self._clock.now().mono))
        self._schedule.look_again()

    def forget(self, number: int) -> None:
        """A client is gone."""
        self._venue.disconnect(number)
        self._connections.pop(number, None)

    def _perform(self, actions: Sequence[Action]) -> None:
        now = self._clock.now()
        for action in actions:
            match action:
                case Send(client=client, text=text) if client in self._connections:
                    self._intake.read(now)
                    self._connections[client].deliver(Frame(text, now))
                case Close(client=client, code=code, reason=reason) if client in self._connections:
                    self._connections.pop(client).end(f"{code} {reason}".strip())


class MemoryConnection:
    """The client's end; plays the role of :class:`~barsync_async.ports.Connection`."""

    def __init__(
        self, venue: MemoryVenue, feed: str, number: int, clock: Clock, intake: Intake
    ) -> None:
        self._venue = venue
        self._feed = feed
        self._number = number
        self._clock = clock
        self._intake = intake
        self._frames: deque[Frame] = deque()
        self._ended: tuple[Instant, str] | None = None
        self._changed = asyncio.Event()

    def deliver(self, frame: Frame) -> None:
        """The venue sent ``frame``."""
        self._frames.append(frame)
        self._changed.set()

    def end(self, detail: str) -> Instant:
        """The connection ended, now or before; what was delivered can still be received."""
        if self._ended is None:
            self._ended = self._clock.now(), detail
            self._intake.enter(self._ended[0])
            self._changed.set()
        return self._ended[0]

    async def receive(self) -> Sequence[Frame]:
        """All frames delivered, at least one; waits for the first. Safe to cancel.

        Raises:
            ConnectionRefused: the connection ended and everything was given out.
        """
        while not self._frames:
            self._check()
            self._changed.clear()
            await self._changed.wait()
        frames = list(self._frames)
        self._frames.clear()
        return frames

    async def send(self, text: str) -> None:
        """Send one text frame.

        Raises:
            ConnectionRefused: the connection ended.
        """
        self._check()
        self._venue.receive_from(self._number, text)

    async def close(self) -> Instant:
        """Close; harmless on a closed connection. Returns the moment of its end."""
        self._venue.forget(self._number)
        return self.end("closed")

    def _check(self) -> None:
        if self._ended is not None:
            _, detail = self._ended
            raise ConnectionRefused(self._feed, f"the venue closed the connection: {detail}")
