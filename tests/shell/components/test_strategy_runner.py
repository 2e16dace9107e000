"""Strategies that decide, fail, lie and stall, side by side."""

import asyncio
import math
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any, Self

import numpy as np
import pytest
from structlog.testing import capture_logs
from tests.places import unplaced

from barsync_async.messages import (
    Decision,
    Event,
    EventType,
    Features,
    PortfolioUpdate,
    Signal,
    StrategyFault,
)
from barsync_async.shell.components.held_strategy import Failure
from barsync_async.shell.components.strategy_runner import StrategyRunner
from barsync_async.shell.components.strategy_seat import NOT_YET, ThreadSeat
from barsync_async.shell.container import Container
from barsync_async.units import WallMs

NOON = 1_800_000_000_000

Act = Callable[[Features, PortfolioUpdate | None], Any]


class Journal(list[str]):
    """Shared by all who get it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "Journal":
        return self


class Scripted:
    """Plays a strategy's role: does what it was told to."""

    def __init__(self, label: str, act: Act, made: Journal | None = None) -> None:
        self.name = label
        self.decide = act
        if made is not None:
            made.append(label)
            self.name += "" if len(made) == 1 else f" {len(made)}"


class Hoarding:
    """Keeps what it sees in its parameters; fails at the second."""

    name = "hoarding"

    def __init__(self, seen: list[int]) -> None:
        self._seen = seen

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        self._seen.append(features.timestamp)
        if len(self._seen) > 1:
            raise ValueError("enough")
        return Decision({}, f"{len(self._seen)} seen")


class Nameless:
    """Plays no strategy's role."""

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        return Decision({}, "")


def scripted(label: str, act: Act, **parameters: Any) -> dict[str, Any]:
    return {"name": f"{__name__}:Scripted", "label": label, "act": act, **parameters}


def wants(units: float) -> Act:
    return lambda features, portfolio: Decision({"SPY": units}, f"at {features.timestamp}")


def says(answer: Any) -> Act:
    return lambda features, portfolio: answer


