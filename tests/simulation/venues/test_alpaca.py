"""Alpaca's answers, to the polite and to the hostile, and to the client's own codec."""

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
from barsync_async.simulation.venues.alpaca import AlpacaLine, AlpacaProtocol, AlpacaServer
from barsync_async.simulation.venues.alpaca_bars import CRYPTO_RULES
from barsync_async.units import Instant, MonoNs, SourceId, WallMs
from barsync_async.venues import CODECS
from barsync_async.venues.history.exchange import Span
from barsync_async.venues.options import Credentials, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, Refusal, Rejection

SPY, QQQ, BTC = SourceId("SPY_1m"), SourceId("QQQ_1m"), SourceId("BTC-USD_1m")
SOURCES = [SPY, QQQ]
CLOSE = WallMs(1_614_021_360_000)
IEX, CRYPTO = "/v2/iex", "/v1beta3/crypto/us"


class NoShelf:
    def closed(self, source: SourceId) -> Sequence[Quote]:
        return ()

    def running(self, source: SourceId) -> Quote | None:
        return None


def now(ms: int = 0) -> Instant:
    return Instant(MonoNs(ms * 1_000_000), WallMs(0))


def server(most_symbols: int | None = None) -> AlpacaServer:
    return AlpacaServer({SPY: "SPY", QQQ: "QQQ"}, NoShelf(), most_symbols=most_symbols)


def ask(line: AlpacaLine, request: Any, ms: int = 0) -> Any:
    frame = request if isinstance(request, str | bytes) else json.dumps(request)
    (answer,) = line.receive(frame, now(ms))
    assert isinstance(answer, str)
    (message,) = json.loads(answer)
    return message


def authenticated(where: AlpacaServer | None = None) -> AlpacaLine:
    line = (where or server()).accept(IEX, now())
    assert ask(line, {"action": "auth", "key": "test", "secret": "test"})["T"] == "success"
    return line


def subscribe(line: AlpacaLine, **channels: Any) -> Any:
    return ask(line, {"action": "subscribe", **channels})


def error(code: int, text: str) -> dict[str, Any]:
    return {"T": "error", "code": code, "msg": text}


def quote(**changes: Any) -> Quote:
    bar = Bar("SPY", "1m", CLOSE, 388.985, 389.13, 388.975, 389.12, 49_378.0)
    candle = Candle(388.985, 389.13, 388.975, 389.12, 49_378, 461, 1)
    return msgspec.structs.replace(Quote(bar, candle, final=True), **changes)


def test_it_greets_confirms_and_tells_the_whole_current_set() -> None:
    line = server().accept(IEX, now())
    assert line.greet(now()) == ('[{"T":"success","msg":"connected"}]',)
    answer = ask(line, {"action": "auth", "key": "test", "secret": "test"})
    assert answer == {"T": "success", "msg": "authenticated"}
    subscribe(line, bars=["SPY"])
    told = subscribe(line, bars=["QQQ", "SPY"], updatedBars=["*"])
    assert told["T"] == "subscription"
    assert (told["bars"], told["updatedBars"], told["trades"]) == (["SPY", "QQQ"], ["*"], [])
    told = ask(line, {"action": "unsubscribe", "bars": ["SPY", "NONE"]})
    assert told["bars"] == ["QQQ"]


def test_a_bar_looks_like_the_documentations() -> None:
    line = authenticated()
    assert line.publish(quote(), now()) is None
    subscribe(line, bars=["SPY"], updatedBars=["SPY"])
    assert json.loads(line.publish(quote(), now()) or "") == [
        {
            "T": "b",
            "S": "SPY",
            "o": 388.985,
            "h": 389.13,
            "l": 388.975,
            "c": 389.12,
            "v": 49378,
            "n": 461,
            "vw": 389.0525,
            "t": "2021-02-22T19:15:00Z",
        }
    ]
    (updated,) = json.loads(line.publish(quote(revision=1), now()) or "")
    assert (updated["T"], updated["t"]) == ("u", "2021-02-22T19:15:00Z")


def test_running_bars_and_minutes_without_a_trade_are_not_told() -> None:
    line = authenticated()
    subscribe(line, bars=["*"])
    assert line.publish(quote(final=False), now()) is None
    assert line.publish(quote(revision=1), now()) is None
    silent = msgspec.structs.replace(quote().candle, trades=0, volume=0)
    assert line.publish(quote(candle=silent), now()) is None


