"""OKX frames as they are on the wire, and as they should never be."""

import json
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar, flaw
from barsync_async.units import SourceId
from barsync_async.venues.keep_alive import KeepAlive
from barsync_async.venues.okx import OkxCodec, OkxSession
from barsync_async.venues.options import PUBLIC, VenueOptions
from barsync_async.venues.outcomes import (
    Acknowledged,
    GoingAway,
    Received,
    Refusal,
    Rejection,
)

OPEN = 1_597_026_360_000
BTC, ETH, BTC6 = SourceId("BTC/USDT_1m"), SourceId("ethusdt_1m"), SourceId("BTC-USDT_6h")
SOURCES = [BTC, ETH, BTC6]
COLUMNS = ("ts", "o", "h", "l", "c", "vol", "volCcy", "volCcyQuote", "confirm")


def session(*sources: str, url: str | None = None) -> OkxSession:
    names = [SourceId(s) for s in sources] or SOURCES
    return OkxCodec().session(names, VenueOptions(url=url))


def row(**changes: Any) -> list[Any]:
    named = {
        "ts": str(OPEN),
        "o": "8533.02",
        "h": "8553.74",
        "l": "8527.17",
        "c": "8548.26",
        "vol": "45247",
        "volCcy": "529.5858061",
        "volCcyQuote": "5529.5858061",
        "confirm": "1",
    } | changes
    return list(named.values())


def push(*rows: Any, channel: str = "candle1m", inst_id: str = "BTC-USDT") -> str:
    arg = {"channel": channel, "instId": inst_id}
    return json.dumps({"arg": arg, "data": list(rows)}, separators=(",", ":"))


def ack(channel: str = "candle1m", inst_id: str = "BTC-USDT", event: str = "subscribe") -> str:
    arg = {"channel": channel, "instId": inst_id}
    return json.dumps({"id": "1", "event": event, "arg": arg, "connId": "a4d3ae55"})


def error(code: str, msg: str, **more: Any) -> str:
    return json.dumps({"event": "error", "code": code, "msg": msg, "connId": "a4d3ae55"} | more)


def absent(channel: str, inst_id: str) -> str:
    return (
        f"Wrong URL or channel:{channel},instId:{inst_id} doesn't exist. Please use the correct "
        "URL, channel and parameters referring to API document."
    )


def rejected(frame: str | bytes, *sources: str) -> Rejection:
    (item,) = session(*sources).receive(frame)
    assert isinstance(item, Rejection), item
    assert len(item.detail) <= 512
    return item


# Bars


