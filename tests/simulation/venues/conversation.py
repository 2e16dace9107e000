"""A client's session and the simulated venue, speaking to one another by hand."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from barsync_async.messages import Bar
from barsync_async.ports import VenueHistory, VenueSession
from barsync_async.simulation.actions import Action, Close, Send
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.units import NS_PER_MS, Instant, MonoNs, SourceId, WallMs
from barsync_async.venues import CODECS
from barsync_async.venues.history.exchange import (
    HistoryAnswer,
    HistoryPage,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.options import Credentials, VenueOptions
from barsync_async.venues.outcomes import Received, Reply

STARTED = Instant(MonoNs(1_000), WallMs(1_767_364_200_000))
PACED = {"pace_ms": 100, "start": 1_767_000_060_000, "duration_s": 2}
OPTIONS = VenueOptions(credentials=Credentials("test", "test"), history_url="http://venue")


def at(ms: float) -> int:
    return STARTED.mono + round(ms * NS_PER_MS)


def open_venue(protocol: str, sources: Sequence[str], **tables: Any) -> SimulatedVenue:
    venue = PACED | {"protocol": protocol} | tables.pop("venue", {})
    document = {"venue": venue, "sources": {source: {} for source in sources}} | tables
    return SimulatedVenue(parse_scenario(document, "x"), STARTED)


class Client:
    """Carries frames to and fro; ``heard`` is what the session made of them."""

    def __init__(
        self, venue: SimulatedVenue, session: VenueSession, path: str, number: int = 1
    ) -> None:
        self.session = session
        self.number = number
        self.heard: list[Received] = []
        self.closed: Close | None = None
        self._venue = venue
        self._path = path

    def connect(self, now_ns: int = STARTED.mono) -> "Client":
        self.take(self._venue.connect(self.number, self._path, now_ns), now_ns)
        for frame in self.session.opening_frames():
            self.take(self._venue.receive(self.number, frame, now_ns), now_ns)
        return self

    def take(self, actions: Sequence[Action], now_ns: int) -> None:
        """What the venue does, as far as it is for this client."""
        for action in actions:
            match action:
                case Send(client=self.number, text=text):
                    self._hear(text, now_ns)
                case Close(client=self.number):
                    self.closed = action
                case _:
                    pass

    def _hear(self, text: str, now_ns: int) -> None:
        for item in self.session.receive(text):
            self.heard.append(item)
            if isinstance(item, Reply):
                self.take(self._venue.receive(self.number, item.text, now_ns), now_ns)


def client(venue: SimulatedVenue, name: str, sources: Sequence[str], path: str) -> Client:
    session = CODECS[name].session([SourceId(source) for source in sources], OPTIONS)
    return Client(venue, session, path).connect()


def to_the_end(venue: SimulatedVenue, *clients: Client) -> Iterator[tuple[int, Action]]:
    while (when := venue.next_at()) is not None:
        actions = venue.advance(when)
        for each in clients:
            each.take(actions, when)
        for action in actions:
            yield when, action
    assert venue.finished


def sent_bars(actions: Sequence[tuple[int, Action]], number: int = 1) -> Counter[Bar]:
    """What the venue told ``number`` of, as the venue means it."""
    return Counter(
        action.bar
        for _, action in actions
        if isinstance(action, Send) and action.bar is not None and action.client == number
    )


def past_bars(
    venue: SimulatedVenue, history: VenueHistory, span: Span, now_ns: int
) -> tuple[list[Bar], int]:
    """All pages of ``span``, and how many there were."""
    request, bars, pages = history.request(span, OPTIONS), list[Bar](), 0
    while True:
        pages += 1
        query = "&".join(f"{name}={_quoted(value)}" for name, value in request.params.items())
        target = f"{request.url.removeprefix('http://venue')}?{query}"
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = venue.get(target, headers | {"host": "venue"}, now_ns)
        assert answer is not None
        page = history.receive(request, HistoryResponse(answer.status, {}, answer.body))
        assert isinstance(page, HistoryPage), page
        bars += [item for item in page.items if isinstance(item, Bar)]
        assert len(page.items) == sum(isinstance(item, Bar) for item in page.items)
        if page.following is None:
            return bars, pages
        request = page.following


class ShortPages:
    """``history`` with ``most`` rows a page."""

    interval_ms = 0

    def __init__(self, history: VenueHistory, most: int) -> None:
        self._history = history
        self._most = most

    def request(self, span: Span, options: VenueOptions) -> HistoryRequest:
        asked = self._history.request(span, options)
        return msgspec.structs.replace(asked, params={**asked.params, "limit": str(self._most)})

    def receive(self, request: HistoryRequest, response: HistoryResponse) -> HistoryAnswer:
        return self._history.receive(request, response)


def _quoted(value: str) -> str:
    return value.replace("%", "%25").replace("+", "%2B").replace("&", "%26").replace("=", "%3D")
