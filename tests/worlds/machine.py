"""What happens to the machine, done to the daemon's clocks and loop."""

from collections import Counter
from dataclasses import dataclass

from tests.worlds.loop import WorldLoop
from tests.worlds.timeline import Timeline
from tests.worlds.world import Machine

from barsync_async.units import NS_PER_MS


@dataclass(frozen=True)
class Stall:
    """Nothing ran between these moments of the monotonic clock."""

    began_at: int
    ended_at: int


@dataclass(frozen=True)
class Move:
    """The wall clock was moved at this moment of the monotonic clock."""

    at: int
    by_ms: int


class MachineRoom:
    """Performs what is to happen. The loop goes on at a whole millisecond: frames come at such."""

    def __init__(self, timeline: Timeline, loop: WorldLoop) -> None:
        self.faults: Counter[str] = Counter()
        self.stalls: list[Stall] = []
        self.moves: list[Move] = []
        self._timeline = timeline
        self._loop = loop

    def perform(self, each: Machine) -> None:
        self.faults[each.fault] += 1
        if each.fault != "stall":
            self.moves.append(Move(self._timeline.clock.now().mono, each.by_ms))
        match each.fault:
            case "stall":
                self._stall(each.by_ms)
            case "suspend":
                self._timeline.sleep(each.by_ms)
                self._stall(0)
            case "step_forward" | "step_back":
                self._timeline.clock.step(each.by_ms)

    def _stall(self, stall_ms: int) -> None:
        began_at = self._timeline.clock.now().mono
        self._loop.stall(stall_ms * NS_PER_MS + -began_at % NS_PER_MS)
        self.stalls.append(Stall(began_at, self._timeline.clock.now().mono))
