"""Binance frames as they are on the wire, and as they should never be."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.units import SourceId
from barsync_async.venues.binance import BinanceCodec, BinanceSession
from barsync_async.venues.options import PUBLIC, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, GoingAway, Refusal, Rejection

OPEN = 1_672_515_780_000
SOURCES = [SourceId("BTCUSDT_1m"), SourceId("ETH/USDT_1m"), SourceId("BTCUSDT_5m")]


def session(*sources: str, url: str = "ws://127.0.0.1:9001") -> BinanceSession:
    return BinanceCodec().session([SourceId(s) for s in sources] or SOURCES, VenueOptions(url=url))


def kline(**changes: Any) -> dict[str, Any]:
    k = {
        "t": OPEN,
        "T": OPEN + 59_999,
        "s": "BTCUSDT",
        "i": "1m",
        "f": 100,
        "L": 200,
        "o": "0.0010",
        "c": "0.0020",
        "h": "0.0025",
        "l": "0.0005",
        "v": "1000",
        "n": 100,
        "x": True,
        "q": "1.0000",
        "V": "500",
        "Q": "0.500",
        "B": "123456",
    }
    return {"e": "kline", "E": OPEN + 60_001, "s": "BTCUSDT", "k": k | changes}


def combined(payload: dict[str, Any]) -> str:
    return json.dumps({"stream": "btcusdt@kline_1m", "data": payload})


def rejected(frame: str | bytes, *sources: str) -> Rejection:
    (item,) = session(*sources).receive(frame)
    assert isinstance(item, Rejection), item
    assert len(item.detail) <= 512
    return item


@pytest.mark.parametrize("wrap", [json.dumps, combined])
def test_a_closed_kline_is_a_bar_labelled_with_its_close_time(wrap: Any) -> None:
    (bar,) = session().receive(wrap(kline()))
    assert bar == Bar("BTCUSDT", "1m", OPEN + 60_000, 0.001, 0.0025, 0.0005, 0.002, 1000.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrap", [json.dumps, combined])
def test_a_running_kline_is_nothing(wrap: Any) -> None:
    assert session().receive(wrap(kline(x=False))) == ()


def test_odd_white_space_and_bytes_are_read_like_any_json() -> None:
    text = json.dumps(kline()).replace('"T"', ' \n "T" ').replace('"x": true', '"x"  :\ttrue')
    (bar,) = session().receive(text.encode())
    assert isinstance(bar, Bar)


def test_an_empty_bar_is_a_bar() -> None:
    same = dict.fromkeys("ohlc", "0.5")
    (bar,) = session().receive(combined(kline(**same, v="0.0", n=0, f=-1, L=-1)))
    assert isinstance(bar, Bar)
    assert bar.volume == 0.0


def test_a_symbol_keeps_the_spelling_of_the_config() -> None:
    (bar,) = session().receive(combined(kline(s="ETHUSDT")))
    assert isinstance(bar, Bar)
    assert (bar.symbol, bar.source) == ("ETH/USDT", "ETH/USDT_1m")


def test_a_week_opens_on_monday_and_is_as_long_as_it_should_be() -> None:
    week = 7 * 86_400_000
    opened = 4 * 86_400_000
    frame = combined(kline(i="1w", t=opened, T=opened + week - 1))
    (bar,) = session("BTCUSDT_1w").receive(frame)
    assert isinstance(bar, Bar)
    assert bar.timestamp == opened + week


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"s": "DOGEUSDT"}, "unknown_source"),
        ({"i": "3m"}, "unknown_source"),
        ({"T": OPEN + 60_000}, "invalid"),
        ({"t": OPEN * 1_000, "T": (OPEN + 60_000) * 1_000 - 1}, "malformed"),
        ({"t": -1}, "malformed"),
        ({"t": "yesterday"}, "malformed"),
        ({"t": 1.5}, "malformed"),
        ({"h": "0.0001"}, "invalid"),
        ({"l": "0.0011"}, "invalid"),
        ({"v": "-1"}, "invalid"),
        ({"c": "nan"}, "invalid"),
        ({"h": "inf"}, "invalid"),
        ({"v": "Infinity"}, "invalid"),
        ({"o": None}, "malformed"),
        ({"o": ""}, "malformed"),
        ({"o": "1_0"}, "malformed"),
        ({"o": []}, "malformed"),
        ({"o": "1" * 4_000}, "malformed"),
        ({"x": 1}, "malformed"),
        ({"x": "true"}, "malformed"),
        ({"s": "B" * 65}, "malformed"),
    ],
)
def test_a_kline_that_cannot_be_is_rejected(changes: dict[str, Any], reason: str) -> None:
    assert rejected(combined(kline(**changes))).reason == reason
    assert rejected(json.dumps(kline(**changes))).reason == reason


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "pong",
        "{",
        '{"e":"kline"}',
        '{"e":"kline","k":null}',
        '{"e":"kline","k":{}}',
        "[]",
        "null",
        "7",
        "{}",
        '{"foo":1}',
        b"\x00\x01\xff\xfe",
        b'{"e":"\xff"}',
        '{"k":' + "[" * 50_000,
        '{"unknown":' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"id":' + "9" * 4_000 + "}",
        '{"e":NaN}',
        '{"e":"kline","k":{"x":true}}',
        "\ud800",
    ],
)
def test_what_is_no_message_is_rejected_as_malformed(frame: str | bytes) -> None:
    assert rejected(frame).reason in ("malformed", "oversized")


def test_a_megabyte_is_not_even_parsed() -> None:
    assert rejected(b"[" * 1_000_000).reason == "oversized"


def test_other_channels_events_are_passed_over() -> None:
    one = session()
    assert one.receive('{"stream":"a@bookTicker","data":{"u":1,"s":"A"}}') == ()
    assert one.receive('{"stream":"a@depth","data":{"e":"depthUpdate","b":[["1","2"]]}}') == ()
    assert one.receive('{"e":"aggTrade","s":"A"}') == ()


def test_the_sources_are_subscribed_a_hundred_a_frame_and_acknowledged() -> None:
    sources = [f"S{n}_1m" for n in range(250)]
    one = session(*sources)
    frames = [json.loads(frame) for frame in one.opening_frames()]
    assert [len(frame["params"]) for frame in frames] == [100, 100, 50]
    assert frames[0]["method"] == "SUBSCRIBE"
    assert frames[0]["params"][0] == "s0@kline_1m"
    assert one.receive('{"result":null,"id":2}') == (
        Acknowledged(tuple(SourceId(s) for s in sources[100:200])),
    )
    assert one.unacknowledged() == sources[:100] + sources[200:]
    assert one.receive('{"result":null,"id":2}') == (Acknowledged(()),)


@pytest.mark.parametrize(
    "frame",
    [
        '{"error":{"code":2,"msg":"Invalid request: bad"},"id":1}',
        '{"code":2,"msg":"Invalid request: bad","id":1}',
    ],
)
def test_an_error_for_our_request_is_a_final_refusal(frame: str) -> None:
    one = session()
    assert one.receive(frame) == (
        Refusal(tuple(SOURCES), "error 2: Invalid request: bad", final=True),
    )
    assert one.unacknowledged() == []


def test_an_error_for_nothing_of_ours_is_no_final_refusal() -> None:
    (item,) = session().receive('{"error":{"code":3,"msg":"Invalid JSON"},"id":"x"}')
    assert item == Refusal((), "error 3: Invalid JSON", final=False)


def test_a_long_error_is_cut() -> None:
    (item,) = session().receive(json.dumps({"code": 2, "msg": "x" * 5_000}))
    assert isinstance(item, Refusal)
    assert len(item.detail) <= 512


@pytest.mark.parametrize(
    "frame",
    ['{"e":"serverShutdown","E":1}', '{"stream":"!serverShutdown","data":{"e":"serverShutdown"}}'],
)
def test_an_announced_shutdown_is_told(frame: str) -> None:
    (item,) = session().receive(frame)
    assert isinstance(item, GoingAway)


def test_a_bare_address_gets_the_combined_stream_and_a_path_is_kept() -> None:
    assert session(url="ws://h:1").url == "ws://h:1/stream"
    assert session(url="ws://h:1/").url == "ws://h:1/stream"
    assert session(url="ws://h:1/ws").url == "ws://h:1/ws"
    assert BinanceCodec().session(SOURCES, PUBLIC).url == "wss://data-stream.binance.vision/stream"


def test_only_a_server_of_ones_own_has_5s_klines() -> None:
    codec = BinanceCodec()
    assert "no 5s klines" in (codec.supports(SourceId("SPY_5s"), PUBLIC) or "")
    assert codec.supports(SourceId("SPY_5s"), VenueOptions(url="ws://127.0.0.1:9001")) is None
    assert codec.supports(SourceId("BTCUSDT_1m"), PUBLIC) is None


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(frame: bytes) -> None:
    for item in session().receive(frame):
        assert isinstance(item, Rejection | Refusal | Acknowledged | GoingAway)


@given(
    st.dictionaries(
        st.sampled_from(list(kline()["k"])),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters(codec="ascii"), max_size=20)
        | st.sampled_from(["nan", "-inf", "1e400", "1e308", "0x1"])
        | st.lists(st.integers(), max_size=2),
        max_size=4,
    ),
    st.sampled_from([json.dumps, combined]),
)
def test_a_kline_with_any_values_is_a_sound_bar_or_no_bar(changes: Any, wrap: Any) -> None:
    for item in session().receive(wrap(kline(**changes))):
        if isinstance(item, Bar):
            assert item.low <= min(item.open, item.close)
            assert max(item.open, item.close) <= item.high
            assert math.isfinite(item.low)
            assert math.isfinite(item.high)
            assert 0 <= item.volume < math.inf
