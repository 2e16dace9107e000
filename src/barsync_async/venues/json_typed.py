"""The messages of a simple JSON format, decoded in one typed pass.

Simple is a format whose bars are objects under names, with every field of a bar one name within
it; the symbol and the timeframe may stand beside the bars instead. A frame that is not as it should
be is left to the general reader, which knows what to say of it. What this one gives, that one would
give too, unless something that nobody can read stands in a place that is not looked at here.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from barsync_async.messages import Bar
from barsync_async.venues.fields import NO_JSON
from barsync_async.venues.json_bars import BarMaker
from barsync_async.venues.json_format import JsonFormat, Scalar
from barsync_async.venues.json_names import Names
from barsync_async.venues.json_path import Path, parse_path
from barsync_async.venues.outcomes import Running

_NUMBERS = ("open", "high", "low", "close", "volume")
_INNER = "inner"
_NO_SIMPLE_BAR = (*NO_JSON, TypeError, ValueError, OverflowError)

_Fields = dict[str, tuple[str, Any]]
"""By the name here: the name in the message, and the type."""


class _Layout(NamedTuple):
    """Which fields stand in the message, and which in a bar at the end of ``steps``."""

    message: _Fields
    bar: _Fields
    steps: tuple[str, ...]
    many: bool


class TypedReader:
    """Reads frames of one simple format; made by :func:`typed_reader`."""

    def __init__(self, layout: _Layout, names: Names, maker: BarMaker, format_: JsonFormat) -> None:
        self._decoder = _decoder(layout)
        self._bars = _bars_of(layout)
        self._only = format_.only.equals if format_.only else None
        self._final = format_.final
        self._names_of = _names_of(layout)
        self._by_name = names.by_name
        self._maker = maker
        # Where a final bar's flag is true, a frame without that word has running ones only. The
        # flags alone then say so, for less than the prices cost.
        self._flags = _decoder(_flags_of(layout)) if _is_true(format_) else None

    def read(self, frame: str | bytes) -> Sequence[Bar | Running] | None:
        """The bars in ``frame``; None where the general reader is to look at it."""
        try:
            word = b"true" if type(frame) is bytes else "true"
            if self._flags is not None and frame.rfind(word) < 0:  # type: ignore[arg-type]
                return self._running(self._flags.decode(frame))
            message = self._decoder.decode(frame)
            if self._only is not None and message.only != self._only:
                return None
            return self._read_all(self._bars(message), message)
        except _NO_SIMPLE_BAR:
            return None

    def _running(self, message: Any) -> Sequence[Bar | Running] | None:
        """Nothing, if the message has bars and all are running."""
        if self._only is not None and message.only != self._only:
            return None
        bars = self._bars(message)
        for bar in bars:
            if bar.flag is not False:
                return None
        return () if bars else None

    def _read_all(self, bars: Sequence[Any], message: Any) -> Sequence[Bar | Running] | None:
        if len(bars) == 1:
            return self._read(bars[0], message)
        found: list[Bar | Running] = []
        for bar in bars:
            items = self._read(bar, message)
            if items is None:
                return None
            found += items
        return found if bars else None

    def _read(self, bar: Any, message: Any) -> Sequence[Bar | Running] | None:
        maker = self._maker
        if self._final is not None and not maker.is_final(bar.flag):
            return ()
        routes = self._by_name.get(self._names_of(bar, message))
        if routes is None:
            return None
        numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        made = maker.bars(routes, maker.moment(bar.time), numbers)
        return None if isinstance(made, str) else made


def typed_reader(format_: JsonFormat, names: Names, maker: BarMaker) -> TypedReader | None:
    """None where the format is not simple."""
    layout = _layout(format_)
    if layout is None or not _are_texts(names.by_name):
        return None
    return TypedReader(layout, names, maker, format_)


def _are_texts(names: Mapping[tuple[str, Scalar], Any]) -> bool:
    """Whether every timeframe is called by a text: a lax decoder takes one for a number."""
    return all(isinstance(timeframe, str | None) for _, timeframe in names)


def _layout(format_: JsonFormat) -> _Layout | None:
    steps, many = _simple_steps(parse_path(format_.bars, to_bars=True))
    if format_.frame == "array" or steps is None:
        return None
    message: _Fields = {}
    bar: _Fields = {}
    for name, text, type_ in _wanted(format_):
        path = parse_path(text)
        is_beside = name == "only" or path.from_message
        if len(path.steps) != 1 or path.steps[0].place is not None:
            return None
        if is_beside and name not in ("only", "symbol", "timeframe"):
            return None
        (message if is_beside else bar)[name] = (path.steps[0].name, type_)
    if not steps:
        message, bar = bar | message, {}
    taken = [name for name, _ in message.values()] + [steps[0] for _ in steps[:1]]
    own = [name for name, _ in bar.values()]
    if len(set(taken)) < len(taken) or len(set(own)) < len(own):
        return None
    return _Layout(message, bar, steps, many)


def _simple_steps(path: Path) -> tuple[tuple[str, ...] | None, bool]:
    """The names on the way to the bars, and whether these are many; None: it is not so simple."""
    simple = all(
        step.name and step.place is None and (not step.each or step is path.steps[-1])
        for step in path.steps
    )
    if not simple:
        return None, False
    return tuple(step.name for step in path.steps), bool(path.steps and path.steps[-1].each)


def _wanted(format_: JsonFormat) -> Sequence[tuple[str, str, Any]]:
    """The name here, the path and the type of each field that the format has."""
    time_type = str if format_.time_unit == "iso" else int
    wanted: list[tuple[str, str, Any]] = [
        ("symbol", format_.symbol, str),
        ("time", format_.time, time_type),
        *((name, getattr(format_, name), float) for name in _NUMBERS),
    ]
    if format_.timeframe is not None:
        wanted.append(("timeframe", format_.timeframe, str))
    if format_.final is not None:
        wanted.append(("flag", format_.final.path, Any))  # a lax decoder takes 1 for true
    if format_.only is not None:
        wanted.append(("only", format_.only.path, Any))
    return wanted


def _is_true(format_: JsonFormat) -> bool:
    return format_.final is not None and format_.final.equals is True


def _flags_of(layout: _Layout) -> _Layout:
    """As much of a message as tells whether its bars are final."""
    message = {name: each for name, each in layout.message.items() if name in ("only", "flag")}
    bar = {name: each for name, each in layout.bar.items() if name == "flag"}
    return layout._replace(message=message, bar=bar)


def _decoder(layout: _Layout) -> msgspec.json.Decoder[Any]:
    """Of a message, with prices that are texts as well."""
    type_: Any = _struct("Bar", layout.bar)
    if layout.many:
        type_ = list[type_]
    for depth, name in reversed(list(enumerate(layout.steps))):
        fields = dict(layout.message) if depth == 0 else {}
        type_ = _struct("Message", fields | {_INNER: (name, type_)})
    if not layout.steps:
        type_ = _struct("Message", layout.message)
    return msgspec.json.Decoder(type_, strict=False)


def _struct(name: str, fields: _Fields) -> Any:
    rename = {here: there for here, (there, _) in fields.items()}
    return msgspec.defstruct(
        name, [(here, type_) for here, (_, type_) in fields.items()], rename=rename, gc=False
    )


def _bars_of(layout: _Layout) -> Callable[[Any], Sequence[Any]]:
    """From a decoded message to its bars."""
    if not layout.steps:
        return lambda message: (message,)
    inner = attrgetter(".".join([_INNER] * len(layout.steps)))
    return inner if layout.many else lambda message: (inner(message),)


def _names_of(layout: _Layout) -> Callable[[Any, Any], tuple[str, Scalar]]:
    """From a bar and its message to what the feed calls its symbol and timeframe."""
    has_symbol, has_timeframe = "symbol" in layout.bar, "timeframe" in layout.bar
    if has_symbol and has_timeframe:
        return lambda bar, _: (bar.symbol, bar.timeframe)
    if "timeframe" not in layout.message and not has_timeframe:
        return lambda bar, message: ((bar if has_symbol else message).symbol, None)
    return lambda bar, message: (
        (bar if has_symbol else message).symbol,
        (bar if has_timeframe else message).timeframe,
    )
