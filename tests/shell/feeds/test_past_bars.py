"""Which past bars are asked for. The venue's history is a fake that knows every bar."""

import asyncio
from collections.abc import Sequence

import pytest

from barsync_async.messages import Bar
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.feeds.backfill import Backfill, HandOn
from barsync_async.shell.feeds.past_bars import PastBars, in_order
from barsync_async.shell.feeds.producer import Producer
from barsync_async.shell.intake import Intake
from barsync_async.testing import create_bar
from barsync_async.units import TIMEFRAMES, SourceId, WallMs, split_source
from barsync_async.venues.history.exchange import Span
from barsync_async.venues.outcomes import Rejection

NOON, MINUTE = 1_767_355_200_000, 60_000
ONE, FIVE, DAY = SourceId("SPY_1m"), SourceId("SPY_5m"), SourceId("SPY_1d")


class Everything(Backfill):
    """Gives each span whole, one bar a minute of its source, and takes ``takes_s`` for each."""

    def __init__(self) -> None:
        self.asked: list[Span] = []
        self.takes_s = 0.0
        self.hides = 0  # minutes of the newest past, which the venue does not show yet

    async def fetch(self, spans: Sequence[Span], hand_on: HandOn) -> None:  # type: ignore[override]
        self.asked += spans
        for span in spans:
            await asyncio.sleep(self.takes_s)
            timeframe = TIMEFRAMES[split_source(span.source)[1]]
            until = span.until - self.hides * MINUTE
            timestamps = range(timeframe.next_close(span.after), until + 1, timeframe.length_ms)
            await hand_on([create_bar(span.source, timestamp) for timestamp in timestamps])

    def told(self) -> list[tuple[str, float, float]]:
        """What was asked for since, in minutes of noon."""
        asked, self.asked = self.asked, []
        return [
            (each.source, (each.after - NOON) / MINUTE, (each.until - NOON) / MINUTE)
            for each in asked
        ]


class Bench:
    def __init__(self, *sources: SourceId, at_min: float = 0.5, settle_ms: int = 0) -> None:
        self.clock = VirtualClock(WallMs(NOON + round(at_min * MINUTE)))
        intake = Intake()
        self.producers = {
            source: Producer(source, intake, [], clock=self.clock) for source in sources
        }
        self.venue = Everything()
        self.past = PastBars("x", self.producers, self.venue, clock=self.clock, settle_ms=settle_ms)

    def newest(self, minute: float | None) -> None:
        for producer in self.producers.values():
            producer.newest = None if minute is None else WallMs(NOON + round(minute * MINUTE))


def minutes(items: Sequence[Bar | Rejection], source: SourceId = ONE) -> list[int]:
    return [
        (each.timestamp - NOON) // MINUTE
        for each in items
        if isinstance(each, Bar) and each.source == source
    ]


# At the start


async def test_the_last_bars_are_asked_for_and_of_longer_sources_the_same_time() -> None:
    bench = Bench(ONE, FIVE, DAY, at_min=2.5)
    found = await bench.past.last(12)
    assert bench.venue.told() == [(ONE, -9.5, 2), (FIVE, -9.5, 0), (DAY, -2_160, -720)]
    assert minutes(found) == [*range(-9, 3)]


async def test_a_bar_that_may_still_change_at_the_venue_is_not_asked_for_yet() -> None:
    for at_min, until in ((2.01, 1), (2.04, 2)):
        bench = Bench(ONE, at_min=at_min, settle_ms=2_000)
        await bench.past.last(1)
        assert [end for _, _, end in bench.venue.told()] == [until]


async def test_what_takes_longer_than_a_minute_is_left_out() -> None:
    bench = Bench(ONE, FIVE)
    bench.venue.takes_s = 40
    began = asyncio.get_running_loop().time()
    found = await bench.past.last(3)
    assert asyncio.get_running_loop().time() - began == pytest.approx(60)
    assert {each.source for each in found if isinstance(each, Bar)} == {ONE}


# After an outage


async def test_after_an_outage_all_since_the_newest_bar_is_asked_for_and_two_before_it() -> None:
    bench = Bench(ONE, at_min=40.5)
    bench.newest(10)
    bench.past.note_outage()
    assert not bench.past.is_filled
    found = await bench.past.missed(3)
    assert bench.venue.told() == [(ONE, 8, 40)]
    bench.past.note(found)
    assert minutes(found) == [*range(9, 41)]