def test_a_crypto_bar_may_have_no_trade() -> None:
    where = AlpacaServer({BTC: "BTC/USD"}, NoShelf(), CRYPTO_RULES)
    line = authenticated_at(where, CRYPTO)
    subscribe(line, bars=["BTC/USD"])
    candle = Candle(1.5, 1.5, 1.5, 1.5, 0, 0, -1)
    empty = Quote(candle.bar("BTC-USD", "1m", CLOSE), candle, final=True)
    (told,) = json.loads(line.publish(empty, now()) or "")
    assert (told["S"], told["v"], told["n"]) == ("BTC/USD", 0.0, 0)


def authenticated_at(where: AlpacaServer, path: str) -> AlpacaLine:
    line = where.accept(path, now())
    ask(line, {"action": "auth", "key": "test", "secret": "test"})
    return line


def test_nobody_subscribes_before_saying_who_it_is() -> None:
    line = server().accept(IEX, now())
    assert subscribe(line, bars=["SPY"]) == error(401, "not authenticated")


def test_wrong_credentials_end_the_connection() -> None:
    for wrong in ({}, {"key": "test"}, {"key": "test", "secret": "no"}, {"key": [], "secret": 1}):
        line = server().accept(IEX, now())
        text, end = line.receive(json.dumps({"action": "auth"} | wrong), now())
        assert json.loads(str(text)) == [error(402, "auth failed")]
        assert isinstance(end, Violation)


def test_who_does_not_say_who_it_is_within_ten_seconds_is_cut() -> None:
    line = server().accept(IEX, now(500))
    assert line.next_at() == 10_500_000_000
    assert line.advance(now(10_499)) == ()
    text, end = line.advance(now(10_500))
    assert json.loads(str(text)) == [error(404, "auth timeout")]
    assert isinstance(end, Violation)
    assert authenticated().next_at() is None
    assert authenticated().advance(now(99_999)) == ()


def test_once_is_enough() -> None:
    told = ask(authenticated(), {"action": "auth", "key": "test", "secret": "test"})
    assert told == error(403, "already authenticated")


def test_an_endpoint_has_one_connection_until_it_ends() -> None:
    where = server()
    first = authenticated(where)
    second = where.accept(IEX, now())
    text, end = second.receive('{"action":"auth","key":"test","secret":"test"}', now())
    assert json.loads(str(text)) == [error(406, "connection limit exceeded")]
    assert isinstance(end, Violation)
    authenticated_at(where, "/v2/sip")
    del first
    authenticated(where)


def test_beyond_the_symbol_limit_nothing_changes() -> None:
    line = authenticated(server(most_symbols=2))
    subscribe(line, bars=["SPY"], updatedBars=["SPY"])
    told = subscribe(line, bars=["QQQ", "IWM"], updatedBars=["QQQ"])
    assert told == error(405, "symbol limit exceeded")
    assert subscribe(line, bars=["QQQ"], updatedBars=["QQQ"])["bars"] == ["SPY", "QQQ"]


def test_one_impossible_symbol_makes_the_whole_request_void() -> None:
    line = authenticated()
    for bad in ("BTC/USD", "", "spy", 7, None, ["SPY"], "A" * 99):
        assert subscribe(line, bars=["SPY", bad]) == error(400, "invalid syntax")
    assert subscribe(line, bars=["QQQ"])["bars"] == ["QQQ"]


def test_a_channel_of_another_feed_is_no_action_of_this_one() -> None:
    text = "invalid subscribe action for this feed"
    assert subscribe(authenticated(), orderbooks=["SPY"]) == error(410, text)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"action":"listen"}',
        '{"action":["subscribe"]}',
        '{"action":"subscribe"}',
        '{"action":"subscribe","bars":"SPY"}',
        '{"action":"subscribe","bars":{}}',
        b"\xff",
        "[" * 60_000,
        "\ud800",
    ],
)
def test_what_does_not_follow_the_specification_is_invalid_syntax(frame: str | bytes) -> None:
    assert ask(authenticated(), frame) == error(400, "invalid syntax")


def test_it_has_one_minute_bars_alone() -> None:
    protocol = AlpacaProtocol(CRYPTO_RULES)
    assert [protocol.stream(f"{name}_1m") for name in ("BTC/USD", "btc-usd", "BTCUSD")] == [
        "BTC/USD"
    ] * 3
    with pytest.raises(ValueError, match="no 5m bars"):
        protocol.stream("BTC/USD_5m")


