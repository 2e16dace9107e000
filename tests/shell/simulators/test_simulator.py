"""The simulated venue on real sockets. Every wait is for an event; scenarios last some 100 ms."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from barsync_async.errors import OutputError
from barsync_async.messages import Bar
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.simulators import simulator
from barsync_async.shell.simulators.simulator import SimulatorLog, serve
from barsync_async.simulation.scenario import Scenario, parse_scenario
from barsync_async.units import SourceId
from barsync_async.venues.binance import BinanceSession
from barsync_async.venues.outcomes import GoingAway

SOURCES = [SourceId("SPY_1s"), SourceId("QQQ_1s"), SourceId("SPY_5s")]
LIMIT_S = 20.0


def scenario(*, duration_s: float | None = 0.2, pace_ms: float = 5, **tables: Any) -> Scenario:
    venue: dict[str, Any] = {"listen": "127.0.0.1:0", "pace_ms": pace_ms}
    if duration_s is not None:
        venue["duration_s"] = duration_s
    return parse_scenario({"venue": venue, "sources": {each: {} for each in SOURCES}} | tables, "x")


def real(test: Callable[[], Awaitable[None]]) -> None:
    """Run ``test`` on the real clock: sockets have no place on virtual time."""

    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await test()

    asyncio.run(limited())


@asynccontextmanager
async def running(told: Scenario, log: Path | None = None) -> AsyncIterator[str]:
    """The venue's address; leaving stops it if it has not ended by itself."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def listening(host: str, port: int) -> None:
        address.set_result(f"ws://{host}:{port}")

    task = asyncio.create_task(serve(told, clock=SystemClock(), log=log, on_listening=listening))
    try:
        yield await address
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            await task


async def subscribed(url: str) -> tuple[ClientConnection, BinanceSession]:
    session = BinanceSession(SOURCES, url)
    websocket = await connect(session.url, compression=None, proxy=None)
    for frame in session.opening_frames():
        await websocket.send(frame)
    while session.unacknowledged():
        session.receive(await websocket.recv())
    return websocket, session


async def bars(websocket: ClientConnection, session: BinanceSession) -> list[Bar]:
    """All that come until the venue closes the connection, which it announces."""
    found: list[Any] = []
    async for frame in websocket:
        found += session.receive(frame)
    assert isinstance(found.pop(), GoingAway)
    assert websocket.close_code == 1001
    return found


def key(line: dict[str, Any]) -> tuple[Any, ...]:
    names = ("source", "timestamp", "open", "high", "low", "close", "volume")
    return tuple(line[name] for name in names)


def key_of(bar: Bar) -> tuple[Any, ...]:
    return (bar.source, bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume)


def read(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_bytes().splitlines()]


def test_a_client_gets_just_what_the_log_says_and_every_bar_is_in_it(tmp_path: Path) -> None:
    log = tmp_path / "new" / "sent.jsonl"
    faults = {"loss": 0.2, "duplicate": 0.2, "delay": {"kind": "uniform", "max_ms": 8}}

    async def test() -> None:
        async with running(scenario(defaults=faults), log) as url:
            got = await bars(*await subscribed(url))
        lines = read(log)
        assert [key(line) for line in lines if line["client"] == 1] == list(map(key_of, got))
        assert len({key(line) for line in lines}) == 40 + 40 + 8
        lost = {key(line) for line in lines if line.get("lost")}
        assert lost
        assert not lost & set(map(key_of, got))
        moments = [line["sent_at_ns"] for line in lines]
        assert moments == sorted(moments)
        assert all(line["sent_wall_ms"] >= line["timestamp"] for line in lines)

    real(test)


def test_a_client_that_never_reads_holds_up_nobody() -> None:
    async def test() -> None:
        async with running(scenario()) as url:
            silent, _ = await subscribed(url)
            silent.transport.pause_reading()
            got = await bars(*await subscribed(url))
            assert {bar.source for bar in got} == set(SOURCES)
            silent.transport.abort()

    real(test)


def test_a_client_whose_queue_is_full_is_cut_off_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "QUEUE_CAPACITY", 0)

    async def test() -> None:
        told = scenario(duration_s=None, pace_ms=0.1)
        async with running(told) as url:
            async with connect(f"{url}/ws/spy@kline_1s", proxy=None) as websocket:
                with pytest.raises(ConnectionClosedError) as caught:
                    await websocket.recv()
            assert caught.value.rcvd is None

    with capture_logs() as logs:
        real(test)
    assert [line["event"] for line in logs] == ["cut off"]


