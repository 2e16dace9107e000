"""A TCP proxy that does to connections what networks do: cut, freeze, throttle; and heals."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

HOST = "127.0.0.1"
_CHUNK = 65_536
_SLICE_S = 0.01


class Wires:
    """One client's two sockets. Frozen ones stay open and carry nothing more, not even an end."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._writers = (client, server)
        self._moving = asyncio.Event()
        self._moving.set()

    def freeze(self) -> None:
        self._moving.clear()

    def reset(self) -> None:
        """Both ends get a RST."""
        for writer in self._writers:
            reset(writer)

    async def pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, proxy: "CuttingProxy"
    ) -> None:
        """From one end to the other, until that one ends or breaks."""
        try:
            while data := await source.read(proxy.at_once):
                await self._moving.wait()
                sink.write(data)
                await sink.drain()
                if proxy.at_once < _CHUNK:
                    await asyncio.sleep(_SLICE_S)
            await self._moving.wait()
            sink.close()
        except OSError:
            reset(sink)


class CuttingProxy:
    """Carries every connection on to one server, for as long as it is told nothing else."""

    def __init__(self, host: str, port: int) -> None:
        self.url = ""
        """Where it listens."""
        self.accepted = 0
        self.refused = 0
        self.at_once = _CHUNK
        self._target = (host, port)
        self._is_cut = False
        self._wires: list[Wires] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # What a test does

    def cut(self) -> None:
        """Reset every connection, and each new one, until :meth:`heal`."""
        self._is_cut = True
        self.reset()

    def reset(self) -> None:
        """Reset every connection; new ones are welcome."""
        for wires in self._wires:
            wires.reset()
        self._wires.clear()

    def freeze(self) -> None:
        """The connections of now are half-open for ever; new ones are welcome."""
        for wires in self._wires:
            wires.freeze()

    def throttle(self, bytes_per_s: int) -> None:
        """Carry no more than that on each connection and way, until :meth:`heal`."""
        self.at_once = max(1, round(bytes_per_s * _SLICE_S))

    def heal(self) -> None:
        """Carry everything from now on; what is frozen or cut already stays so."""
        self._is_cut = False
        self.at_once = _CHUNK

    # What it does

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            self.refused += 1
            reset(writer)
            return
        self.accepted += 1
        there, here = await asyncio.open_connection(*self._target)
        wires = Wires(writer, here)
        self._wires.append(wires)
        for source, sink in ((reader, here), (there, writer)):
            task = asyncio.create_task(wires.pump(source, sink, self))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        self.cut()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST, whatever is still to be sent."""
    if not writer.transport.is_closing():
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()


@asynccontextmanager
async def cutting(url: str) -> AsyncIterator[CuttingProxy]:
    """A proxy before the server at ``url``, with a url of the same scheme."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    proxy = CuttingProxy(parts.hostname, parts.port)
    server = await asyncio.start_server(proxy.serve, HOST, 0)
    proxy.url = f"{parts.scheme}://{HOST}:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
