"""Coinbase frames as they are on the wire, and as they should never be."""

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
from barsync_async.venues.coinbase import CoinbaseCodec, CoinbaseSession
from barsync_async.venues.options import PUBLIC, Credentials, VenueOptions
from barsync_async.venues.outcomes import (
    Acknowledged,
    Received,
    Refusal,
    Rejection,
    Reply,
    Running,
)

START = 1_775_521_800
SOURCES = [SourceId("BTC-USD_5m"), SourceId("ETH/USD_5m")]


def session(*sources: str) -> CoinbaseSession:
    return CoinbaseCodec().session([SourceId(s) for s in sources] or SOURCES, PUBLIC)


def candle(**changes: Any) -> dict[str, Any]:
    return {
        "start": str(START),
        "high": "68950.00",
        "low": "68850.00",
        "open": "68900.00",
        "close": "68920.50",
        "volume": "42.15000000",
        "product_id": "BTC-USD",
    } | changes


def candles(*each: dict[str, Any], kind: str = "update", **changes: Any) -> str:
    message = {
        "channel": "candles",
        "client_id": "",
        "timestamp": "2026-04-07T14:30:05.000000Z",
        "sequence_num": 3,
        "events": [{"type": kind, "candles": list(each)}],
    }
    return json.dumps(message | changes)


def subscribed(**channels: list[str]) -> str:
    message = {"channel": "subscriptions", "events": [{"subscriptions": channels}]}
    return json.dumps(message)


def error(message: str, **more: str) -> str:
    return json.dumps({"type": "error", "message": message, **more})


def rejected(frame: str | bytes, *sources: str) -> Rejection:
    (item,) = session(*sources).receive(frame)
    assert isinstance(item, Rejection), item
    assert len(item.detail) <= 512
    return item


def bars(items: Sequence[Received]) -> list[Bar]:
    assert all(isinstance(item, Running) for item in items), items
    return [item.bar for item in items if isinstance(item, Running)]


def asked_for(text: str) -> list[str]:
    request = json.loads(text)
    assert (request["type"], request["channel"]) == ("subscribe", "candles")
    products: list[str] = request["product_ids"]
    return products


# Bars


def test_a_candle_is_a_running_bar_labelled_with_its_close_time_though_start_is_text() -> None:
    (bar,) = bars(session().receive(candles(candle())))
    assert bar == Bar(
        "BTC-USD",
        "5m",
        (START + 300) * 1_000,  # type: ignore[arg-type]
        68_900.0,
        68_950.0,
        68_850.0,
        68_920.5,
        42.15,
    )


def test_a_symbol_keeps_the_spelling_of_the_config() -> None:
    for name in ("ETH/USD", "ETH-USD", "ETHUSD", "eth-usd"):
        (bar,) = bars(session(f"{name}_5m").receive(candles(candle(product_id="ETH-USD"))))
        assert bar.source == f"{name}_5m"


def test_a_snapshot_that_begins_with_the_newest_comes_out_oldest_first() -> None:
    newest_first = [candle(start=str(START - 300 * n)) for n in range(4)]
    told = bars(session().receive(candles(*newest_first, kind="snapshot")))
    assert [bar.timestamp for bar in told] == [(START - 300 * n) * 1_000 for n in (2, 1, 0, -1)]


def test_a_snapshot_repeated_after_a_reconnection_gives_the_bars_again() -> None:
    one, frame = session(), candles(candle(), kind="snapshot")
    assert one.receive(frame) == one.receive(frame) != ()


def test_several_products_and_several_events_of_a_frame_are_all_read() -> None:
    events = [{"candles": [candle()]}, {"candles": [candle(product_id="ETH-USD")]}]
    told = bars(session().receive(candles(events=events)))
    assert [bar.symbol for bar in told] == ["BTC-USD", "ETH/USD"]


def test_a_usdc_product_is_answered_as_usd_and_keeps_its_name() -> None:
    one = session("BTC-USDC_5m")
    for product in ("BTC-USD", "BTC-USDC"):
        (bar,) = bars(one.receive(candles(candle(product_id=product))))
        assert bar.symbol == "BTC-USDC"


def test_usdt_usdc_and_eurc_usdc_are_products_of_their_own() -> None:
    codec = CoinbaseCodec()
    assert codec.stream(SourceId("USDT-USDC_5m")) == "candles USDT-USDC"
    assert codec.stream(SourceId("EURC/USDC_5m")) == "candles EURC-USDC"
    assert rejected(candles(candle(product_id="USDT-USD")), "USDT-USDC_5m").reason == (
        "unknown_source"
    )


