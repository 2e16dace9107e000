"""Kraken frames as they are on the wire, and as they should never be."""

import json
import math
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.units import SourceId
from barsync_async.venues.keep_alive import KeepAlive
from barsync_async.venues.kraken import KrakenCodec, KrakenSession
from barsync_async.venues.options import PUBLIC, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, Received, Refusal, Rejection, Running

BEGIN = 1_696_436_700_000  # 2023-10-04T16:25:00Z
SOURCES = [SourceId("BTC/USD_1m"), SourceId("ETH-USD_1m"), SourceId("SOL/USD_5m")]


def session(*sources: str, url: str | None = None) -> KrakenSession:
    names = [SourceId(s) for s in sources] or SOURCES
    return KrakenCodec().session(names, VenueOptions(url=url))


def row(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTC/USD",
        "open": 106038.2,
        "high": 106044.3,
        "low": 106038.1,
        "close": 106040.1,
        "trades": 12,
        "volume": 30927.68066226,
        "vwap": 106039.6,
        "interval_begin": "2023-10-04T16:25:00.000000000Z",
        "interval": 1,
        "timestamp": "2023-10-04T16:26:00.000000Z",
    } | changes


def ohlc(*rows: dict[str, Any], kind: str = "update") -> str:
    stamp = "2023-10-04T16:25:52.114514810Z"
    return json.dumps({"channel": "ohlc", "type": kind, "timestamp": stamp, "data": list(rows)})


def ack(symbol: str, interval: int = 1, channel: str = "ohlc") -> str:
    result = {
        "channel": channel,
        "interval": interval,
        "snapshot": True,
        "symbol": symbol,
        "warnings": ["timestamp is deprecated, use interval_begin"],
    }
    return json.dumps({"method": "subscribe", "result": result, "success": True, "req_id": 1})


def error(text: str, **more: Any) -> str:
    return json.dumps({"error": text, "method": "subscribe", "success": False, **more})


def rejected(frame: str | bytes, *sources: str) -> Rejection:
    (item,) = session(*sources).receive(frame)
    assert isinstance(item, Rejection), item
    assert len(item.detail) <= 512
    return item


def bars(items: Sequence[Received]) -> list[Bar]:
    assert all(isinstance(item, Running) for item in items), items
    return [item.bar for item in items if isinstance(item, Running)]


# Bars


def test_an_update_is_a_running_bar_labelled_with_its_close_time() -> None:
    (bar,) = bars(session().receive(ohlc(row())))
    assert bar == Bar(
        "BTC/USD",
        "1m",
        BEGIN + 60_000,  # type: ignore[arg-type]
        106038.2,
        106044.3,
        106038.1,
        106040.1,
        30927.68066226,
    )


def test_the_rows_timestamp_which_is_the_end_of_the_interval_is_not_looked_at() -> None:
    for stamp in ("2023-10-04T16:26:00.000000Z", "2099-01-01T00:00:00Z", None, 7):
        (bar,) = bars(session().receive(ohlc(row(timestamp=stamp))))
        assert bar.timestamp == BEGIN + 60_000
    without = {key: value for key, value in row().items() if key != "timestamp"}
    assert bars(session().receive(ohlc(without)))


@pytest.mark.parametrize("fraction", ["", ".0", ".000", ".000000", ".000000000"])
def test_interval_begin_has_none_to_nine_digits_of_a_second(fraction: str) -> None:
    (bar,) = bars(session().receive(ohlc(row(interval_begin=f"2023-10-04T16:25:00{fraction}Z"))))
    assert bar.timestamp == BEGIN + 60_000


def test_a_symbol_keeps_the_spelling_of_the_config() -> None:
    for name in ("BTC/USD", "BTC-USD", "BTCUSD", "btcusd", "XBT/USD", "XBTUSD", "xbt-usd"):
        (bar,) = bars(session(f"{name}_1m").receive(ohlc(row())))
        assert bar.source == f"{name}_1m"


def test_the_interval_tells_a_symbols_timeframes_apart() -> None:
    one = session("BTC/USD_1m", "BTC/USD_5m")
    told = bars(one.receive(ohlc(row(interval=5), row())))
    assert [(bar.timeframe, bar.timestamp - BEGIN) for bar in told] == [
        ("1m", 60_000),
        ("5m", 300_000),
    ]


def test_a_snapshots_bars_come_oldest_first_and_again_after_a_reconnection() -> None:
    rows = [row(interval_begin=f"2023-10-04T16:{minute}:00Z") for minute in (27, 25, 26)]
    frame = ohlc(*rows, kind="snapshot")
    told = bars(session().receive(frame))
    assert [bar.timestamp - BEGIN for bar in told] == [60_000, 120_000, 180_000]
    assert bars(session().receive(frame)) == told


