"""Bybit frames as they are on the wire, and as they should never be."""

import json
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar, flaw
from barsync_async.units import SourceId
from barsync_async.venues.bybit import BybitCodec, BybitSession
from barsync_async.venues.keep_alive import KeepAlive
from barsync_async.venues.options import PUBLIC, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, Received, Refusal, Rejection, Reply

OPEN = 1_672_324_800_000
BTC, ETH, BTC5 = SourceId("BTC/USDT_1m"), SourceId("eth-usdt_1m"), SourceId("BTCUSDT_5m")
SOURCES = [BTC, ETH, BTC5]


def session(*sources: str, url: str | None = None) -> BybitSession:
    names = [SourceId(s) for s in sources] or SOURCES
    return BybitCodec().session(names, VenueOptions(url=url))


def kline(**changes: Any) -> dict[str, Any]:
    return {
        "start": OPEN,
        "end": OPEN + 59_999,
        "interval": "1",
        "open": "16649.5",
        "close": "16677",
        "high": "16677.5",
        "low": "16608",
        "volume": "2.081",
        "turnover": "34666.4005",
        "confirm": True,
        "timestamp": OPEN + 59_004,
    } | changes


def push(*klines: Any, topic: str = "kline.1.BTCUSDT") -> str:
    return json.dumps(
        {"topic": topic, "data": list(klines), "ts": OPEN + 60_185, "type": "snapshot"}
    )


def answer(number: str | None = "1", text: str = "", *, success: bool = True, **more: Any) -> str:
    told = {"success": success, "ret_msg": text, "conn_id": "d97jphrgig3od7574usg-6a3m1"}
    named = {} if number is None else {"req_id": number}
    return json.dumps({**told, **named, "op": "subscribe", **more})


def refused(text: str, number: str | None = "1") -> str:
    return answer(number, text, success=False)


def rejected(frame: str | bytes, *sources: str) -> Rejection:
    (item,) = session(*sources).receive(frame)
    assert isinstance(item, Rejection), item
    assert len(item.detail) <= 512
    return item


def asked(items: Sequence[Received]) -> list[tuple[str, list[str]]]:
    requests = [json.loads(item.text) for item in items if isinstance(item, Reply)]
    return [(request["req_id"], request["args"]) for request in requests]


# Bars


@pytest.mark.parametrize("encode", [str, str.encode])
def test_a_confirmed_kline_is_a_bar_labelled_with_its_close_time(encode: Any) -> None:
    (bar,) = session().receive(encode(push(kline())))
    assert bar == Bar("BTC/USDT", "1m", OPEN + 60_000, 16649.5, 16677.5, 16608.0, 16677.0, 2.081)  # type: ignore[arg-type]


@pytest.mark.parametrize("encode", [str, str.encode])
def test_a_running_kline_is_nothing(encode: Any) -> None:
    assert session().receive(encode(push(kline(confirm=False)))) == ()


def test_the_last_running_state_is_not_the_final_bar() -> None:
    one = session()
    assert not one.receive(push(kline(confirm=False, volume="2.080")))
    (bar,) = one.receive(push(kline(volume="2.081")))
    assert isinstance(bar, Bar)
    assert bar.volume == 2.081


def test_the_symbol_stands_in_the_topic_alone() -> None:
    (bar,) = session().receive(push(kline(symbol="DOGEUSDT"), topic="kline.1.ETHUSDT"))
    assert isinstance(bar, Bar)
    assert bar.source == ETH


def test_the_last_trades_moment_is_not_looked_at() -> None:
    for moment in (0, OPEN * 1_000, None, "now"):
        (bar,) = session().receive(push(kline(timestamp=moment)))
        assert isinstance(bar, Bar)
        assert bar.timestamp == OPEN + 60_000


def test_an_empty_bar_is_a_bar() -> None:
    flat = dict.fromkeys(("open", "high", "low", "close"), "16677")
    (bar,) = session().receive(push(kline(**flat, volume="0", turnover="0")))
    assert isinstance(bar, Bar)
    assert bar.volume == 0.0


def test_a_symbol_keeps_the_spelling_of_the_config() -> None:
    for name in ("BTC/USDT", "BTC-USDT", "BTCUSDT", "btcusdt"):
        (bar,) = session(f"{name}_1m").receive(push(kline()))
        assert isinstance(bar, Bar)
        assert bar.source == f"{name}_1m"


