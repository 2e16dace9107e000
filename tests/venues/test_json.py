"""Feeds described by a config: bars, answers, names, times, and what should never come."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.venues.json_feed import FORMAT, OPTIONS

from barsync_async.messages import Bar
from barsync_async.simulation.actions import Close, Send
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.units import Instant, MonoNs, SourceId, WallMs
from barsync_async.venues.json import JsonCodec, JsonSession
from barsync_async.venues.json_format import JsonAcknowledgement, JsonError, JsonFormat, JsonMatch
from barsync_async.venues.options import PUBLIC, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, Received, Refusal, Rejection, Running

OPEN = 1_672_515_780_000
CLOSE = OPEN + 60_000
SOURCES = ["SPY_1m", "BRK/B_1m", "SPY_5m"]
PLAIN: dict[str, Any] = {
    "symbol": "s",
    "fixed_timeframe": "1m",
    "time": "t",
    "time_unit": "ms",
    "time_label": "open",
    **{name: name[0] for name in ("open", "high", "low", "close", "volume")},
    "finality": "always",
}
NUMBERS = {"o": 1.5, "h": 2.5, "l": 0.5, "c": 2.0, "v": 7}


def plain(**changes: Any) -> JsonFormat:
    return JsonFormat(**{key: value for key, value in (PLAIN | changes).items() if value != "-"})


def session(format_: JsonFormat = FORMAT, *sources: str) -> JsonSession:
    names = [SourceId(each) for each in sources or SOURCES]
    return JsonCodec().session(names, VenueOptions(url="ws://h/bars", format=format_))


def received(message: Any, format_: JsonFormat, *sources: str) -> list[Received]:
    frame = message if isinstance(message, str | bytes) else json.dumps(message)
    return list(session(format_, *(sources or ("SPY_1m",))).receive(frame))


def bar(symbol: str = "SPY", timeframe: str = "1m", close: int = CLOSE) -> Bar:
    return Bar(symbol, timeframe, WallMs(close), 1.5, 2.5, 0.5, 2.0, 7.0)


def row(**changes: Any) -> dict[str, Any]:
    return {"s": "SPY", "t": OPEN} | NUMBERS | changes


def house(*, final: Any = True, **changes: Any) -> dict[str, Any]:
    """A message of the simulated feed."""
    one = {"symbol": "SPY", "timeframe": "1m", "time": OPEN, "open": 1.5, "high": 2.5, "low": 0.5}
    one |= {"close": 2.0, "volume": 7, "final": final}
    return {"type": "bars", "bars": [one | changes]}


# Bars


def test_a_final_bar_is_a_bar_labelled_with_its_close_time() -> None:
    assert received(house(), FORMAT) == [bar()]


def test_a_running_bar_is_nothing() -> None:
    assert received(house(final=False), FORMAT) == []
    assert received(house(final=None, open="nonsense"), FORMAT) == []


def test_a_flag_of_another_type_is_not_taken_for_running() -> None:
    flags: list[Any] = ["true", 1, [], "yes"]
    for flag in flags:
        (item,) = received(house(final=flag), FORMAT)
        assert isinstance(item, Rejection)


def test_one_message_has_many_bars_of_several_timeframes() -> None:
    message = house()
    message["bars"] += house(timeframe="5m")["bars"] + house(final=False)["bars"]
    message["bars"] += house(symbol="BRK/B")["bars"]
    found = received(message, FORMAT, *SOURCES)
    assert found == [bar(), bar(timeframe="5m", close=OPEN + 300_000), bar("BRK/B")]


def test_a_feed_that_never_says_gives_every_state_as_running() -> None:
    assert received(row(), plain(finality="later bar or clock")) == [Running(bar())]


def test_a_feed_that_sends_only_final_bars_gives_bars() -> None:
    assert received(row(), plain()) == [bar()]


def test_a_bar_labelled_with_its_end_keeps_its_time() -> None:
    assert received(row(t=CLOSE), plain(time_label="close")) == [bar()]


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("s", OPEN // 1_000),
        ("s", f"{OPEN // 1_000}"),
        ("s", OPEN / 1_000),
        ("s", f"{OPEN // 1_000}.000"),
        ("ms", OPEN),
        ("ms", f"{OPEN}"),
        ("ms", float(OPEN)),
        ("us", OPEN * 1_000),
        ("us", f"{OPEN * 1_000}"),
        ("ns", OPEN * 1_000_000),
        ("ns", f"{OPEN * 1_000_000}"),
        ("iso", "2022-12-31T19:43:00Z"),
        ("iso", "2022-12-31T19:43:00.000000000Z"),
        ("iso", "2022-12-31T20:43:00.0+01:00"),
    ],
)
def test_a_time_may_be_seconds_milli_micro_or_nanoseconds_or_rfc_3339(
    unit: Any, value: Any
) -> None:
    assert received(row(t=value), plain(time_unit=unit)) == [bar()]


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("ms", OPEN * 1_000),
        ("s", OPEN),
        ("ms", -1),
        ("ms", 1.5),
        ("ms", "soon"),
        ("ms", "1_0"),
        ("ms", True),
        ("ms", None),
        ("ms", []),
        ("s", 1e300),
        ("s", "nan"),
        ("us", 1e300),
        ("ns", "9" * 50),
        ("iso", "2022-12-31T19:43:00"),
        ("iso", "yesterday"),
        ("iso", OPEN),
        ("iso", "9999-12-31T23:59:59-23:59"),
        ("ms", 253_402_300_799_999),
    ],
)
def test_a_time_that_cannot_be_is_rejected(unit: Any, value: Any) -> None:
    (item,) = received(row(t=value), plain(time_unit=unit))
    assert isinstance(item, Rejection)
    assert item.reason in ("malformed", "invalid")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"s": "QQQ"}, "unknown_source"),
        ({"s": 7}, "unknown_source"),
        ({"s": None}, "unknown_source"),
        ({"s": True}, "malformed"),
        ({"s": []}, "malformed"),
        ({"s": {"a": 1}}, "malformed"),
        ({"o": None}, "malformed"),
        ({"o": ""}, "malformed"),
        ({"o": "1_0"}, "malformed"),
        ({"o": True}, "malformed"),
        ({"o": "1" * 4_000}, "malformed"),
        ({"c": "nan"}, "invalid"),
        ({"h": 0.1}, "invalid"),
        ({"v": -1}, "invalid"),
        ({"v": "inf"}, "invalid"),
    ],
)
def test_a_bar_that_cannot_be_is_rejected(changes: dict[str, Any], reason: str) -> None:
    (item,) = received(row(**changes), plain())
    assert isinstance(item, Rejection), item
    assert item.reason == reason


def test_prices_may_be_decimal_texts() -> None:
    assert received(row(o="1.5", c="2", v="7.0"), plain()) == [bar()]


def test_an_empty_bar_is_a_bar() -> None:
    (item,) = received(row(o=2, h=2, l=2, c=2, v=0), plain())
    assert isinstance(item, Bar)


def test_a_bar_may_be_a_row_of_an_array_and_its_symbol_beside_it() -> None:
    format_ = plain(
        **dict(zip(("time", "open", "high", "low", "close", "volume"), "012345", strict=True)),
        symbol="$.arg.instId",
        bars="data[]",
        time_unit="ms",
        finality=None,
        final=JsonMatch("8", "1"),
    )
    one = [str(OPEN), "1.5", "2.5", "0.5", "2.0", "7", "0", "0", "1"]
    message = {"arg": {"instId": "SPY"}, "data": [one, [*one[:8], "0"]]}
    assert received(message, format_) == [bar()]
    wrongs: list[Any] = [[*one[:8]], "123456789", {"0": 1}, 7, None]
    for wrong in wrongs:
        (item,) = received(message | {"data": [wrong]}, format_)
        assert isinstance(item, Rejection)


def test_bars_may_be_in_lists_within_lists() -> None:
    format_ = plain(bars="events[].candles[]")
    message = {
        "events": [{"candles": [row(), row(s="QQQ")]}, {"candles": []}, {"candles": [row()]}]
    }
    first, unknown, second = received(message, format_)
    assert (first, second) == (bar(), bar())
    assert isinstance(unknown, Rejection)


def test_a_frame_may_be_an_array_of_messages_of_several_kinds() -> None:
    format_ = plain(frame="array", only=JsonMatch("T", "b"))
    frame = [{"T": "success"}, row(T="b"), {"T": "unheard-of"}, row(T="b")]
    assert received(frame, format_) == [bar(), bar()]
    (item,) = received(row(T="b"), format_)
    assert isinstance(item, Rejection)


def test_a_timeframe_may_have_another_name_and_be_a_number() -> None:
    format_ = plain(fixed_timeframe="-", timeframe="i", timeframe_names={"1m": 1, "5m": "5"})
    assert received(row(i=1), format_, "SPY_1m", "SPY_5m") == [bar()]
    assert received(row(i=1.0), format_, "SPY_1m", "SPY_5m") == [bar()]
    (five,) = received(row(i="5"), format_, "SPY_1m", "SPY_5m")
    assert isinstance(five, Bar)
    assert five.timeframe == "5m"
    wrongs: list[Any] = ["1", "1m", 10**300, [], None]
    for wrong in wrongs:
        (item,) = received(row(i=wrong), format_, "SPY_1m", "SPY_5m")
        assert isinstance(item, Rejection)


def test_1m_and_1_capital_m_are_not_the_same() -> None:
    (item,) = received(house(timeframe="1M"), FORMAT, *SOURCES)
    assert isinstance(item, Rejection)
    assert item.reason == "unknown_source"


def test_one_name_may_tell_symbol_and_timeframe() -> None:
    format_ = plain(
        fixed_timeframe="-",
        symbol="$.topic",
        bars="data[]",
        timeframe_names={"1m": "1"},
        symbol_template="kline.{timeframe}.{base}{quote}",
        subscribe=('{"op":"subscribe","args":{symbols}}',),
    )
    one = session(format_, "BTC/USDT_1m")
    assert one.opening_frames() == ['{"op":"subscribe","args":["kline.1.BTCUSDT"]}']
    message = {"topic": "kline.1.BTCUSDT", "data": [row()]}
    assert one.receive(json.dumps(message)) == [bar("BTC/USDT")]


@pytest.mark.parametrize(
    ("changes", "ours", "theirs"),
    [
        ({}, "BTC/USD", "BTC/USD"),
        ({"symbol_template": "{base}-{quote}"}, "BTC/USD", "BTC-USD"),
        ({"symbol_template": "{base}{quote}", "symbol_case": "lower"}, "BTC-USD", "btcusd"),
        ({"symbol_case": "upper"}, "spy", "SPY"),
        ({"symbol_names": {"SPY": "SPY.P"}}, "SPY", "SPY.P"),
        ({"symbol_template": "t{symbol}", "symbol_names": {"SPY": "x"}}, "QQQ", "tQQQ"),
    ],
)
def test_a_bar_keeps_the_spelling_of_the_config_whatever_the_feeds(
    changes: dict[str, Any], ours: str, theirs: str
) -> None:
    assert received(row(s=theirs), plain(**changes), f"{ours}_1m") == [bar(ours)]


def test_two_spellings_that_are_one_name_at_the_feed_both_get_the_bar() -> None:
    format_ = plain(symbol_template="{base}{quote}")
    found = received(row(s="BTCUSD"), format_, "BTC/USD_1m", "BTC-USD_1m")
    assert found == [bar("BTC/USD"), bar("BTC-USD")]


# Subscriptions and answers


def test_subscriptions_go_in_chunks_by_timeframe() -> None:
    sources = [f"S{number}_1m" for number in range(120)] + ["S0_5m"]
    frames = [json.loads(frame) for frame in session(FORMAT, *sources).opening_frames()]
    assert [(len(each["symbols"]), each["timeframe"]) for each in frames] == [
        (50, "1m"),
        (50, "1m"),
        (20, "1m"),
        (1, "5m"),
    ]


def test_a_template_with_symbol_goes_out_for_each_and_one_without_names_once() -> None:
    format_ = plain(subscribe=('{"op":"hello"}', '{"sub":"{symbol}@{timeframe}"}', "{symbol}"))
    one = session(format_, "A_1m", "B_1m")
    assert one.opening_frames() == [
        '{"op":"hello"}',
        '{"sub":"A@1m"}',
        '{"sub":"B@1m"}',
        "A",
        "B",
    ]


def test_a_symbol_is_escaped_and_never_taken_for_a_placeholder() -> None:
    format_ = plain(subscribe=('["{symbol}","{timeframe}"]',))
    one = session(format_, 'a"{timeframe}_1m')
    (frame,) = one.opening_frames()
    assert json.loads(frame) == ['a"{timeframe}', "1m"]


def test_an_acknowledgement_names_what_it_confirms() -> None:
    one = session()
    assert one.unacknowledged() == SOURCES
    ack = {"type": "subscribed", "symbols": ["SPY", "X", 7], "timeframe": "1m"}
    assert one.receive(json.dumps(ack)) == (Acknowledged((SourceId("SPY_1m"),)),)
    assert one.unacknowledged() == SOURCES[1:]


def test_acknowledgements_without_names_come_in_the_order_of_the_frames() -> None:
    format_ = plain(
        subscribe=('{"op":"hello"}', "{symbols}"),
        symbols_per_frame=1,
        only=JsonMatch("e", "bar"),
        acknowledgement=JsonAcknowledgement("ok", equals=True),
    )
    one = session(format_, "A_1m", "B_1m")
    told = [one.receive('{"ok":true}') for _ in range(4)]
    assert told == [
        (Acknowledged(sources),) for sources in ((), (SourceId("A_1m"),), (SourceId("B_1m"),), ())
    ]
    assert one.unacknowledged() == []
    assert one.receive('{"ok":1}') == ()


def test_a_feed_that_confirms_nothing_leaves_nothing_unacknowledged() -> None:
    assert session(plain(subscribe=("{symbols}",))).unacknowledged() == []


def test_an_error_for_a_source_refuses_it_while_heartbeats_go_on() -> None:
    one = session()
    error = {"type": "error", "symbol": "SPY", "timeframe": "5m", "message": "no such symbol"}
    refusal = Refusal((SourceId("SPY_5m"),), "no such symbol", final=True)
    assert one.receive(json.dumps(error)) == (refusal,)
    assert one.receive('{"type":"heartbeat"}') == ()
    assert one.unacknowledged() == SOURCES[:2]


def test_an_error_for_nothing_of_ours_refuses_the_connection() -> None:
    format_ = plain(only=JsonMatch("e", "bar"), error=JsonError("e", "error", "why"))
    assert received({"e": "error", "why": "slow down"}, format_) == [
        Refusal((), "slow down", final=False)
    ]
    (item,) = received({"e": "error", "why": "x" * 5_000}, format_)
    assert isinstance(item, Refusal)
    assert len(item.detail) <= 512
    (item,) = received({"e": "error", "why": {}}, format_)
    assert isinstance(item, Refusal)


def test_a_bare_pong_is_passed_over_where_the_format_says_so() -> None:
    assert received("pong", plain(ignore=("pong",))) == []
    assert received(b"pong", plain(ignore=("pong",))) == []
    (item,) = received("pong", plain())
    assert isinstance(item, Rejection)


def test_other_messages_are_passed_over() -> None:
    format_ = plain(bars="data[]")
    others: list[Any] = [{"hello": 1}, {"data": []}, {"data": None}, {}]
    for other in others:
        assert received(other, format_) == []
    for nonsense in (7, "x", None, list[Any]()):
        (item,) = received(json.dumps(nonsense), format_)
        assert isinstance(item, Rejection)


def test_a_message_of_bars_without_bars_is_rejected() -> None:
    (item,) = received({"type": "bars"}, FORMAT)
    assert isinstance(item, Rejection)


def test_what_the_feed_wants_to_hear_is_told_to_the_shell() -> None:
    one = session()
    assert (one.url, one.send_interval_ms, one.silence_ms) == ("ws://h/bars", 100, 15_000)
    assert one.keep_alive == FORMAT.keep_alive


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("SPY_1m", PUBLIC, "format"),
        ("SPY_1m", VenueOptions(url="ws://h"), "format"),
        ("SPY_1m", VenueOptions(format=FORMAT), "url"),
        ("SPY_5m", VenueOptions(url="ws://h", format=plain()), "fixed_timeframe"),
        (
            "SPY_5m",
            VenueOptions(
                url="ws://h", format=plain(timeframe_names={"1m": 1}, fixed_timeframe="5m")
            ),
            "timeframe_names",
        ),
        (
            "SPY_1m",
            VenueOptions(url="ws://h", format=plain(symbol_template="{base}-{quote}")),
            "quote",
        ),
    ],
)
def test_it_says_what_is_missing(source: str, options: VenueOptions, words: str) -> None:
    assert words in (JsonCodec().supports(SourceId(source), options) or "")


def test_with_a_format_and_a_url_it_carries_the_source() -> None:
    assert JsonCodec().supports(SourceId("SPY_1m"), OPTIONS) is None
    with pytest.raises(ValueError, match="needs a format"):
        JsonCodec().session([SourceId("SPY_1m")], PUBLIC)


# What should never come

HOSTILE = [
    "",
    "{",
    "[]",
    "null",
    "7",
    "[" * 50_000,
    '{"a":' * 10_000,
    '{"x":' + "[" * 30_000 + "]" * 30_000 + "}",
    b"\x00\xff",
    b'{"s":"\xff"}',
    '{"t":' + "9" * 5_000 + "}",
    '{"s":' + "9" * 5_000 + ',"t":1}',
    '{"t":1e999}',
    '{"a":NaN}',
    "\ud800",
    b"[" * 1_000_000,
    '{"type":"bars","bars":[' + "[]," * 20_000 + "[]]}",
    '{"type":"bars","bars":[' + "1," * 30_000 + "1]}",
    '{"type":"subscribed","symbols":[' + '"SPY",' * 10_000 + '"SPY"]}',
    '{"data":[' + "{}," * 20_000 + "{}]}",
    "[" + "{}," * 20_000 + "{}]",
]
FORMATS = [
    FORMAT,
    plain(),
    plain(frame="array"),
    plain(bars="data[]"),
    plain(bars="data[].x[]", symbol="0", time="$.a.0.t", open="a.b.1"),
    plain(finality="-", final=JsonMatch("f.g", 1), time_unit="iso"),
    plain(fixed_timeframe="-", timeframe="i", time_unit="s"),
]


@pytest.mark.parametrize("format_", FORMATS, ids=range(len(FORMATS)))
@pytest.mark.parametrize("frame", HOSTILE, ids=range(len(HOSTILE)))
def test_no_frame_makes_it_raise_or_talk_without_end(frame: Any, format_: JsonFormat) -> None:
    items = received(frame, format_)
    assert len(items) <= 17
    for item in items:
        assert isinstance(item, Rejection | Acknowledged)
        assert not isinstance(item, Rejection) or len(item.detail) <= 512


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec="ascii"), max_size=5)
    | st.sampled_from(["SPY", "1m", "bars", "nan", "1e400", OPEN, str(OPEN)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*"stohlcvif0", "a", "data", "bars", "type"]), inner)
    ),
    max_leaves=12,
)


@given(
    values
    | st.dictionaries(st.sampled_from(list(row())), values).map(lambda each: row() | each)
    | st.dictionaries(st.sampled_from(list(house()["bars"][0])), values).map(
        lambda each: house(**each)
    ),
    st.sampled_from(FORMATS),
)
def test_any_json_gives_sound_bars_or_none(message: Any, format_: JsonFormat) -> None:
    for item in received(json.dumps(message), format_):
        if isinstance(item, Bar):
            assert item.low <= min(item.open, item.close)
            assert max(item.open, item.close) <= item.high < math.inf
            assert 0 <= item.volume < math.inf


@given(st.binary(max_size=200), st.sampled_from(FORMATS))
def test_no_bytes_make_it_raise(frame: bytes, format_: JsonFormat) -> None:
    received(frame, format_)


# The simulated feed

STARTED = Instant(MonoNs(0), WallMs(1_767_364_200_000))
SOLD = ["SPY_1s", "BRK/B_1s", "SPY_5s"]


def open_venue(**tables: Any) -> SimulatedVenue:
    venue = {"protocol": "json", "pace_ms": 100, "start": 10_000, "duration_s": 2, "running_ms": 30}
    document = {"venue": venue, "sources": {each: {} for each in SOLD}}
    return SimulatedVenue(parse_scenario(document | tables, "x"), STARTED)


def listen(venue: SimulatedVenue, *sources: str, now: int = 0) -> tuple[JsonSession, list[Any]]:
    one = session(FORMAT, *sources)
    assert venue.connect(1, "/bars", now) == []
    told: list[Any] = []
    for frame in one.opening_frames():
        for action in venue.receive(1, frame, now):
            assert isinstance(action, Send)
            told += one.receive(action.text)
    return one, told


@given(st.integers(0, 2**32))
@settings(max_examples=15)
def test_every_bar_that_the_feed_means_is_decoded_exactly(seed: int) -> None:
    faults = {
        "delay": {"kind": "uniform", "max_ms": 300},
        "duplicate": 0.2,
        "reorder": 0.2,
        "revise": 0.2,
        "revise_after_ms": 150.0,
    }
    venue = open_venue(seed=seed, defaults=faults)
    one, _ = listen(venue, *SOLD)
    assert not one.unacknowledged()
    finals = 0
    while (when := venue.next_at()) is not None:
        for action in venue.advance(when):
            if isinstance(action, Send) and action.bar is not None:
                found = list(one.receive(action.text))
                assert found == ([action.bar] if action.final else [])
                finals += action.final
    assert finals >= 44


def test_one_who_comes_back_is_shown_the_last_bars_again() -> None:
    venue = open_venue()
    listen(venue, *SOLD)
    venue.advance(1_000_000_000)
    venue.disconnect(1)
    _, told = listen(venue, *SOLD, now=1_000_000_000)
    bars = [item for item in told if isinstance(item, Bar)]
    for source in SOLD:
        shelf = [quote.bar for quote in venue.closed(SourceId(source))]
        assert [each for each in bars if each.source == source] == shelf[-2:]


def test_an_unknown_symbol_is_refused_and_the_others_are_not() -> None:
    one, told = listen(open_venue(), "SPY_1s", "NOPE_1s")
    assert Refusal((SourceId("NOPE_1s"),), "no such symbol", final=True) in told
    assert Acknowledged((SourceId("SPY_1s"),)) in told
    assert one.unacknowledged() == []


def test_one_who_says_nothing_for_a_minute_is_cut() -> None:
    venue = open_venue(venue={"protocol": "json"})
    one, _ = listen(venue, *SOLD)
    assert one.keep_alive is not None
    assert one.keep_alive.every_ms < 60_000
    closed = [a for a in venue.advance(60_000_000_000) if isinstance(a, Close)]
    assert closed == [Close(1, 1008, "nothing was heard for a minute")]


def test_a_format_can_be_read_from_plain_data() -> None:
    data = msgspec.to_builtins(FORMAT)
    assert msgspec.convert(data, JsonFormat) == FORMAT
