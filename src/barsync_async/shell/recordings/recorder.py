"""Records every connection that another connector opens.

What comes is written as it is read, with the moment of its reading; what could be a secret is not:
of what we send only the size, but for the opening frames and the keep-alive of feeds that have no
credentials and no format of their own; credentials nowhere, should a venue send them back; of a
url no user, and no value of a parameter that is named like a secret.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from barsync_async.errors import ConnectionRefused
from barsync_async.ports import Clock, Connection, Connector, Frame, VenueSession
from barsync_async.shell.feeds.connections import ConnectionPlan
from barsync_async.shell.network.websocket import OversizedFrame
from barsync_async.shell.recordings.recording import (
    Ended,
    Opened,
    Record,
    RecordedConnection,
    Refused,
    Sent,
    frame_record,
    moment,
)
from barsync_async.units import Instant
from barsync_async.venues import CODECS
from barsync_async.venues.options import Credentials

HIDDEN = "***"
"""Stands where something was that nobody may read."""

_SHORTEST_SECRET = 8  # a shorter one would hide half of a text, and is none
_SECRET_PARAMETER = re.compile(
    r"(?i)([?&][^=&]*(?:key|token|secret|sign|auth|pass|session|jwt)[^=&]*=)[^&#]*"
)


class RecordingSink(Protocol):
    """Where records go."""

    def put(self, record: Record) -> None:
        """Take ``record``."""

    async def room(self) -> None:
        """Until there is room for more."""


class Totals(msgspec.Struct):
    """What was received, by one connection or by all."""

    frames: int = 0
    bytes: int = 0


class _Known(msgspec.Struct, frozen=True):
    """What may be written of one connection, and what may not."""

    sayings: frozenset[str] = frozenset()
    secrets: tuple[str, ...] = ()

    def without_secrets(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def frame(self, data: str | bytes) -> str | bytes:
        if not self.secrets:
            return data
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        for secret in self.secrets:
            raw = raw.replace(secret.encode(), HIDDEN.encode())
        return raw


class RecordingConnector:
    """Opens connections by ``inner`` and tells ``sink`` all that happens on them; plays the role
    of :class:`~barsync_async.ports.Connector`.
    """

    def __init__(
        self,
        inner: Connector,
        sink: RecordingSink,
        plans: Sequence[ConnectionPlan],
        clock: Clock,
    ) -> None:
        self._inner = inner
        self._sink = sink
        self._clock = clock
        self._known = {plan.name: _known(plan) for plan in plans}
        self._openings = 0
        self._up: Counter[str] = Counter()
        self.totals = Totals()
        self.states: dict[str, str] = dict.fromkeys((plan.name for plan in plans), "not connected")
        """How each connection is, in a word."""

    async def connect(self, feed: str, url: str) -> "RecordingConnection":
        """Open a connection for ``feed``.

        Raises:
            ConnectionRefused: it could not be opened.
        """
        known = self._known.get(feed, _Known())
        self._note(feed, "connecting")
        try:
            connection = await self._inner.connect(feed, url)
        except ConnectionRefused as error:
            self._note(feed, "refused")
            detail = known.without_secrets(error.detail.replace(url, without_secrets(url)))
            self._sink.put(Refused(**moment(self._clock.now()), connection=feed, detail=detail))
            raise
        self._openings += 1
        number = self._openings
        self._sink.put(Opened(**moment(self._clock.now()), connection=feed, number=number))
        self._up[feed] += 1
        self._note(feed, "up")
        return RecordingConnection(self, feed, number, connection, known)

    def _note(self, feed: str, state: str) -> None:
        """A connection that is being replaced is up all the while."""
        self.states[feed] = "up" if self._up[feed] else state

    # What a connection tells

    async def room(self) -> None:
        """Until there is room for more."""
        await self._sink.room()

    def got(self, number: int, frames: Sequence[Frame], known: _Known) -> None:
        """These frames were read."""
        for frame in frames:
            data = known.frame(frame.data)
            self.totals.frames += 1
            self.totals.bytes += len(data)
            self._sink.put(frame_record(number, frame.at, data))

    def sent(self, number: int, text: str, known: _Known) -> None:
        """This was sent."""
        said = known.without_secrets(text) if text in known.sayings else None
        size = len(text.encode("utf-8", "surrogatepass"))
        at = moment(self._clock.now())
        self._sink.put(Sent(**at, number=number, bytes=size, text=said))

    def ended(
        self, feed: str, number: int, at: Instant, end: ConnectionRefused | None, known: _Known
    ) -> None:
        """It is over: by the venue, which ``end`` tells, or by us."""
        self._up[feed] -= 1
        self._note(feed, "closed" if end is None else "down")
        record = Ended(
            **moment(at),
            number=number,
            by="us" if end is None else "venue",
            detail="" if end is None else known.without_secrets(end.detail),
            oversized=isinstance(end, OversizedFrame),
        )
        self._sink.put(record)


class RecordingConnection:
    """One recorded connection; plays the role of :class:`~barsync_async.ports.Connection`."""

    def __init__(
        self,
        recorder: RecordingConnector,
        feed: str,
        number: int,
        inner: Connection,
        known: _Known,
    ) -> None:
        self._recorder = recorder
        self._feed = feed
        self._number = number
        self._inner = inner
        self._known = known
        self._end: ConnectionRefused | None = None
        self._told = False

    async def receive(self) -> Sequence[Frame]:
        """Frames as they come; waits first while too much waits to be written. Safe to cancel.

        Raises:
            ConnectionRefused: the connection ended.
        """
        await self._recorder.room()  # before anything is read, for a cancellation would lose it
        try:
            frames = await self._inner.receive()
        except ConnectionRefused as error:
            self._end = error
            raise
        self._recorder.got(self._number, frames, self._known)
        return frames

    async def send(self, text: str) -> None:
        """Send one text frame.

        Raises:
            ConnectionRefused: the connection ended.
        """
        await self._inner.send(text)
        self._recorder.sent(self._number, text, self._known)

    async def close(self) -> Instant:
        """Close; harmless on a closed connection. Returns the moment of its end."""
        end = self._end  # before we close it: after that, every end is ours
        at = await self._inner.close()
        if not self._told:
            self._told = True
            self._recorder.ended(self._feed, self._number, at, end, self._known)
        return at


def recorded_connections(plans: Sequence[ConnectionPlan]) -> list[RecordedConnection]:
    """What a recording's first line says of the connections of ``plans``."""
    return [
        RecordedConnection(
            plan.name,
            plan.feed,
            plan.venue,
            _known(plan).without_secrets(without_secrets(_session(plan).url)),
            plan.sources,
        )
        for plan in plans
    ]


def without_secrets(url: str) -> str:
    """``url`` without its user, and with :data:`HIDDEN` for values of parameters that are named
    like secrets.
    """
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return _SECRET_PARAMETER.sub(rf"\g<1>{HIDDEN}", bare)


def _known(plan: ConnectionPlan) -> _Known:
    if plan.options.credentials is not None:
        return _Known(secrets=_spellings(plan.options.credentials))
    if plan.options.format is not None:
        return _Known()  # what is sent is somebody's own text, and may hold anything
    session = _session(plan)
    sayings = [*session.opening_frames()]
    if session.keep_alive is not None:
        sayings.append(session.keep_alive.text)
    return _Known(sayings=frozenset(sayings))


def _session(plan: ConnectionPlan) -> VenueSession:
    return CODECS[plan.venue].session(plan.sources, plan.options)


def _spellings(credentials: Credentials) -> tuple[str, ...]:
    """Each secret as it is and as it stands in a url, the longest first."""
    given = [
        each for each in (credentials.key, credentials.secret) if len(each) >= _SHORTEST_SECRET
    ]
    spelled: Mapping[str, None] = dict.fromkeys((*given, *(quote(each, safe="") for each in given)))
    return tuple(sorted(spelled, key=len, reverse=True))
