"""How long one set waits for one strategy, whatever of it the time goes into."""

import asyncio
from typing import Any


class TimeLimit:
    """Begins when it is made, on the running loop."""

    def __init__(self, limit_ms: float) -> None:
        self.limit_ms = limit_ms
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + limit_ms / 1_000

    async def is_done(self, call: asyncio.Future[Any]) -> bool:
        """Wait for ``call`` as long as time is left: whether it is done by then."""
        await asyncio.wait([call], timeout=max(0.0, self._until - self._loop.time()))
        return call.done()
