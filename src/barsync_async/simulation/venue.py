"""A venue that speaks Binance's spot kline protocol and misbehaves by its scenario: pure.

Moments come in as nanoseconds of the caller's monotonic clock, actions go out; the caller carries
them out at once and in order. A bar goes to those who are subscribed when it is sent; one that
closes while nobody listens is gone, as at a real venue. Pings are left to the transport.
"""

from collections.abc import Iterator, Sequence

import msgspec

from barsync_async.messages import Bar
from barsync_async.simulation.actions import (
    ABRUPT,
    GOING_AWAY,
    POLICY_VIOLATION,
    Action,
    Close,
    Lost,
    Send,
    Unheard,
)
from barsync_async.simulation.candle import Candle
from barsync_async.simulation.connection import VenueConnection, Violation, knows_path
from barsync_async.simulation.faults import ending, source_faults
from barsync_async.simulation.grid import stream_name
from barsync_async.simulation.kline import kline_text, shutdown_text
from barsync_async.simulation.market import Market
from barsync_async.simulation.scenario import Scenario
from barsync_async.simulation.schedule import Schedule, Sending
from barsync_async.simulation.timeline import Timeline
from barsync_async.units import NS_PER_MS, Instant, SourceId, WallMs, split_source

_SHUTDOWN_STREAM = "!serverShutdown"


class _Client(msgspec.Struct, frozen=True):
    connection: VenueConnection
    ends_ns: int | None = None
    abrupt: bool = False


class BinanceVenue:
    """The venue of ``scenario``, which opens at ``started``, both clocks read at once.

    Clients are numbered by the caller; a number is not used again while its connection lives.
    """

    def __init__(self, scenario: Scenario, started: Instant) -> None:
        self._scenario = scenario
        self._timeline = Timeline(scenario, started)
        self._market = Market(scenario, self._timeline.first_close)
        self._schedule = Schedule(source_faults(scenario))
        self._streams = {SourceId(name): stream_name(name) for name in scenario.sources}
        self._clients: dict[int, _Client] = {}
        self._opened = 0
        self._running_ns = scenario.venue.running_ms * NS_PER_MS
        self._next_running = started.mono + self._running_ns
        self._opened_ns: int = started.mono
        self._next_close = self._timeline.next_close_ns(0)
        self._finished = False

    @property
    def finished(self) -> bool:
        """Whether the schedule ended and everybody was told."""
        return self._finished

    @property
    def first_close(self) -> WallMs:
        """The timestamp of the first bars."""
        return self._timeline.first_close

    def connect(self, client: int, path: str, now_ns: int) -> Sequence[Action]:
        """``client`` opened a connection to ``path``, the request's target with its query."""
        if self._finished:
            return (Close(client, GOING_AWAY, "the scenario ended"),)
        if not knows_path(path):
            return (Close(client, POLICY_VIOLATION, "no such path; use /ws or /stream"),)
        connection = VenueConnection(path)
        broken = connection.violation()
        if broken is not None:
            return (Close(client, POLICY_VIOLATION, broken.reason),)
        self._opened += 1
        end = ending(self._scenario.seed, self._opened, self._scenario.faults)
        self._clients[client] = (
            _Client(connection)
            if end is None
            else _Client(connection, now_ns + end.after_ns, end.abrupt)
        )
        return ()

    def receive(self, client: int, frame: str | bytes, now_ns: int) -> Sequence[Action]:
        """``client`` sent ``frame``. Never raises; a client that is not connected is ignored."""
        sender = self._clients.get(client)
        if sender is None:
            return ()
        answer = sender.connection.receive(frame, now_ns)
        if isinstance(answer, Violation):
            self.disconnect(client)
            return (Close(client, POLICY_VIOLATION, answer.reason),)
        return (Send(client, answer),)

    def disconnect(self, client: int) -> None:
        """The connection of ``client`` is gone; harmless if the venue closed it itself."""
        self._clients.pop(client, None)

    def next_at(self) -> int | None:
        """The moment at which :meth:`advance` has something to do next; None once finished."""
        if self._finished:
            return None
        moments = [self._next_close, self._schedule.next_at()]
        moments += [each.ends_ns for each in self._clients.values()]
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
        for sending in self._schedule.take(now_ns):
            actions += self._sent(sending, now_ns)
        if self._running_ns and now_ns >= self._next_running:
            actions += self._running(now_ns)
        actions += self._end(now_ns)
        return actions

    def _disconnects(self, now_ns: int) -> Iterator[Action]:
        for client, each in list(self._clients.items()):
            if each.ends_ns is not None and each.ends_ns <= now_ns:
                self.disconnect(client)
                code = ABRUPT if each.abrupt else GOING_AWAY
                yield Close(client, code, "" if each.abrupt else "disconnect by the scenario")

    def _close_bars(self, now_ns: int) -> None:
        while self._next_close is not None and self._next_close <= now_ns:
            step, timestamp = self._market.step, self._market.timestamp
            for source, candle in self._market.close():
                self._schedule.add(source, timestamp, candle, step=step, close_ns=self._next_close)
            self._opened_ns = self._next_close
            self._next_close = self._timeline.next_close_ns(self._market.step)
            if self._next_close is None:
                self._schedule.end()

    def _sent(self, sending: Sending, now_ns: int) -> Iterator[Action]:
        bar = _bar(sending.source, sending.timestamp, sending.candle)
        if sending.lost:
            yield Lost(bar)
            return
        sends = self._sends(bar, sending.candle, now_ns, final=True)
        yield from sends or [Unheard(bar)]

    def _sends(self, bar: Bar, candle: Candle, now_ns: int, *, final: bool) -> list[Action]:
        stream = self._streams[bar.source]
        listeners = [
            (client, each.connection)
            for client, each in self._clients.items()
            if each.connection.wants(stream)
        ]
        if not listeners:
            return []
        text = kline_text(bar, candle, self._timeline.wall_ms(now_ns), final=final)
        return [
            Send(client, connection.envelope(stream, text), bar, final)
            for client, connection in listeners
        ]

    def _running(self, now_ns: int) -> Iterator[Action]:
        """One update of each bar under way; missed ones are not made up for."""
        missed = (now_ns - self._next_running) // self._running_ns
        self._next_running += (missed + 1) * self._running_ns
        if self._next_close is None or not self._clients:
            return
        share = (now_ns - self._opened_ns) / max(1, self._next_close - self._opened_ns)
        for source in self._streams:
            if self._schedule.is_quiet(source, now_ns):
                running = self._market.running(source, share)
                if running is not None:
                    timestamp, candle = running
                    bar = _bar(source, timestamp, candle)
                    yield from self._sends(bar, candle, now_ns, final=False)

    def _end(self, now_ns: int) -> Iterator[Action]:
        """Once the last bar has gone, announce the end and close every connection."""
        end_ns = self._timeline.end_ns
        over = end_ns is None or now_ns >= end_ns
        if self._next_close is not None or len(self._schedule) or not over:
            return
        text = shutdown_text(self._timeline.wall_ms(now_ns))
        for client, each in self._clients.items():
            yield Send(client, each.connection.envelope(_SHUTDOWN_STREAM, text))
            yield Close(client, GOING_AWAY, "the scenario ended")
        self._clients.clear()
        self._finished = True


def _bar(source: SourceId, timestamp: WallMs, candle: Candle) -> Bar:
    symbol, timeframe = split_source(source)
    return candle.bar(symbol, timeframe, timestamp)
