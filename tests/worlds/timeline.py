"""True time, on the machine's clocks."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from barsync_async.ports import TimerHandle
from barsync_async.shell.clock import VirtualClock
from barsync_async.units import MonoNs, WallMs


class Happening(Protocol):
    """Anything with a moment."""

    @property
    def at(self) -> int: ...


H = TypeVar("H", bound=Happening)


class Timeline:
    """The clock that the daemon goes by, and the true time behind it."""

    def __init__(self, start: WallMs) -> None:
        self.clock = VirtualClock(start)
        self._players: list[Player[Any]] = []

    def now(self) -> int:
        """The present moment of true time."""
        return self.clock.now().mono + self.clock.slept_ns()

    def call_at(self, at: int, callback: Callable[[], None]) -> TimerHandle:
        return self.clock.call_at(MonoNs(at - self.clock.slept_ns()), callback)

    def play(self, script: Sequence[H], perform: Callable[[H], None]) -> "Player[H]":
        """Let ``perform`` do each of ``script`` at its moment."""
        player = Player(self, script, perform)
        self._players.append(player)
        return player

    def sleep(self, slept_ms: int) -> None:
        """The machine sleeps: what was to happen meanwhile happens as it wakes."""
        self.clock.sleep(slept_ms)
        for player in self._players:
            player.set_timer()


class Player(Generic[H]):
    """Performs a script; what fell due during a stall or a sleep, all at once after it."""

    def __init__(
        self, timeline: Timeline, script: Sequence[H], perform: Callable[[H], None]
    ) -> None:
        self._timeline = timeline
        self._script = deque(script)
        self._perform = perform
        self._timer: TimerHandle | None = None
        self.set_timer()

    def set_timer(self) -> None:
        self.stop()
        if self._script:
            self._timer = self._timeline.call_at(self._script[0].at, self._play)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _play(self) -> None:
        self._timer = None
        while self._script and self._script[0].at <= self._timeline.now():
            self._perform(self._script.popleft())
        self.set_timer()
