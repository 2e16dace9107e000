"""Real sockets on the loopback: what was read when, and how a connection ends.

The venue is raw bytes, so that a test decides what one segment holds. Every wait is for an event.
"""

import asyncio
import inspect
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.utils import accept_key

from barsync_async.errors import ConnectionRefused
from barsync_async.ports import Clock, Frame, TimerHandle
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.intake import Intake
from barsync_async.shell.network import websocket
from barsync_async.shell.network.websocket import (
    OversizedFrame,
    StampedConnection,
    WebsocketConnection,
    WebsocketConnector,
)
from barsync_async.units import Instant, MonoNs, WallMs

LIMIT_S = 20.0
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
BROKE = "the connection broke without a closing frame"


def real(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run ``test`` on each real loop: sockets have no place on virtual time."""

    def run(loop: str, **arguments: Any) -> None:
        async def limited() -> None:
            async with asyncio.timeout(LIMIT_S):
                await test(**arguments)

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(limited())

    own = inspect.signature(test)
    first = inspect.Parameter("loop", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [first, *own.parameters.values()]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    marked: Callable[..., None] = pytest.mark.parametrize("loop", LOOPS)(run)
    return marked


class HandClock:
    """Shows what the test sets, and counts how often it was looked at."""

    def __init__(self) -> None:
        self.mono = 0
        self.looks = 0

    def now(self) -> Instant:
        self.looks += 1
        return Instant(MonoNs(self.mono), WallMs(0))

    def slept_ns(self) -> int:
        return 0

    def call_at(self, when: MonoNs, callback: Callable[[], None]) -> TimerHandle:
        raise NotImplementedError


class Wire:
    """The venue's end, after the handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def write(self, *frames: WireFrame) -> None:
        """Send ``frames`` in one segment, as far as they fit."""
        self.writer.write(raw(*frames))

    async def read(self) -> tuple[Opcode, bytes]:
        """The client's next frame, which is short and masked."""
        first, second = await self.reader.readexactly(2)
        assert second & 0x80
        mask = await self.reader.readexactly(4)
        data = await self.reader.readexactly(second & 0x7F)
        unmasked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
        return Opcode(first & 0x0F), unmasked

    def reset(self) -> None:
        """Cut the connection with a RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()

    def cut(self) -> None:
        """Let go of the socket at once."""
        if not self.writer.is_closing():
            self.writer.transport.abort()


def raw(*frames: WireFrame) -> bytes:
    return b"".join(frame.serialize(mask=False) for frame in frames)


def text(data: str, *, fin: bool = True) -> WireFrame:
    return WireFrame(Opcode.TEXT, data.encode(), fin=fin)


def more(data: str, *, fin: bool = False) -> WireFrame:
    return WireFrame(Opcode.CONT, data.encode(), fin=fin)


def closing(code: int, reason: str = "") -> WireFrame:
    return WireFrame(Opcode.CLOSE, struct.pack("!H", code) + reason.encode())


PING = WireFrame(Opcode.PING, b"hello")


def upgrade(request: bytes) -> bytes:
    """The answer that accepts ``request``."""
    (key,) = [
        line.split(b": ")[1].decode()
        for line in request.split(b"\r\n")
        if line.startswith(b"Sec-WebSocket-Key")
    ]
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
    ).encode()


@asynccontextmanager
async def venue(
    answer: Callable[[bytes], bytes], *, hang_up: bool = False
) -> AsyncIterator[tuple[str, "asyncio.Queue[Wire]"]]:
    """A server that gives ``answer`` to every request: its URL, and the wires that it made."""
    wires: asyncio.Queue[Wire] = asyncio.Queue()
    made: list[Wire] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(Wire(reader, writer))
        writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
        wires.put_nowait(made[-1])
        if hang_up:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream", wires
    finally:
        server.close()
        for wire in made:
            wire.cut()


class Bench:
    """An open connection, both ends."""

    def __init__(self, connection: WebsocketConnection, wire: Wire, intake: Intake) -> None:
        self.connection = connection
        self.wire = wire
        self.intake = intake

    async def read(self, frames: int) -> None:
        """Until the client has read so many frames since the beginning."""
        await until(lambda: self.intake.frames_read >= frames)

    async def receive(self) -> Sequence[Frame]:
        """The next frames; what was received has arrived."""
        frames = await self.connection.receive()
        for frame in frames:
            self.intake.leave(frame.at)
        return frames

    async def end(self) -> tuple[list[bytes | str], ConnectionRefused]:
        """All that is still to come, and what ended it."""
        got: list[bytes | str] = []
        while True:
            try:
                got += [frame.data for frame in await self.receive()]
            except ConnectionRefused as error:
                return got, error


@asynccontextmanager
async def connected(clock: Clock | None = None, *, first: bytes = b"") -> AsyncIterator[Bench]:
    """``first`` comes in one segment with the answer to the handshake."""
    intake = Intake()
    connector = WebsocketConnector(clock or SystemClock(), intake)
    async with venue(lambda request: upgrade(request) + first) as (url, wires):
        connection = await connector.connect("sim", url)
        wire = await wires.get()
        try:
            yield Bench(connection, wire, intake)
        finally:
            wire.cut()
            intake.leave(await connection.close())
    assert intake.under_way == 0


async def until(holds: Callable[[], bool]) -> None:
    """The loop goes round until it ``holds``."""
    while not holds():  # noqa: ASYNC110 - what is awaited is inside the connection
        await asyncio.sleep(0)


async def rounds(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


# When a message was read


@real
async def test_a_message_is_stamped_when_it_is_read_not_when_it_is_received() -> None:
    clock = HandClock()
    async with connected(clock) as bench:
        for moment, data in ((5, "first"), (9, "second")):
            clock.mono = moment
            bench.wire.write(text(data))
            await bench.read(1 if moment == 5 else 2)
        clock.mono = 1_000
        assert bench.intake.under_way == 2
        assert await bench.receive() == [
            Frame(b"first", Instant(MonoNs(5), WallMs(0))),
            Frame(b"second", Instant(MonoNs(9), WallMs(0))),
        ]


@real
async def test_messages_of_one_segment_have_one_stamp_each_and_the_same() -> None:
    clock = HandClock()
    async with connected(clock) as bench:
        clock.mono = 7
        bench.wire.write(text("a"), WireFrame(Opcode.BINARY, b"\x00b"), PING, text(""), text("d"))
        await bench.read(4)
        clock.mono = 8
        got = await bench.receive()
        assert [frame.data for frame in got] == [b"a", b"\x00b", b"", b"d"]
        assert [frame.at.mono for frame in got] == [7] * 4


@real
async def test_a_fragmented_message_has_one_stamp_the_moment_of_its_last_fragment() -> None:
    clock = HandClock()
    async with connected(clock) as bench:
        fragments = (text("a", fin=False), more("b"), PING, more(""), more("c", fin=True))
        for moment, fragment in enumerate(fragments, 1):
            assert bench.intake.frames_read == 0
            clock.mono, looks = moment, clock.looks
            bench.wire.write(fragment)
            await until(lambda looks=looks: clock.looks > looks)  # type: ignore[misc]
        bench.wire.write(text("next"))
        await bench.read(2)
        got = await bench.receive()
        assert [(frame.data, frame.at.mono) for frame in got] == [(b"abc", 5), (b"next", 5)]


@real
async def test_one_who_waits_gets_a_fragmented_message_with_its_own_stamp() -> None:
    clock = HandClock()
    async with connected(clock) as bench:
        waiting = asyncio.ensure_future(bench.receive())
        for moment, fragment in ((1, text("a", fin=False)), (2, more("b", fin=True))):
            clock.mono, looks = moment, clock.looks
            bench.wire.write(fragment)
            await until(lambda looks=looks: clock.looks > looks)  # type: ignore[misc]
        (frame,) = await waiting
        assert (frame.data, frame.at.mono) == (b"ab", 2)


@real
async def test_messages_that_come_with_the_answer_to_the_handshake_are_stamped_too() -> None:
    async with connected(first=raw(text("a"), text("b"))) as bench:
        await bench.read(2)
        assert [frame.data for frame in await bench.receive()] == [b"a", b"b"]


@real
async def test_the_end_is_stamped_when_it_is_read_and_under_way_until_somebody_tells_of_it() -> (
    None
):
    clock = HandClock()
    async with connected(clock) as bench:
        clock.mono = 3
        bench.wire.write(text("a"))
        await bench.read(1)
        clock.mono = 7
        bench.wire.reset()
        await until(lambda: bench.intake.under_way == 2)
        clock.mono = 9
        assert not bench.intake.is_behind(2)
        await bench.end()
        assert not bench.intake.is_behind(6)
        assert bench.intake.is_behind(7)
        assert [(await bench.connection.close()).mono for _ in range(2)] == [7, 7]
        assert bench.intake.under_way == 1


@real
async def test_what_a_connection_reads_that_nobody_gets_is_not_under_way() -> None:
    handshaken = asyncio.Event()

    async def held_up(self: StampedConnection, *arguments: Any) -> None:
        await ClientConnection.handshake(self, *arguments)
        made.append(self)
        handshaken.set()
        await asyncio.Event().wait()

    made: list[StampedConnection] = []
    intake = Intake()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StampedConnection, "handshake", held_up)
        async with venue(lambda request: upgrade(request) + raw(text("a"))) as (url, _):
            connector = WebsocketConnector(SystemClock(), intake)
            connecting = asyncio.ensure_future(connector.connect("sim", url))
            await handshaken.wait()
            connecting.cancel()
            await asyncio.wait([connecting])
            await made[0].ended
    assert len(made[0].messages) == 1
    assert intake.under_way == 0


@real
async def test_what_was_read_before_somebody_got_the_connection_is_under_way_from_then() -> None:
    async def read_to_the_end(self: StampedConnection, *arguments: Any) -> None:
        await ClientConnection.handshake(self, *arguments)
        await asyncio.shield(self.ended)

    intake = Intake()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StampedConnection, "handshake", read_to_the_end)
        answer = raw(text("a"), text("b"))
        async with venue(lambda request: upgrade(request) + answer, hang_up=True) as (url, wires):
            connection = await WebsocketConnector(SystemClock(), intake).connect("sim", url)
            bench = Bench(connection, await wires.get(), intake)
            assert intake.under_way == 3
            assert (await bench.end())[0] == [b"a", b"b"]
            intake.leave(await connection.close())
    assert intake.under_way == 0


# Receiving


@real
async def test_at_most_256_messages_come_at_once_and_the_rest_next_time() -> None:
    async with connected() as bench:
        bench.wire.write(*(text(str(number)) for number in range(600)))
        await bench.read(600)
        batches = [await bench.receive() for _ in range(3)]
        assert [len(batch) for batch in batches] == [256, 256, 88]
        got = [frame.data for batch in batches for frame in batch]
        assert got == [str(number).encode() for number in range(600)]


@real
async def test_a_receive_that_is_cancelled_takes_nothing_with_it() -> None:
    async with connected() as bench:
        for fragment in (None, text("a", fin=False)):
            waiting = asyncio.ensure_future(bench.connection.receive())
            if fragment:
                bench.wire.write(fragment)
            await rounds(20)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled()
        bench.wire.write(more("b", fin=True), text("c"))
        await bench.read(2)
        assert [frame.data for frame in await bench.receive()] == [b"ab", b"c"]


@real
async def test_a_full_queue_stops_reading_the_socket_and_nothing_is_lost() -> None:
    total, most_in_a_read = 40_000, 262_144
    message = 100
    async with connected() as bench:
        numbered = [f"{number:0{message}}" for number in range(total)]
        bench.wire.write(*map(text, numbered))
        await bench.read(4_097)
        await rounds(200)
        read = bench.intake.frames_read
        assert read <= 4_096 + most_in_a_read // message
        await rounds(200)
        assert bench.intake.frames_read == read
        got: list[str | bytes] = []
        while len(got) < total:
            batch = await bench.receive()
            assert len(batch) <= 256
            got += [frame.data for frame in batch]
        assert got == [each.encode() for each in numbered]


@real
async def test_a_closed_gate_stops_reading_and_what_waits_in_the_socket_has_not_arrived() -> None:
    clock = HandClock()
    async with connected(clock) as bench:
        bench.intake.gate.close("somebody", {"another feed"})
        bench.wire.write(text("a"))
        await bench.read(1)
        bench.intake.gate.close("somebody", {"sim"})
        bench.wire.write(text("b"))
        await bench.receive()
        await rounds(100)
        assert bench.intake.frames_read == 1
        clock.mono = 9
        bench.intake.gate.open("somebody")
        assert await bench.receive() == [Frame(b"b", Instant(MonoNs(9), WallMs(0)))]


@real
async def test_a_connection_that_opens_while_the_gate_is_closed_waits_to_be_read() -> None:
    intake = Intake()
    intake.gate.close("somebody", {"sim"})
    connector = WebsocketConnector(SystemClock(), intake)
    async with venue(upgrade) as (url, wires):
        connection = await connector.connect("sim", url)
        wire = await wires.get()
        wire.write(text("a"))
        await rounds(100)
        assert intake.frames_read == 0
        intake.gate.open("somebody")
        (frame,) = await connection.receive()
        assert frame.data == b"a"
        wire.cut()
        await connection.close()


@real
async def test_pings_are_answered_while_frames_wait() -> None:
    async with connected() as bench:
        bench.wire.write(text("a"), text("b"), PING)
        assert await bench.wire.read() == (Opcode.PONG, b"hello")
        assert len(await bench.receive()) == 2


# Endings


async def say_goodbye(wire: Wire) -> None:
    wire.write(closing(1001, "see you"))
    wire.writer.close()


async def hang_up(wire: Wire) -> None:
    wire.writer.close()


async def hang_up_when_told_goodbye(wire: Wire) -> int:
    """The code of the client's closing frame."""
    opcode, data = await wire.read()
    assert opcode is Opcode.CLOSE
    wire.writer.close()
    return int.from_bytes(data[:2], "big")


async def reset(wire: Wire) -> None:
    wire.reset()


async def break_the_protocol(wire: Wire) -> None:
    wire.write(text("where more should be"))
    wire.writer.close()


@pytest.mark.parametrize(
    ("ending", "detail"),
    [
        (say_goodbye, "the venue closed the connection: 1001 see you"),
        (hang_up, BROKE),
        (reset, BROKE),
        (break_the_protocol, BROKE),
    ],
)
@real
async def test_what_was_read_before_the_end_is_received_then_comes_why_it_ended(
    ending: Callable[[Wire], Awaitable[None]], detail: str
) -> None:
    async with connected() as bench:
        bench.wire.write(text("a"), text("b"), text("half of a message", fin=False))
        await bench.read(2)
        await ending(bench.wire)
        got, error = await bench.end()
        assert got == [b"a", b"b"]
        assert str(error) == f"feed sim: {detail}"
        assert type(error) is ConnectionRefused
        for act in (bench.connection.receive(), bench.connection.send("x")):
            with pytest.raises(ConnectionRefused, match=detail):
                await act
        assert bench.intake.under_way == 1  # the end


@real
async def test_one_who_waits_is_told_that_the_connection_ended() -> None:
    async with connected() as bench:
        waiting = asyncio.ensure_future(bench.connection.receive())
        await rounds(20)
        bench.wire.reset()
        with pytest.raises(ConnectionRefused, match=BROKE):
            await waiting


@pytest.mark.parametrize("fragments", [1, 3])
@real
async def test_a_message_too_large_to_read_ends_the_connection_as_such(fragments: int) -> None:
    size = websocket.MAX_FRAME_BYTES // fragments + 1
    async with connected() as bench:
        bench.wire.write(text("a"), text("b"))
        for place in range(fragments):
            kind = text if place == 0 else more
            bench.wire.write(kind("x" * size, fin=place == fragments - 1))
        code = asyncio.ensure_future(hang_up_when_told_goodbye(bench.wire))
        got, error = await bench.end()
        assert await code == 1009
        assert got == [b"a", b"b"]
        assert isinstance(error, OversizedFrame)
        assert "exceeds limit of 4194304 bytes" in error.detail


@real
async def test_the_largest_message_that_is_read_comes_whole() -> None:
    async with connected() as bench:
        bench.wire.write(text("x" * websocket.MAX_FRAME_BYTES))
        (frame,) = await bench.receive()
        assert frame.data == b"x" * websocket.MAX_FRAME_BYTES


@real
async def test_a_message_of_very_many_fragments_is_one_message() -> None:
    async with connected() as bench:
        torn = [text("", fin=False), *[more("c")] * 4_200, more("", fin=True)]
        bench.wire.write(text("a"), *torn, text("d"))
        await bench.read(3)
        assert [frame.data for frame in await bench.receive()] == [b"a", b"c" * 4_200, b"d"]


@real
async def test_a_send_that_fails_leaves_what_was_read_to_be_received() -> None:
    clock = HandClock()
    async with connected(clock) as bench:
        clock.mono = 3
        bench.wire.write(text("a"), text("b"), closing(1001, "see you"))
        bench.wire.writer.close()
        await bench.read(2)
        with pytest.raises(ConnectionRefused, match="1001 see you"):
            await bench.connection.send("x")
        assert bench.intake.under_way == 3  # the end too
        got = await bench.receive()
        assert [(frame.data, frame.at.mono) for frame in got] == [(b"a", 3), (b"b", 3)]
        with pytest.raises(ConnectionRefused, match="1001 see you"):
            await bench.receive()


@real
async def test_closing_says_goodbye_and_what_was_read_until_the_answer_is_received() -> None:
    async with connected() as bench:
        bench.wire.write(text("before"))
        await bench.read(1)
        close = asyncio.ensure_future(bench.connection.close())
        assert (await bench.wire.read())[0] is Opcode.CLOSE
        bench.wire.write(text("meanwhile"), closing(1000))
        bench.wire.writer.close()
        await close
        got, error = await bench.end()
        assert got == [b"before", b"meanwhile"]
        assert error.detail == "the venue closed the connection: 1000"
        await bench.connection.close()


@real
async def test_a_venue_that_does_not_answer_the_goodbye_is_cut_off() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(websocket, "_CLOSE_TIMEOUT_S", 0.02)
        async with connected() as bench:
            bench.wire.write(text("a"))
            await bench.read(1)
            await bench.connection.close()
            got, error = await bench.end()
            assert got == [b"a"]
            assert error.detail == BROKE


@pytest.mark.parametrize("last", [closing(1001), text("x" * websocket.MAX_FRAME_BYTES + "x")])
@real
async def test_a_venue_that_does_not_hang_up_after_the_end_is_cut_off(last: WireFrame) -> None:
    asked = asyncio.get_running_loop().time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(websocket, "_CLOSE_TIMEOUT_S", 0.02)
        async with connected() as bench:
            bench.wire.write(text("a"), last)
            got, _ = await bench.end()
            assert got == [b"a"]
    assert asyncio.get_running_loop().time() - asked < websocket._PING_S / 2


# Life


PONG = WireFrame(Opcode.PONG, b"")


@asynccontextmanager
async def watched(clock: HandClock) -> AsyncIterator[Bench]:
    """A connection that is looked at all the time, to see whether it lives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(websocket, "_LOOK_S", 0.0005)
        async with connected(clock) as bench:
            yield bench


async def looked_at(clock: HandClock, times: int = 5) -> None:
    """Until it was, at the moment of now."""
    wanted = clock.looks + times
    await until(lambda: clock.looks >= wanted)


@real
async def test_a_connection_on_which_nothing_comes_not_even_pongs_is_dead() -> None:
    clock = HandClock()
    async with watched(clock) as bench:
        for moment in (1, 2, 3):
            clock.mono = moment * websocket._DEAD_NS
            await looked_at(clock)
            bench.wire.write(PONG)
            await looked_at(clock)
        bench.wire.write(text("a"))
        await bench.read(1)
        clock.mono += websocket._DEAD_NS + 1
        got, error = await bench.end()
        assert got == [b"a"]
        assert error.detail == "nothing came for 40 s, no pong either"


@real
async def test_one_that_we_do_not_read_for_want_of_room_is_not_dead_until_it_is_silent() -> None:
    clock = HandClock()
    total = 12_000
    async with watched(clock) as bench:
        bench.wire.write(*(text(f"{number:0100}") for number in range(total)))
        transport = bench.connection._websocket.transport
        await until(lambda: not transport.is_reading())
        for _ in range(3):
            clock.mono += 10 * websocket._DEAD_NS
            await looked_at(clock)
        got = 0
        while got < total:
            got += len(await bench.receive())
        assert transport.is_reading()
        clock.mono += websocket._DEAD_NS
        await looked_at(clock)
        bench.wire.write(text("more"))
        assert [frame.data for frame in await bench.receive()] == [b"more"]
        clock.mono += websocket._DEAD_NS + 1
        _, error = await bench.end()
        assert error.detail == "nothing came for 40 s, no pong either"


@real
async def test_what_is_sent_arrives_in_order() -> None:
    async with connected() as bench:
        for number in range(3):
            await bench.connection.send(str(number))
        assert [await bench.wire.read() for _ in range(3)] == [
            (Opcode.TEXT, str(number).encode()) for number in range(3)
        ]


# What cannot be opened


async def refusal(url: str) -> str:
    """Why no connection to ``url`` is made."""
    intake = Intake()
    with pytest.raises(ConnectionRefused) as caught:
        await WebsocketConnector(SystemClock(), intake).connect("sim", url)
    assert intake.under_way == 0
    assert caught.value.feed == "sim"
    assert caught.value.detail.startswith(f"cannot connect to {url}: ")
    return caught.value.detail.removeprefix(f"cannot connect to {url}: ")


@real
async def test_a_port_on_which_nobody_listens_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert re.search("refused|Connect call failed", await refusal(f"ws://127.0.0.1:{port}/s"))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HTTP 200"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "did not receive a valid HTTP response"),
        (b"", "did not receive a valid HTTP response"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + raw(text("a")), "missing Connection header"),
    ],
)
@real
async def test_a_server_that_is_no_websocket_refuses(answer: bytes, why: str) -> None:
    async with venue(lambda request: answer, hang_up=True) as (url, _):
        assert why in await refusal(url)


@real
async def test_a_server_that_does_not_answer_is_given_up() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(websocket, "_OPEN_TIMEOUT_S", 0.02)
        async with venue(lambda request: b"") as (url, _):
            assert await refusal(url) == "timed out during opening handshake"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/stream",
        "ws:///stream",
        "ws://127.0.0.1:99999/stream",
        "ws://127.0.0.1:port/stream",
        "ws://[::1/stream",
        "ws://.127.0.0.1/stream",
        f"ws://{'a' * 64}.invalid/stream",
        "ws://\x00/stream",
        "ws://127.0.0.1/stream#here",
    ],
)
@real
async def test_an_address_that_is_none_is_refused_and_not_raised_as_a_bug(url: str) -> None:
    assert await refusal(url)
