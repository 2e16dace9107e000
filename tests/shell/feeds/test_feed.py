"""One venue's connection kept up: what is sent, where each frame goes, and how it begins anew.

The venue is a script on virtual time; a few tests use the simulated one.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs
from tests.end_to_end.venue import MINUTE, START, kline

from barsync_async.errors import ConnectionRefused
from barsync_async.messages import Bar
from barsync_async.ports import Arrival, ConnectionChange, Connector, Frame
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.feeds.feed import Feed
from barsync_async.shell.feeds.producer import Producer
from barsync_async.shell.intake import Inbox, Intake
from barsync_async.shell.network.websocket import OversizedFrame
from barsync_async.shell.simulators.memory_venue import MemoryVenue
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.units import NS_PER_MS, Instant, SourceId, WallMs
from barsync_async.venues.binance import BinanceCodec
from barsync_async.venues.options import PUBLIC, VenueOptions
from barsync_async.venues.outcomes import Rejection

SOURCES = ("SPY_1m", "QQQ_1m", "SPY_5m")
SEED = 11
ENDED = ConnectionRefused("sim", "the venue closed the connection: 1001")


class Line:
    """One connection, whose other end the test plays; the role of Connection."""

    def __init__(self, bench: "Bench") -> None:
        self._bench = bench
        self._frames: deque[Frame] = deque()
        self._error: ConnectionRefused | None = None
        self._ended_at: Instant | None = None
        self._changed = asyncio.Event()
        self.sent: list[tuple[float, str]] = []
        self.broken_sends = False
        self.while_closing: Sequence[str] = ()
        self.closed = False

    def deliver(self, *texts: str) -> None:
        """The venue sent ``texts``, and they are read now."""
        now = self._bench.clock.now()
        for text in texts:
            self._bench.intake.read(now)
            self._frames.append(Frame(text, now))
        self._changed.set()

    def end(self, error: ConnectionRefused = ENDED) -> Instant:
        """What was read can still be received."""
        if self._ended_at is None:
            self._error = error
            self._ended_at = self._bench.clock.now()
            self._bench.intake.enter(self._ended_at)
            self._changed.set()
        return self._ended_at

    async def receive(self) -> Sequence[Frame]:
        while not self._frames:
            if self._error:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
        frames = list(self._frames)
        self._frames.clear()
        return frames

    async def send(self, text: str) -> None:
        if self.broken_sends or self._error:
            raise ConnectionRefused("sim", "cannot be sent")
        self.sent.append((self._bench.time(), text))

    async def close(self) -> Instant:
        """The answer to our goodbye takes half a second, in which more may be read."""
        if not self._error:
            await asyncio.sleep(0.5)
            self.deliver(*self.while_closing)
        self.closed = True
        return self.end(ConnectionRefused("sim", "closed"))


class Venue:
    """Does what ``plan`` says, call by call, then opens connections; the role of Connector."""

    def __init__(self, bench: "Bench") -> None:
        self._bench = bench
        self.plan: deque[ConnectionRefused | Callable[[Line], None]] = deque()
        self.takes_s = 0.0
        self.called: list[float] = []
        self.lines: list[Line] = []
        self.given_up = 0

    async def connect(self, feed: str, url: str) -> Line:
        assert (feed, url) == ("sim", "ws://venue/stream")
        self.called.append(self._bench.time())
        try:
            await asyncio.sleep(self.takes_s)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        step = self.plan.popleft() if self.plan else None
        if isinstance(step, ConnectionRefused):
            raise step
        line = Line(self._bench)
        self.lines.append(line)
        if step is not None:
            step(line)
        return line


class Nowhere:
    """A connector that nobody may use."""

    async def connect(self, feed: str, url: str) -> Line:
        raise NotImplementedError


class Bench:
    """A feed between a venue and the inboxes of its producers."""

    def __init__(
        self, sources: Sequence[str], *, capacity: int = 4_096, room: int = 100_000
    ) -> None:
        self.clock = VirtualClock(WallMs(0))
        self.intake = Intake()
        self.venue = Venue(self)
        self.sources = [SourceId(source) for source in sources]
        self.inboxes: dict[str, Inbox[Arrival]] = {
            name: Inbox(room) for name in (*sources, "events")
        }
        self._producers = {
            name: Producer(name, self.intake, [inbox], capacity, clock=self.clock)
            for name, inbox in self.inboxes.items()
        }
        self.feed = self.make_feed(self.venue, "ws://venue")
        self.running: asyncio.Task[None] | None = None
        self._producing = [
            asyncio.ensure_future(producer.run()) for producer in self._producers.values()
        ]

    def make_feed(self, connector: Connector, url: str) -> Feed:
        return Feed(
            "sim",
            BinanceCodec(),
            self.sources,
            VenueOptions(url=url),
            connector=connector,
            producers={source: self._producers[source] for source in self.sources},
            events=self._producers["events"],
            clock=self.clock,
            intake=self.intake,
            rng=Random(SEED),
        )

    def start(self) -> None:
        self.running = asyncio.create_task(self.feed.run())

    @property
    def line(self) -> Line:
        """The newest connection."""
        return self.venue.lines[-1]

    def time(self) -> float:
        return asyncio.get_running_loop().time()

    def take(self, name: str) -> list[Arrival]:
        """What arrived for a source; of ``events``, see the two below."""
        return self.inboxes[name].take()

    def rejections(self) -> list[Arrival]:
        return [each for each in self.take("events") if isinstance(each.item, Rejection)]

    def changes(self) -> list[tuple[float, bool]]:
        """The connection's changes: when, and whether it was up then."""
        return [
            (each.at.mono / 1_000_000_000, each.item.up)
            for each in self.take("events")
            if isinstance(each.item, ConnectionChange)
        ]

    async def stop(self) -> None:
        """Stop the feed and see that it ended."""
        assert self.running is not None
        await self.feed.stop()
        await asyncio.wait_for(self.running, 5)

    async def finish(self) -> None:
        """All that was read has arrived, and nothing is left behind."""
        if self.running is not None and not self.running.done():
            await self.stop()
        for producer in self._producers.values():
            producer.queue.close()
        await asyncio.wait_for(asyncio.gather(*self._producing), 5)
        assert self.intake.under_way == 0
        assert all(line.closed for line in self.venue.lines)
        assert asyncio.all_tasks() == {asyncio.current_task()}


