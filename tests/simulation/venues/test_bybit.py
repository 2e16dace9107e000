"""Bybit's server, to the polite and to the hostile, and against the client's codec."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulation.venues.client import Client, at, open_venue, past

from barsync_async.messages import Bar
from barsync_async.simulation.actions import ABRUPT
from barsync_async.simulation.candle import Candle
from barsync_async.simulation.roles import Answer, HttpAnswer, Quote, Violation
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.simulation.venues.bybit import BybitLine, BybitProtocol, BybitServer
from barsync_async.units import Instant, MonoNs, SourceId, WallMs
from barsync_async.venues.bybit import BybitCodec, BybitSession
from barsync_async.venues.history.bybit import BybitHistory
from barsync_async.venues.history.exchange import Span
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import Acknowledged, Refusal

SECOND = 1_000_000_000
CLOSE = 1_775_521_800_000
BTC, ETH, BTC5 = SourceId("BTC/USDT_1m"), SourceId("eth-usdt_1m"), SourceId("BTCUSDT_5m")
CATEGORIES = ("spot", "linear", "inverse")


def now_at(seconds: float = 0) -> Instant:
    return Instant(MonoNs(round(seconds * SECOND)), WallMs(CLOSE + round(seconds * 1_000)))


def quote(number: int = 0, source: SourceId = BTC, *, volume: int = 7, final: bool = True) -> Quote:
    candle = Candle(2.0, 4.0, 1.0, 3.0, volume, volume, 1 if volume else -1)
    symbol, _, timeframe = source.rpartition("_")
    timestamp = WallMs(CLOSE + number * 60_000)
    return Quote(candle.bar(symbol, timeframe, timestamp), candle, final=final)


class Shelf:
    """Closed bars of BTC and one under way."""

    def __init__(self, bars: int = 6) -> None:
        self.bars = bars

    def closed(self, source: SourceId) -> Sequence[Quote]:
        return [quote(n, volume=n % 2) for n in range(self.bars)] if source == BTC else []

    def running(self, source: SourceId) -> Quote | None:
        return quote(self.bars, final=False) if source == BTC else None


def server(bars: int = 6) -> BybitServer:
    return BybitProtocol().serve([BTC, ETH, BTC5], Shelf(bars))


def line(category: str = "spot") -> BybitLine:
    return server().accept(f"/v5/public/{category}", now_at())


def request(*topics: str, op: str = "subscribe", **more: Any) -> str:
    return json.dumps({"req_id": "1", "op": op, "args": topics} | more)


def told(answers: Sequence[Answer]) -> list[Any]:
    return [json.loads(answer) for answer in answers if isinstance(answer, str)]


def error_of(one: BybitLine, *topics: str) -> str:
    (answer,) = told(one.receive(request(*topics), now_at()))
    assert (answer["success"], answer["op"]) == (False, "subscribe")
    return str(answer["ret_msg"])


# The wire


@pytest.mark.parametrize(("category", "text"), [("spot", "subscribe"), ("linear", "")])
def test_a_request_is_answered_once_for_all_its_topics(category: str, text: str) -> None:
    one = line(category)
    assert one.greet(now_at()) == ()
    answers = told(one.receive(request("kline.1.BTCUSDT", "kline.1.ETHUSDT"), now_at()))
    assert answers == [
        {
            "success": True,
            "ret_msg": text,
            "conn_id": "d97jphrgig3od7574usg-1",
            "req_id": "1",
            "op": "subscribe",
        }
    ]


def test_a_kline_has_the_fields_of_a_recorded_one() -> None:
    one = line()
    one.receive(request("kline.1.BTCUSDT"), now_at())
    (message,) = told([one.publish(quote(), now_at(0.185)) or ""])
    assert message == {
        "topic": "kline.1.BTCUSDT",
        "data": [
            {
                "start": CLOSE - 60_000,
                "end": CLOSE - 1,
                "interval": "1",
                "open": "2.00000000",
                "close": "3.00000000",
                "high": "4.00000000",
                "low": "1.00000000",
                "volume": "7.00000000",
                "turnover": "17.50000000",
                "confirm": True,
                "timestamp": CLOSE - 1,
            }
        ],
        "ts": CLOSE + 185,
        "type": "snapshot",
    }
    (running,) = told([one.publish(quote(final=False), now_at(-30)) or ""])
    assert running["data"][0]["confirm"] is False
    assert running["data"][0]["timestamp"] == CLOSE - 30_000


def test_an_empty_bar_is_told() -> None:
    one = line()
    one.receive(request("kline.1.BTCUSDT"), now_at())
    (message,) = told([one.publish(quote(volume=0), now_at()) or ""])
    assert message["data"][0]["volume"] == "0.00000000"


def test_nothing_is_told_without_a_subscription_and_none_after_it_ended() -> None:
    one = line()
    assert one.publish(quote(), now_at()) is None
    one.receive(request("kline.5.BTCUSDT"), now_at())
    assert one.publish(quote(), now_at()) is None
    assert one.publish(quote(source=BTC5), now_at()) is not None
    (gone,) = told(one.receive(request("kline.5.BTCUSDT", op="unsubscribe"), now_at()))
    assert (gone["op"], gone["success"]) == ("unsubscribe", True)
    assert one.publish(quote(source=BTC5), now_at()) is None


def test_a_ping_is_answered_with_a_pong_whose_op_is_ping() -> None:
    (pong,) = told(line().receive('{"op":"ping"}', now_at()))
    assert (pong["op"], pong["ret_msg"], pong["success"]) == ("ping", "pong", True)
    assert "req_id" not in pong


# The rules


@pytest.mark.parametrize(
    ("category", "topic", "text"),
    [
        ("spot", "kline.1.NOPEUSDT", "Invalid symbol :[kline.1.NOPEUSDT]"),
        ("spot", "kline.7.BTCUSDT", "Invalid kline type :[kline.7.BTCUSDT]"),
        ("spot", "kline.1.btcusdt", "Invalid symbol :[kline.1.btcusdt]"),
        ("spot", "nonsense", "Invalid topic: nonsense"),
        ("linear", "kline.1.NOPEUSDT", "error:handler not found,topic:kline.1.NOPEUSDT"),
        ("inverse", "kline.7.BTCUSDT", "error:handler not found,topic:kline.7.BTCUSDT"),
    ],
)
def test_one_bad_topic_takes_its_whole_request_along(category: str, topic: str, text: str) -> None:
    one = line(category)
    assert error_of(one, "kline.1.BTCUSDT", topic) == text
    assert one.publish(quote(), now_at()) is None


def test_an_eleventh_topic_in_a_request_is_one_too_many_for_spot_alone() -> None:
    topics = ["kline.1.BTCUSDT"] * 11
    assert error_of(line(), *topics) == "args size >10"
    (fine,) = told(line("linear").receive(request(*topics), now_at()))
    assert fine["success"]


def test_of_a_topic_that_is_subscribed_already_spot_says_nothing_and_the_others_complain() -> None:
    one = line()
    one.receive(request("kline.1.BTCUSDT"), now_at())
    assert one.receive(request("kline.1.BTCUSDT"), now_at()) == ()
    two = line("linear")
    two.receive(request("kline.1.BTCUSDT"), now_at())
    assert error_of(two, "kline.1.BTCUSDT") == "error:already subscribed,topic:kline.1.BTCUSDT"


def test_all_topics_of_a_connection_have_at_most_21_000_characters() -> None:
    names = [SourceId(f"{'A' * 200}{n:03}USDT_1m") for n in range(110)]
    shop = BybitProtocol().serve(names, Shelf())
    one = shop.accept("/v5/public/linear", now_at())
    topics = list(shop.topics)
    assert told(one.receive(request(*topics[:90]), now_at()))[0]["success"]
    assert error_of(one, *topics[90:]).startswith("args length")


def test_ten_minutes_without_a_ping_and_without_data_cut_the_connection() -> None:
    one = line()
    one.receive(request("kline.1.BTCUSDT"), now_at(1))
    assert one.next_at() == 600 * SECOND
    one.receive('{"op":"ping"}', now_at(500))
    assert one.advance(now_at(600)) == ()
    one.publish(quote(), now_at(1_000))
    assert one.advance(now_at(1_599.9)) == ()
    assert one.advance(now_at(1_600)) == (Violation("no ping", ABRUPT),)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "ping",
        "null",
        "[]",
        "{}",
        b'{"op":"ping"}',
        '{"op":7}',
        '{"op":"jump"}',
        '{"op":"subscribe"}',
        '{"op":"subscribe","args":[]}',
        '{"op":"subscribe","args":"kline.1.BTCUSDT"}',
        '{"op":"subscribe","args":["kline.1.BTCUSDT",7]}',
        '{"op":' + "[" * 50_000,
        "\ud800",
    ],
)
def test_a_wrong_request_is_an_error(frame: str | bytes) -> None:
    (answer,) = told(line().receive(frame, now_at()))
    assert answer["success"] is False
    assert answer["ret_msg"]


@pytest.mark.parametrize(
    ("path", "known"),
    [(f"/v5/public/{each}", True) for each in CATEGORIES]
    + [("/v5/public/spot/?a=b", True), ("/v5/public/option", False), ("/v5/private", False)]
    + [("/", False), ("", False), ("/v5/public", False)],
)
def test_the_socket_is_at_one_path_a_category(path: str, known: bool) -> None:
    assert server().knows_path(path) is known


def test_the_venue_leaves_without_a_word() -> None:
    assert line().farewell(now_at()) == ()


@pytest.mark.parametrize("source", ["BTC/USDT_1s", "BTC/USDT_30s", "BTC/USDT_8h"])
def test_other_bars_are_not_to_be_had(source: str) -> None:
    with pytest.raises(ValueError, match="Bybit has no klines"):
        BybitProtocol().stream(source)


@pytest.mark.parametrize("timeframe", BybitCodec.facts.timeframes)
@pytest.mark.parametrize("symbol", ["BTC/USDT", "btc-usdt", "BTC-26DEC25", "BTC/USDT-5JUN26"])
def test_both_sides_call_a_stream_the_same(symbol: str, timeframe: str) -> None:
    source = SourceId(f"{symbol}_{timeframe}")
    assert BybitProtocol().stream(source) == BybitCodec().stream(source)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)
topics = st.sampled_from(["kline.1.BTCUSDT", "kline.1.ETHUSDT", "kline.7.X"]) | st.text()
requests = st.fixed_dictionaries(
    {"op": st.sampled_from(["subscribe", "unsubscribe", "ping"])},
    optional={"args": st.lists(topics) | json_like, "req_id": json_like},
)


@given(
    st.lists(st.text() | st.binary() | (requests | json_like).map(json.dumps), max_size=4),
    st.sampled_from(CATEGORIES),
)
def test_no_frame_makes_it_raise_and_all_answers_are_json(
    frames: list[str | bytes], category: str
) -> None:
    one = line(category)
    for frame in frames:
        for answer in told(one.receive(frame, now_at())):
            assert isinstance(answer["success"], bool)
    one.publish(quote(), now_at())
    one.advance(now_at(99))


# REST


def get(query: str, shop: BybitServer | None = None) -> Any:
    answer = (shop or server()).get(f"/v5/market/kline?{query}", {}, now_at())
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 200
    return json.loads(answer.body)


def opens(query: str, bars: int = 6) -> list[int]:
    rows = get(f"category=spot&symbol=BTCUSDT&interval=1&{query}", server(bars))["result"]["list"]
    return [(int(row[0]) - CLOSE) // 60_000 + 1 for row in rows]


def test_rows_come_newest_first_the_one_under_way_among_them() -> None:
    body = get("category=spot&symbol=BTCUSDT&interval=1")
    assert (body["retCode"], body["retMsg"]) == (0, "OK")
    result = body["result"]
    assert (result["category"], result["symbol"]) == ("spot", "BTCUSDT")
    assert opens("") == [6, 5, 4, 3, 2, 1, 0]
    assert result["list"][-2] == [
        str(CLOSE),
        *("2.00000000", "4.00000000", "1.00000000", "3.00000000", "1.00000000", "2.50000000"),
    ]


def test_start_and_end_are_inclusive_and_the_newest_rows_are_those_that_fit() -> None:
    bounds = f"start={CLOSE}&end={CLOSE + 180_000}"
    assert opens(bounds) == [4, 3, 2, 1]
    assert opens(f"{bounds}&limit=2") == [4, 3]
    assert len(opens("", 900)) == 200
    assert len(opens("limit=1000", 1_500)) == 1_000


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("category=spot&symbol=NOPE&interval=1", "Not supported symbols"),
        ("category=linear&symbol=NOPE&interval=1", "params error: symbol invalid"),
        ("symbol=btcusdt&interval=1", "params error: symbol invalid"),
        ("category=option&symbol=BTCUSDT&interval=1", "params error: Category is invalid"),
        ("category=spot&symbol=BTCUSDT&interval=7", "Invalid period!"),
        ("category=spot&symbol=BTCUSDT", "Invalid period!"),
        ("category=spot&symbol=BTCUSDT&interval=1&limit=1001", "params error: invalid range"),
        ("category=spot&symbol=BTCUSDT&interval=1&start=x", "params error: invalid range"),
    ],
)
def test_a_wrong_question_is_an_error_with_status_200(query: str, text: str) -> None:
    body = get(query)
    assert (body["retCode"], body["retMsg"], body["result"]) == (10001, text, {})


def test_bars_that_are_not_sold_are_no_rows() -> None:
    assert get("category=spot&symbol=BTCUSDT&interval=M")["result"]["list"] == []


def test_more_than_600_requests_in_five_seconds_are_forbidden() -> None:
    shop = server()
    target = "/v5/market/kline?category=spot&symbol=BTCUSDT&interval=5"
    for _ in range(600):
        answer = shop.get(target, {}, now_at())
        assert answer is not None
        assert answer.status == 200
    answer = shop.get(target, {}, now_at(4.9))
    assert answer == HttpAnswer(403, b"access too frequent.")
    later = shop.get(target, {}, now_at(5))
    assert later is not None
    assert later.status == 200


@pytest.mark.parametrize("target", ["/", "/v5/market/tickers?symbol=BTCUSDT", "//["])
def test_elsewhere_there_is_nothing(target: str) -> None:
    assert server().get(target, {}, now_at()) is None


# Against the client's codec


def client(
    venue: SimulatedVenue, *sources: SourceId, category: str = "spot", pings: bool = False
) -> Client:
    options = VenueOptions(url=f"ws://v/v5/public/{category}")
    session = BybitCodec().session(sources, options)
    return Client(venue, session, flagged=True, pings=pings)


def closed(venue: SimulatedVenue, *sources: SourceId) -> dict[tuple[SourceId, int], Bar]:
    """All closed bars."""
    quotes = [quote for source in sources for quote in venue.closed(source)]
    return {(q.bar.source, q.bar.timestamp): q.bar for q in quotes}


@given(st.integers(0, 2**32), st.sampled_from(CATEGORIES))
@settings(max_examples=12)
def test_the_client_reads_the_very_bars_that_the_venue_means(seed: int, category: str) -> None:
    defaults = {
        "delay": {"kind": "uniform", "max_ms": 150},
        "duplicate": 0.2,
        "reorder": 0.2,
        "revise": 0.3,
        "revise_after_ms": 40,
    }
    sources = (BTC, ETH, SourceId("SOL/USDT_5m"))
    venue = open_venue(
        "bybit",
        {key: {} for key in sources},
        seed=seed,
        venue={"running_ms": 25},
        defaults=defaults,
        market={"empty": 0.1},
    )
    one = client(venue, *sources, category=category)
    one.run()
    assert not one.session.unacknowledged()
    assert one.final() == closed(venue, *sources)
    assert len(one.told) > len(one.final())


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_symbol_that_does_not_exist_is_refused_and_the_others_are_served(category: str) -> None:
    wrong = [SourceId("NO/SUCH_1m"), SourceId("NOR/THIS_5m")]
    venue = open_venue("bybit", {BTC: {}, ETH: {}})
    one = client(venue, BTC, wrong[0], ETH, wrong[1], category=category)
    one.run()
    refusals = [item for item in one.outcomes if isinstance(item, Refusal)]
    assert [(item.sources, item.final) for item in refusals] == [
        ((wrong[0],), True),
        ((wrong[1],), True),
    ]
    assert Acknowledged((BTC, ETH)) in one.outcomes
    assert not one.session.unacknowledged()
    assert {bar.source for bar in one.told} == {BTC, ETH}


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_full_connection_is_subscribed_within_every_limit(category: str) -> None:
    sources = [SourceId(f"S{n}USDT_1m") for n in range(BybitCodec.facts.max_sources)]
    venue = open_venue("bybit", {key: {} for key in sources})
    one = client(venue, *sources, category=category)
    one.run(2_900)
    assert not one.session.unacknowledged()
    assert all(isinstance(item, Acknowledged | Bar) for item in one.outcomes)


def test_a_client_that_pings_lives_and_is_never_in_doubt() -> None:
    quiet = {"pace_ms": 3_600_000, "duration_s": 1_500}
    venue = open_venue("bybit", {BTC: {}}, venue=quiet)
    one = client(venue, BTC, pings=True)
    one.run(1_400_000)
    assert one.cut is None
    assert one.longest_silence_ms <= 20_000 < BybitSession.silence_ms


def test_a_client_that_does_not_ping_is_cut_after_ten_minutes() -> None:
    quiet = {"pace_ms": 3_600_000, "duration_s": 1_500}
    venue = open_venue("bybit", {BTC: {}}, venue=quiet)
    one = client(venue, BTC)
    one.run(599_000)
    before = one.cut
    assert before is None
    one.run(601_000)
    assert one.cut is not None
    assert one.cut.code == ABRUPT


def test_the_past_is_had_in_windows_of_a_thousand_without_the_one_under_way() -> None:
    venue = open_venue(
        "bybit", {BTC: {}}, venue={"pace_ms": 1, "duration_s": 1}, market={"empty": 0.1}
    )
    venue.advance(at(900.5))
    bars = [quote.bar for quote in venue.closed(BTC)]
    assert venue.running(BTC) is not None
    assert len(bars) == 900
    whole = Span(BTC, WallMs(bars[0].timestamp - 2_000 * 60_000), bars[-1].timestamp)
    assert past(venue, BybitHistory(), whole, 901) == bars
    near = Span(BTC, bars[-9].timestamp, bars[-3].timestamp)
    assert past(venue, BybitHistory(), near, 2_500) == bars[-8:-2]
