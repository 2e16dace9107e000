"""What the benchmarks share: a venue in a process of its own, fresh processes, tables.

The venue speaks as much of Binance's combined stream as a feed asks of it: the handshake, the
acknowledgement of SUBSCRIBE, pongs and the closing frame are left to the ``websockets`` library's
Sans-I/O server; data frames are encoded beforehand and written straight to the socket, so that
the venue is never the limit. Both sides read one clock: the machine's monotonic one.
"""

import math
import multiprocessing
import os
import platform
import select
import socket
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from barsync_async.app.logging import set_up_logging
from barsync_async.messages import Bar
from barsync_async.shell.clock import SystemClock
from barsync_async.simulation.candle import Candle
from barsync_async.simulation.venues.binance_kline import combined_text, kline_text
from barsync_async.units import MonoNs, WallMs, split_source

P = ParamSpec("P")
T = TypeVar("T")

MINUTE_MS = 60_000
NS_PER_S = 1_000_000_000

ACKNOWLEDGEMENT = b'{"result":null,"id":%d}'
"""What the venue answers to a client's SUBSCRIBE of that number."""

_clock = SystemClock()
_spawn = multiprocessing.get_context("spawn")


def now_ns() -> MonoNs:
    """The monotonic clock, which all processes of one machine share."""
    return _clock.now().mono


def yesterday() -> WallMs:
    """A whole minute a day ago: every timestamp near it is in the past."""
    wall = _clock.now().wall - 24 * 60 * MINUTE_MS
    return WallMs(wall - wall % MINUTE_MS)


# Frames


def kline_frame(bar: Bar, *, final: bool = True) -> bytes:
    """``bar`` as one unmasked websocket frame of a combined kline stream, ready for the wire."""
    candle = Candle(bar.open, bar.high, bar.low, bar.close, int(bar.volume), 17, 1_000_000)
    stream = f"{bar.symbol.lower()}@kline_{bar.timeframe}"
    text = combined_text(stream, kline_text(bar, candle, bar.timestamp, final=final))
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


# The venue's side


@contextmanager
def listening(pipe: Connection) -> Iterator[socket.socket]:
    """A listener on a free port of the loopback interface; tells the port through ``pipe``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pipe.send(listener.getsockname()[1])
        yield listener


class Peer:
    """One client, accepted and subscribed; blocking, as a process of its own may be."""

    def __init__(self, listener: socket.socket) -> None:
        self._socket, _ = listener.accept()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._protocol = ServerProtocol()
        self.asked: list[bytes] = []
        """Every SUBSCRIBE that it sent, each answered."""
        self.until_asked(1)

    def until_asked(self, requests: int) -> None:
        """Answer until so many SUBSCRIBEs have come."""
        while len(self.asked) < requests:
            self._receive()

    def write(self, frames: bytes) -> None:
        """Send frames as they are; returns once the system has taken them all."""
        self._socket.sendall(frames)

    def answer(self) -> None:
        """Answer what the client sent meanwhile, such as a ping; does not wait."""
        if select.select([self._socket], [], [], 0)[0]:
            self._receive()

    def until_closed(self) -> None:
        """Keep answering until the client has gone."""
        while self._receive():
            pass
        self._socket.close()

    def _receive(self) -> bool:
        data = self._socket.recv(65_536)
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self.asked.append(bytes(event.data))
                self._protocol.send_text(ACKNOWLEDGEMENT % len(self.asked))
        for out in self._protocol.data_to_send():
            if out:
                self._socket.sendall(out)
        return bool(data) and not self._protocol.close_expected()


# The client's side


class Venue:
    """A venue's process, as its starter sees it; use as a context manager.

    Args:
        serve: what to run there: it gets its end of the pipe first, then ``args``, and must
            announce its port (see :func:`listening`).
        args: for ``serve``.
    """

    def __init__(self, serve: Callable[..., None], *args: object) -> None:
        self.pipe, self._theirs = _spawn.Pipe()
        self._process = _spawn.Process(target=serve, args=(self._theirs, *args), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()  # so that its death is the pipe's end
        self.port: int = self.pipe.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ws://127.0.0.1:{self.port}"


def in_fresh_process(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``work(*args)`` in a new interpreter, so that no measurement disturbs the next."""
    with ProcessPoolExecutor(1, mp_context=_spawn) as pool:
        return pool.submit(work, *args, **kwargs).result()


def keep_quiet() -> None:
    """Let warnings through and nothing below them."""
    set_up_logging("console", "error", _clock)


# Figures


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """As Markdown, aligned: the first column to the left, all others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = [
        ("-" * width) if not place else "-" * (width - 1) + ":"
        for place, width in enumerate(widths)
    ]
    for row in (head, rule, *rows):
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        print("| " + " | ".join(cells) + " |")


def describe_machine() -> str:
    """Date, processor, Python and the libraries that matter here, on two lines."""
    names = ("msgspec", "numpy", "uvloop", "websockets")
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    today = datetime.fromtimestamp(_clock.now().wall / 1_000, UTC).date()
    return (
        f"{today}, {os.cpu_count()} cores, {_processor()}, {platform.system()}\n"
        f"Python {platform.python_version()}, {libraries}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if sys.platform == "linux" and info.exists():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def bar_of(source: str, timestamp: int, close: float) -> Bar:
    """A bar with a body and wicks around ``close``."""
    symbol, timeframe = split_source(source)
    return Bar(
        symbol, timeframe, WallMs(timestamp), close - 0.25, close + 0.5, close - 0.5, close, 1_234.0
    )