def test_a_silent_minute_is_absent_and_nothing_stands_in_for_it() -> None:
    rows = [row(interval_begin=f"2023-10-04T16:{minute}:00Z") for minute in (35, 38)]
    assert len(session().receive(ohlc(*rows))) == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"symbol": "DOGE/USD"}, "unknown_source"),
        ({"symbol": "XBT/USD"}, "unknown_source"),
        ({"interval": 15}, "unknown_source"),
        ({"interval_begin": "2023-10-04T16:25:30Z"}, "invalid"),
        ({"interval_begin": "9999-12-31T23:59:00-01:00"}, "invalid"),
        ({"interval_begin": "2023-10-04T16:25:00"}, "malformed"),
        ({"interval_begin": "1960-10-04T16:25:00Z"}, "malformed"),
        ({"interval_begin": "now"}, "malformed"),
        ({"interval_begin": ""}, "malformed"),
        ({"interval_begin": BEGIN}, "malformed"),
        ({"interval_begin": None}, "malformed"),
        ({"interval_begin": "2" * 65}, "malformed"),
        ({"interval": 1.5}, "malformed"),
        ({"interval": "1"}, "malformed"),
        ({"high": 1}, "invalid"),
        ({"volume": -1}, "invalid"),
        ({"open": None}, "malformed"),
        ({"open": "106038.2"}, "malformed"),
        ({"open": []}, "malformed"),
        ({"symbol": "B" * 65}, "malformed"),
        ({"symbol": None}, "malformed"),
    ],
)
def test_a_row_that_cannot_be_is_rejected(changes: dict[str, Any], reason: str) -> None:
    assert rejected(ohlc(row(**changes))).reason == reason


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 400])
def test_a_price_that_is_no_finite_number_is_no_bar(number: str) -> None:
    assert rejected(ohlc(row()).replace("106038.2", number)).reason in ("malformed", "invalid")


def test_a_price_may_be_a_whole_number() -> None:
    (bar,) = bars(session().receive(ohlc(row(open=106039))))
    assert bar.open == 106039.0


def test_a_null_price_does_not_take_the_rows_beside_it_along() -> None:
    later = row(interval_begin="2023-10-04T16:26:00Z")
    wrong, *sound = session().receive(ohlc(later, row(close=None), row()))
    assert isinstance(wrong, Rejection)
    assert wrong.reason == "malformed"
    assert [bar.timestamp - BEGIN for bar in bars(sound)] == [60_000, 120_000]


# Subscriptions


