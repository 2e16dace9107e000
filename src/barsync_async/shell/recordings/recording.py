"""The format of a recording: what came over the wire, and when, as JSON lines.

The first line says what it is and which connections there are; every other one is a moment of one
of them. A moment is ``mono_ns`` of the recording process's monotonic clock, which orders and
paces, and ``wall_ns`` since the Unix epoch, which labels. Lines of one connection stand in its own
order; those of several are only nearly sorted, for they are written as they were handed on.

====================  ==============================================================================
``type``              fields beside ``mono_ns`` and ``wall_ns``
====================  ==============================================================================
``barsync-recording``  the first line: ``version`` (1), ``connections`` [{``name``, ``feed``,
                      ``venue``, ``url``, ``sources``}]; its moment is the recording's beginning
``opened``            ``connection`` (a name of the first line), ``number``: this opening's own,
                      which the lines below refer to
``refused``           ``connection``, ``detail``: it could not be opened
``frame``             ``number``, and ``text``, or ``data`` in base64 where it is not UTF-8
``sent``              ``number``, ``bytes``; ``text`` only where it can hold no secret
``ended``             ``number``, ``by`` (``venue`` or ``us``), ``detail``, ``oversized``
``stopped``           the last line of a recording that ended cleanly
====================  ==============================================================================
"""

from typing import Annotated, Literal, TypedDict

import msgspec

from barsync_async.units import NS_PER_MS, Instant

VERSION = 1
FIRST_TYPE = "barsync-recording"

_MAX_NS = 2**63 - 1

Ns = Annotated[int, msgspec.Meta(ge=0, le=_MAX_NS)]
Number = Annotated[int, msgspec.Meta(ge=1, le=_MAX_NS)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class RecordedConnection(msgspec.Struct, frozen=True):
    """One connection of the recorded config; ``url`` without what could be a secret."""

    name: Name
    feed: Name
    venue: Name
    url: str
    sources: tuple[str, ...]


class _Moment(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    mono_ns: Ns
    wall_ns: Ns


class Began(_Moment, frozen=True, kw_only=True, tag=FIRST_TYPE, omit_defaults=False):
    """The first line."""

    version: int
    connections: tuple[RecordedConnection, ...]


class Opened(_Moment, frozen=True, kw_only=True, tag="opened"):
    """A connection is open; ``number`` is this opening's own."""

    connection: Name
    number: Number


class Refused(_Moment, frozen=True, kw_only=True, tag="refused"):
    """A connection could not be opened."""

    connection: Name
    detail: str


class Got(_Moment, frozen=True, kw_only=True, tag="frame"):
    """A frame was read: ``text``, or ``data`` where it is not UTF-8."""

    number: Number
    text: str | None = None
    data: bytes | None = None

    @property
    def wire(self) -> bytes:
        """What was read from the socket."""
        return self.data if self.data is not None else (self.text or "").encode()


class Sent(_Moment, frozen=True, kw_only=True, tag="sent"):
    """Something of so many bytes was sent; what, only where it can hold no secret."""

    number: Number
    bytes: Annotated[int, msgspec.Meta(ge=0)]
    text: str | None = None


class Ended(_Moment, frozen=True, kw_only=True, tag="ended"):
    """An opening is over; ``oversized``: a frame larger than we read ended it."""

    number: Number
    by: Literal["venue", "us"]
    detail: str = ""
    oversized: bool = False


class Stopped(_Moment, frozen=True, kw_only=True, tag="stopped"):
    """The recording ended here."""


Record = Began | Opened | Refused | Got | Sent | Ended | Stopped
Attempt = Opened | Refused

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """One line, with its end."""
    return _encoder.encode(record) + b"\n"


def decode_record(line: bytes) -> Record:
    """What a line says.

    Raises:
        msgspec.DecodeError: it is no record; also ValueError, RecursionError.
    """
    return _decoder.decode(line)


class MomentFields(TypedDict):
    """The fields that every record has."""

    mono_ns: int
    wall_ns: int


def moment(at: Instant) -> MomentFields:
    """What a record says of its moment."""
    return {"mono_ns": at.mono, "wall_ns": at.wall * NS_PER_MS + at.rest_ns}


def frame_record(number: int, at: Instant, data: bytes | str) -> Got:
    """What is written of a frame."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    try:
        return Got(**moment(at), number=number, text=raw.decode("utf-8"))
    except UnicodeDecodeError:
        return Got(**moment(at), number=number, data=raw)


def is_first_line(line: bytes) -> bool:
    """Whether a file that begins so means to be a recording, of whatever version."""
    try:
        return msgspec.json.decode(line, type=_Kind).type == FIRST_TYPE
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False


class _Kind(msgspec.Struct):
    type: str


class FirstLook(msgspec.Struct):
    """As much of a first line as every version has."""

    type: str
    version: int