@asynccontextmanager
async def running(
    sources: Sequence[str] = SOURCES, *plan: Any, start: bool = True, **room: int
) -> AsyncIterator[Bench]:
    """A feed that runs against a venue that follows ``plan``; at the end all is in order."""
    bench = Bench(sources, **room)
    bench.venue.plan += plan
    if start:
        bench.start()
        await settled()
    yield bench
    await bench.finish()


async def settled() -> None:
    """Until every task waits for something that takes time."""
    await asyncio.sleep(0.001)


def params(line: Line) -> list[list[str]]:
    return [json.loads(text)["params"] for _, text in line.sent]


def bars(arrivals: Sequence[Arrival]) -> list[tuple[str, int]]:
    items = [each.item for each in arrivals]
    return [(item.source, item.timestamp) for item in items if isinstance(item, Bar)]


def told(logs: Sequence[Any]) -> list[Any]:
    """Without what is for debugging."""
    return [line for line in logs if line["log_level"] != "debug"]


def refusals(number: int) -> list[ConnectionRefused]:
    return [ConnectionRefused("sim", "nobody listens")] * number


def waits(bounds: Sequence[float]) -> list[float]:
    """What the feed's own random numbers make of these bounds."""
    twin = Random(SEED)
    return [twin.uniform(0, bound) for bound in bounds]


def pauses(moments: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(moments)]


# Subscribing