@pytest.mark.parametrize("path", ["/", "", "/v2", "/v2/iexx", "/v1beta3/crypto/us", "//["])
def test_other_paths_are_unknown(path: str) -> None:
    assert not server().knows_path(path)
    assert server().knows_path("/v2/iex/")


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(["auth", "subscribe", "unsubscribe"]) | json_like,
        "bars": st.lists(st.sampled_from(["SPY", "*", "/"])) | json_like,
        "key": st.just("test") | json_like,
        "secret": json_like,
        "x": json_like,
    },
)


@given(st.text() | st.binary() | requests.map(json.dumps) | json_like.map(json.dumps), st.text())
def test_every_frame_gets_an_array_with_one_message(frame: str | bytes, path: str) -> None:
    where = server()
    where.knows_path(path)
    where.get(path, {}, now())
    for line in (where.accept(IEX, now()), authenticated(where)):
        text, *end = line.receive(frame, now())
        (message,) = json.loads(str(text))
        assert message["T"] in ("success", "error", "subscription")
        assert all(isinstance(each, Violation) for each in end)


# The client's codec and the venue


@pytest.mark.parametrize(
    ("name", "path", "sources"),
    [("alpaca", IEX, ["SPY_1m", "qqq_1m"]), ("alpaca_crypto", CRYPTO, ["BTC-USD_1m", "ETHUSD_1m"])],
)
@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_the_client_reads_the_very_bars_that_the_venue_means(
    name: str, path: str, sources: list[str], seed: int
) -> None:
    faults = {"delay": {"kind": "uniform", "max_ms": 250}, "duplicate": 0.3, "reorder": 0.2}
    revised = {"revise": 0.5, "revise_after_ms": 50, "loss": 0.1}
    venue = open_venue(name, sources, seed=seed, defaults=faults | revised)
    one = client(venue, name, sources, path)
    assert one.session.unacknowledged() == []
    actions = list(to_the_end(venue, one))
    heard = Counter(item for item in one.heard if isinstance(item, Bar))
    assert heard == sent_bars(actions)
    assert len(heard) > 20
    assert not [item for item in one.heard if isinstance(item, Rejection | Refusal)]
    assert one.closed is not None


def test_a_revised_bar_comes_again_as_it_should_have_been() -> None:
    revised = {"revise": 1.0, "revise_after_ms": 50}
    venue = open_venue("alpaca", ["SPY_1m"], defaults=revised)
    one = client(venue, "alpaca", ["SPY_1m"], IEX)
    list(to_the_end(venue, one))
    bars = [item for item in one.heard if isinstance(item, Bar)]
    assert len(bars) == 40
    for first, second in zip(bars[::2], bars[1::2], strict=True):
        assert first.timestamp == second.timestamp
        assert second.volume == first.volume + 1


def test_a_symbol_that_is_not_sold_is_confirmed_and_never_produces() -> None:
    venue = open_venue("alpaca", ["SPY_1m"])
    one = client(venue, "alpaca", ["SPY_1m", "NONE_1m"], IEX)
    list(to_the_end(venue, one))
    assert one.session.unacknowledged() == []
    assert {item.symbol for item in one.heard if isinstance(item, Bar)} == {"SPY"}


def test_of_a_refused_request_all_but_the_impossible_symbol_are_served() -> None:
    venue = open_venue("alpaca", ["SPY_1m", "QQQ_1m"])
    one = client(venue, "alpaca", ["SPY_1m", "BTC/USD_1m", "QQQ_1m"], IEX)
    (refusal,) = [item for item in one.heard if isinstance(item, Refusal)]
    assert refusal == Refusal((SourceId("BTC/USD_1m"),), "error 400: invalid syntax", final=True)
    confirmed = [item.sources for item in one.heard if isinstance(item, Acknowledged)]
    assert sorted(source for sources in confirmed for source in sources) == ["QQQ_1m", "SPY_1m"]
    list(to_the_end(venue, one))
    assert {item.symbol for item in one.heard if isinstance(item, Bar)} == {"SPY", "QQQ"}


def test_hundreds_of_symbols_are_subscribed_a_hundred_at_a_time() -> None:
    sources = [f"S{number}_1m" for number in range(250)]
    venue = open_venue("alpaca", sources)
    one = client(venue, "alpaca", sources, IEX)
    confirmed = [item.sources for item in one.heard if isinstance(item, Acknowledged)]
    assert [len(each) for each in confirmed] == [100, 100, 50]
    assert one.session.unacknowledged() == []


def test_wrong_credentials_are_told_and_the_connection_ends() -> None:
    venue = open_venue("alpaca", SOURCES)
    options = VenueOptions(credentials=Credentials("wrong", "wrong"))
    one = Client(venue, CODECS["alpaca"].session(SOURCES, options), IEX).connect()
    assert one.heard[-1] == Refusal((), "error 402: auth failed", final=True)
    assert one.closed is not None


