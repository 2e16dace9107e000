"""What came out of a world, and when."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.worlds.machine import Move, Stall
from tests.worlds.venue import Given
from tests.worlds.world import World

from barsync_async.core.statistics import SourceStatistics, Statistics
from barsync_async.messages import Event, EventType
from barsync_async.ports import Clock
from barsync_async.shell.container import Container
from barsync_async.units import Instant, SourceId
from barsync_async.wire import encode, encode_lines

NUMBERED = tuple(each for each in EventType if each not in (EventType.BAR, EventType.GAP))
MAIN = (EventType.SYNCHRONIZED_BARS, EventType.SYNC_SKIPPED)


@dataclass(frozen=True)
class Published:
    """An event, and the moment at which it was published."""

    at: Instant
    event: Event


@dataclass(frozen=True)
class Reading:
    """What a slow reader got, what its queue says that it lost, and whether it was cut off."""

    container: str
    policy: str
    events: Sequence[Event]
    dropped: int
    cut: bool


@dataclass
class Record:
    """All that is known of a world that has ended."""

    world: World
    stopped_at: int = 0
    published: dict[str, list[Published]] = field(default_factory=dict)
    written: dict[str, bytearray] = field(default_factory=dict)
    given: Sequence[Given] = ()
    stalls: Sequence[Stall] = ()
    moves: Sequence[Move] = ()
    readings: list[Reading] = field(default_factory=list)
    statistics: dict[str, Statistics] = field(default_factory=dict)
    by_source: dict[str, Mapping[SourceId, SourceStatistics]] = field(default_factory=dict)
    left_over: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def has_ties(self) -> bool:
        """Whether a connection was made just when something came of another feed. Which is first is
        open then, for it is up when its feed gets round to it; its end is stamped when it is read.
        """
        told = [each for each in self.given if 0 < each.at < self.stopped_at]
        changes = {(each.at, each.feed) for each in told if each.kind == "up"}
        moments = {at for at, _ in changes}
        feeds = {(each.at, each.feed) for each in told if each.at in moments}
        return len(feeds) > len(moments)

    def trace(self) -> str:
        """The sha256 of all that must be the same whatever ran first."""
        digest = hashlib.sha256()
        for name, events in sorted(self.published.items()):
            digest.update(self.written[name])
            for each in events:
                digest.update(b"%d %b\n" % (each.at.mono, encode(each.event)))
        for reading in self.readings:
            if reading.policy == "block":  # what another one loses is its own affair
                digest.update(encode_lines(reading.events))
        digest.update(repr((sorted(self.given, key=_place), self.statistics)).encode())
        return digest.hexdigest()


def _place(given: Given) -> tuple[int, str, int]:
    return given.at, given.feed, given.order


class Listener:
    """Notes every numbered event of a container inline, at the moment of its publication."""

    def __init__(self, container: Container, clock: Clock, record: Record) -> None:
        self._clock = clock
        self._events = record.published.setdefault(container.name, [])
        for event_type in NUMBERED:
            container.event_bus.subscribe(event_type, self._note)

    def _note(self, event: Event) -> None:
        self._events.append(Published(self._clock.now(), event))


class CapturingSink:
    """An output's target: the bytes of each container. Plays the role of a Sink."""

    name = "captured"

    def __init__(self, record: Record) -> None:
        self._written = record.written
        self._is_open = False

    def open(self) -> None:
        self._is_open = True

    def write(self, events: Sequence[Event]) -> None:
        assert self._is_open, "an output wrote to a sink that is not open"
        for event in events:
            self._written[event.container] += encode(event) + b"\n"

    def close(self) -> None:
        self._is_open = False