def fails(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
    raise ZeroDivisionError("mine")


def features(timestamp: int = NOON) -> Features:
    return Features(timestamp=WallMs(timestamp), features={}, bars={})


class TwoFaced(float):
    """Is one number, and converts to another."""

    def __new__(cls, value: float, converted: float) -> Self:
        made = super().__new__(cls, value)
        made.converted = converted
        return made

    converted: float

    def __float__(self) -> float:
        return self.converted


class Bench:
    """A container with a runner, and all that was said in it."""

    def __init__(self, *strategies: Any, **options: Any) -> None:
        self.container = Container("c")
        self.bus = self.container.event_bus
        self.runner = StrategyRunner(strategies, **options)
        self.container.add_component("strategies", self.runner)
        self.said: list[Any] = []
        for event_type in (EventType.SIGNAL, EventType.STRATEGY_FAULT):
            self.bus.subscribe(event_type, lambda event: self.said.append(event.payload))

    def publish(self, timestamp: int = NOON) -> None:
        self.bus.publish(Event(EventType.FEATURES, features(timestamp)))

    @property
    def heads(self) -> list[tuple[str, int, str]]:
        return [(type(each).__name__, each.timestamp, each.strategy) for each in self.said]


@asynccontextmanager
async def running(*strategies: Any, **options: Any) -> AsyncIterator[Bench]:
    bench = Bench(*strategies, **options)
    task = asyncio.ensure_future(bench.container.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    try:
        yield bench
    finally:
        await bench.container.stop()
        await task


# Without a loop


def test_every_strategy_is_asked_and_signals_come_in_the_order_of_the_names() -> None:
    bench = Bench(scripted("b", wants(1.0)), scripted("a", wants(2.0)))
    assert bench.runner.strategy_names == ("b", "a")
    bench.publish()
    assert bench.said == [
        Signal(timestamp=WallMs(NOON), strategy="b", targets={"SPY": 1.0}, reason=f"at {NOON}"),
        Signal(timestamp=WallMs(NOON), strategy="a", targets={"SPY": 2.0}, reason=f"at {NOON}"),
    ]


def test_the_shipped_strategies_can_be_named_with_and_without_parameters() -> None:
    bench = Bench("momentum", {"name": "pairs_trading", "entry": 1.0, "label": "tight"})
    bench.publish()
    assert bench.heads == [("Signal", NOON, "momentum"), ("Signal", NOON, "tight")]


def test_one_that_raises_is_told_and_holds_no_other_back() -> None:
    bench = Bench(scripted("bad", fails), scripted("good", wants(1.0)))
    bench.publish()
    fault = bench.said[0]
    assert fault == StrategyFault(
        timestamp=WallMs(NOON),
        strategy="bad",
        kind="raised",
        detail=fault.detail,
        action="restarted",
    )
    assert re.fullmatch(r"ZeroDivisionError: mine \(test_strategy_runner.py:\d+\)", fault.detail)
    assert bench.heads[1:] == [("Signal", NOON, "good")]


def test_one_that_raised_is_made_anew_and_keeps_the_name_it_started_with() -> None:
    made = Journal()
    bench = Bench(scripted("bad", fails, made=made))
    assert made == ["bad"]
    bench.publish(NOON)
    assert made == ["bad", "bad"]
    bench.publish(NOON + 1)
    assert bench.heads == [("StrategyFault", NOON, "bad"), ("StrategyFault", NOON + 1, "bad")]


def test_what_it_altered_in_its_parameters_is_forgotten_when_it_is_made_anew() -> None:
    given: list[int] = []
    bench = Bench({"name": f"{__name__}:Hoarding", "seen": given})
    for number in range(3):
        bench.publish(NOON + number)
    assert [getattr(each, "reason", None) for each in bench.said] == ["1 seen", None, "1 seen"]
    assert given == []


def test_one_that_decides_is_not_made_anew() -> None:
    made = Journal()
    bench = Bench(scripted("good", wants(1.0), made=made))
    bench.publish(NOON)
    bench.publish(NOON + 1)
    assert made == ["good"]


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (None, "decide() returned NoneType: expected a Decision"),
        ({"SPY": 1.0}, "decide() returned dict: expected a Decision"),
        (Decision([("SPY", 1.0)], ""), "targets are list: expected a mapping"),  # type: ignore[arg-type]  # a lie
        (Decision({"SPY": math.nan}, ""), "target of 'SPY' is nan: expected a finite number"),
        (Decision({"SPY": -math.inf}, ""), "target of 'SPY' is -inf: expected a finite number"),
        (Decision({"SPY": "1"}, ""), "target of 'SPY' is '1': expected a finite number"),  # type: ignore[dict-item]  # a lie
        (Decision({"SPY": 1e16}, ""), "target of 'SPY' is 1e+16: expected at most 1e+15 units"),
        (
            Decision({"SPY": 1.0, "SPY_1m": 2.0}, ""),
            "targets name a symbol twice: SPY SPY_1m",
        ),
        (Decision({"SPY": True}, ""), "target of 'SPY' is True: expected a finite number"),
        (Decision({"SPY": None}, ""), "target of 'SPY' is None: expected a finite number"),  # type: ignore[dict-item]  # a lie
        (Decision({"SPY": 10**400}, ""), "OverflowError"),
        (Decision({"SPY": TwoFaced(1.0, math.nan)}, ""), "expected a finite number"),
        (Decision({"SPY": TwoFaced(1.0, 1e16)}, ""), "expected at most 1e+15 units"),
        (Decision({3: 1.0}, ""), "a target's key is 3: expected text"),  # type: ignore[dict-item]  # a lie
        (Decision({"\ud800": 1.0}, ""), "surrogates not allowed"),
        (Decision({}, None), "reason is None: expected text"),  # type: ignore[arg-type]  # a lie
        (Decision({}, "\ud800"), "surrogates not allowed"),
    ],
)
def test_an_answer_that_is_no_decision_counts_as_raised_and_says_what_is_wrong(
    answer: Any, detail: str
) -> None:
    made = Journal()
    bench = Bench(scripted("bad", says(answer), made=made), scripted("good", wants(1.0)))
    bench.publish()
    fault = bench.said[0]
    assert isinstance(fault, StrategyFault)
    assert (fault.kind, fault.action) == ("raised", "restarted")
    assert detail in fault.detail
    assert len(made) == 2
    assert bench.heads[1:] == [("Signal", NOON, "good")]


