"""Nothing is dropped uncounted: what the venue gave is what was received."""

from collections import Counter

from tests.worlds.monitor import check_account
from tests.worlds.story import Story

from barsync_async.messages import EventType


def check_accounts(story: Story) -> None:
    """Raises AssertionError with what does not hold."""
    _check_received(story)
    _check_events(story)
    check_account(story.statistics, story.name)
    for source, each in story.by_source.items():
        check_account(each, f"{story.name} {source}")
    assert story.statistics.open_slots == 0, f"{story.name}: slots are open at the end"


def _check_received(story: Story) -> None:
    refused = sum(each.kind == "rejected" for each in story.given)
    given = len(story.bars) + refused
    received = story.statistics.received
    assert received == given, f"{story.name}: {given} were given and {received} received"
    counts = Counter(each.quote.source for each in story.bars if each.quote is not None)
    for source, each in story.by_source.items():
        told = f"{story.name}: {counts[source]} of {source} were given"
        assert each.received == counts[source], f"{told} and {each.received} received"


def _check_events(story: Story) -> None:
    """Every rejection and every late bar is told, every set counted."""
    told = story.statistics
    types = Counter(each.event.event_type for each in story.published)
    reasons = Counter(each.event.payload.reason for each in story.of(EventType.BAR_REJECTED))
    assert reasons == dict(told.rejected_by), f"{story.name}: rejected: {reasons}"
    assert types[EventType.LATE_BAR] == told.late, f"{story.name}: late bars"
    assert types[EventType.SYNCHRONIZED_BARS_REVISED] == told.revised, f"{story.name}: revisions"
    statuses = Counter(each.event.payload.status for each in story.of(EventType.SYNCHRONIZED_BARS))
    assert statuses == dict(told.sets_by), f"{story.name}: sets: {statuses}"
    skips = Counter(each.event.payload.reason for each in story.of(EventType.SYNC_SKIPPED))
    assert skips == dict(told.skips_by), f"{story.name}: skips: {skips}"
