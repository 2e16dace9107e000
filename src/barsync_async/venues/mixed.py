"""Frames that are arrays of messages of several kinds, as Alpaca and Polygon send them.

A frame is decoded in one typed pass. Only where that fails is each message looked at by itself:
one of an unknown kind is passed over, one that is broken is rejected, and all others are kept.
What a frame can cost is bounded before it is decoded.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from barsync_async.venues.fields import MAX_FRAME_BYTES, NO_JSON, oversized, rejection
from barsync_async.venues.outcomes import Rejection

M = TypeVar("M")

MAX_MIXED_BYTES = 1_048_576
"""At the end of a minute the bars of thousands of symbols may come in one frame."""

_MOST_MESSAGES = 10_000
_MOST_COMMAS = 50_000  # where each message is looked at by itself; a bar has about ten
_MOST_BROKEN = 100


class MixedFrames(Generic[M]):
    """Reads such frames.

    Args:
        messages: of a tagged union's list, e.g. ``msgspec.json.Decoder(list[A | B])``.
        message: of the same union.
        field: what holds a message's kind.
        kinds: those of the union.
    """

    def __init__(
        self,
        messages: msgspec.json.Decoder[list[M]],
        message: msgspec.json.Decoder[M],
        field: str,
        kinds: frozenset[str],
    ) -> None:
        self._messages = messages
        self._message = message
        look = msgspec.defstruct("Look", [("kind", str | None, None)], rename={"kind": field})
        self._look: msgspec.json.Decoder[Any] = msgspec.json.Decoder(look)
        self._parts = msgspec.json.Decoder(list[msgspec.Raw])
        self._kinds = kinds

    def read(self, frame: str | bytes) -> Sequence[M | Rejection]:
        """The messages in ``frame`` and what is broken in it. Never raises."""
        if len(frame) > MAX_FRAME_BYTES and _is_too_much(frame):
            return (oversized(frame),)
        try:
            return self._messages.decode(frame)
        except msgspec.ValidationError as error:
            return self._one_by_one(frame, str(error))
        except NO_JSON as error:
            return (rejection("malformed", str(error), frame),)

    def _one_by_one(self, frame: str | bytes, fault: str) -> Sequence[M | Rejection]:
        if _count(frame, ",") > _MOST_COMMAS:
            return (rejection("malformed", fault, frame),)
        try:
            return list(self._each(self._parts.decode(frame)))
        except NO_JSON as error:
            return (rejection("malformed", str(error), frame),)

    def _each(self, parts: Sequence[msgspec.Raw]) -> Iterator[M | Rejection]:
        broken = 0
        for part in parts:
            item = self._decoded(part)
            if item is None:
                continue
            yield item
            broken += isinstance(item, Rejection)
            if broken == _MOST_BROKEN:
                yield Rejection("malformed", "the rest of the frame was not read")
                return

    def _decoded(self, part: msgspec.Raw) -> M | Rejection | None:
        """None for a message of a kind that is not known."""
        try:
            kind = self._look.decode(part).kind
            if kind is not None and kind not in self._kinds:
                return None
            return self._message.decode(part)
        except NO_JSON as error:
            return rejection("malformed", str(error), bytes(part))


def _is_too_much(frame: str | bytes) -> bool:
    return len(frame) > MAX_MIXED_BYTES or _count(frame, "{") > _MOST_MESSAGES


def _count(frame: str | bytes, character: str) -> int:
    return frame.count(character) if isinstance(frame, str) else frame.count(character.encode())
