"""OKX's two REST endpoints for candles, the server's side.

``candles`` has the newest 1,440, the one under way among them; ``history-candles`` all that are
completed. Rows come newest first. Errors come with status 200, but for too many requests.
"""

from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from barsync_async.simulation.roles import HttpAnswer, Shelf
from barsync_async.simulation.venues.okx_candle import BARS, row
from barsync_async.simulation.venues.wire import NS_PER_S, path_and_query
from barsync_async.units import Instant, SourceId

RECENT, OLD = "/api/v5/market/candles", "/api/v5/market/history-candles"
NEWEST = 1_440
MOST, USUAL = 300, 100
REQUESTS: Mapping[str, int] = {RECENT: 40, OLD: 20}
WINDOW_S = 2

_encoder = msgspec.json.Encoder()


class OkxRest:
    """``sold`` are the streams that have candles, each with our name for it."""

    def __init__(self, sold: Mapping[tuple[str, str], SourceId], shelf: Shelf) -> None:
        self._sold = sold
        self._inst_ids = {inst_id for _, inst_id in sold}
        self._shelf = shelf
        self._asked = {path: deque[int](maxlen=most) for path, most in REQUESTS.items()}

    def get(self, target: str, now: Instant) -> HttpAnswer | None:
        """The answer to a GET of ``target``; None where there is nothing."""
        path, query = path_and_query(target)
        path = path.rstrip("/")
        if path not in REQUESTS:
            return None
        if self._is_flooded(path, now.mono):
            return _answer(429, "50011", "Too Many Requests")
        wrong = self._wrong_with(query)
        if wrong is not None:
            return _answer(200, *wrong)
        return _answer(200, "0", "", self._rows(path, query))

    def _is_flooded(self, path: str, now_ns: int) -> bool:
        asked = self._asked[path]
        if len(asked) == REQUESTS[path] and now_ns - asked[0] < WINDOW_S * NS_PER_S:
            return True
        asked.append(now_ns)
        return False

    def _wrong_with(self, query: Mapping[str, str]) -> tuple[str, str] | None:
        if "instId" not in query:
            return "50014", "Parameter instId can not be empty"
        if query["instId"] not in self._inst_ids:
            told = "Instrument ID, Instrument ID code, or Spread ID doesn't exist."
            return "51001", told
        if query.get("bar", "1m") not in BARS:
            return "51000", "Parameter bar error"
        for name in ("after", "before", "limit"):
            if name in query and not _is_whole(query[name]):
                return "51000", f"Parameter {name} error"
        return None

    def _rows(self, path: str, query: Mapping[str, str]) -> Sequence[Sequence[str]]:
        """Older than ``after``, newer than ``before``, newest first."""
        source = self._sold.get((f"candle{query.get('bar', '1m')}", query["instId"]))
        if source is None:
            return ()
        quotes = list(self._shelf.closed(source))
        running = self._shelf.running(source)
        if path == RECENT:
            quotes = [*quotes, *(() if running is None else (running,))][-NEWEST:]
        after, before = int(query.get("after", 2**62)), int(query.get("before", -1))
        rows = [each for each in map(row, quotes) if before < int(each[0]) < after]
        limit = max(1, min(MOST, int(query.get("limit", USUAL))))
        return rows[: -limit - 1 : -1]


def _answer(status: int, code: str, text: str, data: Sequence[Sequence[str]] = ()) -> HttpAnswer:
    return HttpAnswer(status, _encoder.encode({"code": code, "msg": text, "data": data}))


def _is_whole(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < len(str(2**63))