def test_a_usdc_product_and_its_usd_twin_are_one_stream() -> None:
    streams = {
        CoinbaseCodec().stream(SourceId(f"{name}_5m"))
        for name in ("BTC-USDC", "BTC/USDC", "BTCUSDC", "btc-usd", "BTC-USD")
    }
    assert streams == {"candles BTC-USD"}


def test_a_bar_without_a_trade_is_a_bar() -> None:
    flat = dict.fromkeys(["open", "high", "low", "close"], "1.5")
    (bar,) = bars(session().receive(candles(candle(**flat, volume="0"))))
    assert bar.volume == 0.0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"product_id": "DOGE-USD"}, "unknown_source"),
        ({"start": str(START + 60)}, "invalid"),
        ({"start": str(START * 1_000)}, "malformed"),
        ({"start": "2026-04-07T14:30:00Z"}, "malformed"),
        ({"start": "-300"}, "malformed"),
        ({"start": None}, "malformed"),
        ({"high": "1"}, "invalid"),
        ({"volume": "-1"}, "invalid"),
        ({"close": "nan"}, "invalid"),
        ({"high": "Infinity"}, "invalid"),
        ({"open": None}, "malformed"),
        ({"open": ""}, "malformed"),
        ({"open": "1_0"}, "malformed"),
        ({"open": []}, "malformed"),
        ({"open": "1" * 4_000}, "malformed"),
        ({"product_id": "B" * 65}, "malformed"),
        ({"product_id": None}, "malformed"),
    ],
)
def test_a_candle_that_cannot_be_is_rejected(changes: dict[str, Any], reason: str) -> None:
    assert rejected(candles(candle(**changes))).reason == reason


def test_a_null_price_does_not_take_the_candles_beside_it_along() -> None:
    frame = candles(candle(open=None), candle(start=str(START + 300)), candle())
    wrong, *sound = session().receive(frame)
    assert isinstance(wrong, Rejection)
    assert wrong.reason == "malformed"
    assert [bar.timestamp for bar in bars(sound)] == [(START + 300) * 1_000, (START + 600) * 1_000]


# Subscriptions


def test_heartbeats_are_subscribed_beside_the_candles_so_that_no_quiet_channel_closes() -> None:
    heartbeats, products = session().opening_frames()
    assert json.loads(heartbeats) == {"type": "subscribe", "channel": "heartbeats"}
    assert asked_for(products) == ["BTC-USD", "ETH-USD"]
    assert CoinbaseSession.silence_ms == 10_000


def test_ten_products_are_asked_for_at_a_time_the_next_when_these_are_answered() -> None:
    one = session(*(f"S{n}-USD_5m" for n in range(23)))
    asked = [asked_for(one.opening_frames()[1])]
    listed: list[str] = []
    for _ in range(3):
        listed += asked[-1]
        acknowledged, *replies = one.receive(subscribed(candles=listed))
        assert acknowledged == Acknowledged(
            tuple(SourceId(f"{product}_5m") for product in asked[-1])
        )
        asked += [asked_for(reply.text) for reply in replies if isinstance(reply, Reply)]
    assert [len(products) for products in asked] == [10, 10, 3]
    assert not one.unacknowledged()


def test_the_answer_to_the_heartbeats_confirms_no_candles() -> None:
    one = session()
    one.opening_frames()
    assert one.receive(subscribed(heartbeats=["heartbeats"])) == (Acknowledged(()),)
    assert one.unacknowledged() == SOURCES


@pytest.mark.parametrize("listed", ["BTC-USDC", "BTC-USD"])
def test_a_usdc_product_may_be_confirmed_under_either_name(listed: str) -> None:
    one = session("BTC-USDC_5m")
    assert asked_for(one.opening_frames()[1]) == ["BTC-USDC"]
    assert one.receive(subscribed(candles=[listed])) == (Acknowledged((SourceId("BTC-USDC_5m"),)),)
    assert not one.unacknowledged()


def test_a_product_that_the_venue_passes_over_in_silence_stays_unacknowledged() -> None:
    one = session()
    one.opening_frames()
    one.receive(subscribed(candles=["BTC-USD"]))
    assert one.unacknowledged() == ["ETH/USD_5m"]


