"""An event loop on which time passes only when everybody waits, and then at once.

Five minutes of market take as long as their computation does. Real sockets and threads have no
place on it: what would go to a worker thread is run at once.
"""

import asyncio
import math
import selectors
from collections.abc import Callable
from typing import Any

_NS_PER_S = 1_000_000_000


class _IdleSelector(selectors.DefaultSelector):
    """Passes the time that the loop wants to wait instead of waiting."""

    def __init__(self, on_passed: Callable[[], None]) -> None:
        super().__init__()
        self.passed_ns = 0
        self._on_passed = on_passed

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("virtual time stands still: every task waits and no timer is set")
        self.passed_ns += max(1, math.ceil(timeout * _NS_PER_S))
        self._on_passed()
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose ``time()`` starts at 0 and jumps to the next timer when all tasks wait."""

    def __init__(self) -> None:
        self._idle = _IdleSelector(self._keep_resolution)
        super().__init__(self._idle)

    def _keep_resolution(self) -> None:
        """The base class takes for due what lies within its clock's resolution, a nanosecond. After
        half a year that is lost in the sum, and a timer of this very moment would never be due.
        """
        self._clock_resolution = max(1 / _NS_PER_S, math.ulp(self.time()))

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._idle.passed_ns / _NS_PER_S

    def run_in_executor(  # type: ignore[override]  # narrower: there is no executor
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run ``func`` now; the future is done when it is returned."""
        del executor
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is the awaiting caller's, as with a thread
            future.set_exception(error)
        return future
