"""When each step of a scenario closes: the market's time against the caller's monotonic clock."""

from barsync_async.simulation.grid import base_timeframe, venue_grid
from barsync_async.simulation.scenario import Scenario
from barsync_async.units import MAX_WALL_MS, NS_PER_MS, Instant, WallMs

_NS_PER_S = 1_000_000_000
_DAY_MS = 86_400_000


class Timeline:
    """The closes of ``scenario`` for a venue that opens at ``started``.

    Without a pace, step after step closes when the wall clock shows its timestamp. With one, the
    first close is at the scenario's ``start`` and they follow one another at the pace, though none
    closes before the wall clock has reached its timestamp: there is no bar of the future. A paced
    scenario without a ``start`` begins far enough in the past that this never slows it down within
    its duration, or a day.
    """

    def __init__(self, scenario: Scenario, started: Instant) -> None:
        venue = scenario.venue
        self._started = started
        self._grid = venue_grid(scenario.sources)
        self._pace_ns = 0
        if venue.pace_ms is not None:
            base_ms = base_timeframe(scenario.sources).length_ms
            self._pace_ns = round(venue.pace_ms * NS_PER_MS * self._grid.length_ms / base_ms)
        self.first_close = self._first_close(venue.start, venue.duration_s)
        self.end_ns: int | None = None
        """When the last step may close; None where there is no end."""
        if venue.duration_s is not None:
            self.end_ns = started.mono + round(venue.duration_s * _NS_PER_S)

    def _first_close(self, start: int | None, duration_s: float | None) -> WallMs:
        if start is not None:
            return WallMs(start)
        if not self._pace_ns:
            return self._grid.next_close(self._started.wall)
        real_ms = _DAY_MS if duration_s is None else round(duration_s * 1_000)
        market_ms = real_ms * NS_PER_MS * self._grid.length_ms // self._pace_ns
        earliest = self._grid.length_ms  # so that the first bar does not open before the epoch
        behind = self._started.wall - max(0, market_ms - real_ms) - self._grid.length_ms
        return self._grid.next_close(max(behind, earliest) - 1)

    def close_after(self, seconds: float) -> WallMs:
        """The timestamp that the pace comes to in so long a time, where nothing slows it down."""
        steps = round(seconds * _NS_PER_S) // self._pace_ns if self._pace_ns else 0
        return WallMs(self.first_close + steps * self._grid.length_ms)

    def close_ns(self, step: int) -> int:
        """The moment on the caller's monotonic clock at which ``step`` closes."""
        timestamp = self.first_close + step * self._grid.length_ms
        real_ns = self._started.mono + (timestamp - self._started.wall) * NS_PER_MS
        return max(real_ns, self._started.mono + (step + 1) * self._pace_ns)

    def moment_ns(self, step: int, at_ms: int) -> int:
        """The same for the moment ``at_ms`` of the market's time, in ``step``."""
        timestamp = self.first_close + step * self._grid.length_ms
        length_ns = self._pace_ns or self._grid.length_ms * NS_PER_MS
        return self.close_ns(step) - (timestamp - at_ms) * length_ns // self._grid.length_ms

    def next_close_ns(self, step: int) -> int | None:
        """The same, or None if the schedule ends before it."""
        when = self.close_ns(step)
        timestamp = self.first_close + step * self._grid.length_ms
        if timestamp > MAX_WALL_MS or (self.end_ns is not None and when > self.end_ns):
            return None
        return when

    def wall_ms(self, now_ns: int) -> WallMs:
        """What the wall clock shows at ``now_ns``, by the anchor taken at the start."""
        return WallMs(self._started.wall + (now_ns - self._started.mono) // NS_PER_MS)