def test_a_second_connection_is_refused_until_the_first_has_gone() -> None:
    venue = open_venue("alpaca", SOURCES)
    first = client(venue, "alpaca", SOURCES, IEX)
    second = Client(venue, CODECS["alpaca"].session(SOURCES, OPTIONS), IEX, number=2).connect()
    assert second.heard[-1] == Refusal((), "error 406: connection limit exceeded", final=False)
    assert second.closed is not None
    venue.disconnect(first.number)
    third = Client(venue, CODECS["alpaca"].session(SOURCES, OPTIONS), IEX, number=3).connect()
    assert third.session.unacknowledged() == []


def test_one_who_says_nothing_is_cut_by_the_venue() -> None:
    venue = open_venue("alpaca", SOURCES, venue={"duration_s": 30})
    mute = Client(venue, CODECS["alpaca"].session(SOURCES, OPTIONS), IEX, number=7)
    venue.connect(7, IEX, STARTED.mono)
    mute.take(venue.advance(at(9_999)), at(9_999))
    assert mute.closed is None
    mute.take(venue.advance(at(10_000)), at(10_000))
    assert mute.heard == [Refusal((), "error 404: auth timeout", final=False)]
    assert mute.closed is not None


# Past bars


@pytest.mark.parametrize(
    ("name", "source"), [("alpaca", SPY), ("alpaca_crypto", BTC), ("alpaca_crypto", "ETHUSD_1m")]
)
def test_past_bars_are_those_on_the_shelf_page_by_page(name: str, source: SourceId) -> None:
    venue = open_venue(name, [source], venue={"duration_s": 100}, defaults={"loss": 0.5})
    for ms in range(0, 90_000, 1_000):
        venue.advance(at(ms))
    shelf = [quote.bar for quote in venue.closed(source)]
    assert len(shelf) == 890
    history = CODECS[name].history
    assert history is not None
    span = Span(source, shelf[99].timestamp, shelf[-1].timestamp)
    bars, pages = past_bars(venue, history, span, at(90_000))
    assert bars == shelf[100:]
    assert pages == 1
    bars, pages = past_bars(venue, ShortPages(history, 100), span, at(90_000))
    assert bars == shelf[100:]
    assert pages == 8


def get(query: str, where: AlpacaServer | None = None, **headers: str) -> Any:
    who = {"apca-api-key-id": "test", "apca-api-secret-key": "test"}
    answer = (where or server()).get(f"/v2/stocks/bars?{query}", headers or who, now())
    assert answer is not None
    return answer.status, json.loads(answer.body)


def test_rest_asks_who_one_is() -> None:
    query = "symbols=SPY&timeframe=1Min"
    assert get(query) == (200, {"bars": {}, "next_page_token": None})
    assert get(query, host="x")[0] == 401
    wrong = {"apca-api-key-id": "test", "apca-api-secret-key": "no"}
    assert get(query, None, **wrong)[0] == 403
    crypto = AlpacaServer({BTC: "BTC/USD"}, NoShelf(), CRYPTO_RULES)
    target = "/v1beta3/crypto/us/bars?symbols=BTC/USD&timeframe=1Min"
    answer = crypto.get(target, {}, now())
    assert answer is not None
    assert answer.status == 200
    assert crypto.get("/v2/stocks/bars", {}, now()) is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "symbols=SPY",
        "symbols=SPY&timeframe=2Min",
        "symbols=S/Y&timeframe=1Min",
        "symbols=SPY&timeframe=1Min&limit=0",
        "symbols=SPY&timeframe=1Min&limit=10001",
        "symbols=SPY&timeframe=1Min&limit=x",
        "symbols=SPY&timeframe=1Min&start=x",
        "symbols=SPY&timeframe=1Min&end=1",
        "symbols=SPY&timeframe=1Min&page_token=x",
        "symbols=SPY&timeframe=1Min&page_token=%FF%FF",
        "symbols=SPY&timeframe=1Min&feed=x",
    ],
)
def test_a_wrong_question_is_answered_with_400(query: str) -> None:
    status, body = get(query)
    assert status == 400
    assert isinstance(body["message"], str)


def test_more_than_200_requests_a_minute_are_too_many() -> None:
    where = server()
    query = "symbols=SPY&timeframe=1Min"
    assert [get(query, where)[0] for _ in range(201)] == [200] * 200 + [429]
