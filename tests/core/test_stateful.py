"""The core step by step: after each, what it has said is what the oracle says of the same day."""

from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.core.driver import (
    Driver,
    main_stream,
    main_stream_of_oracle,
    rejections,
    rejections_of_oracle,
    statuses,
    statuses_of_oracle,
)
from tests.core.test_against_oracle import MS, PAUSES_MS, SPANS, START, check_account, rules
from tests.oracle import Arrived, Connection, Input, Oracle, Rules, Step

from barsync_async.core.slot import State
from barsync_async.messages import SynchronizedBars, SyncSkipped

which = st.integers(0, 11)
values = st.sampled_from([1.0, 2.0])


class CoreAndOracle(RuleBasedStateMachine):
    """What falls due at the present moment is still to come: further inputs may come before it."""

    told: Rules
    driver: Driver

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[Input] = []
        self.bars: list[Arrived] = []
        self.cut: set[str] = set()

    @initialize(told=rules())
    def begin(self, told: Rules) -> None:
        self.told = told
        self.driver = Driver(told, START)

    # Time

    @rule(ms=st.sampled_from(PAUSES_MS))
    def let_ms_pass(self, ms: int) -> None:
        until = self.driver.now + ms * MS
        self.driver.let_time_pass(until - 1)
        self.driver.now = until

    @precondition(lambda self: self.driver.core.deadlines)
    @rule()
    def let_the_next_deadline_pass(self) -> None:
        until = max(self.driver.now, min(self.driver.core.deadlines.values())) + MS
        self.driver.let_time_pass(until - 1)
        self.driver.now = until

    @rule(step_ms=st.sampled_from([-3_000, -150, 150, 4_000]))
    def set_the_clock(self, step_ms: int) -> None:
        self.take(Step(self.driver.now, step_ms, "step"))

    @rule(ms=st.sampled_from([150, 1_000, 4_000]))
    def sleep(self, ms: int) -> None:
        self.take(Step(self.driver.now, ms, "resume"))

    # Bars

    @rule(which=which, value=values)
    def a_bar_of_now(self, which: int, value: float) -> None:
        self.bar(which, 0, value)

    @rule(which=which, value=values)
    def the_next_bar(self, which: int, value: float) -> None:
        self.bar(which, 1, value)

    @rule(which=which, ago=st.integers(1, 4), value=values)
    def an_old_bar(self, which: int, ago: int, value: float) -> None:
        self.bar(which, -ago, value)

    @rule(which=which, ahead=st.integers(2, 8))
    def a_bar_of_the_future(self, which: int, ahead: int) -> None:
        self.bar(which, ahead, 1.0)

    @rule(which=which)
    def a_bar_off_the_grid(self, which: int) -> None:
        self.bar(which, 0, 1.0, off_ms=1)

    @rule()
    def a_bar_of_no_source(self) -> None:
        self.take(Arrived(self.driver.now, "Z_1s", START, 1.0, "z"))

    @rule(which=which)
    def everybodys_bar_but_one(self, which: int) -> None:
        for other in range(len(self.told.sources)):
            if other != which % len(self.told.sources):
                self.bar(other, 0, 1.0)

    @precondition(lambda self: self.bars)
    @rule(back=which)
    def a_bar_again(self, back: int) -> None:
        self.again(self.bars[-1 - back % len(self.bars)])

    @precondition(lambda self: self.bars)
    @rule(back=which)
    def a_bar_corrected(self, back: int) -> None:
        bar = self.bars[-1 - back % len(self.bars)]
        self.again(replace(bar, value=3.0 - bar.value))

    @precondition(lambda self: self.bars)
    @rule(back=which, value=values)
    def the_twin_of_a_bar(self, back: int, value: float) -> None:
        bar = self.bars[-1 - back % len(self.bars)]
        others = [each for each in self.told.feeds.get(bar.source, ()) if each != bar.feed]
        for feed in others:
            self.again(replace(bar, feed=feed, value=value))

    # Connections

    @rule(feed=st.sampled_from("xy"))
    def a_feed_connects(self, feed: str) -> None:
        self.cut.discard(feed)
        self.take(Connection(self.driver.now, feed, up=True))

    @rule(feed=st.sampled_from("xy"))
    def a_feed_is_cut(self, feed: str) -> None:
        self.cut.add(feed)
        self.take(Connection(self.driver.now, feed, up=False))

    def bar(self, which: int, offset: int, value: float, off_ms: int = 0) -> None:
        source = self.told.sources[which % len(self.told.sources)]
        span = SPANS[source.rpartition("_")[2]]
        timestamp = self.driver.instant().wall // span * span + offset * span + off_ms
        carriers = self.told.feeds.get(source, ("z",))
        feed = carriers[which % len(carriers)]
        self.again(Arrived(self.driver.now, source, timestamp, value, feed))

    def again(self, bar: Arrived) -> None:
        """A cut feed brings nothing."""
        if bar.feed not in self.cut:
            bar = replace(bar, at=self.driver.now)
            self.bars.append(bar)
            self.take(bar)

    def take(self, each: Input) -> None:
        self.inputs.append(each)
        self.driver.note(self.driver.take(each))

    # What always holds

    @invariant()
    def all_holds(self) -> None:
        self.the_core_says_what_the_oracle_says()
        self.only_what_is_open_held_or_next_has_a_deadline()
        self.sets_go_out_in_the_order_of_their_timestamps()
        self.no_cell_is_newer_than_its_set()
        assert len(self.driver.core.open_bars) <= self.told.max_open

    def the_core_says_what_the_oracle_says(self) -> None:
        oracle = Oracle(self.told, START)
        answer = oracle.work_out(self.inputs, self.driver.now - 1)
        self.compare(answer)
        waiting = {
            timestamp: dict(slot.bars)
            for timestamp, slot in oracle.waiting.items()
            if slot.sealed_at is None
        }
        shown = {
            timestamp: {source: bar.close for source, bar in bars.items()}
            for timestamp, bars in self.driver.core.open_bars.items()
        }
        assert shown == waiting

    def compare(self, answer: Any) -> None:
        out = self.driver.out
        assert main_stream(out) == main_stream_of_oracle(answer)
        assert statuses(out) == statuses_of_oracle(answer)
        assert rejections(out) == rejections_of_oracle(answer)
        check_account(self.driver.core, answer)

    def only_what_is_open_held_or_next_has_a_deadline(self) -> None:
        life = self.driver.core._life
        held = {
            timestamp
            for timestamp in life.slots.order
            if (slot := life.slots.sealed(timestamp)) is not None and slot.state is State.HELD
        }
        next_one = {life.timing.next_close} - {None}
        assert set(life.slots.deadlines) == set(life.slots.open) | held | next_one

    def sets_go_out_in_the_order_of_their_timestamps(self) -> None:
        firsts = [
            each.timestamp
            for _, each in self.driver.out
            if isinstance(each, SyncSkipped)
            or (isinstance(each, SynchronizedBars) and each.revision == 0)
        ]
        assert firsts == sorted(set(firsts))

    def no_cell_is_newer_than_its_set(self) -> None:
        for _, each in self.driver.out:
            if isinstance(each, SynchronizedBars):
                ages = {bar.timestamp + bar.age_ms for bar in each.bars.values()}
                assert ages <= {each.timestamp}
                assert all(bar.age_ms >= 0 for bar in each.bars.values())

    def teardown(self) -> None:
        if hasattr(self, "driver"):
            self.driver.note(self.driver.core.on_end(self.driver.instant()))
            oracle = Oracle(self.told, START)
            oracle.work_out(self.inputs, self.driver.now - 1)
            oracle.now = self.driver.now
            oracle.end()
            self.compare(oracle.answer)
            assert not self.driver.core.deadlines
            assert not self.driver.core.open_bars


TestCoreAndOracle = CoreAndOracle.TestCase
TestCoreAndOracle.settings = settings(max_examples=1_000, stateful_step_count=25, deadline=None)
