"""What each feed will send, and when: every bar of every source, and what goes wrong with it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.worlds import market
from tests.worlds.faults import Weather
from tests.worlds.world import (
    FUTURES_MS,
    TIMEOUTS_MS,
    Cut,
    FeedAction,
    FeedPlan,
    Freeze,
    Quote,
    Send,
    length_ms,
)

from barsync_async.units import NS_PER_MS, SourceId, WallMs

MOST_CUTS = 2
MOST_REFUSALS = 1
MOST_SLOW_MS = 1_500
MOST_BACKOFF_MS = 250 * 2 ** (MOST_CUTS + MOST_CUTS * MOST_REFUSALS)
"""How long a feed can need to be connected again, but for slow connections."""
_MOST_DELAY_MS = 40
_FAR_MS = 3_600_000


@dataclass(frozen=True)
class Span:
    """The times between which scripts run, all in ms."""

    start: WallMs
    calm_ms: int
    end_ms: int


def scripted(
    feeds: Sequence[FeedPlan], span: Span, weather: Weather, rng: Random
) -> tuple[FeedPlan, ...]:
    """The feeds with their scripts."""
    carriers: dict[SourceId, int] = {}
    for feed in feeds:
        for source in feed.sources:
            carriers[source] = carriers.get(source, 0) + 1
    return tuple(
        replace(feed, script=_Script(feed, carriers, span, weather, rng).write()) for feed in feeds
    )


class _Script:
    """One feed's, while it is written."""

    def __init__(
        self,
        feed: FeedPlan,
        carriers: Mapping[SourceId, int],
        span: Span,
        weather: Weather,
        rng: Random,
    ) -> None:
        self._feed = feed
        self._carriers = carriers
        self._span = span
        self._weather = weather
        self._rng = rng
        self._faulty: Mapping[str, Callable[[Send], list[Send]]] = {
            "late": self._late,
            "lost": self._lost,
            "duplicated": self._duplicated,
            "reordered": self._reordered,
            "corrected": self._corrected,
            "contradictory": self._contradictory,
            "future": self._future,
            "off_grid": self._off_grid,
            "wrong_source": self._wrong_source,
            "malformed": self._malformed,
        }

    def write(self) -> tuple[FeedAction, ...]:
        sends = sorted(self._all_sends(), key=lambda each: each.at)
        for kind, change in (("burst", self._burst), ("slow_drip", self._drip)):
            if self._weather.may(kind):
                sends = change(sends)
        actions: list[FeedAction] = [*sends, *self._cuts()]
        return tuple(sorted(actions, key=lambda each: each.at))

    def _all_sends(self) -> Iterator[Send]:
        first, last = self._span.start, self._span.start + self._span.end_ms
        for source in self._feed.sources:
            step = length_ms(source)
            for timestamp in range(first - first % step + step, last + 1, step):
                yield from self._sends_of(market.quote(source, timestamp))

    def _sends_of(self, told: Quote) -> Iterator[Send]:
        closes_ms = told.timestamp - self._span.start
        at_ms = closes_ms + self._rng.randint(1, _MOST_DELAY_MS)
        send = Send(at_ms * NS_PER_MS, market.frame(told), quote=told)
        if self._rng.random() < 0.1:
            running = market.frame(told, final=False)
            yield Send((closes_ms - 1) * NS_PER_MS, running, "noise")
        if at_ms > self._span.calm_ms:
            yield send
            return
        for kind, change in self._faulty.items():
            if self._weather.strikes(kind):
                yield from map(self._before_calm, change(send))
                return
        yield send

    def _before_calm(self, send: Send) -> Send:
        return replace(send, at=min(send.at, self._span.calm_ms * NS_PER_MS))

    def _ms(self, least: int, most: int) -> int:
        return self._rng.randint(least, most) * NS_PER_MS

    # Faults of one frame

    def _late(self, send: Send) -> list[Send]:
        """Some just at a deadline that is counted from the close."""
        assert send.quote is not None
        if self._rng.random() < 0.3:
            closes_at = (send.quote.timestamp - self._span.start) * NS_PER_MS
            at = closes_at + int(self._rng.choice(TIMEOUTS_MS)) * NS_PER_MS
        else:
            at = send.at + self._ms(60, self._rng.choice([200, 900, 4_000]))
        return [replace(send, at=at, faults=("late",))]

    def _lost(self, send: Send) -> list[Send]:
        return [replace(send, lost=True, faults=("lost",))]

    def _duplicated(self, send: Send) -> list[Send]:
        again = send.at + self._rng.choice([0, self._ms(1, 600), self._ms(1_000, 3_000)])
        return [send, replace(send, at=again, faults=("duplicated",))]

    def _reordered(self, send: Send) -> list[Send]:
        if self._feed.in_order or send.quote is None:
            return [send]
        step = length_ms(send.quote.source) * NS_PER_MS
        return [replace(send, at=send.at + step + self._ms(50, 300), faults=("reordered",))]

    def _corrected(self, send: Send) -> list[Send]:
        other = self._other(send)
        return [send, replace(other, at=send.at + self._ms(0, 800), faults=("corrected",))]

    def _contradictory(self, send: Send) -> list[Send]:
        if send.quote is None or self._carriers[send.quote.source] == 1:
            return [send]
        return [replace(self._other(send), faults=("contradictory",))]

    def _other(self, send: Send) -> Send:
        assert send.quote is not None
        told = market.another(send.quote, self._rng)
        return replace(send, text=market.frame(told), quote=told)

    def _future(self, send: Send) -> list[Send]:
        """A bar of a few intervals ahead, which may be taken, or of an hour ahead."""
        assert send.quote is not None
        step = length_ms(send.quote.source)
        ahead = self._rng.randint(1, 3) * step
        if send.quote.timestamp + ahead > self._span.start + self._span.calm_ms:
            ahead = _FAR_MS
        told = market.quote(send.quote.source, send.quote.timestamp + ahead)
        at = send.at if ahead == _FAR_MS else self._edge_of_future(told, send.at)
        early = Send(at, market.frame(told), quote=told, faults=("future",))
        return [send, early]

    def _edge_of_future(self, told: Quote, otherwise: int) -> int:
        """About the first moment at which a bar may be taken."""
        ahead_ms = length_ms(told.source) + self._rng.choice(FUTURES_MS)
        edge_ms = told.timestamp - ahead_ms - self._span.start + self._rng.choice([-1, 0, 0, 1])
        return edge_ms * NS_PER_MS if edge_ms > 0 else otherwise

    def _off_grid(self, send: Send) -> list[Send]:
        assert send.quote is not None
        told = replace(send.quote, timestamp=send.quote.timestamp + self._rng.choice([-1, 1, 137]))
        return [send, replace(send, text=market.frame(told), quote=told, faults=("off_grid",))]

    def _wrong_source(self, send: Send) -> list[Send]:
        assert send.quote is not None
        text = market.wrong_source(send.quote)
        return [send, Send(send.at, text, "rejected", None, ("wrong_source",))]

    def _malformed(self, send: Send) -> list[Send]:
        assert send.quote is not None
        text = market.malformed(send.quote, self._rng)
        return [Send(send.at, text, "rejected", None, ("malformed",)), send]

    # Faults of the feed

    def _window(self, most_ms: int) -> tuple[int, int]:
        """Some time before the calm."""
        calm = self._span.calm_ms
        start = self._rng.randint(calm // 10, calm * 9 // 10)
        return start * NS_PER_MS, min(start + self._rng.randint(200, most_ms), calm) * NS_PER_MS

    def _burst(self, sends: list[Send]) -> list[Send]:
        start, end = self._window(5_000)
        held = [each for each in sends if start <= each.at < end]
        burst = [replace(each, at=end) for each in held]
        if len(burst) > 1:
            burst[0] = replace(burst[0], faults=(*burst[0].faults, "burst"))
        others = [each for each in sends if not start <= each.at < end]
        return sorted([*burst, *others], key=lambda each: each.at)

    def _drip(self, sends: list[Send]) -> list[Send]:
        start, end = self._window(5_000)
        gap = self._ms(20, 400)
        dripping: list[Send] = []
        free_at = start
        for each in sends:
            if not start <= each.at < end or free_at <= each.at:
                dripping.append(each)
            else:
                slow = replace(each, at=free_at, faults=(*each.faults, "slow_drip"))
                dripping.append(self._before_calm(slow))
            if start <= each.at < end:
                free_at = max(free_at, each.at) + gap
        return sorted(dripping, key=lambda each: each.at)

    def _cuts(self) -> Iterator[FeedAction]:
        kinds = [k for k in ("clean_cut", "abrupt_cut", "half_open") if self._weather.may(k)]
        for number in range(self._rng.randint(0, MOST_CUTS) if kinds else 0):
            kind = self._rng.choice(kinds)
            start, end = self._window(4_000)
            odd = self._odd(number)
            if kind == "half_open":
                yield Freeze(start + odd)
            at = (end if kind == "half_open" else start) + odd
            yield Cut(at, kind, self._refusals(), self._slow_ns(), self._snapshot())

    def _odd(self, number: int) -> int:
        """No frame comes at the moment of a cut, nor is another feed cut then."""
        place = ord(self._feed.name[-1]) % 16
        return 300_000 + place * 10_000 + number * 1_000

    def _refusals(self) -> int:
        if not self._weather.may("refused"):
            return 0
        return self._rng.randint(0, MOST_REFUSALS)

    def _slow_ns(self) -> int:
        return self._ms(100, MOST_SLOW_MS) if self._weather.may("slow_connect") else 0

    def _snapshot(self) -> int:
        return self._rng.randint(1, 5) if self._weather.may("snapshot") else 0
