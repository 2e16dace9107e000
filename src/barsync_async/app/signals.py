"""SIGTERM and SIGINT: the first one asks to stop, the second one leaves at once."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import anyio
import structlog

_NUMBERS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger("barsync")


class Signals:
    """Takes signals as they come, between two steps of whatever runs, with no need of the loop: a
    strategy may never give that its turn.
    """

    def __init__(self) -> None:
        self._first: signal.Signals | None = None
        self._tell: Callable[[], object] = lambda: None

    def set_on_signal(self, stop: anyio.Event) -> None:
        """Set ``stop``, of the running loop, at the first one, or now if it came before."""
        loop = asyncio.get_running_loop()

        def on_asked() -> None:
            log.info("signal", signal=self._first and self._first.name, next="leaves at once")
            stop.set()

        def tell() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(on_asked)

        self._tell = tell
        if self._first is not None:
            on_asked()

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        del frame
        if self._first is not None:
            os._exit(1)
        self._first = signal.Signals(number)
        self._tell()


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
