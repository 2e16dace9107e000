"""What goes between the daemon and a strategy's process, as bytes. No code ever goes back."""

from threading import Lock

import msgspec
from msgspec.structs import replace

from barsync_async.messages import (
    Decision,
    Features,
    PortfolioUpdate,
    excerpt,
    frozen_mapping,
)
from barsync_async.shell.components.held_strategy import Answer, Failure, checked
from barsync_async.wire import plain_mapping

MOST_REPLY_BYTES = 1 << 24
"""More than the largest decision there may be; a longer reply is not read."""


class Request(msgspec.Struct, frozen=True):
    """What a strategy is asked about; ``number`` comes back in the reply."""

    number: int
    features: Features
    portfolio: PortfolioUpdate | None


class Greeting(msgspec.Struct, frozen=True):
    """The first reply: the strategy's ``name``, or why it could not be made and the traceback."""

    name: str
    error: str | None = None
    traceback: str = ""


class _Reply(msgspec.Struct, frozen=True):
    number: int
    decision: Decision | None
    failure: Failure | None


_encoder = msgspec.msgpack.Encoder(enc_hook=plain_mapping)
_requests = msgspec.msgpack.Decoder(Request)
_replies = msgspec.msgpack.Decoder(_Reply)
_greetings = msgspec.msgpack.Decoder(Greeting)


class RequestEncoder:
    """Writes for the strategies' processes what all of them are asked about: once a set, whichever
    of their threads comes first.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._number = 0
        self._last: tuple[Features, PortfolioUpdate | None, bytes] | None = None

    def encode(self, features: Features, portfolio: PortfolioUpdate | None) -> tuple[int, bytes]:
        """The message and its number; the same as last time where both are the same objects."""
        with self._lock:
            last = self._last
            if last is None or last[0] is not features or last[1] is not portfolio:
                self._number += 1
                raw = _encoder.encode(Request(self._number, features, portfolio))
                last = self._last = features, portfolio, raw
            return self._number, last[2]


def decode_request(raw: bytes) -> Request:
    """In the strategy's process: read-only there, as it is everywhere."""
    request = _requests.decode(raw)
    features, portfolio = request.features, request.portfolio
    groups = {key: frozen_mapping(dict(values)) for key, values in features.features.items()}
    return Request(
        request.number,
        replace(
            features,
            features=frozen_mapping(groups),
            bars=frozen_mapping(dict(features.bars)),
        ),
        portfolio and replace(portfolio, positions=frozen_mapping(dict(portfolio.positions))),
    )


def encode_reply(number: int, answer: Answer) -> bytes:
    """For the daemon: what is said to the request of that number."""
    if isinstance(answer, Decision):
        return _encoder.encode(_Reply(number, answer, None))
    return _encoder.encode(_Reply(number, None, answer))


def decode_reply(number: int, raw: bytes) -> Answer:
    """In the daemon, which trusts none: what is checked in the process, too, is checked again.

    Raises:
        msgspec.DecodeError: it is no reply.
        ValueError: it is no decision that others may have, or not to that request.
    """
    reply = _replies.decode(raw)
    if reply.number != number:
        raise ValueError(f"a reply to request {reply.number}, expected one to {number}")
    if reply.decision is not None:
        return checked(reply.decision)
    failure = reply.failure or Failure("died", "an empty reply")
    return replace(failure, detail=excerpt(failure.detail))


def encode_greeting(greeting: Greeting) -> bytes:
    """For the daemon."""
    return _encoder.encode(greeting)


def decode_greeting(raw: bytes) -> Greeting:
    """In the daemon.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _greetings.decode(raw)
