"""Trades on their way out: amid their bar, late, twice, one before the other, as told."""

import json
from collections import Counter
from typing import Any

import pytest

from barsync_async.simulation.actions import Action, Send
from barsync_async.simulation.candle import Trade as Deed
from barsync_async.simulation.candle import candle_of
from barsync_async.simulation.deals import DealSchedule
from barsync_async.simulation.market import Market
from barsync_async.simulation.roles import Deal
from barsync_async.simulation.scenario import Scenario, parse_scenario
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.units import NS_PER_MS, Instant, MonoNs, WallMs

WALL = WallMs(1_767_364_200_000)
STARTED = Instant(MonoNs(1_000), WALL)
SYMBOLS = ("SPY", "QQQ")


def scenario(**tables: Any) -> Scenario:
    document = {"seed": 5, "sources": {f"{symbol}_1s": {} for symbol in SYMBOLS}} | tables
    return parse_scenario(document, "x")


def deals(count: int = 200) -> list[tuple[int, Deal]]:
    return [(number * 1_000, Deal("SPY", 1.0, 1, number, number)) for number in range(count)]


def taken(schedule: DealSchedule) -> list[tuple[int, Deal]]:
    found = []
    while (when := schedule.next_at()) is not None:
        found += [(when, deal) for deal in schedule.take(when)]
    assert len(schedule) == 0
    return found


def test_without_a_table_each_trade_is_told_once_at_its_moment() -> None:
    schedule = DealSchedule(scenario())
    schedule.add(deals())
    assert list(schedule.take(-1)) == []
    assert taken(schedule) == deals()


def test_trades_are_delayed_each_by_itself_and_overtake_one_another() -> None:
    delay = {"kind": "uniform", "min_ms": 0.001, "max_ms": 0.01}
    told: list[list[tuple[int, Deal]]] = []
    for _ in range(2):
        schedule = DealSchedule(scenario(trades={"delay": delay}))
        schedule.add(deals())
        told.append(taken(schedule))
    assert told[0] == told[1], "the seed decides"
    late = [when - 1_000 * deal.number for when, deal in told[0]]
    assert 1_000 <= min(late) < 2_000
    assert 9_000 < max(late) <= 10_000
    numbers = [deal.number for _, deal in told[0]]
    assert sorted(numbers) == list(range(200))
    assert numbers != sorted(numbers)


def test_a_share_of_the_trades_is_told_twice() -> None:
    schedule = DealSchedule(scenario(trades={"duplicate": 0.3}))
    schedule.add(deals())
    times = Counter(deal.number for _, deal in taken(schedule))
    assert set(times.values()) == {1, 2}
    assert 30 < list(times.values()).count(2) < 90


def test_the_trades_of_a_step_are_those_of_its_bar_each_within_it_and_in_its_order() -> None:
    market = Market(scenario(), WallMs(5_000))
    moments = set()
    for _ in range(100):
        timestamp, found = market.timestamp, list(market.deals())
        assert found == list(market.deals()), "the seed decides"
        closed = dict(market.close())
        for symbol in SYMBOLS:
            own = [deal for deal in found if deal.symbol == symbol]
            made = candle_of(
                [Deed(deal.price, deal.volume) for deal in own], own[0].number, own[0].price
            )
            assert made == closed[f"{symbol}_1s"]  # type: ignore[index]  # a source
            assert [deal.at_ms for deal in own] == sorted(deal.at_ms for deal in own)
            assert timestamp - 1_000 <= own[0].at_ms
            assert own[-1].at_ms < timestamp
            moments |= {deal.at_ms - timestamp for deal in own}
    assert {-1_000, -1} <= moments, "at the very first and the very last moment too"


# On the wire


def open_venue(**venue: Any) -> SimulatedVenue:
    return SimulatedVenue(scenario(venue=venue), STARTED)


def subscribe(venue: SimulatedVenue, *streams: str, now: int = STARTED.mono) -> None:
    assert venue.connect(1, "/ws", now) == []
    request = {"method": "SUBSCRIBE", "params": streams, "id": 1}
    (answer,) = venue.receive(1, json.dumps(request), now)
    assert isinstance(answer, Send)


def events(venue: SimulatedVenue, until: int) -> list[tuple[int, dict[str, Any]]]:
    """What is sent up to then, and when."""
    found: list[tuple[int, Action]] = []
    while (when := venue.next_at()) is not None and when <= until:
        found += [(when, action) for action in venue.advance(when)]
    return [(when, json.loads(each.text)) for when, each in found if isinstance(each, Send)]


@pytest.mark.parametrize(
    ("pace", "step_ms"), [({}, 1_000), ({"pace_ms": 100, "start": 10_000}, 100)]
)
def test_trades_come_amid_their_bar_when_they_happen(pace: dict[str, Any], step_ms: int) -> None:
    venue = open_venue(**pace)
    subscribe(venue, "spy@trade", "spy@kline_1s")
    began, opened = STARTED.mono, venue.first_close - 1_000
    told = events(venue, began + 10 * step_ms * NS_PER_MS)
    trades = [(when, each) for when, each in told if each["e"] == "trade"]
    assert len(trades) == 16 * 10
    for when, each in trades:
        past_ms = each["T"] - opened
        assert when == began + past_ms * step_ms * NS_PER_MS // 1_000
    kinds = [each["e"] for _, each in told]
    assert kinds[:34] == ["trade"] * 16 + ["kline"] + ["trade"] * 16 + ["kline"]


def test_who_comes_amid_a_bar_hears_the_rest_of_its_trades() -> None:
    whole, late = open_venue(), open_venue()
    subscribe(whole, "spy@trade")
    now = STARTED.mono + 500 * NS_PER_MS
    late.advance(now)
    subscribe(late, "spy@trade", now=now)
    until = STARTED.mono + 1_500 * NS_PER_MS
    assert events(late, until) == [each for each in events(whole, until) if each[0] >= now]


def test_trades_that_nobody_hears_cost_nothing() -> None:
    venue = open_venue()
    subscribe(venue, "spy@kline_1s")
    assert venue.next_at() == STARTED.mono + 1_000 * NS_PER_MS


def test_the_last_trades_are_told_before_the_scenario_ends() -> None:
    late = {"delay": {"kind": "constant", "ms": 5_000}, "duplicate": 1.0}
    venue = SimulatedVenue(scenario(venue={"duration_s": 2}, trades=late), STARTED)
    subscribe(venue, "spy@trade")
    told = events(venue, STARTED.mono + 60_000 * NS_PER_MS)
    assert [each["e"] for _, each in told].count("trade") == 2 * 2 * 16
    assert venue.finished
