"""Time that passes at a pace of its own, and the clock of a recording that is played again."""

import asyncio
import selectors
from collections.abc import Callable
from random import Random
from typing import Any

from barsync_async.shell.clock import Alarm
from barsync_async.units import Instant, MonoNs

_NS_PER_S = 1_000_000_000


class PacedLoop(asyncio.SelectorEventLoop):
    """A loop whose ``time()`` starts at 0 and runs ``speed`` times as fast as the machine's, with
    all its timers.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began = 0.0
        super().__init__(_PacedSelector(speed))
        self._began = super().time()

    def time(self) -> float:
        """Paced seconds since the loop was made."""
        return (super().time() - self._began) * self._speed


class _PacedSelector(selectors.DefaultSelector):
    """Waits as long on the machine as the paced time takes."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout / self._speed if timeout else timeout)


class ReplayClock:
    """The running loop's time as the monotonic clock, and beside it the recorded wall clock with
    all its steps; plays the role of :class:`~barsync_async.ports.Clock`.
    """

    def __init__(self, wall_ns: int) -> None:
        self._offset_ns = wall_ns

    def show(self, wall_ns: int, mono_ns: int) -> None:
        """The wall clock shows ``wall_ns`` where the monotonic one shows ``mono_ns``."""
        self._offset_ns = wall_ns - mono_ns

    def slept_ns(self) -> int:
        """0: a recording does not say why its wall clock moved."""
        return 0

    def now(self) -> Instant:
        """The present moment of the running loop."""
        mono_ns = round(asyncio.get_running_loop().time() * _NS_PER_S)
        return Instant.of(mono_ns, mono_ns + self._offset_ns)

    def call_at(self, when: MonoNs, callback: Callable[[], None]) -> Alarm:
        """Call ``callback`` once the loop's time is ``when``."""
        return Alarm(self.now, when, callback, 0)


class NoJitter(Random):
    """Waits not at all before it tries again: when a connection comes is the recording's to say."""

    def uniform(self, a: float, b: float) -> float:
        """The least that may be."""
        return min(a, b)
