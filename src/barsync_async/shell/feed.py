"""Any venue over websockets: a connection kept up, replaced before it grows too old."""

import math
from collections.abc import Mapping, Sequence
from random import Random

import anyio
import structlog
from anyio.abc import TaskGroup

from barsync_async.errors import ConnectionRefused, SubscriptionRefused
from barsync_async.messages import Bar
from barsync_async.ports import (
    Arrival,
    CaughtUp,
    Clock,
    ConnectionChange,
    Connector,
    Frame,
    SourcesRefused,
    VenueCodec,
)
from barsync_async.shell.backfill import Backfill
from barsync_async.shell.intake import Intake
from barsync_async.shell.line import Line
from barsync_async.shell.past_bars import PastBars, in_order
from barsync_async.shell.producer import Producer
from barsync_async.shell.silence import SilentSources
from barsync_async.shell.waiting import first_of
from barsync_async.shell.websocket import OversizedFrame
from barsync_async.units import (
    NS_PER_MS,
    TRADES,
    Instant,
    SourceId,
    WallMs,
    is_trades,
    split_stream,
)
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import (
    Acknowledged,
    GoingAway,
    Received,
    Refusal,
    Rejection,
    Reply,
    Running,
    Traded,
)

_FIRST_BACKOFF_S = 0.25
_MOST_BACKOFF_S = 30.0
_STABLE_NS = 60_000 * NS_PER_MS
_CATCH_UP_WITHIN_S = 60.0
_ASK_S, _SILENT_S = 3.0, 4.0  # Coinbase gives us 5 s to subscribe; Kraken is silent till then

log = structlog.get_logger("barsync.feed")


