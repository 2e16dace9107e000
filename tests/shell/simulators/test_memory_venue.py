"""The simulated venue without sockets, on virtual time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from barsync_async.errors import ConnectionRefused
from barsync_async.messages import Bar
from barsync_async.ports import Frame
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.intake import Intake
from barsync_async.shell.simulators.memory_venue import MemoryConnection, MemoryVenue
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.binance import BinanceSession
from barsync_async.venues.outcomes import Acknowledged

WALL = WallMs(1_767_364_200_000)
SOURCES = [SourceId("SPY_1s"), SourceId("QQQ_1s")]
URL = "ws://simulated/stream"


class Bench:
    """A venue and the clock it lives by."""

    def __init__(self, **tables: Any) -> None:
        self.clock = VirtualClock(WALL)
        self.intake = Intake()
        document = {"sources": {source: {} for source in SOURCES}} | tables
        self.venue = MemoryVenue(parse_scenario(document, "x"), self.clock, self.intake)

    async def subscribed(self) -> tuple[MemoryConnection, BinanceSession]:
        connection = await self.venue.connect("sim", URL)
        session = BinanceSession(SOURCES, URL)
        for frame in session.opening_frames():
            await connection.send(frame)
        (answer,) = await connection.receive()
        assert session.receive(answer.data) == (Acknowledged(tuple(SOURCES)),)
        return connection, session


@asynccontextmanager
async def opened(**tables: Any) -> AsyncIterator[Bench]:
    bench = Bench(**tables)
    running = asyncio.ensure_future(bench.venue.run())
    try:
        yield bench
    finally:
        running.cancel()
        await asyncio.wait([running])


def bars(session: BinanceSession, frames: Any) -> list[Bar]:
    items = [item for frame in frames for item in session.receive(frame.data)]
    return [item for item in items if isinstance(item, Bar)]


async def test_bars_arrive_the_moment_they_close() -> None:
    async with opened() as bench:
        connection, session = await bench.subscribed()
        got: list[tuple[float, str, int]] = []
        while len(got) < 6:
            frames = await connection.receive()
            at = asyncio.get_running_loop().time()
            assert {frame.at for frame in frames} == {bench.clock.now()}
            got += [(at, bar.source, bar.timestamp) for bar in bars(session, frames)]
        assert [(round(at, 6), timestamp) for at, _, timestamp in got] == [
            (number, WALL + number * 1_000) for number in (1, 1, 2, 2, 3, 3)
        ]
        assert {source for _, source, _ in got} == {*SOURCES}


async def test_every_frame_read_is_counted_as_under_way() -> None:
    async with opened() as bench:
        connection, _ = await bench.subscribed()
        assert bench.intake.frames_read == 1
        frames = await connection.receive()
        assert bench.intake.frames_read == bench.intake.under_way == 1 + len(frames)


async def test_the_end_is_stamped_in_its_moment_and_under_way_until_somebody_tells_of_it() -> None:
    faults = {"disconnect_every_s": 5, "disconnect_jitter": 0.0}
    async with opened(faults=faults) as bench:
        connection, _ = await bench.subscribed()
        await asyncio.sleep(20)
        for frame in await connection.receive():
            bench.intake.leave(frame.at)
        assert bench.intake.under_way == 2  # the answer, and the end
        ended = [(await connection.close()).mono for _ in range(2)]
        assert ended == [5 * 10**9] * 2
        assert bench.intake.is_behind(5 * 10**9)
        assert bench.intake.under_way == 2


async def test_a_request_is_answered_to_whoever_sent_it() -> None:
    async with opened() as bench:
        one, other = [await bench.venue.connect("sim", URL) for _ in range(2)]
        await other.send('{"method": "LIST_SUBSCRIPTIONS", "id": 5}')
        (answer,) = await other.receive()
        assert json.loads(answer.data) == {"result": [], "id": 5}
        assert not one._frames


@pytest.mark.parametrize("url", ["ws://simulated", "ws://simulated/", "ws://simulated/no/such"])
async def test_a_path_that_the_venue_does_not_serve_is_refused(url: str) -> None:
    bench = Bench()
    with pytest.raises(ConnectionRefused, match=f"feed sim: cannot connect to {url}"):
        await bench.venue.connect("sim", url)
    assert bench.intake.under_way == 0


async def test_once_the_scenario_is_over_every_connection_has_ended_and_none_is_made() -> None:
    async with opened(venue={"duration_s": 2}) as bench:
        connection, session = await bench.subscribed()
        await asyncio.sleep(10)
        assert len(bars(session, await connection.receive())) == 4
        with pytest.raises(ConnectionRefused, match="1001 the scenario ended"):
            await connection.receive()
        with pytest.raises(ConnectionRefused, match="cannot connect"):
            await bench.venue.connect("sim", URL)


async def test_a_disconnect_ends_the_connection_after_what_was_delivered() -> None:
    faults = {"disconnect_every_s": 5, "disconnect_jitter": 0.0}
    async with opened(faults=faults) as bench:
        connection, session = await bench.subscribed()
        await asyncio.sleep(20)
        got = bars(session, await connection.receive())
        assert [each.timestamp for each in got][::2] == [WALL + n * 1_000 for n in range(1, 5)]
        for act in (connection.receive(), connection.send("{}")):
            with pytest.raises(ConnectionRefused, match="1001 disconnect by the scenario"):
                await act


async def test_a_connection_that_ends_before_anything_else_happens_ends_in_time() -> None:
    faults = {"disconnect_every_s": 0.25, "disconnect_jitter": 0.0}
    async with opened(faults=faults) as bench:
        await asyncio.sleep(0)  # the venue waits for its next close already
        connection = await bench.venue.connect("sim", URL)
        with pytest.raises(ConnectionRefused, match="1001"):
            await connection.receive()
        assert asyncio.get_running_loop().time() == pytest.approx(0.25, abs=1e-6)


async def test_one_who_waits_for_frames_is_told_that_the_connection_ended() -> None:
    bench = Bench()
    connection = await bench.venue.connect("sim", URL)
    waiting = asyncio.ensure_future(connection.receive())
    await asyncio.sleep(1)
    assert not waiting.done()
    await connection.close()
    with pytest.raises(ConnectionRefused, match="closed the connection: closed"):
        await waiting


async def test_a_closed_connection_gets_nothing_more_and_may_be_closed_again() -> None:
    async with opened() as bench:
        connection, _ = await bench.subscribed()
        await connection.close()
        await connection.close()
        await asyncio.sleep(5)
        assert bench.intake.frames_read == 1
        with pytest.raises(ConnectionRefused):
            await connection.send("{}")


async def test_a_client_that_floods_is_cut_off_by_the_venue() -> None:
    bench = Bench()
    connection = await bench.venue.connect("sim", URL)
    for _ in range(5):
        await connection.send('{"method": "LIST_SUBSCRIPTIONS", "id": 1}')
    await connection.send('{"method": "LIST_SUBSCRIPTIONS", "id": 1}')
    assert len(await connection.receive()) == 5
    with pytest.raises(ConnectionRefused, match="1008 Too many requests"):
        await connection.receive()


async def test_what_was_delivered_comes_out_at_once_and_in_order() -> None:
    bench = Bench()
    connection = await bench.venue.connect("sim", URL)
    sent = [Frame(str(number), bench.clock.now()) for number in range(4)]
    for frame in sent:
        connection.deliver(frame)
    connection.end("first reason")
    connection.end("second reason")
    assert await connection.receive() == sent
    with pytest.raises(ConnectionRefused, match="first reason"):
        await connection.receive()
