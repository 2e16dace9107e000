"""A synchronizer on a clock that only the test moves, and short words for what it says."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from barsync_async.core.alignment import Due
from barsync_async.core.slot import Slot
from barsync_async.core.spec import SynchronizerSpec
from barsync_async.core.synchronizer import Outcome, Synchronizer
from barsync_async.messages import (
    Bar,
    BarRejected,
    ClockStep,
    LateBar,
    SourceStatus,
    StepCause,
    SynchronizedBars,
    SyncSkipped,
)
from barsync_async.testing import create_bar
from barsync_async.units import NS_PER_MS, Instant, MonoNs, SourceId, WallMs

MINUTE = 60_000
MS = NS_PER_MS
NOON = 1_800_000_000_000 - 1_800_000_000_000 % 900_000
"""Where a scene begins: on every grid up to 15m."""


def at(ms: float, wall: int = NOON) -> Instant:
    return Instant(MonoNs(round(ms * MS)), WallMs(wall))


def utc(text: str) -> WallMs:
    """``2026-11-27 18:00`` as ms since the epoch."""
    return WallMs(round(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1_000))


def synchronizer(*sources: str, **options: Any) -> Synchronizer:
    names = frozenset(map(SourceId, sources or ("SPY_1m", "QQQ_1m")))
    return Synchronizer(SynchronizerSpec(expected_sources=names, **options))


class Scene:
    """One synchronizer. A timestamp is told in minutes after noon; a deadline that time passes is
    told to the core in its moment, but not while the machine is stalled.
    """

    def __init__(self, *sources: str, start: int = NOON, **options: Any) -> None:
        self.core = synchronizer(*sources, **options)
        self.mono = 0
        self.offset = start
        self.core.on_start(self.now)

    @property
    def now(self) -> Instant:
        return Instant.of(self.mono, self.offset * MS + self.mono)

    def bar(
        self, source: str, minute: float, close: float = 1.0, feed: str | None = None
    ) -> list[Any]:
        bar = create_bar(source, round(NOON + minute * MINUTE), close)
        return brief(self.core.on_bar(bar, self.now, feed))

    def pass_ms(self, ms: float) -> list[Any]:
        until = self.mono + round(ms * MS)
        told: list[Outcome] = []
        while (due := self._next_deadline()) is not None and due[0] <= until:
            self.mono = max(self.mono, due[0])
            told += self.core.on_deadline(due[1], self.now)
        self.mono = until
        return brief(told)

    def _next_deadline(self) -> tuple[int, WallMs] | None:
        return min(((when, each) for each, when in self.core.deadlines.items()), default=None)

    def stall(self, ms: float) -> None:
        self.mono += round(ms * MS)

    def connect(self, feed: str) -> list[Any]:
        return brief(self.core.on_connection(feed, up=True, now=self.now))

    def cut(self, feed: str) -> list[Any]:
        return brief(self.core.on_connection(feed, up=False, now=self.now))

    def set_clock(self, step_ms: int, cause: StepCause = "step") -> list[Any]:
        self.offset += step_ms
        return brief(self.core.on_clock_step(step_ms, cause, self.now))

    def sleep(self, ms: int) -> list[Any]:
        """The machine sleeps: the monotonic clock stands still."""
        return self.set_clock(ms, "resume")

    def end(self) -> list[Any]:
        return brief(self.core.on_end(self.now))

    def deadlines(self) -> dict[float, float]:
        """Minutes after noon to ms from now."""
        return {
            minutes(each): (when - self.mono) / MS for each, when in self.core.deadlines.items()
        }

    def counts(self) -> dict[str, int]:
        """What became of the bars so far, without zeros."""
        counted = self.core.statistics()
        names = ("accepted", "corrected", "duplicate", "late", "rejected", "conflicts")
        return {name: getattr(counted, name) for name in names if getattr(counted, name)}


def minutes(timestamp: int) -> float:
    return (timestamp - NOON) / MINUTE


def brief(outcomes: Sequence[Outcome]) -> list[Any]:
    return [_brief(each) for each in outcomes]


def _brief(each: Outcome) -> Any:
    match each:
        case SynchronizedBars():
            revised = f"revision {each.revision}: " if each.revision else ""
            return revised + each.status, minutes(each.timestamp), cells(each)
        case SyncSkipped():
            return each.reason, minutes(each.timestamp)
        case LateBar():
            return each.action, minutes(each.timestamp), each.late_by_ms
        case BarRejected():
            return each.reason
        case SourceStatus():
            return each.source, each.status
        case ClockStep():
            return each.cause, each.step_ms


def cells(bars: SynchronizedBars) -> str:
    """``QQQ_1m=1 SPY_1m=2.5 filled 60000``: each cell's close; of an old one, why and what age."""
    return " ".join(
        f"{source}={bar.close:g}"
        + (f" {bar.provenance}" if bar.provenance != "fresh" else "")
        + (f" {bar.age_ms}" if bar.age_ms else "")
        for source, bar in bars.bars.items()
    )


def slot_of(sources: int, timestamp: int = NOON, *, due: bytes | None = None) -> Slot:
    """A slot that opened at 0 and falls due at 100 ms."""
    flags = bytes([1] * sources) if due is None else due
    return Slot(WallMs(timestamp), MonoNs(0), MonoNs(100 * MS), sources, Due(flags))


def some_bar(source: str = "SPY_1m", minute: float = 0, close: float = 1.0) -> Bar:
    return create_bar(source, round(NOON + minute * MINUTE), close)
