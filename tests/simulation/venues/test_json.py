"""The in-house feed's answers, to the polite and to the hostile."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.simulation.candle import Candle
from barsync_async.simulation.roles import Quote, Violation
from barsync_async.simulation.venues.json import JsonLine, JsonProtocol
from barsync_async.units import Instant, MonoNs, SourceId, WallMs

SECOND = 1_000_000_000
MINUTE = 60_000


def at(now_ns: int) -> Instant:
    return Instant(MonoNs(now_ns), WallMs(0))


def quote(number: int, *, final: bool = True) -> Quote:
    candle = Candle(1.0, 3.0, 0.5, 2.0, 100, 4, 1)
    return Quote(candle.bar("SPY", "1m", WallMs((number + 1) * MINUTE)), candle, final)


class Shelf:
    def closed(self, source: SourceId) -> Sequence[Quote]:
        return [quote(number) for number in range(250)] if source == "SPY_1m" else []

    def running(self, source: SourceId) -> Quote | None:
        return None


def connected() -> JsonLine:
    sources = [SourceId("SPY_1m"), SourceId("QQQ_1m")]
    return JsonProtocol().serve(sources, Shelf()).accept("/bars", at(0))


def ask(line: JsonLine, request: Any, now_ns: int = 0) -> list[Any]:
    text = request if isinstance(request, str | bytes) else json.dumps(request)
    answers = line.receive(text, at(now_ns))
    assert all(isinstance(each, str) for each in answers)
    return [json.loads(str(each)) for each in answers]


def subscribe(*symbols: Any, **more: Any) -> dict[str, Any]:
    return {"action": "subscribe", "symbols": list(symbols), "timeframe": "1m"} | more


def test_the_known_are_confirmed_and_the_unknown_refused_one_by_one() -> None:
    assert ask(connected(), subscribe("SPY", "X", "QQQ")) == [
        {"type": "subscribed", "symbols": ["SPY", "QQQ"], "timeframe": "1m"},
        {"type": "error", "symbol": "X", "timeframe": "1m", "message": "no such symbol"},
    ]


def test_a_bar_goes_to_those_who_subscribed_and_says_whether_it_is_final() -> None:
    line = connected()
    assert line.publish(quote(1), at(0)) is None
    ask(line, subscribe("SPY"))
    for final in (True, False):
        told = line.publish(quote(1, final=final), at(0))
        assert told is not None
        (bar,) = json.loads(told)["bars"]
        assert (bar["time"], bar["close"], bar["final"]) == (MINUTE, 2.0, final)


def test_history_comes_oldest_first_a_hundred_a_message() -> None:
    _, *pages = ask(connected(), subscribe("SPY", history=230))
    assert [len(page["bars"]) for page in pages] == [100, 100, 30]
    times = [bar["time"] for page in pages for bar in page["bars"]]
    assert times == [number * MINUTE for number in range(20, 250)]


@pytest.mark.parametrize(
    "request_",
    [
        "",
        "ping",
        b"\xff",
        "[]",
        "{}",
        "[" * 60_000,
        "\ud800",
        {"action": ["ping"]},
        {"action": "subscribe"},
        subscribe("SPY", timeframe="7m"),
        subscribe("SPY", timeframe=None),
        subscribe("SPY", history=-1),
        subscribe("SPY", history=True),
        subscribe(1),
    ],
)
def test_a_wrong_request_is_an_error(request_: Any) -> None:
    (answer,) = ask(connected(), request_)
    assert answer["type"] == "error"


def test_heartbeats_come_every_five_seconds_and_are_not_made_up_for() -> None:
    line = connected()
    assert line.next_at() == 5 * SECOND
    assert line.advance(at(5 * SECOND - 1)) == ()
    assert line.advance(at(17 * SECOND)) == ('{"type":"heartbeat"}',)
    assert line.next_at() == 20 * SECOND


def test_a_ping_a_minute_keeps_the_connection_and_silence_ends_it() -> None:
    line = connected()
    assert ask(line, {"action": "ping"}, 59 * SECOND) == [{"type": "pong"}]
    assert not isinstance(line.advance(at(118 * SECOND))[0], Violation)
    (end,) = line.advance(at(119 * SECOND))
    assert isinstance(end, Violation)


def test_a_twenty_first_message_within_a_second_breaks_the_limit() -> None:
    line = connected()
    for number in range(20):
        ask(line, {"action": "ping"}, number)
    assert line.receive("{}", at(SECOND - 1)) == (Violation("too many messages"),)


def test_there_is_one_path() -> None:
    server = JsonProtocol().serve([], Shelf())
    assert server.knows_path("/bars?x=1")
    assert not server.knows_path("/")
    assert server.get("/bars", {}, at(0)) is None
    assert list(connected().greet(at(0))) == list(connected().farewell(at(0))) == []


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)


@given(
    st.text()
    | st.binary()
    | json_like.map(json.dumps)
    | st.dictionaries(st.sampled_from(["action", "symbols", "timeframe"]), json_like).map(
        lambda each: json.dumps(subscribe("SPY") | each)
    )
)
def test_every_frame_gets_an_answer(frame: str | bytes) -> None:
    line = connected()
    answers = ask(line, frame)
    assert all(each["type"] in ("error", "subscribed", "pong") for each in answers)
