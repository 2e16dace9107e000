"""The only readers of a clock, and timers that never fire early.

Event loops keep time in their own way: uvloop counts whole milliseconds from the start of an
iteration and was seen to fire 1.4 ms early; the standard loop rounds its wait up to the next
millisecond. So an alarm is set a little ahead of its moment, looks at the clock when it fires, and
passes the last stretch iteration by iteration, during which the loop does all its other work.
"""

import asyncio
import time
from collections.abc import Callable

from barsync_async.units import NS_PER_MS, Instant, MonoNs, WallMs

_NS_PER_S = 1_000_000_000
_LAST_STRETCH_NS = 1_000_000


class SystemClock:
    """The machine's clocks; timers on the running event loop."""

    def now(self) -> Instant:
        """The present moment."""
        return Instant.of(
            time.monotonic_ns(),  # noqa: TID251 - this is the one place
            time.time_ns(),  # noqa: TID251 - this is the one place
        )

    def slept_ns(self) -> int:
        """How long the machine has slept since it was started; 0 where that cannot be known."""
        if not hasattr(time, "CLOCK_BOOTTIME"):
            return 0
        mono = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - mono

    def call_at(self, when: MonoNs, callback: Callable[[], None]) -> "Alarm":
        """Call ``callback`` once the monotonic clock shows ``when``."""
        return Alarm(self.now, when, callback, _LAST_STRETCH_NS)


class VirtualClock:
    """The clock of a :class:`~barsync_async.shell.virtual_time.VirtualTimeLoop`.

    The wall clock shows ``start`` at the loop's time 0 and runs with it, until it is moved.
    """

    def __init__(self, start: WallMs) -> None:
        self._start: int = start
        self._slept_ns = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def step(self, step_ms: int) -> None:
        """Somebody sets the wall clock."""
        self._start += step_ms

    def sleep(self, slept_ms: int) -> None:
        """The machine sleeps and wakes: the loop's time stood still meanwhile."""
        self._start += slept_ms
        self._slept_ns += slept_ms * NS_PER_MS

    def slept_ns(self) -> int:
        """How long the machine has slept."""
        return self._slept_ns

    def now(self) -> Instant:
        """The present moment of the running loop; elsewhere, of the loop that last asked."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            if self._loop is None:
                raise
        mono = round(self._loop.time() * _NS_PER_S)
        return Instant.of(mono, self._start * NS_PER_MS + mono)

    def call_at(self, when: MonoNs, callback: Callable[[], None]) -> "Alarm":
        """Call ``callback`` once the loop's time is ``when``."""
        return Alarm(self.now, when, callback, 0)


class Alarm:
    """One timer on the running loop; sets itself again as often as it fires early."""

    def __init__(
        self,
        now: Callable[[], Instant],
        when: MonoNs,
        callback: Callable[[], None],
        last_stretch_ns: int,
    ) -> None:
        self._now = now
        self._when = when
        self._callback = callback
        self._last_stretch_ns = last_stretch_ns
        self._loop = asyncio.get_running_loop()
        self._handle = self._arm()

    def cancel(self) -> None:
        """Never fire."""
        self._handle.cancel()

    def _arm(self) -> asyncio.Handle:
        ahead = self._when - self._now().mono - self._last_stretch_ns
        if ahead <= 0:
            return self._loop.call_soon(self._look)
        return self._loop.call_later(ahead / _NS_PER_S, self._look)

    def _look(self) -> None:
        if self._now().mono >= self._when:
            self._callback()
        else:
            self._handle = self._arm()