def test_an_interval_has_its_own_subscriptions_of_a_hundred_symbols_each() -> None:
    names = [f"S{n}/USD_1m" for n in range(150)] + ["BTC/USD_4h"]
    frames = [json.loads(frame) for frame in session(*names).opening_frames()]
    assert [(f["req_id"], f["params"]["interval"], len(f["params"]["symbol"])) for f in frames] == [
        (1, 1, 100),
        (2, 1, 50),
        (3, 240, 1),
    ]
    assert frames[2] == {
        "method": "subscribe",
        "params": {"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 240, "snapshot": True},
        "req_id": 3,
    }


def test_the_wire_wants_btc_and_doge_in_upper_case_however_they_are_written() -> None:
    sources = ["xbtusd_1m", "XDG/EUR_1m", "eth-usd_1m", "AAPLx/USD_1m"]
    (frame,) = session(*sources).opening_frames()
    assert json.loads(frame)["params"]["symbol"] == ["BTC/USD", "DOGE/EUR", "ETH/USD", "AAPLx/USD"]


def test_each_symbol_is_acknowledged_on_its_own() -> None:
    one = session()
    one.opening_frames()
    assert one.receive(ack("ETH/USD")) == (Acknowledged((SourceId("ETH-USD_1m"),)),)
    assert one.unacknowledged() == ["BTC/USD_1m", "SOL/USD_5m"]
    assert one.receive(ack("ETH/USD")) == (Acknowledged(()),)
    assert one.receive(ack("SOL/USD", interval=1)) == (Acknowledged(()),)
    assert one.receive(ack("SOL/USD", interval=5)) == (Acknowledged((SourceId("SOL/USD_5m"),)),)
    assert one.receive(ack("BTC/USD", channel="ticker")) == ()
    assert one.unacknowledged() == ["BTC/USD_1m"]


def test_a_bad_symbol_is_refused_for_good_while_heartbeats_go_on() -> None:
    one = session()
    text = "Currency pair not supported BTC/USD"
    assert one.receive(error(text, symbol="BTC/USD")) == (
        Refusal((SourceId("BTC/USD_1m"),), text, final=True),
    )
    for _ in range(100):
        assert one.receive('{"channel":"heartbeat"}') == ()
    assert one.unacknowledged() == ["ETH-USD_1m", "SOL/USD_5m"]


def test_a_second_interval_of_a_symbol_on_one_connection_is_refused_alone() -> None:
    one = session("BTC/USD_1m", "BTC/USD_5m")
    one.opening_frames()
    text = "Already subscribed to one ohlc interval on this symbol"
    assert one.receive(error(text, symbol="BTC/USD", req_id=2)) == (
        Refusal((SourceId("BTC/USD_5m"),), text, final=True),
    )
    assert one.unacknowledged() == ["BTC/USD_1m"]


def test_an_error_without_a_symbol_is_about_its_whole_request() -> None:
    one = session()
    (item,) = one.receive(error("Subscription ohlc interval not supported", req_id=1))
    assert isinstance(item, Refusal)
    assert (item.sources, item.final) == (("BTC/USD_1m", "ETH-USD_1m"), True)


@pytest.mark.parametrize(
    "frame",
    [
        error("Something is wrong"),
        error("Something is wrong", req_id=99),
        error("Something is wrong", symbol="NEVER/ASKED"),
        error("EService:Unavailable", symbol="BTC/USD"),
        error("Exceeded msg rate", req_id=1),
        '{"Error":"Exceeded msg rate"}',
    ],
)
def test_what_is_about_nothing_of_ours_or_may_pass_is_worth_a_new_connection(frame: str) -> None:
    one = session()
    (item,) = one.receive(frame)
    assert isinstance(item, Refusal)
    assert (item.sources, item.final) == ((), False)
    assert one.unacknowledged() == SOURCES


def test_a_symbols_own_name_does_not_make_its_refusal_a_passing_one() -> None:
    text = "Currency pair not supported INTERNAL/USD"
    (item,) = session("INTERNAL/USD_1m").receive(error(text, symbol="INTERNAL/USD"))
    assert isinstance(item, Refusal)
    assert item.final


def test_five_seconds_of_silence_are_death_and_a_ping_asks_before() -> None:
    assert KrakenSession.silence_ms == 5_000
    assert KrakenSession.keep_alive == KeepAlive('{"method":"ping"}', 2_000, only_in_silence=True)


# Other frames


@pytest.mark.parametrize(
    "frame",
    [
        '{"channel":"heartbeat"}',
        (
            '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online",'
            '"api_version":"v2","connection_id":18446744073709551615}]}'
        ),
        '{"method":"pong","req_id":42,"time_in":"2023-09-25T09:05:00.123456Z"}',
        '{"error":"Malformed","method":"ping","success":false}',
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","price":1}]}',
        '{"channel":"ticker","data":"no list at all"}',
        '{"channel":"something new"}',
        '{"method":"unsubscribe","success":true,"result":{"channel":"ohlc","symbol":"BTC/USD"}}',
    ],
)
def test_other_channels_events_and_unknown_types_are_passed_over(frame: str) -> None:
    assert session().receive(frame) == ()


def test_an_update_without_rows_is_nothing() -> None:
    assert not session().receive(ohlc())


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "pong",
        "{",
        "[]",
        "null",
        "7",
        "{}",
        '{"foo":1}',
        '{"channel":"ohlc"}',
        '{"channel":"ohlc","data":null}',
        '{"channel":"ohlc","data":7}',
        '{"channel":"ohlc","data":[7]}',
        '{"channel":"ohlc","data":[{}]}',
        '{"method":"subscribe","success":true}',
        '{"method":7}',
        b"\x00\x01\xff\xfe",
        b'{"channel":"\xff"}',
        '{"data":' + "[" * 50_000,
        '{"unknown":' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"req_id":' + "9" * 4_000 + "}",
        '{"channel":NaN}',
        "\ud800",
    ],
)
def test_what_is_no_message_is_rejected(frame: str | bytes) -> None:
    assert rejected(frame).reason == "malformed"


def test_a_megabyte_is_not_even_parsed_though_a_snapshot_of_720_bars_is() -> None:
    assert rejected(b"[" * 1_000_000).reason == "oversized"
    rows = [row(interval_begin=f"2023-10-04T{n // 60:02}:{n % 60:02}:00Z") for n in range(720)]
    assert len(session().receive(ohlc(*rows, kind="snapshot"))) == 720


def test_a_frame_of_nothing_but_wrong_rows_costs_one_rejection() -> None:
    frame = '{"channel":"ohlc","data":[' + ",".join(["{}"] * 80_000) + "]}"
    assert rejected(frame).reason == "malformed"


