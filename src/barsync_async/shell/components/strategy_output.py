"""What a strategy's process prints: into the log, and never more than is of use there."""

from io import BufferedReader
from threading import Thread

import structlog

from barsync_async.messages import excerpt

_LINES = 20
_LINE_BYTES = 500
_CHUNK_BYTES = 1 << 16

log = structlog.get_logger("barsync.strategy")


class StrategyOutput:
    """Logs the lines of ``stream`` in a thread of its own, until the stream ends.

    At most 20 lines for each decision; what is more is read, so that nobody waits, and left out.
    """

    def __init__(self, strategy: str, stream: BufferedReader) -> None:
        self.strategy = strategy
        """Whose they are."""
        self._lines_left = _LINES
        Thread(target=self._read, args=(stream,), name=f"says-{strategy}", daemon=True).start()

    def next_decision(self) -> None:
        """Some more lines may be shown."""
        self._lines_left = _LINES

    def _read(self, stream: BufferedReader) -> None:
        with stream:
            while data := self._next(stream):
                if self._lines_left:
                    self._show(data)

    def _next(self, stream: BufferedReader) -> bytes:
        return stream.readline(_LINE_BYTES) if self._lines_left else stream.read1(_CHUNK_BYTES)

    def _show(self, line: bytes) -> None:
        self._lines_left -= 1
        log.info("strategy says", strategy=self.strategy, text=excerpt(line.rstrip()))
        if not self._lines_left:
            log.warning("strategy says more than is shown", strategy=self.strategy)
