"""Any feed of JSON messages, as its config describes it: the client's side.

All that is known of the feed is its :class:`~barsync_async.venues.json_format.JsonFormat`. Where
that is simple, frames are decoded in one typed pass. All others, and frames that are not as they
should be, are decoded into plain objects, and the fields found by paths that were compiled before.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from barsync_async.messages import excerpt
from barsync_async.units import TIMEFRAMES, SourceId, split_source
from barsync_async.venues.facts import VenueFacts
from barsync_async.venues.fields import MAX_FRAME_BYTES, NO_JSON, oversized, rejection
from barsync_async.venues.json_answers import AnswerReader, matcher
from barsync_async.venues.json_bars import BarMaker, Numbers
from barsync_async.venues.json_format import JsonFormat, placeholders
from barsync_async.venues.json_names import Names, asks
from barsync_async.venues.json_path import (
    MISSING,
    find,
    finder,
    parse_path,
    reader,
    reader_of_all,
)
from barsync_async.venues.json_typed import typed_reader
from barsync_async.venues.options import VenueOptions
from barsync_async.venues.outcomes import Received, Rejection

_MOST_REJECTIONS = 16
"""Of one frame; a longer list of the same complaint helps nobody."""

_INT64 = range(-(2**63), 2**63)
_decoder = msgspec.json.Decoder()
_NO_MESSAGE = (*NO_JSON, ValueError)
_NO_BAR = (LookupError, TypeError, ValueError, OverflowError, msgspec.ValidationError)


class _Frame:
    """One frame and how much of it was wrong."""

    __slots__ = ("data", "wrong")

    def __init__(self, data: str | bytes) -> None:
        self.data = data
        self.wrong = 0

    def reject(self, reason: str, detail: str) -> Sequence[Received]:
        """A rejection, unless there were many: then it is only counted."""
        self.wrong += 1
        if self.wrong > _MOST_REJECTIONS:
            return ()
        return (rejection(reason, detail, self.data),)

    def rest(self) -> Sequence[Received]:
        """What became of those that were only counted."""
        if self.wrong <= _MOST_REJECTIONS:
            return ()
        return (Rejection("malformed", f"{self.wrong - _MOST_REJECTIONS} more in the same frame"),)


class JsonCodec:
    """Makes sessions by ``options.format``; has no endpoint of its own."""

    name = "json"
    default_url = ""
    facts = VenueFacts(
        title="any feed of JSON messages",
        timeframes=tuple(TIMEFRAMES),
        finality="later bar or clock",
        revisions="as the feed does",
        silence="no bar",
        max_sources=10_000,
        limits="as the format says",
    )
    history = None

    def supports(self, source: SourceId, options: VenueOptions) -> str | None:
        """Why the feed, as described in ``options``, cannot carry ``source``."""
        format_ = options.format
        if format_ is None or options.url is None:
            return "venue json needs a url and a format: the table that describes its messages"
        symbol, timeframe = split_source(source)
        if format_.fixed_timeframe not in (None, timeframe):
            return f"the format's fixed_timeframe is {format_.fixed_timeframe}"
        if format_.timeframe_names and timeframe not in format_.timeframe_names:
            offered = " ".join(format_.timeframe_names)
            return f"the format's timeframe_names have no {timeframe}; they have {offered}"
        parted = "/" in symbol or "-" in symbol or symbol in format_.symbol_names
        if "quote" in placeholders(format_.symbol_template) and not parted:
            return "the format's symbol_template wants a {quote}: write it as BASE/QUOTE"
        return None

    def stream(self, source: SourceId) -> str:
        """The source's own name: what the feed calls it depends on the format."""
        return source

    def session(self, sources: Sequence[SourceId], options: VenueOptions) -> "JsonSession":
        """The state of a new connection that carries ``sources``.

        Raises:
            ValueError: ``options`` have no format.
        """
        if options.format is None:
            raise ValueError("venue json needs a format")
        return JsonSession(sources, options.url or self.default_url, options.format)