class Feed:
    """One venue's sources, over one connection at a time, for as long as the daemon runs.

    A connection that grows old, by the venue's word or by ``rollover_s``, is replaced while it
    still lives: the new one takes over once every subscription on it is answered.

    Args:
        name: its name in the config.
        codec: the venue's wire format.
        sources: what to subscribe, at most ``codec.facts.max_sources``.
        options: where, and as whom.
        producers: the next stop of each source's bars.
        events: the next stop of what is no bar: rejections, and changes of the connection.
        rollover_s: after how long a connection is replaced; None: never.
        grace_ms: how long after its end a bar may change, where the venue has no closed flag.
        backfill: asks the venue for past bars; None: nobody does.
    """

    def __init__(
        self,
        name: str,
        codec: VenueCodec,
        sources: Sequence[SourceId],
        options: VenueOptions,
        *,
        connector: Connector,
        producers: Mapping[SourceId, Producer],
        events: Producer,
        clock: Clock,
        intake: Intake,
        rng: Random,
        rollover_s: float | None = None,
        grace_ms: int = 0,
        backfill: Backfill | None = None,
    ) -> None:
        self.name = name
        self.gave_up: SubscriptionRefused | None = None
        """Why it ended by itself; None while it goes on."""
        self._codec = codec
        self._sources = tuple(sources)
        self._options = options
        self._connector = connector
        self._producers = producers
        self._routes = {split_stream(source): producers[source] for source in sources}
        bars = {source: each for source, each in producers.items() if not is_trades(source)}
        self._events = events
        self._clock = clock
        self._intake = intake
        self._rng = rng
        self._rollover_s = math.inf if rollover_s is None else rollover_s
        self._log = log.bind(feed=name)
        self._stopping = anyio.Event()
        self._lines: list[Line] = []
        self._order = 0
        self._failures = 0
        flagged = codec.facts.finality != "later bar or clock"
        settle_ms = 0 if flagged else grace_ms
        self.past = (
            None
            if backfill is None or not bars
            else PastBars(name, bars, backfill, clock=clock, settle_ms=settle_ms)
        )
        """What the venue remembers; None where it is not asked."""
        if not flagged:
            for producer in producers.values():
                producer.decide(name, grace_ms, self.heard_at)

    # A line after another

    async def run(self) -> None:
        """Keep a connection up until :meth:`stop`, or until the venue refuses us for good; then
        hand on what was read, and return.
        """
        if self._stopping.is_set():
            return
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self._watch_silence, name=f"silence {self.name}")
            line: Line | None = self._open(tasks)
            while line is not None:
                line = await self._follow(line, tasks)
            tasks.cancel_scope.cancel()  # every line has ended

    async def stop(self) -> None:
        """Read no more; :meth:`run` returns once all that was read is handed on."""
        self._stopping.set()
        for line in [*self._lines]:
            await line.retire()

    def _open(self, tasks: TaskGroup) -> Line:
        session = self._codec.session(self._sources, self._options)
        line = Line(self.name, session, connector=self._connector, clock=self._clock)
        self._lines.append(line)
        tasks.start_soon(self._run, line, name=f"line {self.name}")
        return line

    async def _run(self, line: Line) -> None:
        try:
            await line.run(self)
        finally:
            self._lines.remove(line)

    async def _follow(self, line: Line, tasks: TaskGroup) -> Line | None:
        """Wait until ``line`` is over, or has to be replaced; the line that goes on, if any."""
        with anyio.move_on_after(self._rollover_s):
            await first_of(line.aging, line.ended)
        if not line.ended.is_set() and not self._stopping.is_set():
            return await self._replace(line, tasks)
        await line.ended.wait()
        if isinstance(line.error, SubscriptionRefused):
            self.gave_up = line.error
            self._log.error("given up", detail=line.error.detail)
        elif not self._stopping.is_set():
            await self._back_off(line)
            if not self._stopping.is_set():
                return self._open(tasks)
        return None

    async def _replace(self, old: Line, tasks: TaskGroup) -> Line | None:
        """Open a new line beside ``old``; it takes over once it is ready, or ``old`` has ended."""
        self._log.info("replacing the connection")
        new = self._open(tasks)
        await first_of(new.ready, new.ended, old.ended)
        if new.ended.is_set() and not old.ended.is_set():
            await self._back_off(new)
            old.aging = anyio.Event()
            old.aging.set()
            return old
        if not self._stopping.is_set():
            await old.retire()
        await old.ended.wait()
        return new

    async def _back_off(self, line: Line) -> None:
        """Full jitter: anything between nothing and a bound that doubles with each failure."""
        bound = min(_MOST_BACKOFF_S, _FIRST_BACKOFF_S * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        delay = self._rng.uniform(0, bound)
        detail = "" if line.error is None else line.error.detail
        self._log.warning("disconnected", detail=detail, retry_in_s=round(delay, 3))
        with anyio.move_on_after(delay):
            await self._stopping.wait()

    async def _watch_silence(self) -> None:
        """Replace a connection on which a source is silent that never is at this venue; of another
        venue's only say so, for its market may be quiet.
        """
        bars = {source: each for source, each in self._producers.items() if not is_trades(source)}
        silent = SilentSources(bars)
        while True:
            await anyio.sleep(silent.look_every_ms / 1_000)
            line = self._lines[-1] if self._lines else None
            if line is None or line.ready_at is None or line.ended.is_set():
                continue
            news = silent.news(line.ready_at.wall, self._clock.now().wall)
            if news and self._codec.facts.silence == "empty bar":
                self._log.warning("silent subscriptions", sources=news)
                line.aging.set()
            elif news:
                self._log.info("silent sources", sources=news)

    # What was missed

    async def hand_on(self, items: Sequence[Bar | Rejection]) -> None:
        """Past bars, as if they arrived now."""
        now = self._clock.now()
        sorted_out: dict[Producer, list[Arrival]] = {}
        for item in items:
            self._sort(item, now, sorted_out)
        for producer, arrivals in sorted_out.items():
            await producer.offer(arrivals)

    async def _catch_up(self, line: Line) -> None:
        """Get what was missed: before anything is subscribed, for sets go out in order, and bars
        behind later ones are late; and once everything is, what was not there yet. Give up with
        the line.
        """
        assert self.past is not None  # noqa: S101 - nobody catches up without it
        async with anyio.create_task_group() as tasks:

            async def end_with_line() -> None:
                await line.ended.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(end_with_line)
            with anyio.move_on_after(_CATCH_UP_WITHIN_S):
                await self._make_up(self.past)
                line.speak()
                await line.ready.wait()
                await self.past.hand_on_missed(self.hand_on)
            line.speak()
            await self._tell(CaughtUp(), self._clock.now())
            tasks.cancel_scope.cancel()

    async def _make_up(self, past: PastBars) -> None:
        """What was missed, as far as it comes while the venue waits for our subscription. All that
        came is handed on; in good time, a few timestamps after the other.
        """
        impatient_at = anyio.current_time() + _SILENT_S
        for few in in_order(await past.missed(_ASK_S)):
            await self.hand_on(few)
            past.note(few)
            with anyio.CancelScope(deadline=impatient_at):
                await self._intake.empty()

    # What happens on a line

    async def on_up(self, line: Line) -> None:
        """The connection is open."""
        self._log.info("connected", url=line.session.url, sources=len(self._sources))
        past = None if any(each.is_up for each in self._lines if each is not line) else self.past
        if past is not None:
            past.note_outage()
            line.hold_back()
        change = ConnectionChange(up=True, catching_up=past is not None)
        await self._tell(change, self._clock.now())
        if past is not None:
            self._tasks.start_soon(self._catch_up, line, name=f"catching up {self.name}")

    async def on_ready(self, line: Line) -> None:
        """Every subscription is answered: from now on, what does not come did not happen."""
        if not any(each.ready.is_set() for each in self._lines if each is not line):
            await self._tell_sources(ConnectionChange(up=True), self._clock.now())

    async def on_frames(self, line: Line, frames: Sequence[Frame]) -> None:
        """These were read.

        Raises:
            SubscriptionRefused: the venue wants nothing to do with us.
        """
        sorted_out: dict[Producer, list[Arrival]] = {}
        receive = line.session.receive
        for frame in frames:
            for item in receive(frame.data):
                self._sort(item, frame.at, sorted_out, line)
        for producer, arrivals in sorted_out.items():
            await producer.offer(arrivals)
        for frame in frames:
            self._intake.leave(frame.at)
        if line.error is not None:
            raise line.error

    async def on_unanswered(self, line: Line) -> None:
        """Not every subscription was answered.

        Raises:
            ConnectionRefused: none was, and the venue has said what it has against us.
        """
        silent = line.session.unacknowledged()
        if line.complaint is not None and len(silent) == len(self._sources):
            raise ConnectionRefused(self.name, line.complaint)
        self._log.warning("the venue did not answer the subscription", sources=silent)

    async def on_end(self, line: Line, ended_at: Instant) -> None:
        """Everything read before it is handed on: now the end, unless we made it ourselves or
        another line is up.
        """
        if isinstance(line.error, OversizedFrame):
            await self._tell(Rejection("oversized", line.error.detail), ended_at)
        if line.opened_at and self._clock.now().mono - line.opened_at.mono >= _STABLE_NS:
            self._failures = 0
        others = any(each.is_up for each in self._lines if each is not line)
        if not self._stopping.is_set() and not others:
            await self._tell_sources(ConnectionChange(up=False), ended_at)
            await self._tell(ConnectionChange(up=False), ended_at)
        self._intake.leave(ended_at)

    def _sort(
        self,
        item: Received | SourcesRefused,
        at: Instant,
        sorted_out: dict[Producer, list[Arrival]],
        line: Line | None = None,
    ) -> None:
        """Put ``item`` to what goes to the same producer, or note it."""
        if type(item) is Bar:
            producer = self._routes[item.symbol, item.timeframe]
        elif type(item) is Running:
            producer = self._routes[item.bar.symbol, item.bar.timeframe]
        elif type(item) is Traded:
            producer = self._routes[item.symbol, TRADES]
        elif type(item) is Rejection:
            self._log.warning("rejected", reason=item.reason, detail=item.detail)
            producer = self._events
        elif isinstance(item, SourcesRefused):
            producer = self._events
        else:
            self._note(item, line)
            if isinstance(item, Refusal) and item.final and item.sources:
                self._sort(SourcesRefused(item.sources), at, sorted_out)
            return
        self._order += 1
        sorted_out.setdefault(producer, []).append(Arrival(at, self.name, self._order, item))

    async def _tell(self, item: Rejection | ConnectionChange | CaughtUp, at: Instant) -> None:
        if isinstance(item, Rejection):
            self._log.warning("rejected", reason=item.reason, detail=item.detail)
        self._order += 1
        await self._events.offer([Arrival(at, self.name, self._order, item)])

    async def _tell_sources(self, change: ConnectionChange, at: Instant) -> None:
        wanting = [each for each in self._producers.values() if each.wants_changes]
        self._order += bool(wanting)
        for producer in wanting:
            await producer.offer([Arrival(at, self.name, self._order, change)])

    def _note(self, item: Received, line: Line | None) -> None:
        match item:
            case Acknowledged(sources):
                self._log.info("subscribed", sources=sources)
            case Refusal(sources, detail, final):
                self._log.error("refused by the venue", sources=sources, detail=detail, final=final)
                if line is not None and not sources:
                    line.complaint = detail
                    line.error = SubscriptionRefused(self.name, detail) if final else line.error
            case GoingAway(detail):
                self._log.warning("the venue is going away", detail=detail)
                if line is not None:
                    line.aging.set()
            case Reply(text) if line is not None:
                line.say(text)

    def heard_at(self) -> WallMs | None:
        """When a connection of ours was last heard."""
        heard = [line.heard_at.wall for line in self._lines if line.heard_at is not None]
        return max(heard, default=None)