async def test_a_bar_of_the_new_connection_does_not_hide_what_is_missed() -> None:
    bench = Bench(ONE, at_min=40.5)
    bench.newest(10)
    bench.past.note_outage()
    bench.newest(40)
    assert minutes(await bench.past.missed(3)) == [*range(9, 41)]


async def test_nor_does_what_came_between_two_outages() -> None:
    bench = Bench(ONE, at_min=40.5)
    bench.newest(10)
    bench.past.note_outage()
    bench.newest(30)
    bench.past.note_outage()
    assert minutes(await bench.past.missed(3)) == [*range(9, 41)]


async def test_once_it_is_made_up_for_the_next_outage_counts_from_the_newest_bar() -> None:
    bench = Bench(ONE, at_min=40.5)
    bench.newest(10)
    bench.past.note_outage()
    got: list[Bar | Rejection] = []
    await bench.past.hand_on_missed(_to(got))
    assert bench.past.is_filled
    assert minutes(got) == [*range(11, 41)]
    bench.newest(40)
    bench.past.note_outage()
    bench.venue.told()
    await bench.past.missed(3)
    assert bench.venue.told() == [(ONE, 38, 40)]


async def test_of_a_source_that_never_had_a_bar_the_last_one_is_asked_for() -> None:
    bench = Bench(ONE, DAY, at_min=40.5)
    bench.past.note_outage()
    await bench.past.missed(3)
    assert bench.venue.told() == [(ONE, 39, 40), (DAY, -2_160, -720)]


async def test_a_long_outage_is_made_up_for_by_a_thousand_bars() -> None:
    bench = Bench(ONE, at_min=5_000.5)
    bench.newest(10)
    bench.past.note_outage()
    await bench.past.missed(3)
    assert bench.venue.told() == [(ONE, 4_000, 5_000)]


async def test_what_the_venue_does_not_show_yet_is_asked_for_again_and_then_no_more() -> None:
    bench = Bench(ONE, at_min=40.5)
    bench.newest(10)
    bench.past.note_outage()
    bench.venue.hides = 2
    got: list[Bar | Rejection] = []
    await bench.past.hand_on_missed(_to(got))
    assert bench.venue.told() == [(ONE, 10, 40), (ONE, 38, 40)]
    assert minutes(got) == [*range(11, 39)]
    assert bench.past.is_filled


async def test_cancelled_before_all_is_handed_on_it_stays_open() -> None:
    bench = Bench(ONE, at_min=40.5)
    bench.newest(10)
    bench.past.note_outage()
    bench.venue.takes_s = 10
    asking = asyncio.create_task(bench.past.hand_on_missed(_to([])))
    await asyncio.sleep(5)
    asking.cancel()
    await asyncio.wait([asking])
    assert not bench.past.is_filled


async def test_where_nothing_is_missed_nothing_is_asked() -> None:
    bench = Bench(ONE, at_min=40.5)
    bench.newest(40)
    bench.past.note_outage()
    await bench.past.hand_on_missed(_to([]))
    assert bench.venue.told() == []
    assert bench.past.is_filled


async def test_a_wall_clock_that_was_set_back_asks_for_nothing_of_the_future() -> None:
    bench = Bench(ONE, at_min=40.5)
    bench.newest(40)
    bench.clock.step(-30 * MINUTE)
    bench.past.note_outage()
    assert await bench.past.missed(3) == []
    assert bench.venue.told() == []


def _to(got: list[Bar | Rejection]) -> HandOn:
    async def hand_on(items: Sequence[Bar | Rejection]) -> None:
        got.extend(items)

    return hand_on


def test_in_order_is_one_timestamp_after_the_other_and_what_is_no_bar_comes_first() -> None:
    bars = [create_bar(source, NOON + n * MINUTE) for source in (ONE, FIVE) for n in (2, 0, 1)]
    junk = Rejection("malformed", "a row")
    first, *rest = in_order([*bars, junk])
    assert first == [junk]
    timestamps = [[each.timestamp for each in some if isinstance(each, Bar)] for some in rest]
    assert timestamps == [[NOON + n * MINUTE] * 2 for n in range(3)]