class JsonSession:
    """One connection: subscriptions out, bars in. Pure; never raises on what it receives."""

    def __init__(self, sources: Sequence[SourceId], url: str, format_: JsonFormat) -> None:
        self.url = url
        self.send_interval_ms = format_.send_interval_ms
        self.keep_alive = format_.keep_alive
        self.silence_ms = format_.silence_ms
        self._asks = list(asks(format_, sources))
        self._names = Names(sources, format_)
        maker = BarMaker(format_)
        self._bars = _BarReader(self._names, format_, maker)
        self._typed = typed_reader(format_, self._names, maker)
        self._answers = AnswerReader(self._names, [ask.sources for ask in self._asks], format_)
        self._ignored = frozenset(format_.ignore)
        self._is_array = format_.frame == "array"
        self._only = matcher(format_.only) if format_.only else None
        self._path = parse_path(format_.bars, to_bars=True)
        self._many = any(step.each for step in self._path.steps)
        self._each = finder(self._path)

    def opening_frames(self) -> Sequence[str]:
        """The templates, filled in."""
        return [ask.text for ask in self._asks]

    def unacknowledged(self) -> Sequence[SourceId]:
        """Those without an answer; none where the format knows no acknowledgement."""
        return self._answers.pending()

    def receive(self, frame: str | bytes) -> Sequence[Received]:
        """What ``frame`` means; nothing for a running bar or a message of another kind."""
        if len(frame) > MAX_FRAME_BYTES:
            return (oversized(frame),)
        if self._typed is not None and (bars := self._typed.read(frame)) is not None:
            return bars
        try:
            content = _decoder.decode(frame)
        except _NO_MESSAGE as error:
            return self._no_json(error, frame)
        whole = _Frame(frame)
        if not self._is_array:
            items = self._message(content, whole)
            return [*items, *whole.rest()] if whole.wrong > 1 else items
        if type(content) is not list:
            return whole.reject("malformed", "no array of messages")
        items = [item for each in content for item in self._message(each, whole)]
        return [*items, *whole.rest()]

    def _no_json(self, error: Exception, frame: str | bytes) -> Sequence[Received]:
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        if text in self._ignored:
            return ()
        return (rejection("malformed", excerpt(str(error)), frame),)

    def _message(self, message: Any, frame: _Frame) -> Sequence[Received]:
        chosen = self._only is None or self._only(message)
        if chosen:
            found = self._found(message)
            if found is not None and (found or self._only):
                return self._bars.read(found, message, frame)
            if self._only is not None:
                return frame.reject("malformed", "no bars where the format has them")
        if type(message) is not dict and not self._answers.has(message):
            return frame.reject("malformed", "no known message")
        return self._answers.read(message)

    def _found(self, message: Any) -> Sequence[Any] | None:
        """The bars; None where the path leads nowhere."""
        if not self._path.steps:
            return (message,)
        if self._many:
            try:
                return self._each(message)
            except (LookupError, TypeError):
                return None
        bar = find(self._path, message)
        return None if bar is MISSING or bar is None else (bar,)


class _BarReader:
    """From decoded bars to ours."""

    def __init__(self, names: Names, format_: JsonFormat, maker: BarMaker) -> None:
        self._by_name = names.by_name
        self._maker = maker
        self._symbol = reader(format_.symbol)
        self._timeframe = reader(format_.timeframe) if format_.timeframe is not None else None
        self._time = reader(format_.time)
        self._numbers = reader_of_all(
            [format_.open, format_.high, format_.low, format_.close, format_.volume]
        )
        self._flag = reader(format_.final.path) if format_.final else None

    def read(self, bars: Sequence[Any], message: Any, frame: _Frame) -> Sequence[Received]:
        if len(bars) == 1:
            return self._bar(bars[0], message, frame)
        return [item for bar in bars for item in self._bar(bar, message, frame)]

    def _bar(self, bar: Any, message: Any, frame: _Frame) -> Sequence[Received]:
        try:
            if self._flag is not None and not self._maker.is_final(self._flag(bar, message)):
                return ()
            symbol = self._symbol(bar, message)
            timeframe = self._timeframe(bar, message) if self._timeframe else None
            routes = self._by_name.get((symbol, timeframe))
            if routes is None or type(symbol) is not str:
                return frame.reject(*_unknown(symbol, timeframe))
            moment = self._maker.moment(self._time(bar, message))
            numbers = msgspec.convert(self._numbers(bar, message), Numbers, strict=False)
        except _NO_BAR as error:
            return frame.reject("malformed", _reason(error))
        made = self._maker.bars(routes, moment, numbers)
        return frame.reject("invalid", made) if isinstance(made, str) else made


def _unknown(symbol: Any, timeframe: Any) -> tuple[str, str]:
    """Why there is no such source."""
    for value in (symbol, timeframe):
        if type(value) is int and value not in _INT64:
            return "malformed", "a number of very many digits for a name"
        if value is not None and type(value) is not str and type(value) is not int:
            return "malformed", "a symbol or timeframe that is no text"
    return "unknown_source", excerpt(f"{symbol}" if timeframe is None else f"{symbol} {timeframe}")


def _reason(error: Exception) -> str:
    if isinstance(error, LookupError):
        return f"a field is missing: {excerpt(str(error))[:60]}"
    return excerpt(str(error))[:200]