def test_numbers_of_any_kind_go_out_as_floats() -> None:
    targets = {"A": 3, "B": np.float64(0.5), "C": np.int64(-2), "D": Fraction(1, 4)}
    bench = Bench(scripted("a", says(Decision(targets, ""))))  # type: ignore[arg-type]  # numbers all
    bench.publish()
    (signal,) = bench.said
    assert dict(signal.targets) == {"A": 3.0, "B": 0.5, "C": -2.0, "D": 0.25}
    assert {type(each) for each in signal.targets.values()} == {float}


def test_what_a_strategy_does_to_its_targets_afterwards_alters_no_signal() -> None:
    targets = {"SPY": 1.0}
    bench = Bench(scripted("a", says(Decision(targets, ""))))
    bench.publish()
    targets["SPY"] = math.nan
    (signal,) = bench.said
    assert signal.targets == {"SPY": 1.0}
    with pytest.raises(TypeError):
        signal.targets["SPY"] = 2.0


def test_a_detail_is_cut_and_escaped() -> None:
    def shout(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        raise ValueError("\x1b[31m" + "é" * 10_000)

    bench = Bench(scripted("loud", shout))
    bench.publish()
    (fault,) = bench.said
    assert len(fault.detail) <= 512
    assert fault.detail.isascii()
    assert fault.detail.isprintable()


def test_an_exception_that_cannot_even_be_told_is_told_by_its_type() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def fail(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        raise Mute

    bench = Bench(scripted("mute", fail))
    bench.publish()
    assert unplaced(bench.said[0].detail) == "Mute"


def test_a_strategy_sees_the_newest_version_of_the_portfolio() -> None:
    seen: list[PortfolioUpdate | None] = []

    def look(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        seen.append(portfolio)
        return Decision({}, "")

    bench = Bench(scripted("a", look))
    bench.publish(NOON)
    update = PortfolioUpdate(
        timestamp=WallMs(NOON), version=1, positions={}, cash=1.0, equity=1.0, applied=()
    )
    bench.bus.publish(Event(EventType.PORTFOLIO, update))
    bench.publish(NOON + 1)
    assert seen == [None, update]


def test_without_strategies_nothing_is_said() -> None:
    bench = Bench()
    bench.publish()
    assert bench.said == []


class Subclassed(str):
    """Plays numpy's own text."""

    __slots__ = ()

    def __len__(self) -> int:
        return 0

    def __str__(self) -> str:
        return "another"


def test_text_of_a_class_of_its_own_becomes_plain_text() -> None:
    decision = Decision({Subclassed("SPY"): np.float64(1.0)}, Subclassed("why"))
    bench = Bench(scripted(Subclassed("a"), says(decision)))
    bench.publish()
    (signal,) = bench.said
    ((key, units),) = signal.targets.items()
    assert (signal.strategy, key, units, signal.reason) == ("a", "SPY", 1.0, "why")
    assert {type(each) for each in (signal.strategy, key, signal.reason)} == {str}
    assert type(units) is float


def test_text_of_a_class_of_its_own_cannot_hide_its_length() -> None:
    bench = Bench(scripted("a", says(Decision({}, Subclassed("x" * 1_001)))))
    bench.publish()
    assert bench.said[0].kind == "overflow"


@pytest.mark.parametrize(
    ("strategies", "message"),
    [
        (["luck"], "strategy 'luck' is unknown"),
        ([{"name": "momentum", "nerve": 1}], "nerve"),
        (["momentum", "momentum"], "two strategies have one name: momentum momentum"),
        ([f"{__name__}:Nameless"], "a strategy has a name and decide"),
        ([scripted("a", fails, made=(_ for _ in ()))], "its parameters cannot be copied"),
        (["no.such:Thing"], "'no.such:Thing' cannot be loaded"),
        ([scripted("", fails)], "a strategy's name is '': expected printable text"),
        ([scripted("\x1b[31m", fails)], "expected printable text"),
        ([scripted("\ud800", fails)], "surrogates not allowed"),
    ],
)
def test_strategies_that_cannot_be_are_refused_when_the_runner_is_made(
    strategies: list[Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        StrategyRunner(strategies)


# One that fails again and again


def fails_at(*places: int) -> Act:
    asked = 0

    def act(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        nonlocal asked
        asked += 1
        if asked in places:
            raise ZeroDivisionError("mine")
        return Decision({}, str(asked))

    return act


def spoken(bench: Bench, sets: int) -> list[tuple[int, str]]:
    """What the only strategy said of each set it spoke about."""
    for number in range(sets):
        bench.publish(NOON + number)
    return [(each.timestamp - NOON, getattr(each, "action", "decided")) for each in bench.said]


def test_after_each_fault_in_a_row_it_rests_longer_and_after_the_last_it_is_left_off() -> None:
    bench = Bench(scripted("bad", fails), max_faults=4)
    assert spoken(bench, 100) == [
        (0, "restarted"),
        (1, "restarted, rests for 1 set"),
        (3, "restarted, rests for 3 sets"),
        (7, "left off"),
    ]
    assert [each.rest_sets for each in bench.said] == [0, 1, 3, None]


def test_a_decision_ends_the_row() -> None:
    bench = Bench(scripted("bad", fails_at(1, 2, 4, 5)), max_faults=3)
    assert [action for _, action in spoken(bench, 8)] == [
        "restarted",
        "restarted, rests for 1 set",
        "decided",
        "restarted",
        "restarted, rests for 1 set",
        "decided",
    ]


def test_one_that_is_never_to_be_left_off_rests_for_63_sets_at_most() -> None:
    bench = Bench(scripted("bad", fails), max_faults=0)
    spoken(bench, 300)
    assert [each.rest_sets for each in bench.said] == [0, 1, 3, 7, 15, 31, 63, 63, 63, 63]


def test_one_that_is_left_off_holds_no_other_back() -> None:
    bench = Bench(scripted("bad", fails), scripted("good", wants(1.0)), max_faults=1)
    for number in range(3):
        bench.publish(NOON + number)
    assert bench.heads == [
        ("StrategyFault", NOON, "bad"),
        *[("Signal", NOON + number, "good") for number in range(3)],
    ]


def test_a_fault_is_logged() -> None:
    bench = Bench(scripted("bad", fails))
    with capture_logs() as logs:
        bench.publish()
    (line,) = logs
    assert {**line, "detail": unplaced(line["detail"])} == {
        "event": "strategy fault",
        "log_level": "warning",
        "strategy": "bad",
        "kind": "raised",
        "detail": "ZeroDivisionError: mine",
        "action": "restarted",
        "timestamp_ms": NOON,
    }


def leaves(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
    raise SystemExit(1)


def test_one_that_wants_to_end_the_program_is_told_like_any_other_failure() -> None:
    bench = Bench(scripted("bad", leaves))
    bench.publish()
    assert unplaced(bench.said[0].detail) == "SystemExit: 1"


class Mischief(Exception):
    """Ends the program as soon as it is to be shown."""

    def __str__(self) -> str:
        raise SystemExit(3)


def interrupts(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
    raise KeyboardInterrupt


def makes_mischief(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
    raise Mischief


@pytest.mark.parametrize(
    ("act", "detail"), [(interrupts, "KeyboardInterrupt"), (makes_mischief, "Mischief")]
)
async def test_no_exception_of_one_in_a_thread_ends_more_than_its_own_decision(
    act: Act, detail: str
) -> None:
    async with running(scripted("bad", act), scripted("good", wants(1.0))) as bench:
        bench.publish()
        await bench.bus.drained()
    assert (bench.said[0].kind, unplaced(bench.said[0].detail)) == ("raised", detail)
    assert bench.heads[1:] == [("Signal", NOON, "good")]


def test_an_interrupt_comes_through_an_inline_strategy_for_it_may_be_the_users() -> None:
    bench = Bench(scripted("bad", interrupts))
    with pytest.raises(KeyboardInterrupt):
        bench.publish()


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (
            Decision({f"S{number}": 1.0 for number in range(10_001)}, ""),
            "a decision of more than 10000 targets",
        ),
        (Decision({}, "x" * 1_001), "reason of 1001 characters, more than 1000"),
    ],
)
def test_a_decision_that_would_flood_the_others_is_an_overflow(answer: Any, detail: str) -> None:
    bench = Bench(scripted("bad", says(answer)))
    bench.publish()
    assert (bench.said[0].kind, bench.said[0].detail) == ("overflow", detail)


def test_what_came_of_each_strategy_is_counted() -> None:
    bench = Bench(scripted("bad", fails_at(2, 3)), scripted("good", wants(1.0)), max_faults=2)
    for number in range(6):
        bench.publish(NOON + number)
    bad, good = bench.runner.statistics()
    assert (bad.name, bad.executor, good.name) == ("bad", "thread", "good")
    assert (bad.asked, bad.decisions, dict(bad.faults)) == (3, 1, {"raised": 2})
    assert (bad.rested, bad.is_left_off) == (3, True)
    assert (good.asked, good.decisions, dict(good.faults)) == (6, 6, {})
    assert (good.rested, good.is_left_off) == (0, False)
    assert good.latency.count == 6
    assert 0 <= good.latency_max_ms < math.inf


# Where each of them decides


UNRULY = "tests.shell.components.unruly:Counting"


def test_executors_may_be_chosen_for_all_and_for_each() -> None:
    table = {"name": "momentum", "executor": "inline", "time_limit_ms": 5}
    for options, expected in (
        ({}, ["thread", "inline"]),
        ({"parallel": False}, ["inline", "inline"]),
        ({"parallel": False, "executor": "thread"}, ["thread", "inline"]),
    ):
        runner = StrategyRunner(["pairs_trading", table], **options)
        assert [each.executor for each in runner.statistics()] == expected


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
async def test_the_stream_is_the_same_wherever_a_strategy_decides(executor: str) -> None:
    wrong = {"2": "raise", "4": "raise"}
    choice = {"name": UNRULY, "wrong": wrong, "executor": executor}
    async with running(choice, scripted("good", wants(1.0))) as bench:
        for number in range(6):
            bench.publish(NOON + number)
        await bench.bus.drained()
    plain = Bench({**choice, "executor": "inline"}, scripted("good", wants(1.0)))
    for number in range(6):
        plain.publish(NOON + number)
    assert bench.said == plain.said
    assert len(bench.said) == 12


async def test_strategies_of_every_kind_run_side_by_side_in_their_order() -> None:
    choices = [
        {"name": UNRULY, "label": executor, "executor": executor}
        for executor in ("process", "inline", "thread")
    ]
    async with running(*choices) as bench:
        assert [each.name for each in bench.bus.statistics()] == [
            "strategy process",
            "strategy thread",
        ]
        bench.publish(NOON)
        await bench.bus.drained()
    assert bench.heads == [("Signal", NOON, name) for name in ("process", "inline", "thread")]


async def test_a_process_that_dies_is_told_and_begins_anew() -> None:
    choice = {"name": UNRULY, "wrong": {"2": "exit"}, "executor": "process"}
    async with running(choice) as bench:
        for number in range(3):
            bench.publish(NOON + number)
        await bench.bus.drained()
    assert [(each.timestamp, getattr(each, "kind", each.strategy)) for each in bench.said] == [
        (NOON, "counting"),
        (NOON + 1, "died"),
        (NOON + 2, "counting"),
    ]
    assert bench.said[1].detail == "the process ended with 3"


def test_without_a_loop_a_process_that_dies_begins_anew_too() -> None:
    bench = Bench({"name": UNRULY, "wrong": {"1": "exit"}, "executor": "process"})
    assert spoken(bench, 2) == [(0, "restarted"), (1, "restarted, rests for 1 set")]
    assert {each.detail for each in bench.said} == {"the process ended with 3"}


# Under a loop


@pytest.mark.parametrize("parallel", [True, False])
async def test_under_a_loop_the_order_is_the_same_as_without_one(parallel: bool) -> None:
    strategies = (scripted("b", wants(1.0)), scripted("x", fails), scripted("a", wants(2.0)))
    async with running(*strategies, parallel=parallel) as bench:
        for number in range(3):
            bench.publish(NOON + number)
        await bench.bus.drained()
        assert bench.heads == [
            (kind, NOON + number, name)
            for number in range(3)
            for kind, name in [("Signal", "b"), ("StrategyFault", "x"), ("Signal", "a")]
            if (number, name) != (2, "x")  # after its second fault it rests for a set
        ]


async def test_when_parallel_each_strategy_has_a_queue_of_its_own() -> None:
    async with running(scripted("b", wants(1.0)), scripted("a", wants(2.0))) as bench:
        names = [each.name for each in bench.bus.statistics()]
        assert names == ["strategy b", "strategy a"]


async def test_when_not_parallel_decisions_are_out_before_publish_returns() -> None:
    async with running(scripted("a", wants(1.0)), parallel=False) as bench:
        bench.publish()
        assert bench.heads == [("Signal", NOON, "a")]


async def test_a_garbage_answer_is_a_fault_when_parallel_too() -> None:
    bad = scripted("bad", says(Decision({"SPY": math.nan}, "")))
    async with running(bad, scripted("good", wants(1.0))) as bench:
        bench.publish()
        await bench.bus.drained()
        assert bench.heads == [("StrategyFault", NOON, "bad"), ("Signal", NOON, "good")]


async def test_what_waits_when_it_is_stopped_is_still_decided() -> None:
    async with running(scripted("a", wants(1.0))) as bench:
        for number in range(5):
            bench.publish(NOON + number)
        assert bench.said == []
    assert bench.heads == [("Signal", NOON + number, "a") for number in range(5)]


async def test_a_runner_that_is_stopped_before_it_ran_ends_at_once() -> None:
    bench = Bench(scripted("a", wants(1.0)))
    await bench.container.stop()
    await asyncio.wait_for(bench.container.run(), 1)


# With real threads: the virtual loop has none, so these have a real one


def test_one_that_stalls_is_late_and_made_anew_and_what_it_says_later_is_not_heard() -> None:
    released = threading.Event()
    made = Journal()

    def stall(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        if len(made) == 1:
            released.wait()
        return Decision({}, f"from number {len(made)}")

    async def main() -> list[Any]:
        seat = ThreadSeat(lambda: Scripted("slow", stall, made))
        answers = [await seat.ask(features(), None, limit_ms) for limit_ms in (30, 60_000)]
        seat.stop()
        return answers

    assert _released(main, released) == [
        Failure("late", "no decision within 30 ms"),
        Decision({}, "from number 2"),
    ]
    assert made == ["slow", "slow"]


def test_no_set_waits_for_one_that_is_made_anew_longer_than_for_a_decision() -> None:
    released, late = threading.Event(), threading.Event()
    threads: list[str] = []

    def make() -> Scripted:
        threads.append(threading.current_thread().name)
        if len(threads) == 2:
            late.wait()
            raise SystemExit("no licence")
        return Scripted("slow", says(Decision({}, "another")) if len(threads) > 2 else stall)

    def stall(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        released.wait()
        raise AssertionError("nobody hears it")

    async def main() -> list[Any]:
        seat = ThreadSeat(make)
        answers = [await seat.ask(features(), None, limit_ms) for limit_ms in (30, 30, 0)]
        late.set()
        answers += [await seat.ask(features(), None, 60_000) for _ in range(2)]
        seat.stop()
        return answers

    try:
        *lates, left, answer = _released(main, released)
    finally:
        late.set()
    assert lates == [Failure("late", "no decision within 30 ms"), NOT_YET, NOT_YET]
    assert (left.kind, left.is_anew) == ("raised", False)
    assert unplaced(left.detail).endswith("; cannot be made anew: SystemExit: no licence")
    assert answer == Decision({}, "another")
    assert threads == [threading.current_thread().name, *["strategy-slow"] * 2]


def _released(main: Callable[[], Any], released: threading.Event) -> Any:
    try:
        return asyncio.run(main())
    finally:
        released.set()


def test_inline_too_one_that_ends_the_program_when_it_is_made_anew_is_told() -> None:
    made: list[int] = []

    def make() -> Scripted:
        made.append(1)
        if len(made) > 1:
            raise SystemExit("no licence")
        return Scripted("bad", fails)

    answer = ThreadSeat(make).ask_now(features(), None)
    assert isinstance(answer, Failure)
    assert not answer.is_anew
    assert unplaced(answer.detail).endswith("cannot be made anew: SystemExit: no licence")


def test_one_that_is_interrupted_in_its_thread_is_told_at_once() -> None:
    def make() -> Scripted:
        made.append(1)
        return Scripted("bad", interrupts) if len(made) == 1 else fail_to_be_made()

    def fail_to_be_made() -> Scripted:
        raise KeyboardInterrupt

    async def main() -> Any:
        seat = ThreadSeat(make)
        answer = await seat.ask(features(), None, 60_000)
        seat.stop()
        return answer

    made: list[int] = []
    detail = "KeyboardInterrupt; cannot be made anew: KeyboardInterrupt"
    answer = asyncio.run(main())
    assert answer == Failure("raised", answer.detail, is_anew=False)
    assert unplaced(answer.detail) == detail


def test_one_that_stalls_holds_no_other_back_and_the_order_stays() -> None:
    released = threading.Event()

    def stall(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        if features.timestamp == NOON:
            released.wait()
        return Decision({}, "")

    async def main() -> list[tuple[str, int, str]]:
        strategies = (scripted("slow", stall), scripted("quick", wants(1.0)))
        async with running(*strategies, time_limit_ms=300) as bench:
            bench.publish(NOON)
            bench.publish(NOON + 1)
            await bench.bus.drained()
            assert bench.said[0].kind == "late"
            return bench.heads

    try:
        heads = asyncio.run(main())
    finally:
        released.set()
    assert heads == [
        ("StrategyFault", NOON, "slow"),
        ("Signal", NOON, "quick"),
        ("Signal", NOON + 1, "slow"),
        ("Signal", NOON + 1, "quick"),
    ]


def test_what_was_said_so_far_can_be_had_in_order_and_the_rest_once_all_have_spoken() -> None:
    released = threading.Event()

    def stall(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        released.wait()
        return Decision({}, "")

    async def main() -> None:
        quick = [scripted(name, act) for name, act in (("x", fails), ("a", wants(1.0)))]
        strategies = (scripted("b", wants(1.0)), scripted("slow", stall), *quick)
        async with running(*strategies, time_limit_ms=60_000) as bench:
            bench.publish()
            while sum(each.asked for each in bench.runner.statistics()) < 3:  # noqa: ASYNC110 - of a thread
                await asyncio.sleep(0)
            bench.runner.publish_said(WallMs(NOON + 1))
            assert bench.said == []
            for _ in range(2):
                bench.runner.publish_said(WallMs(NOON))
                assert [name for _, _, name in bench.heads] == ["b", "x", "a"]
            released.set()
            await bench.bus.drained()
            bench.runner.publish_said(WallMs(NOON))
        assert [name for _, _, name in bench.heads] == ["b", "x", "a", "slow"]

    _released(main, released)


def test_when_parallel_strategies_decide_at_the_same_time_each_in_a_thread_of_its_own() -> None:
    together = threading.Barrier(2, timeout=60)
    threads: set[str] = set()

    def meet(features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        together.wait()  # neither returns before the other has come
        threads.add(threading.current_thread().name)
        return Decision({}, "")

    async def main() -> list[tuple[str, int, str]]:
        strategies = (scripted("a", meet), scripted("b", meet))
        async with running(*strategies, time_limit_ms=60_000) as bench:
            bench.publish()
            await bench.bus.drained()
            return bench.heads

    assert asyncio.run(main()) == [("Signal", NOON, "a"), ("Signal", NOON, "b")]
    assert threads == {"strategy-a", "strategy-b"}
