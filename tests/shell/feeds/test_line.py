"""One connection: replies, keep-alive, silence. The venue is a script on virtual time."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs
from tests.end_to_end.venue import MINUTE, START, kline
from tests.shell.feeds.test_feed import Bench, Line, refusals, running, settled

from barsync_async.errors import SubscriptionRefused
from barsync_async.units import SourceId
from barsync_async.venues.binance import BinanceCodec
from barsync_async.venues.keep_alive import KeepAlive
from barsync_async.venues.options import PUBLIC, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, Received, Refusal, Reply

BAR = kline("SPY_1m", START)


class ChattySession:
    """Greeted with ``hello``, it says who it is, then what it wants; pings as told."""

    url = "ws://venue/stream"
    send_interval_ms = 100

    def __init__(self, keep_alive: KeepAlive | None, silence_ms: int | None) -> None:
        self.keep_alive = keep_alive
        self.silence_ms = silence_ms
        self._open = ["SPY_1m"]

    def opening_frames(self) -> Sequence[str]:
        return ()

    def receive(self, frame: str | bytes) -> Sequence[Received]:
        match frame:
            case "hello":
                return (Reply("auth"), Reply("subscribe"))
            case "subscribed":
                self._open = []
                return (Acknowledged((SourceId("SPY_1m"),)),)
            case "busy":
                return (Refusal((), "too many connections", final=False),)
            case "bar":
                return BinanceCodec().session([SourceId("SPY_1m")], PUBLIC).receive(BAR)
            case "go away":
                return (Refusal((), "no such key", final=True),)
        return ()

    def unacknowledged(self) -> Sequence[SourceId]:
        return [SourceId(each) for each in self._open]


class ChattyCodec(BinanceCodec):
    """Its sessions are chatty."""

    keep_alive: KeepAlive | None = None
    silence_ms: int | None = None

    def session(self, sources: Sequence[SourceId], options: VenueOptions) -> ChattySession:  # type: ignore[override]
        return ChattySession(self.keep_alive, self.silence_ms)


def chatty(
    bench: Bench, keep_alive: KeepAlive | None = None, silence_ms: int | None = None
) -> None:
    """Let the feed of ``bench`` talk to such a venue."""
    codec = ChattyCodec()
    codec.keep_alive, codec.silence_ms = keep_alive, silence_ms
    bench.feed._codec = codec
    bench.start()


def sent(line: Line) -> list[tuple[float, str]]:
    return [(round(at, 3), text) for at, text in line.sent]


async def test_what_the_venue_waits_for_is_sent_in_order_and_spaced() -> None:
    async with running(["SPY_1m"], start=False) as bench:
        chatty(bench)
        await settled()
        bench.line.deliver("hello")
        await asyncio.sleep(1)
        first, second = sent(bench.line)
        assert (first[1], second[1]) == ("auth", "subscribe")
        assert second[0] == pytest.approx(first[0] + 0.1)


async def test_a_ping_goes_out_at_its_time_whatever_comes() -> None:
    async with running(["SPY_1m"], start=False) as bench:
        chatty(bench, KeepAlive("ping", 20_000))
        for _ in range(61):
            await asyncio.sleep(1)
            bench.line.deliver("news")
        assert [text for _, text in sent(bench.line)] == ["ping"] * 3
        assert [at for at, _ in sent(bench.line)] == pytest.approx([20, 40, 60], abs=0.3)


async def test_a_ping_against_silence_goes_out_in_silence_alone() -> None:
    async with running(["SPY_1m"], start=False) as bench:
        chatty(bench, KeepAlive("ping", 20_000, only_in_silence=True))
        for _ in range(50):
            await asyncio.sleep(1)
            bench.line.deliver("news")
        assert sent(bench.line) == []
        await asyncio.sleep(25)
        assert [text for _, text in sent(bench.line)] == ["ping"]


async def test_a_silent_connection_is_dead_and_another_is_made() -> None:
    async with running(["SPY_1m"], start=False) as bench:
        chatty(bench, silence_ms=5_000)
        for _ in range(20):
            await asyncio.sleep(1)
            bench.line.deliver("heartbeat")
        assert len(bench.venue.called) == 1
        await asyncio.sleep(6)
        assert len(bench.venue.called) == 2


async def test_what_comes_while_a_silent_connection_is_closed_is_told_all_the_same() -> None:
    async with running(["SPY_1m"], start=False) as bench:
        chatty(bench, silence_ms=5_000)
        await settled()
        first = bench.line
        first.while_closing = ["bar"]
        await asyncio.sleep(8)
        assert len(bench.venue.called) == 2
        assert len(bench.take("SPY_1m")) == 1
        assert bench.intake.under_way == 0


async def test_what_lies_behind_a_refusal_is_told_all_the_same() -> None:
    async with running(["SPY_1m"], start=False) as bench:
        chatty(bench)
        await settled()
        bench.line.while_closing = ["bar", "go away"]
        bench.line.deliver("go away", "bar")
        await asyncio.sleep(1)
        assert bench.running is not None
        assert bench.running.done()
        assert len(bench.take("SPY_1m")) == 2


async def test_who_asks_for_more_answers_than_may_be_sent_is_left_for_another_try() -> None:
    async with running(["SPY_1m"], start=False) as bench:
        chatty(bench)
        await settled()
        with capture_logs() as logs:
            bench.line.deliver(*["hello"] * 600)
            await asyncio.sleep(2)
        assert [line["detail"] for line in logs if line["event"] == "disconnected"] == [
            "the venue asks more than it hears"
        ]
        assert len(bench.venue.called) == 2


async def test_cancelled_while_nothing_can_be_told_it_ends_all_the_same() -> None:
    """A daemon that fails cancels the readers of full queues first."""
    async with running(start=False, capacity=1, room=1) as bench:
        bench.start()
        await settled()
        bench._producers["SPY_1m"].decide("sim", 0, bench.feed.heard_at)
        for number in range(9):
            bench.line.deliver(kline("SPY_1m", START + number * MINUTE))
            await settled()
        assert bench.running is not None
        bench.running.cancel()
        await asyncio.wait_for(asyncio.wait([bench.running]), 5)
        assert bench.running.cancelled()
        while bench.take("SPY_1m"):  # else nothing more than this could end either
            await settled()
        bench.intake._under_way.clear()  # a daemon that was cancelled seals nothing more


async def test_one_who_is_refused_for_good_does_not_come_back() -> None:
    async with running(["SPY_1m"], start=False) as bench:
        chatty(bench)
        await settled()
        bench.line.deliver("go away")
        await asyncio.sleep(120)
        assert bench.running is not None
        assert bench.running.done()
        assert len(bench.venue.called) == 1
        assert isinstance(bench.feed.gave_up, SubscriptionRefused)
        assert bench.feed.gave_up.detail == "no such key"
        assert [up for _, up in bench.changes()] == [True, False]


async def test_it_is_ready_with_the_last_answer_though_nothing_comes_behind_that() -> None:
    async with running() as bench:
        subscribed(bench.line)
        await settled()
        assert bench.feed._lines[0].ready_at is not None
        await asyncio.sleep(1)


# Replacing a connection


def subscribed(line: Line) -> None:
    line.deliver('{"result":null,"id":1}')


def open_lines(bench: Bench) -> list[Line]:
    return [line for line in bench.venue.lines if not line.closed]


async def test_a_connection_is_replaced_in_time_and_lives_until_the_next_is_ready() -> None:
    async with running(start=False) as bench:
        bench.feed._rollover_s = 100.0
        bench.start()
        await settled()
        subscribed(bench.line)
        await asyncio.sleep(101)
        old, new = bench.venue.lines
        assert open_lines(bench) == [old, new]
        subscribed(new)
        await asyncio.sleep(1)
        assert open_lines(bench) == [new]
        assert [up for _, up in bench.changes()] == [True, True]
        await asyncio.sleep(101)
        assert len(bench.venue.lines) == 3


async def test_a_venue_that_is_going_away_is_asked_for_another_connection_at_once() -> None:
    async with running() as bench:
        bench.line.deliver('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}')
        await settled()
        old, new = bench.venue.lines
        old.end()
        await asyncio.sleep(1)
        assert not new.closed
        assert [up for _, up in bench.changes()] == [True, True]


async def test_a_replacement_that_fails_is_tried_again_while_the_old_one_lives() -> None:
    async with running(start=False) as bench:
        bench.feed._rollover_s = 100.0
        bench.start()
        await settled()
        bench.venue.plan += refusals(3)
        await asyncio.sleep(110)
        assert len(bench.venue.called) == 5
        assert open_lines(bench) == bench.venue.lines
        subscribed(bench.line)
        await asyncio.sleep(1)
        assert open_lines(bench) == [bench.line]


async def test_stopping_amid_a_replacement_ends_both() -> None:
    async with running(start=False) as bench:
        bench.feed._rollover_s = 100.0
        bench.start()
        await asyncio.sleep(101)
        assert len(bench.venue.lines) == 2
        await bench.stop()


# Subscriptions gone silent


async def test_a_connection_with_a_silent_source_is_replaced() -> None:
    async with running(("SPY_1m", "QQQ_1m")) as bench:
        with capture_logs() as logs:
            subscribed(bench.line)
            for minute in range(6):
                bench.line.deliver(kline("SPY_1m", START + minute * MINUTE))
                await asyncio.sleep(60)
        assert [line["sources"] for line in logs if line["event"] == "silent subscriptions"] == [
            ["QQQ_1m"]
        ]
        assert len(bench.venue.lines) == 2


async def test_a_venue_that_complains_and_answers_nothing_is_left_for_another_try() -> None:
    async with running(["SPY_1m"], start=False) as bench:
        chatty(bench)
        await settled()
        bench.line.deliver("busy")
        await asyncio.sleep(9)
        assert len(bench.venue.called) == 1
        await asyncio.sleep(2)
        assert len(bench.venue.called) == 2
