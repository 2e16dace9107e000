"""The single writer: one version a timestamp, whoever decides when."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from barsync_async.errors import ConservationBroken
from barsync_async.messages import (
    Decision,
    Event,
    EventType,
    Features,
    PortfolioUpdate,
    Signal,
    StrategyFault,
)
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.components.portfolio import Portfolio, PortfolioStatistics
from barsync_async.shell.components.strategy_runner import StrategyRunner
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container
from barsync_async.testing import create_bar
from barsync_async.units import WallMs

NOON = 1_800_000_000_000 - 1_800_000_000_000 % 300_000
MINUTE = 60_000
NAMES = ("a", "b", "c")
SAID = (EventType.SIGNAL, EventType.STRATEGY_FAULT, EventType.PORTFOLIO)


class Wants:
    """Plays a strategy's role: wants a fixed number of units, or fails."""

    def __init__(self, label: str, units: float | None) -> None:
        self.name = label
        self._units = units

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        if self._units is None:
            raise ValueError("no idea")
        return Decision({"SPY": self._units}, "")


def wants(label: str, units: float | None) -> dict[str, Any]:
    return {"name": f"{__name__}:Wants", "label": label, "units": units}


def features(timestamp: int, close: float = 10.0) -> Event:
    bar = create_bar("SPY_1m", timestamp, close)
    made = Features(timestamp=WallMs(timestamp), features={}, bars={bar.source: bar})
    return Event(EventType.FEATURES, made)


def signal(strategy: str, timestamp: int, units: float) -> Event:
    made = Signal(timestamp=WallMs(timestamp), strategy=strategy, targets={"SPY": units}, reason="")
    return Event(EventType.SIGNAL, made)


def fault(strategy: str, timestamp: int, rest_sets: int = 0) -> Event:
    made = StrategyFault(
        timestamp=WallMs(timestamp),
        strategy=strategy,
        kind="raised",
        detail="",
        action="",
        rest_sets=rest_sets,
    )
    return Event(EventType.STRATEGY_FAULT, made)


class Bench:
    """A portfolio and all that was said, with the moment of each event."""

    def __init__(self, **options: Any) -> None:
        self.container = Container("c", clock=VirtualClock(WallMs(NOON)))
        self.bus = self.container.event_bus
        self.portfolio = Portfolio(**options)
        self.events: list[Event] = []
        for event_type in SAID:
            self.bus.subscribe(event_type, self.events.append)

    def with_strategies(self, *strategies: Any, **options: Any) -> "Bench":
        """Strategies that really decide."""
        runner = StrategyRunner(strategies, **options)
        self.container.add_component("strategies", runner)
        self.container.add_component("portfolio", self.portfolio)
        return self

    def with_names(self, names: Sequence[str] = NAMES) -> "Bench":
        """Strategies whose answers the test gives: their runner hears nothing."""
        silent = StrategyRunner([wants(name, 0.0) for name in names])
        self.container.components["strategies"] = silent
        self.container.add_component("portfolio", self.portfolio)
        return self

    @property
    def versions(self) -> list[PortfolioUpdate]:
        return [e.payload for e in self.events if e.event_type is EventType.PORTFOLIO]

    @property
    def faults(self) -> list[StrategyFault]:
        return [e.payload for e in self.events if e.event_type is EventType.STRATEGY_FAULT]


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[Bench]:
    task = asyncio.ensure_future(bench.portfolio.run())
    await asyncio.sleep(0)
    try:
        yield bench
    finally:
        await bench.portfolio.stop()
        await task


# Without a loop


def test_all_decisions_for_a_timestamp_make_one_version() -> None:
    bench = Bench(cash=1_000.0).with_strategies(wants("a", 3.0), wants("b", -1.0))
    bench.bus.publish(features(NOON))
    assert [each.event_type.value for each in bench.events] == ["SIGNAL", "SIGNAL", "PORTFOLIO"]
    assert bench.versions == [
        PortfolioUpdate(
            timestamp=WallMs(NOON),
            version=1,
            positions={"SPY": 2.0},
            cash=980.0,
            equity=1_000.0,
            peak=1_000.0,
            turnover=20.0,
            gross_exposure=20.0,
            net_exposure=20.0,
            applied=("a", "b"),
        )
    ]