async def test_every_source_is_subscribed_in_chunks_no_faster_than_the_venue_allows() -> None:
    sources = [f"S{number}_1m" for number in range(250)]
    async with running(sources) as bench:
        await asyncio.sleep(5)
        streams = [f"s{number}@kline_1m" for number in range(250)]
        assert params(bench.line) == [streams[:100], streams[100:200], streams[200:]]
        assert [at for at, _ in bench.line.sent] == pytest.approx([0, 0.3, 0.6], abs=1e-6)


async def test_bars_are_read_while_the_subscription_still_goes_out() -> None:
    sources = [f"S{number}_1m" for number in range(250)]
    async with running(sources) as bench:
        bench.line.deliver(kline("S0_1m", START))
        await settled()
        assert len(bench.line.sent) == 1
        assert bars(bench.take("S0_1m")) == [("S0_1m", START)]


@pytest.mark.parametrize("answered", [False, True])
async def test_a_subscription_that_is_not_answered_in_ten_seconds_is_told_with_its_sources(
    answered: bool,
) -> None:
    sources = [f"S{number}_1m" for number in range(101)]
    async with running(sources) as bench:
        with capture_logs() as logs:
            bench.line.deliver('{"result":null,"id":1}')
            await asyncio.sleep(10)
            if answered:
                bench.line.deliver('{"result":null,"id":2}')
            assert not [line for line in logs if line["log_level"] == "warning"]
            await asyncio.sleep(1)
        assert [line["sources"] for line in logs if line["event"] == "subscribed"] == [
            tuple(sources[:100]),
            *([("S100_1m",)] if answered else []),
        ]
        silent = [line for line in logs if line["log_level"] == "warning"]
        assert [(line["feed"], line["sources"]) for line in silent] == (
            [] if answered else [("sim", ["S100_1m"])]
        )
        assert len(bench.venue.called) == 1


async def test_what_the_venue_says_beside_bars_is_logged() -> None:
    async with running() as bench:
        with capture_logs() as logs:
            bench.line.deliver(
                '{"error":{"code":2,"msg":"Invalid request"},"id":1}',
                '{"error":{"code":3,"msg":"Invalid JSON"}}',
                '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}',
            )
            await settled()
        assert logs[:3] == [
            {
                "event": "refused by the venue",
                "log_level": "error",
                "feed": "sim",
                "sources": SOURCES,
                "detail": "error 2: Invalid request",
                "final": True,
            },
            {
                "event": "refused by the venue",
                "log_level": "error",
                "feed": "sim",
                "sources": (),
                "detail": "error 3: Invalid JSON",
                "final": False,
            },
            {
                "event": "the venue is going away",
                "log_level": "warning",
                "feed": "sim",
                "detail": "the venue announced its shutdown",
            },
        ]
        assert not any(bench.inboxes[source] for source in bench.sources)
        assert bench.rejections() == []


# Reading


async def test_each_bar_goes_to_its_producer_in_wire_order_with_its_stamp() -> None:
    async with running() as bench:
        started = bench.clock.now()
        await asyncio.sleep(1)
        first = bench.clock.now()
        bench.line.deliver(kline("SPY_1m", START), kline("QQQ_1m", START))
        await asyncio.sleep(1)
        second = bench.clock.now()
        bench.line.deliver(
            kline("SPY_5m", START), kline("SPY_1m", START + MINUTE), kline("SPY_1m", START)
        )
        await settled()
        got = {source: bench.take(source) for source in SOURCES}
        assert {source: bars(arrivals) for source, arrivals in got.items()} == {
            "SPY_1m": [
                ("SPY_1m", START),
                ("SPY_1m", START + MINUTE),
                ("SPY_1m", START),
            ],
            "QQQ_1m": [("QQQ_1m", START)],
            "SPY_5m": [("SPY_5m", START)],
        }
        assert first.mono - started.mono == pytest.approx(1_000 * NS_PER_MS, abs=2)
        assert [each.at for each in got["SPY_1m"]] == [first, second, second]
        assert [each.order for each in got["SPY_1m"]] == [2, 5, 6]  # 1 is the connection
        assert [each.order for each in (*got["QQQ_1m"], *got["SPY_5m"])] == [3, 4]
        assert {each.feed for each in got["SPY_1m"]} == {"sim"}


