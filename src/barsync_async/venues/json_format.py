"""The description of an in-house feed's JSON messages; plain data, checked when it is made.

For paths see :mod:`barsync_async.venues.json_path`. Templates are texts in which ``{symbol}``,
``{timeframe}`` and ``{symbols}`` are replaced, and nothing else: the braces of JSON stay.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from barsync_async.units import TIMEFRAMES
from barsync_async.venues.json_path import parse_path
from barsync_async.venues.keep_alive import KeepAlive

Scalar = str | int | float | bool | None

TimeUnit = Literal["s", "ms", "us", "ns", "iso"]
TimeLabel = Literal["open", "close"]

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_IN_FRAMES = ("symbol", "symbols", "timeframe")
_IN_NAMES = ("symbol", "base", "quote", "timeframe")
_MOST_SYMBOLS = 10_000
_DAY_MS = 86_400_000


class JsonMatch(msgspec.Struct, frozen=True):
    """The value at ``path`` is ``equals``, of the same type."""

    path: str
    equals: Scalar


class JsonAcknowledgement(msgspec.Struct, frozen=True):
    """A message that confirms: the value at ``path`` is ``equals``.

    ``symbol`` leads to what is confirmed, a name or an array of them, and ``timeframe``, if there
    is one, to its timeframe. Without ``symbol`` the n-th such message confirms the n-th subscribe
    frame.
    """

    path: str
    equals: Scalar
    symbol: str | None = None
    timeframe: str | None = None


class JsonError(msgspec.Struct, frozen=True):
    """A message that refuses: the value at ``path`` is ``equals``.

    ``text`` leads to the reason; ``symbol`` and ``timeframe`` to what is refused, as above; where
    they lead to nothing that was asked for, the connection is refused. ``final``: asking again
    cannot help.
    """

    path: str
    equals: Scalar
    text: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    final: bool = False


class JsonFormat(msgspec.Struct, frozen=True, kw_only=True):
    """One feed's messages.

    Args:
        symbol, time, open, high, low, close, volume: paths, from the bar or, with ``$``, from the
            message.
        time_unit: the time's unit; ``iso`` is RFC 3339 with an offset.
        time_label: whether it is the interval's beginning or its (exclusive) end.
        timeframe: path of the bar's timeframe.
        fixed_timeframe: that of all bars, where no message tells it.
        timeframe_names: from ours (``1m``) to the feed's; those that are missing here are not
            offered. Empty: the same names.
        symbol_template: how the feed spells a symbol: of ``{symbol}`` as in the config, ``{base}``
            and ``{quote}``, its parts at ``/`` or ``-``, and ``{timeframe}``.
        symbol_case: what becomes of the letters.
        symbol_names: from ours to the feed's, for what the template cannot do.
        subscribe: templates of the frames to send first. One with ``{symbols}``, a JSON array, is
            sent for every ``symbols_per_frame`` symbols; one with ``{symbol}`` for each; both for
            each timeframe, if they have ``{timeframe}``; any other once.
        send_interval_ms: the least time between two frames.
        frame: whether a frame is one message or an array of them.
        bars: path from the message to its bar or, with ``[]``, bars; empty: the message is one.
        only: which messages have bars; None: all in which ``bars`` leads somewhere.
        final: which bars are final; None: see ``finality``.
        finality: without ``final``: ``always``, every bar is; or ``later bar or clock``, nobody
            knows but by a later bar or the clock. With it: ``flag``, and may be left out.
        acknowledgement, error: messages of those kinds; None: there are none.
        ignore: whole frames that mean nothing, such as a bare ``pong``.
        keep_alive: what to send, and when.
        silence_ms: how long nothing may come before the connection is dead.
    """

    symbol: str
    time: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    time_unit: TimeUnit
    time_label: TimeLabel
    timeframe: str | None = None
    fixed_timeframe: str | None = None
    timeframe_names: Mapping[str, str | int] = {}
    symbol_template: str = "{symbol}"
    symbol_case: Literal["as is", "upper", "lower"] = "as is"
    symbol_names: Mapping[str, str] = {}
    subscribe: tuple[str, ...] = ()
    symbols_per_frame: int = 100
    send_interval_ms: int = 0
    frame: Literal["object", "array"] = "object"
    bars: str = ""
    only: JsonMatch | None = None
    final: JsonMatch | None = None
    finality: Literal["flag", "always", "later bar or clock"] | None = None
    acknowledgement: JsonAcknowledgement | None = None
    error: JsonError | None = None
    ignore: tuple[str, ...] = ()
    keep_alive: KeepAlive | None = None
    silence_ms: int | None = None

    def __post_init__(self) -> None:
        _check_paths(self)
        _check_timeframes(self)
        _check_templates(self)
        _check_finality(self)
        _check_numbers(self)
        if not self.bars and self.only is None and (self.acknowledgement or self.error):
            raise ValueError("only: is required: every message would be a bar, errors too")

    @property
    def names_have_timeframe(self) -> bool:
        """Whether a symbol's name at the feed tells the timeframe as well."""
        return "timeframe" in placeholders(self.symbol_template)


