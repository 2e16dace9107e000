"""Coinbase's server, to the polite and to the hostile, and against the client's codec."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulation.venues.client import Client, at, open_venue, past

from barsync_async.messages import Bar
from barsync_async.simulation.candle import Candle
from barsync_async.simulation.roles import Answer, HttpAnswer, Quote, Violation
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.simulation.venues.coinbase import CoinbaseLine, CoinbaseProtocol, CoinbaseServer
from barsync_async.units import Instant, MonoNs, SourceId, WallMs
from barsync_async.venues.coinbase import CoinbaseCodec, CoinbaseSession
from barsync_async.venues.history.coinbase import CoinbaseHistory
from barsync_async.venues.history.exchange import Span
from barsync_async.venues.options import PUBLIC
from barsync_async.venues.outcomes import Refusal

SECOND = 1_000_000_000
CLOSE = 1_775_521_800_000
BTC, ETH, USDC = SourceId("BTC-USD_5m"), SourceId("ETH/USD_5m"), SourceId("SOL-USDC_5m")


def now_at(seconds: float = 0) -> Instant:
    return Instant(MonoNs(round(seconds * SECOND)), WallMs(CLOSE + round(seconds * 1_000)))


def quote(number: int = 0, source: SourceId = BTC, *, volume: int = 7, final: bool = True) -> Quote:
    candle = Candle(2.0, 4.0, 1.0, 3.0, volume, volume, 1 if volume else -1)
    symbol, _, timeframe = source.rpartition("_")
    timestamp = WallMs(CLOSE + number * 300_000)
    return Quote(candle.bar(symbol, timeframe, timestamp), candle, final=final)


class Shelf:
    """Some closed bars of BTC, and one under way."""

    def __init__(self, bars: int = 3) -> None:
        self.bars = bars

    def closed(self, source: SourceId) -> Sequence[Quote]:
        return [quote(n) for n in range(self.bars)] if source == BTC else []

    def running(self, source: SourceId) -> Quote | None:
        return quote(self.bars, final=False) if source == BTC else None


def server(bars: int = 3) -> CoinbaseServer:
    return CoinbaseProtocol().serve([BTC, ETH, USDC], Shelf(bars))


def line() -> CoinbaseLine:
    return server().accept("/", now_at())


def subscribe(channel: str = "candles", *products: str, **more: Any) -> str:
    return json.dumps({"type": "subscribe", "channel": channel, "product_ids": products, **more})


def told(answers: Sequence[Answer]) -> list[Any]:
    return [json.loads(answer) for answer in answers if isinstance(answer, str)]


def error_of(frame: str | bytes) -> str:
    (answer,) = told(line().receive(frame, now_at()))
    assert answer["type"] == "error"
    return str(answer["message"])


# The wire


def test_a_subscription_is_answered_with_all_there_are_and_a_snapshot_newest_first() -> None:
    one = line()
    one.receive(subscribe("heartbeats"), now_at())
    listed, snapshot = told(one.receive(subscribe("candles", "BTC-USD"), now_at(0.5)))
    assert listed == {
        "channel": "subscriptions",
        "client_id": "",
        "timestamp": "2026-04-07T00:30:00.500000000Z",
        "sequence_num": 1,
        "events": [{"subscriptions": {"heartbeats": ["heartbeats"], "candles": ["BTC-USD"]}}],
    }
    (event,) = snapshot["events"]
    assert (snapshot["sequence_num"], event["type"]) == (2, "snapshot")
    assert [int(each["start"]) - CLOSE // 1_000 for each in event["candles"]] == [
        600,
        300,
        0,
        -300,
    ]


def test_an_update_has_the_fields_of_a_recorded_one_every_number_a_text() -> None:
    one = line()
    one.receive(subscribe("candles", "BTC-USD"), now_at())
    (message,) = told([one.publish(quote(), now_at()) or ""])
    assert list(message) == ["channel", "client_id", "timestamp", "sequence_num", "events"]
    assert message["events"] == [
        {
            "type": "update",
            "candles": [
                {
                    "start": str(CLOSE // 1_000 - 300),
                    "low": "1.00000000",
                    "high": "4.00000000",
                    "open": "2.00000000",
                    "close": "3.00000000",
                    "volume": "7.00000000",
                    "product_id": "BTC-USD",
                }
            ],
        }
    ]


def test_a_closed_bar_and_a_revised_one_look_like_any_update() -> None:
    one = line()
    one.receive(subscribe("candles", "BTC-USD"), now_at())
    texts = [one.publish(quote(final=final), now_at()) for final in (False, True)]
    running, closed = (json.loads(text or "")["events"] for text in texts)
    assert running == closed


def test_nothing_is_told_of_a_bar_without_a_trade_or_without_a_subscription() -> None:
    one = line()
    assert one.publish(quote(), now_at()) is None
    one.receive(subscribe("candles", "BTC-USD"), now_at())
    assert one.publish(quote(volume=0), now_at()) is None
    assert one.publish(quote(source=ETH), now_at()) is None


@pytest.mark.parametrize("product", ["SOL-USDC", "SOL-USD"])
def test_a_usdc_product_is_answered_as_usd(product: str) -> None:
    one = line()
    (listed,) = told(one.receive(subscribe("candles", product), now_at()))
    assert listed["events"] == [{"subscriptions": {"candles": [product]}}]
    (message,) = told([one.publish(quote(source=USDC), now_at()) or ""])
    assert message["events"][0]["candles"][0]["product_id"] == "SOL-USD"


def test_no_products_are_all_products() -> None:
    (listed, _) = told(line().receive('{"type":"subscribe","channel":"candles"}', now_at()))
    assert listed["events"] == [{"subscriptions": {"candles": ["BTC-USD", "ETH-USD", "SOL-USD"]}}]


def test_heartbeats_come_every_second_and_are_counted() -> None:
    one = line()
    one.receive(subscribe("heartbeats"), now_at(0.5))
    assert one.next_at() == now_at(1.5).mono
    assert one.advance(now_at(1.4)) == ()
    beats = [told(one.advance(now_at(1.5 + n)))[0] for n in range(3)]
    assert [beat["events"][0]["heartbeat_counter"] for beat in beats] == ["1", "2", "3"]
    assert beats[0]["channel"] == "heartbeats"
    assert beats[0]["events"][0]["current_time"] == "2026-04-07 00:30:01.500000000 +0000 UTC"


def test_candles_can_be_unsubscribed_one_by_one_or_all() -> None:
    one = line()
    one.receive(subscribe("candles", "BTC-USD", "ETH-USD"), now_at())
    request = {"type": "unsubscribe", "channel": "candles", "product_ids": ["BTC-USD"]}
    (listed,) = told(one.receive(json.dumps(request), now_at()))
    assert listed["events"] == [{"subscriptions": {"candles": ["ETH-USD"]}}]
    (listed,) = told(one.receive('{"type":"unsubscribe","channel":"candles"}', now_at()))
    assert listed["events"] == [{"subscriptions": {}}]


# The rules


def test_a_client_that_subscribes_to_nothing_is_cut_after_five_seconds() -> None:
    one = line()
    assert one.next_at() == now_at(5).mono
    assert one.advance(now_at(4.9)) == ()
    assert one.advance(now_at(5)) == (Violation("no subscription"),)


def test_without_heartbeats_a_quiet_connection_is_cut() -> None:
    one = line()
    one.receive(subscribe("candles", "BTC-USD"), now_at(1))
    one.publish(quote(), now_at(50))
    assert one.advance(now_at(139)) == ()
    assert one.advance(now_at(140)) == (Violation("no updates"),)


def test_a_ninth_message_within_a_second_is_an_error_and_the_end() -> None:
    one = line()
    for number in range(8):
        assert len(one.receive(subscribe("heartbeats"), now_at(number / 10))) == 1
    error, end = one.receive(subscribe("heartbeats"), now_at(0.9))
    assert told([error]) == [{"type": "error", "message": "rate limit exceeded"}]
    assert end == Violation("rate limit exceeded")


def test_a_product_that_does_not_exist_fails_the_whole_message_without_being_named() -> None:
    one = line()
    request = subscribe("candles", "BTC-USD", "NO-SUCH")
    assert told(one.receive(request, now_at())) == [
        {"type": "error", "message": "failure to subscribe"}
    ]
    assert one.publish(quote(), now_at()) is None


@pytest.mark.parametrize("channel", ["user", "heartbeat", "full", ""])
def test_a_private_or_unknown_channel_is_an_authentication_failure(channel: str) -> None:
    assert error_of(subscribe(channel, "BTC-USD")) == "authentication failure"


def test_a_token_is_not_asked_for_but_a_wrong_one_is_refused() -> None:
    assert error_of(subscribe("candles", "BTC-USD", jwt="mine")) == "authentication failure"
    assert told(line().receive(subscribe("candles", "BTC-USD", jwt="test"), now_at()))[1:]


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "pong",
        "null",
        "[]",
        "{}",
        b"{}",
        '{"type":7}',
        '{"type":"subscribe"}',
        '{"type":"subscribe","channel":["candles"]}',
        '{"type":"subscribe","channel":"candles","product_ids":"BTC-USD"}',
        '{"type":"subscribe","channel":"candles","product_ids":[[]]}',
        '{"type":"unsubscribe","channel":[]}',
        '{"type":' + "[" * 50_000,
        "\ud800",
    ],
)
def test_a_wrong_request_is_an_error(frame: str | bytes) -> None:
    assert error_of(frame)


def test_the_socket_is_at_the_root_and_nothing_is_said_at_either_end() -> None:
    assert server().knows_path("/")
    assert server().knows_path("")
    assert not server().knows_path("/ws")
    assert line().greet(now_at()) == ()
    assert line().farewell(now_at()) == ()


@pytest.mark.parametrize("source", ["BTC-USD_1m", "SPY_5m", "BTC-USD_1h"])
def test_there_are_five_minute_candles_of_pairs_and_no_others(source: str) -> None:
    with pytest.raises(ValueError, match=r"Coinbase has 5m|pair"):
        CoinbaseProtocol().stream(source)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)
requests = st.fixed_dictionaries(
    {"type": st.sampled_from(["subscribe", "unsubscribe"])},
    optional={
        "channel": st.sampled_from(["candles", "heartbeats", "status"]) | json_like,
        "product_ids": st.lists(st.sampled_from(["BTC-USD", "ETH-USDC"]) | st.text()) | json_like,
        "jwt": json_like,
    },
)


@given(st.lists(st.text() | st.binary() | (requests | json_like).map(json.dumps), max_size=4))
def test_no_frame_makes_it_raise_and_each_is_answered_in_json(frames: list[str | bytes]) -> None:
    one = line()
    for frame in frames:
        assert told(one.receive(frame, now_at()))
    one.publish(quote(), now_at())
    one.advance(now_at(99))


# REST


def get(target: str, shop: CoinbaseServer | None = None) -> Any:
    answer = (shop or server()).get(target, {}, now_at())
    assert isinstance(answer, HttpAnswer)
    return answer.status, json.loads(answer.body)


def candles_at(
    start: int | str, end: int | str, product: str = "BTC-USD", granularity: str = "FIVE_MINUTE"
) -> str:
    query = {"start": start, "end": end, "granularity": granularity}
    text = "&".join(f"{name}={value}" for name, value in query.items())
    return f"/api/v3/brokerage/market/products/{product}/candles?{text}"


def test_candles_come_newest_first_both_ends_included_and_the_running_one_too() -> None:
    first = CLOSE // 1_000 - 300
    status, body = get(candles_at(first, first + 900))
    assert status == 200
    assert [int(each["start"]) - first for each in body["candles"]] == [900, 600, 300, 0]
    assert "product_id" not in body["candles"][0]
    _, body = get(candles_at(first + 1, first + 600, "BTC-USDC"))
    assert [int(each["start"]) - first for each in body["candles"]] == [600, 300]


@pytest.mark.parametrize(
    ("target", "status", "details"),
    [
        (candles_at(0, 300, "NO-SUCH"), 404, "valid product_id"),
        (candles_at(0, 300 * 349), 400, "less than 350"),
        (candles_at(300, 0), 400, "start and end"),
        (candles_at("yesterday", 300), 400, "start and end"),
        (candles_at(0, "9" * 99), 400, "start and end"),
        (candles_at(0, 300, granularity="ONE_MINUTE"), 400, "granularity"),
    ],
)
def test_a_wrong_question_is_refused(target: str, status: int, details: str) -> None:
    got, body = get(target)
    assert got == status
    assert details in body["message"]


def test_three_hundred_and_forty_nine_buckets_may_be_asked_for() -> None:
    assert get(candles_at(0, 300 * 348))[0] == 200


def test_an_eleventh_request_within_a_second_is_too_many() -> None:
    shop = server()
    for _ in range(10):
        assert get(candles_at(0, 300), shop)[0] == 200
    answer = shop.get(candles_at(0, 300), {}, now_at())
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")


@pytest.mark.parametrize("target", ["/", "/api/v3/brokerage/products/BTC-USD/candles", "//["])
def test_elsewhere_there_is_nothing(target: str) -> None:
    assert server().get(target, {}, now_at()) is None


# Against the client's codec


def client(venue: SimulatedVenue, *sources: SourceId) -> Client:
    return Client(venue, CoinbaseCodec().session(sources, PUBLIC))


def closed(venue: SimulatedVenue, *sources: SourceId) -> dict[tuple[SourceId, int], Bar]:
    """All closed bars with a trade."""
    quotes = [quote for source in sources for quote in venue.closed(source)]
    return {(q.bar.source, q.bar.timestamp): q.bar for q in quotes if q.candle.trades}


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_the_client_reads_the_very_bars_that_the_venue_means(seed: int) -> None:
    defaults = {
        "delay": {"kind": "uniform", "max_ms": 150},
        "duplicate": 0.2,
        "reorder": 0.2,
        "revise": 0.3,
        "revise_after_ms": 40,
    }
    venue = open_venue(
        "coinbase",
        {BTC: {}, ETH: {}, USDC: {}},
        seed=seed,
        venue={"running_ms": 25},
        defaults=defaults,
        market={"empty": 0.1},
    )
    one = client(venue, BTC, ETH, USDC)
    one.run()
    assert not one.session.unacknowledged()
    final, meant = one.final(), closed(venue, BTC, ETH, USDC)
    assert {key: final[key] for key in meant} == meant
    assert len(one.told) > len(meant)


def test_what_was_lost_on_the_wire_is_in_the_next_connections_snapshot() -> None:
    venue = open_venue("coinbase", {BTC: {}}, defaults={"loss": 1.0})
    venue.advance(at(2_000))
    one = client(venue, BTC)
    one.run(2_050)
    assert one.final() == closed(venue, BTC)
    assert len(one.final()) == 20


def test_one_product_that_does_not_exist_costs_only_itself() -> None:
    venue = open_venue("coinbase", {BTC: {}, ETH: {}}, venue={"duration_s": 6})
    wrong = SourceId("NO-SUCH_5m")
    one = client(venue, BTC, wrong, ETH)
    one.run()
    refusals = [item for item in one.outcomes if isinstance(item, Refusal)]
    assert refusals == [Refusal((wrong,), "failure to subscribe", final=True)]
    assert not one.session.unacknowledged()
    assert {bar.source for bar in one.told} == {BTC, ETH}


def test_forty_products_are_subscribed_within_the_rate() -> None:
    sources = [SourceId(f"S{n}-USD_5m") for n in range(40)]
    venue = open_venue("coinbase", {key: {} for key in sources}, venue={"pace_ms": 1_000})
    one = client(venue, *sources)
    one.run(2_500)
    assert one.cut is None
    assert not one.session.unacknowledged()


def test_a_client_that_floods_is_cut() -> None:
    venue = open_venue("coinbase", {BTC: {}})
    session = CoinbaseSession([BTC], "ws://v")
    session.send_interval_ms = 0
    one = Client(venue, session)
    for _ in range(9):
        one._outgoing.append(subscribe("heartbeats"))
    one.run(50)
    assert one.cut is not None
    assert one.outcomes[-1] == Refusal((), "rate limit exceeded", final=False)


def test_heartbeats_keep_the_silence_below_what_the_client_bears() -> None:
    venue = open_venue("coinbase", {BTC: {}}, venue={"pace_ms": 600_000, "duration_s": 300})
    one = client(venue, BTC)
    one.run(250_000)
    assert one.cut is None
    assert not one.told
    assert one.longest_silence_ms == 1_000


def test_the_past_comes_in_pages_and_is_what_was_told() -> None:
    venue = open_venue(
        "coinbase", {USDC: {}}, venue={"pace_ms": 1, "duration_s": 1}, market={"empty": 0.1}
    )
    venue.advance(at(700))
    bars = [q.bar for q in venue.closed(USDC) if q.candle.trades]
    span = Span(USDC, bars[0].timestamp, bars[-2].timestamp)
    assert past(venue, CoinbaseHistory(), span, 701) == bars[1:-1]
    assert len(bars) > 600
