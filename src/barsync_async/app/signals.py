"""SIGTERM and SIGINT where a strategy may never give the loop its turn: on virtual time."""

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


class PlainSignals:
    """Takes signals as they come, between two steps of whatever runs, with no need of the loop: the
    first one asks to stop, the second one leaves at once.
    """

    def __init__(self) -> None:
        self._is_asked = False
        self._tell: Callable[[], object] = lambda: None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """While it lasts, in the main thread; afterwards they are handled as before."""
        before = {number: signal.signal(number, self._on_signal) for number in _NUMBERS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def set_on_signal(self, stop: anyio.Event) -> None:
        """Set ``stop`` at the first one, or now if it came before; returns at once."""
        loop = asyncio.get_running_loop()

        def on_asked() -> None:
            log.info("signal")
            stop.set()

        def tell() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(on_asked)

        self._tell = tell
        if self._is_asked:
            on_asked()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._is_asked:
            os._exit(1)
        self._is_asked = True
        self._tell()
