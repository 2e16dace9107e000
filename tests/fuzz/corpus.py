"""What the fuzzer begins with: a codec's client talks to the simulated venue of the same name.

Nothing here knows a venue: a codec that is in CODECS, and its server in PROTOCOLS, are picked up
by their names. Only what a codec cannot do without, beside credentials, is a table: OPTIONS.
"""

import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec
from tests.venues.json_feed import OPTIONS as JSON_OPTIONS

from barsync_async.ports import VenueCodec, VenueHistory, VenueSession
from barsync_async.simulation.actions import Action, Close, Send
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.simulation.venues import PROTOCOLS
from barsync_async.units import (
    NS_PER_MS,
    TRADES,
    Instant,
    MonoNs,
    SourceId,
    WallMs,
    source_id,
    split_source,
)
from barsync_async.venues import CODECS
from barsync_async.venues.history.exchange import (
    HistoryPage,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.options import Credentials, VenueOptions
from barsync_async.venues.outcomes import Reply

USUAL = VenueOptions(credentials=Credentials("test", "test"))
OPTIONS = {"json": JSON_OPTIONS}
"""For codecs that need more than credentials."""

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"

_SYMBOLS = ("BTC/USD", "ETH-USD", "SPY", "QQQ")
_MOST_SOURCES = 4
_MOST_OF_A_SHAPE = 8
_DAY_MS = 86_400_000
_START = 20_454 * _DAY_MS
_SECONDS = 70
_STRAY = ("", "ping", "{}", "[]", '{"id":1}', '{"op":"nonsense"}', '{"action":"nonsense"}', "7")

HOSTILE = (
    *("", "pong", "null", "7", "{}", "[]", "[{}]", '{"data":null}', '{"type":"error"}'),
    *("[" * 3_000, '{"a":' * 3_000, "[" * 400 + "]" * 400, "\ud800", "\x00", '{"t":1e999}'),
    *('{"event":"error","code":"0","msg":null}', '[{"T":"error","code":null,"msg":7}]'),
)


class Asked(NamedTuple):
    """One exchange with a REST endpoint."""

    request: HistoryRequest
    response: HistoryResponse


class Subject(NamedTuple):
    """One codec, set up, and what its venue says when all is well, or not quite."""

    name: str
    codec: VenueCodec
    options: VenueOptions
    sources: Sequence[SourceId]
    frames: Sequence[str]
    foreign: Sequence[str]
    exchanges: Sequence[Asked]

    def session(self) -> VenueSession:
        """A fresh one."""
        return self.codec.session(self.sources, self.options)

    @property
    def history(self) -> VenueHistory | None:
        """The codec's."""
        return self.codec.history


def subject(name: str) -> Subject:
    """The codec ``name`` with its corpus; always the same."""
    codec: VenueCodec = CODECS[name]
    options = OPTIONS.get(name, USUAL)
    sources = sources_of(codec, options)
    carried = sources + _trades_of(codec, sources)
    frames = list(_varied(_told(codec, options, sources, carried)))
    foreign = [*HOSTILE, *recorded()]
    exchanges = list(_exchanged(codec, options, sources))
    return Subject(name, codec, options, carried, frames, foreign, exchanges)


def sources_of(codec: VenueCodec, options: VenueOptions) -> list[SourceId]:
    """A few that both sides have."""
    found: dict[str, SourceId] = {}
    for symbol in _SYMBOLS:
        for timeframe in codec.facts.timeframes[:2]:
            source = source_id(symbol, timeframe)
            if codec.supports(source, options) is None and _is_sold(codec.name, source):
                found.setdefault(codec.stream(source), source)
    return list(found.values())[:_MOST_SOURCES]


def _trades_of(codec: VenueCodec, sources: Sequence[SourceId]) -> list[SourceId]:
    symbols = dict.fromkeys(split_source(source)[0] for source in sources)
    return [SourceId(f"{symbol}_{TRADES}") for symbol in symbols] if codec.facts.trades else []


def _is_sold(name: str, source: SourceId) -> bool:
    try:
        return name not in PROTOCOLS or bool(PROTOCOLS[name].stream(source))
    except ValueError:
        return False


def recorded() -> Iterator[str]:
    """Real messages, of all venues, where they are at hand."""
    for path in sorted((SAMPLES / "messages").glob("*.json")):
        yield path.read_text("utf-8")
    for path in sorted((SAMPLES / "recorded").glob("*.jsonl")):
        yield from path.read_text("utf-8").splitlines()
    for path in sorted((SAMPLES / "recorded").glob("*.ws.txt")):
        lines = path.read_text("utf-8").splitlines()
        yield from (text for line in lines if (text := line.partition(": ")[2]).startswith("{"))


# Conversations


def _told(
    codec: VenueCodec,
    options: VenueOptions,
    sources: Sequence[SourceId],
    carried: Sequence[SourceId],
) -> Iterator[str]:
    """All that the venue says: to a good client, to wrong ones, and to stray messages."""
    if codec.name not in PROTOCOLS or not sources:
        return
    yield from Conversation(codec, options, sources).frames(_SECONDS, asking=carried)
    unknown = [source_id("NOPE-USD", codec.facts.timeframes[0])]
    yield from Conversation(codec, options, sources).frames(2, asking=unknown)
    wrong = msgspec.structs.replace(options, credentials=Credentials("wrong", "wrong"))
    yield from Conversation(codec, wrong, sources).frames(2)
    yield from Conversation(codec, options, sources).frames(_SECONDS, mute=True)
    for stray in _STRAY:
        yield from Conversation(codec, options, sources).frames(1, stray=stray)


class Conversation:
    """One client at the simulated venue, moved by hand through time."""

    def __init__(
        self, codec: VenueCodec, options: VenueOptions, sources: Sequence[SourceId]
    ) -> None:
        self._codec = codec
        self._options = options
        self._sources = sources
        self.venue = open_venue(codec.name, sources)
        self._to_send: deque[str] = deque()
        self._is_open = True
        self.now = 0

    def frames(
        self,
        seconds: int,
        asking: Sequence[SourceId] | None = None,
        stray: str | None = None,
        *,
        mute: bool = False,
    ) -> Iterator[str]:
        """What the venue says within ``seconds``. ``mute``: the client never says a word."""
        session = self._connected(asking or self._sources)
        yield from self._heard(self.venue.connect(1, path_of(session.url), 0), session)
        self._to_send.extend(session.opening_frames())
        if stray is not None:
            self._to_send.append(stray)
        end = seconds * 1_000 * NS_PER_MS
        step = max(1, session.send_interval_ms) * NS_PER_MS
        beat = session.keep_alive.every_ms * NS_PER_MS if session.keep_alive else end
        beat_at = beat
        while self.now < end and self._is_open:
            if session.keep_alive and self.now >= beat_at:
                beat_at += beat
                self._to_send.append(session.keep_alive.text)
            if self._to_send and not mute:
                sent = self.venue.receive(1, self._to_send.popleft(), self.now)
                yield from self._heard(sent, session)
            self.now += max(step, 50 * NS_PER_MS)
            yield from self._heard(self.venue.advance(self.now), session)

    def _connected(self, asking: Sequence[SourceId]) -> VenueSession:
        """With the endpoint's own path, or a bare address where the venue knows no such path."""
        session = self._codec.session(asking, self._options)
        if self.venue.knows_path(path_of(session.url)):
            return session
        bare = msgspec.structs.replace(self._options, url="ws://127.0.0.1:9001")
        return self._codec.session(asking, bare)

    def _heard(self, actions: Sequence[Action], session: VenueSession) -> Iterator[str]:
        for action in actions:
            if isinstance(action, Send):
                yield action.text
                for item in session.receive(action.text):
                    if isinstance(item, Reply):
                        self._to_send.append(item.text)
            elif isinstance(action, Close):
                self._is_open = False


def open_venue(name: str, sources: Sequence[SourceId]) -> SimulatedVenue:
    """One whose bars close every second, are revised now and then, and run in between."""
    document = {
        "venue": {"protocol": name, "pace_ms": 1_000, "start": _START, "running_ms": 500},
        "market": {"empty": 0.2},
        "defaults": {"revise": 0.2, "revise_after_ms": 300.0},
        "faults": {"lifetime_s": _SECONDS - 1.0},
        "sources": {source: {} for source in sources},
    }
    started = Instant(MonoNs(0), WallMs(_START + 400 * _DAY_MS))
    return SimulatedVenue(parse_scenario(document, "the fuzzer's"), started)


def path_of(url: str) -> str:
    """The request's target."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _varied(frames: Iterator[str]) -> Iterator[str]:
    """A few of every shape, in their order."""
    seen: Counter[str] = Counter()
    for frame in frames:
        shape = _shape(frame)
        seen[shape] += 1
        if seen[shape] <= _MOST_OF_A_SHAPE:
            yield frame


def _shape(frame: str) -> str:
    try:
        return _outline(json.loads(frame))
    except ValueError:
        return frame


def _outline(value: Any) -> str:
    match value:
        case dict():
            inner = ",".join(f"{key}:{_outline(each)}" for key, each in value.items())
            return f"{{{inner}}}"
        case list():
            return f"[{','.join(dict.fromkeys(map(_outline, value)))}]"
        case bool():
            return str(value)
    return type(value).__name__


# REST


def _exchanged(
    codec: VenueCodec, options: VenueOptions, sources: Sequence[SourceId]
) -> Iterator[Asked]:
    history = codec.history
    if history is None or codec.name not in PROTOCOLS or not sources:
        return
    venue = open_venue(codec.name, sources)
    now = _SECONDS * 1_000 * NS_PER_MS
    venue.advance(now)
    for source in (*sources, source_id("NOPE-USD", codec.facts.timeframes[0])):
        shelf = venue.closed(source) if source in sources else ()
        last = shelf[-1].bar.timestamp if shelf else WallMs(_START)
        first = shelf[0].bar.timestamp if shelf else WallMs(_START - _DAY_MS)
        request: HistoryRequest | None = history.request(Span(source, first, last), options)
        for _ in range(5):
            if request is None or (response := fetch(venue, request, now)) is None:
                break
            yield Asked(request, response)
            answer = history.receive(request, response)
            request = answer.following if isinstance(answer, HistoryPage) else None


def fetch(venue: SimulatedVenue, request: HistoryRequest, now: int) -> HistoryResponse | None:
    """What the venue answers; None where it has no such endpoint."""
    target = path_of(request.url)
    mark = "&" if "?" in target else "?"
    whole = f"{target}{mark}{urlencode(request.params)}" if request.params else target
    sent = {name.lower(): value for name, value in request.headers.items()}
    answer = venue.get(whole, sent, now)
    if answer is None:
        return None
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return HistoryResponse(answer.status, headers, answer.body)
