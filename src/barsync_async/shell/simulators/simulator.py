"""The simulated venue on a real websocket: carries out what the pure venue decides.

One scheduler sleeps until the venue's next moment. Each client has its own queue and writer, so a
client that does not read holds up nobody; when its queue is full, it is cut off.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import anyio
import structlog
from anyio.abc import TaskGroup
from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as open_server
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from barsync_async.errors import OutputError
from barsync_async.messages import Bar
from barsync_async.ports import Clock
from barsync_async.shell.groups import one_error
from barsync_async.shell.simulators.venue_schedule import VenueSchedule
from barsync_async.simulation.actions import ABRUPT, GOING_AWAY, Action, Close, Lost, Send, Unheard
from barsync_async.simulation.log_line import log_line
from barsync_async.simulation.roles import HttpAnswer
from barsync_async.simulation.scenario import Scenario
from barsync_async.simulation.venue import SimulatedVenue

QUEUE_CAPACITY = 8_192
"""Frames that a client may fall behind before it is cut off."""

_MAX_REQUEST_BYTES = 65_536
_CLOSE_TIMEOUT_S = 1.0
_GOODBYE_S = 2.0

_events = structlog.get_logger("barsync.simulator")


async def serve(
    scenario: Scenario,
    *,
    clock: Clock,
    log: Path | None = None,
    on_listening: Callable[[str, int], None],
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve ``scenario`` until it ends, or for ever. To stop it before, cancel it: every client
    is told goodbye (1001), and the log is complete.

    Args:
        scenario: which bars, and how badly.
        clock: the real one; sockets cannot live on virtual time.
        log: the file, written anew, that gets a JSON line for each closed bar sent to a client;
            one with ``lost`` for each that the scenario lost; one with ``unheard`` for each that
            was sent while nobody was subscribed.
        on_listening: called once with the host and the real port.
        tls: serves wss and https in place of ws and http.

    Raises:
        OutputError: the address cannot be listened on, or the log cannot be written.
    """
    with SimulatorLog(log) as written, one_error():
        async with anyio.create_task_group() as group:
            server = _SimulatorServer(scenario, clock, written, group, tls)
            await server.run(on_listening)


class SimulatorLog:
    """What became of every closed bar and when, for an independent judge; a context manager."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: Any = None

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("wb", buffering=0)
            except OSError as error:
                raise OutputError(str(self._path), f"cannot be opened: {error}") from error
        return self

    def __exit__(self, *raised: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, clock: Clock, client: int | None, bar: Bar, **marks: bool) -> None:
        """Note that ``bar`` goes out now, to ``client``. Raises OutputError."""
        if self._file is None:
            return
        try:
            self._file.write(log_line(bar, clock.now(), client, **marks))
        except OSError as error:
            raise OutputError(str(self._path), f"cannot be written: {error}") from error


class _Line:
    """One client's connection and the bounded queue of what is to be written to it."""

    def __init__(self, client: int, websocket: ServerConnection) -> None:
        self.client = client
        self.websocket = websocket
        self._queue: deque[Send | Close] = deque()
        self._changed = asyncio.Event()
        self._ended = False

    def put(self, action: Send | Close) -> bool:
        """Whether there was room."""
        if len(self._queue) >= QUEUE_CAPACITY:
            return False
        self._queue.append(action)
        self._changed.set()
        return True

    def end(self) -> None:
        """The connection is gone."""
        self._ended = True
        self._changed.set()

    async def next(self) -> Send | Close | None:
        """The next to write; None once the connection is gone."""
        while not self._queue and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        return None if self._ended else self._queue.popleft()