async def test_the_frames_of_one_batch_are_handed_over_at_once() -> None:
    async with running() as bench:
        inbox, batches = bench.inboxes["SPY_1m"], list[int]()

        async def watch() -> None:
            while True:
                await inbox.wait()
                batches.append(len(inbox.take()))

        watching = asyncio.create_task(watch())
        bench.line.deliver(*(kline("SPY_1m", START + n * MINUTE) for n in range(5)))
        await settled()
        bench.line.deliver(kline("SPY_1m", START))
        await settled()
        assert batches == [5, 1]
        watching.cancel()
        await asyncio.wait([watching])


async def test_what_is_no_bar_goes_with_the_feeds_own_events_and_is_logged() -> None:
    async with running() as bench:
        with capture_logs() as logs:
            bench.line.deliver("nonsense", kline("SPY_1m", START), kline("IWM_1m", START))
            await settled()
        (bar,) = bench.take("SPY_1m")
        malformed, unknown = bench.rejections()
        assert isinstance(malformed.item, Rejection)
        assert (malformed.item.reason, malformed.order) == ("malformed", 2)
        assert unknown.item == Rejection("unknown_source", "IWM 1m")
        assert (malformed.order, bar.order, unknown.order) == (2, 3, 4)
        assert [(line["event"], line["reason"]) for line in told(logs)] == [
            ("rejected", "malformed"),
            ("rejected", "unknown_source"),
        ]


async def test_every_change_of_the_connection_is_told_but_not_that_it_was_stopped() -> None:
    async with running() as bench:
        await settled()
        bench.line.end(ConnectionRefused("sim", "the venue closed the connection"))
        await asyncio.sleep(1)
        await bench.stop()
        assert [up for _, up in bench.changes()] == [True, False, True]


async def test_the_end_is_told_with_the_moment_of_its_reading_however_late() -> None:
    async with running(capacity=2, room=1) as bench:
        assert bench.changes() == [(0.0, True)]
        for number in range(20):
            bench.line.deliver(kline("SPY_1m", START + number * MINUTE))
            await settled()
        ended = bench.time()
        bench.line.end()
        await asyncio.sleep(60)  # the feed is held up: it does not know yet
        assert bench.changes() == []
        assert bench.intake.is_behind(round(ended * 1e9))
        changes: list[tuple[float, bool]] = []
        got: list[Arrival] = []
        while not changes or len(got) < 20:
            got += bench.take("SPY_1m")
            await settled()
            changes += bench.changes()
        (told_at, up) = changes[0]
        assert not up
        assert told_at == pytest.approx(ended, abs=1e-9)
        assert not bench.intake.under_way


async def test_the_end_is_under_way_until_the_feed_has_told_of_it() -> None:
    async with running() as bench:
        bench.line.end()
        assert bench.intake.under_way == 1
        while not bench.inboxes["events"]:
            assert bench.intake.under_way
            await asyncio.sleep(0)
        await settled()
        assert bench.intake.under_way == 0


async def test_a_running_kline_goes_nowhere() -> None:
    async with running() as bench:
        with capture_logs() as logs:
            bench.line.deliver(kline("SPY_1m", START, final=False))
            await settled()
        assert bench.intake.frames_read == 1
        assert bench.intake.under_way == 0
        assert not any(bench.inboxes[source] for source in bench.sources)
        assert bench.rejections() == []
        assert logs == []