def test_the_order_in_which_the_components_were_added_does_not_matter() -> None:
    bench = Bench(cash=1_000.0)
    bench.container.add_component("portfolio", bench.portfolio)
    bench.container.add_component("strategies", StrategyRunner([wants("a", 3.0)]))
    bench.bus.publish(features(NOON))
    assert [each.positions for each in bench.versions] == [{"SPY": 3.0}]


def test_one_that_failed_is_left_out_and_the_others_are_applied() -> None:
    bench = Bench().with_strategies(wants("a", 3.0), wants("bad", None), wants("b", 1.0))
    bench.bus.publish(features(NOON))
    (version,) = bench.versions
    assert version.applied == ("a", "b")
    assert version.positions == {"SPY": 4.0}
    assert [(each.strategy, each.kind) for each in bench.faults] == [("bad", "raised")]


def test_versions_strictly_increase_one_a_timestamp() -> None:
    bench = Bench().with_strategies(wants("a", 3.0))
    for number in range(10):
        bench.bus.publish(features(NOON + number * MINUTE, 10.0 + number))
    assert [each.version for each in bench.versions] == [*range(1, 11)]
    assert [each.timestamp for each in bench.versions] == [NOON + n * MINUTE for n in range(10)]
    assert [each.equity for each in bench.versions] == [1_000_000.0 + 3 * n for n in range(10)]


@pytest.mark.parametrize("cash", [0, 0.0, -1.0, math.nan, math.inf])
def test_cash_of_which_there_could_be_no_share_is_refused(cash: float) -> None:
    with pytest.raises(ValueError, match=f"cash = {cash}: expected a number above 0"):
        Portfolio(cash)


def test_without_strategies_every_features_event_still_gives_a_version() -> None:
    bench = Bench(cash=5.0)
    bench.container.add_component("portfolio", bench.portfolio)
    bench.bus.publish(features(NOON))
    bench.bus.publish(features(NOON + MINUTE))
    assert [(each.version, each.cash, each.applied) for each in bench.versions] == [
        (1, 5.0, ()),
        (2, 5.0, ()),
    ]


@pytest.mark.parametrize("order", list(permutations(NAMES)))
def test_the_order_applied_is_fixed_whatever_the_order_of_the_answers(
    order: tuple[str, ...],
) -> None:
    bench = Bench().with_names()
    bench.bus.publish(features(NOON))
    for name in order:
        assert bench.versions == []
        bench.bus.publish(signal(name, NOON, {"a": 0.1, "b": 0.2, "c": 0.3}[name]))
    (version,) = bench.versions
    assert version.applied == NAMES
    assert (version.positions, version.cash) == ({"SPY": 0.6}, 999_994.0)


def test_a_second_answer_of_a_stranger_or_for_another_timestamp_changes_nothing() -> None:
    bench = Bench().with_names(("a", "b"))
    bench.bus.publish(signal("a", NOON, 9.0))
    bench.bus.publish(features(NOON))
    bench.bus.publish(signal("a", NOON, 1.0))
    with capture_logs() as logs:
        bench.bus.publish(signal("a", NOON, 7.0))
        bench.bus.publish(signal("stranger", NOON, 7.0))
        bench.bus.publish(signal("b", NOON - MINUTE, 7.0))
    assert [each["strategy"] for each in logs] == ["a", "stranger"]
    assert bench.versions == []
    bench.bus.publish(fault("b", NOON))
    (version,) = bench.versions
    assert (version.positions, version.applied) == ({"SPY": 1.0}, ("a",))


def test_the_next_features_close_a_version_that_still_waited_without_a_loop() -> None:
    bench = Bench().with_names(("a", "b"))
    bench.bus.publish(features(NOON))
    bench.bus.publish(signal("a", NOON, 1.0))
    bench.bus.publish(features(NOON + MINUTE))
    bench.bus.publish(signal("b", NOON, 5.0))
    assert [(each.timestamp, each.applied) for each in bench.versions] == [(NOON, ("a",))]
    assert [(each.strategy, each.timestamp) for each in bench.faults] == [("b", NOON)]


def test_a_version_that_cannot_balance_reaches_whoever_published_the_decision() -> None:
    bench = Bench().with_names(("a",))
    bench.bus.publish(features(NOON))
    bench.bus.publish(signal("a", NOON, 1.0))
    bench.bus.publish(features(NOON + MINUTE, float("nan")))
    with pytest.raises(ConservationBroken):
        bench.bus.publish(signal("a", NOON + MINUTE, 1.0))
    assert len(bench.versions) == 1