class _SimulatorServer:
    """The venue, its clients and the tasks between them; ``group`` owns the tasks."""

    def __init__(
        self,
        scenario: Scenario,
        clock: Clock,
        log: SimulatorLog,
        group: TaskGroup,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._scenario = scenario
        self._clock = clock
        self._log = log
        self._group = group
        self._tls = tls
        self._venue = SimulatedVenue(scenario, clock.now())
        self._schedule = VenueSchedule(self._venue, clock, self._perform)
        self._lines: dict[int, _Line] = {}
        self._connected = 0
        self._left = asyncio.Event()

    async def run(self, on_listening: Callable[[str, int], None]) -> None:
        server = await self._open()
        try:
            host, port = server.sockets[0].getsockname()[:2]
            on_listening(host, port)
            await self._schedule.run()
            while self._lines:
                self._left.clear()
                await self._left.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await close_server(server)

    async def _open(self) -> Server:
        host, port = self._scenario.venue.address
        faults = self._scenario.faults
        try:
            return await open_server(
                self._serve_client,
                host,
                port,
                ssl=self._tls,
                process_request=self._answer_request,
                ping_interval=faults.ping_every_s,
                ping_timeout=faults.pong_within_s,
                close_timeout=_CLOSE_TIMEOUT_S,
                max_size=_MAX_REQUEST_BYTES,
                compression=None,
            )
        except OSError as error:
            listen = self._scenario.venue.listen
            raise OutputError(listen, f"cannot be listened on: {error}") from error

    def _answer_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Let websockets through, answer what the venue's REST endpoint knows, refuse the rest."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            if self._venue.knows_path(request.path):
                return None
            return connection.respond(HTTPStatus.NOT_FOUND, "there is no such path\n")
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        answer = self._venue.get(request.path, headers, self._clock.now().mono)
        if answer is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "there is no such path\n")
        return _response(answer)

    async def _serve_client(self, websocket: ServerConnection) -> None:
        """Read what one client sends until its connection ends, whoever ends it."""
        self._connected += 1
        client = self._connected
        line = self._lines[client] = _Line(client, websocket)
        self._group.start_soon(self._write, line, name=f"client {client}")
        path = websocket.request.path if websocket.request else "/"
        try:
            self._perform(self._venue.connect(client, path, self._clock.now().mono))
            self._schedule.look_again()
            async for frame in websocket:
                self._perform(self._venue.receive(client, frame, self._clock.now().mono))
                self._schedule.look_again()
        except ConnectionClosed:
            pass  # the same end, less politely
        finally:
            self._forget(line)

    def _perform(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Lost(bar):
                    self._log.write(self._clock, None, bar, lost=True)
                case Unheard(bar):
                    self._log.write(self._clock, None, bar, unheard=True)
                case Send() | Close():
                    line = self._lines.get(action.client)
                    if line is not None:
                        self._hand_over(line, action)

    def _hand_over(self, line: _Line, action: Send | Close) -> None:
        if isinstance(action, Close):
            _events.info("closing", client=line.client, code=action.code, reason=action.reason)
            self._group.start_soon(_abort_if_stuck, line, name=f"closing client {line.client}")
        cut = isinstance(action, Close) and action.code == ABRUPT
        if not cut and not line.put(action):
            _events.warning("cut off", client=line.client, frames_behind=QUEUE_CAPACITY)
            cut = True
        if cut:
            self._forget(line)
            line.websocket.transport.abort()

    def _forget(self, line: _Line) -> None:
        """Nothing more is for this client; harmless the second time."""
        self._venue.disconnect(line.client)
        self._lines.pop(line.client, None)
        line.end()
        self._left.set()

    async def _write(self, line: _Line) -> None:
        try:
            while (action := await line.next()) is not None:
                if isinstance(action, Close):
                    await line.websocket.close(action.code, action.reason)
                    return
                # An open connection's send() writes at once, before it waits for anything.
                if action.final and action.bar and line.websocket.state is State.OPEN:
                    self._log.write(self._clock, line.client, action.bar)
                await line.websocket.send(action.text)
        except ConnectionClosed:
            return


async def _abort_if_stuck(line: _Line) -> None:
    """Cut a connection whose client does not even read the goodbye."""
    with anyio.move_on_after(_GOODBYE_S):
        await line.websocket.wait_closed()
        return
    line.websocket.transport.abort()


async def close_server(server: Server) -> None:
    """Tell every client goodbye, and wait for no one for long."""
    server.close(code=GOING_AWAY, reason="the venue is stopped")
    with anyio.move_on_after(_GOODBYE_S):
        await server.wait_closed()
    for connection in list(server.all_connections):
        connection.transport.abort()
    await server.wait_closed()


def _response(answer: HttpAnswer) -> Response:
    headers = Headers(
        {
            "Content-Type": "application/json",
            "Content-Length": str(len(answer.body)),
            "Connection": "close",
        }
        | dict(answer.headers)
    )
    return Response(answer.status, HTTPStatus(answer.status).phrase, headers, answer.body)
