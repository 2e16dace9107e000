"""The order and moments in which one venue sends its closed bars.

A source's bars go out in the order of their timestamps, however long each is delayed, as over one
connection to a real venue. Only a bar whose fate is to be swapped goes out behind its successor,
and a second sending comes whenever it comes.
"""

import heapq
from collections.abc import Iterator, Mapping

import msgspec

from barsync_async.simulation.candle import Candle
from barsync_async.simulation.faults import Fate, SourceFaults
from barsync_async.units import SourceId, WallMs


class Sending(msgspec.Struct, frozen=True):
    """One closed bar that leaves the venue, or would have: ``lost``. ``revision``: how often it
    left before with other values.
    """

    source: SourceId
    timestamp: WallMs
    candle: Candle
    lost: bool = False
    revision: int = 0


class Schedule:
    """All sendings that are still to come."""

    def __init__(self, faults: Mapping[SourceId, SourceFaults]) -> None:
        self._lanes = {source: _Lane(each) for source, each in faults.items()}
        self._heap: list[tuple[int, int, Sending]] = []
        self._planned = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(
        self, source: SourceId, timestamp: WallMs, candle: Candle, *, step: int, close_ns: int
    ) -> None:
        """A bar closed with ``step`` at ``close_ns``; plan what becomes of it."""
        sending = Sending(source, timestamp, candle)
        for due_ns, each in self._lanes[source].plan(sending, step, close_ns):
            self._push(due_ns, each)

    def end(self) -> None:
        """No more bars will close: let go those that wait for a successor."""
        for lane in self._lanes.values():
            for due_ns, sending in lane.release():
                self._push(due_ns, sending)

    def next_at(self) -> int | None:
        """The moment of the next sending."""
        return self._heap[0][0] if self._heap else None

    def take(self, now_ns: int) -> Iterator[Sending]:
        """All sendings due by ``now_ns``, in their order."""
        while self._heap and self._heap[0][0] <= now_ns:
            yield heapq.heappop(self._heap)[2]

    def is_quiet(self, source: SourceId, now_ns: int) -> bool:
        """Whether every bar of ``source`` that closed has left, but for the swapped."""
        return self._lanes[source].last_due_ns <= now_ns

    def _push(self, due_ns: int, sending: Sending) -> None:
        self._planned += 1
        heapq.heappush(self._heap, (due_ns, self._planned, sending))


class _Held(msgspec.Struct, frozen=True):
    sending: Sending
    due_ns: int
    fate: Fate


class _Lane:
    """One source's way out."""

    def __init__(self, faults: SourceFaults) -> None:
        self._faults = faults
        self._held: _Held | None = None
        self.last_due_ns = -1

    def plan(self, sending: Sending, step: int, close_ns: int) -> Iterator[tuple[int, Sending]]:
        fate = self._faults.fate(step)
        due_ns = max(close_ns + fate.delay_ns, self.last_due_ns)
        if fate.swapped and not fate.lost and self._held is None:
            self._held = _Held(sending, due_ns, fate)
            return
        self.last_due_ns = due_ns
        yield from _sendings(sending, due_ns, fate)
        yield from self.release()

    def release(self) -> Iterator[tuple[int, Sending]]:
        """Let go the bar that waits for its successor."""
        held, self._held = self._held, None
        if held is not None:
            self.last_due_ns = max(held.due_ns, self.last_due_ns)
            yield from _sendings(held.sending, self.last_due_ns, held.fate)


def _sendings(sending: Sending, due_ns: int, fate: Fate) -> Iterator[tuple[int, Sending]]:
    if fate.lost:
        yield due_ns, msgspec.structs.replace(sending, lost=True)
        return
    yield due_ns, sending if fate.revised_ns is None else _incomplete(sending)
    if fate.revised_ns is not None:
        due_ns += fate.revised_ns
        sending = msgspec.structs.replace(sending, revision=1)
        yield due_ns, sending
    if fate.again_ns is not None:
        yield due_ns + fate.again_ns, sending


def _incomplete(sending: Sending) -> Sending:
    return msgspec.structs.replace(sending, candle=sending.candle.short_of_one())