@pytest.mark.parametrize("encode", [str, str.encode])
def test_a_confirmed_candle_is_a_bar_labelled_with_its_close_time(encode: Any) -> None:
    (bar,) = session().receive(encode(push(row())))
    assert bar == Bar("BTC/USDT", "1m", OPEN + 60_000, 8533.02, 8553.74, 8527.17, 8548.26, 45247.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("encode", [str, str.encode])
def test_a_running_candle_is_nothing(encode: Any) -> None:
    assert session().receive(encode(push(row(confirm="0")))) == ()


def test_the_last_running_state_is_not_the_final_bar() -> None:
    one = session()
    assert not one.receive(push(row(confirm="0", vol="45246")))
    (bar,) = one.receive(push(row()))
    assert isinstance(bar, Bar)
    assert bar.volume == 45247


def test_an_empty_bar_is_a_bar() -> None:
    flat = dict.fromkeys("ohlc", "160.36")
    (bar,) = session().receive(push(row(**flat, vol="0", volCcy="0", volCcyQuote="0")))
    assert isinstance(bar, Bar)
    assert bar.volume == 0.0


def test_a_symbol_keeps_the_spelling_of_the_config() -> None:
    for name in ("BTC/USDT", "BTC-USDT", "BTCUSDT", "btcusdt"):
        (bar,) = session(f"{name}_1m").receive(push(row()))
        assert isinstance(bar, Bar)
        assert bar.source == f"{name}_1m"


def test_a_bar_sent_twice_is_told_twice() -> None:
    one = session()
    assert one.receive(push(row())) == one.receive(push(row()))


def test_odd_white_space_changes_nothing() -> None:
    text = json.dumps(json.loads(push(row())), indent=4)
    (bar,) = session().receive(text)
    assert isinstance(bar, Bar)
    assert session().receive(text.replace('"1"', '"0"').encode()) == ()


def test_a_price_of_1_makes_no_candle_final() -> None:
    flat = dict.fromkeys("ohlc", "1")
    assert session().receive(push(row(**flat, confirm="0"))) == ()


def test_columns_may_be_added() -> None:
    (bar,) = session().receive(push([*row(), "new"]))
    assert isinstance(bar, Bar)
    assert session().receive(push([*row(confirm="0"), "1"])) == []


@pytest.mark.parametrize("columns", [0, 1, 6, 7, 8])
def test_a_row_without_confirm_is_refused_for_nobody_knows_whether_it_is_final(
    columns: int,
) -> None:
    assert rejected(push(row()[:columns])).reason == "malformed"


def test_several_rows_are_taken_one_by_one_oldest_first() -> None:
    later = str(OPEN + 60_000)
    rows = [row(ts=later), row(o=None), row(), row()[:7], row(confirm="0")]
    null_price, too_short, *bars = session().receive(push(*rows))
    assert isinstance(null_price, Rejection)
    assert isinstance(too_short, Rejection)
    assert [bar.timestamp - OPEN for bar in bars if isinstance(bar, Bar)] == [60_000, 120_000]


def test_long_bars_are_those_of_utc_and_not_of_hong_kong() -> None:
    opened = OPEN - OPEN % 21_600_000
    (bar,) = session().receive(push(row(ts=str(opened)), channel="candle6Hutc"))
    assert isinstance(bar, Bar)
    assert bar.timestamp == opened + 21_600_000
    assert rejected(push(row(ts=str(opened)), channel="candle6H")).reason == "unknown_source"
    hong_kong = str(opened - 2 * 3_600_000)
    assert rejected(push(row(ts=hong_kong), channel="candle6Hutc")).reason == "invalid"


def test_a_week_opens_on_monday() -> None:
    week, monday = 7 * 86_400_000, 4 * 86_400_000
    (bar,) = session("BTC-USDT_1w").receive(push(row(ts=str(monday)), channel="candle1Wutc"))
    assert isinstance(bar, Bar)
    assert bar.timestamp == monday + week


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ts": str(OPEN + 1)}, "invalid"),
        ({"ts": str(OPEN * 1_000)}, "malformed"),
        ({"ts": "-60000"}, "malformed"),
        ({"ts": "2020-08-10T02:26:00Z"}, "malformed"),
        ({"ts": ""}, "malformed"),
        ({"ts": None}, "malformed"),
        ({"h": "1"}, "invalid"),
        ({"vol": "-1"}, "invalid"),
        ({"c": "nan"}, "invalid"),
        ({"h": "inf"}, "invalid"),
        ({"o": None}, "malformed"),
        ({"o": ""}, "malformed"),
        ({"o": []}, "malformed"),
        ({"o": "1" * 4_000}, "malformed"),
        ({"confirm": "2"}, "malformed"),
        ({"confirm": ""}, "malformed"),
        ({"confirm": 1}, "malformed"),
        ({"confirm": True}, "malformed"),
        ({"confirm": None}, "malformed"),
    ],
)
def test_a_candle_that_cannot_be_is_rejected(changes: dict[str, Any], reason: str) -> None:
    assert rejected(push(row(**changes))).reason == reason


@pytest.mark.parametrize(
    ("channel", "inst_id"),
    [
        ("candle1m", "DOGE-USDT"),
        ("candle1M", "BTC-USDT"),
        ("candle3m", "BTC-USDT"),
        ("candle1m", "btc-usdt"),
        ("candle1m", "BTC-USDT-SWAP"),
    ],
)
def test_a_bar_that_nobody_asked_for_is_rejected(channel: str, inst_id: str) -> None:
    frame = push(row(), channel=channel, inst_id=inst_id)
    assert rejected(frame).reason == "unknown_source"


# Subscriptions


