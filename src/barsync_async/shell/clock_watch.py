"""Notices when the wall clock moves against the monotonic one."""

from barsync_async.messages import StepCause
from barsync_async.ports import Clock
from barsync_async.units import NS_PER_MS, Instant

_LEAST_STEP_NS = 100 * NS_PER_MS


class ClockWatch:
    """Compares the two clocks from look to look; the slow corrections of a disciplined clock stay
    below its notice.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ns = _offset_ns(clock.now())
        self._slept_ns = clock.slept_ns()

    def look(self, now: Instant) -> tuple[float, StepCause] | None:
        """By how many ms the wall clock was moved since the last look, and why; None if it was
        not.
        """
        offset_ns, slept_ns = _offset_ns(now), self._clock.slept_ns()
        step_ns, asleep_ns = offset_ns - self._offset_ns, slept_ns - self._slept_ns
        self._offset_ns, self._slept_ns = offset_ns, slept_ns
        if abs(step_ns) <= _LEAST_STEP_NS:
            return None
        return round(step_ns / NS_PER_MS, 3), "resume" if asleep_ns > _LEAST_STEP_NS else "step"


def _offset_ns(now: Instant) -> int:
    return now.wall * NS_PER_MS + now.rest_ns - now.mono
