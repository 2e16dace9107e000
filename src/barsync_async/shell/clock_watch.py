"""Notices when the wall clock moves against the monotonic one."""

from barsync_async.messages import StepCause
from barsync_async.ports import Clock
from barsync_async.units import NS_PER_MS, Instant

_LEAST_STEP_MS = 100


class ClockWatch:
    """Compares the two clocks from look to look; the slow corrections of a disciplined clock stay
    below its notice.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ms = _offset_ms(clock.now())
        self._slept_ns = clock.slept_ns()

    def look(self, now: Instant) -> tuple[float, StepCause] | None:
        """By how many ms the wall clock was moved since the last look, and why; None if it was
        not.
        """
        offset_ms = _offset_ms(now)
        step_ms = offset_ms - self._offset_ms
        self._offset_ms = offset_ms
        if abs(step_ms) <= _LEAST_STEP_MS:
            return None
        slept_ns = self._clock.slept_ns()
        asleep_ms = (slept_ns - self._slept_ns) / NS_PER_MS
        self._slept_ns = slept_ns
        return round(step_ms, 3), "resume" if asleep_ms > _LEAST_STEP_MS else "step"


def _offset_ms(now: Instant) -> float:
    return now.wall - now.mono / NS_PER_MS
