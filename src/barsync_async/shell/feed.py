"""Any venue over a websocket: connect, subscribe, read, and again when it breaks."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random

import anyio
import structlog
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from barsync_async.errors import ConnectionRefused
from barsync_async.messages import Bar
from barsync_async.ports import (
    Arrival,
    Clock,
    Connection,
    ConnectionChange,
    Connector,
    VenueCodec,
    VenueSession,
)
from barsync_async.shell.intake import Intake
from barsync_async.shell.producer import Producer
from barsync_async.shell.websocket import OversizedFrame
from barsync_async.units import NS_PER_MS, Instant, SourceId
from barsync_async.venues.outcomes import (
    Acknowledged,
    GoingAway,
    Received,
    Refusal,
    Rejection,
)

_FIRST_BACKOFF_S = 0.25
_MOST_BACKOFF_S = 30.0
_STABLE_NS = 60_000 * NS_PER_MS
_ANSWER_WITHIN_S = 10.0

log = structlog.get_logger("barsync.feed")


class Feed:
    """One connection to one venue, kept up for as long as the daemon runs.

    Args:
        name: its name in the config.
        codec: the venue's wire format.
        sources: what to subscribe, at most ``codec.max_sources``.
        url: where; None for the venue's public endpoint.
        producers: the next stop of each source's bars.
        events: the next stop of what is no bar: rejections, and changes of the connection.
    """

    def __init__(
        self,
        name: str,
        codec: VenueCodec,
        sources: Sequence[SourceId],
        url: str | None,
        *,
        connector: Connector,
        producers: Mapping[SourceId, Producer],
        events: Producer,
        clock: Clock,
        intake: Intake,
        rng: Random,
    ) -> None:
        self.name = name
        self._codec = codec
        self._sources = tuple(sources)
        self._url = url
        self._connector = connector
        self._routes = {
            (symbol, timeframe): producers[source]
            for source in sources
            for symbol, _, timeframe in [source.rpartition("_")]
        }
        self._events = events
        self._clock = clock
        self._intake = intake
        self._rng = rng
        self._log = log.bind(feed=name)
        self._attempt: anyio.CancelScope | None = None
        self._connection: Connection | None = None
        self._stopping = anyio.Event()
        self._order = 0
        self._failures = 0

    async def run(self) -> None:
        """Keep a connection up until :meth:`stop`; then hand on what was read, and return."""
        while not self._stopping.is_set():
            session = self._codec.session(self._sources, self._url)
            try:
                await self._connect_and_read(session)
            except ConnectionRefused as error:
                if self._stopping.is_set():
                    return
                await self._back_off(error)

    async def stop(self) -> None:
        """Read no more; :meth:`run` returns once all that was read is handed on."""
        self._stopping.set()
        if self._attempt is not None:
            self._attempt.cancel()
        if self._connection is not None:
            await self._connection.close()

    async def _connect_and_read(self, session: VenueSession) -> None:
        connection = await self._connect(session.url)
        if connection is None:
            return
        self._connection = connection
        opened = self._clock.now().mono
        self._log.info("connected", url=session.url, sources=len(self._sources))
        try:
            await self._tell(ConnectionChange(up=True), self._clock.now())
            if self._stopping.is_set():  # stop() came while the connection was being made
                await connection.close()
            await self._serve(connection, session)
        except OversizedFrame as error:
            await self._tell(Rejection("oversized", error.detail), await connection.close())
            raise
        finally:
            self._connection = None
            if self._clock.now().mono - opened >= _STABLE_NS:
                self._failures = 0
            with anyio.CancelScope(shield=True):
                await self._tell_end(connection)

    async def _tell_end(self, connection: Connection) -> None:
        """Everything read before it is handed on: now the end, unless we made it ourselves."""
        ended_at = await connection.close()
        if not self._stopping.is_set():
            await self._tell(ConnectionChange(up=False), ended_at)
        self._intake.leave(ended_at)

    async def _connect(self, url: str) -> Connection | None:
        """A new connection; None where :meth:`stop` came first.

        Nothing is awaited between its making and its return, so that a cancellation leaks none.
        """
        self._attempt = anyio.CancelScope()
        with self._attempt:
            return await self._connector.connect(self.name, url)
        return None

    async def _serve(self, connection: Connection, session: VenueSession) -> None:
        """Subscribe and read until the connection ends, which it always says by raising."""
        ended: list[ConnectionRefused] = []
        async with anyio.create_task_group() as tasks:
            for each in (self._subscribe, self._read):
                tasks.start_soon(self._until_ended, each, connection, session, tasks, ended)
        raise ended[0]

    async def _until_ended(
        self,
        work: Callable[[Connection, VenueSession], Awaitable[None]],
        connection: Connection,
        session: VenueSession,
        tasks: TaskGroup,
        ended: list[ConnectionRefused],
    ) -> None:
        try:
            await work(connection, session)
        except ConnectionRefused as error:
            ended.append(error)
            if work == self._read:  # a failed send leaves frames to be read
                tasks.cancel_scope.cancel()

    async def _subscribe(self, connection: Connection, session: VenueSession) -> None:
        for frame in session.opening_frames():
            await connection.send(frame)
            await anyio.sleep(session.send_interval_ms / 1_000)
        await anyio.sleep(_ANSWER_WITHIN_S)
        silent = session.unacknowledged()
        if silent:
            self._log.warning("the venue did not answer the subscription", sources=silent)

    async def _read(self, connection: Connection, session: VenueSession) -> None:
        while True:
            frames = await connection.receive()
            sorted_out: dict[Producer, list[Arrival]] = {}
            for frame in frames:
                for item in session.receive(frame.data):
                    self._sort(item, frame.at, sorted_out)
            for producer, arrivals in sorted_out.items():
                await producer.offer(arrivals)
            for frame in frames:
                self._intake.leave(frame.at)
            await checkpoint()  # frames that wait already are given out without a pause

    def _sort(
        self,
        item: Received | ConnectionChange,
        at: Instant,
        sorted_out: dict[Producer, list[Arrival]],
    ) -> None:
        """Put ``item`` to what goes to the same producer, or note it."""
        if type(item) is Bar:
            producer = self._routes[item.symbol, item.timeframe]
        elif type(item) is Rejection:
            self._log.warning("rejected", reason=item.reason, detail=item.detail)
            producer = self._events
        elif isinstance(item, ConnectionChange):
            producer = self._events
        else:
            self._note(item)
            return
        self._order += 1
        sorted_out.setdefault(producer, []).append(Arrival(at, self.name, self._order, item))

    async def _tell(self, item: Rejection | ConnectionChange, at: Instant) -> None:
        sorted_out: dict[Producer, list[Arrival]] = {}
        self._sort(item, at, sorted_out)
        await self._events.offer(sorted_out[self._events])

    def _note(self, item: Received) -> None:
        match item:
            case Acknowledged(sources):
                self._log.info("subscribed", sources=sources)
            case Refusal(sources, detail, final):
                self._log.error("refused by the venue", sources=sources, detail=detail, final=final)
            case GoingAway(detail):
                self._log.warning("the venue is going away", detail=detail)

    async def _back_off(self, error: ConnectionRefused) -> None:
        """Full jitter: anything between nothing and a bound that doubles with each failure."""
        bound = min(_MOST_BACKOFF_S, _FIRST_BACKOFF_S * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        delay = self._rng.uniform(0, bound)
        self._log.warning("disconnected", detail=error.detail, retry_in_s=round(delay, 3))
        with anyio.move_on_after(delay):
            await self._stopping.wait()
