"""A venue that misbehaves by its scenario, whatever protocol it speaks: pure.

Moments come in as nanoseconds of the caller's monotonic clock, actions go out; the caller carries
them out at once and in order. A bar goes to those who are subscribed when it is sent; one that
closes while nobody listens is gone from the wire, as at a real venue, though not from the shelf
that snapshots and the REST endpoint are taken from.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from barsync_async.messages import Bar
from barsync_async.simulation.actions import (
    ABRUPT,
    GOING_AWAY,
    Action,
    Close,
    Lost,
    Send,
    Unheard,
)
from barsync_async.simulation.candle import Candle
from barsync_async.simulation.deals import DealSchedule
from barsync_async.simulation.faults import ending, source_faults
from barsync_async.simulation.market import Market
from barsync_async.simulation.roles import (
    Answer,
    DealLine,
    HttpAnswer,
    Quote,
    VenueLine,
    Violation,
)
from barsync_async.simulation.scenario import Scenario
from barsync_async.simulation.schedule import Schedule, Sending
from barsync_async.simulation.shelf import ClosedBars
from barsync_async.simulation.timeline import Timeline
from barsync_async.simulation.venues import PROTOCOLS
from barsync_async.units import NS_PER_MS, Instant, MonoNs, SourceId, WallMs, split_source

_NS_PER_S = 1_000_000_000


class _Client(msgspec.Struct, frozen=True):
    line: VenueLine
    ends_ns: int | None = None
    abrupt: bool = False
    old_ns: int | None = None
    """When the venue's own limit on a connection's life cuts it."""


class SimulatedVenue:
    """The venue of ``scenario``, which opens at ``started``, both clocks read at once.

    Clients are numbered by the caller; a number is not used again while its connection lives.
    """

    def __init__(self, scenario: Scenario, started: Instant) -> None:
        self._scenario = scenario
        self._timeline = Timeline(scenario, started)
        self._market = Market(scenario, self._timeline.first_close)
        self._schedule = Schedule(source_faults(scenario))
        self._sources = [SourceId(name) for name in scenario.sources]
        self._shelf = ClosedBars(self._sources)
        self._server = PROTOCOLS[scenario.venue.protocol].serve(self._sources, self)
        self._clients: dict[int, _Client] = {}
        self._opened = 0
        self._running_ns = scenario.venue.running_ms * NS_PER_MS
        self._next_running = started.mono + self._running_ns
        self._opened_ns: int = started.mono
        self._now_ns: int = started.mono
        self._next_close = self._timeline.next_close_ns(0)
        self._finished = False
        self._hides_running = False
        self._deals = DealSchedule(scenario)
        self._dealt = -1
        """The last step whose trades are planned; those of one that nobody hears never are."""

    @property
    def finished(self) -> bool:
        """Whether the schedule ended and everybody was told."""
        return self._finished

    @property
    def first_close(self) -> WallMs:
        """The timestamp of the first bars."""
        return self._timeline.first_close

    # What the protocol may show

    def closed(self, source: SourceId) -> Sequence[Quote]:
        """The newest closed bars of ``source``, oldest first."""
        return self._shelf.of(source)

    def running(self, source: SourceId) -> Quote | None:
        """The bar of ``source`` that is under way; None while it has no trade."""
        if self._next_close is None or self._hides_running:
            return None
        past = self._now_ns - self._opened_ns
        share = past / max(1, self._next_close - self._opened_ns)
        running = self._market.running(source, share)
        if running is None:
            return None
        timestamp, candle = running
        return Quote(_bar(source, timestamp, candle), candle, final=False)

    # What clients do

    def knows_path(self, path: str) -> bool:
        """Whether a websocket can be opened at ``path``, the request's target with its query."""
        return self._server.knows_path(path)

    def get(self, target: str, headers: Mapping[str, str], now_ns: int) -> HttpAnswer | None:
        """The REST endpoint's answer; None where there is nothing at ``target``."""
        self._hides_running = not self._scenario.venue.running_in_history
        try:
            return self._server.get(target, headers, self._at(now_ns))
        finally:
            self._hides_running = False

    def connect(self, client: int, path: str, now_ns: int) -> Sequence[Action]:
        """``client`` opened a connection to ``path``, the request's target with its query."""
        if self._finished:
            return (Close(client, GOING_AWAY, "the scenario ended"),)
        if not self._server.knows_path(path):
            return (Close(client, Violation("").code, "there is no such path"),)
        now = self._at(now_ns)
        line = self._server.accept(path, now)
        self._opened += 1
        faults = self._scenario.faults
        end = ending(self._scenario.seed, self._opened, faults)
        self._clients[client] = _Client(
            line,
            ends_ns=None if end is None else now_ns + end.after_ns,
            abrupt=end is not None and end.abrupt,
            old_ns=None
            if faults.lifetime_s is None
            else now_ns + round(faults.lifetime_s * _NS_PER_S),
        )
        return list(self._answered(client, line.greet(now)))

    def receive(self, client: int, frame: str | bytes, now_ns: int) -> Sequence[Action]:
        """``client`` sent ``frame``. Never raises; a client that is not connected is ignored."""
        sender = self._clients.get(client)
        if sender is None:
            return ()
        actions = list(self._answered(client, sender.line.receive(frame, self._at(now_ns))))
        self._plan_deals(now_ns)
        return actions

    def disconnect(self, client: int) -> None:
        """The connection of ``client`` is gone; harmless if the venue closed it itself."""
        self._clients.pop(client, None)

    def _answered(self, client: int, answers: Sequence[Answer]) -> Iterator[Action]:
        for answer in answers:
            if isinstance(answer, Violation):
                self.disconnect(client)
                yield Close(client, answer.code, answer.reason)
                return
            yield Send(client, answer)

    # What time brings

    def next_at(self) -> int | None:
        """The moment at which :meth:`advance` has something to do next; None once finished."""
        if self._finished:
            return None
        moments = [self._next_close, self._schedule.next_at(), self._deals.next_at()]
        for each in self._clients.values():
            moments += (each.ends_ns, each.old_ns, each.line.next_at())
        if self._running_ns and self._next_close is not None:
            moments.append(self._next_running)
        due = [moment for moment in moments if moment is not None]
        return min(due) if due else self._timeline.end_ns

    def advance(self, now_ns: int) -> Sequence[Action]:
        """Everything that is due by ``now_ns``; ``now_ns`` never goes back."""
        if self._finished:
            return ()
        actions = list(self._disconnects(now_ns))
        self._close_bars(now_ns)
        now = self._at(now_ns)
        actions += self._deal(now)
        for sending in self._schedule.take(now_ns):
            actions += self._sent(sending, now)
        if self._running_ns and now_ns >= self._next_running:
            actions += self._run(now)
        for client, each in list(self._clients.items()):
            actions += self._answered(client, each.line.advance(now))
        actions += self._end(now)
        return actions

    def _at(self, now_ns: int) -> Instant:
        self._now_ns = max(self._now_ns, now_ns)
        return Instant(MonoNs(now_ns), self._timeline.wall_ms(now_ns))

    def _disconnects(self, now_ns: int) -> Iterator[Action]:
        for client, each in list(self._clients.items()):
            if each.ends_ns is not None and each.ends_ns <= now_ns:
                self.disconnect(client)
                code = ABRUPT if each.abrupt else GOING_AWAY
                yield Close(client, code, "" if each.abrupt else "disconnect by the scenario")
            elif each.old_ns is not None and each.old_ns <= now_ns:
                yield from self._part(client, each, self._at(now_ns), "the connection is too old")

    def _part(self, client: int, each: _Client, now: Instant, reason: str) -> Iterator[Action]:
        self.disconnect(client)
        for text in each.line.farewell(now):
            yield Send(client, text)
        yield Close(client, GOING_AWAY, reason)

    def _close_bars(self, now_ns: int) -> None:
        while self._next_close is not None and self._next_close <= now_ns:
            step, timestamp = self._market.step, self._market.timestamp
            for source, candle in self._market.close():
                self._shelf.add(Quote(_bar(source, timestamp, candle), candle, final=True))
                self._schedule.add(source, timestamp, candle, step=step, close_ns=self._next_close)
            self._opened_ns = self._next_close
            self._next_close = self._timeline.next_close_ns(self._market.step)
            if self._next_close is None:
                self._schedule.end()
            self._plan_deals(self._opened_ns)

    def _plan_deals(self, since_ns: int) -> None:
        """The trades of the present step that happen from ``since_ns`` on, if anybody hears them;
        once a step.
        """
        step, lines = self._market.step, [each.line for each in self._clients.values()]
        heard = any(isinstance(line, DealLine) and line.hears_deals() for line in lines)
        if self._next_close is None or self._dealt == step or not heard:
            return
        self._dealt = step
        moment_ns = self._timeline.moment_ns
        planned = [(moment_ns(step, deal.at_ms), deal) for deal in self._market.deals()]
        self._deals.add((at_ns, deal) for at_ns, deal in planned if at_ns >= since_ns)

    def _sent(self, sending: Sending, now: Instant) -> Iterator[Action]:
        bar = _bar(sending.source, sending.timestamp, sending.candle)
        if sending.lost:
            yield Lost(bar)
            return
        quote = Quote(bar, sending.candle, final=True, revision=sending.revision)
        yield from self._sends(quote, now) or [Unheard(bar)]

    def _sends(self, quote: Quote, now: Instant) -> list[Action]:
        return [
            Send(client, text, quote.bar, quote.final)
            for client, each in self._clients.items()
            if (text := each.line.publish(quote, now)) is not None
        ]

    def _deal(self, now: Instant) -> Iterator[Action]:
        """The trades that are due."""
        lines = [(client, each.line) for client, each in self._clients.items()]
        for deal in self._deals.take(now.mono):
            for client, line in lines:
                if isinstance(line, DealLine) and (text := line.tell(deal, now)) is not None:
                    yield Send(client, text)

    def _run(self, now: Instant) -> Iterator[Action]:
        """One update of each bar under way; missed ones are not made up for."""
        missed = (now.mono - self._next_running) // self._running_ns
        self._next_running += (missed + 1) * self._running_ns
        if not self._clients:
            return
        for source in self._sources:
            if self._schedule.is_quiet(source, now.mono):
                quote = self.running(source)
                if quote is not None:
                    yield from self._sends(quote, now)

    def _end(self, now: Instant) -> Iterator[Action]:
        """Once the last bar has gone, announce the end and close every connection."""
        end_ns = self._timeline.end_ns
        over = end_ns is None or now.mono >= end_ns
        left = len(self._schedule) + len(self._deals)
        if self._next_close is not None or left or not over:
            return
        for client, each in list(self._clients.items()):
            yield from self._part(client, each, now, "the scenario ended")
        self._finished = True


def _bar(source: SourceId, timestamp: WallMs, candle: Candle) -> Bar:
    symbol, timeframe = split_source(source)
    return candle.bar(symbol, timeframe, timestamp)
