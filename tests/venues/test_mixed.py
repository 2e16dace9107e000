"""Arrays of mixed messages: what is kept, what is passed over, and what a frame may cost."""

import tracemalloc
from collections.abc import Iterator

import msgspec
import pytest

from barsync_async.units import SourceId
from barsync_async.venues import CODECS
from barsync_async.venues.fields import MAX_FRAME_BYTES
from barsync_async.venues.mixed import MAX_MIXED_BYTES, MixedFrames
from barsync_async.venues.options import Credentials, VenueOptions
from barsync_async.venues.outcomes import Rejection


class One(msgspec.Struct, tag_field="T", tag="one"):
    n: int


class Two(msgspec.Struct, tag_field="T", tag="two"):
    n: int = 0


FRAMES: MixedFrames[One | Two] = MixedFrames(
    msgspec.json.Decoder(list[One | Two]),
    msgspec.json.Decoder(One | Two),
    field="T",
    kinds=frozenset({"one", "two"}),
)
OPTIONS = VenueOptions(credentials=Credentials("key", "secret"))
BAR = {
    "alpaca": '{"T":"b","S":"SPY","o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,'
    '"t":"2021-02-22T19:15:00Z"}',
    "polygon": '{"ev":"AM","sym":"SPY","v":10204,"o":114.11,"c":114.14,"h":114.19,"l":114.09,'
    '"s":1536036780000,"e":1536036840000}',
}
HOSTILE = [
    "",
    "pong",
    "[",
    "[{",
    "{}",
    "null",
    "7",
    '"[]"',
    "[null]",
    "[7]",
    "[[]]",
    "[{}]",
    '[{"T":null}]',
    '[{"T":"b"}]',
    '[{"ev":"AM"}]',
    '[{"T":"error"}]',
    '[{"ev":"status"}]',
    '[{"T":"b","o":NaN}]',
    '[{"T":"b","o":1e999}]',
    "[" * 50_000,
    '[{"a":' * 8_000,
    '[{"x":' + "[" * 30_000 + "]" * 30_000 + "}]",
    '[{"T":' + "9" * 40_000 + "}]",
    '[{"T":"b","S":"\\ud800"}]',
    "\ud800",
    '[{"T":"\ud800"}]',
    b"\x00\x01\xff\xfe",
    b'[{"T":"\xff"}]',
]
COSTLY = {
    "numbers": "[" + "1," * 524_000 + "1]",
    "nothings": "[" + "{}," * 300_000 + "{}]",
    "kinds": "[" + '{"T":"x"},' * 100_000 + '{"T":"x"}]',
    "few of the kinds": "[" + '{"T":"x","ev":"x"},' * 9_000 + "{}]",
    "broken": "[" + '{"T":"b","ev":"AM"},' * 9_000 + "{}]",
    "arrays": "[" + "[]," * 340_000 + "[]]",
    "open arrays": "[" * 1_000_000,
    "text": '["' + "x" * 1_000_000 + '"]',
    "a symbol": '[{"T":"b","ev":"AM","S":"' + "x" * 1_000_000 + '"}]',
    "fields": "[{" + '"abcde":1,' * 100_000 + '"T":"b"}]',
    "impossible": "[" + '{"T":"b","ev":"AM","S":"SPY","sym":"SPY","s":0,"t":"1970-01-01T00:00:00Z",'
    '"o":1,"h":0,"l":1,"c":1,"v":1},' * 9_000 + "1]",
    "too long": "[" * (MAX_MIXED_BYTES + 1),
}


@pytest.fixture(params=["alpaca", "alpaca_crypto", "polygon"])
def venue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def received(venue: str, frame: str | bytes) -> list[object]:
    return list(CODECS[venue].session([SourceId("SPY_1m")], OPTIONS).receive(frame))


def test_messages_keep_their_order_and_unknown_kinds_are_passed_over() -> None:
    frame = '[{"T":"two","n":1},{"n":2,"T":"one"},{"T":"three","n":null},{"T":"two"}]'
    assert FRAMES.read(frame) == [Two(1), One(2), Two()]


def test_a_broken_message_is_shown_by_itself() -> None:
    first, broken, last = FRAMES.read('[{"T":"one","n":1},{"T":"one"},{"T":"one","n":3}]')
    assert (first, last) == (One(1), One(3))
    assert isinstance(broken, Rejection)
    assert broken.detail.endswith(': {"T":"one"}')


def test_after_a_hundred_broken_messages_the_rest_is_not_read() -> None:
    items = FRAMES.read("[" + '{"T":"one"},' * 500 + '{"T":"one","n":3}]')
    assert len(items) == 101
    assert items[-1] == Rejection("malformed", "the rest of the frame was not read")


def test_an_empty_array_is_nothing(venue: str) -> None:
    assert received(venue, "[]") == []


@pytest.mark.parametrize("frame", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_message_is_rejected(venue: str, frame: str | bytes) -> None:
    for each in (frame, frame if isinstance(frame, bytes) else frame.encode(errors="replace")):
        for item in received(venue, each):
            assert isinstance(item, Rejection)
            assert item.reason in ("malformed", "oversized")
            assert len(item.detail) <= 512


def test_the_bars_of_thousands_of_symbols_may_come_in_one_frame() -> None:
    for name, text in BAR.items():
        frame = "[" + ",".join([text] * 5_000) + "]"
        assert len(frame) > MAX_FRAME_BYTES
        assert len(received(name, frame)) == 5_000


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("name", COSTLY)
def test_no_frame_costs_ten_megabytes(name: str, venue: str, traced: None) -> None:
    session = CODECS[venue].session([SourceId("SPY_1m")], OPTIONS)
    for frame in (COSTLY[name], COSTLY[name].encode()):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        assert len(session.receive(frame)) <= 10_000
        assert tracemalloc.get_traced_memory()[1] - before < 10_000_000
