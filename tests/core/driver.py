"""Drives the core as a shell does, over the oracle's inputs, and puts both into one form."""

from collections.abc import Sequence
from typing import Any

from tests import oracle
from tests.oracle import Answer, Arrived, Connection, Input, Rules, Step

from barsync_async.core.calendar import Calendar
from barsync_async.core.spec import SynchronizerSpec
from barsync_async.core.synchronizer import Outcome, Synchronizer
from barsync_async.messages import (
    BarRejected,
    ClockStep,
    LateBar,
    SourceStatus,
    SynchronizedBars,
    SyncSkipped,
)
from barsync_async.testing import create_bar
from barsync_async.units import NS_PER_MS, Instant, SourceId

Timed = tuple[int, Outcome]


def spec_of(rules: Rules) -> SynchronizerSpec:
    return SynchronizerSpec(
        expected_sources=frozenset(map(SourceId, rules.sources)),
        timeout_ms=rules.timeout_ns / NS_PER_MS,
        require_all=rules.require_all,
        deadline_from=rules.deadline_from,  # type: ignore[arg-type]  # one of the two
        min_wait_ms=rules.min_wait_ns / NS_PER_MS,
        missing=rules.missing,  # type: ignore[arg-type]  # one of the three
        hold_ms=rules.hold_ns / NS_PER_MS,
        max_age_ms=rules.max_age_ms,
        late=rules.late,  # type: ignore[arg-type]  # one of the two
        allowed_lateness_ms=rules.allowed_lateness_ns / NS_PER_MS,
        idle_after=rules.idle_after,
        exclude_idle=rules.exclude_idle,
        max_future_ms=rules.max_future_ms,
        max_open=rules.max_open,
        history=10_000,
        calendars={SourceId(s): Calendar(each) for s, each in rules.sessions.items()},
        feeds={SourceId(source): feeds for source, feeds in rules.feeds.items()},
        unordered_feeds=rules.unordered,
    )


class Driver:
    """One core on a clock of its own."""

    def __init__(self, rules: Rules, start_wall_ms: int) -> None:
        self.core = Synchronizer(spec_of(rules))
        self.wall_ms = start_wall_ms
        self.now = 0
        self.out: list[Timed] = []
        self.core.on_start(self.instant())

    def instant(self) -> Instant:
        return Instant.of(self.now, self.wall_ms * NS_PER_MS + self.now)

    def run(self, inputs: Sequence[Input], end: int, *, finish: bool) -> list[Timed]:
        for each in sorted(inputs, key=lambda each: each.at):
            self.let_time_pass(each.at - 1)
            self.now = each.at
            self.note(self.take(each))
        self.let_time_pass(end)
        self.now = end
        if finish:
            self.note(self.core.on_end(self.instant()))
        return self.out

    def let_time_pass(self, until: int) -> None:
        while falls := [
            (max(self.now, deadline), timestamp)
            for timestamp, deadline in self.core.deadlines.items()
            if max(self.now, deadline) <= until
        ]:
            self.now, timestamp = min(falls)
            self.note(self.core.on_deadline(timestamp, self.instant()))

    def take(self, each: Input) -> Sequence[Outcome]:
        if isinstance(each, Arrived):
            bar = create_bar(each.source, each.timestamp, each.value)
            return self.core.on_bar(bar, self.instant(), each.feed)
        if isinstance(each, Connection):
            return self.core.on_connection(each.feed, up=each.up, now=self.instant())
        self.wall_ms += each.step_ms
        cause: Any = each.cause
        return self.core.on_clock_step(each.step_ms, cause, self.instant())

    def note(self, outcomes: Sequence[Outcome]) -> None:
        self.out += [(self.now, outcome) for outcome in outcomes]


# One form for both. The main stream, statuses and rejections are each compared in their order.


def main_stream(out: list[Timed]) -> list[Any]:
    return [said for at, each in out if (said := _core_said(at, each)) is not None]


def _core_said(at: int, each: Outcome) -> Any:
    match each:
        case SynchronizedBars():
            cells = {s: (b.close, b.provenance, b.age_ms) for s, b in each.bars.items()}
            names = (each.sources_present, each.sources_missing)
            return at, each.timestamp, each.status, each.revision, cells, *names, each.wait_ms
        case SyncSkipped():
            names = (each.sources_present, each.sources_missing)
            return at, each.timestamp, each.reason, *names, each.wait_ms
        case LateBar():
            key = (each.bar.source, each.timestamp, each.bar.close)
            return at, "late", *key, each.late_by_ms, each.action
        case ClockStep():
            return at, each.step_ms, each.cause
    return None


def main_stream_of_oracle(answer: Answer) -> list[Any]:
    return [said for each in answer.events if (said := _oracle_said(each)) is not None]


def _oracle_said(each: oracle.Event) -> Any:
    match each:
        case oracle.Set():
            names = (each.present, each.missing)
            wait = (each.sealed_at - each.opened_at) / NS_PER_MS
            head = (each.at, each.timestamp, each.status, each.revision)
            return *head, dict(each.cells), *names, wait
        case oracle.Skip():
            wait = (each.sealed_at - each.opened_at) / NS_PER_MS
            return each.at, each.timestamp, each.reason, each.present, each.missing, wait
        case oracle.Late():
            key = (each.source, each.timestamp, each.value)
            return each.at, "late", *key, each.late_by_ns / NS_PER_MS, each.action
        case oracle.ClockStep():
            return each.at, each.step_ms, each.cause
    return None


def statuses(out: list[Timed]) -> list[Any]:
    changes = [(at, each) for at, each in out if isinstance(each, SourceStatus)]
    return [(at, each.source, each.status) for at, each in changes]


def statuses_of_oracle(answer: Answer) -> list[Any]:
    changes = [each for each in answer.events if isinstance(each, oracle.Status)]
    return [(each.at, each.source, each.status) for each in changes]


def rejections(out: list[Timed]) -> list[Any]:
    return [(at, each.reason) for at, each in out if isinstance(each, BarRejected)]


def rejections_of_oracle(answer: Answer) -> list[Any]:
    refused = [each for each in answer.events if isinstance(each, oracle.Rejection)]
    return [(each.at, each.reason) for each in refused]


__all__ = ["Driver", "Step"]