async def test_what_was_read_is_under_way_until_it_lies_in_an_inbox() -> None:
    async with running(room=1) as bench:
        bench.line.deliver(*(kline("SPY_1m", START + n * MINUTE) for n in range(3)))
        await settled()
        assert bench.intake.under_way == 3
        got: list[Arrival] = []
        while len(got) < 3:
            got += bench.take("SPY_1m")
            await settled()
        assert bench.intake.under_way == 0


async def test_a_full_producer_holds_the_connection_and_nothing_is_lost() -> None:
    async with running(capacity=2, room=1) as bench:
        for number in range(20):
            bench.line.deliver(kline("SPY_1m", START + number * MINUTE))
            await settled()
        assert len(bench.line._frames) > 10  # nobody receives them
        got: list[Arrival] = []
        while len(got) < 20:
            got += bench.take("SPY_1m")
            await settled()
        assert bars(got) == [("SPY_1m", START + number * MINUTE) for number in range(20)]


# Beginning anew


async def test_a_connection_that_ends_is_made_anew_and_everything_subscribed_again() -> None:
    async with running() as bench:
        bench.line.deliver(kline("SPY_1m", START))
        bench.line.end()
        await asyncio.sleep(1)
        first, second = bench.venue.lines
        assert first.closed
        assert params(second) == params(first) == [["spy@kline_1m", "qqq@kline_1m", "spy@kline_5m"]]
        second.deliver(kline("SPY_1m", START + MINUTE))
        await settled()
        got = bench.take("SPY_1m")
        assert bars(got) == [("SPY_1m", START), ("SPY_1m", START + MINUTE)]
        assert [each.order for each in got] == [2, 5]  # up, bar, down, up, bar


async def test_the_wait_is_anything_up_to_a_bound_that_doubles_from_a_quarter_to_30_s() -> None:
    bounds = [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30]
    with capture_logs() as logs:
        async with running(SOURCES, *refusals(len(bounds))) as bench:
            await asyncio.sleep(sum(bounds))
            assert pauses(bench.venue.called) == pytest.approx(waits(bounds), abs=1e-6)
    lost = [line for line in logs if line["event"] == "not connected"]
    assert [line["detail"] for line in lost[:-1]] == ["nobody listens"] * len(bounds[:-1])
    assert [line["retry_in_s"] for line in lost[: len(bounds)]] == [
        round(each, 3) for each in waits(bounds)
    ]
    assert {line["log_level"] for line in lost} == {"warning"}


async def test_after_ever_so_many_failures_the_bound_stays() -> None:
    async with running(SOURCES, *refusals(2_000)) as bench:
        await asyncio.sleep(2_000 * 30)
        assert len(bench.venue.called) == 2_001
        assert max(pauses(bench.venue.called)) <= 30


@pytest.mark.parametrize(("lasted_s", "bound"), [(59.9, 2.0), (60.1, 0.25)])
async def test_only_a_connection_that_lasted_a_minute_makes_the_next_wait_short_again(
    lasted_s: float, bound: float
) -> None:
    async with running(SOURCES, *refusals(3)) as bench:
        await asyncio.sleep(sum(waits([0.25, 0.5, 1])))
        opened = bench.venue.called[3]
        await asyncio.sleep(opened + lasted_s - bench.time())
        bench.line.end()
        ended = bench.time()
        await asyncio.sleep(5)
        assert bench.venue.called[4] - ended == pytest.approx(
            waits([0.25, 0.5, 1, bound])[3], abs=1e-6
        )


async def test_a_frame_too_large_to_read_is_rejected_and_the_connection_made_anew() -> None:
    async with running() as bench:
        with capture_logs() as logs:
            bench.line.deliver(kline("SPY_1m", START))
            ended_at = bench.line.end(OversizedFrame("sim", "exceeds limit of 4194304 bytes"))
            await asyncio.sleep(1)
        (rejected,) = bench.rejections()
        assert rejected.at == ended_at
        assert rejected.item == Rejection("oversized", "exceeds limit of 4194304 bytes")
        assert rejected.order == 3  # up, bar; then down
        assert bars(bench.take("SPY_1m")) == [("SPY_1m", START)]
        assert len(bench.venue.lines) == 2
        assert "disconnected" in [line["event"] for line in logs]


