"""Past bars within a venue's rates: pages, tries, and what is given up. On virtual time."""

import asyncio
from collections import deque
from collections.abc import Sequence

import anyio
import pytest
from structlog.testing import capture_logs

from barsync_async.errors import ConnectionRefused
from barsync_async.messages import Bar
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.feeds.backfill import Backfill, Pace
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.history.exchange import (
    HistoryAnswer,
    HistoryDelay,
    HistoryPage,
    HistoryRefusal,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.options import PUBLIC, VenueOptions
from barsync_async.venues.outcomes import Rejection

SPY, QQQ = SourceId("SPY_1m"), SourceId("QQQ_1m")
MINUTE = 60_000


def span(source: SourceId = SPY) -> Span:
    return Span(source, WallMs(0), WallMs(10 * MINUTE))


def page(minute: int, *, of: SourceId = SPY, more: bool = False) -> HistoryPage:
    following = HistoryRequest("http://venue", {}, span(of)) if more else None
    return HistoryPage((create_bar(of, minute * MINUTE),), following)


class Scripted:
    """A history and its venue: gives ``answers`` in turn, each after ``takes_s``."""

    interval_ms = 100

    def __init__(self, *answers: HistoryAnswer | ConnectionRefused) -> None:
        self.answers = deque(answers)
        self.asked: list[float] = []
        self.takes_s = 0.0
        self.got: list[Bar | Rejection] = []

    def request(self, span: Span, options: VenueOptions) -> HistoryRequest:
        return HistoryRequest("http://venue", {}, span)

    def receive(self, request: HistoryRequest, response: HistoryResponse) -> HistoryAnswer:
        answer = self.answers.popleft()
        assert not isinstance(answer, ConnectionRefused)
        return answer

    async def get(self, feed: str, request: HistoryRequest) -> HistoryResponse:
        self.asked.append(round(asyncio.get_running_loop().time(), 3))
        await asyncio.sleep(self.takes_s)
        answer = self.answers[0]
        if isinstance(answer, ConnectionRefused):
            self.answers.popleft()
            raise answer
        return HistoryResponse(200, {}, b"")

    async def close(self) -> None:
        """Nothing."""

    async def keep(self, items: Sequence[Bar | Rejection]) -> None:
        self.got += items

    def backfill(self) -> Backfill:
        return Backfill("sim", self, PUBLIC, http=self, clock=VirtualClock(WallMs(0)))

    @property
    def minutes(self) -> list[int]:
        return [bar.timestamp // MINUTE for bar in self.got if isinstance(bar, Bar)]


async def test_pages_are_followed_and_their_bars_flagged() -> None:
    venue = Scripted(page(1, more=True), page(2, more=True), page(3))
    await venue.backfill().fetch([span()], venue.keep)
    assert venue.minutes == [1, 2, 3]
    assert all(isinstance(bar, Bar) and bar.backfilled is True for bar in venue.got)
    assert venue.asked == [0.0, 0.1, 0.2]


async def test_sources_are_asked_for_at_once_but_no_faster_than_the_venue_allows() -> None:
    names = [SourceId(f"S{number}_1m") for number in range(20)]
    venue = Scripted(*(page(1, of=name) for name in names))
    venue.takes_s = 0.5
    await venue.backfill().fetch([span(name) for name in names], venue.keep)
    assert len(venue.got) == 20
    gaps = [later - earlier for earlier, later in zip(venue.asked, venue.asked[1:], strict=False)]
    assert min(gaps) >= 0.099
    assert venue.asked[7] == pytest.approx(0.7)


async def test_who_gives_up_waiting_leaves_the_turn_to_the_next() -> None:
    pace = Pace(1_000, VirtualClock(WallMs(0)))
    await pace.turn()
    with anyio.move_on_after(0.5):
        await pace.turn()
    for _ in range(3):
        with anyio.move_on_after(0.1):
            await pace.turn()
    await pace.turn()
    assert asyncio.get_running_loop().time() == pytest.approx(1.0)


async def test_what_may_pass_is_asked_again_no_sooner_than_told() -> None:
    venue = Scripted(
        HistoryDelay(7_000, "too many requests"), ConnectionRefused("sim", "reset"), page(1)
    )
    await venue.backfill().fetch([span()], venue.keep)
    assert venue.minutes == [1]
    first, second, third = venue.asked
    assert second - first >= 7.0
    assert third > second


async def test_five_tries_are_all() -> None:
    venue = Scripted(*[ConnectionRefused("sim", "nobody listens")] * 6)
    with capture_logs() as logs:
        await venue.backfill().fetch([span()], venue.keep)
    assert len(venue.asked) == 5
    (told,) = [line for line in logs if line["log_level"] == "warning"]
    assert (told["event"], told["sources"], told["detail"]) == (
        "no past bars",
        SPY,
        "nobody listens",
    )


async def test_a_ban_is_not_waited_for() -> None:
    venue = Scripted(HistoryDelay(600_000, "banned"), page(1))
    await venue.backfill().fetch([span()], venue.keep)
    assert (len(venue.asked), venue.got) == (1, [])


async def test_until_a_ban_is_over_no_other_source_is_asked_for_either() -> None:
    """Binance makes the ban of who goes on asking longer."""
    names = [SourceId(f"S{number}_1m") for number in range(20)]
    venue = Scripted(HistoryDelay(600_000, "banned"), *(page(1, of=name) for name in names))
    backfill = venue.backfill()
    with capture_logs() as logs:
        await backfill.fetch([span(name) for name in names], venue.keep)
    assert (len(venue.asked), venue.got) == (1, [])
    (told,) = [line for line in logs if line["event"] == "no past bars"]
    assert (told["count"], told["sources"]) == (20, " ".join(names[:10]) + " …")
    left_out = [line["source"] for line in logs if line["event"] == "not backfilled"]
    assert sorted(left_out) == sorted(names)
    await asyncio.sleep(590)
    await backfill.fetch([span(names[0])], venue.keep)
    assert len(venue.asked) == 1
    await asyncio.sleep(10)
    await backfill.fetch([span(names[0])], venue.keep)
    assert (len(venue.asked), venue.minutes) == (2, [1])


async def test_a_source_that_the_venue_refuses_is_asked_for_once_and_the_others_go_on() -> None:
    venue = Scripted(HistoryRefusal("no such pair"), page(1, of=QQQ), page(2, of=QQQ))
    backfill = venue.backfill()
    await backfill.fetch([span(), span(QQQ)], venue.keep)
    await backfill.fetch([span(), span(QQQ)], venue.keep)
    assert venue.minutes == [1, 2]
    assert len(venue.asked) == 3
