"""What a feed missed while its connection was down: asked for before anything is subscribed, and
handed on in order. A scripted Kraken on virtual time, its websocket and its history.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.shell.feeds.test_feed import Bench, Line, bars, running, settled

from barsync_async.errors import ConnectionRefused
from barsync_async.ports import CaughtUp
from barsync_async.shell.feeds.backfill import Backfill
from barsync_async.shell.feeds.past_bars import PastBars
from barsync_async.units import SourceId
from barsync_async.venues.history.exchange import HistoryRequest, HistoryResponse
from barsync_async.venues.history.kraken import KrakenHistory
from barsync_async.venues.kraken import KrakenCodec
from barsync_async.venues.options import VenueOptions

ONE, OTHER = SourceId("BTC/USD_1m"), SourceId("ETH/USD_1m")
SYMBOLS = {"XBTUSD": "BTC/USD", "ETHUSD": "ETH/USD"}
MINUTE_S = 60


class History:
    """The bars of every minute that is over; the role of HttpClient."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.asked: list[tuple[float, str]] = []
        self.takes_s = 0.0
        self.knows: Callable[[int], bool] = lambda _: True

    async def get(self, feed: str, request: HistoryRequest) -> HistoryResponse:
        self.asked.append((self._bench.time(), request.params["pair"]))
        await asyncio.sleep(self.takes_s)
        over = self._bench.clock.now().wall // 60_000
        minutes = [each for each in range(int(over)) if self.knows(each)]
        rows = [[each * MINUTE_S, "1", "1", "1", "1", "1", "1", 1] for each in [*minutes, over]]
        body = json.dumps({"error": [], "result": {request.params["pair"]: rows, "last": 0}})
        return HistoryResponse(200, {}, body.encode())

    async def close(self) -> None:
        raise NotImplementedError


class Kraken(KrakenCodec):
    def session(self, sources: Sequence[SourceId], options: VenueOptions) -> Any:
        return super().session(sources, VenueOptions(url="ws://venue/stream"))


def row(symbol: str, minute: int) -> dict[str, Any]:
    begin = f"1970-01-01T{minute // 60:02}:{minute % 60:02}:00.000000000Z"
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0)
    return {"symbol": symbol, "interval": 1, "interval_begin": begin, **prices}


def answer(line: Line, symbol: str) -> None:
    """The subscription of ``symbol`` is good."""
    result = {"channel": "ohlc", "interval": 1, "symbol": symbol}
    line.deliver(json.dumps({"method": "subscribe", "success": True, "result": result}))


def answers(line: Line, minutes: range) -> None:
    """Both subscriptions are good, and snapshots of ``minutes`` follow."""
    for symbol in SYMBOLS.values():
        answer(line, symbol)
        rows = [row(symbol, minute) for minute in minutes]
        line.deliver(json.dumps({"channel": "ohlc", "type": "snapshot", "data": rows}))


def kraken(bench: Bench) -> History:
    """Let the feed of ``bench`` be of that venue, and know its history."""
    history = History(bench)
    feed = bench.feed = bench.make_feed(bench.venue, "ws://venue")
    feed._codec = Kraken()
    feed.past = PastBars(
        "sim",
        feed._bars,
        Backfill("sim", KrakenHistory(), VenueOptions(), http=history, clock=bench.clock),
        clock=bench.clock,
        settle_ms=0,
    )
    for producer in feed._bars.values():
        producer.decide("sim", 0, feed.heard_at)
    return history


async def first_line(bench: Bench) -> None:
    """At five minutes past, connected, with the bars up to then; the line breaks."""
    await asyncio.sleep(5 * MINUTE_S)
    bench.start()
    await asyncio.sleep(4)
    answers(bench.line, range(3, 5))
    await asyncio.sleep(4)
    assert {bars(bench.take(source))[-1][1] for source in (ONE, OTHER)} == {5 * 60_000}
    bench.venue.plan += [ConnectionRefused("sim", "nobody listens")] * 60
    bench.line.end()


async def until_connected(bench: Bench) -> Line:
    """The next one, whenever that is."""
    before = len(bench.venue.lines)
    bench.venue.plan.clear()
    while len(bench.venue.lines) == before:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.01)
    return bench.line


async def test_what_was_missed_comes_in_order_before_anything_is_subscribed() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        history = kraken(bench)
        await first_line(bench)
        await asyncio.sleep(40 * MINUTE_S)
        history.asked.clear()
        line = await until_connected(bench)
        await asyncio.sleep(0.9)
        assert len(history.asked) == 1
        assert line.sent == []
        await asyncio.sleep(0.2)
        assert sorted(pair for _, pair in history.asked) == sorted(SYMBOLS)
        assert len(line.sent) == 1
        now = int(bench.clock.now().wall) // 60_000
        wanted = [each * 60_000 for each in range(4, now + 1)]  # the last two again
        assert len(wanted) >= 40
        for source in (ONE, OTHER):
            came = [timestamp for _, timestamp in bars(bench.take(source))]
            assert list(dict.fromkeys(came)) == wanted


async def test_a_history_that_takes_long_does_not_hold_the_subscription_for_ever() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        history = kraken(bench)
        await first_line(bench)
        await asyncio.sleep(40 * MINUTE_S)
        history.takes_s = 3_600
        line = await until_connected(bench)
        opened = bench.time()
        await asyncio.sleep(3.1)
        assert [round(at - opened, 1) for at, _ in line.sent] == [3.0]


async def test_a_snapshot_does_not_hide_what_is_older_and_still_missing() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        history = kraken(bench)
        await first_line(bench)
        await asyncio.sleep(40 * MINUTE_S)
        history.takes_s = 5
        line = await until_connected(bench)
        now = int(bench.clock.now().wall) // 60_000
        await asyncio.sleep(3.1)
        answers(line, range(now - 10, now))
        history.takes_s = 0
        await asyncio.sleep(5)
        assert any(isinstance(each.item, CaughtUp) for each in bench.take("events"))
        for source in (ONE, OTHER):
            came = {timestamp for _, timestamp in bars(bench.take(source))}
            assert came >= {each * 60_000 for each in range(6, now + 1)}


async def test_what_the_history_shows_late_is_asked_for_again() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        history = kraken(bench)
        await first_line(bench)
        await asyncio.sleep(5 * MINUTE_S)
        now = int(bench.clock.now().wall) // 60_000
        history.knows = lambda minute: minute < now - 1
        line = await until_connected(bench)
        await asyncio.sleep(3.1)
        answers(line, range(now, now))
        history.knows = lambda _: True
        await asyncio.sleep(6)
        await settled()
        for source in (ONE, OTHER):
            came = [timestamp for _, timestamp in bars(bench.take(source))]
            assert sorted(set(came))[:7] == [each * 60_000 for each in range(4, 11)]


async def test_what_the_history_gave_to_a_line_that_was_cut_is_asked_for_again() -> None:
    async with running([ONE, OTHER], start=False) as bench:
        kraken(bench)
        await first_line(bench)
        await asyncio.sleep(5 * MINUTE_S)
        line = await until_connected(bench)
        await asyncio.sleep(0.5)  # one of the two has been answered, and is not handed on yet
        line.end()
        await until_connected(bench)
        await asyncio.sleep(3.5)
        for source in (ONE, OTHER):
            came = {timestamp // 60_000 for _, timestamp in bars(bench.take(source))}
            assert came >= set(range(6, 11))
