"""Any venue over websockets: a connection kept up, replaced before it grows too old."""

import math
from collections.abc import Mapping, Sequence
from random import Random

import anyio
import structlog
from anyio.abc import TaskGroup

from barsync_async.errors import ConnectionRefused, SubscriptionRefused
from barsync_async.messages import Bar
from barsync_async.mistakes import without_userinfo
from barsync_async.ports import (
    Arrival,
    CaughtUp,
    Clock,
    ConnectionChange,
    Connector,
    Frame,
    VenueCodec,
)
from barsync_async.shell.feeds.back_off import BackOff
from barsync_async.shell.feeds.backfill import Backfill
from barsync_async.shell.feeds.catch_up import catch_up
from barsync_async.shell.feeds.dispatch import NOTHING_DERIVED, Dispatch, SortedOut
from barsync_async.shell.feeds.line import Line
from barsync_async.shell.feeds.past_bars import PastBars
from barsync_async.shell.feeds.producer import Producer
from barsync_async.shell.feeds.silence import SilentSources
from barsync_async.shell.intake import Intake
from barsync_async.shell.network.websocket import OversizedFrame
from barsync_async.shell.waiting import first_of
from barsync_async.units import (
    NS_PER_MS,
    Instant,
    SourceId,
    WallMs,
    is_trades,
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
)

_UNDERSTOOD = frozenset({"unknown_source", "corrected_trade"})
"""Why something is rejected that is known to be no bar or trade of an interval of ours."""

