"""Past bars from a venue's REST endpoint, within its rates."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice

import anyio
import msgspec
import structlog

from barsync_async.errors import ConnectionRefused
from barsync_async.messages import Bar
from barsync_async.ports import Clock, HttpClient, VenueHistory
from barsync_async.units import NS_PER_MS, SourceId
from barsync_async.venues.history.exchange import (
    HistoryDelay,
    HistoryPage,
    HistoryRefusal,
    HistoryRequest,
    Span,
)
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import Rejection

_AT_ONCE = 8
_MOST_TRIES = 5
_FIRST_DELAY_MS = 500
_LONGEST_DELAY_MS = 60_000
_MOST_PAGES = 1_000
_MOST_NAMED = 10

HandOn = Callable[[Sequence[Bar | Rejection]], Awaitable[None]]

log = structlog.get_logger("barsync.backfill")


class Pace:
    """Lets through one caller every ``interval_ms``."""

    def __init__(self, interval_ms: int, clock: Clock) -> None:
        self._interval_ns = interval_ms * NS_PER_MS
        self._clock = clock
        self._next: int = clock.now().mono
        self._queue = anyio.Lock()

    async def turn(self) -> None:
        """Wait for one's turn; who is cancelled while waiting leaves it to the next."""
        async with self._queue:
            await anyio.sleep(max(0, self._next - self._clock.now().mono) / 1e9)
            self._next = self._clock.now().mono + self._interval_ns


class Backfill:
    """Asks ``history`` for the bars of one feed.

    Args:
        feed: its name, for the log.
        history: the venue's.
        options: where, and as whom.
        http: carries the requests.
        clock: paces them.
    """

    def __init__(
        self,
        feed: str,
        history: VenueHistory,
        options: VenueOptions,
        *,
        http: HttpClient,
        clock: Clock,
    ) -> None:
        self._feed = feed
        self._history = history
        self._options = options
        self._http = http
        self._pace = Pace(history.interval_ms, clock)
        self._clock = clock
        self._refused: set[SourceId] = set()
        self._banned_until: int = 0
        self._log = log.bind(feed=feed)

    async def fetch(self, spans: Iterable[Span], hand_on: HandOn) -> None:
        """Get all ``spans``, some at once, and ``hand_on`` each page as it comes, flagged. What
        cannot be got is left out, and told in one line for all; a source that the venue refused is
        not asked for again, nor anything before a ban is over: to ask makes it longer. Safe to
        cancel.
        """
        places = anyio.CapacityLimiter(_AT_ONCE)
        failed: dict[SourceId, str] = {}

        async def one(span: Span) -> None:
            async with places:
                why = await self._fetch(span, hand_on)
            if why is not None:
                failed[span.source] = why

        try:
            async with anyio.create_task_group() as tasks:
                for span in spans:
                    if span.source in self._refused:
                        continue
                    tasks.start_soon(one, span, name=f"backfill {span.source}")
        finally:
            self._tell(failed)

    def _tell(self, failed: Mapping[SourceId, str]) -> None:
        """One line for a feed, not one for each of its thousands of sources."""
        if not failed:
            return
        more = " …" if len(failed) > _MOST_NAMED else ""
        names = " ".join(islice(failed, _MOST_NAMED)) + more
        detail = next(iter(failed.values()))
        self._log.warning("no past bars", count=len(failed), sources=names, detail=detail)

    async def _fetch(self, span: Span, hand_on: HandOn) -> str | None:
        """Why some of ``span`` cannot be got; None where all of it was."""
        request: HistoryRequest | None = self._history.request(span, self._options)
        bars = 0
        for _ in range(_MOST_PAGES):
            page = None if request is None else await self._page(request)
            if page is None:
                break
            if isinstance(page, str):
                self._log.debug("not backfilled", source=span.source, bars=bars, detail=page)
                return page
            bars += len(page.items)
            await hand_on([_flagged(item) for item in page.items])
            request = page.following
        self._log.debug("backfilled", source=span.source, bars=bars)
        return None

    async def _page(self, request: HistoryRequest) -> HistoryPage | str:
        """The answer to one request, asked again where that may help; why not, where it cannot."""
        delay_ms, detail = _FIRST_DELAY_MS, ""
        for tries_left in reversed(range(_MOST_TRIES)):
            await self._pace.turn()
            if self._clock.now().mono < self._banned_until:
                detail = detail or "we were told to ask nothing for longer than a minute"
                break
            try:
                response = await self._http.get(self._feed, request)
            except ConnectionRefused as error:
                detail = error.detail
            else:
                answer = self._history.receive(request, response)
                if isinstance(answer, HistoryPage):
                    return answer
                detail = answer.detail
                if self._is_hopeless(request, answer):
                    break
                if isinstance(answer, HistoryDelay):
                    delay_ms = max(delay_ms, answer.after_ms)
            if tries_left:
                await anyio.sleep(delay_ms / 1_000)
            delay_ms = min(delay_ms * 2, _LONGEST_DELAY_MS)
        return detail

    def _is_hopeless(self, request: HistoryRequest, answer: HistoryDelay | HistoryRefusal) -> bool:
        """Whether ``request`` is not worth another try; and who is not to be asked after it."""
        if isinstance(answer, HistoryRefusal):
            self._refused.add(request.span.source)
            return True
        if answer.after_ms > _LONGEST_DELAY_MS:
            self._banned_until = self._clock.now().mono + answer.after_ms * NS_PER_MS
            return True
        return False


def _flagged(item: Bar | Rejection) -> Bar | Rejection:
    if isinstance(item, Rejection):
        return item
    return msgspec.structs.replace(item, backfilled=True)
