"""One connection to a venue, from its opening to its end: what is said on it, and to whom."""

import math
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import anyio
from anyio.lowlevel import checkpoint

from barsync_async.errors import ConnectionRefused, FeedError
from barsync_async.ports import Clock, Connection, Connector, Frame, VenueSession
from barsync_async.units import NS_PER_MS, Instant, SourceId

_ANSWER_WITHIN_S = 10.0
_MOST_UNSAID = 1_000


class LineOwner(Protocol):
    """Hears of everything that happens on a line."""

    async def on_up(self, line: "Line") -> None:
        """The connection is open."""

    async def on_ready(self, line: "Line") -> None:
        """Every subscription is answered."""

    async def on_frames(self, line: "Line", frames: Sequence[Frame]) -> None:
        """These were read. If they say that the connection is of no use: :meth:`Line.give_up`."""

    async def on_unanswered(self, line: "Line") -> None:
        """Everything was said long ago, and not everything was answered. If that makes the
        connection of no use: :meth:`Line.give_up`.
        """

    async def on_end(self, line: "Line", ended_at: Instant) -> None:
        """The connection ended; everything read was told."""


class Line:
    """Connects, says what ``session`` wants said within the venue's rate, and reads.

    ``ready`` is set once every subscription is answered, ``unanswered`` once one should have been
    and is not, ``aging`` when somebody wants another line in its place, ``ended`` when it is over;
    ``error`` then says why, None where :meth:`retire` did it.
    """

    def __init__(
        self, feed: str, session: VenueSession, *, connector: Connector, clock: Clock
    ) -> None:
        self.feed = feed
        self.session = session
        self.ready = anyio.Event()
        self.unanswered = anyio.Event()
        self.aging = anyio.Event()
        self.ended = anyio.Event()
        self.error: FeedError | None = None
        self.complaint: str | None = None
        """What the venue had against the whole connection, if another one may do better."""
        self.refused: set[SourceId] = set()
        """What the venue will not send on it."""
        self.opened_at: Instant | None = None
        self.ready_at: Instant | None = None
        self.heard_at: Instant | None = None
        """When the newest frame was read of those that were handed on."""
        self._connector = connector
        self._clock = clock
        self._connection: Connection | None = None
        self._attempt = anyio.CancelScope()
        self._retired = False
        self._outbox: deque[str] = deque()
        self._put = anyio.Event()
        self._said = anyio.Event()
        self._may_speak = anyio.Event()
        self._may_speak.set()

    @property
    def is_up(self) -> bool:
        """Whether its connection is open."""
        return self._connection is not None

    async def run(self, owner: LineOwner) -> None:
        """Until the connection ends, or cannot be made."""
        try:
            connection = await self._connect()
            if connection is not None:
                await self._live(connection, owner)
        except FeedError as error:
            self.error = self.error or error
        finally:
            self.ended.set()

    async def retire(self) -> None:
        """End it from our side; :meth:`run` returns once all that was read is told."""
        self._retired = True
        self._attempt.cancel()
        if self._connection is not None:
            await self._connection.close()

    def give_up(self, error: FeedError) -> None:
        """The connection is of no use, says ``error``, unless one said so before: after what is
        being handed on it is ended from our side. What was read by then is still told.
        """
        self.error = self.error or error

    def hold_back(self) -> None:
        """Subscribe to nothing, and say nothing, until :meth:`speak`."""
        self._may_speak = anyio.Event()

    def speak(self) -> None:
        """Say what there is to say."""
        self._may_speak.set()

    def say(self, text: str) -> None:
        """Send ``text`` when its turn comes. Who asks for more than we are allowed to say is given
        up.
        """
        if len(self._outbox) >= _MOST_UNSAID:
            self.give_up(ConnectionRefused(self.feed, "the venue asks more than it hears"))
            return
        self._outbox.append(text)
        self._put.set()
        self._put = anyio.Event()

    async def _connect(self) -> Connection | None:
        """A new connection; None where :meth:`retire` came first.

        Nothing is awaited between its making and its return, so that a cancellation leaks none.
        """
        with self._attempt:
            return await self._connector.connect(self.feed, self.session.url)
        return None

    async def _live(self, connection: Connection, owner: LineOwner) -> None:
        self._connection = connection
        self.opened_at = self._clock.now()
        try:
            await owner.on_up(self)
            if self._retired:  # retire() came while the connection was being made
                await connection.close()
            await self._serve(connection, owner)
        finally:
            self._connection = None
            with anyio.CancelScope(shield=True):
                ended_at = await connection.close()
            # Not shielded: who is told may be full for good where everything is cancelled.
            await owner.on_end(self, ended_at)

    async def _serve(self, connection: Connection, owner: LineOwner) -> None:
        """Talk and read until the connection ends and all that was read is told."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._talk, connection)
            tasks.start_soon(self._expect_answers, connection, owner)
            try:
                await self._read(connection, owner)
            except FeedError as error:
                self.give_up(error)
            tasks.cancel_scope.cancel()

    # What we say

    async def _talk(self, connection: Connection) -> None:
        with suppress(FeedError):  # a failed send leaves frames to be read
            await self._say_all(connection)

    async def _say_all(self, connection: Connection) -> None:
        await self._may_speak.wait()
        frames = self.session.opening_frames()
        for left, frame in zip(reversed(range(len(frames))), frames, strict=True):
            await connection.send(frame)
            if not left:
                self._said.set()  # what answers the last one may be read while we pause
            await self._pause()
        self._said.set()
        said_ns: int = self._clock.now().mono
        while True:
            if not self._outbox:
                with anyio.move_on_after(self._until_ping(said_ns)):
                    await self._put.wait()
            if self._outbox:
                await self._send(connection, self._outbox.popleft())
            elif self.session.keep_alive and self._until_ping(said_ns) <= 0:
                said_ns = self._clock.now().mono
                await self._send(connection, self.session.keep_alive.text)

    async def _send(self, connection: Connection, text: str) -> None:
        await connection.send(text)
        await self._pause()

    async def _pause(self) -> None:
        await anyio.sleep(self.session.send_interval_ms / 1_000)

    def _until_ping(self, said_ns: int) -> float:
        """Seconds until the venue wants to hear from us, who spoke at ``said_ns``."""
        wanted = self.session.keep_alive
        if wanted is None:
            return math.inf
        if wanted.only_in_silence and self.heard_at is not None:
            said_ns = max(said_ns, self.heard_at.mono)
        return (said_ns + wanted.every_ms * NS_PER_MS - self._clock.now().mono) / 1e9

    async def _expect_answers(self, connection: Connection, owner: LineOwner) -> None:
        await self._said.wait()
        await anyio.sleep(_ANSWER_WITHIN_S)
        if self.session.unacknowledged():
            self.unanswered.set()
            await owner.on_unanswered(self)
            await self._end_if_given_up(connection)

    # What we hear

    async def _read(self, connection: Connection, owner: LineOwner) -> None:
        while True:
            frames = await self._receive(connection)
            await owner.on_frames(self, frames)
            self.heard_at = frames[-1].at
            await self._end_if_given_up(connection)
            if not self.ready.is_set() and self._said.is_set():
                await self._note_answers(owner)
            await checkpoint()  # frames that wait already are given out without a pause

    async def _receive(self, connection: Connection) -> Sequence[Frame]:
        """The next frames. While we do not ask, because we are held up, no silence is counted."""
        silence_ms = self.session.silence_ms
        if silence_ms is None:
            return await connection.receive()
        with anyio.move_on_after(silence_ms / 1_000):
            return await connection.receive()
        detail = f"nothing came for {silence_ms / 1_000:g} s: the connection is dead"
        self.give_up(ConnectionRefused(self.feed, detail))
        await self._end_if_given_up(connection)
        return await connection.receive()

    async def _end_if_given_up(self, connection: Connection) -> None:
        """What is read until the end, on a connection that is not dead after all, is received."""
        if self.error is not None:
            await connection.close()

    async def _note_answers(self, owner: LineOwner) -> None:
        if not self.session.unacknowledged():
            self.ready_at = self.heard_at
            self.ready.set()
            await owner.on_ready(self)
