"""Whom a feed trusts, on real sockets: the simulated Kraken with a certificate of the test's own,
its websocket and its REST history on one port.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.certificates import HOST, Authority, Pair

from barsync_async.errors import ConfigError, ConnectionRefused
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.intake import Intake
from barsync_async.shell.network.http_client import HttpxClient
from barsync_async.shell.network.tls import Route, serving, trusting
from barsync_async.shell.network.websocket import WebsocketConnector
from barsync_async.shell.simulators.simulator import serve
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.history.exchange import HistoryRequest, Span

LIMIT_S = 20.0
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
SCENARIO = {
    "venue": {"protocol": "kraken", "listen": f"{HOST}:0", "pace_ms": 1_000},
    "sources": {"BTC/USD_1m": {}},
}
SPAN = Span(SourceId("BTC/USD_1m"), WallMs(0), WallMs(60_000))
PARAMS = {"pair": "XBTUSD", "interval": "1"}

Ask = Callable[[str, Route], Awaitable[None]]
"""To the server at HOST:PORT, by a route."""


async def by_websocket(address: str, route: Route) -> None:
    connector = WebsocketConnector(SystemClock(), Intake(), {"k": route})
    connection = await connector.connect("k", f"wss://{address}/v2")
    try:
        assert '"status"' in str((await connection.receive())[0].data)
    finally:
        await connection.close()


async def by_rest(address: str, route: Route) -> None:
    client = HttpxClient({"k": route})
    try:
        url = f"https://{address}/0/public/OHLC"
        response = await client.get("k", HistoryRequest(url, PARAMS, SPAN))
        assert (response.status, b"XXBTZUSD" in response.body) == (200, True)
    finally:
        await client.close()


both_ways = pytest.mark.parametrize(
    ("ask", "told"),
    [
        (by_websocket, "feed k: cannot connect to wss://{address}/v2: "),
        (by_rest, "feed k: cannot get https://{address}/0/public/OHLC: "),
    ],
)


def real(loop: str, test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT_S):
            await test()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(limited())


@asynccontextmanager
async def venue(tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """Where it listens."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def listening(host: str, port: int) -> None:
        address.set_result(f"{host}:{port}")

    scenario = parse_scenario(SCENARIO, "x")
    task = asyncio.create_task(
        serve(scenario, clock=SystemClock(), on_listening=listening, tls=tls)
    )
    try:
        yield await address
    finally:
        task.cancel()
        await asyncio.wait([task])


def shown(pair: Pair) -> ssl.SSLContext:
    return serving(*pair, "scenario.toml", "venue.tls")


async def refused(ask: Ask, address: str, route: Route) -> str:
    with pytest.raises(ConnectionRefused) as caught:
        await ask(address, route)
    return str(caught.value)


@pytest.mark.parametrize("loop", LOOPS)
@both_ways
def test_an_authority_of_ones_own_is_trusted_and_serves_websocket_and_rest(
    loop: str, ask: Ask, told: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)

    async def test() -> None:
        async with venue(shown(authority.issue())) as address:
            await ask(address, Route(trusting(authority.file)))

    real(loop, test)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("issued", "trusted", "wrong"),
    [
        ({"expired": True}, "ca", "certificate has expired"),
        (
            {"host": "elsewhere.example"},
            "ca",
            "IP address mismatch, certificate is not valid for '127.0.0.1'",
        ),
        ({}, "other", "unable to get local issuer certificate"),
        ({}, None, "unable to get local issuer certificate"),
    ],
)
@both_ways
def test_what_is_not_to_be_trusted_is_refused_and_the_message_says_who_where_and_why(
    loop: str,
    ask: Ask,
    told: str,
    issued: dict[str, Any],
    trusted: str | None,
    wrong: str,
    tmp_path: Path,
) -> None:
    authorities = {name: Authority(tmp_path, name) for name in ("ca", "other")}

    async def test() -> None:
        async with venue(shown(authorities["ca"].issue(**issued))) as address:
            route = Route(trusting(authorities[trusted].file) if trusted else None)
            expected = f"{told.format(address=address)}its certificate is not trusted: {wrong}"
            assert await refused(ask, address, route) == expected

    real(loop, test)


