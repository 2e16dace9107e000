"""REST requests on real sockets: what comes back, whatever it is, and what is told of a failure."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.shell.simulators.test_simulator import real

from barsync_async.errors import ConnectionRefused
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.intake import Intake
from barsync_async.shell.network.http_client import MAX_BODY_BYTES, HttpxClient
from barsync_async.shell.network.tls import Route
from barsync_async.shell.network.websocket import WebsocketConnector
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.history.exchange import HistoryRequest, HistoryResponse, Span

SPAN = Span(SourceId("BTC/USD_1m"), WallMs(0), WallMs(60_000))
HOST = "127.0.0.1"


class Server:
    """Answers every request with the same bytes, and writes down what it was asked."""

    def __init__(self, *answer: bytes) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                self.asked.append(request.decode("latin-1"))
                for part in self._answer:
                    writer.write(part)
                    await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def request(base: str, **headers: str) -> HistoryRequest:
    return HistoryRequest(f"{base}/ohlc", {"pair": "XBT/USD"}, SPAN, headers)


@asynccontextmanager
async def asking(
    server: Server, route: Route | None = None
) -> AsyncIterator[tuple[str, HttpxClient]]:
    listening = await asyncio.start_server(server.serve, HOST, 0)
    client = HttpxClient()
    try:
        yield f"http://{HOST}:{listening.sockets[0].getsockname()[1]}", client
    finally:
        await client.close()
        listening.close()


def asked(
    server: Server, ask: Callable[[str, HttpxClient], Awaitable[HistoryResponse | None]]
) -> list[HistoryResponse]:
    """What came of it, if anything."""
    came: list[HistoryResponse] = []

    async def test() -> None:
        async with asking(server) as (base, client):
            response = await ask(base, client)
            came.extend([] if response is None else [response])

    real(test)
    return came


async def refusal(client: HttpxClient, asking_for: HistoryRequest) -> str:
    with pytest.raises(ConnectionRefused) as caught:
        await client.get("x", asking_for)
    assert caught.value.feed == "x"
    return caught.value.detail


def test_the_question_goes_out_with_its_parameters_and_headers_and_the_answer_comes_back() -> None:
    server = Server(answer("200 OK", b'{"error":[]}', "X-Rate: 5"))
    (response,) = asked(server, lambda base, client: client.get("x", request(base, who="abc")))
    assert (response.status, response.body) == (200, b'{"error":[]}')
    assert response.headers["x-rate"] == "5"
    assert server.asked[0].startswith("GET /ohlc?pair=XBT%2FUSD HTTP/1.1\r\n")
    assert "who: abc\r\n" in server.asked[0]


@pytest.mark.parametrize("status", ["302 Found", "404 Not Found", "429 Slow", "503 Away"])
def test_any_status_is_an_answer_and_no_redirect_is_followed(status: str) -> None:
    server = Server(answer(status, b"so", "Location: /elsewhere", "Retry-After: 7"))
    (response,) = asked(server, lambda base, client: client.get("x", request(base)))
    assert response.status == int(status[:3])
    assert response.headers["retry-after"] == "7"
    assert len(server.asked) == 1


def test_a_packed_answer_is_unpacked() -> None:
    server = Server(answer("200 OK", gzip.compress(b"[1,2]"), "content-encoding: gzip"))
    (response,) = asked(server, lambda base, client: client.get("x", request(base)))
    assert response.body == b"[1,2]"


def test_one_connection_serves_several_questions_of_a_feed_and_none_of_another() -> None:
    server = Server(answer("200 OK"))

    async def ask(base: str, client: HttpxClient) -> None:
        for feed in ("x", "x", "x", "y"):
            await client.get(feed, request(base))

    asked(server, ask)
    assert (len(server.asked), server.connections) == (4, 2)


@pytest.mark.parametrize(
    "given",
    [
        (b"\x00\xff\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\ncontent-length: nine\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",),
        (answer("200 OK", b"no gzip", "content-encoding: gzip"),),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000,),
    ],
)
def test_what_is_no_answer_is_a_refusal_in_one_line(given: tuple[bytes, ...]) -> None:
    async def ask(base: str, client: HttpxClient) -> None:
        detail = await refusal(client, request(base))
        assert detail.startswith(f"cannot get {base}/ohlc: ")
        assert "\n" not in detail

    asked(Server(*given), ask)


def test_an_answer_without_end_is_cut() -> None:
    chunk = b"x" * 65_536
    size = MAX_BODY_BYTES // len(chunk) + 2
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {size * len(chunk) * 100}\r\n\r\n".encode()

    async def ask(base: str, client: HttpxClient) -> None:
        told = f"cannot get {base}/ohlc: it sends more than {MAX_BODY_BYTES} bytes"
        assert await refusal(client, request(base)) == told

    asked(Server(head, *[chunk] * size), ask)


def test_nobody_there_is_a_refusal_that_hides_as_whom_we_come() -> None:
    async def ask(base: str, client: HttpxClient) -> None:
        del base
        detail = await refusal(client, request(f"http://me:hunter2@{HOST}:1"))
        assert detail.startswith(f"cannot get http://...@{HOST}:1/ohlc: ")
        assert "hunter2" not in detail

    asked(Server(), ask)


@pytest.mark.parametrize("key", ["caf\u00e9-hunter2", "hunter2\r\nx: y", "hunter2\u2603", "\ud800"])
def test_a_key_that_cannot_be_sent_is_not_shown(key: str) -> None:
    async def ask(base: str, client: HttpxClient) -> None:
        asking_for = request(base, who=key)
        assert "hunter2" not in repr(asking_for)
        told = await refusal(client, asking_for)
        assert "hunter" not in told
        assert not any(repr(letter)[1:-1] in told for letter in key if ord(letter) > 127)

    asked(Server(answer("200 OK")), ask)


@pytest.mark.parametrize("proxy", ["http://me:hunter2@127.0.0.1:1", "ftp://me:hunter2@host"])
def test_a_proxy_that_is_not_there_is_a_refusal_that_hides_as_whom_we_come(proxy: str) -> None:
    async def test() -> None:
        routes = {"x": Route(proxy=proxy)}
        client = HttpxClient(routes)
        assert "hunter2" not in await refusal(client, request("http://venue.example"))
        await client.close()
        connector = WebsocketConnector(SystemClock(), Intake(), routes)
        with pytest.raises(ConnectionRefused) as caught:
            await connector.connect("x", "ws://venue.example")
        assert "hunter2" not in str(caught.value)

    real(test)


def test_cancelled_it_leaves_the_client_fit_for_the_next_question() -> None:
    server = Server()

    async def ask(base: str, client: HttpxClient) -> HistoryResponse:
        waiting = asyncio.ensure_future(client.get("x", request(base)))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        server._answer = (answer("200 OK", b"[]"),)
        return await client.get("x", request(base))

    (response,) = asked(server, ask)
    assert response.body == b"[]"
