"""One FEATURES event for each synchronized set, with and without a loop."""

import asyncio
import math
import threading
from typing import Any

import numpy as np
import pytest

from barsync_async.errors import ComponentError
from barsync_async.messages import (
    Decision,
    Event,
    EventType,
    Features,
    PortfolioUpdate,
    SynchronizedBars,
)
from barsync_async.ports import Clock
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.components.feature_calculator import MultiSymbolFeatureCalculator
from barsync_async.shell.components.portfolio import Portfolio
from barsync_async.shell.components.strategy_runner import StrategyRunner
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container
from barsync_async.testing import create_bar, create_bar_event
from barsync_async.units import SourceId, WallMs

NOON = 1_800_000_000_000 - 1_800_000_000_000 % 300_000
MINUTE = 60_000
SOURCES = ("SPY_1m", "QQQ_1m")
SMA = {"name": "sma", "window": 2, "label": "sma"}


class Bench:
    """A synchronizer, its features, and all that was published."""

    def __init__(
        self, *indicators: Any, clock: Clock | None = None, pairs: Any = None, **options: Any
    ) -> None:
        self.container = Container("c", clock=clock)
        self.bus = self.container.event_bus
        self.container.add_component("sync", BarSynchronizer(SOURCES, **options))
        made = MultiSymbolFeatureCalculator(indicators or (SMA,), pairs=pairs)
        self.container.add_component("features", made)
        self.events: list[Event] = []
        for event_type in EventType:
            if event_type is not EventType.BAR:
                self.bus.subscribe(event_type, self.events.append)

    def bars(self, number: int, *closes: float) -> None:
        for source, close in zip(SOURCES, closes, strict=False):
            self.bus.publish(create_bar_event(source, NOON + number * MINUTE, close))

    @property
    def features(self) -> list[Features]:
        return [each.payload for each in self.events if each.event_type is EventType.FEATURES]

    @property
    def types(self) -> list[str]:
        return [each.event_type.value for each in self.events]


def test_every_set_gives_its_features_at_once() -> None:
    bench = Bench()
    bench.bars(0, 10.0, 20.0)
    bench.bars(1, 12.0, 24.0)
    assert bench.types == ["SYNCHRONIZED_BARS", "FEATURES"] * 2
    assert [each.timestamp for each in bench.features] == [NOON, NOON + MINUTE]
    assert math.isnan(bench.features[0].features["SPY_1m"]["sma"])
    assert bench.features[1].features == {"QQQ_1m": {"sma": 22.0}, "SPY_1m": {"sma": 11.0}}


def test_features_come_with_the_very_bars_they_were_computed_from() -> None:
    bench = Bench()
    bench.bars(0, 10.0, 20.0)
    bars = bench.events[0].payload
    assert isinstance(bars, SynchronizedBars)
    assert bench.features[0].bars is bars.bars
    assert bench.features[0].bars[SourceId("SPY_1m")] == create_bar("SPY_1m", NOON, 10.0)


def test_features_cannot_be_altered() -> None:
    bench = Bench()
    bench.bars(0, 10.0, 20.0)
    features: Any = bench.features[0].features
    with pytest.raises(TypeError):
        features["SPY_1m"] = {}
    with pytest.raises(TypeError):
        features["SPY_1m"]["sma"] = 1.0


def test_the_usual_indicators_are_there_when_none_is_named() -> None:
    container = Container()
    container.add_component("sync", BarSynchronizer(SOURCES))
    container.add_component("features", MultiSymbolFeatureCalculator())
    seen: list[Event] = []
    container.event_bus.subscribe(EventType.FEATURES, seen.append)
    for source in SOURCES:
        container.event_bus.publish(create_bar_event(source, NOON, 1.0))
    names = seen[0].payload.features
    assert {*names["SPY_1m"]} == {"sma", "rsi"}
    assert {*names["correlation"]} == {"QQQ_1m|SPY_1m"}
    assert "spread" in names


def test_pairs_can_be_chosen() -> None:
    bench = Bench("correlation", pairs=[["SPY_1m", "QQQ_1m"]])
    bench.bars(0, 10.0, 20.0)
    assert list(bench.features[0].features["correlation"]) == ["QQQ_1m|SPY_1m"]


def test_a_container_needs_its_synchronizer_first() -> None:
    with pytest.raises(ComponentError, match="container c: put a BarSynchronizer in before"):
        Container("c").add_component("features", MultiSymbolFeatureCalculator())


