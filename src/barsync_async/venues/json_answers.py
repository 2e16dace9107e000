"""What an in-house feed says of our subscriptions: acknowledgements and errors."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from barsync_async.messages import excerpt
from barsync_async.units import SourceId
from barsync_async.venues.json_format import (
    JsonAcknowledgement,
    JsonError,
    JsonFormat,
    JsonMatch,
    Scalar,
)
from barsync_async.venues.json_names import Names
from barsync_async.venues.json_path import MISSING, find, parse_path
from barsync_async.venues.outcomes import Acknowledged, Received, Refusal


class AnswerReader:
    """Acknowledgements and errors, and what has had neither."""

    def __init__(
        self, names: Names, asked: Sequence[tuple[SourceId, ...]], format_: JsonFormat
    ) -> None:
        self._names = names
        self._ack = _Kind(format_.acknowledgement) if format_.acknowledgement else None
        self._error = _Kind(format_.error) if format_.error else None
        self._queue = deque(asked)
        asked_for = [source for sources in self._queue for source in sources]
        self._pending = dict.fromkeys(asked_for if self._ack else ())

    def pending(self) -> Sequence[SourceId]:
        """Those without an answer; none where the format knows no acknowledgement."""
        return list(self._pending)

    def has(self, message: Any) -> bool:
        """Whether there is any in ``message``."""
        return any(kind.matches(message) for kind in (self._ack, self._error) if kind)

    def read(self, message: Any) -> Sequence[Received]:
        """What ``message`` answers; nothing if it is no answer."""
        if self._error and self._error.matches(message):
            sources = self._settled(self._error.sources(message, self._names))
            detail = excerpt(self._error.told(message))
            return (Refusal(sources, detail, final=self._error.final),)
        if self._ack and self._ack.matches(message):
            if self._ack.names_symbols:
                return (Acknowledged(self._settled(self._ack.sources(message, self._names))),)
            first = self._queue.popleft() if self._queue else ()
            return (Acknowledged(self._settled(first)),)
        return ()

    def _settled(self, sources: tuple[SourceId, ...]) -> tuple[SourceId, ...]:
        for source in sources:
            self._pending.pop(source, None)
        return sources


class _Kind:
    """A kind of answer, its paths compiled."""

    def __init__(self, part: JsonAcknowledgement | JsonError) -> None:
        self.matches = matcher(part)
        self.names_symbols = part.symbol is not None
        self.final = isinstance(part, JsonError) and part.final
        self._symbol = _finder(part.symbol)
        self._timeframe = _finder(part.timeframe)
        self._text = _finder(part.text if isinstance(part, JsonError) else None)

    def sources(self, message: Any, names: Names) -> tuple[SourceId, ...]:
        """What it is about, of all that was asked for."""
        timeframe = self._timeframe(message)
        return names.sources(self._symbol(message), None if timeframe is MISSING else timeframe)

    def told(self, message: Any) -> str:
        """The reason that it gives."""
        text = self._text(message)
        return text if type(text) is str else "the feed reports an error"


def _finder(text: str | None) -> Callable[[Any], Any]:
    if text is None:
        return lambda _: MISSING
    path = parse_path(text)
    return lambda message: find(path, message)


def matcher(part: JsonMatch | JsonAcknowledgement | JsonError) -> Callable[[Any], bool]:
    """Whether a message has the value of ``part`` at its path."""
    path, wanted = parse_path(part.path), part.equals
    if len(path.steps) == 1 and path.steps[0].place is None and type(wanted) is str:
        name = path.steps[0].name  # by far the most frequent kind
        return lambda message: type(message) is dict and message.get(name) == wanted
    return lambda message: same(find(path, message), wanted)


def same(value: Any, wanted: Scalar) -> bool:
    """Equal and of one type: 1 is not true."""
    return alike(value, wanted) and bool(value == wanted)


def alike(value: Any, wanted: Scalar) -> bool:
    """Of one type; 12.0 is as good as 12."""
    if type(value) is type(wanted):
        return True
    return {type(value), type(wanted)} == {int, float}
