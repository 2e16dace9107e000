"""What must come out, worked out slowly from the contract; it shares no code with the core.

Given every arrival with its moment, it plays the day through with plain lists: at each moment it
looks at all that has arrived, asks which timestamps are whole or out of time, and writes down
each set once all earlier ones are written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LENGTHS = {"1s": 1_000, "5s": 5_000, "1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000}


@dataclass(frozen=True)
class Arrived:
    """A final bar of ``source`` for ``timestamp``, read at ``at`` (ns); ``value`` is its close."""

    at: int
    source: str
    timestamp: int
    value: float


@dataclass(frozen=True)
class Rules:
    sources: tuple[str, ...]
    timeout_ns: int
    require_all: bool = True
    fill: bool = False
    max_age_ms: int | None = None


@dataclass(frozen=True)
class Written:
    """One line of the main stream: a set's status, or why it was skipped."""

    timestamp: int
    verdict: str
    cells: Mapping[str, tuple[float, str, int]]  # source -> value, provenance, age
    sealed_at: int
    opened_at: int


@dataclass
class Slot:
    opened_at: int
    bars: dict[str, float] = field(default_factory=dict)
    sealed_at: int | None = None


@dataclass
class Answer:
    written: list[Written] = field(default_factory=list)
    accepted: int = 0
    corrected: int = 0
    duplicate: int = 0
    late: int = 0


def length(source: str) -> int:
    return LENGTHS[source.rsplit("_", 1)[1]]


class Oracle:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.step = min(length(source) for source in rules.sources)
        self.slots: dict[int, Slot] = {}
        self.arrived: list[tuple[int, Arrived]] = []
        self.late: list[Arrived] = []
        self.answer = Answer()

    def due(self, timestamp: int) -> set[str]:
        return {
            source
            for source in self.rules.sources
            if length(source) == self.step or timestamp % length(source) == 0
        }

    def work_out(self, arrivals: Sequence[Arrived], end: int) -> Answer:
        for arrival in sorted(arrivals, key=lambda each: each.at):
            self.let_time_pass(arrival.at)
            self.take(arrival)
            self.write(arrival.at)
        self.let_time_pass(end)
        return self.answer

    def let_time_pass(self, now: int) -> None:
        """A bar that arrives exactly at a deadline is in time, so only earlier ones fall."""
        while True:
            ends = [
                (slot.opened_at + self.rules.timeout_ns, timestamp)
                for timestamp, slot in self.slots.items()
                if slot.sealed_at is None and slot.opened_at + self.rules.timeout_ns < now
            ]
            if not ends:
                return
            moment, timestamp = min(ends)
            self.slots[timestamp].sealed_at = moment
            self.write(moment)

    def take(self, arrival: Arrived) -> None:
        source, timestamp = arrival.source, arrival.timestamp
        seen = [
            each
            for _, each in self.arrived
            if each.source == source and each.timestamp == timestamp
        ]
        self.arrived.append((len(self.arrived), arrival))
        if timestamp % self.step or (length(source) != self.step and timestamp % length(source)):
            self.count_between(seen, arrival)
            return
        slot = self.slots.get(timestamp)
        gone = slot.sealed_at is not None if slot else timestamp <= self.last_written()
        if gone:
            if seen and seen[-1].value == arrival.value:
                self.answer.duplicate += 1
            else:
                self.answer.late += 1
                self.late.append(arrival)
            return
        slot = self.slots.setdefault(timestamp, Slot(arrival.at))
        if source not in slot.bars:
            self.answer.accepted += 1
        elif slot.bars[source] == arrival.value:
            self.answer.duplicate += 1
        else:
            self.answer.corrected += 1
        slot.bars[source] = arrival.value
        if set(slot.bars) == self.due(timestamp):
            slot.sealed_at = arrival.at

    def count_between(self, seen: list[Arrived], arrival: Arrived) -> None:
        if not seen:
            self.answer.accepted += 1
        elif seen[-1].value == arrival.value:
            self.answer.duplicate += 1
        else:
            self.answer.corrected += 1

    def last_written(self) -> int:
        return self.answer.written[-1].timestamp if self.answer.written else -1

    def write(self, now: int) -> None:
        while True:
            waiting = sorted(t for t in self.slots if t > self.last_written())
            if not waiting or self.slots[waiting[0]].sealed_at is None:
                return
            self.answer.written.append(self.judge(waiting[0]))

    def newest(self, source: str, before: int) -> Arrived | None:
        """The source's most recent bar older than ``before``; of two for one moment, the later."""
        known = [
            (each.timestamp, number, each)
            for number, each in self.arrived
            if each.source == source and each.timestamp < before
        ]
        return max(known)[2] if known else None

    def judge(self, timestamp: int) -> Written:
        slot = self.slots[timestamp]
        assert slot.sealed_at is not None
        due = self.due(timestamp)
        cells = {source: (value, "fresh", 0) for source, value in slot.bars.items()}
        for source in self.rules.sources:
            last = self.newest(source, timestamp + (source not in due))
            if source in cells or last is None:
                continue
            age = timestamp - last.timestamp
            limit = self.rules.max_age_ms
            if source not in due:
                cells[source] = (last.value, "carried", age)
            elif self.rules.fill and (limit is None or age <= limit):
                cells[source] = (last.value, "filled", age)
        verdict = self.verdict(timestamp, slot, cells)
        return Written(timestamp, verdict, cells, slot.sealed_at, slot.opened_at)

    def verdict(
        self, timestamp: int, slot: Slot, cells: Mapping[str, tuple[float, str, int]]
    ) -> str:
        missing = set(self.rules.sources) - set(cells)
        if self.rules.require_all and missing:
            slow = {s for s in self.rules.sources if length(s) != self.step}
            # A late bar for this very timestamp came too late to be the first one.
            cold = any(self.newest(s, timestamp) is None and s not in slot.bars for s in slow)
            return "warmup" if cold else "incomplete"
        if set(slot.bars) == self.due(timestamp):
            return "complete"
        return "partial" if missing else "filled"
