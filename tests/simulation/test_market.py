"""The market: the same for one seed, exact in its sums, correlated as told."""

from math import log
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barsync_async.messages import flaw
from barsync_async.simulation.candle import NO_TRADE, Candle, join
from barsync_async.simulation.market import Market
from barsync_async.simulation.scenario import Scenario, parse_scenario
from barsync_async.units import TIMEFRAMES, SourceId, WallMs, split_source

SPY, QQQ, SPY5 = SourceId("SPY_1s"), SourceId("QQQ_1s"), SourceId("SPY_5s")
seeds = st.integers(min_value=-(2**63), max_value=2**63 - 1)


def scenario(*sources: str, seed: int = 1, **market: Any) -> Scenario:
    document = {"seed": seed, "market": market, "sources": {source: {} for source in sources}}
    return parse_scenario(document, "x")


def closes(market: Market, steps: int) -> list[tuple[WallMs, SourceId, Candle]]:
    found = []
    for _ in range(steps):
        timestamp = market.timestamp
        found += [(timestamp, source, candle) for source, candle in market.close()]
    return found


@given(seeds)
@settings(max_examples=20)
def test_one_seed_gives_one_market(seed: int) -> None:
    given_ = scenario(SPY, QQQ, SPY5, seed=seed)
    first, second = Market(given_, WallMs(5_000)), Market(given_, WallMs(5_000))
    second.running(SPY, 0.3)  # looking changes nothing
    assert closes(first, 20) == closes(second, 20)


def test_another_symbol_changes_no_other() -> None:
    alone = closes(Market(scenario(SPY), WallMs(1_000)), 50)
    both = closes(Market(scenario(QQQ, SPY), WallMs(1_000)), 50)
    assert [each for each in both if each[1] == SPY] == alone


@given(seeds, st.sampled_from([("A_1s", "A_5s", "A_15s"), ("A_3m", "A_5m"), ("A_1d", "A_1w")]))
@settings(max_examples=20)
def test_longer_bars_are_exact_sums_of_the_steps(seed: int, sources: tuple[str, ...]) -> None:
    fine = {"A_3m": "A_1m"}.get(sources[0], sources[0])
    start = TIMEFRAMES[split_source(fine)[1]].next_close(0)
    steps = closes(Market(scenario(fine, seed=seed, empty=0.3, volatility=0.0), start), 40)
    market = Market(scenario(*sources, seed=seed, empty=0.3, volatility=0.0), start)
    for timestamp, source, candle in closes(market, 40):
        length_ms = TIMEFRAMES[split_source(source)[1]].length_ms
        whole: Candle | None = None
        for at, _, part in steps:
            if timestamp - length_ms < at <= timestamp:
                whole = join(whole, part)
        assert candle == whole


def test_bars_close_on_their_own_grid_and_on_no_other_step() -> None:
    market = Market(scenario("A_3m", "A_5m"), WallMs(60_000))
    found = [(at // 60_000, source) for at, source, _ in closes(market, 15)]
    assert [at for at, source in found if source == "A_3m"] == [3, 6, 9, 12, 15]
    assert [at for at, source in found if source == "A_5m"] == [5, 10, 15]


@given(seeds, st.floats(min_value=0, max_value=0.1))
@settings(max_examples=20)
def test_every_bar_is_a_possible_one_with_prices_that_survive_the_wire(
    seed: int, volatility: float
) -> None:
    market = Market(scenario(SPY, SPY5, seed=seed, volatility=volatility, empty=0.1), WallMs(1_000))
    for at, source, candle in closes(market, 30):
        bar = candle.bar(*split_source(source), at)
        assert flaw(bar) is None
        assert bar.low > 0
        assert float(f"{bar.close:.8f}") == bar.close


def test_a_running_bar_grows_into_the_closed_one() -> None:
    market = Market(scenario(SPY, SPY5, empty=0.0), WallMs(1_000))
    for _ in range(12):
        last = market.running(SPY5, 1.0)
        part = market.running(SPY5, 0.4)
        assert last is not None
        assert part is not None
        assert part[1].volume < last[1].volume
        assert part[1].open == last[1].open
        assert last[0] % 5_000 == 0
        if dict(market.close()).get(SPY5):
            assert last[0] == market.timestamp - 1_000


def test_a_bar_without_trades_is_flat_and_not_told_while_it_runs() -> None:
    market = Market(scenario(SPY, empty=1.0), WallMs(1_000))
    assert market.running(SPY, 1.0) is None
    ((_, candle),) = market.close()
    assert candle.volume == 0
    assert candle.open == candle.high == candle.low == candle.close
    assert candle.first_trade == candle.last_trade == NO_TRADE


def test_trades_are_numbered_without_a_gap() -> None:
    market = Market(scenario(SPY, empty=0.3), WallMs(1_000))
    expected = 1
    for _, _, candle in closes(market, 50):
        if candle.trades:
            assert candle.first_trade == expected
            expected = candle.last_trade + 1


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_returns_have_the_correlation_and_the_deviation_of_the_scenario(
    correlation: float,
) -> None:
    prices = {"SPY": 500.0, "QQQ": 400.0}
    told = scenario(SPY, QQQ, correlation=correlation, volatility=0.001, start_prices=prices)
    bars = closes(Market(told, WallMs(1_000)), 2_000)
    spy, qqq = (
        np.diff([log(candle.close) for _, each, candle in bars if each == source])
        for source in (SPY, QQQ)
    )
    assert np.corrcoef(spy, qqq)[0, 1] == pytest.approx(correlation, abs=0.07)
    assert np.std(spy) == pytest.approx(0.001, rel=0.1)
