"""The scripted venue: plays the role of a Connector, and notes all that it gave the daemon."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from tests.worlds.market import frame, quote
from tests.worlds.timeline import Timeline
from tests.worlds.world import (
    Cut,
    FeedAction,
    FeedPlan,
    Freeze,
    Kind,
    Quote,
    Send,
    World,
    length_ms,
)

from barsync_async.errors import ConnectionRefused
from barsync_async.ports import Frame, TimerHandle
from barsync_async.shell.intake import Intake
from barsync_async.units import NS_PER_MS, Instant


@dataclass(frozen=True)
class Given:
    """What the daemon was given, when by its monotonic clock: a frame, or with a ``kind`` of
    ``up`` or ``down`` a change of the connection.
    """

    at: int
    feed: str
    order: int
    kind: Kind | str
    quote: Quote | None = None


class ScriptedVenue:
    """Plays the scripts of all feeds."""

    def __init__(self, world: World, timeline: Timeline, intake: Intake) -> None:
        self.given: list[Given] = []
        self.faults: Counter[str] = Counter()
        self._lines = {
            plan.name: _Line(plan, world, timeline, intake, self) for plan in world.feeds
        }
        self._players = [
            timeline.play(line.plan.script, line.perform) for line in self._lines.values()
        ]

    async def connect(self, feed: str, url: str) -> "ScriptedConnection":
        """Raises ConnectionRefused as the script says."""
        return await self._lines[feed].connect()

    def stop(self) -> None:
        for player in self._players:
            player.stop()
        for line in self._lines.values():
            line.stop()


class _Line:
    """One feed's side of the venue."""

    def __init__(
        self,
        plan: FeedPlan,
        world: World,
        timeline: Timeline,
        intake: Intake,
        venue: ScriptedVenue,
    ) -> None:
        self.plan = plan
        self._world = world
        self._timeline = timeline
        self._intake = intake
        self._venue = venue
        self._connection: ScriptedConnection | None = None
        self._refusals = self._slow_ns = self._snapshot = 0
        self._order = 0
        self._timer: TimerHandle | None = None

    def perform(self, action: FeedAction) -> None:
        match action:
            case Send():
                self._send(action)
            case Cut():
                self._cut(action)
            case Freeze() if self._connection is not None:
                self._connection.frozen = True

    def _send(self, send: Send) -> None:
        connection = self._connection
        if connection is None or connection.frozen:
            return
        self._venue.faults.update(send.faults)
        if not send.lost:
            self._deliver(connection, send.text, send.kind, send.quote)

    def _deliver(
        self, connection: "ScriptedConnection", text: str | bytes, kind: Kind, told: Quote | None
    ) -> None:
        now = self._timeline.clock.now()
        self._intake.read(now)
        connection.deliver(Frame(text, now))
        self._note(kind, told)

    def _note(self, kind: Kind | str, told: Quote | None = None) -> None:
        self._order += 1
        at = self._timeline.clock.now().mono
        self._venue.given.append(Given(at, self.plan.name, self._order, kind, told))

    def _cut(self, cut: Cut) -> None:
        if self._connection is None:
            return
        self._venue.faults[cut.fault] += 1
        self._refusals, self._slow_ns, self._snapshot = cut.refusals, cut.slow_ns, cut.snapshot
        self._connection.end(cut.fault)
        self._connection = None

    async def connect(self) -> "ScriptedConnection":
        if self._refusals:
            self._refusals -= 1
            self._venue.faults["refused"] += 1
            raise ConnectionRefused(self.plan.name, "the venue refuses")
        if self._slow_ns:
            slow_ns, self._slow_ns = self._slow_ns, 0
            self._venue.faults["slow_connect"] += 1
            await asyncio.sleep(slow_ns / 1e9)
        self._connection = connection = ScriptedConnection(self, self.plan.name)
        self._note("up")
        if self._snapshot:
            at = -(-self._timeline.now() // NS_PER_MS) * NS_PER_MS  # frames come at whole ms
            self._timer = self._timeline.call_at(at, self._repeat_past)
        return connection

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _repeat_past(self) -> None:
        """The newest bars of every source, as some venues send them to whoever connects."""
        count, self._snapshot = self._snapshot, 0
        connection = self._connection
        if connection is None:
            return
        self._venue.faults["snapshot"] += 1
        wall = self._world.wall(self._timeline.now())
        for source in self.plan.sources:
            span = length_ms(source)
            newest = wall - wall % span
            for timestamp in range(newest - (count - 1) * span, newest + 1, span):
                told = quote(source, timestamp)
                self._deliver(connection, frame(told), "bar", told)

    def answer(self, connection: "ScriptedConnection", text: str) -> None:
        """A request of the client: subscribed."""
        if connection is self._connection and not connection.frozen:
            reply = json.dumps({"result": None, "id": json.loads(text)["id"]})
            self._deliver(connection, reply, "noise", None)

    def end(self) -> Instant:
        """A connection ends: that is read like a frame."""
        now = self._timeline.clock.now()
        self._intake.enter(now)
        self._note("down")
        return now

    def forget(self, connection: "ScriptedConnection") -> None:
        """The client closed its end."""
        if connection is self._connection:
            self._connection = None


class ScriptedConnection:
    """The client's end; plays the role of a Connection."""

    def __init__(self, line: _Line, feed: str) -> None:
        self.frozen = False
        self._line = line
        self._feed = feed
        self._frames: deque[Frame] = deque()
        self._ended: tuple[Instant, str] | None = None
        self._changed = asyncio.Event()

    def deliver(self, each: Frame) -> None:
        self._frames.append(each)
        self._changed.set()

    def end(self, detail: str) -> Instant:
        if self._ended is None:
            self._ended = self._line.end(), detail
            self._changed.set()
        return self._ended[0]

    async def receive(self) -> Sequence[Frame]:
        while not self._frames:
            self._check()
            self._changed.clear()
            await self._changed.wait()
        frames = list(self._frames)
        self._frames.clear()
        return frames

    async def send(self, text: str) -> None:
        self._check()
        self._line.answer(self, text)

    async def close(self) -> Instant:
        self._line.forget(self)
        return self.end("closed")

    def _check(self) -> None:
        if self._ended is not None:
            raise ConnectionRefused(self._feed, f"the connection ended: {self._ended[1]}")