def test_costs_and_limits_come_as_a_config_gives_them() -> None:
    bench = Bench(
        cash=1_000.0,
        costs={"commission_per_unit": 0.5},
        limits={"max_units": 4.0, "breach": "clip"},
    ).with_strategies(wants("a", 10.0))
    bench.bus.publish(features(NOON))
    (version,) = bench.versions
    assert (version.positions, version.costs, version.cash) == ({"SPY": 4.0}, 2.0, 958.0)
    assert [(each.strategy, each.reason) for each in version.refused] == [("a", "max_units = 4")]


@pytest.mark.parametrize("has_runner", [True, False])
def test_a_signal_of_nobody_in_the_runner_trades_nothing_and_is_told_whenever_it_comes(
    *, has_runner: bool
) -> None:
    bench = Bench(cash=1_000.0)
    if has_runner:
        bench.with_strategies(wants("a", 3.0))
    else:
        bench.container.add_component("portfolio", bench.portfolio)
    with capture_logs() as logs:
        bench.bus.publish(signal("mine", NOON, 7.0))
        for number in range(2):
            bench.bus.publish(features(NOON + number * MINUTE))
            bench.bus.publish(signal("mine", NOON + number * MINUTE, 7.0))
    assert [(each["event"], each["strategy"]) for each in logs] == [
        ("no strategy of the container's StrategyRunner: trades nothing", "mine")
    ] * 3
    assert [each.positions for each in bench.versions] == [{"SPY": 3.0} if has_runner else {}] * 2


def test_costs_and_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="slippage_bps = -1"):
        Portfolio(costs={"slippage_bps": -1})
    with pytest.raises(TypeError):
        Portfolio(limits={"max_fun": 1})


def test_a_decision_names_the_version_that_it_was_made_on() -> None:
    bench = Bench().with_strategies(wants("a", 3.0))
    for number in range(3):
        bench.bus.publish(features(NOON + number * MINUTE))
    seen = [e.payload.depends_on_version for e in bench.events if isinstance(e.payload, Signal)]
    assert seen == [0, 1, 2]
    assert [each.depends_on_version for each in bench.versions] == [0, 1, 2]
    assert [each.stale for each in bench.versions] == [(), (), ()]