@pytest.mark.parametrize("unit", ["{}", "7", "null", "[]", '{"x":[]}'])
def test_no_frame_costs_more_than_ten_megabytes(unit: str) -> None:
    one = session()
    frame = '{"channel":"ohlc","data":[' + ",".join([unit] * (261_000 // (len(unit) + 1))) + "]}"
    tracemalloc.start()
    try:
        one.receive(frame)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


# The codec


def test_timeframes_are_those_of_the_list_whatever_the_url() -> None:
    codec = KrakenCodec()
    for options in (PUBLIC, VenueOptions(url="ws://127.0.0.1:9001")):
        for name in ("1m", "5m", "15m", "30m", "1h", "4h", "1d"):
            assert codec.supports(SourceId(f"BTC/USD_{name}"), options) is None
        assert "no 1s bars" in (codec.supports(SourceId("BTC/USD_1s"), options) or "")
        assert "no 3m bars" in (codec.supports(SourceId("BTC/USD_3m"), options) or "")
    assert "BTC/USD" in (codec.supports(SourceId("SPY_1m"), PUBLIC) or "")


def test_a_week_of_the_venues_is_not_ours() -> None:
    assert "Thursday" in (KrakenCodec().supports(SourceId("BTC/USD_1w"), PUBLIC) or "")


def test_all_spellings_of_a_pair_are_one_stream() -> None:
    names = ("BTC/USD", "BTC-USD", "BTCUSD", "btcusd", "XBT/USD", "xbtusd")
    assert {KrakenCodec().stream(SourceId(f"{name}_5m")) for name in names} == {"ohlc-5 BTC/USD"}


def test_a_bare_address_gets_version_two_and_a_path_is_kept() -> None:
    assert session(url="ws://h:1").url == "ws://h:1/v2"
    assert session(url="ws://h:1/").url == "ws://h:1/v2"
    assert session(url="wss://beta-ws.kraken.com/v2").url == "wss://beta-ws.kraken.com/v2"
    assert session().url == "wss://ws.kraken.com/v2"


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(frame: bytes) -> None:
    assert all(not isinstance(item, Running) for item in session().receive(frame))


@given(st.integers(0, 600), st.integers(0, 9), st.binary(max_size=9))
def test_a_frame_with_a_piece_cut_out_or_put_in_never_makes_it_raise(
    place: int, length: int, piece: bytes
) -> None:
    frame = ohlc(row(), row(symbol="ETH/USD")).encode()
    for item in session().receive(frame[:place] + piece + frame[place + length :]):
        assert isinstance(item, Running | Rejection | Refusal)


values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.datetimes(timezones=st.timezones()).map(str)
    | st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999999Z", "BTC/USD"])
    | st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from(list(row())), values, max_size=4), st.integers(1, 3))
def test_a_row_with_any_values_is_a_sound_bar_or_no_bar(changes: Any, count: int) -> None:
    for item in session().receive(ohlc(*[row(**changes), row()][:count])):
        if isinstance(item, Running):
            bar = item.bar
            assert bar.low <= min(bar.open, bar.close)
            assert max(bar.open, bar.close) <= bar.high
            assert math.isfinite(bar.low)
            assert math.isfinite(bar.high)
            assert 0 <= bar.volume < math.inf


json_like = st.recursive(
    values,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["channel", "symbol", "interval", "data", "x"]), inner, max_size=3
        )
    ),
    max_leaves=9,
)
frames = st.fixed_dictionaries(
    {},
    optional={
        "channel": st.sampled_from(["ohlc", "heartbeat"]) | json_like,
        "data": st.lists(json_like, max_size=3) | json_like,
        "method": st.just("subscribe") | json_like,
        "success": st.booleans() | json_like,
        "result": st.fixed_dictionaries(
            {
                "channel": st.just("ohlc"),
                "symbol": st.sampled_from(["BTC/USD", "ETH/USD"]),
                "interval": st.integers(0, 2),
            }
        )
        | json_like,
        "error": st.sampled_from(["no", "Exceeded msg rate"]) | json_like,
        "symbol": st.sampled_from(["BTC/USD", "SOL/USD"]) | json_like,
        "req_id": st.integers(0, 3) | json_like,
        "Error": json_like,
    },
)


@given(st.lists(frames.map(json.dumps), max_size=5))
def test_no_conversation_makes_it_raise_or_lose_a_source(conversation: list[str]) -> None:
    one = session()
    one.opening_frames()
    settled: list[SourceId] = []
    for frame in conversation:
        for item in one.receive(frame):
            if isinstance(item, Acknowledged | Refusal):
                settled += item.sources
    assert sorted([*settled, *one.unacknowledged()]) == sorted(SOURCES)