async def test_a_send_that_fails_loses_nothing_that_was_read() -> None:
    def play(line: Line) -> None:
        line.broken_sends = True
        line.deliver(*(kline("SPY_1m", START + number * MINUTE) for number in range(3)))

    async with running(SOURCES, play) as bench:
        assert len(bench.take("SPY_1m")) == 3
        bench.line.deliver(kline("QQQ_1m", START))
        await settled()
        assert len(bench.take("QQQ_1m")) == 1
        bench.line.end()
        await asyncio.sleep(1)
        assert len(bench.venue.lines) == 2


async def test_a_connection_that_ends_while_the_subscription_goes_out_is_made_anew() -> None:
    sources = [f"S{number}_1m" for number in range(250)]
    async with running(sources) as bench:
        await asyncio.sleep(0.1)
        bench.line.end()
        await asyncio.sleep(2)
        first, second = bench.venue.lines
        assert len(first.sent) == 1
        assert len(second.sent) == 3


# Stopping


def test_a_feed_can_be_made_without_a_loop() -> None:
    clock, intake = VirtualClock(WallMs(0)), Intake()
    feed = Feed(
        "sim",
        BinanceCodec(),
        [],
        PUBLIC,
        connector=Nowhere(),
        producers={},
        events=Producer("events", intake, [], clock=clock),
        clock=clock,
        intake=intake,
        rng=Random(SEED),
    )

    async def main() -> None:
        await feed.stop()
        await feed.run()

    asyncio.run(main())


async def test_stopped_before_it_runs_it_connects_nowhere() -> None:
    async with running(start=False) as bench:
        await bench.feed.stop()
        await bench.feed.run()
        assert bench.venue.called == []


async def test_stopped_while_it_connects_it_gives_the_attempt_up_at_once() -> None:
    async with running(start=False) as bench:
        bench.venue.takes_s = 5
        bench.start()
        await asyncio.sleep(1)
        await bench.stop()
        assert bench.time() == pytest.approx(1, abs=1e-6)
        assert bench.venue.given_up == 1
        assert bench.venue.lines == []


@pytest.mark.parametrize("outcome", ["made", "refused"])
@pytest.mark.parametrize("rounds", range(8))
async def test_stopped_just_when_a_connection_is_made_it_ends_and_hands_on_what_was_read(
    rounds: int, outcome: str
) -> None:
    async with running(start=False) as bench:
        bench.venue.plan.append(
            refusals(1)[0]
            if outcome == "refused"
            else lambda line: line.deliver(kline("SPY_1m", START))
        )
        bench.venue.takes_s = 1
        bench.start()
        await asyncio.sleep(1)
        for _ in range(rounds):
            await asyncio.sleep(0)
        await bench.stop()
        await settled()
        assert len(bench.venue.called) == 1
        assert len(bench.take("SPY_1m")) == len(bench.venue.lines)


async def test_stopped_while_it_waits_to_try_again_it_ends_at_once() -> None:
    async with running(SOURCES, *refusals(20)) as bench:
        await asyncio.sleep(60)
        before, tried = bench.time(), len(bench.venue.called)
        assert tried < 20
        await bench.stop()
        assert bench.time() == pytest.approx(before, abs=1e-6)
        assert len(bench.venue.called) == tried


async def test_stopped_while_it_reads_it_hands_on_what_was_read_until_the_goodbye() -> None:
    async with running() as bench:
        bench.line.deliver(kline("SPY_1m", START))
        bench.line.while_closing = [kline("SPY_1m", START + MINUTE)]
        await bench.stop()
        assert bench.line.closed
        assert len(bench.venue.lines) == 1
        await settled()
        assert bars(bench.take("SPY_1m")) == [("SPY_1m", START), ("SPY_1m", START + MINUTE)]


