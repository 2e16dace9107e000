"""A loop with virtual time that can stall, and that can run what is ready in any order."""

import asyncio
import heapq
import selectors
from random import Random
from typing import Any

from barsync_async.shell.virtual_time import VirtualTimeLoop

_NS_PER_S = 1_000_000_000
_MOST_ITERATIONS = 200_000


class _ExactSelector(selectors.DefaultSelector):
    """Passes the time until the next timer to the nanosecond, so equal moments are equal."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_ns = 0
        self.still = 0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("virtual time stands still: every task waits and no timer is set")
        self.still += 1
        if self.still > _MOST_ITERATIONS:
            raise RuntimeError("virtual time stands still: something is busy for ever")
        if timeout > 0:
            self.still = 0
            self.passed_ns += max(1, round(timeout * _NS_PER_S))
        return []


class WorldLoop(VirtualTimeLoop):
    """``order`` shuffles all that is ready in each iteration; None leaves it as it comes."""

    def __init__(self, order: Random | None = None) -> None:
        self._exact = _ExactSelector()
        self._idle = self._exact  # type: ignore[assignment]  # plays the same role
        asyncio.SelectorEventLoop.__init__(self, self._exact)
        self._order = order
        self.failures: list[str] = []
        self.set_exception_handler(self._note_failure)

    def stall(self, stall_ns: int) -> None:
        """The callback that calls this takes so long."""
        self._exact.passed_ns += stall_ns

    def timers(self) -> list[asyncio.TimerHandle]:
        """All that are set and not cancelled."""
        return [each for each in self._scheduled if not each.cancelled()]  # type: ignore[attr-defined]

    def _note_failure(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _process_events(self, event_list: Any) -> None:
        """Called in each iteration, after time passed and before anything runs."""
        if self._order is None:
            return
        end = self.time() + 1e-9
        ready: Any = self._ready  # type: ignore[attr-defined]
        scheduled: Any = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0].when() < end:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            ready.append(timer)
        self._order.shuffle(ready)