@pytest.mark.parametrize(
    ("indicators", "pairs", "message"),
    [
        (["wma"], None, "indicator 'wma' is unknown"),
        ([{"name": "sma", "window": 0}], None, "window = 0"),
        (["sma", "sma"], None, "'sma' of an indicator is taken"),
        (["correlation"], [["SPY_1m", "IWM_1m"]], "IWM_1m"),
    ],
)
def test_indicators_and_pairs_that_cannot_be_are_refused(
    indicators: list[Any], pairs: list[list[str]] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Bench(*indicators, pairs=pairs)


def test_a_revised_set_corrects_its_features_and_all_later_ones() -> None:
    bench = Bench(require_all=False, late="amend", allowed_lateness_ms=1_000)
    bench.bars(0, 10.0, 20.0)
    bench.bars(1, 12.0)
    bench.bars(2, 14.0, 24.0)
    assert [each.features["QQQ_1m"]["sma"] for each in bench.features[2:]] == [22.0]
    bench.bus.publish(create_bar_event("QQQ_1m", NOON + MINUTE, 28.0))
    bench.bars(3, 16.0, 30.0)
    revised, last = bench.features[3:]
    assert (revised.timestamp, revised.revision) == (NOON + MINUTE, 1)
    assert revised.features["QQQ_1m"]["sma"] == 24.0
    assert last.features["QQQ_1m"]["sma"] == 27.0
    assert bench.types[-5:] == [
        "LATE_BAR",
        "SYNCHRONIZED_BARS_REVISED",
        "FEATURES",
        "SYNCHRONIZED_BARS",
        "FEATURES",
    ]


async def test_the_loop_turns_between_the_sets_that_a_revision_goes_through_again() -> None:
    bench = Bench(
        clock=VirtualClock(WallMs(NOON)), require_all=False, late="amend", allowed_lateness_ms=1_000
    )
    task = asyncio.ensure_future(bench.container.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    bench.bars(0, 10.0)
    for number in range(1, 20):
        bench.bars(number, 12.0, 24.0)
    await bench.bus.drained()
    bench.bus.publish(create_bar_event("QQQ_1m", NOON, 28.0))
    bench.bars(20, 12.0, 24.0)
    turns = 0
    while len(bench.features) == 20:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 20
    await bench.container.stop()
    await task
    assert [each.timestamp for each in bench.features[20:]] == [NOON, NOON + 20 * MINUTE]


def test_nobody_decides_twice_about_the_timestamp_of_a_revised_set() -> None:
    bench = trading()
    play(bench)
    assert_decided_once(bench)


async def test_nor_do_strategies_in_threads() -> None:
    bench = trading(clock=VirtualClock(WallMs(NOON)))
    task = asyncio.ensure_future(bench.container.run())
    await asyncio.sleep(0)
    play(bench)
    await bench.container.stop()
    await task
    assert_decided_once(bench)


def trading(**options: Any) -> Bench:
    bench = Bench(require_all=False, late="amend", allowed_lateness_ms=1_000, **options)
    bench.container.add_component("strategies", StrategyRunner([f"{__name__}:Patient"]))
    bench.container.add_component("portfolio", Portfolio())
    return bench


class Patient:
    """A strategy that wants nothing."""

    name = "patient"

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        return Decision({}, f"revision {features.revision}")


def play(bench: Bench) -> None:
    bench.bars(0, 10.0, 20.0)
    bench.bars(1, 12.0)
    bench.bars(2, 14.0, 24.0)
    bench.bus.publish(create_bar_event("QQQ_1m", NOON + MINUTE, 28.0))


def assert_decided_once(bench: Bench) -> None:
    assert [each.revision for each in bench.features] == [0, 0, 0, 1]
    for kind in (EventType.SIGNAL, EventType.PORTFOLIO):
        told = [each.payload for each in bench.events if each.event_type is kind]
        assert [each.timestamp for each in told] == [NOON + n * MINUTE for n in range(3)]


async def test_under_a_loop_a_set_goes_out_only_after_the_features_of_the_last_one() -> None:
    bench = Bench(clock=VirtualClock(WallMs(NOON)))
    task = asyncio.ensure_future(bench.container.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for number in range(3):
        bench.bars(number, 10.0, 20.0)
    assert bench.types == ["SYNCHRONIZED_BARS"]  # the worker has not run yet
    await bench.bus.drained()
    assert bench.types == ["SYNCHRONIZED_BARS", "FEATURES"] * 3
    assert [each.seq for each in bench.events] == [1, 2, 3, 4, 5, 6]
    await bench.container.stop()
    await task


async def test_a_skipped_set_has_no_features() -> None:
    bench = Bench(clock=VirtualClock(WallMs(NOON)))
    task = asyncio.ensure_future(bench.container.run())
    await asyncio.sleep(0)
    bench.bars(0, 10.0)
    await asyncio.sleep(1)
    bench.bars(1, 10.0, 20.0)
    await bench.container.stop()
    await task
    assert bench.types == ["SYNC_SKIPPED", "SYNCHRONIZED_BARS", "FEATURES"]
    assert [each.timestamp for each in bench.features] == [NOON + MINUTE]


async def test_what_waits_when_the_container_is_stopped_still_gets_its_features() -> None:
    bench = Bench(clock=VirtualClock(WallMs(NOON)))
    task = asyncio.ensure_future(bench.container.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for number in range(3):
        bench.bars(number, 10.0, 20.0)
    await bench.container.stop()
    await task
    assert [each.timestamp for each in bench.features] == [NOON + n * MINUTE for n in range(3)]


async def test_slow_indicators_work_in_a_thread_and_say_the_same() -> None:
    choice = {"name": "cointegration", "window": 30, "every_s": 600, "label": "tied"}
    random = np.random.default_rng(1)
    closes = 100 * np.exp(random.normal(0, 0.01, (70, 2)).cumsum(axis=0))
    inline, threaded = Bench(choice), Bench(choice, clock=VirtualClock(WallMs(NOON)))
    task = asyncio.ensure_future(threaded.container.run())
    await asyncio.sleep(0)
    for bench in (inline, threaded):
        for number, pair in enumerate(closes.tolist()):
            bench.bars(number, *pair)
    await threaded.container.stop()
    await task
    told = [
        [each.features["tied"]["QQQ_1m|SPY_1m"] for each in bench.features]
        for bench in (inline, threaded)
    ]
    assert told[0] == pytest.approx(told[1], rel=0, abs=0, nan_ok=True)
    assert math.isfinite(told[0][-1])
    assert not any(thread.name == "features" and thread.is_alive() for thread in _others())


def _others() -> list[threading.Thread]:
    """The threads that are left once each has had time to end."""
    found = [each for each in threading.enumerate() if each.name == "features"]
    for each in found:
        each.join(10)
    return found
