"""A recording on a real websocket: each client gets what one recorded connection was sent.

The first client that asks for a recorded connection's path and query gets its first opening, the
next one the next, each from its beginning and in its own time. What clients send is not looked at:
the answers are in the recording.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus
from itertools import islice
from urllib.parse import urlsplit

import anyio
import structlog
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as open_server
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from barsync_async.errors import OutputError, RecordingError
from barsync_async.shell.groups import one_error
from barsync_async.shell.recordings.recorder import HIDDEN, without_secrets
from barsync_async.shell.recordings.recording import Got, Opened
from barsync_async.shell.recordings.recording_file import Moment, Recording
from barsync_async.shell.simulators.simulator import close_server

_CHUNK = 512
_CLOSE_TIMEOUT_S = 1.0
_GOING_AWAY = 1001
_TRY_AGAIN_LATER = 1013
_NS_PER_S = 1_000_000_000

_log = structlog.get_logger("barsync.simulator")


async def serve_recording(
    recording: Recording,
    address: tuple[str, int],
    *,
    speed: float = 1.0,
    on_listening: Callable[[str, int], None],
) -> None:
    """Serve ``recording`` until all its openings were given out and played to their end. To stop
    it before, cancel it: every client is told goodbye (1001).

    Args:
        recording: what to play.
        address: host and port; port 0 takes any free one.
        speed: how many times as fast as it came.
        on_listening: called once with the host and the real port.

    Raises:
        OutputError: the address cannot be listened on.
        RecordingError: the file is not any more what it was.
    """
    venue = _RecordedVenue(recording, speed)
    try:
        server = await open_server(
            venue.serve,
            *address,
            process_request=venue.answer,
            close_timeout=_CLOSE_TIMEOUT_S,
            compression=None,
        )
    except OSError as error:
        listen = f"{address[0]}:{address[1]}"
        raise OutputError(listen, f"cannot be listened on: {error}") from error
    try:
        on_listening(*server.sockets[0].getsockname()[:2])
        await venue.played()
    finally:
        with anyio.CancelScope(shield=True):
            await close_server(server)


class _Opening:
    """One opening of a recorded connection, and whom it is for."""

    def __init__(self, opened: Opened, url: str) -> None:
        self.number = opened.number
        self.connection = opened.connection
        self.mono_ns = opened.mono_ns
        words = map(re.escape, _path(url).split(HIDDEN))
        self._pattern = re.compile("[^/?&#]*".join(words))

    def is_for(self, path: str) -> bool:
        """Whether a client that asks for ``path`` may have it; what is hidden is not compared."""
        return self._pattern.fullmatch(_path(without_secrets(path))) is not None or (
            self._pattern.fullmatch(_path(path)) is not None
        )


class _RecordedVenue:
    """Gives out the openings."""

    def __init__(self, recording: Recording, speed: float) -> None:
        self._recording = recording
        self._speed = speed
        urls = {each.name: each.url for each in recording.began.connections}
        openings = [
            _Opening(each, urls[name])
            for name, attempts in recording.survey.attempts.items()
            for each in attempts
            if isinstance(each, Opened)
        ]
        self._openings = sorted(openings, key=lambda each: each.mono_ns)
        self._left = [*self._openings]
        self._playing = 0
        self._error: RecordingError | None = None
        self._over = asyncio.Event()
        self._look()

    async def played(self) -> None:
        """Until everything is. Raises RecordingError."""
        await self._over.wait()
        if self._error is not None:
            raise self._error

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Let in whoever asks for what there is."""
        if not any(each.is_for(request.path) for each in self._openings):
            return connection.respond(HTTPStatus.NOT_FOUND, "no connection was recorded there\n")
        if not any(each.is_for(request.path) for each in self._left):
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "all of it was played\n")
        return None

    async def serve(self, websocket: ServerConnection) -> None:
        """Play the next opening for one client."""
        path = websocket.request.path if websocket.request else "/"
        opening = next((each for each in self._left if each.is_for(path)), None)
        if opening is None:  # another client was quicker
            await websocket.close(_TRY_AGAIN_LATER)
            return
        self._left.remove(opening)
        self._playing += 1
        try:
            played = await self._play_while_heard(opening, websocket)
            _log.info("played" if played else "the client left", connection=opening.connection)
        except RecordingError as error:
            self._error = error
            self._left.clear()
        finally:
            self._playing -= 1
            self._look()

    async def _play_while_heard(self, opening: _Opening, websocket: ServerConnection) -> bool:
        """Play to the end, or until the client leaves; whether it was the end."""
        played = False

        async def listen() -> None:  # its pongs are read only while its requests are
            with suppress(ConnectionClosed):
                async for _ in websocket:
                    pass
            tasks.cancel_scope.cancel()

        with one_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen, name="client's requests")
                with suppress(ConnectionClosed):
                    await self._play(opening, websocket)
                    played = True
                tasks.cancel_scope.cancel()
        return played

    async def _play(self, opening: _Opening, websocket: ServerConnection) -> None:
        """Send what was recorded, in its time, then say goodbye."""
        began_ns = opening.mono_ns - self._recording.began.mono_ns
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        moments = self._recording.moments(opening.number)
        while chunk := await asyncio.to_thread(_next, moments):
            for at_ns, record in chunk:
                due_s = began_s + (at_ns - began_ns) / _NS_PER_S / self._speed
                await anyio.sleep(max(0.0, due_s - loop.time()))
                if isinstance(record, Got):
                    await websocket.send(record.wire if record.text is None else record.text)
        with anyio.CancelScope(shield=True):  # for the client's own goodbye ends the listening
            await websocket.close(_GOING_AWAY, "the recorded connection ended here")

    def _look(self) -> None:
        if not self._left and not self._playing:
            self._over.set()


def _next(moments: Iterator[Moment]) -> Sequence[Moment]:
    return list(islice(moments, _CHUNK))


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