def test_an_abrupt_disconnect_comes_without_a_closing_frame() -> None:
    faults = {"disconnect_every_s": 0.03, "abrupt": 1.0}

    async def test() -> None:
        async with running(scenario(duration_s=None, faults=faults)) as url:
            for _ in range(2):
                websocket, _ = await subscribed(url)
                with pytest.raises(ConnectionClosedError) as caught:
                    await _all(websocket)
                assert caught.value.rcvd is None

    real(test)


def test_a_polite_disconnect_comes_with_a_code_and_after_all_that_was_sent() -> None:
    faults = {"disconnect_every_s": 0.05}

    async def test() -> None:
        async with running(scenario(duration_s=None, faults=faults)) as url:
            websocket, session = await subscribed(url)
            found = [item async for frame in websocket for item in session.receive(frame)]
            assert all(isinstance(item, Bar) for item in found)
            assert websocket.close_code == 1001

    real(test)


def test_stopping_says_goodbye_to_every_client_and_completes_the_log(tmp_path: Path) -> None:
    log = tmp_path / "sent.jsonl"

    async def test() -> None:
        async with running(scenario(duration_s=None), log) as url:
            websocket, session = await subscribed(url)
            frames = [await websocket.recv()]
        frames += await _all(websocket)
        assert websocket.close_code == 1001
        items = [item for frame in frames for item in session.receive(frame)]
        got = {key_of(item) for item in items if isinstance(item, Bar)}
        assert got
        assert got <= {key(line) for line in read(log) if line["client"] == 1}

    real(test)


async def _all(websocket: ClientConnection) -> list[str | bytes]:
    return [frame async for frame in websocket]


def test_a_hostile_client_is_answered_or_closed_and_harms_nobody() -> None:
    async def test() -> None:
        async with running(scenario()) as url:
            polite = await subscribed(url)
            async with connect(f"{url}/ws", proxy=None) as websocket:
                for frame in ("pong", b"\x00", "[" * 9_999, '{"method":1}', "{}"):
                    await websocket.send(frame)
                    assert json.loads(await websocket.recv())["error"]["code"] in (2, 3)
                await websocket.send("one too many")
                with pytest.raises(ConnectionClosedError):
                    await websocket.recv()
                assert websocket.close_code == 1008
            async with connect(f"{url}/ws", proxy=None) as websocket:
                await websocket.send("x" * 70_000)
                with pytest.raises(ConnectionClosedError):
                    await websocket.recv()
                assert websocket.close_code == 1009
            assert await bars(*polite)

    real(test)


@pytest.mark.parametrize("path", ["", "/", "/api", "//["])
def test_an_unknown_path_is_not_found(path: str) -> None:
    async def test() -> None:
        async with running(scenario(duration_s=None)) as url:
            host, _, port = url.removeprefix("ws://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                f"GET {path or '/'} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            assert (await reader.readline()).split()[1] == b"404"
            writer.close()
            await writer.wait_closed()
            with pytest.raises(InvalidStatus):
                await connect(f"{url}/api", proxy=None)

    real(test)


def test_an_address_in_use_is_told_as_such() -> None:
    async def test() -> None:
        async with running(scenario(duration_s=None)) as url:
            taken = {"listen": url.removeprefix("ws://")}
            second = parse_scenario({"venue": taken, "sources": {"SPY_1s": {}}}, "x")
            with pytest.raises(OutputError, match=r"127\.0\.0\.1:\d+: cannot be listened on"):
                await serve(second, clock=SystemClock(), log=None, on_listening=lambda *_: None)

    real(test)


def test_a_log_that_cannot_be_written_ends_the_venue_with_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **marks: object) -> None:
        raise OutputError("sent.jsonl", "cannot be written: no space")

    async def test() -> None:
        with pytest.raises(OutputError, match="cannot be opened"):
            await serve(scenario(), clock=SystemClock(), log=tmp_path, on_listening=lambda *_: None)
        monkeypatch.setattr(SimulatorLog, "write", full)
        with pytest.raises(OutputError, match="no space"):
            await serve(scenario(), clock=SystemClock(), log=None, on_listening=lambda *_: None)

    real(test)
