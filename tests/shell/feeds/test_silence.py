"""Which subscriptions look as if they had gone silent, and when that is worth a word."""

from collections.abc import Collection

from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.feeds.producer import Producer
from barsync_async.shell.feeds.silence import SilentSources
from barsync_async.shell.intake import Intake
from barsync_async.units import MonoNs, SourceId, WallMs

SPY, QQQ = SourceId("SPY_1m"), SourceId("QQQ_5m")
MINUTE = 60_000
MINUTE_NS = MINUTE * 1_000_000


class Bench:
    def __init__(self) -> None:
        clock, intake = VirtualClock(WallMs(0)), Intake()
        self._producers = {
            source: Producer(source, intake, [], clock=clock) for source in (SPY, QQQ)
        }
        self.silent = SilentSources(self._producers)

    def heard(self, source: SourceId, minute: float) -> None:
        self._producers[source].last_at = MonoNs(round(minute * MINUTE_NS))

    def news(
        self, minute: float, *, subscribed: float = 0, refused: Collection[SourceId] = ()
    ) -> list[SourceId]:
        subscribed_at, now = round(subscribed * MINUTE_NS), round(minute * MINUTE_NS)
        return self.silent.news(MonoNs(subscribed_at), MonoNs(now), refused=refused)


async def test_three_bars_and_a_minute_are_silence_and_that_is_news_once() -> None:
    bench = Bench()
    assert bench.news(4) == []
    assert bench.news(4.1) == [SPY]
    assert bench.news(16) == []
    assert bench.news(16.1) == [QQQ]
    assert bench.news(1_000) == []


async def test_it_counts_from_the_last_bar_or_the_subscription_whichever_is_later() -> None:
    bench = Bench()
    bench.heard(SPY, 3)
    assert bench.news(7) == []
    assert bench.news(10, subscribed=6) == []
    assert bench.news(10.1, subscribed=6) == [SPY]


async def test_what_came_back_and_went_is_news_again() -> None:
    bench = Bench()
    assert bench.news(5) == [SPY]
    bench.heard(SPY, 6)
    assert bench.news(6) == []
    assert bench.news(10.1) == [SPY]


async def test_what_stays_silent_on_other_connections_too_is_news_less_and_less_often() -> None:
    """A pair that is traded no more would have its connection replaced every four minutes."""
    bench = Bench()
    subscribed, told = 0, []
    for minute in range(1_000):
        bench.heard(QQQ, minute)
        if bench.news(minute, subscribed=subscribed):
            subscribed = minute
            told.append(minute)
    assert told == [5, 14, 31, 64, 129, 258, 515]
    bench.heard(SPY, 1_000)
    assert bench.news(1_004, subscribed=1_000) == []
    assert bench.news(1_005, subscribed=1_000) == [SPY]


async def test_what_the_venue_refused_is_not_expected() -> None:
    bench = Bench()
    assert bench.news(5, refused=[SPY]) == []
    assert bench.news(6) == [SPY]


async def test_it_is_looked_for_twice_in_the_shortest_patience() -> None:
    assert Bench().silent.look_every_ms == 2 * MINUTE
    assert SilentSources({}).look_every_ms == MINUTE // 2