def test_the_sources_are_subscribed_a_hundred_a_request() -> None:
    one = session(*(f"S{n}/USDT_1h" for n in range(250)))
    frames = [json.loads(frame) for frame in one.opening_frames()]
    assert [(frame["id"], len(frame["args"])) for frame in frames] == [
        ("1", 100),
        ("2", 100),
        ("3", 50),
    ]
    assert frames[0]["op"] == "subscribe"
    assert frames[0]["args"][0] == {"channel": "candle1H", "instId": "S0-USDT"}


def test_a_full_connections_requests_are_few_and_short_enough() -> None:
    most = OkxCodec.facts.max_sources
    frames = session(*(f"BTC-USD-250926-{n}-C_12h" for n in range(100_000, 100_000 + most)))
    texts = frames.opening_frames()
    assert len(texts) <= 480
    assert sum(map(len, texts)) <= 80_000
    assert max(map(len, texts)) <= 65_536


def test_each_stream_is_acknowledged_on_its_own() -> None:
    one = session()
    assert one.receive(ack(inst_id="ETH-USDT")) == (Acknowledged((ETH,)),)
    assert one.unacknowledged() == [BTC, BTC6]
    assert one.receive(ack(inst_id="ETH-USDT")) == (Acknowledged(()),)
    assert one.receive(ack("candle6H")) == (Acknowledged(()),)
    assert one.receive(ack("candle6Hutc")) == (Acknowledged((BTC6,)),)
    assert one.unacknowledged() == [BTC]


@pytest.mark.parametrize("number", [{}, {"id": "1"}])
def test_a_bad_symbol_is_refused_alone_and_for_good(number: dict[str, str]) -> None:
    one = session()
    (item,) = one.receive(error("60018", absent("candle1m", "ETH-USDT"), **number))
    assert isinstance(item, Refusal)
    assert (item.sources, item.final) == ((ETH,), True)
    assert item.detail.startswith("error 60018: Wrong URL or channel:candle1m,instId:ETH-USDT")
    for _ in range(100):
        assert one.receive("pong") == ()
    assert one.unacknowledged() == [BTC, BTC6]


def test_older_wordings_of_that_error_name_the_stream_as_well() -> None:
    for text in (
        "channel:candle1m,instId:ETH-USDT doesn't exist",
        "Subscribe failed, wrong URL or channel: candle1m, instId: ETH-USDT doesn't exist.",
    ):
        (item,) = session().receive(error("60018", text))
        assert isinstance(item, Refusal)
        assert (item.sources, item.final) == ((ETH,), True)


def test_an_error_may_hold_the_stream_as_an_argument() -> None:
    arg = {"channel": "candle6Hutc", "instId": "BTC-USDT"}
    (item,) = session().receive(error("60029", "whitelist only", arg=arg))
    assert isinstance(item, Refusal)
    assert (item.sources, item.final) == ((BTC6,), True)


@pytest.mark.parametrize("code", ["60012", "60013", "60027", "60033"])
def test_an_error_that_names_only_our_request_refuses_what_is_left_of_it(code: str) -> None:
    one = session()
    one.receive(ack())
    (item,) = one.receive(error(code, 'Invalid request: {"op"', id="1"))
    assert isinstance(item, Refusal)
    assert (item.sources, item.final) == ((ETH, BTC6), True)
    assert one.unacknowledged() == []


@pytest.mark.parametrize(
    "frame",
    [
        error("60014", "Requests too frequent", id="1"),
        error("63999", "Login failed due to internal error. Please try again later."),
        error("50001", "Service temporarily unavailable", id="1"),
        error("60012", "Invalid request: nonsense"),
        error("60012", "Invalid request: nonsense", id="99"),
        error("60018", absent("candle1m", "NEVER-ASKED"), id="1"),
        '{"event":"error"}',
        '{"event":"channel-conn-count-error","channel":"candle1m","connCount":"30"}',
    ],
)
def test_what_may_pass_or_is_about_nothing_of_ours_is_worth_a_new_connection(frame: str) -> None:
    one = session()
    (item,) = one.receive(frame)
    assert isinstance(item, Refusal)
    assert (item.sources, item.final) == ((), False)
    assert one.unacknowledged() == SOURCES


