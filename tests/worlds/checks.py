"""What must hold of every record, worked out from the world and from what the venue gave."""

from tests.worlds.against_oracle import can_be_told, check_against_oracle
from tests.worlds.check_accounts import check_accounts
from tests.worlds.check_consequences import check_consequences
from tests.worlds.check_readers import check_readers
from tests.worlds.check_sets import check_sets
from tests.worlds.check_times import check_times
from tests.worlds.record import Record
from tests.worlds.story import Story, stories

from barsync_async.messages import SynchronizedBars, SyncSkipped


def check(record: Record) -> None:
    """Raises AssertionError with what does not hold."""
    assert not record.left_over, f"left over at the end: {record.left_over}"
    for story in stories(record):
        check_order(story)
        check_sets(story)
        check_times(story)
        check_accounts(story)
        check_consequences(story)
        check_healed(story)
        if can_be_told(story):
            check_against_oracle(story)
    check_readers(record)


def check_order(story: Story) -> None:
    """Everything published is numbered without a hole, and written as it was published."""
    numbers = [each.event.seq for each in story.published]
    assert numbers == list(range(1, len(numbers) + 1)), f"{story.name}: seq is not contiguous"
    moments = [each.at.mono for each in story.published]
    assert moments == sorted(moments), f"{story.name}: events are not in the order of time"
    assert story.written == story.encoded, f"{story.name}: the output is not what was published"


def check_healed(story: Story) -> None:
    """After the faults every set is complete again, and every source live."""
    world = story.record.world
    if world.end_at < world.healed_at:
        return
    healed, end = world.wall(world.healed_at), world.wall(world.end_at) - 50
    for timestamp in story.plan.due_times(healed - 1, end):
        published = story.main.get(timestamp)
        assert published is not None, f"{story.name}: nothing for {timestamp} after all was well"
        event = published.event
        if timestamp == healed and _may_lack_first(story, event.payload):
            continue
        status = getattr(event.payload, "status", "skipped")
        assert status == "complete", f"{story.name}: {event} after all was well"
    for source, status in story.status_before(story.record.stopped_at).items():
        assert status == "live", f"{story.name}: {source} is {status} after all was well"


def _may_lack_first(story: Story, payload: SynchronizedBars | SyncSkipped) -> bool:
    """Whether what is missing comes with its first bar, which the set does not wait for: that of a
    source that is closed, or was excluded.
    """
    awaited = story.plan.due(payload.timestamp)
    if story.plan.synchronizer["exclude_idle"]:
        awaited = {each for each in awaited if not story.was_away(each, story.record.stopped_at)}
    return not set(payload.sources_missing) & awaited