async def test_stopped_while_it_is_held_up_it_waits_until_all_is_handed_on() -> None:
    async with running(capacity=2, room=1) as bench:
        for number in range(20):
            bench.line.deliver(kline("SPY_1m", START + number * MINUTE))
            await settled()
        await bench.feed.stop()
        await asyncio.sleep(60)
        assert bench.running is not None
        assert not bench.running.done()
        got: list[Arrival] = []
        while len(got) < 20:
            got += bench.take("SPY_1m")
            await settled()
        await asyncio.wait_for(bench.running, 1)


async def test_stopped_in_the_moment_in_which_the_connection_ends_it_does_not_try_again() -> None:
    async with running() as bench:
        with capture_logs() as logs:
            bench.line.end()
            await bench.stop()
        assert len(bench.venue.called) == 1
        assert logs == []


async def test_stopping_twice_is_harmless() -> None:
    async with running() as bench:
        await bench.stop()
        await bench.feed.stop()


# Being cancelled


@pytest.mark.parametrize("after_s", [0, 0.5, 1, 1.001, 1.3, 20])
@pytest.mark.parametrize("rounds", range(6))
async def test_cancelled_it_leaves_neither_a_task_nor_a_connection(
    after_s: float, rounds: int
) -> None:
    async with running([f"S{number}_1m" for number in range(250)], start=False) as bench:
        bench.venue.takes_s = 1
        bench.start()
        await asyncio.sleep(after_s)
        for _ in range(rounds):
            await asyncio.sleep(0)
        assert bench.running is not None
        bench.running.cancel()
        await asyncio.wait([bench.running])
        assert bench.running.cancelled()
        await asyncio.sleep(1)


@pytest.mark.parametrize("rounds", range(6))
async def test_cancelled_while_it_waits_to_try_again_it_leaves_no_task(rounds: int) -> None:
    async with running(SOURCES, *refusals(50)) as bench:
        await asyncio.sleep(20)
        for _ in range(rounds):
            await asyncio.sleep(0)
        assert bench.running is not None
        bench.running.cancel()
        await asyncio.wait([bench.running])
        assert bench.running.cancelled()


async def test_cancelled_by_its_group_it_says_goodbye_all_the_same() -> None:
    async with running(start=False) as bench:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bench.feed.run)
            await asyncio.sleep(1)
            tasks.cancel_scope.cancel()
        assert bench.line.closed


# Against the simulated venue


async def test_however_often_it_is_disconnected_it_comes_back_and_loses_nothing_that_it_read() -> (
    None
):
    sources = ["SPY_1s", "QQQ_1s"]
    scenario = parse_scenario(
        {
            "seed": 3,
            "venue": {"running_ms": 250},
            "faults": {"disconnect_every_s": 7, "abrupt": 0.5},
            "sources": {source: {} for source in sources},
        },
        "x",
    )
    async with running(sources, start=False) as bench:
        venue = MemoryVenue(scenario, bench.clock, bench.intake)
        bench.feed = bench.make_feed(venue, "ws://simulated")
        serving = asyncio.create_task(venue.run())
        bench.start()
        with capture_logs() as logs:
            await asyncio.sleep(600)
            await bench.stop()
        serving.cancel()
        await asyncio.wait([serving])
        events = [line["event"] for line in told(logs)]
        assert events.count("connected") == events.count("subscribed")
        assert events.count("connected") == events.count("disconnected") + 1 > 20
        assert set(events) == {"connected", "subscribed", "disconnected"}
        got = {source: bars(bench.take(source)) for source in sources}
        assert bench.intake.frames_read > sum(map(len, got.values())) * 2
        for arrivals in got.values():
            timestamps = [timestamp for _, timestamp in arrivals]
            assert timestamps == sorted(set(timestamps))
            assert len(timestamps) > 150
