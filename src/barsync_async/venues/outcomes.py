"""What one frame of a venue can mean to the generic feed."""

import msgspec

from barsync_async.messages import Bar, Trade
from barsync_async.units import SourceId


class Running(msgspec.Struct, frozen=True, gc=False):
    """A state of ``bar``, from a venue that never says which state is the last."""

    bar: Bar


class Traded(msgspec.Struct, frozen=True, gc=False):
    """A trade of ``symbol``, in the config's spelling."""

    symbol: str
    trade: Trade


class Rejection(msgspec.Struct, frozen=True):
    """What a codec could not take for a bar; ``detail`` shows the input, escaped and cut."""

    reason: str
    detail: str


class Reply(msgspec.Struct, frozen=True):
    """The venue waits for ``text``: send it. It may hold a secret, so it is shown to nobody."""

    text: str

    def __repr__(self) -> str:
        return "Reply(...)"


class Refusal(msgspec.Struct, frozen=True):
    """The venue refused these ``sources``, or where there are none, the whole connection.

    ``final``: asking again cannot help. Otherwise a new connection may.
    """

    sources: tuple[SourceId, ...]
    detail: str
    final: bool


class Acknowledged(msgspec.Struct, frozen=True):
    """The venue confirmed the subscription of these sources."""

    sources: tuple[SourceId, ...]


class GoingAway(msgspec.Struct, frozen=True):
    """The venue announced that it will cut this connection: make a new one."""

    detail: str


Received = Bar | Running | Traded | Rejection | Reply | Refusal | Acknowledged | GoingAway
