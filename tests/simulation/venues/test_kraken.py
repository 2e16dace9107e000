"""Kraken's server, to the polite and to the hostile, and against the client's codec."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulation.venues.client import STARTED, Client, at, open_venue, past

from barsync_async.messages import Bar
from barsync_async.simulation.candle import Candle
from barsync_async.simulation.roles import Answer, HttpAnswer, Quote, Violation
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.simulation.venues.kraken import (
    MOST_IGNORED,
    KrakenLine,
    KrakenProtocol,
    KrakenServer,
)
from barsync_async.units import Instant, MonoNs, SourceId, WallMs
from barsync_async.venues.history.exchange import Span
from barsync_async.venues.history.kraken import KrakenHistory
from barsync_async.venues.kraken import KrakenCodec, KrakenSession
from barsync_async.venues.options import PUBLIC
from barsync_async.venues.outcomes import Acknowledged, Refusal, Running

SECOND = 1_000_000_000
CLOSE = 1_775_521_800_000
BTC, ETH, BTC5 = SourceId("BTC/USD_1m"), SourceId("eth-usd_1m"), SourceId("XBTUSD_5m")


def now_at(seconds: float = 0) -> Instant:
    return Instant(MonoNs(round(seconds * SECOND)), WallMs(CLOSE + round(seconds * 1_000)))


def quote(number: int = 0, source: SourceId = BTC, *, volume: int = 7, final: bool = True) -> Quote:
    candle = Candle(2.0, 4.0, 1.0, 3.0, volume, volume, 1 if volume else -1)
    symbol, _, timeframe = source.rpartition("_")
    return Quote(
        candle.bar(symbol, timeframe, WallMs(CLOSE + number * 60_000)), candle, final=final
    )


class Shelf:
    """Closed bars of BTC, every second one empty, and perhaps one under way."""

    def __init__(self, bars: int = 6, *, trades: bool = True) -> None:
        self.bars = bars
        self.trades = trades

    def closed(self, source: SourceId) -> Sequence[Quote]:
        return [quote(n, volume=n % 2) for n in range(self.bars)] if source == BTC else []

    def running(self, source: SourceId) -> Quote | None:
        return quote(self.bars, final=False) if source == BTC and self.trades else None


def server(bars: int = 6, *, trades: bool = True) -> KrakenServer:
    return KrakenProtocol().serve([BTC, ETH, BTC5], Shelf(bars, trades=trades))


def line(bars: int = 6) -> KrakenLine:
    return server(bars).accept("/v2", now_at())


def request(*symbols: str, method: str = "subscribe", id: Any = 1, **params: Any) -> str:  # noqa: A002 - the venue's name
    return json.dumps(
        {
            "method": method,
            "params": {"channel": "ohlc", "symbol": symbols, "interval": 1} | params,
            "req_id": id,
        }
    )


def told(answers: Sequence[Answer]) -> list[Any]:
    return [json.loads(answer) for answer in answers if isinstance(answer, str)]


def error_of(frame: str | bytes) -> str:
    (answer,) = told(line().receive(frame, now_at()))
    assert answer["success"] is False
    return str(answer["error"])


# The wire


def test_the_venue_says_first_how_its_engine_is() -> None:
    (status,) = told(line().greet(now_at()))
    assert status["channel"] == "status"
    assert status["data"][0]["system"] == "online"


def test_each_symbol_is_answered_on_its_own_its_snapshot_behind_its_acknowledgement() -> None:
    first, snapshot, second = told(line().receive(request("BTC/USD", "ETH/USD"), now_at()))
    assert first == {
        "method": "subscribe",
        "result": {
            "channel": "ohlc",
            "interval": 1,
            "symbol": "BTC/USD",
            "snapshot": True,
            "warnings": ["timestamp is deprecated, use interval_begin"],
        },
        "success": True,
        "req_id": 1,
        "time_in": "2026-04-07T00:30:00.000000Z",
        "time_out": "2026-04-07T00:30:00.000000Z",
    }
    assert second["result"]["symbol"] == "ETH/USD"
    assert snapshot["type"] == "snapshot"


def test_a_snapshot_has_the_newest_bars_with_trades_oldest_first_and_the_running_one() -> None:
    _, snapshot = told(line(30).receive(request("BTC/USD"), now_at()))
    begins = [row["interval_begin"][11:19] for row in snapshot["data"]]
    assert begins == [f"00:{minute:02}:00" for minute in range(40, 60, 2)] + ["00:59:00"]
    assert told(line().receive(request("BTC/USD", snapshot=False), now_at()))[1:] == []


def test_an_update_has_the_fields_of_a_recorded_one() -> None:
    one = line()
    one.receive(request("BTC/USD"), now_at())
    (message,) = told([one.publish(quote(), now_at(0.114)) or ""])
    assert message == {
        "channel": "ohlc",
        "type": "update",
        "timestamp": "2026-04-07T00:30:00.114000000Z",
        "data": [
            {
                "symbol": "BTC/USD",
                "open": 2.0,
                "high": 4.0,
                "low": 1.0,
                "close": 3.0,
                "trades": 7,
                "volume": 7.0,
                "vwap": 2.5,
                "interval_begin": "2026-04-07T00:29:00.000000000Z",
                "interval": 1,
                "timestamp": "2026-04-07T00:30:00.000000Z",
            }
        ],
    }


def test_a_closed_bar_looks_like_any_update() -> None:
    one = line()
    one.receive(request("BTC/USD"), now_at())
    running, closed = (one.publish(quote(final=final), now_at()) for final in (False, True))
    assert running == closed


def test_updates_come_with_trades_only_so_a_silent_minute_is_absent() -> None:
    one = line()
    one.receive(request("BTC/USD"), now_at())
    assert one.publish(quote(volume=0), now_at()) is None


def test_nothing_is_told_without_a_subscription_to_that_symbol_and_interval() -> None:
    one = line()
    assert one.publish(quote(), now_at()) is None
    one.receive(request("BTC/USD", interval=5), now_at())
    assert one.publish(quote(), now_at()) is None
    assert one.publish(quote(source=BTC5), now_at()) is not None


def test_heartbeats_begin_with_a_subscription_and_fill_silence_only() -> None:
    one = line()
    assert one.next_at() is None
    assert one.advance(now_at(99)) == ()
    one.receive(request("BTC/USD"), now_at(100))
    assert one.next_at() == now_at(101).mono
    one.publish(quote(), now_at(100.8))
    assert one.advance(now_at(101)) == ()
    assert one.advance(now_at(101.8)) == ('{"channel":"heartbeat"}',)
    assert one.next_at() == now_at(102.8).mono


def test_a_ping_is_answered_with_its_number() -> None:
    (pong,) = told(line().receive('{"method":"ping","req_id":101}', now_at()))
    assert (pong["method"], pong["req_id"]) == ("pong", 101)
    (bare,) = told(line().receive('{"method":"ping"}', now_at()))
    assert "req_id" not in bare


def test_a_subscription_can_be_given_back_and_taken_again_with_another_interval() -> None:
    one = line()
    one.receive(request("BTC/USD"), now_at())
    (gone,) = told(one.receive(request("BTC/USD", method="unsubscribe"), now_at()))
    assert (gone["method"], gone["success"]) == ("unsubscribe", True)
    assert one.publish(quote(), now_at()) is None
    (again,) = told(one.receive(request("BTC/USD", interval=5), now_at()))
    assert again["success"]
    (wrong,) = told(one.receive(request("ETH/USD", method="unsubscribe"), now_at()))
    assert wrong["error"] == "Subscription Not Found"


# The rules


@pytest.mark.parametrize("symbol", ["XBT/USD", "btc/usd", "BTC-USD", "BTCUSD", "NO/SUCH"])
def test_a_symbol_must_be_spelt_as_the_venue_does_and_the_others_are_served(symbol: str) -> None:
    wrong, right, *_ = told(line().receive(request(symbol, "BTC/USD"), now_at()))
    assert wrong["error"].startswith("Currency pair not supported ")
    assert (wrong["method"], wrong["success"], wrong["req_id"]) == ("subscribe", False, 1)
    assert wrong["symbol"] in wrong["error"]
    assert right["success"]


def test_a_second_interval_of_a_symbol_is_refused() -> None:
    one = line()
    one.receive(request("BTC/USD"), now_at())
    (wrong,) = told(one.receive(request("BTC/USD", interval=5, id=2), now_at()))
    assert wrong["error"] == "Already subscribed to one ohlc interval on this symbol"
    assert (wrong["symbol"], wrong["req_id"]) == ("BTC/USD", 2)


@pytest.mark.parametrize("interval", [0, 3, 60.0, "1", True, None, 2**70])
def test_an_interval_that_is_not_of_the_list_is_refused(interval: Any) -> None:
    assert error_of(request("BTC/USD", interval=interval)) == (
        "Subscription ohlc interval not supported"
    )


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "pong",
        "null",
        "[]",
        "{}",
        b"{}",
        '{"method":7}',
        '{"method":"jump"}',
        '{"method":"subscribe"}',
        '{"method":"subscribe","params":[]}',
        request("BTC/USD", channel="ticker"),
        request(),
        request("BTC/USD", symbol="BTC/USD"),
        request("BTC/USD", symbol=[7]),
        request("BTC/USD", id=2**63),
        request("BTC/USD", id="one"),
        '{"method":' + "[" * 50_000,
        "\ud800",
    ],
)
def test_a_wrong_request_is_an_error(frame: str | bytes) -> None:
    assert error_of(frame)


def test_messages_beyond_the_rate_are_ignored_and_very_many_cut_the_connection() -> None:
    one = line()
    for _ in range(15):
        assert told(one.receive('{"method":"ping"}', now_at()))[0]["method"] == "pong"
    for _ in range(MOST_IGNORED):
        assert told(one.receive(request("BTC/USD"), now_at())) == [{"Error": "Exceeded msg rate"}]
    assert one.receive("x", now_at()) == (Violation("Exceeded msg rate"),)
    assert one.publish(quote(), now_at()) is None


def test_the_socket_is_at_version_two_and_the_venue_leaves_without_a_word() -> None:
    assert server().knows_path("/v2")
    assert server().knows_path("/v2/")
    assert not server().knows_path("/")
    assert line().farewell(now_at()) == ()


@pytest.mark.parametrize("source", ["BTC/USD_1s", "BTC/USD_3m", "BTC/USD_1w", "SPY_1m"])
def test_other_bars_are_not_to_be_had(source: str) -> None:
    with pytest.raises(ValueError, match=r"Kraken has no|pair"):
        KrakenProtocol().stream(source)


def test_all_spellings_of_a_pair_are_one_stream() -> None:
    names = ("BTC/USD", "BTC-USD", "BTCUSD", "btcusd", "XBT/USD", "xbtusd")
    assert {KrakenProtocol().stream(f"{name}_1m") for name in names} == {"ohlc-1 BTC/USD"}


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)
params = st.fixed_dictionaries(
    {"channel": st.just("ohlc")},
    optional={
        "symbol": st.lists(st.sampled_from(["BTC/USD", "ETH/USD"]) | st.text()) | json_like,
        "interval": st.sampled_from([1, 5]) | json_like,
        "snapshot": json_like,
    },
)
requests = st.fixed_dictionaries(
    {"method": st.sampled_from(["subscribe", "unsubscribe", "ping"])},
    optional={"params": params | json_like, "req_id": json_like},
)


@given(st.lists(st.text() | st.binary() | (requests | json_like).map(json.dumps), max_size=4))
def test_no_frame_makes_it_raise_and_each_is_answered_in_json(frames: list[str | bytes]) -> None:
    one = line()
    for frame in frames:
        assert told(one.receive(frame, now_at()))
    one.publish(quote(), now_at())
    one.advance(now_at(99))


# REST


def get(query: str, shop: KrakenServer | None = None) -> Any:
    answer = (shop or server()).get(f"/0/public/OHLC?{query}", {}, now_at())
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 200
    return json.loads(answer.body)


@pytest.mark.parametrize("pair", ["XBTUSD", "XXBTZUSD", "BTC/USD", "BTCUSD", "XBT/USD"])
def test_bars_come_under_the_endpoints_own_name_oldest_first_the_last_one_running(
    pair: str,
) -> None:
    body = get(f"pair={pair}&interval=1&since=0")
    assert body["error"] == []
    rows = body["result"]["XXBTZUSD"]
    assert [row[0] - CLOSE // 1_000 for row in rows] == [60 * n for n in range(-1, 6)]
    assert rows[1] == [
        CLOSE // 1_000,
        *("2.00000000", "4.00000000", "1.00000000", "3.00000000", "2.50000000", "1.00000000"),
        1,
    ]
    assert rows[0][-2:] == ["0.00000000", 0]
    assert body["result"]["last"] == rows[-2][0]


def test_at_most_720_bars_come_whatever_since_says() -> None:
    for trades in (True, False):
        rows = get("pair=XBTUSD&since=0", server(900, trades=trades))["result"]["XXBTZUSD"]
        assert len(rows) == 720
        assert rows[-1][0] == CLOSE // 1_000 - 60 + 900 * 60


def test_the_bar_under_way_is_always_there_even_without_a_trade() -> None:
    since = CLOSE // 1_000 + 99_999
    (row,) = get(f"pair=XBTUSD&since={since}", server(trades=False))["result"]["XXBTZUSD"]
    assert row[0] == CLOSE // 1_000 + 300
    assert row[-1] == 0
    assert get("pair=ETHUSD")["result"]["XETHZUSD"] == []


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("pair=NOSUCH", "EQuery:Unknown asset pair"),
        ("", "EQuery:Unknown asset pair"),
        ("pair=XBTUSD&interval=3", "EGeneral:Invalid arguments"),
        ("pair=XBTUSD&interval=x", "EGeneral:Invalid arguments"),
        ("pair=XBTUSD&since=-1", "EGeneral:Invalid arguments"),
    ],
)
def test_a_wrong_question_is_an_error_with_status_200(query: str, error: str) -> None:
    assert get(query) == {"error": [error]}


def test_a_sixth_request_within_a_second_is_too_many() -> None:
    shop = server()
    for _ in range(5):
        assert get("pair=XBTUSD", shop)["error"] == []
    assert get("pair=XBTUSD", shop) == {"error": ["EGeneral:Too many requests"]}


@pytest.mark.parametrize("target", ["/", "/0/public/Ticker?pair=XBTUSD", "//["])
def test_elsewhere_there_is_nothing(target: str) -> None:
    assert server().get(target, {}, now_at()) is None


# Against the client's codec


def client(venue: SimulatedVenue, *sources: SourceId) -> Client:
    return Client(venue, KrakenCodec().session(sources, PUBLIC))


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
    sources = (BTC, ETH, SourceId("SOL/USD_5m"))
    venue = open_venue(
        "kraken",
        {key: {} for key in sources},
        seed=seed,
        venue={"running_ms": 25},
        defaults=defaults,
        market={"empty": 0.1},
    )
    one = client(venue, *sources)
    one.run()
    assert not one.session.unacknowledged()
    final, meant = one.final(), closed(venue, *sources)
    assert {key: final[key] for key in meant} == meant
    assert len(one.told) > len(meant)


def test_what_was_lost_on_the_wire_is_in_the_next_connections_snapshot() -> None:
    venue = open_venue("kraken", {BTC: {}}, defaults={"loss": 1.0})
    venue.advance(at(2_000))
    one = client(venue, BTC)
    one.run(2_050)
    assert list(one.final().values()) == list(closed(venue, BTC).values())[-10:]


def test_a_symbol_that_does_not_exist_is_refused_and_heartbeats_hide_its_silence() -> None:
    venue = open_venue("kraken", {BTC: {}}, venue={"pace_ms": 60_000, "duration_s": 30})
    wrong = SourceId("NO/SUCH_1m")
    one = client(venue, wrong, BTC)
    one.run(25_000)
    assert [item for item in one.outcomes if not isinstance(item, Running)] == [
        Refusal((wrong,), "Currency pair not supported NO/SUCH", final=True),
        Acknowledged((BTC,)),
    ]
    assert not one.session.unacknowledged()
    assert one.longest_silence_ms == 1_000


def test_a_second_timeframe_of_a_symbol_is_refused_and_the_first_is_served() -> None:
    venue = open_venue("kraken", {BTC: {}, BTC5: {}})
    one = client(venue, BTC, BTC5)
    one.run()
    (refusal,) = (item for item in one.outcomes if isinstance(item, Refusal))
    assert (refusal.sources, refusal.final) == ((BTC5,), True)
    assert {bar.source for bar in one.told} == {BTC}


def test_three_hundred_symbols_of_all_timeframes_are_subscribed_within_the_rate() -> None:
    names = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
    sources = [SourceId(f"S{n}/USD_{names[n % 7]}") for n in range(300)]
    venue = open_venue("kraken", {key: {} for key in sources}, venue={"start": 1_775_520_000_000})
    one = client(venue, *sources)
    one.run(2_000)
    assert not one.session.unacknowledged()
    assert not [item for item in one.outcomes if isinstance(item, Refusal)]


def test_a_client_that_floods_is_told_so_and_cut() -> None:
    venue = open_venue("kraken", {BTC: {}})
    session = KrakenSession([BTC], "ws://v")
    session.send_interval_ms = 0
    one = Client(venue, session)
    one._outgoing.extend(['{"method":"ping"}'] * 99)
    one.run(50)
    assert one.cut is not None
    assert Refusal((), "Exceeded msg rate", final=False) in one.outcomes


def test_the_past_is_the_newest_720_bars_without_the_one_under_way() -> None:
    venue = open_venue(
        "kraken", {BTC: {}}, venue={"pace_ms": 1, "duration_s": 1}, market={"empty": 0.1}
    )
    venue.advance(at(900.5))
    bars = [quote.bar for quote in venue.closed(BTC)]
    assert venue.running(BTC) is not None
    assert len(bars) == 900
    span = Span(BTC, WallMs(bars[0].timestamp - 60_000), bars[-1].timestamp)
    assert past(venue, KrakenHistory(), span, 901) == bars[-719:]
    near = Span(BTC, bars[-9].timestamp, bars[-3].timestamp)
    assert past(venue, KrakenHistory(), near, 2_500) == bars[-8:-2]
    assert STARTED.wall > bars[-1].timestamp
