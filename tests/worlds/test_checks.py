"""The checks see what is wrong: a good record is tampered with, and must no longer pass."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from tests.worlds.checks import check
from tests.worlds.draw import draw
from tests.worlds.life import live
from tests.worlds.record import Published, Record
from tests.worlds.world import World

from barsync_async.messages import Event, EventType
from barsync_async.wire import encode

Change = Callable[[list[Published]], list[Published]]
SETS = EventType.SYNCHRONIZED_BARS


def is_rich(world: World) -> bool:
    """Whether the daemon may do everything there."""
    return world.end_at > world.healed_at and any(
        each.has_portfolio and each.synchronizer["late"] == "amend" for each in world.containers
    )


@pytest.fixture(scope="module")
def rich() -> World:
    return next(world for world in map(draw, range(1_000)) if is_rich(world))


def tampered(world: World, change: Change) -> Record:
    """The record of a world of which the first rich container said something else."""
    record = live(world)
    check(record)
    name = next(each.name for each in world.containers if each.has_portfolio)
    record.published[name] = change(record.published[name])
    lines = [encode(each.event) + b"\n" for each in record.published[name]]
    record.written[name] = bytearray(b"".join(lines))
    return record


def altered(event_type: EventType, place: int, **fields: Any) -> Change:
    """One event of this type with other ``fields`` in its payload."""

    def change(published: list[Published]) -> list[Published]:
        found = [each for each in published if each.event.event_type is event_type][place]
        payload = replace(found.event.payload, **fields)
        event = Event(event_type, payload, found.event.container, found.event.seq)
        return [Published(each.at, event) if each is found else each for each in published]

    return change


def without(event_type: EventType, place: int) -> Change:
    """One event less, the others numbered anew."""

    def change(published: list[Published]) -> list[Published]:
        found = [each for each in published if each.event.event_type is event_type][place]
        kept = [each for each in published if each is not found]
        return [
            Published(each.at, replace(each.event, seq=seq)) for seq, each in enumerate(kept, 1)
        ]

    return change


def swapped(published: list[Published]) -> list[Published]:
    return [*published[1::-1], *published[2:]]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (swapped, "seq is not contiguous"),
        (without(SETS, -1), "features|nothing for|no event|sets"),
        (without(EventType.FEATURES, 1), "instead of"),
        (without(EventType.PORTFOLIO, -1), "instead of"),
        (altered(SETS, 1, timestamp=1), "came after"),
        (altered(SETS, -1, status="partial"), "all due are fresh"),
        (altered(SETS, -1, sources_present=()), "SynchronizedBars"),
        (altered(SETS, -1, wait_ms=1e6), "waited|oracle"),
        (altered(SETS, -1, revision=1), "is not revision 0"),
        (altered(EventType.PORTFOLIO, -1, version=7_777), "is not"),
        (altered(EventType.PORTFOLIO, -1, cash=0.0), "cash"),
    ],
)
def test_a_record_that_was_tampered_with_is_found_out(
    rich: World, change: Change, told: str
) -> None:
    with pytest.raises(AssertionError, match=told):
        check(tampered(rich, change))


def test_a_bar_that_got_lost_on_the_way_is_missed(rich: World) -> None:
    record = live(rich)
    bar = next(each for each in record.given if each.quote is not None)
    record.given = [*record.given, bar]
    with pytest.raises(AssertionError, match="were given and"):
        check(record)