def placeholders(template: str) -> frozenset[str]:
    """The names in braces in ``template``."""
    return frozenset(PLACEHOLDER.findall(template))


def _check_paths(format_: JsonFormat) -> None:
    for name in ("symbol", "time", "open", "high", "low", "close", "volume"):
        if not getattr(format_, name):
            raise ValueError(f"{name}: expected a path")
        _check_path(name, getattr(format_, name))
    for name in ("timeframe", "bars"):
        _check_path(name, getattr(format_, name), to_bars=name == "bars")
    for name in ("only", "final", "acknowledgement", "error"):
        part = getattr(format_, name)
        for key in ("path", "symbol", "timeframe", "text") if part is not None else ():
            _check_path(f"{name}.{key}", getattr(part, key, None))


def _check_path(name: str, path: str | None, *, to_bars: bool = False) -> None:
    try:
        parse_path(path or "", to_bars=to_bars)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _check_timeframes(format_: JsonFormat) -> None:
    ways = {
        "timeframe": format_.timeframe is not None,
        "fixed_timeframe": format_.fixed_timeframe is not None,
        "{timeframe} in symbol_template": format_.names_have_timeframe,
    }
    told = [name for name, there in ways.items() if there]
    if len(told) != 1:
        shown = f", not both {' and '.join(told)}" if told else ""
        raise ValueError(f"timeframe: expected one of {', '.join(ways)}{shown}")
    for name in (format_.fixed_timeframe, *format_.timeframe_names):
        if name is not None and name not in TIMEFRAMES:
            raise ValueError(f"{name!r} is no timeframe; one of {' '.join(TIMEFRAMES)}")
    _check_distinct("timeframe_names", format_.timeframe_names.values())


def _check_distinct(name: str, values: Iterable[str | int]) -> None:
    seen: set[str | int] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{name}: {value!r} stands for two")
        seen.add(value)


def _check_templates(format_: JsonFormat) -> None:
    for template in format_.subscribe:
        _check_template("subscribe", template, _IN_FRAMES)
        if {"symbol", "symbols"} <= placeholders(template):
            raise ValueError("subscribe: a template has {symbol} or {symbols}, not both")
    _check_template("symbol_template", format_.symbol_template, _IN_NAMES)
    if not placeholders(format_.symbol_template) & {"symbol", "base"}:
        raise ValueError("symbol_template: has neither {symbol} nor {base}")
    if not format_.names_have_timeframe:
        _check_distinct("symbol_names", format_.symbol_names.values())


def _check_template(name: str, template: str, known: tuple[str, ...]) -> None:
    for each in sorted(placeholders(template)):
        if each not in known:
            wanted = " ".join(f"{{{every}}}" for every in known)
            raise ValueError(f"{name}: {{{each}}} is unknown; there are {wanted}")


def _check_finality(format_: JsonFormat) -> None:
    if format_.final is not None and format_.finality not in (None, "flag"):
        raise ValueError(f"finality: {format_.finality!r} contradicts final")
    if format_.final is None and format_.finality in (None, "flag"):
        raise ValueError("finality: is required without final: always, or later bar or clock")


def _check_numbers(format_: JsonFormat) -> None:
    _check_range("symbols_per_frame", format_.symbols_per_frame, 1, _MOST_SYMBOLS)
    _check_range("send_interval_ms", format_.send_interval_ms, 0, _DAY_MS)
    if format_.silence_ms is not None:
        _check_range("silence_ms", format_.silence_ms, 1, _DAY_MS)
    if format_.keep_alive is not None:
        _check_range("keep_alive.every_ms", format_.keep_alive.every_ms, 1, _DAY_MS)


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name}: {value} is not from {least} to {most}")