@pytest.mark.parametrize("code", ["60008", "60028", "64001"])
def test_an_endpoint_without_candles_is_no_use_at_all(code: str) -> None:
    told = "This channel has been migrated to the '/business' URL."
    (item,) = session().receive(error(code, told, id="1"))
    assert item == Refusal(
        (), f"error {code}: This channel has been migrated to the '/business' URL.", final=True
    )


def test_an_announced_service_upgrade_is_told() -> None:
    text = "The connection will soon be closed for a service upgrade. Please reconnect."
    notice = {"event": "notice", "code": "64008", "msg": text, "connId": "a4d3ae55"}
    assert session().receive(json.dumps(notice)) == (GoingAway(text),)


def test_a_ping_follows_fifteen_seconds_of_silence_and_fifteen_more_are_death() -> None:
    assert OkxSession.keep_alive == KeepAlive("ping", every_ms=15_000, only_in_silence=True)
    assert OkxSession.silence_ms == 30_000


# Other frames


@pytest.mark.parametrize(
    "frame",
    [
        "pong",
        b"pong",
        ack(event="unsubscribe"),
        '{"event":"login","code":"0","msg":""}',
        '{"event":"channel-conn-count","channel":"candle1m","connCount":"2","connId":"a"}',
        '{"event":"notice","code":"1","msg":"something else"}',
        '{"event":"something new"}',
        '{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"last":"1"}]}',
        '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[["1","0","1"]]}',
        '{"arg":{"channel":"index-candle1m","instId":"BTC-USD"},"data":[["1","1","1","1","1","1"]]}',
        '{"arg":{"channel":"account","uid":7},"data":[]}',
    ],
)
def test_a_bare_pong_other_channels_and_unknown_events_are_passed_over(frame: str | bytes) -> None:
    assert session().receive(frame) == ()


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "ping",
        "Pong",
        "pong\n",
        "{",
        "[]",
        "null",
        "7",
        "{}",
        '{"foo":"1"}',
        '{"event":7}',
        '{"event":"error","code":7}',
        '{"arg":null}',
        '{"arg":7}',
        '{"arg":{}}',
        '{"arg":{"channel":7}}',
        '{"arg":{"channel":"candle1m","instId":"BTC-USDT"}}',
        push(),
        push(7),
        push({}),
        push("1"),
        '{"data":[["1","1","1","1","1","1","1","1","0"]]}',
        '{"data":[["1","1","1","1","1","1","1","1","1"]]}',
        b"\x00\x01\xff\xfe",
        b'{"event":"\xff"}',
        '{"data":' + "[" * 50_000,
        '{"unknown":' + "[" * 30_000 + "]" * 30_000 + "}",
        push(row()).replace('"45247"', "[" * 20_000 + "]" * 20_000),
        '{"event":NaN}',
        "\ud800",
        '\ud800"1"]]}',
    ],
)
def test_what_is_no_message_is_rejected(frame: str | bytes) -> None:
    assert rejected(frame).reason == "malformed"


def test_a_megabyte_is_not_even_parsed() -> None:
    assert rejected(b"[" * 1_000_000).reason == "oversized"


