"""A client's session against the simulated venue, moved by hand through time."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from barsync_async.messages import Bar
from barsync_async.ports import VenueHistory, VenueSession
from barsync_async.simulation.actions import Action, Close, Send
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.units import NS_PER_MS, Instant, MonoNs, SourceId, WallMs
from barsync_async.venues.history.exchange import (
    HistoryPage,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import Received, Reply, Running

STARTED = Instant(MonoNs(1_000), WallMs(1_800_000_000_000))


def at(ms: float) -> int:
    return STARTED.mono + round(ms * NS_PER_MS)


def open_venue(protocol: str, sources: Mapping[str, Any], **tables: Any) -> SimulatedVenue:
    """Bars close every 100 ms, from a round moment of the past on, for 3 s."""
    venue = {"protocol": protocol, "pace_ms": 100, "start": 1_775_520_000_000, "duration_s": 3}
    document = {"venue": venue | tables.pop("venue", {}), "sources": sources} | tables
    return SimulatedVenue(parse_scenario(document, "x"), STARTED)


class Client:
    """Sends what ``session`` wants to send, no faster than it says, and gives it what comes."""

    def __init__(self, venue: SimulatedVenue, session: VenueSession, number: int = 1) -> None:
        self.session = session
        self.outcomes: list[Received] = []
        self.told: list[Bar] = []
        self.cut: Close | None = None
        self.longest_silence_ms = 0.0
        self._heard_ns: int = STARTED.mono
        self._venue = venue
        self._number = number
        self._outgoing = deque(session.opening_frames())
        self._may_send_ns: int = STARTED.mono
        path = urlsplit(session.url).path or "/"
        self._take(venue.connect(number, path, STARTED.mono), STARTED.mono)

    def run(self, until_ms: float | None = None) -> None:
        """Until the moment, or to the scenario's end."""
        for now in self._moments(until_ms):
            self._take(self._venue.advance(now), now)
            if self._outgoing and self._may_send_ns <= now:
                text = self._outgoing.popleft()
                self._take(self._venue.receive(self._number, text, now), now)
                self._may_send_ns = now + self.session.send_interval_ms * NS_PER_MS

    def _moments(self, until_ms: float | None) -> Iterator[int]:
        now: int = STARTED.mono
        while (next_at := self._venue.next_at()) is not None:
            now = max(now, min(next_at, self._may_send_ns) if self._outgoing else next_at)
            if until_ms is not None and now > at(until_ms):
                return
            yield now

    def _take(self, actions: Sequence[Action], now: int) -> None:
        for action in actions:
            if isinstance(action, Close):
                self.cut = action
            elif isinstance(action, Send):
                silence_ms = (now - self._heard_ns) / NS_PER_MS
                self.longest_silence_ms = max(self.longest_silence_ms, silence_ms)
                self._heard_ns = now
                self._receive(action)

    def _receive(self, sent: Send) -> None:
        """What the venue means by a frame, and what the session reads in it, are the same."""
        got = self.session.receive(sent.text)
        if sent.bar is not None:
            assert list(got) == [Running(sent.bar)]
            self.told.append(sent.bar)
        self.outcomes += got
        self._outgoing += [item.text for item in got if isinstance(item, Reply)]

    def final(self) -> dict[tuple[SourceId, int], Bar]:
        """The last state of every bar."""
        bars = [item.bar for item in self.outcomes if isinstance(item, Running)]
        return {(bar.source, bar.timestamp): bar for bar in bars}


def past(venue: SimulatedVenue, history: VenueHistory, span: Span, now_ms: float) -> list[Any]:
    """All of ``span``, page by page, asked no faster than ``history`` says."""
    request: HistoryRequest | None = history.request(span, VenueOptions(history_url="http://v"))
    items: list[Any] = []
    while request is not None:
        target = f"{urlsplit(request.url).path}?{urlencode(request.params)}"
        answer = venue.get(target, request.headers, at(now_ms))
        assert answer is not None
        page = history.receive(request, HistoryResponse(answer.status, answer.headers, answer.body))
        assert isinstance(page, HistoryPage), page
        items += page.items
        request = page.following
        now_ms += history.interval_ms
    return items