def test_a_bar_sent_twice_is_told_twice() -> None:
    one = session()
    assert one.receive(push(kline())) == one.receive(push(kline()))


def test_bars_of_two_symbols_come_in_whatever_order() -> None:
    one = session()
    later = kline(start=OPEN + 60_000, end=OPEN + 119_999)
    (first,) = one.receive(push(later, topic="kline.1.ETHUSDT"))
    (second,) = one.receive(push(kline()))
    assert isinstance(first, Bar)
    assert isinstance(second, Bar)
    assert first.timestamp > second.timestamp


def test_the_flag_is_found_wherever_it_stands() -> None:
    first = {"confirm": True} | kline()
    text = json.dumps({"data": [first], "topic": "kline.1.BTCUSDT", "more": "x" * 500}, indent=4)
    (bar,) = session().receive(text.replace('"confirm": true', '"confirm"\n:\ttrue'))
    assert isinstance(bar, Bar)


def test_the_word_true_elsewhere_makes_no_bar_final() -> None:
    running = push(kline(confirm=False, note="true"))
    assert session().receive(running) == []
    assert session().receive(running.replace('"type"', '"true":true,"type"')) == []


def test_several_klines_are_taken_one_by_one_oldest_first() -> None:
    later = kline(start=OPEN + 60_000, end=OPEN + 119_999)
    wrong, *bars = session().receive(
        push(later, kline(open=None), kline(), kline(confirm=False, start=OPEN + 120_000))
    )
    assert isinstance(wrong, Rejection)
    assert [bar.timestamp - OPEN for bar in bars if isinstance(bar, Bar)] == [60_000, 120_000]


def test_a_week_opens_on_monday_and_a_month_is_none_of_ours() -> None:
    week, monday = 7 * 86_400_000, 4 * 86_400_000
    frame = push(kline(start=monday, end=monday + week - 1), topic="kline.W.BTCUSDT")
    (bar,) = session("BTCUSDT_1w").receive(frame)
    assert isinstance(bar, Bar)
    assert bar.timestamp == monday + week
    thursday = push(kline(start=0, end=week - 1), topic="kline.W.BTCUSDT")
    assert rejected(thursday, "BTCUSDT_1w").reason == "invalid"
    assert rejected(push(kline(), topic="kline.M.BTCUSDT"), "BTCUSDT_1m").reason == "unknown_source"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"end": OPEN + 60_000}, "invalid"),
        ({"start": OPEN + 1_000, "end": OPEN + 60_999}, "invalid"),
        ({"end": OPEN + 299_999}, "invalid"),
        ({"start": OPEN * 1_000, "end": (OPEN + 60_000) * 1_000 - 1}, "malformed"),
        ({"start": OPEN // 1_000, "end": OPEN // 1_000 + 59}, "invalid"),
        ({"start": -1}, "malformed"),
        ({"start": "yesterday"}, "malformed"),
        ({"start": "2022-12-29T14:40:00Z"}, "malformed"),
        ({"end": 1.5}, "malformed"),
        ({"end": None}, "malformed"),
        ({"high": "1"}, "invalid"),
        ({"volume": "-1"}, "invalid"),
        ({"close": "nan"}, "invalid"),
        ({"high": "inf"}, "invalid"),
        ({"open": None}, "malformed"),
        ({"open": ""}, "malformed"),
        ({"open": []}, "malformed"),
        ({"open": "1" * 4_000}, "malformed"),
        ({"confirm": 1}, "malformed"),
        ({"confirm": "true"}, "malformed"),
        ({"confirm": None}, "malformed"),
    ],
)
def test_a_kline_that_cannot_be_is_rejected(changes: dict[str, Any], reason: str) -> None:
    assert rejected(push(kline(**changes))).reason == reason


def test_moments_as_whole_decimals_are_read() -> None:
    (bar,) = session().receive(push(kline(start=float(OPEN), end=float(OPEN + 59_999))))
    assert isinstance(bar, Bar)
    assert bar.timestamp == OPEN + 60_000


@pytest.mark.parametrize(
    "topic", ["kline.1.DOGEUSDT", "kline.3.BTCUSDT", "kline.1.btcusdt", "kline."]
)
def test_a_bar_that_nobody_asked_for_is_rejected(topic: str) -> None:
    assert rejected(push(kline(), topic=topic)).reason == "unknown_source"


# Subscriptions


