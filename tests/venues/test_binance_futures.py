"""What Binance's USD-M futures have of their own, and a client at the simulated venue."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.simulation.actions import Close, Send
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.units import Instant, MonoNs, SourceId, WallMs
from barsync_async.venues import CODECS
from barsync_async.venues.binance import BinanceSession
from barsync_async.venues.options import PUBLIC, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, GoingAway

CODEC = CODECS["binance_futures"]
STARTED = Instant(MonoNs(0), WallMs(1_767_364_200_000))
SOURCES = [SourceId("BTC/USDT_1s"), SourceId("ethusdt_1s"), SourceId("BTC/USDT_5s")]


def session(*sources: str, url: str | None = None) -> BinanceSession:
    one = CODEC.session([SourceId(each) for each in sources], VenueOptions(url=url))
    assert isinstance(one, BinanceSession)
    return one


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        (None, "wss://fstream.binance.com/market/stream"),
        ("wss://fstream.binance.com", "wss://fstream.binance.com/market/stream"),
        ("wss://fstream.binance.com/", "wss://fstream.binance.com/market/stream"),
        ("wss://fstream.binance.com/market", "wss://fstream.binance.com/market/stream"),
        ("wss://fstream.binance.com/market/", "wss://fstream.binance.com/market/stream"),
        ("ws://h:1/market/ws", "ws://h:1/market/ws"),
        ("ws://h:1/ws", "ws://h:1/ws"),
    ],
)
def test_klines_are_asked_for_below_market_where_they_have_been_since_april_2026(
    url: str | None, whole: str
) -> None:
    assert session("BTCUSDT_1m", url=url).url == whole


def test_there_are_no_bars_of_seconds_but_at_a_server_of_ones_own() -> None:
    for timeframe in ("1s", "5s", "15s", "30s"):
        why = CODEC.supports(SourceId(f"BTCUSDT_{timeframe}"), PUBLIC)
        assert why
        assert f"no {timeframe} klines" in why
    assert CODEC.supports(SourceId("BTCUSDT_1m"), PUBLIC) is None
    assert CODEC.supports(SourceId("BTCUSDT_1s"), VenueOptions(url="ws://127.0.0.1:1")) is None


def test_ten_messages_a_second_are_allowed_and_fewer_are_sent() -> None:
    assert 1_000 / session("BTCUSDT_1m").send_interval_ms < 10
    assert CODEC.facts.lifetime_s == 24 * 3_600


def test_1m_is_a_minute_and_1_capital_m_a_month_that_nobody_asked_for() -> None:
    opened = 1_672_531_200_000
    k = {"t": opened, "T": opened + 31 * 86_400_000 - 1, "s": "BTCUSDT", "i": "1M", "x": True}
    frame = json.dumps({"e": "kline", "k": k | dict.fromkeys("ohlcv", "1")})
    (item,) = session("BTCUSDT_1m").receive(frame)
    assert getattr(item, "reason", None) == "unknown_source"


def open_venue(**tables: Any) -> SimulatedVenue:
    venue = {"protocol": "binance_futures", "pace_ms": 100, "start": 10_000, "duration_s": 2}
    document = {"venue": venue | tables.pop("venue", {}), "sources": {each: {} for each in SOURCES}}
    return SimulatedVenue(parse_scenario(document | tables, "x"), STARTED)


def listen(venue: SimulatedVenue, path: str) -> BinanceSession:
    one = session(*SOURCES, url=f"ws://venue{path}")
    assert venue.connect(1, path, STARTED.mono) == []
    for frame in one.opening_frames():
        for action in venue.receive(1, frame, STARTED.mono):
            assert isinstance(action, Send)
            (answer,) = one.receive(action.text)
            assert isinstance(answer, Acknowledged)
    assert not one.unacknowledged()
    return one


@given(st.integers(0, 2**32), st.sampled_from(["/market/stream", "/market/ws"]))
@settings(max_examples=15)
def test_every_bar_that_the_venue_means_is_decoded_exactly(seed: int, path: str) -> None:
    faults = {
        "delay": {"kind": "uniform", "max_ms": 300},
        "duplicate": 0.2,
        "reorder": 0.2,
        "revise": 0.2,
        "revise_after_ms": 150.0,
    }
    venue = open_venue(seed=seed, defaults=faults, venue={"running_ms": 40})
    one = listen(venue, path)
    finals = 0
    while (when := venue.next_at()) is not None:
        for action in venue.advance(when):
            if isinstance(action, Send) and action.bar is not None:
                assert one.receive(action.text) == ((action.bar,) if action.final else ())
                finals += action.final
            elif isinstance(action, Send):
                assert isinstance(one.receive(action.text)[0], GoingAway)
    assert finals >= 44


@pytest.mark.parametrize("path", ["/stream", "/ws"])
def test_a_path_of_before_april_2026_confirms_and_stays_silent(path: str) -> None:
    venue = open_venue()
    listen(venue, path)
    while (when := venue.next_at()) is not None:
        for action in venue.advance(when):
            assert not (isinstance(action, Send) and action.bar)


def test_an_eleventh_message_within_a_second_cuts_the_connection() -> None:
    venue = open_venue()
    venue.connect(1, "/market/stream", 0)
    answers = [venue.receive(1, '{"method":"LIST_SUBSCRIPTIONS","id":1}', 0) for _ in range(11)]
    assert all(isinstance(each[0], Send) for each in answers[:10])
    assert answers[10] == [Close(1, 1008, "Too many requests")]


def test_an_unknown_symbol_is_confirmed_and_never_produces() -> None:
    venue = open_venue()
    one = session("NOPE_1s", url="ws://venue")
    venue.connect(1, "/market/stream", 0)
    (frame,) = one.opening_frames()
    (action,) = venue.receive(1, frame, 0)
    assert isinstance(action, Send)
    assert one.receive(action.text) == (Acknowledged((SourceId("NOPE_1s"),)),)
    bars = [a for a in venue.advance(1_000_000_000) if isinstance(a, Send)]
    assert not bars


def test_a_bar_comes_with_the_spelling_of_the_config() -> None:
    venue = open_venue()
    one = listen(venue, "/market/stream")
    symbols = set()
    while (when := venue.next_at()) is not None:
        for action in venue.advance(when):
            if isinstance(action, Send):
                symbols |= {bar.symbol for bar in one.receive(action.text) if isinstance(bar, Bar)}
    assert symbols == {"BTC/USDT", "ethusdt"}