_STABLE_NS = 60_000 * NS_PER_MS

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
        derived: which source is made of which of ``sources``.
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
        derived: Mapping[SourceId, SourceId] = NOTHING_DERIVED,
    ) -> None:
        self.name = name
        self.gave_up: SubscriptionRefused | None = None
        """Why it ended by itself; None while it goes on."""
        self._codec = codec
        self._sources = tuple(sources)
        self._options = options
        self._connector = connector
        self._bars = {source: each for source, each in producers.items() if not is_trades(source)}
        self._dispatch = Dispatch(name, producers, events, derived)
        self._clock = clock
        self._intake = intake
        self._back_off = BackOff(rng)
        self._rollover_s = math.inf if rollover_s is None else rollover_s
        self._log = log.bind(feed=name)
        self._stopping = anyio.Event()
        self._lines: list[Line] = []
        self._catching_up: set[Line] = set()
        self._changing = anyio.Lock()  # what lines become is told of one after the other
        flagged = codec.facts.finality != "later bar or clock"
        settle_ms = 0 if flagged else grace_ms
        self.past: PastBars | None = None
        """What the venue remembers; None where it is not asked."""
        if backfill is not None and self._bars:
            self.past = PastBars(name, self._bars, backfill, clock=clock, settle_ms=settle_ms)
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
        if line.aging.is_set() and not self._is_stable(line):  # it sends everybody away, perhaps
            await self._pause(self._back_off.repeated_delay_s())
        if not line.ended.is_set() and not self._stopping.is_set():
            return await self._replace(line, tasks)
        await line.ended.wait()
        if isinstance(line.error, SubscriptionRefused):
            self.gave_up = line.error
            self._log.error("given up", detail=line.error.detail)
        elif not self._stopping.is_set():
            await self._wait_after(line)
            if not self._stopping.is_set():
                return self._open(tasks)
        return None

    async def _replace(self, old: Line, tasks: TaskGroup) -> Line | None:
        """Open a new line beside ``old``; it takes over once it is ready, or ``old`` has ended. One
        that is left without answers that ``old`` had does not: it is tried again.
        """
        self._log.info("replacing the connection")
        new = self._open(tasks)
        await first_of(new.ready, new.unanswered, new.ended, old.ended)
        if not old.ended.is_set() and (new.ended.is_set() or _lacks(new, old)):
            await new.retire()
            await new.ended.wait()
            await self._wait_after(new)
            old.aging = anyio.Event()
            old.aging.set()
            return old
        if old.ended.is_set() and new.opened_at is None:
            self._log_end(old, 0)
        if not self._stopping.is_set():
            await old.retire()
        await old.ended.wait()
        return new

    async def _wait_after(self, line: Line) -> None:
        delay = self._back_off.delay_s()
        self._log_end(line, delay)
        await self._pause(delay)

    def _log_end(self, line: Line, retry_in_s: float) -> None:
        detail = "" if line.error is None else line.error.detail
        what = "not connected" if line.opened_at is None else "disconnected"
        self._log.warning(what, detail=detail, retry_in_s=round(retry_in_s, 3))

    async def _pause(self, delay_s: float) -> None:
        with anyio.move_on_after(delay_s):
            await self._stopping.wait()

    def _is_stable(self, line: Line) -> bool:
        """Whether it has lasted long enough to show that the venue can be reached."""
        opened_at = line.opened_at
        return opened_at is not None and self._clock.now().mono - opened_at.mono >= _STABLE_NS

    async def _watch_silence(self) -> None:
        """Replace a connection on which a source is silent that never is at this venue; of another
        venue's only say so, for its market may be quiet.
        """
        silent = SilentSources(self._bars)
        while True:
            await anyio.sleep(silent.look_every_ms / 1_000)
            line = self._lines[-1] if self._lines else None
            if line is None or line.ready_at is None or line.ended.is_set():
                continue
            news = silent.news(line.ready_at.mono, self._clock.now().mono, refused=line.refused)
            if news and self._codec.facts.silence == "empty bar":
                self._log.warning("silent subscriptions", sources=news)
                line.aging.set()
            elif news:
                self._log.info("silent sources", sources=news)

    # What was missed

    async def hand_on(self, items: Sequence[Bar | Rejection]) -> None:
        """Past bars, as if they arrived now."""
        await self._dispatch.hand_on(items, self._clock.now())

    async def _catch_up(self, line: Line, past: PastBars) -> None:
        self._catching_up.add(line)
        try:
            if await catch_up(line, past, self._intake, self.hand_on):
                await self._dispatch.tell(CaughtUp(), self._clock.now())
        finally:
            self._catching_up.discard(line)

    # What happens on a line

    async def on_up(self, line: Line) -> None:
        """The connection is open."""
        url = without_userinfo(line.session.url)
        self._log.info("connected", url=url, sources=len(self._sources))
        async with self._changing:
            past = None if self._others_up(line) else self.past
            if past is not None:
                past.note_outage()
                line.hold_back()
            catching_up = past is not None or bool(self._catching_up)
            await self._dispatch.tell(
                ConnectionChange(up=True, catching_up=catching_up), self._clock.now()
            )
        if past is not None:
            self._tasks.start_soon(self._catch_up, line, past, name=f"catching up {self.name}")

    async def on_ready(self, line: Line) -> None:
        """Every subscription is answered: from now on, what does not come did not happen."""
        async with self._changing:
            if not any(each.ready.is_set() for each in self._others_up(line)):
                await self._dispatch.tell_sources(ConnectionChange(up=True), self._clock.now())

    async def on_frames(self, line: Line, frames: Sequence[Frame]) -> None:
        """These were read."""
        sorted_out = SortedOut()
        receive, sort = line.session.receive, self._dispatch.sort
        later = self._lines[self._lines.index(line) + 1 :]
        is_replaced = any(each.is_up and each.ready.is_set() for each in later)
        for frame in frames:
            for item in receive(frame.data):
                if is_replaced and type(item) is Running:
                    continue  # the later line's are newer
                if not sort(item, frame.at, sorted_out):
                    self._note(item, line)
                    if isinstance(item, Refusal) and item.final and item.sources:
                        line.refused.update(item.sources)
                        sort(self._dispatch.without(item.sources), frame.at, sorted_out)
        events = await self._dispatch.offer(sorted_out)
        if events and any(each.ready.is_set() for each in self._lines):
            await self._doubt(events)
        for frame in frames:
            self._intake.leave(frame.at)

    async def _doubt(self, events: Sequence[Arrival]) -> None:
        """What could not be read may have been the bar of an interval that looks silent now."""
        items = [each.item for each in events]
        if any(isinstance(each, Rejection) and each.reason not in _UNDERSTOOD for each in items):
            await self._dispatch.tell_sources(ConnectionChange(up=True), events[-1].at)

    async def on_unanswered(self, line: Line) -> None:
        """Not every subscription was answered. If none was, and the venue has said what it has
        against us, another connection may do better.
        """
        silent = line.session.unacknowledged()
        if line.complaint is not None and len(silent) == len(self._sources):
            line.give_up(ConnectionRefused(self.name, line.complaint))
        else:
            self._log.warning("the venue did not answer the subscription", sources=silent)

    async def on_end(self, line: Line, ended_at: Instant) -> None:
        """Everything read before it is handed on: now the end, unless we made it ourselves or
        another line is up.
        """
        if self._is_stable(line):
            self._back_off.reset()
        try:
            if isinstance(line.error, OversizedFrame):
                await self._dispatch.hand_on([Rejection("oversized", line.error.detail)], ended_at)
            async with self._changing:
                if not self._stopping.is_set():
                    await self._tell_end(self._others_up(line), ended_at)
        finally:
            self._intake.leave(ended_at)

    async def _tell_end(self, others: Sequence[Line], ended_at: Instant) -> None:
        if others:
            await self._hand_over(others[-1], ended_at)
        else:
            await self._dispatch.tell_sources(ConnectionChange(up=False), ended_at)
            await self._dispatch.tell(ConnectionChange(up=False), ended_at)

    async def _hand_over(self, heir: Line, at: Instant) -> None:
        """``heir`` is the only line now: what is missed till it is ready it makes up for."""
        past = self.past
        if not heir.ready.is_set():
            await self._dispatch.tell_sources(ConnectionChange(up=False), at)
            if past is not None:
                past.note_outage()
        if past and (self._catching_up or not past.is_filled) and heir not in self._catching_up:
            await self._dispatch.tell(ConnectionChange(up=True, catching_up=True), at)
            self._tasks.start_soon(self._catch_up, heir, past, name=f"catching up {self.name}")

    def _others_up(self, line: Line) -> list[Line]:
        return [each for each in self._lines if each is not line and each.is_up]

    def _note(self, item: Received, line: Line) -> None:
        match item:
            case Acknowledged(sources):
                self._log.info("subscribed", sources=sources)
            case Refusal(sources, detail, final):
                self._log.error("refused by the venue", sources=sources, detail=detail, final=final)
                if not sources:
                    line.complaint = detail
                    if final:
                        line.give_up(SubscriptionRefused(self.name, detail))
            case GoingAway(detail):
                self._log.warning("the venue is going away", detail=detail)
                line.aging.set()
            case Reply(text):
                line.say(text)

    def heard_at(self) -> WallMs | None:
        """Up to when our connection told us all: of two, the one that was heard less lately may
        have kept something to itself; one that is not ready has told nothing yet.
        """
        up = [line for line in self._lines if line.is_up]
        heard = [line.heard_at for line in [line for line in up if line.ready.is_set()] or up]
        walls = [each.wall for each in heard if each is not None]
        return min(walls) if walls and len(walls) == len(heard) else None


def _lacks(new: Line, old: Line) -> bool:
    """Whether ``old`` had an answer that ``new`` waits for."""
    return not set(new.session.unacknowledged()) <= set(old.session.unacknowledged())
