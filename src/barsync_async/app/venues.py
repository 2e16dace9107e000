"""``barsync venues``: what each codec says of its venue, for people and for programs."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from textwrap import wrap
from typing import Any, NamedTuple

import msgspec

from barsync_async.units import TIMEFRAMES
from barsync_async.venues import CODECS

_GAP = "  "
_LEAST_WIDTH = 20
_NO_LIMIT = 1_000_000
_JSON_INDENT = 2


class _Column(NamedTuple):
    title: str
    cell: Callable[[str], str]


def all_venues(names: Sequence[str], width: int | None) -> str:
    """A table, one venue a row, its cells wrapped until it is no wider than ``width``; with fewer
    columns, or venue by venue, where even so it is.
    """
    for columns in (_COLUMNS, _COLUMNS[:_FEWER]):
        table = [[column.title for column in columns]]
        table += [[column.cell(name) for column in columns] for name in names]
        widths = _fitted(table, width)
        if widths is not None:
            return "\n".join(line for row in table for line in _lines(row, widths))
    return "\n\n".join(one_venue(name, width) for name in names)


def one_venue(name: str, width: int | None) -> str:
    """Everything that is known of it, one fact a line, wrapped where it is too long."""
    facts = _facts(name)
    longest = max(map(len, facts))
    room = _NO_LIMIT if width is None else max(_LEAST_WIDTH, width - longest - len(_GAP))
    table = [[key, _shown(value)] for key, value in facts.items()]
    return "\n".join(line for row in table for line in _lines(row, [longest, room]))


def as_json(names: Sequence[str]) -> str:
    """An array of objects, each with a venue's facts."""
    encoded = msgspec.json.encode([_facts(name) for name in names])
    return msgspec.json.format(encoded, indent=_JSON_INDENT).decode()


def nearest(name: str) -> str:
    """What to say of a name that no venue has."""
    close = get_close_matches(name.lower(), CODECS, 1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"there is no venue {name!r}.{hint} There are {', '.join(CODECS)}."


def _facts(name: str) -> dict[str, Any]:
    codec = CODECS[name]
    facts: dict[str, Any] = msgspec.to_builtins(codec.facts)
    url = codec.default_url or None
    return {"name": name, "url": url, "history": codec.history is not None} | facts


def _shown(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list() | tuple():
            return " ".join(map(_shown, value)) or "none"
        case _:
            return str(value)


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return "any"
    hours, rest = divmod(seconds, 3_600)
    return f"{seconds:,} s" if rest else f"{hours} h"


def _timeframes(names: Sequence[str]) -> str:
    """``1m 3m 5m 15m`` -> ``1m…15m`` where none between is missing."""
    order = [*TIMEFRAMES]
    places = sorted(order.index(name) for name in names if name in order)
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return " ".join(_run([order[place] for place in run]) for run in runs)


def _run(names: Sequence[str]) -> str:
    return f"{names[0]}…{names[-1]}" if len(names) > 2 else " ".join(names)  # noqa: PLR2004


_COLUMNS = (
    _Column("venue", lambda name: name),
    _Column("title", lambda name: CODECS[name].facts.title),
    _Column("timeframes", lambda name: _timeframes(CODECS[name].facts.timeframes)),
    _Column("final by", lambda name: CODECS[name].facts.finality),
    _Column("revisions", lambda name: CODECS[name].facts.revisions),
    _Column("without trades", lambda name: CODECS[name].facts.silence),
    _Column("sources", lambda name: f"{CODECS[name].facts.max_sources:,}"),
    _Column("lifetime", lambda name: _duration(CODECS[name].facts.lifetime_s)),
    _Column("history", lambda name: _shown(CODECS[name].history is not None)),
    _Column("needs", lambda name: _shown(CODECS[name].facts.credentials)),
    _Column("endpoint", lambda name: CODECS[name].default_url or "none"),
    _Column("limits", lambda name: CODECS[name].facts.limits),
)

_FEWER = -2


def _fitted(table: Sequence[Sequence[str]], most: int | None) -> list[int] | None:
    """The columns' widths, the widest made narrower until all fit into ``most``; None where they
    do not unless words are broken, or sentences put a word or two a line.
    """
    columns = list(zip(*table, strict=True))
    widths = [max(map(len, cells)) for cells in columns]
    words = [max(len(word) for cell in cells for word in cell.split()) for cells in columns]
    least = [max(word, min(width, _LEAST_WIDTH)) for word, width in zip(words, widths, strict=True)]
    while most is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > most:
        room = [width - few for width, few in zip(widths, least, strict=True)]
        widest = max(range(len(widths)), key=lambda each: (room[each] > 0, widths[each]))
        if not room[widest]:
            return None
        widths[widest] -= 1
    return widths


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    cells = [wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    height = max(map(len, cells))
    padded = [cell + [""] * (height - len(cell)) for cell in cells]
    return [
        _GAP.join(f"{part:<{width}}" for part, width in zip(line, widths, strict=True)).rstrip()
        for line in zip(*padded, strict=True)
    ]
