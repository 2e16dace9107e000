"""Past bars that cannot be had: asked for again, ever more seldom, and given up. Virtual time."""

from collections.abc import Sequence

import anyio
from structlog.testing import capture_logs

from barsync_async.errors import ConnectionRefused
from barsync_async.messages import Bar
from barsync_async.shell.backfill import Backfill
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.virtual_time import VirtualTimeLoop
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.history.exchange import HistoryRequest, HistoryResponse, Span
from barsync_async.venues.history.kraken import KrakenHistory
from barsync_async.venues.options import PUBLIC
from barsync_async.venues.outcomes import Rejection

SPAN = Span(SourceId("BTC/USD_1m"), WallMs(0), WallMs(60_000))


class Nobody:
    """No server at all; the role of HttpClient."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.asked: list[float] = []

    async def get(self, feed: str, request: HistoryRequest) -> HistoryResponse:
        self.asked.append(self._clock.now().mono / 1e9)
        raise ConnectionRefused(feed, f"cannot get {request.url}: its certificate has expired")

    async def close(self) -> None:
        raise NotImplementedError


async def nothing(items: Sequence[Bar | Rejection]) -> None:
    raise NotImplementedError


def test_after_the_last_try_nothing_is_waited_for() -> None:
    async def test() -> None:
        clock = VirtualClock(WallMs(0))
        http = Nobody(clock)
        backfill = Backfill("k", KrakenHistory(), PUBLIC, http=http, clock=clock)
        began = clock.now().mono / 1e9
        with capture_logs() as logs:
            await backfill.fetch([SPAN], nothing)
        assert [moment - began for moment in http.asked] == [0.0, 1.0, 2.0, 4.0, 8.0]
        assert clock.now().mono / 1e9 == http.asked[-1]
        (line,) = [each for each in logs if each["log_level"] != "debug"]
        assert (line["event"], line["feed"], line["log_level"]) == ("no past bars", "k", "error")
        url = "https://api.kraken.com/0/public/OHLC"
        assert line["detail"] == f"cannot get {url}: its certificate has expired"

    anyio.run(test, backend_options={"loop_factory": VirtualTimeLoop})