def test_the_sources_are_subscribed_ten_a_request() -> None:
    one = session(*(f"S{n}USDT_1m" for n in range(25)))
    frames = [json.loads(frame) for frame in one.opening_frames()]
    assert [(frame["req_id"], len(frame["args"])) for frame in frames] == [
        ("1", 10),
        ("2", 10),
        ("3", 5),
    ]
    assert frames[2]["op"] == "subscribe"
    assert frames[2]["args"][-1] == "kline.1.S24USDT"
    assert one.opening_frames() == one.opening_frames()


def test_all_topics_of_a_full_connection_fit_into_the_venues_21_000_characters() -> None:
    longest = len("kline.240.1000000BABYDOGEUSDT-26DEC25")
    assert BybitCodec.facts.max_sources * (longest + len('"",')) <= 21_000


@pytest.mark.parametrize("text", ["", "subscribe"])
def test_a_request_is_acknowledged_as_a_whole(text: str) -> None:
    one = session(*(f"S{n}USDT_1m" for n in range(11)))
    assert one.receive(answer("2", text)) == [Acknowledged((SourceId("S10USDT_1m"),))]
    assert len(one.unacknowledged()) == 10
    assert one.receive(answer("2", text)) == [Acknowledged(())]


def test_an_answer_to_no_request_of_ours_acknowledges_nothing() -> None:
    one = session()
    assert one.receive(answer("sub-orderbook-1")) == [Acknowledged(())]
    assert one.receive(answer(None)) == [Acknowledged(())]
    assert one.unacknowledged() == SOURCES


@pytest.mark.parametrize(
    "text",
    [
        "Invalid symbol :[kline.1.ETHUSDT]",
        "Invalid kline type :[kline.1.ETHUSDT]",
        "error:handler not found,topic:kline.1.ETHUSDT",
        "Invalid topic: kline.1.ETHUSDT",
    ],
)
@pytest.mark.parametrize("number", ["1", None])
def test_one_bad_topic_takes_its_request_along_and_the_others_are_asked_for_again(
    text: str, number: str | None
) -> None:
    one = session()
    refusal, *replies = one.receive(refused(text, number))
    assert refusal == Refusal((ETH,), text, final=True)
    assert asked(replies) == [("2", ["kline.1.BTCUSDT", "kline.5.BTCUSDT"])]
    assert one.unacknowledged() == [BTC, BTC5]
    assert one.receive(answer("2")) == [Acknowledged((BTC, BTC5))]
    assert one.unacknowledged() == []


def test_without_a_name_the_bad_topic_is_looked_for_by_halves() -> None:
    one = session()
    items = one.receive(refused("no such thing"))
    assert asked(items) == [
        ("2", ["kline.1.BTCUSDT"]),
        ("3", ["kline.1.ETHUSDT", "kline.5.BTCUSDT"]),
    ]
    assert one.receive(answer("2")) == [Acknowledged((BTC,))]
    assert asked(one.receive(refused("no such thing", "3")))[0] == ("4", ["kline.1.ETHUSDT"])
    assert one.receive(refused("no such thing", "4")) == [
        Refusal((ETH,), "no such thing", final=True)
    ]
    assert one.unacknowledged() == [BTC5]


def test_what_is_subscribed_already_is_as_good_as_acknowledged() -> None:
    one = session()
    items = one.receive(refused("error:already subscribed,topic:kline.1.BTCUSDT"))
    assert items[0] == Acknowledged((BTC,))
    assert asked(items) == [("2", ["kline.1.ETHUSDT", "kline.5.BTCUSDT"])]


@pytest.mark.parametrize("confirm", [True, False])
def test_a_topics_bar_stands_for_the_answer_that_the_spot_market_never_gives_again(
    confirm: bool,
) -> None:
    one = session()
    one.receive(push(kline(confirm=confirm)))
    assert one.unacknowledged() == [ETH, BTC5]
    assert one.receive(answer("1")) == [Acknowledged((ETH, BTC5))]


