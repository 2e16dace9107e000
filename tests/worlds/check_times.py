"""When sets were sealed: by proof or not before their deadlines, and never much later."""

from tests.worlds.record import MAIN, Published
from tests.worlds.story import Story

from barsync_async.messages import EventType, SynchronizedBars, SyncSkipped
from barsync_async.units import NS_PER_MS, SourceId

_ROUNDED_MS = 0.002
_UNNOTICED_MS = 100
_BEAT_NS = 1_100 * NS_PER_MS


def check_times(story: Story) -> None:
    """Raises AssertionError with what does not hold."""
    stalls_ms = _sum_of(story, "stall")
    for each in story.of(*MAIN):
        _check_not_early(story, each)
        if story.plan.synchronizer["deadline_from"] == "first_bar":
            _check_not_late(story, each, stalls_ms)
        _check_lag(story, each, stalls_ms)
    if story.plan.synchronizer["deadline_from"] == "close":
        _check_every_close(story)
    _check_steps(story)


def _sum_of(story: Story, *kinds: str) -> int:
    return sum(abs(each.by_ms) for each in story.record.world.machine if each.fault in kinds)


def _check_not_early(story: Story, each: Published) -> None:
    """What was sealed before its deadline was proved, gave way, or was there at the end."""
    payload = each.event.payload
    lacking = story.plan.due(payload.timestamp) - _fresh(payload)
    if not lacking or story.statistics.crowded or each.at.mono >= story.record.stopped_at:
        return
    if all(_is_proved_absent(story, source, each) for source in lacking):
        return
    if story.plan.synchronizer["deadline_from"] == "first_bar":
        timeout_ms = story.plan.synchronizer["timeout_ms"]
        assert payload.wait_ms >= timeout_ms - _ROUNDED_MS, f"{story.name}: early: {each}"
    elif not _sum_of(story, "step_forward", "step_back"):
        sealed_wall = each.at.wall
        timeout_ms = story.plan.synchronizer["timeout_ms"]
        assert sealed_wall >= payload.timestamp + int(timeout_ms), f"{story.name}: early: {each}"


def _fresh(payload: SynchronizedBars | SyncSkipped) -> set[SourceId]:
    if isinstance(payload, SyncSkipped):  # present at a T where it is due is fresh
        return set(payload.sources_present)
    return {source for source, bar in payload.bars.items() if bar.provenance == "fresh"}


def _is_proved_absent(story: Story, source: SourceId, each: Published) -> bool:
    """All its feeds gave a later bar before that, or it is excluded for being away."""
    config = story.plan.synchronizer
    if config["exclude_idle"] and story.was_away(source, each.at.mono):
        return True
    return all(
        feed in story.ordered and _gave_later(story, source, feed, each)
        for feed in story.carriers(source)
    )


def _gave_later(story: Story, source: SourceId, feed: str, each: Published) -> bool:
    return any(
        given.feed == feed
        and given.at <= each.at.mono
        and given.quote is not None
        and given.quote.source == source
        and given.quote.timestamp > each.event.payload.timestamp
        for given in story.bars
    )


def _check_not_late(story: Story, each: Published, stalls_ms: int) -> None:
    most_ms = story.plan.synchronizer["timeout_ms"] + stalls_ms + _ROUNDED_MS
    wait_ms = each.event.payload.wait_ms
    assert 0 <= wait_ms <= most_ms, f"{story.name}: waited {wait_ms} ms: {each}"


def _check_lag(story: Story, each: Published, stalls_ms: int) -> None:
    lag_ms = getattr(each.event.payload, "loop_lag_ms", 0.0)
    steps_ms = _sum_of(story, "step_forward", "step_back", "suspend")
    assert 0 <= lag_ms <= stalls_ms + steps_ms + _ROUNDED_MS, f"{story.name}: lag: {each}"


def _check_every_close(story: Story) -> None:
    """One main event for every T with a due source that the wall clock showed."""
    world = story.record.world
    shown = world.wall(world.end_at) + world.off_ms
    expected = set(story.plan.due_times(world.start, shown))
    told = set(story.main)
    assert not expected - told, f"{story.name}: no event for {sorted(expected - told)}"


def _check_steps(story: Story) -> None:
    """The steps of the wall clock that were told add up to what was done to it."""
    told, moves = story.of(EventType.CLOCK_STEP), story.record.moves
    assert bool(told) <= bool(moves), f"{story.name}: a clock step that never was: {told}"
    if story.plan.synchronizer["deadline_from"] == "close":
        _check_noticed(story, [each.at.mono for each in told])
        done = sum(move.by_ms for move in moves)
        seen = sum(each.event.payload.step_ms for each in told)
        spare = _UNNOTICED_MS * len(moves)  # several may add up to one that is too small
        is_cut_off = any(_is_recent(story, move.at) for move in moves)
        where = f"{story.name}: {seen} ms of {done} ms were told"
        assert is_cut_off or abs(seen - done) <= spare, where


def _is_recent(story: Story, moment: int) -> bool:
    """Whether the daemon was stopped before it had to notice."""
    return story.record.stopped_at - moment < _BEAT_NS


def _check_noticed(story: Story, noticed: list[int]) -> None:
    """Where deadlines depend on the wall clock, a step is noticed within a second; unless
    another one undid it.
    """
    moves = story.record.moves
    if story.has_blocking_reader or len(moves) > 1:
        return
    for move in moves:
        if abs(move.by_ms) > _UNNOTICED_MS and not _is_recent(story, move.at):
            in_time = [at for at in noticed if move.at <= at <= move.at + _BEAT_NS]
            assert in_time, f"{story.name}: {move} was noticed at {noticed}"
