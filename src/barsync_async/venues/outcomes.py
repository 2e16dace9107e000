"""What one frame of a venue can mean to the generic feed."""

import msgspec

from barsync_async.messages import Bar
from barsync_async.units import SourceId


class Rejection(msgspec.Struct, frozen=True):
    """What a codec could not take for a bar; ``detail`` shows the input, escaped and cut."""

    reason: str
    detail: str


class Refusal(msgspec.Struct, frozen=True):
    """The venue refused something; ``final`` where asking again cannot help."""

    sources: tuple[SourceId, ...]
    detail: str
    final: bool


class Acknowledged(msgspec.Struct, frozen=True):
    """The venue confirmed the subscription of these sources."""

    sources: tuple[SourceId, ...]


class GoingAway(msgspec.Struct, frozen=True):
    """The venue announced that it will cut this connection: make a new one."""

    detail: str


Received = Bar | Rejection | Refusal | Acknowledged | GoingAway