@pytest.mark.parametrize("listed", [{}, {"candles": []}, {"candles": ["OTHER-USD"]}])
def test_a_request_all_of_which_is_passed_over_does_not_hold_up_the_next(
    listed: dict[str, list[str]],
) -> None:
    one = session(*(f"S{n}-USD_5m" for n in range(11)))
    assert one.receive(subscribed(heartbeats=["heartbeats"])) == (Acknowledged(()),)
    _, reply = one.receive(subscribed(heartbeats=["heartbeats"], **listed))
    assert isinstance(reply, Reply)
    assert asked_for(reply.text) == ["S10-USD"]
    assert len(one.unacknowledged()) == 11


def test_the_opening_frames_are_the_same_however_often_one_looks() -> None:
    one = session(*(f"S{n}-USD_5m" for n in range(11)))
    assert list(one.opening_frames()) == list(one.opening_frames())


def test_a_product_named_in_an_error_is_refused_and_the_others_are_asked_for_again() -> None:
    one = session()
    one.opening_frames()
    refusal, reply = one.receive(
        error("Failed to subscribe", reason="ETH-USD is not a valid product")
    )
    assert refusal == Refusal(
        (SourceId("ETH/USD_5m"),),
        "Failed to subscribe: ETH-USD is not a valid product",
        final=True,
    )
    assert isinstance(reply, Reply)
    assert asked_for(reply.text) == ["BTC-USD"]


def test_where_an_error_names_nothing_the_products_are_asked_for_one_by_one() -> None:
    one = session("BTC-USD_5m", "NO-SUCH_5m", "ETH-USD_5m")
    one.opening_frames()
    (first,) = one.receive(error("failure to subscribe"))
    assert isinstance(first, Reply)
    assert asked_for(first.text) == ["BTC-USD"]
    _, second = one.receive(subscribed(candles=["BTC-USD"]))
    assert isinstance(second, Reply)
    assert asked_for(second.text) == ["NO-SUCH"]
    refusal, third = one.receive(error("failure to subscribe"))
    assert refusal == Refusal((SourceId("NO-SUCH_5m"),), "failure to subscribe", final=True)
    assert isinstance(third, Reply)
    assert asked_for(third.text) == ["ETH-USD"]
    assert one.receive(subscribed(candles=["BTC-USD", "ETH-USD"])) == (
        Acknowledged((SourceId("ETH-USD_5m"),)),
    )
    assert not one.unacknowledged()


def test_wanting_authentication_refuses_the_whole_connection_for_good() -> None:
    one = session()
    one.opening_frames()
    (item,) = one.receive(error("authentication failure"))
    assert item == Refusal((), "authentication failure", final=True)
    assert one.unacknowledged() == SOURCES


@pytest.mark.parametrize("text", ["rate limit exceeded", "ErrSlowConsume", "internal error"])
def test_what_may_pass_is_worth_a_new_connection(text: str) -> None:
    one = session()
    one.opening_frames()
    assert one.receive(error(text)) == [Refusal((), text, final=False)]


def test_an_error_after_everything_was_answered_is_worth_a_new_connection() -> None:
    one = session("BTC-USD_5m")
    one.opening_frames()
    one.receive(subscribed(candles=["BTC-USD"]))
    assert one.receive(error("what?")) == [Refusal((), "what?", final=False)]


# Other frames


@pytest.mark.parametrize(
    "frame",
    [
        (
            '{"channel":"heartbeats","client_id":"","timestamp":"2023-06-23T20:31:26.122969572Z",'
            '"sequence_num":0,"events":[{"current_time":"2023-06-23 20:31:56.121961769 +0000 UTC",'
            '"heartbeat_counter":"3049"}]}'
        ),
        '{"channel":"heartbeats","events":[{"heartbeat_counter":42}]}',
        '{"channel":"ticker","events":[{"type":"update","tickers":[{"price":"1"}]}]}',
        '{"channel":"l2_data","events":[{"candles":"no list at all"}]}',
        '{"channel":"status","events":[]}',
        '{"type":"something new"}',
    ],
)
def test_other_channels_events_and_unknown_types_are_passed_over(frame: str) -> None:
    assert session().receive(frame) == ()


def test_a_message_without_a_client_id_is_read_too() -> None:
    text = json.dumps({"channel": "candles", "events": [{"candles": [candle()]}]})
    assert len(session().receive(text.encode())) == 1


