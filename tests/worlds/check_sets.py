"""The main stream and its revisions: order, cells, and what each set is called."""

from itertools import pairwise

from tests.worlds.record import MAIN
from tests.worlds.story import Story

from barsync_async.messages import Bar, EventType, SynchronizedBars, SyncSkipped

SETS = (EventType.SYNCHRONIZED_BARS, EventType.SYNCHRONIZED_BARS_REVISED)


def check_sets(story: Story) -> None:
    """Raises AssertionError with what does not hold."""
    _check_main_stream(story)
    _check_revisions(story)
    ever_away: set[str] = set()
    for each in story.published:
        payload = each.event.payload
        if each.event.event_type is EventType.SOURCE_STATUS and payload.status != "live":
            ever_away.add(payload.source)
        elif isinstance(payload, SynchronizedBars):
            _check_names(story, payload)
            _check_status(story, payload, ever_away)
            for source, bar in payload.bars.items():
                _check_cell(story, payload.timestamp, source, bar)
        elif isinstance(payload, SyncSkipped):
            _check_names(story, payload)


def _check_main_stream(story: Story) -> None:
    times = [each.event.payload.timestamp for each in story.of(*MAIN)]
    for before, after in pairwise(times):
        assert before < after, f"{story.name}: {after} came after {before}"
    for timestamp in times:
        assert story.plan.due(timestamp), f"{story.name}: nobody is due at {timestamp}"


def _check_revisions(story: Story) -> None:
    """Numbered 1, 2, … for each T, after its main event."""
    newest: dict[int, int] = {}
    for each in story.of(*MAIN, EventType.SYNCHRONIZED_BARS_REVISED):
        payload = each.event.payload
        revision = getattr(payload, "revision", 0)
        expected = newest.get(payload.timestamp, -1) + 1
        assert revision == expected, f"{story.name}: {each.event} is not revision {expected}"
        newest[payload.timestamp] = revision
    if story.plan.synchronizer["late"] == "drop":
        assert not any(newest.values()), f"{story.name}: revised though late bars are dropped"


def _check_names(story: Story, told: SynchronizedBars | SyncSkipped) -> None:
    present, missing = told.sources_present, told.sources_missing
    assert sorted([*present, *missing]) == sorted(story.plan.sources), f"{story.name}: {told}"
    for names in (present, missing):
        assert list(names) == sorted(names), f"{story.name}: not sorted: {told}"
    if isinstance(told, SynchronizedBars):
        here = {s for s, bar in told.bars.items() if bar.provenance in ("fresh", "carried")}
        assert here == set(present), f"{story.name}: present or not: {told}"


def _check_status(story: Story, told: SynchronizedBars, ever_away: set[str]) -> None:
    """Complete if and only if at least one source is due and all due cells are fresh."""
    due = story.plan.due(told.timestamp)
    fresh = {source for source, bar in told.bars.items() if bar.provenance == "fresh"}
    is_whole = len(told.bars) == len(story.plan.sources)
    assert fresh <= due, f"{story.name}: fresh though not due: {told}"
    if story.plan.synchronizer["exclude_idle"]:
        due -= ever_away - fresh
    if due and due <= fresh and not (ever_away and story.plan.synchronizer["exclude_idle"]):
        assert told.status == "complete", f"{story.name}: all due are fresh: {told}"
    elif told.status == "complete":
        assert fresh, f"{story.name}: nothing fresh: {told}"
        assert due <= fresh, f"{story.name}: {due - fresh} are not fresh: {told}"
    else:
        assert told.status == ("filled" if is_whole else "partial"), f"{story.name}: {told}"
    if story.plan.synchronizer["require_all"]:
        assert is_whole, f"{story.name}: not all, though all are required: {told}"


def _check_cell(story: Story, timestamp: int, source: str, bar: Bar) -> None:
    where = f"{story.name}: the cell of {source} at {timestamp}: {bar}"
    assert bar.source == source, where
    assert bar.timestamp <= timestamp, f"{where} is newer than its set"
    assert abs(bar.high - bar.close - 1) < 1e-6, f"{where} is a mixture"
    assert abs(bar.volume - bar.close * 2) < 1e-6, f"{where} is a mixture"
    if bar.provenance == "interpolated":
        assert story.plan.synchronizer["missing"] == "interpolate", where
        assert (bar.timestamp, bar.age_ms) == (timestamp, 0), where
        return
    assert bar.age_ms == timestamp - bar.timestamp, where
    assert bar.close in story.values.get((source, bar.timestamp), ()), f"{where} was never given"
    _check_age(story, where, bar)


def _check_age(story: Story, where: str, bar: Bar) -> None:
    config = story.plan.synchronizer
    if bar.provenance == "fresh":
        assert bar.age_ms == 0, where
    elif bar.provenance == "filled":
        assert config["missing"] != "skip", where
        assert bar.age_ms <= config.get("max_age_ms", 10**9), f"{where} is too old"
        assert bar.age_ms > 0, where
    else:
        assert bar.provenance == "carried", where
