"""A container's whole stream against the oracle, which is told the arrivals and nothing else."""

from collections.abc import Sequence
from typing import Any

from tests.core.driver import (
    Timed,
    main_stream,
    main_stream_of_oracle,
    rejections,
    rejections_of_oracle,
    statuses,
    statuses_of_oracle,
)
from tests.oracle import Answer, Arrived, Connection, Input, Oracle, Rules, Step
from tests.worlds.machine import Stall
from tests.worlds.story import Story
from tests.worlds.venue import Given

from barsync_async.messages import EventType
from barsync_async.units import NS_PER_MS

_OUTCOMES = (
    EventType.SYNCHRONIZED_BARS,
    EventType.SYNCHRONIZED_BARS_REVISED,
    EventType.SYNC_SKIPPED,
    EventType.LATE_BAR,
    EventType.BAR_REJECTED,
    EventType.SOURCE_STATUS,
    EventType.CLOCK_STEP,
)
_OF_THE_CODEC = ("malformed", "invalid", "oversized", "unknown_source")


def can_be_told(story: Story) -> bool:
    """Whether arrivals, stalls and clock steps say all there is to know of the container."""
    world = story.record.world
    if not world.is_roomy or "history" in story.plan.synchronizer:
        return False
    is_hasty = world.end_at < world.healed_at
    if story.record.has_ties or ((world.machine or is_hasty) and world.has_blocking_reader):
        return False
    done = sum(move.by_ms for move in story.record.moves)
    return done == sum(step.step_ms for step in _steps(story))


def check_against_oracle(story: Story) -> None:
    """Raises AssertionError with the first thing that the oracle says otherwise."""
    oracle = StallingOracle(_rules(story), story.record.world.start, story.record.stalls)
    answer = oracle.work_out(_inputs(story), story.record.stopped_at, finish=True)
    said: list[Timed] = [(each.at.mono, each.event.payload) for each in story.of(*_OUTCOMES)]
    known = [each for each in said if getattr(each[1], "reason", "") not in _OF_THE_CODEC]
    _compare(story, main_stream(said), main_stream_of_oracle(answer))
    _compare(story, statuses(said), statuses_of_oracle(answer))
    _compare(story, rejections(known), rejections_of_oracle(answer))
    _compare_counts(story, answer)


class StallingOracle(Oracle):
    """An oracle that cannot act during a stall: what falls then, falls at its end."""

    def __init__(self, rules: Rules, start_wall_ms: int, stalls: Sequence[Stall]) -> None:
        super().__init__(rules, start_wall_ms)
        self._stalls = stalls
        self._stepped_at = 0

    def falls(self, until: int) -> list[tuple[int, int, int]]:
        return [(self._awake(at), *rest) for at, *rest in super().falls(until)]  # type: ignore[misc]

    def _awake(self, moment: int) -> int:
        for stall in self._stalls:
            if stall.began_at < moment < stall.ended_at:
                return stall.ended_at
        return moment

    def take_step(self, step: Step) -> None:
        super().take_step(step)
        self._stepped_at = step.at

    def show(self, timestamp: int) -> None:
        """The slot opened when the clock showed T, even if nobody could look then."""
        is_new = timestamp not in self.slots
        super().show(timestamp)
        if is_new:
            shown_at = max(self.moment_of(timestamp), self._stepped_at)
            self.slots[timestamp].opened_at = shown_at


def _rules(story: Story) -> Rules:
    config = story.plan.synchronizer
    plan = story.plan
    return Rules(
        sources=plan.sources,
        timeout_ns=round(config["timeout_ms"] * NS_PER_MS),
        require_all=config["require_all"],
        missing=config["missing"],
        max_age_ms=config.get("max_age_ms"),
        hold_ns=config["hold_ms"] * NS_PER_MS,
        deadline_from=config["deadline_from"],
        min_wait_ns=config["min_wait_ms"] * NS_PER_MS,
        late=config["late"],
        allowed_lateness_ns=round(config["allowed_lateness_ms"] * NS_PER_MS),
        max_open=config["max_open"],
        max_future_ms=config["max_future_ms"],
        idle_after=config["idle_after"],
        exclude_idle=config["exclude_idle"],
        feeds={source: story.carriers(source) for source in plan.sources},
        unordered=frozenset(story.feeds - story.ordered),
        sessions={str(source): each for source, each in plan.sessions.items()},
    )


def _inputs(story: Story) -> list[Input]:
    """What was given before the stop: that the daemon itself hangs up then is no news to it. A
    step of the clock is noticed before all that is read at its moment.
    """
    told = [each for each in story.given if each.at < story.record.stopped_at]
    arrivals = [said for each in told if (said := _input(each)) is not None]
    return [*_steps(story), *arrivals]


def _steps(story: Story) -> list[Step]:
    return [
        Step(each.at.mono, each.event.payload.step_ms, each.event.payload.cause)
        for each in story.of(EventType.CLOCK_STEP)
    ]


def _input(given: Given) -> Input | None:
    if given.kind in ("up", "down"):
        return Connection(given.at, given.feed, given.kind == "up")
    told = given.quote
    if told is None:
        return None
    return Arrived(given.at, told.source, told.timestamp, told.value, given.feed)


def _compare(story: Story, said: Sequence[Any], expected: Sequence[Any]) -> None:
    """In order."""
    for place, (ours, theirs) in enumerate(zip(said, expected, strict=False)):
        if not _agree(story, ours, theirs):
            before = said[max(0, place - 2) : place]
            raise AssertionError(
                f"{story.name}: said {ours}\nand the oracle {theirs}\nafter {before}"
            )
    more = [*said[len(expected) :], *expected[len(said) :]]
    assert not more, f"{story.name}: only {len(said)} or {len(expected)} say {more[0]}"


def _agree(story: Story, ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
    """To the microsecond, as durations go on the wire. Moments of publication are not compared
    where a slow reader puts publication off.
    """
    if story.has_blocking_reader:
        ours, theirs = ours[1:], theirs[1:]
    return _rounded(ours) == _rounded(theirs)


def _rounded(said: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(round(each, 3) if isinstance(each, float) else each for each in said)


def _compare_counts(story: Story, answer: Answer) -> None:
    told = story.statistics
    counts = (told.accepted, told.corrected, told.duplicate, told.late, told.conflicts)
    theirs = (
        answer.accepted,
        answer.corrected,
        answer.duplicate,
        answer.late,
        answer.conflicts,
    )
    assert counts == theirs, f"{story.name}: counted {counts} and the oracle {theirs}"
