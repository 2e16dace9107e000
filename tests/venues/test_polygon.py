"""Polygon's frames as they are on the wire, and as they should never be."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.units import SourceId
from barsync_async.venues import CODECS
from barsync_async.venues.options import PUBLIC, Credentials, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, Received, Refusal, Rejection, Reply
from barsync_async.venues.polygon import PolygonCodec, PolygonSession

OPEN = 1_536_036_780_000
KEY = "a-key-of-some-length"
OPTIONS = VenueOptions(credentials=Credentials(KEY))
MINUTE = Bar("SPY", "1m", OPEN + 60_000, 114.11, 114.19, 114.09, 114.14, 10_204.0)  # type: ignore[arg-type]
SECOND = Bar("SPY", "1s", OPEN + 1_000, 114.11, 114.19, 114.09, 114.14, 10_204.0)  # type: ignore[arg-type]


def session(*sources: str) -> PolygonSession:
    return PolygonCodec().session([SourceId(s) for s in sources or ("SPY_1m", "SPY_1s")], OPTIONS)


def event(kind: str = "AM", **changes: Any) -> dict[str, Any]:
    fields = {
        "ev": kind,
        "sym": "SPY",
        "v": 10204,
        "av": 200304,
        "op": 114.04,
        "vw": 114.4040,
        "o": 114.11,
        "c": 114.14,
        "h": 114.19,
        "l": 114.09,
        "a": 114.1314,
        "z": 12.0,
        "s": OPEN,
        "e": OPEN + (60_000 if kind == "AM" else 1_000),
        "dv": "10204.0",
    }
    return fields | changes


def frame(*events: Any) -> str:
    return json.dumps(events)


def status(name: str, message: str = "words") -> dict[str, Any]:
    return {"ev": "status", "status": name, "message": message}


def success(*channels: str) -> str:
    return frame(*[status("success", f"subscribed to: {channel}") for channel in channels])


CONNECTED = frame(status("connected", "Connected Successfully"))
AUTHENTICATED = frame(status("auth_success", "authenticated"))


def replied(items: Sequence[Received]) -> Any:
    (reply,) = [item for item in items if isinstance(item, Reply)]
    return json.loads(reply.text)


def subscribed(*sources: str) -> PolygonSession:
    """Up to its first subscription, not answered yet."""
    one = session(*sources)
    one.receive(CONNECTED)
    one.receive(AUTHENTICATED)
    return one


def refusals(items: Sequence[Received]) -> list[Refusal]:
    return [item for item in items if isinstance(item, Refusal)]


def test_the_venue_speaks_first_then_comes_the_key_alone_then_what_we_want() -> None:
    one = session()
    assert one.opening_frames() == ()
    assert replied(one.receive(CONNECTED)) == {"action": "auth", "params": KEY}
    assert replied(one.receive(AUTHENTICATED)) == {"action": "subscribe", "params": "AM.SPY"}
    items = one.receive(success("AM.SPY"))
    assert items[0] == Acknowledged((SourceId("SPY_1m"),))
    assert replied(items) == {"action": "subscribe", "params": "A.SPY"}
    assert one.unacknowledged() == ["SPY_1s"]
    assert one.receive(success("A.SPY")) == [Acknowledged((SourceId("SPY_1s"),))]
    assert one.unacknowledged() == []


def test_channels_are_confirmed_one_by_one_and_a_hundred_asked_for_at_a_time() -> None:
    sources = [f"S{number}_1m" for number in range(150)]
    one = subscribed(*sources)
    channels = [f"AM.S{number}" for number in range(150)]
    assert not [each for each in one.receive(success(*channels[:99])) if isinstance(each, Reply)]
    assert one.unacknowledged() == sources[99:]
    assert replied(one.receive(success(channels[99])))["params"] == ",".join(channels[100:])
    one.receive(success(*channels[100:]))
    assert one.unacknowledged() == []


def test_a_channel_that_was_had_already_is_not_confirmed_again() -> None:
    one = subscribed("SPY_1m")
    one.receive(success("AM.SPY"))
    assert one.receive(success("AM.SPY", "AM.QQQ", "T.SPY")) == []


def test_a_minute_and_a_second_are_labelled_with_their_end() -> None:
    assert session().receive(frame(event("AM"), event("A"))) == [MINUTE, SECOND]


def test_a_bar_may_come_again_with_the_same_start_and_other_values() -> None:
    first, second = session().receive(frame(event(), event(v=10_300, h=114.25)))
    assert first == MINUTE
    assert isinstance(second, Bar)
    assert (second.timestamp, second.volume, second.high) == (MINUTE.timestamp, 10_300.0, 114.25)


def test_integers_may_come_with_a_point() -> None:
    text = frame(event(s=float(OPEN), e=float(OPEN + 60_000), v=10204.0, av=200304.0))
    assert f'"s": {OPEN}.0' in text
    assert session().receive(text) == [MINUTE]


def test_one_array_may_hold_bars_answers_and_events_never_asked_for() -> None:
    mixed = frame(
        event("AM"),
        {"ev": "Q", "sym": "SPY", "p": 114.1, "c": [12, 41], "s": "AM"},
        {"ev": "AM*", "s": None},
        status("connected"),
        event("A"),
    )
    bars, (reply,) = session().receive(mixed)[:2], session().receive(mixed)[2:]
    assert bars == [MINUTE, SECOND]
    assert isinstance(reply, Reply)


def test_one_broken_bar_does_not_take_the_others_with_it() -> None:
    first, broken, last = session().receive(frame(event(), event(o=None), event()))
    assert first == last == MINUTE
    assert isinstance(broken, Rejection)
    assert broken.reason == "malformed"


def test_the_bar_carries_the_spelling_of_the_config() -> None:
    (bar,) = session("spy_1m").receive(frame(event()))
    assert isinstance(bar, Bar)
    assert bar.symbol == "spy"


def test_a_ticker_of_mixed_case_is_the_venues_own() -> None:
    codec = PolygonCodec()
    assert codec.stream(SourceId("BACpK_1m")) == "AM.BACpK"
    assert codec.stream(SourceId("spy_1s")) == "A.SPY"
    assert codec.stream(SourceId("BRK.B_1m")) == "AM.BRK.B"


def test_the_documentations_own_example_begins_no_minute_and_is_rejected() -> None:
    (item,) = session().receive(frame(event(s=1_536_036_818_784, e=1_536_036_818_784)))
    assert isinstance(item, Rejection)
    assert item.reason == "invalid"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sym": "DOGE"}, "unknown_source"),
        ({"sym": "spy"}, "unknown_source"),
        ({"s": OPEN + 1}, "invalid"),
        ({"s": OPEN + 1_000}, "invalid"),
        ({"s": OPEN * 1_000}, "malformed"),
        ({"s": -60_000}, "malformed"),
        ({"s": 1.5}, "malformed"),
        ({"s": None}, "malformed"),
        ({"s": "yesterday"}, "malformed"),
        ({"h": 0.0001}, "invalid"),
        ({"v": -1}, "invalid"),
        ({"c": "nan"}, "invalid"),
        ({"h": "inf"}, "invalid"),
        ({"o": None}, "malformed"),
        ({"o": []}, "malformed"),
        ({"v": None}, "malformed"),
        ({"sym": None}, "malformed"),
        ({"sym": "B" * 65}, "malformed"),
    ],
)
def test_a_bar_that_cannot_be_is_rejected(changes: dict[str, Any], reason: str) -> None:
    (item,) = session().receive(frame(event(**changes)))
    assert isinstance(item, Rejection)
    assert item.reason == reason
    assert len(item.detail) <= 512


def test_a_second_is_no_bar_of_one_who_has_the_minute_alone() -> None:
    (item,) = session("SPY_1m").receive(frame(event("A")))
    assert isinstance(item, Rejection)
    assert item.reason == "unknown_source"


@pytest.mark.parametrize(
    ("name", "final"),
    [("auth_failed", True), ("auth_timeout", False), ("max_connections", False), ("error", False)],
)
def test_a_refused_connection_says_whether_asking_again_can_help(name: str, *, final: bool) -> None:
    assert session().receive(frame(status(name))) == [Refusal((), f"{name}: words", final=final)]


def test_a_plan_without_streams_is_refused_for_good() -> None:
    (item,) = session().receive(frame(status("error", "not authorized")))
    assert item == Refusal((), "error: not authorized", final=True)


def test_another_connection_with_the_key_ends_this_one_but_not_for_ever() -> None:
    one = subscribed("SPY_1m")
    one.receive(success("AM.SPY"))
    (item,) = one.receive(frame(status("max_connections", "Maximum number exceeded.")))
    assert item == Refusal((), "max_connections: Maximum number exceeded.", final=False)


def test_a_plan_without_seconds_still_has_minutes() -> None:
    one = subscribed("SPY_1s", "SPY_1m", "QQQ_1s")
    one.receive(success("AM.SPY"))
    items = one.receive(frame(status("error", "not authorized")))
    refused = (SourceId("SPY_1s"), SourceId("QQQ_1s"))
    assert items == [Refusal(refused, "error: not authorized", final=True)]
    assert one.unacknowledged() == []


def test_an_error_is_about_what_its_frame_does_not_confirm() -> None:
    one = subscribed("A_1m", "B_1m", "C_1m")
    text = frame(status("error", "no"), status("success", "subscribed to: AM.A"))
    both = json.loads(text) + json.loads(success("AM.C"))
    items = one.receive(json.dumps(both))
    assert items[0] == Acknowledged((SourceId("A_1m"), SourceId("C_1m")))
    assert refusals(items) == [Refusal((SourceId("B_1m"),), "error: no", final=True)]
    assert one.unacknowledged() == []


def test_an_error_for_each_channel_of_a_refused_request_is_no_new_mistake() -> None:
    one = subscribed("A_1m", "B_1m", "C_1m")
    items = one.receive(frame(*[status("error", "not authorized")] * 3))
    assert [len(each.sources) for each in refusals(items)] == [3]
    assert len(items) == 1
    assert refusals(one.receive(frame(status("error", "later")))) == [
        Refusal((), "error: later", final=False)
    ]


def test_beyond_the_subscription_limit_all_that_is_left_is_refused_at_once() -> None:
    one = subscribed(*[f"S{number}_1m" for number in range(250)])
    wanted = [f"AM.S{number}" for number in range(100)]
    had: list[str] = []
    refused = asked = 0
    while True:
        asked += 1
        fits = len(had) + len(wanted) <= 30
        had += wanted if fits else []
        full = frame(status("error", "Subscription limit reached for feed."))
        items = one.receive(success(*wanted) if fits else full)
        refused += sum(len(each.sources) for each in refusals(items))
        replies = [item for item in items if isinstance(item, Reply)]
        if not replies:
            break
        wanted = json.loads(replies[0].text)["params"].split(",")
    assert (len(had), refused) == (30, 220)
    assert asked < 20
    assert one.unacknowledged() == []


def test_no_key_is_shown_even_if_the_venue_sends_it_back() -> None:
    one = session()
    items = list(one.receive(CONNECTED))
    items += one.receive(frame(status("auth_failed", f"no such key: {KEY}")))
    items += one.receive(items[0].text)  # type: ignore[union-attr]  # a server that only echoes
    items += one.receive(frame(status("error", f"{KEY}?")))
    assert len(items) == 4
    for item in items:
        assert KEY not in repr(item)


def test_a_bare_address_gets_the_stocks() -> None:
    codec = PolygonCodec()
    assert codec.session([], OPTIONS).url == "wss://socket.massive.com/stocks"
    assert codec.session([], VenueOptions(url="ws://h:1/")).url == "ws://h:1/stocks"
    delayed = "wss://delayed.massive.com/stocks"
    assert codec.session([], VenueOptions(url=delayed)).url == delayed
    assert CODECS["polygon"].default_url == codec.default_url


def test_there_are_minutes_and_seconds_alone() -> None:
    codec = PolygonCodec()
    for options in (OPTIONS, VenueOptions(url="ws://h", credentials=OPTIONS.credentials)):
        assert "no 5m bars" in (codec.supports(SourceId("SPY_5m"), options) or "")
        assert codec.supports(SourceId("SPY_1s"), options) is None
        assert codec.supports(SourceId("BRK.B_1m"), options) is None


def test_without_a_key_it_says_where_it_may_come_from() -> None:
    told = PolygonCodec().supports(SourceId("SPY_1m"), PUBLIC) or ""
    assert "key_file" in told
    assert "secret" not in told.lower()


@pytest.mark.parametrize("symbol", ["BTC/USD", "SPY,AM.QQQ", "*", "S P Y", "SPY\n", "Ü", "A" * 25])
def test_what_is_no_ticker_is_not_asked_for(symbol: str) -> None:
    told = PolygonCodec().supports(SourceId(f"{symbol}_1m"), OPTIONS)
    assert "is no ticker" in (told or "")


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=9,
)
statuses = st.sampled_from(
    ["connected", "auth_success", "auth_failed", "success", "error", "max_connections", "x"]
)
events = st.fixed_dictionaries(
    {},
    optional={
        "ev": st.sampled_from(["AM", "A", "T", "status"]) | json_like,
        "sym": st.sampled_from(["SPY", "X"]) | json_like,
        "status": statuses | json_like,
        "message": st.sampled_from(["subscribed to: AM.SPY", "limit", "auth"]) | json_like,
        "s": st.integers(0, 10**10).map(lambda minute: minute * 60_000) | json_like,
        **dict.fromkeys("ohlcv", st.just(1.5) | json_like),
    },
)


@given(st.lists(st.lists(events).map(json.dumps) | st.binary() | st.text(), max_size=5))
def test_whatever_comes_it_is_a_sound_bar_or_no_bar(frames: list[str | bytes]) -> None:
    one = session()
    for each in frames:
        for item in one.receive(each):
            if isinstance(item, Bar):
                assert -math.inf < item.low <= min(item.open, item.close)
                assert max(item.open, item.close) <= item.high < math.inf
                assert 0 <= item.volume < math.inf
                assert item.timestamp % 1_000 == 0
        assert set(one.unacknowledged()) <= {"SPY_1m", "SPY_1s"}


@given(
    st.sampled_from([CONNECTED, success("AM.SPY"), frame(event(), event("A"), status("error"))]),
    st.integers(0, 300),
    st.binary(max_size=4),
)
def test_a_damaged_real_message_raises_nothing(text: str, at: int, put: bytes) -> None:
    raw = text.encode()
    subscribed().receive(raw[:at] + put + raw[at + len(put) :])
