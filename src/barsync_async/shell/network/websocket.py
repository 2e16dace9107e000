"""Real websocket connections, by the ``websockets`` library.

Every message is stamped when its last bytes are read from the socket, and the end of a connection
when it is read there, not when somebody gets round to it: that stamp decides whether a bar was in
time, and which sets a source was connected for.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import CloseCode, Opcode
from websockets.frames import Frame as WireFrame
from websockets.protocol import Event

from barsync_async.errors import ConnectionRefused
from barsync_async.mistakes import without_userinfo
from barsync_async.ports import Clock, Frame
from barsync_async.shell.intake import Intake
from barsync_async.shell.network.tls import DIRECT, NO_ROUTES, Route, why_no_tls
from barsync_async.units import NS_PER_MS, Instant

MAX_FRAME_BYTES = 4 * 1024 * 1024
_QUEUE_HIGH, _QUEUE_LOW = 4_096, 1_024
_CLOSE_TIMEOUT_S = 1.0
_OPEN_TIMEOUT_S = 10.0
_PING_S = 20.0
_LOOK_S = 10.0
_DEAD_S = 40
_DEAD_NS = _DEAD_S * 1_000 * NS_PER_MS
_MOST_AT_ONCE = 256  # what takes a few ms to decode: the loop must not be held for longer
_MESSAGE_OPCODES = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class StampedConnection(ClientConnection):
    """A client connection that notes when each message was read, and when it ended.

    The library's own extension points: ``data_received`` is asyncio's callback for bytes read,
    ``process_event`` the library's for each frame in them. Messages wait here, not in the
    library's assembler, from which each would be a coroutine of its own. A message of many
    fragments is bounded by ``max_size``, as any other is.
    """

    def __init__(self, *args: Any, feed: str, clock: Clock, intake: Intake, **options: Any) -> None:
        super().__init__(*args, **options)
        self._feed = feed
        self._is_full = False
        self.messages: deque[Frame] = deque()
        """What was read and not taken; who takes some says so by :meth:`taken`."""
        self._news = asyncio.Event()
        self._fragments = bytearray()
        self.ended: asyncio.Future[Instant] = self.loop.create_future()
        self._is_held = False
        self._clock = clock
        self._intake = intake
        self._read_at = clock.now()
        self._cut: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._held_up_ns: int = self._read_at.mono
        self.is_dead = False
        """Whether it was cut because not even a ping was answered."""

    def hold(self) -> None:
        """Somebody receives from it: what it has read and will read counts as under way.

        Nothing does of a connection that never comes to that, for nobody would see it arrive.
        """
        self._is_held = True
        self._intake.gate.watch(self, self._read_or_not)
        self._read_or_not()
        self._look = self.loop.call_later(_LOOK_S, self._look_for_life)
        for message in self.messages:
            self._intake.read(message.at)
        if self.ended.done():
            self._intake.enter(self.ended.result())

    def _set_full(self, *, full: bool) -> None:
        """Nothing is read while too many messages wait; nor while the gate is closed."""
        self._is_full = full
        self._read_or_not()

    def _read_or_not(self) -> None:
        if self.transport.is_closing():
            return
        if self._is_full or (self._is_held and not self._intake.gate.is_open(self._feed)):
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Bytes came off the socket: this is the moment of arrival for all they hold."""
        self._read_at = self._clock.now()
        super().data_received(data)
        if self._cut is None and self.protocol.close_expected():
            # The library leaves it to our next ping to cut a venue that says goodbye, or was told
            # goodbye, and does not hang up: up to 20 s in which nothing comes.
            self._cut = self.loop.call_later(_CLOSE_TIMEOUT_S, self.transport.abort)

    def _look_for_life(self) -> None:
        """Cut a connection on which nothing comes, not even the answers to the library's pings.
        While we read nothing, for want of room, silence says nothing.
        """
        now = self._clock.now().mono
        if not self.transport.is_reading():
            self._held_up_ns = now
        elif now - max(self._read_at.mono, self._held_up_ns) > _DEAD_NS:
            self.is_dead = True
            self.transport.abort()
            return
        self._look = self.loop.call_later(_LOOK_S, self._look_for_life)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone: all that was read before is in."""
        for timer in (self._cut, self._look):
            if timer is not None:
                timer.cancel()
        self._intake.gate.unwatch(self)
        ended_at = self._clock.now()
        self.ended.set_result(ended_at)
        if self._is_held:
            self._intake.enter(ended_at)
        super().connection_lost(exc)
        self._news.set()

    def process_event(self, event: Event) -> None:
        """One frame was parsed; the last one of a message gives it its stamp."""
        if not (isinstance(event, WireFrame) and event.opcode in _MESSAGE_OPCODES):
            super().process_event(event)
        elif event.fin and not self._fragments:
            self._keep(bytes(event.data))
        else:
            self._fragments += event.data
            if event.fin:
                self._keep(bytes(self._fragments))
                self._fragments.clear()

    def _keep(self, data: bytes) -> None:
        self.messages.append(Frame(data, self._read_at))
        self._news.set()
        if self._is_held:
            self._intake.read(self._read_at)
        if len(self.messages) > _QUEUE_HIGH and not self._is_full:
            self._set_full(full=True)

    def taken(self) -> None:
        """There may be room again."""
        if self._is_full and len(self.messages) <= _QUEUE_LOW:
            self._set_full(full=False)

    async def news(self) -> None:
        """Until there are messages, or the connection ended. Safe to cancel."""
        while not (self.messages or self.ended.done()):
            self._news.clear()
            await self._news.wait()


class WebsocketConnection:
    """One open connection; plays the role of :class:`~barsync_async.ports.Connection`."""

    def __init__(self, feed: str, websocket: StampedConnection) -> None:
        self._feed = feed
        self._websocket = websocket
        websocket.hold()

    async def receive(self) -> Sequence[Frame]:
        """Messages that were read, at least one and at most 256; waits for the first. Safe to
        cancel.

        Raises:
            ConnectionRefused: the connection ended and everything read was given out.
        """
        await self._websocket.news()
        messages = self._websocket.messages
        if not messages:
            raise self._ended(self._websocket.close_exc)
        frames = [messages.popleft() for _ in range(min(len(messages), _MOST_AT_ONCE))]
        self._websocket.taken()
        return frames

    def _ended(self, error: ConnectionClosed) -> ConnectionRefused:
        sent, received = error.sent, error.rcvd
        if sent is not None and sent.code == CloseCode.MESSAGE_TOO_BIG:
            return OversizedFrame(self._feed, sent.reason)
        if received is not None:
            code = f"{received.code} {received.reason}".strip()
            return ConnectionRefused(self._feed, f"the venue closed the connection: {code}")
        if self._websocket.is_dead:
            return ConnectionRefused(self._feed, f"nothing came for {_DEAD_S} s, no pong either")
        return ConnectionRefused(self._feed, "the connection broke without a closing frame")

    async def send(self, text: str) -> None:
        """Send one text frame.

        Raises:
            ConnectionRefused: the connection ended.
        """
        try:
            await self._websocket.send(text)
        except ConnectionClosed as error:
            raise self._ended(error) from error

    async def close(self) -> Instant:
        """Say goodbye; waits a second for the answer. What was read can still be received.

        Returns:
            The moment of its end, be it this or an earlier one.
        """
        await self._websocket.close()
        return await asyncio.shield(self._websocket.ended)


class OversizedFrame(ConnectionRefused):
    """The venue sent a frame larger than we read; the connection had to be cut."""


class WebsocketConnector:
    """Opens real connections. TLS is verified; a proxy is used only where one is named.

    Args:
        clock: stamps what is read.
        intake: counts it.
        routes: by feed; one that is not there goes out directly.
    """

    def __init__(
        self, clock: Clock, intake: Intake, routes: Mapping[str, Route] = NO_ROUTES
    ) -> None:
        self._clock = clock
        self._intake = intake
        self._routes = routes

    async def connect(self, feed: str, url: str) -> WebsocketConnection:
        """Open a connection to ``url``.

        Raises:
            ConnectionRefused: it could not be opened; the message says why.
        """

        def make(*args: Any, **options: Any) -> StampedConnection:
            return StampedConnection(
                *args, feed=feed, clock=self._clock, intake=self._intake, **options
            )

        route = self._routes.get(feed, DIRECT)
        try:
            websocket = await connect(
                url,
                ssl=route.context() if url[:4].lower() == "wss:" else None,
                create_connection=make,  # type: ignore[arg-type]  # any maker of one serves
                max_size=MAX_FRAME_BYTES,
                open_timeout=_OPEN_TIMEOUT_S,
                close_timeout=_CLOSE_TIMEOUT_S,
                ping_interval=_PING_S,
                ping_timeout=None,  # a late pong may lie unread behind what we have no room for
                compression=None,
                proxy=route.proxy,
            )
        except (OSError, WebSocketException, EOFError, ValueError) as error:
            # ValueError: the address has a port, a host or a bracket that cannot be.
            why = why_no_tls(error) or error
            detail = without_userinfo(f"cannot connect to {url}: {why}")
            raise ConnectionRefused(feed, detail) from error
        assert isinstance(websocket, StampedConnection)  # noqa: S101 - make() made it
        return WebsocketConnection(feed, websocket)