@pytest.mark.parametrize("frame", ['{"channel":"candles","events":[]}', '{"channel":"candles"}'])
def test_a_frame_without_candles_is_nothing(frame: str) -> None:
    assert not session().receive(frame)


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
        '{"channel":"candles","events":7}',
        '{"channel":"candles","events":[{"candles":[7]}]}',
        '{"channel":"candles","events":[{"candles":[{}]}]}',
        '{"channel":"subscriptions","events":[{"subscriptions":7}]}',
        b"\x00\x01\xff\xfe",
        b'{"channel":"\xff"}',
        '{"events":' + "[" * 50_000,
        '{"unknown":' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"channel":' + "9" * 4_000 + "}",
        '{"channel":NaN}',
        "\ud800",
    ],
)
def test_what_is_no_message_is_rejected(frame: str | bytes) -> None:
    assert rejected(frame).reason == "malformed"


def test_a_megabyte_is_not_even_parsed_though_a_snapshot_of_ten_products_is() -> None:
    assert rejected(b"[" * 1_000_000).reason == "oversized"
    snapshot = candles(*(candle(start=str(START + 300 * n)) for n in range(1_000)))
    assert len(session().receive(snapshot)) == 1_000


def test_a_frame_of_nothing_but_wrong_candles_costs_one_rejection() -> None:
    frame = '{"channel":"candles","events":[{"candles":[' + ",".join(["{}"] * 80_000) + "]}]}"
    assert rejected(frame).reason == "malformed"


@pytest.mark.parametrize("unit", ["{}", "7", "null", "[]", '{"x":[]}'])
def test_no_frame_costs_more_than_ten_megabytes(unit: str) -> None:
    one = session()
    frame = (
        '{"channel":"candles","events":['
        + ",".join([unit] * (261_000 // (len(unit) + 1)))
        + ',{"candles":[7]}]}'
    )
    tracemalloc.start()
    try:
        one.receive(frame)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


# The codec


def test_there_are_five_minute_candles_and_no_others_whatever_the_url() -> None:
    codec = CoinbaseCodec()
    own = VenueOptions(url="ws://127.0.0.1:9001")
    for options in (PUBLIC, own):
        assert "5m candles only" in (codec.supports(SourceId("BTC-USD_1m"), options) or "")
        assert codec.supports(SourceId("BTC-USD_5m"), options) is None
    assert "BTC-USD" in (codec.supports(SourceId("SPY_5m"), PUBLIC) or "")
    assert codec.facts.timeframes == ("5m",)
    assert codec.facts.finality == "later bar or clock"


def test_the_url_is_the_options_or_the_venues_own() -> None:
    codec = CoinbaseCodec()
    assert codec.session(SOURCES, PUBLIC).url == "wss://advanced-trade-ws.coinbase.com"
    assert codec.session(SOURCES, VenueOptions(url="ws://h:1")).url == "ws://h:1"


def test_credentials_go_nowhere_for_the_channel_is_public() -> None:
    secret = VenueOptions(credentials=Credentials("my-key", "my-secret"))
    frames = CoinbaseCodec().session(SOURCES, secret).opening_frames()
    assert not any("my-" in frame for frame in frames)


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(frame: bytes) -> None:
    assert all(not isinstance(item, Running) for item in session().receive(frame))


@given(st.integers(0, 600), st.integers(0, 9), st.binary(max_size=9))
def test_a_frame_with_a_piece_cut_out_or_put_in_never_makes_it_raise(
    place: int, length: int, piece: bytes
) -> None:
    frame = candles(candle(), candle(product_id="ETH-USD")).encode()
    for item in session().receive(frame[:place] + piece + frame[place + length :]):
        assert isinstance(item, Running | Rejection | Refusal)


values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["nan", "-inf", "1e400", "1e308", "0x1", "BTC-USD"])
    | st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from(list(candle())), values, max_size=4), st.integers(1, 3))
def test_a_candle_with_any_values_is_a_sound_bar_or_no_bar(changes: Any, count: int) -> None:
    for item in session().receive(candles(*[candle(**changes), candle()][:count])):
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
            st.sampled_from(["candles", "subscriptions", "channel", "type", "x"]), inner, max_size=3
        )
    ),
    max_leaves=9,
)
frames = st.fixed_dictionaries(
    {},
    optional={
        "channel": st.sampled_from(["candles", "subscriptions", "heartbeats"]) | json_like,
        "events": st.lists(json_like, max_size=3) | json_like,
        "type": st.just("error") | json_like,
        "message": st.sampled_from(["failure to subscribe", "BTC-USD", "rate"]) | json_like,
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
