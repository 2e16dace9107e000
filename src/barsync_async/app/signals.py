"""SIGTERM and SIGINT: the first one asks to stop, the second one leaves at once."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from types import FrameType

import anyio
import structlog

from barsync_async.shell import thread

_NUMBERS = (signal.SIGTERM, signal.SIGINT)
_PATIENCE_S = 1.0
_WAITING = {Path(threading.__file__).parent, Path(thread.__file__).parent}
"""Where a thread waits for another one: in locks, queues, selectors, and for a strategy's turn."""

log = structlog.get_logger("barsync")


class Signals:
    """Takes signals as they come, between two steps of whatever runs, with no need of the loop: a
    strategy may never give that its turn.
    """

    def __init__(self) -> None:
        self._first: signal.Signals | None = None
        self._tell: Callable[[], object] = lambda: None
        self._busy = Timer(0, lambda: None)

    def set_on_signal(self, stop: anyio.Event) -> None:
        """Set ``stop``, of the running loop, at the first one, or now if it came before."""
        loop = asyncio.get_running_loop()

        def on_asked() -> None:
            self._busy.cancel()
            log.info("signal", signal=self._first and self._first.name, next="leaves at once")
            stop.set()

        def tell() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(on_asked)

        self._tell = tell
        if self._first is not None:
            on_asked()

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; if the loop does not hear of it, say who keeps it: nobody else could."""
        del frame
        if self._first is not None:
            os._exit(1)
        self._first = signal.Signals(number)
        self._busy = Timer(_PATIENCE_S, _say_busy)
        self._busy.daemon = True
        self._busy.start()
        self._tell()


def _say_busy() -> None:
    log.warning("still busy", at=", ".join(_busy_lines()), next="leaves at once")


def _busy_lines() -> Iterator[str]:
    """The line at which each thread is; of those that wait for another one, none."""
    frames = sys._current_frames()  # noqa: SLF001 - documented, for debuggers
    for each in threading.enumerate():
        if each.ident in frames and each is not threading.current_thread():
            code = frames[each.ident].f_code
            path = Path(code.co_filename)
            if path.parent not in _WAITING:
                yield f"{path.name}:{frames[each.ident].f_lineno} {code.co_name}()"


@contextmanager
def signals_taken() -> Iterator[Signals]:
    """Those that come while it lasts, in the main thread; afterwards they are handled as before."""
    signals = Signals()
    before = {number: signal.signal(number, signals.take) for number in _NUMBERS}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
