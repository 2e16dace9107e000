"""A recording in place of the network: each connection gets what was recorded under its name.

Connections open, fail, speak and end when they did in the recording, by the running loop's time,
which starts with it. A frame that is due before a feed has opened its connection waits for it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

import structlog

from barsync_async.errors import ConnectionRefused
from barsync_async.ports import Frame
from barsync_async.shell.intake import Intake
from barsync_async.shell.network.websocket import OversizedFrame
from barsync_async.shell.paced_time import ReplayClock
from barsync_async.shell.recordings.recording import Attempt, Ended, Got, Opened, Record, Refused
from barsync_async.shell.recordings.recording_file import Moment, Recording
from barsync_async.units import Instant, MonoNs

_CHUNK = 512
_MOST_HELD = 65_536
_MOST_UNREAD = 4_096

log = structlog.get_logger("barsync.replay")


class ReplayConnector:
    """Opens the connections of ``recording``; plays the role of
    :class:`~barsync_async.ports.Connector`. ``run()`` delivers what comes on them.

    Args:
        recording: what to play.
        feeds: the names of the connections that will be asked for; others are passed over.
        clock: its wall clock is set to the recorded one with everything that is played.
        intake: counts what is delivered.
        on_progress: told how far it has come, in ns of the recording.
    """

    def __init__(
        self,
        recording: Recording,
        feeds: Collection[str],
        clock: ReplayClock,
        intake: Intake,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._recording = recording
        self._clock = clock
        self._intake = intake
        self._on_progress = on_progress
        self._attempts: dict[str, deque[Attempt]] = {
            name: deque(each) for name, each in recording.survey.attempts.items() if name in feeds
        }
        self._names = {
            each.number: name
            for name, some in self._attempts.items()
            for each in some
            if isinstance(each, Opened)
        }
        self._connections: dict[int, ReplayConnection] = {}
        self._held: dict[int, list[Got]] = {}
        self._over: set[int] = set()
        self.lost = 0
        """How many frames nobody was there for."""

    async def connect(self, feed: str, url: str) -> "ReplayConnection":
        """Open the next recorded connection of this name, when it was; wait for ever where there
        is none. Any ``url`` leads here. Safe to cancel.

        Raises:
            ConnectionRefused: the recorded attempt failed.
        """
        del url
        attempts = self._attempts.get(feed, deque())
        while attempts:
            attempt = attempts.popleft()
            if isinstance(attempt, Opened) and attempt.number in self._over:
                continue
            await self._until(attempt.mono_ns - self._recording.began.mono_ns)
            if isinstance(attempt, Refused):
                raise ConnectionRefused(feed, attempt.detail)
            return self._open(feed, attempt.number)
        never: asyncio.Future[ReplayConnection] = asyncio.get_running_loop().create_future()
        return await never

    def _open(self, feed: str, number: int) -> "ReplayConnection":
        connection = ReplayConnection(feed, self._clock, self._intake)
        self._connections[number] = connection
        for record in self._held.pop(number, ()):
            connection.deliver(record.wire)
        return connection

    async def run(self) -> None:
        """Deliver everything when its time has come; return at the end of the recording. Safe to
        cancel.

        Raises:
            RecordingError: the file is not any more what it was.
        """
        loop = asyncio.get_running_loop()
        moments = self._recording.moments()
        while chunk := await loop.run_in_executor(None, _next, moments):
            for at_ns, record in chunk:
                await self._until(at_ns)
                self._clock.show(record.wall_ns, at_ns)
                await self._play(record)
                self._on_progress(at_ns)
        self.lost += sum(map(len, self._held.values()))
        self._held.clear()

    async def _play(self, record: Record) -> None:
        match record:
            case Got() if record.number in self._names:
                await self._deliver(record)
            case Ended() if record.number in self._names:
                self._end(record)

    async def _deliver(self, record: Got) -> None:
        connection = self._connections.get(record.number)
        if connection is not None:
            self.lost += connection.is_over
            connection.deliver(record.wire)
            await connection.room()
            return
        held = self._held.setdefault(record.number, [])
        if len(held) < _MOST_HELD:
            held.append(record)
        else:
            self.lost += 1

    def _end(self, end: Ended) -> None:
        """An end that we made is the feed's to make again, unless it keeps a connection to which
        there is a successor.
        """
        name = self._names[end.number]
        if end.by == "us" and not self._attempts[name]:
            return
        connection = self._connections.get(end.number)
        if connection is None:
            self._over.add(end.number)
            self.lost += len(self._held.pop(end.number, ()))
            return
        kind = OversizedFrame if end.oversized else ConnectionRefused
        connection.end(kind(name, end.detail or "the recorded connection was closed here"))

    async def _until(self, at_ns: int) -> None:
        if self._clock.now().mono >= at_ns:
            return
        come = asyncio.Event()
        timer = self._clock.call_at(MonoNs(at_ns), come.set)
        try:
            await come.wait()
        finally:
            timer.cancel()


def _next(moments: Iterator[Moment]) -> Sequence[Moment]:
    return list(islice(moments, _CHUNK))


class ReplayConnection:
    """The client's end of a recorded connection; plays the role of
    :class:`~barsync_async.ports.Connection`. What is sent on it goes nowhere: the answers are in
    the recording.
    """

    def __init__(self, feed: str, clock: ReplayClock, intake: Intake) -> None:
        self._feed = feed
        self._clock = clock
        self._intake = intake
        self._frames: deque[Frame] = deque()
        self._end: ConnectionRefused | None = None
        self._ended_at: Instant | None = None
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether it ended."""
        return self._end is not None

    def deliver(self, data: bytes) -> None:
        """A frame came; nothing where the connection is over."""
        if self._end is None:
            now = self._clock.now()
            self._intake.read(now)
            self._frames.append(Frame(data, now))
            self._changed.set()

    async def room(self) -> None:
        """Until not too much lies here unread. Safe to cancel."""
        while len(self._frames) >= _MOST_UNREAD and self._end is None:
            self._taken.clear()
            await self._taken.wait()

    def end(self, why: ConnectionRefused) -> Instant:
        """It ended, now or before; what was delivered can still be received."""
        if self._ended_at is None:
            self._end = why
            self._ended_at = self._clock.now()
            self._intake.enter(self._ended_at)
            self._changed.set()
            self._taken.set()
        return self._ended_at

    async def receive(self) -> Sequence[Frame]:
        """All frames delivered, at least one; waits for the first. Safe to cancel.

        Raises:
            ConnectionRefused: the connection ended and everything was given out.
        """
        while not self._frames:
            if self._end is not None:
                raise self._end
            self._changed.clear()
            await self._changed.wait()
        frames = list(self._frames)
        self._frames.clear()
        self._taken.set()
        return frames

    async def send(self, text: str) -> None:
        """Forget ``text``.

        Raises:
            ConnectionRefused: the connection ended.
        """
        del text
        if self._end is not None:
            raise self._end

    async def close(self) -> Instant:
        """Close; harmless on a closed connection. Returns the moment of its end."""
        return self.end(ConnectionRefused(self._feed, "closed"))
