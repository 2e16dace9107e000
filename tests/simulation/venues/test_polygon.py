"""Polygon's answers, to the polite and to the hostile, and to the client's own codec."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulation.venues.conversation import (
    OPTIONS,
    STARTED,
    Client,
    ShortPages,
    at,
    client,
    open_venue,
    past_bars,
    sent_bars,
    to_the_end,
)

from barsync_async.messages import Bar
from barsync_async.simulation.candle import Candle
from barsync_async.simulation.roles import Quote, Violation
from barsync_async.simulation.venues.polygon import PolygonLine, PolygonProtocol, PolygonServer
from barsync_async.units import Instant, MonoNs, SourceId, WallMs
from barsync_async.venues import CODECS
from barsync_async.venues.history.exchange import Span
from barsync_async.venues.options import Credentials, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, Refusal, Rejection

MINUTE, SECOND = SourceId("SPY_1m"), SourceId("SPY_1s")
SOURCES = [MINUTE, SECOND]
CLOSE = WallMs(1_614_021_360_000)
PATH = "/stocks"
REST = "/v2/aggs/ticker/SPY/range/1/minute/0/9999999999999"


class NoShelf:
    def closed(self, source: SourceId) -> Sequence[Quote]:
        return ()

    def running(self, source: SourceId) -> Quote | None:
        return None


def now(ms: int = 0) -> Instant:
    return Instant(MonoNs(ms * 1_000_000), WallMs(0))


def server(**limits: int) -> PolygonServer:
    return PolygonServer({MINUTE: "AM.SPY", SECOND: "A.SPY"}, NoShelf(), **limits)


def ask(line: PolygonLine, action: Any, params: Any = "") -> list[tuple[str, str]]:
    answers = line.receive(json.dumps({"action": action, "params": params}), now())
    return [told(answer) for answer in answers]


def told(answer: object) -> tuple[str, str]:
    (event,) = json.loads(str(answer))
    assert event["ev"] == "status"
    return event["status"], event["message"]


def authenticated(where: PolygonServer | None = None) -> PolygonLine:
    line = (where or server()).accept(PATH, now())
    assert ask(line, "auth", "test") == [("auth_success", "authenticated")]
    return line


def quote(**changes: Any) -> Quote:
    candle = Candle(114.11, 114.19, 114.09, 114.14, 10_204, 100, 1)
    return msgspec.structs.replace(
        Quote(candle.bar("SPY", "1m", CLOSE), candle, final=True), **changes
    )


def test_it_greets_and_confirms_each_channel_by_its_name_once() -> None:
    line = server().accept(PATH, now())
    assert [told(answer) for answer in line.greet(now())] == [
        ("connected", "Connected Successfully")
    ]
    ask(line, "auth", "test")
    assert ask(line, "subscribe", "AM.SPY,AM.NONE, A.SPY") == [
        ("success", "subscribed to: AM.SPY"),
        ("success", "subscribed to: AM.NONE"),
        ("success", "subscribed to: A.SPY"),
    ]
    assert ask(line, "subscribe", "AM.SPY") == []
    assert ask(line, "unsubscribe", "AM.SPY,AM.QQQ") == [("success", "unsubscribed to: AM.SPY")]
    assert line.publish(quote(), now()) is None


def test_a_bar_looks_like_the_documentations_and_an_integer_may_have_a_point() -> None:
    line = authenticated()
    ask(line, "subscribe", "AM.*")
    text = line.publish(quote(), now()) or ""
    assert '"z":102.0' in text
    assert json.loads(text) == [
        {
            "ev": "AM",
            "sym": "SPY",
            "v": 10204,
            "av": 10204,
            "op": 114.11,
            "vw": 114.1325,
            "o": 114.11,
            "c": 114.14,
            "h": 114.19,
            "l": 114.09,
            "a": 114.1325,
            "z": 102.0,
            "s": CLOSE - 60_000,
            "e": CLOSE,
        }
    ]
    assert line.publish(quote(revision=1), now()) == text


def test_running_bars_and_those_without_a_trade_are_not_told() -> None:
    line = authenticated()
    ask(line, "subscribe", "AM.SPY")
    assert line.publish(quote(final=False), now()) is None
    silent = msgspec.structs.replace(quote().candle, trades=0, volume=0)
    assert line.publish(quote(candle=silent), now()) is None


def test_a_wrong_key_ends_the_connection() -> None:
    failed, end = server().accept(PATH, now()).receive('{"action":"auth","params":"no"}', now())
    assert told(failed) == ("auth_failed", "authentication failed")
    assert isinstance(end, Violation)


def test_who_does_not_say_who_it_is_is_cut() -> None:
    line = server().accept(PATH, now(500))
    assert line.next_at() == 30_500_000_000
    assert line.advance(now(30_499)) == ()
    late, end = line.advance(now(30_500))
    assert told(late) == ("auth_timeout", "No authentication request received.")
    assert isinstance(end, Violation)
    assert authenticated().next_at() is None


def test_nobody_subscribes_before_saying_who_it_is() -> None:
    line = server().accept(PATH, now())
    assert ask(line, "subscribe", "AM.SPY") == [("auth_required", "not authenticated")]


def test_a_second_connection_with_the_key_ends_the_first() -> None:
    where = server()
    first = authenticated(where)
    second = authenticated(where)
    text, end = first.advance(now())
    assert told(text)[0] == "max_connections"
    assert isinstance(end, Violation)
    assert second.advance(now()) == ()


def test_what_the_plan_does_not_have_is_refused_without_a_name() -> None:
    line = authenticated()
    assert ask(line, "subscribe", "Q.SPY,AM.SPY") == [("error", "not authorized")]
    assert ask(line, "subscribe", "Nonsense.SPY,AM,.SPY,") == []


def test_a_request_beyond_the_limit_is_refused_in_full() -> None:
    line = authenticated(server(most_channels=2))
    ((status, message),) = ask(line, "subscribe", "AM.A,AM.B,AM.C")
    assert status == "error"
    assert "limit reached" in message
    assert len(ask(line, "subscribe", "AM.A,AM.B")) == 2


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"action":"auth"}',
        '{"action":1,"params":"x"}',
        b"\xff",
        "\ud800",
    ],
)
def test_what_is_no_request_is_an_error(frame: str | bytes) -> None:
    (answer,) = authenticated().receive(frame, now())
    assert told(answer) == ("error", "invalid request")


def test_it_has_minutes_and_seconds_alone() -> None:
    protocol = PolygonProtocol()
    assert protocol.stream("spy_1m") == "AM.SPY"
    assert protocol.stream("BACpK_1s") == "A.BACpK"
    with pytest.raises(ValueError, match="no 5m bars"):
        protocol.stream("SPY_5m")
    assert server().knows_path("/stocks/?x")
    assert not server().knows_path("/crypto")


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(["auth", "subscribe", "unsubscribe"]) | json_like,
        "params": st.sampled_from(["test", "AM.SPY,A.*", "T.X"]) | json_like,
    },
)


@given(st.text() | st.binary() | requests.map(json.dumps) | json_like.map(json.dumps), st.text())
def test_every_frame_gets_statuses(frame: str | bytes, path: str) -> None:
    where = server()
    where.knows_path(path)
    where.get(path, {}, now())
    where.get(f"{REST}?apiKey=test&{path}", {}, now())
    for line in (where.accept(PATH, now()), authenticated(where)):
        for answer in line.receive(frame, now()):
            assert isinstance(answer, Violation) or told(answer)


# The client's codec and the venue


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_the_client_reads_the_very_bars_that_the_venue_means(seed: int) -> None:
    faults = {"delay": {"kind": "uniform", "max_ms": 250}, "duplicate": 0.3, "reorder": 0.2}
    revised = {"revise": 0.5, "revise_after_ms": 50, "loss": 0.1}
    sources = ["SPY_1s", "qqq_1s", "SPY_1m"]
    venue = open_venue(
        "polygon", sources, seed=seed, defaults=faults | revised, venue={"duration_s": 7}
    )
    one = client(venue, "polygon", sources, PATH)
    assert one.session.unacknowledged() == []
    actions = list(to_the_end(venue, one))
    heard = Counter(item for item in one.heard if isinstance(item, Bar))
    assert heard == sent_bars(actions)
    assert {bar.source for bar in heard} >= {"SPY_1s", "qqq_1s"}
    assert not [item for item in one.heard if isinstance(item, Rejection | Refusal)]
    assert one.closed is not None


def test_seconds_and_minutes_come_over_one_connection() -> None:
    sources = ["SPY_1s", "SPY_1m"]
    venue = open_venue("polygon", sources, venue={"duration_s": 7})
    one = client(venue, "polygon", sources, PATH)
    list(to_the_end(venue, one))
    bars = [item for item in one.heard if isinstance(item, Bar)]
    *_, minute = [bar for bar in bars if bar.timeframe == "1m"]
    seconds = [bar for bar in bars if 0 <= minute.timestamp - bar.timestamp < 60_000]
    assert max(bar.high for bar in seconds) == minute.high
    assert sum(bar.volume for bar in seconds if bar.timeframe == "1s") == minute.volume


def test_a_revised_bar_comes_again_with_the_same_start() -> None:
    venue = open_venue("polygon", ["SPY_1s"], defaults={"revise": 1.0, "revise_after_ms": 50})
    one = client(venue, "polygon", ["SPY_1s"], PATH)
    list(to_the_end(venue, one))
    bars = [item for item in one.heard if isinstance(item, Bar)]
    assert len(bars) == 40
    for first, second in zip(bars[::2], bars[1::2], strict=True):
        assert first.timestamp == second.timestamp
        assert second.volume == first.volume + 1


def test_a_ticker_that_is_not_sold_is_confirmed_and_never_produces() -> None:
    venue = open_venue("polygon", ["SPY_1s"])
    one = client(venue, "polygon", ["SPY_1s", "NONE_1s"], PATH)
    list(to_the_end(venue, one))
    assert one.session.unacknowledged() == []
    assert {item.symbol for item in one.heard if isinstance(item, Bar)} == {"SPY"}


def test_hundreds_of_channels_are_confirmed_one_by_one() -> None:
    sources = [f"S{number}_1m" for number in range(150)] + ["SPY_1s"]
    venue = open_venue("polygon", sources)
    one = client(venue, "polygon", sources, PATH)
    assert one.session.unacknowledged() == []
    confirmed = {
        source for item in one.heard if isinstance(item, Acknowledged) for source in item.sources
    }
    assert confirmed == set(sources)


def test_a_wrong_key_is_told_and_the_connection_ends() -> None:
    venue = open_venue("polygon", SOURCES)
    options = VenueOptions(credentials=Credentials("wrong"))
    one = Client(venue, CODECS["polygon"].session(SOURCES, options), PATH).connect()
    assert one.heard[-1] == Refusal((), "auth_failed: authentication failed", final=True)
    assert one.closed is not None


def test_the_later_of_two_connections_goes_on() -> None:
    venue = open_venue("polygon", ["SPY_1s"])
    first = client(venue, "polygon", ["SPY_1s"], PATH)
    session = CODECS["polygon"].session([SourceId("SPY_1s")], OPTIONS)
    second = Client(venue, session, PATH, number=2).connect()
    actions = list(to_the_end(venue, first, second))
    (refusal,) = [item for item in first.heard if isinstance(item, Refusal)]
    assert refusal.detail.startswith("max_connections: ")
    assert not refusal.final
    assert first.closed is not None
    assert not sent_bars(actions, 1)
    assert len(sent_bars(actions, 2)) == 20


def test_one_who_says_nothing_is_cut_by_the_venue() -> None:
    venue = open_venue("polygon", SOURCES, venue={"duration_s": 60})
    mute = Client(venue, CODECS["polygon"].session(SOURCES, OPTIONS), PATH, number=7)
    venue.connect(7, PATH, STARTED.mono)
    mute.take(venue.advance(at(30_000)), at(30_000))
    assert [item.final for item in mute.heard if isinstance(item, Refusal)] == [False]
    assert mute.closed is not None


# Past bars


@pytest.mark.parametrize("source", [MINUTE, SourceId("spy_1s")])
def test_past_bars_are_those_on_the_shelf_page_by_page(source: SourceId) -> None:
    venue = open_venue("polygon", [source], venue={"duration_s": 100}, defaults={"loss": 0.5})
    for ms in range(0, 90_050, 1_000):
        venue.advance(at(ms))
    venue.advance(at(90_050))
    assert venue.running(source) is not None
    shelf = [quote.bar for quote in venue.closed(source)]
    assert len(shelf) == 900
    history = CODECS["polygon"].history
    assert history is not None
    span = Span(source, shelf[99].timestamp, shelf[-1].timestamp)
    bars, pages = past_bars(venue, history, span, at(90_050))
    assert bars == shelf[100:]
    assert pages == 1
    bars, pages = past_bars(venue, ShortPages(history, 100), span, at(90_050))
    assert bars == shelf[100:]
    assert pages == 8


def test_rest_shows_the_running_bar_too() -> None:
    venue = open_venue("polygon", [SECOND])
    venue.advance(at(250))
    target = "/v2/aggs/ticker/SPY/range/1/second/0/9999999999999?limit=50000"
    answer = venue.get(target, {"authorization": "Bearer test"}, at(250))
    assert answer is not None
    assert json.loads(answer.body)["resultsCount"] == len(venue.closed(SECOND)) + 1


def get(query: str, where: PolygonServer | None = None, path: str = REST) -> Any:
    answer = (where or server()).get(f"{path}?{query}", {}, now())
    assert answer is not None
    return answer.status, json.loads(answer.body)


def test_rest_asks_who_one_is() -> None:
    status, body = get("apiKey=test")
    assert status == 200
    assert (body["status"], body["resultsCount"]) == ("OK", 0)
    assert "results" not in body
    assert get("")[0] == 401
    assert get("apiKey=no") == (
        401,
        {"request_id": "simulated", "status": "ERROR", "error": "Unknown API Key"},
    )
    assert server().get("/v2/aggs/grouped", {}, now()) is None


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", REST),
        ("limit=50001", REST),
        ("limit=x", REST),
        ("cursor=x", REST),
        ("cursor=gICA", REST),
        ("", REST.replace("minute", "fortnight")),
    ],
)
def test_a_wrong_question_is_answered_with_400(query: str, path: str) -> None:
    assert get(f"apiKey=test&{query}", path=path)[0] == 400


def test_more_requests_than_the_plan_has_are_too_many() -> None:
    where = server(requests_per_minute=5)
    assert [get("apiKey=test", where)[0] for _ in range(6)] == [200] * 5 + [429]