@pytest.mark.parametrize(
    "frame",
    [
        refused("Too many requests. Please try again later."),
        refused("internal error"),
        refused("kline.1.ETHUSDT: service unavailable"),
        refused("no such thing", "99"),
        refused("no such thing", None),
        refused("Invalid symbol :[kline.1.NEVERASKED]", None),
        '{"success":false,"ret_msg":"error:Invalid op","op":"nonsense"}',
        '{"success":false,"ret_msg":"Params Error","op":""}',
        '{"success":false}',
    ],
)
def test_what_may_pass_or_is_about_nothing_of_ours_is_worth_a_new_connection(frame: str) -> None:
    one = session()
    (item,) = one.receive(frame)
    assert isinstance(item, Refusal)
    assert (item.sources, item.final) == ((), False)
    assert one.unacknowledged() == SOURCES


def test_a_topics_own_name_does_not_make_its_refusal_a_passing_one() -> None:
    one = session("BUSYUSDT_1m")
    (item,) = one.receive(refused("Invalid symbol :[kline.1.BUSYUSDT]"))
    assert isinstance(item, Refusal)
    assert item.final


def test_wrong_credentials_are_final() -> None:
    frame = '{"op":"auth","success":false,"retCode":10003,"retMsg":"Invalid apikey"}'
    assert session().receive(frame) == (Refusal((), "error 10003: Invalid apikey", final=True),)


def test_a_refused_symbol_stays_silent_while_pongs_go_on() -> None:
    one = session("NOPE/USDT_1m")
    one.receive(refused("Invalid symbol :[kline.1.NOPEUSDT]"))
    for _ in range(100):
        assert one.receive('{"success":true,"ret_msg":"pong","conn_id":"x","op":"ping"}') == ()
    assert one.unacknowledged() == []


def test_the_client_pings_every_twenty_seconds_and_two_lost_pongs_are_death() -> None:
    assert BybitSession.keep_alive == KeepAlive('{"op":"ping"}', every_ms=20_000)
    assert BybitSession.silence_ms == 45_000


# Other frames


@pytest.mark.parametrize(
    "frame",
    [
        '{"success":true,"ret_msg":"pong","conn_id":"x","req_id":"p1","op":"ping"}',
        '{"op":"pong","args":["1672304486000"],"conn_id":"x"}',
        '{"op":"auth","success":true,"retCode":0,"retMsg":""}',
        '{"success":true,"ret_msg":"unsubscribe","op":"unsubscribe"}',
        '{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT"}}',
        '{"topic":"tickers.BTCUSDT","data":true}',
        '{"topic":"publicTrade.BTCUSDT","data":[{"T":1,"s":"BTCUSDT","BT":true}]}',
        '{"topic":"something new"}',
    ],
)
def test_other_channels_events_and_unknown_types_are_passed_over(frame: str) -> None:
    assert session().receive(frame) == ()


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "pong",
        "{",
        "[]",
        "null",
        "true",
        "7",
        "{}",
        '{"foo":true}',
        '{"topic":7}',
        '{"topic":"kline.1.BTCUSDT"}',
        '{"topic":"kline.1.BTCUSDT","data":null}',
        '{"topic":"kline.1.BTCUSDT","data":true}',
        '{"topic":"kline.1.BTCUSDT","data":[]}',
        '{"topic":"kline.1.BTCUSDT","data":[7]}',
        '{"topic":"kline.1.BTCUSDT","data":[{}]}',
        '{"topic":"kline.1.BTCUSDT","data":[{"confirm":true}]}',
        '{"op":"subscribe"}',
        '{"op":7}',
        b"\x00\x01\xff\xfe",
        b'{"topic":"\xff"}',
        '{"data":' + "[" * 50_000,
        '{"unknown":' + "[" * 30_000 + "]" * 30_000 + "}",
        '{"topic":"kline.1.BTCUSDT","data":[{"confirm":' + "[" * 30_000,
        '{"topic":"kline.1.BTCUSDT","data":[{"confirm":true,"x":'
        + "[" * 20_000
        + "]" * 20_000
        + "}]}",
        '{"retCode":' + "9" * 4_000 + "}",
        '{"topic":NaN}',
        "\ud800",
        "true\ud800",
    ],
)
def test_what_is_no_message_is_rejected(frame: str | bytes) -> None:
    assert rejected(frame).reason == "malformed"


def test_a_megabyte_is_not_even_parsed() -> None:
    assert rejected(b"[" * 1_000_000).reason == "oversized"