@pytest.mark.parametrize("parallel", [True, False])
async def test_nobody_decides_twice_about_a_timestamp_whose_set_is_revised(parallel: bool) -> None:
    bench = Bench().with_strategies(wants("a", 3.0), parallel=parallel)
    task = asyncio.ensure_future(bench.container.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first = features(NOON)
    for event in (first, Event(EventType.FEATURES, replace(first.payload, revision=1))):
        bench.bus.publish(event)
        await bench.bus.drained()
    await bench.container.stop()
    await task
    assert [each.event_type.value for each in bench.events] == ["SIGNAL", "PORTFOLIO"]


# Under a loop


async def test_a_late_strategy_is_reported_and_left_out_at_the_very_limit() -> None:
    async with running(Bench(decision_timeout_ms=200).with_names()) as bench:
        bench.bus.publish(features(NOON))
        bench.bus.publish(signal("c", NOON, 1.0))
        bench.bus.publish(signal("a", NOON, 2.0))
        await asyncio.sleep(0.1999)
        assert bench.versions == []
        await asyncio.sleep(0.0002)
        assert bench.faults == [
            StrategyFault(
                timestamp=WallMs(NOON),
                strategy="b",
                kind="late",
                detail="no decision within 200 ms",
                action="left out of this version",
            )
        ]
        (version,) = bench.versions
        assert (version.applied, version.positions) == (("a", "c"), {"SPY": 3.0})
        assert bench.events[-1].event_type is EventType.PORTFOLIO


async def test_who_is_late_is_logged_and_counted() -> None:
    async with running(Bench(decision_timeout_ms=200).with_names()) as bench:
        with capture_logs() as logs:
            for number, spoken in enumerate((("a", "c"), (), NAMES)):
                timestamp = NOON + number * MINUTE
                bench.bus.publish(features(timestamp))
                for name in spoken:
                    bench.bus.publish(signal(name, timestamp, 1.0))
                await asyncio.sleep(1)
        assert bench.portfolio.statistics() == PortfolioStatistics(
            versions=3, late={"a": 1, "b": 2, "c": 1}
        )
    assert logs[0] == {
        "event": "late for a version",
        "log_level": "warning",
        "strategy": "b",
        "detail": "no decision within 200 ms",
        "timestamp_ms": NOON,
    }
    assert [each["strategy"] for each in logs] == ["b", "a", "b", "c"]


async def test_what_a_late_strategy_says_in_the_end_changes_no_version() -> None:
    async with running(Bench(decision_timeout_ms=200).with_names(("a", "b"))) as bench:
        bench.bus.publish(features(NOON))
        bench.bus.publish(signal("a", NOON, 2.0))
        await asyncio.sleep(1)
        bench.bus.publish(signal("b", NOON, 100.0))
        await asyncio.sleep(1)
        assert [each.applied for each in bench.versions] == [("a",)]
        bench.bus.publish(features(NOON + MINUTE))
        bench.bus.publish(signal("b", NOON + MINUTE, 1.0))
        bench.bus.publish(signal("a", NOON + MINUTE, 2.0))
        await asyncio.sleep(0)
        assert [each.applied for each in bench.versions] == [("a",), ("a", "b")]
        assert bench.versions[-1].positions == {"SPY": 3.0}


async def test_every_timestamp_has_its_own_time_whatever_became_of_the_last_one() -> None:
    async with running(Bench(decision_timeout_ms=200).with_names(("a",))) as bench:
        bench.bus.publish(features(NOON))
        bench.bus.publish(signal("a", NOON, 2.0))
        await asyncio.sleep(0.15)
        bench.bus.publish(features(NOON + MINUTE))
        await asyncio.sleep(0.1)
        assert len(bench.versions) == 1
        bench.bus.publish(signal("a", NOON + MINUTE, 3.0))
        await asyncio.sleep(0)
        assert [each.applied for each in bench.versions] == [("a",), ("a",)]
        assert bench.faults == []


async def test_that_one_was_late_at_the_barrier_ends_no_rest() -> None:
    async with running(Bench(decision_timeout_ms=200).with_names(("a",))) as bench:
        bench.bus.publish(features(NOON))
        loop = asyncio.get_running_loop()
        loop.call_at(loop.time() + 0.2, bench.bus.publish, fault("a", NOON, rest_sets=2))
        await asyncio.sleep(0.3)
        assert len(bench.versions) == 1
        for number in (1, 2):
            bench.bus.publish(features(NOON + number * MINUTE))
            await asyncio.sleep(0)
            assert len(bench.versions) == 1 + number


class Slow:
    """Plays a seat's role: on virtual time a strategy itself takes none."""

    name = "slow"

    def ask_now(self, features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        raise AssertionError("nobody waits for it inline")

    async def ask(
        self, features: Features, portfolio: PortfolioUpdate | None, limit_ms: float
    ) -> Decision:
        await asyncio.sleep(1)
        return Decision({"SPY": 9.0}, "")

    def stop(self) -> None:
        """Nothing is held."""


async def test_where_one_overruns_the_limit_it_alone_is_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(decision_timeout_ms=200)
    bench.with_strategies(wants("slow", 1.0), wants("quick", 2.0), wants("bad", None))
    (runner,) = bench.container.find(StrategyRunner)
    monkeypatch.setattr(runner._workers[0], "_seat", Slow())
    task = asyncio.ensure_future(bench.container.run())
    await asyncio.sleep(0.1)
    bench.bus.publish(features(NOON))
    await bench.container.stop()
    await task
    said = [(each.event_type.value, getattr(each.payload, "strategy", "")) for each in bench.events]
    assert said == [
        ("SIGNAL", "quick"),
        ("STRATEGY_FAULT", "bad"),
        ("STRATEGY_FAULT", "slow"),
        ("PORTFOLIO", ""),
        ("SIGNAL", "slow"),
    ]
    assert [(each.applied, each.positions) for each in bench.versions] == [
        (("quick",), {"SPY": 2.0})
    ]


async def after(iterations: int, act: Callable[[], None]) -> None:
    for _ in range(iterations):
        await asyncio.sleep(0)
    act()


async def test_what_was_decided_in_time_counts_though_the_loop_hears_of_it_after_the_limit() -> (
    None
):
    """A loop that stood still goes through the iterations from thread to portfolio afterwards."""
    async with running(Bench(decision_timeout_ms=200).with_names(("a",))) as bench:
        bench.bus.publish(features(NOON))
        loop, say = asyncio.get_running_loop(), partial(bench.bus.publish, signal("a", NOON, 2.0))
        async with asyncio.TaskGroup() as tasks:
            loop.call_later(0.2, lambda: tasks.create_task(after(5, say)))
            await asyncio.sleep(0.3)
        assert [each.applied for each in bench.versions] == [("a",)]
        assert bench.faults == []


def refuse(event: Event) -> None:
    raise ValueError("no more")


@pytest.mark.parametrize("event_type", [EventType.STRATEGY_FAULT, EventType.PORTFOLIO])
async def test_what_a_handler_raises_of_a_version_that_its_time_closes_ends_the_portfolio(
    event_type: EventType,
) -> None:
    bench = Bench(decision_timeout_ms=200).with_names(("a",))
    bench.bus.subscribe(event_type, refuse)
    bench.bus.publish(features(NOON))
    with pytest.raises(ValueError, match="no more"):
        await asyncio.wait_for(bench.portfolio.run(), 1)


async def test_a_version_that_its_time_closes_and_that_cannot_balance_ends_the_portfolio() -> None:
    bench = Bench(decision_timeout_ms=200).with_names(("a", "b"))
    bench.bus.publish(features(NOON))
    bench.bus.publish(signal("a", NOON, 1.0))
    bench.bus.publish(signal("b", NOON, 1.0))
    bench.bus.publish(features(NOON + MINUTE, float("nan")))
    bench.bus.publish(signal("a", NOON + MINUTE, 1.0))
    with pytest.raises(ConservationBroken):
        await asyncio.wait_for(bench.portfolio.run(), 1)


async def test_what_is_still_waited_for_at_the_end_is_left_out_of_the_last_version() -> None:
    async with running(Bench(decision_timeout_ms=200).with_names(("a", "b"))) as bench:
        bench.bus.publish(features(NOON))
        bench.bus.publish(signal("a", NOON, 2.0))
    assert [each.applied for each in bench.versions] == [("a",)]
    assert [each.strategy for each in bench.faults] == ["b"]
    assert bench.portfolio._timer is None


async def test_once_all_have_spoken_no_timer_is_left() -> None:
    async with running(Bench(decision_timeout_ms=200).with_names(("a",))) as bench:
        bench.bus.publish(features(NOON))
        bench.bus.publish(signal("a", NOON, 2.0))
        await asyncio.sleep(0)
        assert len(bench.versions) == 1
        assert bench.portfolio._timer is None
        await asyncio.sleep(1)
        assert len(bench.versions) == 1
        assert bench.faults == []


@pytest.mark.parametrize("parallel", [True, False])
async def test_the_stream_under_a_loop_is_the_one_without(parallel: bool) -> None:
    def made() -> Bench:
        strategies = (wants("a", 3.0), wants("bad", None), wants("b", -1.0))
        return Bench(cash=1_000.0).with_strategies(*strategies, parallel=parallel)

    plain, looped = made(), made()
    task = asyncio.ensure_future(looped.container.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for number in range(3):
        plain.bus.publish(features(NOON + number * MINUTE, 10.0 + number))
        looped.bus.publish(features(NOON + number * MINUTE, 10.0 + number))
        await looped.bus.drained()
    await looped.container.stop()
    await task
    assert len(looped.events) == 11  # the bad one rests for the third set
    assert looped.events == plain.events


@pytest.mark.parametrize("is_first", [True, False])
def test_a_symbol_of_no_source_is_refused_whichever_component_was_added_first(
    is_first: bool,
) -> None:
    bench = Bench()
    synchronizer = BarSynchronizer({"SPY_1m", "BRK_B_1m"})
    if is_first:
        bench.container.add_component("synchronizer", synchronizer)
    bench.with_names(("a",))
    if not is_first:
        bench.container.add_component("synchronizer", synchronizer)
    bench.bus.publish(features(NOON))
    said = signal("a", NOON, 1.0)
    targets = {"SPY": 1.0, "BRK_B": 0.0, "NOPE": 1.0}
    bench.bus.publish(Event(EventType.SIGNAL, replace(said.payload, targets=targets)))
    (version,) = bench.versions
    assert version.positions == {"SPY": 1.0}
    assert [(each.symbol, each.reason) for each in version.refused] == [
        ("NOPE", "no source has bars of it")
    ]
