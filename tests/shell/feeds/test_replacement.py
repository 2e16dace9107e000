"""One connection in another's place: what running bars and proof make of two at once. A scripted
Kraken on virtual time.
"""

import asyncio
import json
from collections.abc import Sequence

from structlog.testing import capture_logs
from tests.end_to_end.venue import START, kline
from tests.shell.feeds.test_feed import Bench, Line, bars, refusals, running, settled
from tests.shell.feeds.test_outage import (
    MINUTE_S,
    ONE,
    OTHER,
    History,
    answer,
    answers,
    kraken,
    row,
)

from barsync_async.messages import Bar
from barsync_async.ports import Arrival, CaughtUp, ConnectionChange
from barsync_async.units import Instant

HEARTBEAT = '{"channel":"heartbeat"}'


def state(line: Line, minute: int, volume: float) -> None:
    """Of the one symbol's bar that begins at ``minute``."""
    data = [row("BTC/USD", minute) | {"volume": volume}]
    line.deliver(json.dumps({"channel": "ohlc", "type": "update", "data": data}))


def finals(arrivals: Sequence[Arrival]) -> list[tuple[int, float]]:
    items = [each.item for each in arrivals]
    return [
        (item.timestamp // 60_000, item.volume)
        for item in items
        if isinstance(item, Bar) and not item.backfilled
    ]


def changes(arrivals: Sequence[Arrival]) -> list[str]:
    names = []
    for item in [each.item for each in arrivals]:
        if isinstance(item, CaughtUp):
            names.append("caught up")
        elif isinstance(item, ConnectionChange):
            names.append(f"{'up' if item.up else 'down'}{', catching up' * item.catching_up}")
    return names


async def beat(bench: Bench, seconds: float, *silent: Line) -> None:
    """All lines hear something every second, but those that froze."""
    for _ in range(round(seconds)):
        await asyncio.sleep(1)
        for line in bench.venue.lines:
            if not line.closed and line not in silent:
                line.deliver(HEARTBEAT)


async def begun(bench: Bench, *, at_s: float = 5 * MINUTE_S, history_takes_s: float = 0) -> History:
    """A line is open and not answered."""
    history = kraken(bench)
    history.takes_s = history_takes_s
    await asyncio.sleep(at_s)
    bench.start()
    await asyncio.sleep(4)
    return history


async def connected(bench: Bench, *, at_s: float = 5 * MINUTE_S) -> History:
    """Ready and up to date."""
    history = await begun(bench, at_s=at_s)
    answers(bench.line, range(5, 5))
    await beat(bench, 4)
    assert changes(bench.take("events")) == ["up, catching up", "caught up"]
    bench.take(ONE)
    return history


async def replaced(bench: Bench) -> tuple[Line, Line]:
    """The line and the one that is to take its place, not ready yet."""
    bench.feed._lines[-1].aging.set()
    await settled()
    await beat(bench, 1)
    old, new = bench.venue.lines
    return old, new


async def test_a_replaced_lines_states_do_not_follow_those_of_the_new_one() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        await connected(bench)
        state(bench.line, 5, 1.0)
        await beat(bench, 30)
        old, new = await replaced(bench)
        answers(new, range(5, 5))
        await settled()
        state(new, 5, 3.0)
        await settled()
        state(old, 5, 2.0)  # was on its way for longer
        await beat(bench, 30)
        state(new, 6, 1.0)
        await settled()
        assert finals(bench.take(ONE)) == [(6, 3.0)]


async def test_a_bar_is_not_final_because_a_line_that_is_not_ready_was_heard() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        await connected(bench, at_s=5 * MINUTE_S + 46)
        state(bench.line, 5, 1.0)
        await beat(bench, 3)
        frozen, new = await replaced(bench)
        while bench.time() < 6 * MINUTE_S + 1:
            await beat(bench, 1, frozen)
        assert not frozen.closed
        new.deliver(HEARTBEAT)
        await asyncio.sleep(0.9)
        assert finals(bench.take(ONE)) == []
        answers(new, range(5, 7))
        await settled()
        await beat(bench, 3)
        assert finals(bench.take(ONE)) == [(6, 1.0)]


async def test_a_line_that_catches_up_while_its_replacement_fails_goes_on_with_that_alone() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        await begun(bench, history_takes_s=20)
        answers(bench.line, range(5, 5))
        old, new = await replaced(bench)
        new.end()
        await beat(bench, 15)
        assert not old.closed
        bench.venue.plan += refusals(50)
        bench.take("events")
        await beat(bench, 40)
        assert changes(bench.take("events")) == ["caught up"]
        stamps = bars(bench.take(ONE))
        assert len(stamps) == len(set(stamps)) > 0


async def test_a_replacement_without_an_answer_that_the_line_has_is_tried_again() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        await connected(bench)
        old, new = await replaced(bench)
        answer(new, "BTC/USD")
        await beat(bench, 12)
        assert (old.closed, new.closed) == (False, True)
        await beat(bench, 1)
        third = bench.line
        assert third is not new
        answers(third, range(5, 5))
        await beat(bench, 3)
        assert (old.closed, third.closed) == (True, False)


async def test_a_replacement_that_is_answered_no_less_than_the_line_takes_over() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        await begun(bench)
        answer(bench.line, "BTC/USD")
        await beat(bench, 15)
        old, new = await replaced(bench)
        answer(new, "BTC/USD")
        await beat(bench, 15)
        assert (old.closed, new.closed) == (True, False)


async def test_what_is_missed_between_two_lines_is_asked_for_and_proves_nothing_till_then() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        history = await connected(bench)
        state(bench.line, 5, 1.0)
        old, new = await replaced(bench)
        assert changes(bench.take("events")) == ["up"]
        old.end()
        await beat(bench, 55)
        assert changes(bench.take("events")) == ["up, catching up"]
        assert finals(bench.take(ONE)) == []
        history.asked.clear()
        answers(new, range(7, 7))
        await beat(bench, 6)
        assert history.asked
        assert changes(bench.take("events")) == ["caught up"]
        assert (ONE, 6 * MINUTE_S * 1_000) in bars(bench.take(ONE))


async def test_a_line_replaced_while_it_catches_up_leaves_that_to_the_next() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        history = await begun(bench, history_takes_s=30)
        answers(bench.line, range(5, 5))
        _, new = await replaced(bench)
        assert changes(bench.take("events")) == ["up, catching up"] * 2
        history.takes_s = 0
        answers(new, range(5, 5))
        await beat(bench, 10)
        assert changes(bench.take("events")) == ["up, catching up", "caught up"]
        assert (ONE, 5 * MINUTE_S * 1_000) in bars(bench.take(ONE))


async def test_a_line_replaced_when_it_has_all_but_said_so_leaves_that_to_the_next_too() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        await begun(bench)
        held = bench.clock.now()
        bench.intake.enter(held)  # another feed's bars, held up by a full inbox
        answers(bench.line, range(5, 5))
        await beat(bench, 5)
        assert bench.feed.past is not None
        assert bench.feed.past.is_filled
        _, new = await replaced(bench)
        answers(new, range(5, 5))
        await beat(bench, 5)
        bench.intake.leave(held)
        await beat(bench, 5)
        assert changes(bench.take("events"))[-2:] == ["up, catching up", "caught up"]


async def test_a_line_that_is_ready_while_the_others_end_is_told_vouches_for_silence() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        await connected(bench)
        old, new = await replaced(bench)
        changed: list[bool] = []
        tell = bench.feed._dispatch.tell_sources

        async def note(change: ConnectionChange, at: Instant) -> None:
            changed.append(change.up)
            await asyncio.sleep(0 if change.up else 2)  # held up
            await tell(change, at)

        bench.feed._dispatch.tell_sources = note  # type: ignore[method-assign]
        old.end()
        await asyncio.sleep(1)
        answers(new, range(5, 5))
        await beat(bench, 2)
        assert changed == [False, True]


async def test_that_a_line_has_ended_is_told_before_that_the_next_one_is_up() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        await connected(bench)
        bench.venue.takes_s = 3
        bench.feed._lines[-1].aging.set()
        await beat(bench, 1)
        tell = bench.feed._dispatch.tell_sources

        async def held_up(change: ConnectionChange, at: Instant) -> None:
            await asyncio.sleep(0 if change.up else 5)
            await tell(change, at)

        bench.feed._dispatch.tell_sources = held_up  # type: ignore[method-assign]
        bench.line.end()
        await asyncio.sleep(15)
        assert changes(bench.take("events"))[:2] == ["down", "up, catching up"]


async def test_that_it_has_caught_up_is_told_after_what_it_caught_up_with() -> None:
    async with running([ONE, OTHER], start=False, room=1, capacity=1) as bench:
        await begun(bench)
        state(bench.line, 3, 2.0)
        state(bench.line, 4, 2.0)
        answers(bench.line, range(4, 4))
        for _ in range(4):
            await beat(bench, 5)
            assert "caught up" not in changes(bench.take("events"))
        while bench.take(ONE) or bench.take(OTHER):
            await beat(bench, 1)
        await beat(bench, 4)
        assert "caught up" in changes(bench.take("events"))


async def test_a_venue_that_sends_everybody_away_at_once_is_not_asked_without_a_pause() -> None:
    def leave(line: Line) -> None:
        line.deliver('{"result":null,"id":1}')
        line.deliver('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}')

    async with running(["SPY_1m"], *[leave] * 500) as bench:
        for _ in range(300):
            await asyncio.sleep(1)
            bench.line.deliver(kline("SPY_1m", START, final=False))
        assert 10 < len(bench.venue.called) < 50


async def test_stopping_while_it_catches_up_ends_at_once() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        history = kraken(bench)
        history.takes_s = 3_600
        await asyncio.sleep(5 * MINUTE_S)
        bench.start()
        await asyncio.sleep(2)
        before = bench.time()
        await bench.stop()
        assert bench.time() - before < 1


async def test_stopping_a_replacement_that_nobody_serves_ends_at_once() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        await connected(bench)
        bench.venue.plan += refusals(50)
        bench.feed._lines[-1].aging.set()
        await beat(bench, 70)
        before = bench.time()
        await bench.stop()
        assert bench.time() - before < 1


async def test_a_line_that_ends_while_its_replacement_is_not_there_yet_is_told_as_lost() -> None:
    with capture_logs() as logs:
        async with running([ONE, OTHER], start=False) as bench:
            await connected(bench)
            logs.clear()
            bench.venue.takes_s = 5
            bench.venue.plan += refusals(1)
            bench.feed._lines[-1].aging.set()
            await beat(bench, 1)
            bench.line.end()
            await asyncio.sleep(20)
            told = [each["event"] for each in logs if each["log_level"] != "debug"]
    assert told[:4] == ["replacing the connection", "disconnected", "not connected", "connected"]