@pytest.mark.parametrize("unit", ["{}", "7", "null", "[]", json.dumps(row()), '["0"]'])
def test_no_frame_costs_more_than_ten_megabytes_or_a_hundred_outcomes(unit: str) -> None:
    one = session()
    head = '{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":['
    frame = head + ",".join([unit] * (65_000 // (len(unit) + 1))) + "]}"
    tracemalloc.start()
    try:
        items = one.receive(frame)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000
    assert len(items) <= 100


# The codec


@pytest.mark.parametrize(
    ("timeframe", "channel"),
    [
        ("1s", "candle1s"),
        ("1m", "candle1m"),
        ("30m", "candle30m"),
        ("1h", "candle1H"),
        ("4h", "candle4H"),
        ("6h", "candle6Hutc"),
        ("12h", "candle12Hutc"),
        ("1d", "candle1Dutc"),
        ("1w", "candle1Wutc"),
    ],
)
def test_channels_are_case_sensitive_and_the_long_ones_are_those_of_utc(
    timeframe: str, channel: str
) -> None:
    source = SourceId(f"BTC/USDT_{timeframe}")
    assert OkxCodec().supports(source, PUBLIC) is None
    assert OkxCodec().stream(source) == f"{channel} BTC-USDT"


def test_other_timeframes_are_not_offered_whatever_the_url() -> None:
    for options in (PUBLIC, VenueOptions(url="ws://127.0.0.1:9001")):
        for name in ("5s", "8h"):
            reason = OkxCodec().supports(SourceId(f"BTC/USDT_{name}"), options)
            assert f"no {name} candles" in (reason or "")


def test_what_is_no_pair_is_not_supported() -> None:
    assert "BTC-USDT" in (OkxCodec().supports(SourceId("SPY_1m"), PUBLIC) or "")


def test_all_spellings_of_a_pair_are_one_stream() -> None:
    names = ("BTC/USDT", "BTC-USDT", "BTCUSDT", "btcusdt")
    streams = {OkxCodec().stream(SourceId(f"{name}_5m")) for name in names}
    assert streams == {"candle5m BTC-USDT"}


@pytest.mark.parametrize("symbol", ["BTC-USDT-SWAP", "BTC-USD-250926", "BTC-USD-250926-100000-C"])
def test_a_derivative_is_called_as_the_venue_calls_it(symbol: str) -> None:
    assert OkxCodec().stream(SourceId(f"{symbol}_1m")) == f"candle1m {symbol}"


def test_a_bare_address_gets_the_business_endpoint_and_a_path_is_kept() -> None:
    assert session(url="ws://h:1").url == "ws://h:1/ws/v5/business"
    assert session(url="ws://h:1/").url == "ws://h:1/ws/v5/business"
    assert session(url="ws://h:1/own").url == "ws://h:1/own"
    assert session().url == "wss://ws.okx.com:8443/ws/v5/business"


# Whatever comes


def check(items: Sequence[Received]) -> None:
    for item in items:
        assert isinstance(item, Bar | Rejection | Refusal | Acknowledged | GoingAway)
        if isinstance(item, Bar):
            assert flaw(item) is None
            assert item.source in SOURCES
        if isinstance(item, Rejection | Refusal | GoingAway):
            assert len(item.detail) <= 512


FRAMES = [
    push(row()),
    push(row(confirm="0")),
    push(row(), row()),
    ack(),
    error("60018", absent("candle1m", "ETH-USDT")),
]
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["nan", "-inf", "1e400", "1e308", "0x1", "1", "0"])
    | st.lists(st.integers(), max_size=2)
)


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_no_frame_makes_it_raise(frame: str | bytes) -> None:
    check(session().receive(frame))


@given(st.sampled_from(FRAMES), st.integers(0, 300), st.integers(0, 9), st.binary(max_size=9))
def test_a_piece_cut_out_or_put_in_never_makes_it_raise(
    text: str, place: int, length: int, piece: bytes
) -> None:
    frame = text.encode()
    check(session().receive(frame[:place] + piece + frame[place + length :]))


@given(st.dictionaries(st.sampled_from(COLUMNS), values, max_size=4))
def test_a_candle_with_any_values_is_a_sound_bar_or_no_bar(changes: Any) -> None:
    check(session().receive(push(row(**changes))))
    check(session().receive(push(row(**changes), row())))


fields = ("arg", "data", "event", "code", "msg", "id", "channel")
words = st.sampled_from(["subscribe", "error", "notice", "60018", "64008", "1"])
args = st.fixed_dictionaries({"channel": st.sampled_from(["candle1m", ""]), "instId": st.text()})


@given(st.lists(st.dictionaries(st.sampled_from(fields), values | words | args), max_size=5))
def test_answers_with_any_values_never_make_it_raise(answers: list[Any]) -> None:
    one = session()
    for each in answers:
        check(one.receive(json.dumps(each)))
    assert set(one.unacknowledged()) <= set(SOURCES)