@asynccontextmanager
async def plain(answer: bytes) -> AsyncIterator[str]:
    """Gives ``answer`` to whatever is said first, and hangs up."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve_one, HOST, 0)
    try:
        yield f"{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no TLS with it: "),
        (b"", "(it hung up during the TLS handshake|no TLS with it: unexpected eof)"),
    ],
)
@both_ways
def test_a_server_without_tls_is_told_as_one(
    loop: str, ask: Ask, told: str, answer: bytes, why: str
) -> None:
    async def test() -> None:
        async with plain(answer) as address:
            got = await refused(ask, address, Route())
            assert re.match(re.escape(told.format(address=address)) + why, got), got

    real(loop, test)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_scheme_is_known_whatever_the_case_of_its_letters(loop: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def test() -> None:
        async with venue(shown(authority.issue())) as address:
            route = Route(trusting(authority.file))
            connector = WebsocketConnector(SystemClock(), Intake(), {"k": route})
            await (await connector.connect("k", f"WSS://{address}/v2")).close()

    real(loop, test)


# The environment


@both_ways
def test_the_environment_says_where_the_systems_authorities_are_and_nothing_else(
    ask: Ask, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    secrets = tmp_path / "secrets.txt"
    monkeypatch.setenv("SSL_CERT_FILE", str(theirs.file))
    monkeypatch.setenv("SSLKEYLOGFILE", str(secrets))
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(ours.file))
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")

    async def test() -> None:
        async with venue(shown(theirs.issue("theirs-server"))) as address:
            await ask(address, Route())
            assert "not trusted" in await refused(ask, address, Route(trusting(ours.file)))
        async with venue(shown(ours.issue("ours-server"))) as address:
            await ask(address, Route(trusting(ours.file)))
            assert "not trusted" in await refused(ask, address, Route())

    real("uvloop", test)
    assert not secrets.exists()


# By a proxy


class Proxy:
    """Speaks CONNECT, and notes to where."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = request.split("\r\n")[0].split()
        assert method == "CONNECT"
        self.asked.append(target)
        host, _, port = target.rpartition(":")
        there, here = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        for source, sink in ((reader, here), (there, writer)):
            task = asyncio.create_task(pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            sink.write(data)
    except OSError:
        pass  # the other pump ends for it
    finally:
        sink.close()


@pytest.mark.parametrize("loop", LOOPS)
@both_ways
def test_a_named_proxy_is_gone_through_and_the_venue_behind_it_verified(
    loop: str, ask: Ask, told: str, tmp_path: Path
) -> None:
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")

    async def test() -> None:
        proxy = Proxy()
        server = await asyncio.start_server(proxy.serve, HOST, 0)
        through = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        async with venue(shown(ours.issue())) as address:
            await ask(address, Route(trusting(ours.file), through))
            detail = await refused(ask, address, Route(trusting(other.file), through))
            assert detail.startswith(told.format(address=address) + "its certificate is not")
            assert proxy.asked == [address] * 2
        server.close()

    real(loop, test)


# Files


def no_file(path: Path) -> None:
    """There is none."""


def a_folder(path: Path) -> None:
    path.mkdir()


def garbage(path: Path) -> None:
    path.write_bytes(b"\x00\xff no certificate")


def nothing(path: Path) -> None:
    path.touch()


def broken_pem(path: Path) -> None:
    path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ascii")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (no_file, "No such file or directory"),
        (a_folder, "it is no regular file"),
        (garbage, "it holds none"),
        (nothing, "it holds none"),
        (broken_pem, "it holds none"),
    ],
)
def test_authorities_that_cannot_be_read_are_refused(
    make: Callable[[Path], None], why: str, tmp_path: Path
) -> None:
    make(tmp_path / "ca.pem")
    with pytest.raises(ValueError, match=f"^expected certificates in PEM form: {why}$"):
        trusting(tmp_path / "ca.pem")


def test_a_certificate_and_another_ones_key_are_no_pair(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, another = authority.issue("one"), authority.issue("another")
    with pytest.raises(ConfigError) as caught:
        serving(one.cert, another.key, "scenario.toml", "venue.tls")
    (mistake,) = caught.value.mistakes
    assert mistake.path == "venue.tls"
    assert mistake.expected.startswith("expected a certificate and its private key")