@pytest.mark.parametrize("unit", ["{}", "7", "null", "[]", '{"confirm":true}', '{"confirm":false}'])
def test_no_frame_costs_more_than_ten_megabytes_or_a_hundred_outcomes(unit: str) -> None:
    one = session()
    head = '{"topic":"kline.1.BTCUSDT","data":['
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
    ("timeframe", "interval"),
    [
        ("1m", "1"),
        ("30m", "30"),
        ("1h", "60"),
        ("4h", "240"),
        ("12h", "720"),
        ("1d", "D"),
        ("1w", "W"),
    ],
)
def test_intervals_are_minutes_but_for_days_and_weeks(timeframe: str, interval: str) -> None:
    source = SourceId(f"BTC/USDT_{timeframe}")
    assert BybitCodec().supports(source, PUBLIC) is None
    assert BybitCodec().stream(source) == f"kline.{interval}.BTCUSDT"


@pytest.mark.parametrize("name", ["1s", "30s", "8h"])
def test_other_timeframes_are_not_offered_whatever_the_url(name: str) -> None:
    for options in (PUBLIC, VenueOptions(url="ws://127.0.0.1:9001")):
        reason = BybitCodec().supports(SourceId(f"BTC/USDT_{name}"), options)
        assert f"no {name} klines" in (reason or "")


@pytest.mark.parametrize("category", ["spot", "linear", "inverse"])
def test_the_category_is_the_last_part_of_the_urls_path(category: str) -> None:
    for url in (f"wss://stream.bybit.com/v5/public/{category}", f"ws://h:1/{category}/?x=y"):
        assert BybitCodec().supports(BTC, VenueOptions(url=url)) is None
        assert session(url=url).url == url


@pytest.mark.parametrize("path", ["/v5/public/option", "/v5/private", "/elsewhere"])
def test_a_path_without_klines_is_not_supported(path: str) -> None:
    reason = BybitCodec().supports(BTC, VenueOptions(url=f"wss://stream.bybit.com{path}"))
    assert "spot, linear, inverse" in (reason or "")


def test_a_bare_address_gets_the_spot_market() -> None:
    assert session(url="ws://h:1").url == "ws://h:1/v5/public/spot"
    assert session(url="ws://h:1/").url == "ws://h:1/v5/public/spot"
    assert session().url == BybitCodec.default_url


def test_all_spellings_of_a_pair_are_one_stream() -> None:
    names = ("BTC/USDT", "BTC-USDT", "BTCUSDT", "btcusdt")
    streams = {BybitCodec().stream(SourceId(f"{name}_5m")) for name in names}
    assert streams == {"kline.5.BTCUSDT"}


@pytest.mark.parametrize(
    ("symbol", "wire"),
    [
        ("BTC-26DEC25", "BTC-26DEC25"),
        ("BTC/USDT-5JUN26", "BTCUSDT-5JUN26"),
        ("btcusdh26", "BTCUSDH26"),
    ],
)
def test_a_contract_keeps_the_dash_before_its_day_of_delivery(symbol: str, wire: str) -> None:
    assert BybitCodec().stream(SourceId(f"{symbol}_1m")) == f"kline.1.{wire}"


# Whatever comes


def check(items: Sequence[Received]) -> None:
    for item in items:
        assert isinstance(item, Bar | Rejection | Refusal | Acknowledged | Reply)
        if isinstance(item, Bar):
            assert flaw(item) is None
            assert item.source in SOURCES
        if isinstance(item, Rejection | Refusal):
            assert len(item.detail) <= 512


FRAMES = [
    push(kline()),
    push(kline(confirm=False)),
    push(kline(), kline()),
    answer(),
    refused("Invalid symbol :[kline.1.ETHUSDT]"),
]
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["nan", "-inf", "1e400", "1e308", "0x1", "true"])
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


@given(st.dictionaries(st.sampled_from(list(kline())), values, max_size=4))
def test_a_kline_with_any_values_is_a_sound_bar_or_no_bar(changes: Any) -> None:
    check(session().receive(push(kline(**changes))))
    check(session().receive(push(kline(**changes), kline())))


fields = ("topic", "data", "op", "success", "ret_msg", "req_id", "retCode", "retMsg", "ts")
words = st.sampled_from(["subscribe", "ping", "auth", "kline.1.BTCUSDT", "1", "too many"])


@given(st.lists(st.dictionaries(st.sampled_from(fields), values | words, max_size=6), max_size=5))
def test_answers_with_any_values_never_make_it_raise(answers: list[Any]) -> None:
    one = session()
    for each in answers:
        check(one.receive(json.dumps(each)))
    assert set(one.unacknowledged()) <= set(SOURCES)
