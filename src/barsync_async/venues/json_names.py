"""What an in-house feed calls our sources, and the frames that ask it for them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from barsync_async.units import TIMEFRAMES, SourceId, split_source
from barsync_async.venues.json_format import PLACEHOLDER, JsonFormat, Scalar, placeholders

_PARTS = re.compile(r"[/-]")


Route = tuple[str, str, int]
"""Our symbol and timeframe, and the timeframe's length in ms."""


class Ask(NamedTuple):
    """One frame to send, and the sources that it is for."""

    text: str
    sources: tuple[SourceId, ...]


class Names:
    """From the feed's names to ours. Two spellings of ours may be one name there."""

    def __init__(self, sources: Sequence[SourceId], format_: JsonFormat) -> None:
        self.tells_timeframe = format_.timeframe is not None
        self.by_name: dict[tuple[str, Scalar], list[Route]] = {}
        self._by_symbol: dict[str, list[SourceId]] = {}
        self._timeframes: Mapping[str, Scalar] = {
            source: venue_timeframe(format_, split_source(source)[1]) for source in sources
        }
        for source in sources:
            symbol, timeframe = split_source(source)
            name = venue_symbol(format_, source)
            known = self._timeframes[source] if self.tells_timeframe else None
            route = (symbol, timeframe, TIMEFRAMES[timeframe].length_ms)
            self.by_name.setdefault((name, known), []).append(route)
            self._by_symbol.setdefault(name, []).append(source)

    def sources(self, names: Any, timeframe: Any) -> tuple[SourceId, ...]:
        """Those with one of ``names``, and ``timeframe`` if it is told."""
        listed = names if type(names) is list else [names]
        found = [
            source
            for name in dict.fromkeys(name for name in listed if type(name) is str)
            for source in self._by_symbol.get(name, ())
        ]
        if timeframe is None:
            return tuple(found)
        return tuple(each for each in found if timeframe == self._timeframes[each])


def venue_timeframe(format_: JsonFormat, timeframe: str) -> str | int:
    """What the feed calls it."""
    return format_.timeframe_names.get(timeframe, timeframe)


def venue_symbol(format_: JsonFormat, source: str) -> str:
    """What the feed calls the symbol of ``source``."""
    symbol, timeframe = split_source(source)
    base, *quote = _PARTS.split(symbol, maxsplit=1)
    values = {
        "symbol": symbol,
        "base": base,
        "quote": "".join(quote),
        "timeframe": str(venue_timeframe(format_, timeframe)),
    }
    if symbol in format_.symbol_names:
        named = format_.symbol_names[symbol]
        if not format_.names_have_timeframe:
            return named
        values |= {"symbol": named, "base": named}
    return _filled(format_.symbol_template, _cased(format_, values))


def _cased(format_: JsonFormat, values: dict[str, str]) -> dict[str, str]:
    match format_.symbol_case:
        case "upper":
            change = str.upper
        case "lower":
            change = str.lower
        case _:
            return values
    return {key: value if key == "timeframe" else change(value) for key, value in values.items()}


def asks(format_: JsonFormat, sources: Sequence[SourceId]) -> Iterator[Ask]:
    """The frames by which ``sources`` are subscribed, in order."""
    names = [placeholders(template) for template in format_.subscribe]
    for template, own in zip(format_.subscribe, names, strict=True):
        for group in _groups(own, format_, sources):
            asked = () if not own and any(names) else tuple(group)  # a greeting asks for nothing
            yield Ask(_filled(template, _values(format_, group)), asked)


def _groups(
    names: frozenset[str], format_: JsonFormat, sources: Sequence[SourceId]
) -> Iterator[Sequence[SourceId]]:
    """The sources of each frame that is made of a template with ``names``."""
    by_timeframe: dict[str, list[SourceId]] = {}
    for source in sources:
        key = split_source(source)[1] if "timeframe" in names else ""
        by_timeframe.setdefault(key, []).append(source)
    for group in by_timeframe.values():
        size = len(_symbols(format_, group))
        if "symbol" in names:
            size = 1
        elif "symbols" in names:
            size = format_.symbols_per_frame
        yield from _chunks(_symbols(format_, group), max(1, size))


def _chunks(by_symbol: Mapping[str, Sequence[SourceId]], size: int) -> Iterator[Sequence[SourceId]]:
    symbols = list(by_symbol)
    for start in range(0, len(symbols), size):
        chunk = symbols[start : start + size]
        yield [source for symbol in chunk for source in by_symbol[symbol]]


def _symbols(format_: JsonFormat, sources: Sequence[SourceId]) -> Mapping[str, Sequence[SourceId]]:
    by_symbol: dict[str, list[SourceId]] = {}
    for source in sources:
        by_symbol.setdefault(venue_symbol(format_, source), []).append(source)
    return by_symbol


def _values(format_: JsonFormat, sources: Sequence[SourceId]) -> dict[str, str]:
    symbols = list(_symbols(format_, sources))
    timeframe = venue_timeframe(format_, split_source(sources[0])[1])
    return {
        "symbol": _inside_text(symbols[0]),
        "symbols": msgspec.json.encode(symbols).decode(),
        "timeframe": _inside_text(str(timeframe)),
    }


def _inside_text(text: str) -> str:
    """As it stands within the quotes of a JSON text."""
    return msgspec.json.encode(text).decode()[1:-1]


def _filled(template: str, values: Mapping[str, str]) -> str:
    """In one pass: what was put in is not looked at again."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], template)
