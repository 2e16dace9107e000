"""Events as bytes: one JSON object a line, the same on every output.

It knows the lines' form and nothing of where they go.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from barsync_async.features.table import FeatureTable, Values
from barsync_async.messages import Bar, Event


def plain_mapping(value: Any) -> Any:
    """An encoder's hook: a read-only mapping of a payload as one that it writes.

    Raises:
        NotImplementedError: it is anything else.
    """
    if isinstance(value, FeatureTable):
        return value.encodable()
    if isinstance(value, MappingProxyType | Values):
        return value.copy()
    raise NotImplementedError(f"{type(value).__name__} has no form on the wire")


class _BarsOnce:
    """An encoder's hook that encodes the bars of a set once for all events in a row that hold them,
    on whatever output: they are most of the bytes of a set, and of its features.
    """

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder(enc_hook=plain_mapping)
        self._last: tuple[Any, msgspec.Raw] = None, msgspec.Raw()

    def __call__(self, value: Any) -> Any:
        if type(value) is not MappingProxyType or type(next(iter(value.values()), None)) is not Bar:
            return plain_mapping(value)
        bars, encoded = self._last  # at once: outputs encode in threads of their own
        if bars is not value:
            encoded = msgspec.Raw(self._encoder.encode(value))
            self._last = value, encoded
        return encoded


_encoder = msgspec.json.Encoder(enc_hook=_BarsOnce())


def encode(event: Event) -> bytes:
    """``event`` as one JSON object without a line feed; NaN is ``null``.

    The fields of the payload follow ``type``, ``container`` and ``seq``.
    """
    container = _encoder.encode(event.container)
    head = b'{"type":"%b","container":%b,"seq":%d,' % (
        event.event_type.encode(),
        container,
        event.seq,
    )
    return head + _encoder.encode(event.payload)[1:]


def encode_lines(events: Sequence[Event]) -> bytes:
    """The events as JSON lines, each with its line feed."""
    return b"".join([encode(event) + b"\n" for event in events])
