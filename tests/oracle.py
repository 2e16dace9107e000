"""What must come out, worked out slowly from docs/synchronization.md, with no code of the core.

The oracle plays a day through. It keeps every bar and every connection it was told of, and looks
them all over again whenever it has to know something: what is the newest bar, is the feed up, has
the source proved that nothing more comes. Between two inputs it lets the moments fall one by one:
the clock opens a slot, a deadline seals one, the end of a hold lets one go.

Choices, where the rules leave a question open:

 1. Of what falls at one moment the order is: the inputs as listed; then deadlines, openings by the
    clock and ends of holds by T; of those at one T the opening, the deadline, the end of the hold.
    A moment that a clock step put into the past falls at the step's moment, and `sealed_at` is
    that. What falls at `end_ns` itself still falls.
 2. A bar that makes its source live: SOURCE_STATUS comes before the bar's LATE_BAR.
 3. One moment seals and releases slot by slot: the earliest that can be is sealed, its
    SOURCE_STATUS idle come (in the order of the sources), all that is ready goes out, then the
    next is looked for. Crowding is judged after proof, when all that was ready is out.
 4. Crowding takes the oldest slot that is not sealed, or sealed and still held (its hold then
    ends). If no such slot is left there may stay more than `max_open`.
 5. `hold_ns = 0`: no hold; the set goes out with its seal, before other inputs of the same moment.
 6. An idle or excluded source's duplicate or late bar revives it too; a rejected one does not.
    "Not due" in rule 4 of a bar is by grid and calendar alone, since the bar ends the exclusion for
    its own slot: for a sealed slot that left the source out, it is late.
 7. Misses are counted in the order of the deadlines.
 8. A source that no feed carries is always connected, and all its bars are those of one feed.
    Every `Connection` ends the connection before, an `up` after an `up` too; the bars of a feed
    that is cut prove nothing until it is up again.
 9. A slot that opens is told what the present connections have proved, an open one what a bar
    proves; what it was told stays.
10. "The newest one known for S and T" (duplicate or late) is the last heard, a late one included,
    even while its slot is not released. A twin from another feed is compared with this one too.
11. A slot that the machine slept through and that got no bar in time is skipped as `suspended`
    even if a policy could give it cells (so the last section; the section on sets says: no cell).
12. No cell at all is `empty` (or `suspended`) also with `require_all`.
13. `sources_present` are the fresh and carried ones, in skips too; `sources_missing` all others,
    the filled and interpolated among them. An interpolated cell's age is 0.
14. `max_age_ms` limits `filled` only, not `carried` or `interpolated`.
15. Every late bar that may amend is `amended`, also if the T stays skipped. Several for a slot not
    released yet give a revision each, in their order, right after the set. Without a slot: dropped.
16. `deadline_from = "close"`: a set waits also for earlier T with a due source that the clock has
    not shown yet. At the end nothing is waited for. A bar for a T before the start opens a slot as
    any other.
17. A step of at most 100 ms moves the wall clock, and what counts from it, without CLOCK_STEP.
18. A session belongs to the ISO week of its last millisecond.
19. Of the sources that one `Connection` changes, SOURCE_STATUS come in the order of the sources.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

SECOND, MINUTE, HOUR, DAY, WEEK = 1_000, 60_000, 3_600_000, 86_400_000, 604_800_000
UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
FIRST_MONDAY = 4 * DAY  # 5 January 1970
NS_PER_MS = 1_000_000
STEP_LIMIT_MS = 100
HEALTHY_NS = 25 * NS_PER_MS
OPENING, DEADLINE, END_OF_HOLD = range(3)

Cell: TypeAlias = tuple[float, str, int]  # value, provenance, age in ms


@dataclass(frozen=True)
class Rules:
    sources: tuple[str, ...]
    timeout_ns: int
    require_all: bool = True
    missing: str = "skip"  # or "last_known", "interpolate"
    max_age_ms: int | None = None
    hold_ns: int = 0
    deadline_from: str = "first_bar"  # or "close"
    min_wait_ns: int = 0
    late: str = "drop"  # or "amend"
    allowed_lateness_ns: int = 0
    max_open: int = 64
    max_future_ms: int = 1_000
    idle_after: int = 0
    exclude_idle: bool = False
    feeds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # source -> its feeds
    unordered: frozenset[str] = frozenset()  # the feeds with in_order = false
    sessions: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)


# The inputs.


@dataclass(frozen=True)
class Arrived:
    """A bar of ``source`` that closed at ``timestamp`` with ``value``, read at ``at``."""

    at: int
    source: str
    timestamp: int
    value: float
    feed: str | None = None


@dataclass(frozen=True)
class Connection:
    at: int
    feed: str
    up: bool


@dataclass(frozen=True)
class Step:
    """The wall clock moves by ``step_ms``; with "resume" the machine slept through that span."""

    at: int
    step_ms: int
    cause: str = "step"


Input: TypeAlias = Arrived | Connection | Step


# The answer.


@dataclass(frozen=True)
class Set:
    at: int
    timestamp: int
    status: str
    cells: Mapping[str, Cell]
    present: tuple[str, ...]
    missing: tuple[str, ...]
    opened_at: int
    sealed_at: int
    revision: int = 0


@dataclass(frozen=True)
class Skip:
    at: int
    timestamp: int
    reason: str
    present: tuple[str, ...]
    missing: tuple[str, ...]
    opened_at: int
    sealed_at: int


@dataclass(frozen=True)
class Late:
    at: int
    source: str
    timestamp: int
    value: float
    late_by_ns: int
    action: str


@dataclass(frozen=True)
class Rejection:
    at: int
    reason: str
    source: str
    timestamp: int


@dataclass(frozen=True)
class Status:
    at: int
    source: str
    status: str


@dataclass(frozen=True)
class ClockStep:
    at: int
    step_ms: int
    cause: str


Event: TypeAlias = Set | Skip | Late | Rejection | Status | ClockStep


@dataclass
class Answer:
    events: list[Event] = field(default_factory=list)
    accepted: int = 0
    corrected: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0


# What the oracle remembers.


@dataclass(frozen=True)
class Heard:
    """A bar that was not rejected, what became of it, and the connection that brought it."""

    bar: Arrived
    verdict: str
    connection: int | None


@dataclass
class Slot:
    timestamp: int
    opened_at: int
    due: set[str]  # by grid and calendar
    excluded: set[str]  # of these, the ones left out when the slot opened
    given_up: set[str] = field(default_factory=set)  # proved absent; turned idle or down since
    bars: dict[str, float] = field(default_factory=dict)  # those in time
    first_bar_at: int | None = None
    sealed_at: int | None = None
    slept: bool = False
    between: set[str] = field(default_factory=set)  # missing, with a bar before at the seal
    let_go: bool = False  # is not, or no longer, held for a neighbour
    written: Set | Skip | None = None
    cells: dict[str, Cell] = field(default_factory=dict)
    amendments: list[Arrived] = field(default_factory=list)  # late ones that wait for the set
    revision: int = 0

    def expected(self) -> set[str]:
        return self.due - self.excluded


# When a source is due.


def length(source: str) -> int:
    timeframe = source.rsplit("_", 1)[1]
    return int(timeframe[:-1]) * UNITS[timeframe[-1]]


def origin(span: int) -> int:
    return FIRST_MONDAY if span == WEEK else 0


def is_on_own_grid(source: str, timestamp: int) -> bool:
    span = length(source)
    return (timestamp - origin(span)) % span == 0


def week_of(session: tuple[int, int]) -> int:
    return (session[1] - 1 - FIRST_MONDAY) // WEEK


def closes_of_sessions(source: str, sessions: Sequence[tuple[int, int]]) -> list[int]:
    """Where a ``1d`` or ``1w`` source with a calendar closes."""
    if length(source) == DAY:
        return [close for _, close in sessions]
    last: dict[int, int] = {}
    for session in sessions:
        week = week_of(session)
        last[week] = max(last.get(week, session[1]), session[1])
    return list(last.values())


class Calendar:
    """Which sources are due at T, as far as grids and sessions say."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.base = min(length(source) for source in rules.sources)
        self.closes = {
            source: closes_of_sessions(source, rules.sessions[source])
            for source in rules.sources
            if source in rules.sessions and length(source) >= DAY
        }
        self.base_closes = sorted(
            close
            for source, closes in self.closes.items()
            if length(source) == self.base
            for close in closes
        )

    def is_on_grid_of(self, source: str, timestamp: int) -> bool:
        if source in self.closes:
            return timestamp in self.closes[source]
        return is_on_own_grid(source, timestamp)

    def does_close(self, source: str, timestamp: int) -> bool:
        sessions = self.rules.sessions.get(source)
        on_grid = self.is_on_grid_of(source, timestamp)
        if sessions is None or source in self.closes:
            return on_grid
        start = timestamp - length(source)
        return on_grid and any(start < close and open_ < timestamp for open_, close in sessions)

    def is_on_container_grid(self, timestamp: int) -> bool:
        own = (timestamp - origin(self.base)) % self.base == 0
        return own or timestamp in self.base_closes

    def due(self, timestamp: int) -> set[str]:
        if not self.is_on_container_grid(timestamp):
            return set()
        return {source for source in self.rules.sources if self.does_close(source, timestamp)}

    def next_on_grid(self, after: int) -> int:
        start = origin(self.base)
        own = ((after - start) // self.base + 1) * self.base + start
        return min([own, *(close for close in self.base_closes if close > after)])

    def next_due(self, after: int, until: int) -> int | None:
        """The first T later than ``after``, up to ``until``, at which a source is due."""
        timestamp = self.next_on_grid(after)
        while timestamp <= until:
            if self.due(timestamp):
                return timestamp
            timestamp = self.next_on_grid(timestamp)
        return None


class Oracle:
    def __init__(self, rules: Rules, start_wall_ms: int = 0) -> None:
        self.rules = rules
        self.calendar = Calendar(rules)
        self.now = 0
        self.ending = False
        self.offset_ms = start_wall_ms  # wall clock less monotonic clock
        self.shown = start_wall_ms  # up to here the clock has opened what it has to
        self.sleeps: list[tuple[int, int]] = []
        self.heard: list[Heard] = []
        self.connections: list[Connection] = []
        self.slots: dict[int, Slot] = {}
        self.waiting: dict[int, Slot] = {}  # those not released
        self.last_released = -1
        self.status = dict.fromkeys(rules.sources, "live")
        self.missed = dict.fromkeys(rules.sources, 0)
        self.excluded: set[str] = set()
        self.answer = Answer()

    def work_out(self, inputs: Sequence[Input], end_ns: int, *, finish: bool = False) -> Answer:
        for each in sorted(inputs, key=lambda each: each.at):
            self.let_fall(each.at - 1)
            self.now = each.at
            self.take(each)
            self.settle()
        self.let_fall(end_ns)
        self.now = end_ns
        if finish:
            self.end()
        return self.answer

    def take(self, each: Input) -> None:
        if isinstance(each, Arrived):
            self.take_bar(each)
        elif isinstance(each, Connection):
            self.take_connection(each)
        else:
            self.take_step(each)

    def tell(self, event: Event) -> None:
        self.answer.events.append(event)

    # Time.

    def wall(self) -> int:
        return self.offset_ms + self.now // NS_PER_MS

    def moment_of(self, wall_ms: int) -> int:
        """When the wall clock shows this, going by its present offset."""
        return (wall_ms - self.offset_ms) * NS_PER_MS

    def take_step(self, step: Step) -> None:
        before = self.wall()
        self.offset_ms += step.step_ms
        if step.cause == "resume":
            self.sleeps.append((before, self.wall()))
        if abs(step.step_ms) > STEP_LIMIT_MS:
            self.tell(ClockStep(self.now, step.step_ms, step.cause))

    def let_fall(self, until: int) -> None:
        """Let everything happen that falls up to ``until``, one after the other."""
        while falls := [fall for fall in self.falls(until) if fall[0] <= until]:
            self.now, timestamp, kind = min(falls)
            if kind == OPENING:
                self.show(timestamp)
            elif kind == DEADLINE:
                self.fall_due(self.waiting[timestamp])
            else:
                self.waiting[timestamp].let_go = True
            self.settle()

    def falls(self, until: int) -> list[tuple[int, int, int]]:
        """What is to fall: its moment, T, and kind."""
        falls = []
        for timestamp, slot in self.waiting.items():
            if slot.sealed_at is None:
                falls.append((max(self.now, self.deadline(slot)), timestamp, DEADLINE))
            elif not slot.let_go:
                falls.append((slot.sealed_at + self.rules.hold_ns, timestamp, END_OF_HOLD))
        shown = self.next_to_show(until)
        if shown is not None:
            falls.append((max(self.now, self.moment_of(shown)), shown, OPENING))
        return falls

    def next_to_show(self, until: int) -> int | None:
        if self.rules.deadline_from != "close":
            return None
        last = self.offset_ms + until // NS_PER_MS
        found = self.calendar.next_due(self.shown, last)
        if found is None:
            self.shown = max(self.shown, last)
        return found

    def show(self, timestamp: int) -> None:
        """The wall clock shows T."""
        self.shown = timestamp
        if timestamp not in self.slots:
            self.open(timestamp)

    def deadline(self, slot: Slot) -> int:
        if self.rules.deadline_from == "first_bar":
            return slot.opened_at + self.rules.timeout_ns
        by_clock = self.moment_of(slot.timestamp) + self.rules.timeout_ns
        if slot.first_bar_at is None:
            return by_clock
        return max(by_clock, slot.first_bar_at + self.rules.min_wait_ns)

    # A bar.

    def take_bar(self, bar: Arrived) -> None:
        reason = self.why_rejected(bar)
        if reason is not None:
            self.answer.rejected[reason] += 1
            self.answer.conflicts += reason == "conflict"
            self.tell(Rejection(self.now, reason, bar.source, bar.timestamp))
            return
        self.revive(bar)
        verdict = self.judge(bar)
        setattr(self.answer, verdict, getattr(self.answer, verdict) + 1)
        self.heard.append(Heard(bar, verdict, self.connection_of(bar.feed)))
        self.note_proof(bar.source)
        if verdict == "late":
            self.publish_late(bar)

    def why_rejected(self, bar: Arrived) -> str | None:
        if bar.source not in self.rules.sources:
            return "unknown_source"
        if bar.feed is None:
            return None
        if not self.calendar.is_on_grid_of(bar.source, bar.timestamp):
            return "off_grid"
        if bar.timestamp > self.wall() + self.calendar.base + self.rules.max_future_ms:
            return "future"
        return "conflict" if self.is_conflict(bar) else None

    def is_conflict(self, bar: Arrived) -> bool:
        """Another feed's bar came first, and this one differs."""
        carriers = self.rules.feeds.get(bar.source, ())
        if bar.feed not in carriers or len(carriers) == 1:
            return False
        twins = self.heard_for(bar.source, bar.timestamp)
        feeds = [twin.feed for twin in twins if twin.feed is not None]
        return bool(feeds) and feeds[0] != bar.feed and twins[-1].value != bar.value

    def heard_for(self, source: str, timestamp: int) -> list[Arrived]:
        return [
            each.bar
            for each in self.heard
            if each.bar.timestamp == timestamp and each.bar.source == source
        ]

    def judge(self, bar: Arrived) -> str:
        due = bar.source in self.calendar.due(bar.timestamp)
        gone = due and self.is_gone(bar.timestamp)
        earlier = self.heard_for(bar.source, bar.timestamp)
        if earlier and earlier[-1].value == bar.value:
            return "duplicate"
        if gone:
            return "late"
        if due:
            self.put(bar)
        return "corrected" if earlier else "accepted"

    def is_gone(self, timestamp: int) -> bool:
        slot = self.slots.get(timestamp)
        return timestamp <= self.last_released or (slot is not None and slot.sealed_at is not None)

    def put(self, bar: Arrived) -> None:
        slot = self.slots.get(bar.timestamp) or self.open(bar.timestamp)
        if slot.first_bar_at is None:
            slot.first_bar_at = self.now
        slot.bars[bar.source] = bar.value

    def open(self, timestamp: int) -> Slot:
        due = self.calendar.due(timestamp)
        slot = Slot(timestamp, self.now, due, due & self.excluded)
        slot.given_up = {source for source in due if self.proof(source) > timestamp}
        self.slots[timestamp] = self.waiting[timestamp] = slot
        return slot

    # Proof.

    def connection_of(self, feed: str | None) -> int | None:
        """The number of the feed's present connection; none while it is cut."""
        told = [each for each in self.connections if each.feed == feed]
        return None if told and not told[-1].up else len(told)

    def proof(self, source: str) -> int:
        """The T before which, by every feed that carries the source, nothing more comes."""
        bars = [
            each
            for each in self.heard
            if each.bar.source == source and each.bar.feed not in self.rules.unordered
        ]
        feeds = self.rules.feeds.get(source, ())
        if not feeds:
            return max((each.bar.timestamp for each in bars), default=-1)
        return min(self.proof_of_feed(bars, feed) for feed in feeds)

    def proof_of_feed(self, bars: Sequence[Heard], feed: str) -> int:
        present = self.connection_of(feed)
        delivered = (
            each.bar.timestamp
            for each in bars
            if each.bar.feed == feed and present is not None and each.connection == present
        )
        return max(delivered, default=-1)

    def note_proof(self, source: str) -> None:
        """Tell every open slot whether ``source`` has left it behind."""
        for slot in self.waiting.values():
            if slot.sealed_at is None and self.proof(source) > slot.timestamp:
                slot.given_up.add(source)

    def is_proved(self, slot: Slot) -> bool:
        expected = slot.expected()
        return bool(expected) and expected <= set(slot.bars) | slot.given_up

    # Sealing and releasing.

    def settle(self) -> None:
        """Seal and release, one after the other, all that can be at this moment."""
        self.release()
        while (slot := self.next_proved() or self.next_crowded()) is not None:
            if slot.sealed_at is None:
                self.seal(slot)
            else:
                slot.let_go = True
            self.release()

    def in_order(self) -> list[Slot]:
        return [self.waiting[timestamp] for timestamp in sorted(self.waiting)]

    def next_proved(self) -> Slot | None:
        for slot in self.in_order():
            if slot.sealed_at is None and self.is_proved(slot):
                return slot
        return None

    def next_crowded(self) -> Slot | None:
        if len(self.waiting) > self.rules.max_open:
            for slot in self.in_order():
                if slot.sealed_at is None or not slot.let_go:
                    return slot
        return None

    def fall_due(self, slot: Slot) -> None:
        """Seal it at its deadline, and see who missed it."""
        self.seal(slot)
        if self.now - self.deadline(slot) <= HEALTHY_NS:
            for source in self.rules.sources:
                if source in slot.expected() - set(slot.bars) - slot.given_up:
                    self.count_miss(source, slot)

    def seal(self, slot: Slot) -> None:
        slot.sealed_at = self.now
        slot.slept = any(start < slot.timestamp <= end for start, end in self.sleeps)
        slot.let_go = self.rules.missing != "interpolate" or self.rules.hold_ns == 0
        slot.between = {
            source
            for source in slot.expected() - set(slot.bars)
            if self.newest(source, slot.timestamp - 1)
        }

    def release(self) -> None:
        for slot in self.in_order():
            if slot.sealed_at is None or self.must_wait(slot):
                return
            self.write(slot)
            del self.waiting[slot.timestamp]
            self.last_released = slot.timestamp
            for bar in slot.amendments:
                self.revise(slot, bar)

    def must_wait(self, slot: Slot) -> bool:
        if self.ending:
            return False
        return self.waits_for_the_clock(slot) or self.is_held(slot)

    def waits_for_the_clock(self, slot: Slot) -> bool:
        """An earlier T has yet to get its slot."""
        if self.rules.deadline_from != "close":
            return False
        earlier = self.calendar.next_due(self.shown, slot.timestamp - 1)
        while earlier is not None and earlier in self.slots:
            earlier = self.calendar.next_due(earlier, slot.timestamp - 1)
        return earlier is not None

    def is_held(self, slot: Slot) -> bool:
        """A missing source had a bar before T, and has none after it yet."""
        if slot.let_go:
            return False
        return any(not self.next_after(source, slot.timestamp) for source in slot.between)

    def end(self) -> None:
        while (shown := self.next_to_show(self.now)) is not None:
            self.show(shown)
            self.settle()
        self.ending = True
        self.release()
        for slot in self.in_order():
            if slot.sealed_at is None:
                self.seal(slot)
                self.release()

    # The cells.

    def known(self, source: str) -> list[Arrived]:
        """The source's bars; of the late ones, those whose slot has been released."""
        return [
            each.bar
            for each in self.heard
            if each.bar.source == source
            and each.verdict != "duplicate"
            and (each.verdict != "late" or each.bar.timestamp <= self.last_released)
        ]

    def newest(self, source: str, up_to: int) -> Arrived | None:
        found: Arrived | None = None
        for bar in self.known(source):
            if bar.timestamp <= up_to and (found is None or bar.timestamp >= found.timestamp):
                found = bar
        return found

    def next_after(self, source: str, timestamp: int) -> Arrived | None:
        found: Arrived | None = None
        for bar in self.known(source):
            if bar.timestamp > timestamp and (found is None or bar.timestamp <= found.timestamp):
                found = bar
        return found

    def cell(self, source: str, slot: Slot) -> Cell | None:
        if source in slot.bars:
            return slot.bars[source], "fresh", 0
        if source not in slot.expected():
            last = self.newest(source, slot.timestamp)
            return (last.value, "carried", slot.timestamp - last.timestamp) if last else None
        last = self.newest(source, slot.timestamp - 1)
        if self.rules.missing == "skip" or last is None:
            return None
        following = self.next_after(source, slot.timestamp)
        if self.rules.missing == "interpolate" and following is not None:
            return between(last, following, slot.timestamp), "interpolated", 0
        return self.filled(last, slot.timestamp)

    def filled(self, last: Arrived, timestamp: int) -> Cell | None:
        age = timestamp - last.timestamp
        limit = self.rules.max_age_ms
        return (last.value, "filled", age) if limit is None or age <= limit else None

    def write(self, slot: Slot) -> None:
        cells = {source: self.cell(source, slot) for source in self.rules.sources}
        slot.cells = {source: cell for source, cell in cells.items() if cell is not None}
        reason = self.why_skipped(slot)
        slot.written = self.as_set(slot) if reason is None else self.as_skip(slot, reason)
        self.tell(slot.written)

    def why_skipped(self, slot: Slot) -> str | None:
        if slot.slept and not slot.bars:
            return "suspended"
        if not slot.cells:
            return "empty"
        if not self.has_all(slot):
            return "warmup" if self.is_warming_up(slot) else "incomplete"
        return None

    def has_all(self, slot: Slot) -> bool:
        return not self.rules.require_all or len(slot.cells) == len(self.rules.sources)

    def is_warming_up(self, slot: Slot) -> bool:
        return any(
            self.newest(source, slot.timestamp) is None
            for source in self.rules.sources
            if length(source) > self.calendar.base or source not in slot.expected()
        )

    def status_of(self, slot: Slot) -> str:
        fresh = {source for source, cell in slot.cells.items() if cell[1] == "fresh"}
        if slot.expected() and slot.expected() <= fresh:
            return "complete"
        return "filled" if len(slot.cells) == len(self.rules.sources) else "partial"

    def present(self, slot: Slot) -> tuple[str, ...]:
        here = ("fresh", "carried")
        return tuple(sorted(source for source, cell in slot.cells.items() if cell[1] in here))

    def absent(self, slot: Slot) -> tuple[str, ...]:
        return tuple(sorted(set(self.rules.sources) - set(self.present(slot))))

    def as_set(self, slot: Slot) -> Set:
        return Set(
            at=self.now,
            timestamp=slot.timestamp,
            status=self.status_of(slot),
            cells=dict(slot.cells),
            present=self.present(slot),
            missing=self.absent(slot),
            opened_at=slot.opened_at,
            sealed_at=sealed(slot),
        )

    def as_skip(self, slot: Slot, reason: str) -> Skip:
        return Skip(
            at=self.now,
            timestamp=slot.timestamp,
            reason=reason,
            present=self.present(slot),
            missing=self.absent(slot),
            opened_at=slot.opened_at,
            sealed_at=sealed(slot),
        )

    # Late bars.

    def publish_late(self, bar: Arrived) -> None:
        late_by = self.now - sealed(self.slot_at_or_after(bar.timestamp))
        slot = self.slots.get(bar.timestamp)
        amends = self.rules.late == "amend" and late_by <= self.rules.allowed_lateness_ns
        action = "amended" if slot and amends else "dropped"
        self.tell(Late(self.now, bar.source, bar.timestamp, bar.value, late_by, action))
        if slot is None or action == "dropped":
            return
        if slot.written is None:
            slot.amendments.append(bar)
        else:
            self.revise(slot, bar)

    def slot_at_or_after(self, timestamp: int) -> Slot:
        return self.slots[min(each for each in self.slots if each >= timestamp)]

    def revise(self, slot: Slot, bar: Arrived) -> None:
        slot.cells[bar.source] = (bar.value, "fresh", 0)
        if self.has_all(slot):
            slot.revision += 1
            self.tell(replace(self.as_set(slot), revision=slot.revision))

    # Liveness.

    def is_connected(self, source: str) -> bool:
        feeds = self.rules.feeds.get(source, ())
        return not feeds or any(self.is_up(feed) for feed in feeds)

    def connected_since(self, source: str) -> float:
        """Since when one of its feeds has been up without a break."""
        told = [each for each in self.connections if each.feed in self.rules.feeds.get(source, ())]
        if not told:
            return -1
        last = {each.feed: each for each in told}
        return min((each.at for each in last.values() if each.up), default=float("inf"))

    def is_up(self, feed: str) -> bool:
        told = [each.up for each in self.connections if each.feed == feed]
        return bool(told) and told[-1]

    def was_connected(self, source: str) -> bool:
        feeds = self.rules.feeds.get(source, ())
        return any(each.up and each.feed in feeds for each in self.connections)

    def take_connection(self, connection: Connection) -> None:
        self.connections.append(connection)
        for source in self.rules.sources:
            if connection.feed not in self.rules.feeds.get(source, ()):
                continue
            if self.is_connected(source):
                if self.status[source] == "down":
                    self.become(source, "live")
            elif self.was_connected(source):
                self.become(source, "down")

    def count_miss(self, source: str, slot: Slot) -> None:
        """It was due and waited for until the deadline."""
        if self.connected_since(source) <= slot.opened_at:
            self.missed[source] += 1
        limit = self.rules.idle_after
        if limit and self.missed[source] >= limit and self.status[source] == "live":
            self.become(source, "idle")

    def become(self, source: str, status: str) -> None:
        if self.status[source] == status:
            return
        self.status[source] = status
        self.tell(Status(self.now, source, status))
        if status == "live":
            self.missed[source] = 0
        elif self.rules.exclude_idle:
            self.excluded.add(source)
            for slot in self.waiting.values():
                slot.given_up.add(source)

    def revive(self, bar: Arrived) -> None:
        """A bar ends its source's idleness, and its exclusion from the bar's own slot on."""
        self.missed[bar.source] = 0
        if self.status[bar.source] == "idle":
            self.become(bar.source, "live")
        self.excluded.discard(bar.source)
        slot = self.waiting.get(bar.timestamp)
        if slot is not None and slot.sealed_at is None:
            slot.excluded.discard(bar.source)
            slot.given_up.discard(bar.source)


def sealed(slot: Slot) -> int:
    assert slot.sealed_at is not None, "a slot that is late for, or written, is sealed"
    return slot.sealed_at


def between(before: Arrived, after: Arrived, timestamp: int) -> float:
    """The value at T on the straight line through the two neighbours."""
    share = (timestamp - before.timestamp) / (after.timestamp - before.timestamp)
    return before.value + (after.value - before.value) * share
