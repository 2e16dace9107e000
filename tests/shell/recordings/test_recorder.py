"""What a recorder tells of the connections that pass through it, and what it keeps to itself."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.shell.recordings.recordings import plans

from barsync_async.errors import ConnectionRefused
from barsync_async.ports import Frame
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.network.websocket import OversizedFrame
from barsync_async.shell.recordings.recorder import (
    RecordingConnector,
    recorded_connections,
    without_secrets,
)
from barsync_async.shell.recordings.recording import (
    Ended,
    Got,
    Opened,
    Record,
    Refused,
    Sent,
    encode_record,
)
from barsync_async.units import Instant, WallMs

KEY, SECRET = "key+of/somebody", "a very secret thing"


class Sink:
    def __init__(self) -> None:
        self.records: list[Record] = []

    def put(self, record: Record) -> None:
        self.records.append(record)

    async def room(self) -> None:
        pass

    @property
    def kinds(self) -> list[str]:
        return [type(record).__name__ for record in self.records]

    def all_bytes(self) -> bytes:
        return b"".join(map(encode_record, self.records))


class Scripted:
    """A connection that gives out ``batches``, then ends with ``end``."""

    def __init__(self, batches: Sequence[Sequence[Frame]], end: ConnectionRefused) -> None:
        self.batches = [*batches]
        self.end = end
        self.sent: list[str] = []

    async def receive(self) -> Sequence[Frame]:
        if not self.batches:
            raise self.end
        return self.batches.pop(0)

    async def send(self, text: str) -> None:
        self.sent.append(text)

    async def close(self) -> Instant:
        return Instant.of(9, 9)


class Network:
    def __init__(self, *connections: Scripted | ConnectionRefused) -> None:
        self.connections = [*connections]

    async def connect(self, feed: str, url: str) -> Scripted:
        connection = self.connections.pop(0)
        if isinstance(connection, ConnectionRefused):
            raise connection
        return connection


def frames(*data: str | bytes) -> list[Frame]:
    return [Frame(each, Instant.of(number, number)) for number, each in enumerate(data, 1)]


def recorder(*connections: Any, **feed: Any) -> tuple[RecordingConnector, Sink]:
    sink = Sink()
    clock = VirtualClock(WallMs(1))
    return RecordingConnector(Network(*connections), sink, plans(**feed), clock), sink


async def test_frames_are_recorded_as_they_were_read_with_the_moment_of_their_reading() -> None:
    inner = Scripted([frames("one", b"two"), frames(b"\xff")], ConnectionRefused("sim", "gone"))
    connector, sink = recorder(inner)
    connection = await connector.connect("sim", "ws://x")
    assert connector.states == {"sim": "up"}
    assert [each.data for each in await connection.receive()] == ["one", b"two"]
    await connection.receive()
    with pytest.raises(ConnectionRefused, match="gone"):
        await connection.receive()
    assert await connection.close() == Instant.of(9, 9)
    await connection.close()
    assert sink.kinds == ["Opened", "Got", "Got", "Got", "Ended"]
    got = [record for record in sink.records if isinstance(record, Got)]
    assert [(each.text, each.data) for each in got] == [
        ("one", None),
        ("two", None),
        (None, b"\xff"),
    ]
    assert [(each.number, each.mono_ns) for each in got] == [(1, 1), (1, 2), (1, 1)]
    end = sink.records[-1]
    assert isinstance(end, Ended)
    assert (end.by, end.detail, end.oversized, end.mono_ns) == ("venue", "gone", False, 9)
    assert connector.states == {"sim": "down"}
    assert (connector.totals.frames, connector.totals.bytes) == (3, 7)


async def test_an_end_that_we_make_is_told_as_ours() -> None:
    connector, sink = recorder(Scripted([], ConnectionRefused("sim", "closed")))
    connection = await connector.connect("sim", "ws://x")
    await connection.close()
    with pytest.raises(ConnectionRefused):
        await connection.receive()
    await connection.close()
    assert sink.kinds == ["Opened", "Ended"]
    end = sink.records[-1]
    assert isinstance(end, Ended)
    assert (end.by, end.detail) == ("us", "")
    assert connector.states == {"sim": "closed"}


async def test_an_oversized_frame_is_told() -> None:
    connector, sink = recorder(Scripted([], OversizedFrame("sim", "5 MB")))
    connection = await connector.connect("sim", "ws://x")
    with pytest.raises(OversizedFrame):
        await connection.receive()
    await connection.close()
    end = sink.records[-1]
    assert isinstance(end, Ended)
    assert end.oversized


async def test_an_attempt_that_fails_is_recorded_and_the_next_has_a_number_of_its_own() -> None:
    fine = [Scripted([], ConnectionRefused("sim", "gone")) for _ in range(2)]
    connector, sink = recorder(fine[0], ConnectionRefused("sim", "no route"), fine[1])
    await connector.connect("sim", "ws://x")
    with pytest.raises(ConnectionRefused, match="no route"):
        await connector.connect("sim", "ws://x")
    assert connector.states == {"sim": "up"}  # the first still is
    await connector.connect("sim", "ws://x")
    assert sink.kinds == ["Opened", "Refused", "Opened"]
    numbers = [record.number for record in sink.records if isinstance(record, Opened)]
    assert numbers == [1, 2]


async def test_of_what_is_sent_only_the_opening_frames_of_a_feed_without_a_key_are_written() -> (
    None
):
    inner = Scripted([], ConnectionRefused("sim", "gone"))
    connector, sink = recorder(inner)
    connection = await connector.connect("sim", "ws://x")
    subscribe = '{"method":"SUBSCRIBE","params":["spy@kline_1s"],"id":1}'
    for text in (subscribe, SECRET, subscribe + " "):
        await connection.send(text)
    assert inner.sent == [subscribe, SECRET, subscribe + " "]
    sent = [record for record in sink.records if isinstance(record, Sent)]
    assert [(each.bytes, each.text) for each in sent] == [
        (len(subscribe), subscribe),
        (len(SECRET), None),
        (len(subscribe) + 1, None),
    ]


async def test_what_a_format_of_its_own_says_may_hold_anything_and_is_not_written() -> None:
    columns = {name: name for name in ("symbol", "time", "open", "high", "low", "close", "volume")}
    told = {"subscribe": ['{"token":"abc"}'], "fixed_timeframe": "1s", "final": None}
    form = columns | told | {"time_unit": "ms", "time_label": "open", "finality": "always"}
    connector, sink = recorder(
        Scripted([], ConnectionRefused("sim", "gone")), venue="json", format=form
    )
    connection = await connector.connect("sim", "ws://x")
    await connection.send('{"token":"abc"}')
    assert sink.kinds == ["Opened", "Sent"]
    assert b"abc" not in sink.all_bytes()


@pytest.mark.parametrize(
    "spelling", [KEY, SECRET, "key%2Bof%2Fsomebody", "a%20very%20secret%20thing"]
)
async def test_credentials_are_written_nowhere(spelling: str) -> None:
    url = f"wss://venue.test/{spelling}?what={spelling}"
    told = f"no: {spelling}"
    feed = {"key": KEY, "secret": SECRET, "url": f"wss://venue.test/{SECRET[:1]}"}
    inner = Scripted([frames(told, told.encode())], ConnectionRefused("sim", told))
    refusal = ConnectionRefused("sim", f"cannot connect to {url}: {told}")
    connector, sink = recorder(refusal, inner, **feed)
    with pytest.raises(ConnectionRefused):
        await connector.connect("sim", url)
    connection = await connector.connect("sim", url)
    await connection.send(spelling)
    await connection.receive()
    with pytest.raises(ConnectionRefused):
        await connection.receive()
    await connection.close()
    assert sink.kinds == ["Refused", "Opened", "Sent", "Got", "Got", "Ended"]
    assert spelling.encode() not in sink.all_bytes()
    refused = sink.records[0]
    assert isinstance(refused, Refused)
    assert refused.detail.endswith(": no: ***")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://venue.test/ws", "wss://venue.test/ws"),
        ("wss://venue.test/ws?streams=a/b&x=1", "wss://venue.test/ws?streams=a/b&x=1"),
        ("wss://me:secret@venue.test:9/ws", "wss://venue.test:9/ws"),
        ("wss://venue.test/ws?token=abc&x=1", "wss://venue.test/ws?token=***&x=1"),
        ("wss://venue.test/?x=1&apiKey=abc", "wss://venue.test/?x=1&apiKey=***"),
        (
            "wss://venue.test/?listenKey=abc&signature=d",
            "wss://venue.test/?listenKey=***&signature=***",
        ),
    ],
)
def test_a_url_is_written_without_what_could_be_a_secret(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
    (connection,) = recorded_connections(plans(url=url))
    assert connection.url.startswith(shown.partition("?")[0].rstrip("/"))
    assert "abc" not in connection.url
    assert "secret" not in connection.url
