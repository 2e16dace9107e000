"""Paths into decoded JSON, compiled once: ``data.k.t``, ``row.0``, ``$.arg.instId``, ``events[]``.

A path's names are joined by dots; a whole number also picks an array's element. A path that begins
with ``$`` starts at the message, any other at the bar. ``[]`` after a name stands for every element
of the array there, and only a path to the bars may have it.
"""

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

MISSING: Any = object()
"""What :func:`find` gives where there is nothing; no JSON value."""

Reader = Callable[[Any, Any], Any]
"""From a bar and its message to the value; raises KeyError, IndexError or TypeError without one."""

_EACH = "[]"
_LONGEST = 200
_MOST_DIGITS = 6


class Step(NamedTuple):
    """One name; ``place`` where it also counts elements; ``each``: go on with every element."""

    name: str
    place: int | None
    each: bool


class Path(NamedTuple):
    """``from_message``: the path begins with ``$``."""

    from_message: bool
    steps: tuple[Step, ...]


def parse_path(text: str, *, to_bars: bool = False) -> Path:
    """``text`` as steps; the empty path, and ``$``, are the thing itself.

    Raises:
        ValueError: a name is empty, the path is too long, or ``[]`` stands where it may not.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"the path {text[:40]!r}... is longer than {_LONGEST} characters")
    from_message = text == "$" or text.startswith("$.")
    rest = text[2:] if from_message else text
    if not rest:
        return Path(from_message, ())
    steps = tuple(_step(name, text) for name in rest.split("."))
    if any(step.each for step in steps) and not to_bars:
        raise ValueError(f"the path {text!r} has [], which only the path to the bars may have")
    return Path(from_message, steps)


def _step(name: str, whole: str) -> Step:
    bare = name.removesuffix(_EACH)
    if not bare and name != _EACH:
        raise ValueError(f"the path {whole!r} has an empty name")
    counts = bare.isascii() and bare.isdigit() and len(bare) <= _MOST_DIGITS
    return Step(bare, int(bare) if counts else None, name.endswith(_EACH))


def find(path: Path, message: Any) -> Any:
    """What ``path`` leads to within ``message``, or :data:`MISSING`."""
    try:
        for step in path.steps:
            message = _taken(message, step)
    except (KeyError, IndexError, TypeError):
        return MISSING
    return message


def find_each(path: Path, message: Any) -> Sequence[Any]:
    """All that a path with ``[]`` leads to; empty arrays give nothing.

    Raises:
        KeyError, IndexError, TypeError: there is no such place, or no array there.
    """
    found: list[Any] = [message]
    for step in path.steps:
        if step.name:
            found = [_taken(value, step) for value in found]
        if step.each:
            found = [element for value in found for element in _elements(value)]
    return found


def finder(path: Path) -> Callable[[Any], Sequence[Any]]:
    """:func:`find_each` of one path, compiled."""
    match path.steps:
        case (Step(name, None, True),) if name:  # by far the most frequent kind
            return lambda message: _array(message[name])
    return lambda message: find_each(path, message)


def reader(text: str) -> Reader:
    """The value at one path.

    Raises:
        ValueError: see :func:`parse_path`.
    """
    from_message, steps = parse_path(text)
    if len(steps) == 1 and steps[0].place is None:
        name = steps[0].name  # by far the most frequent kind
        return (lambda _, message: message[name]) if from_message else lambda bar, _: bar[name]
    if from_message:
        return lambda _, message: _walk(message, steps)
    return lambda bar, _: _walk(bar, steps)


def reader_of_all(texts: Sequence[str]) -> Callable[[Any, Any], tuple[Any, ...]]:
    """The values at several paths, at least two, as a tuple; in one call where that can be."""
    paths = [parse_path(text) for text in texts]
    firsts = [path.steps[0] for path in paths if len(path.steps) == 1 and not path.from_message]
    if len(firsts) == len(texts):
        places = [step.place for step in firsts]
        if all(place is None for place in places):
            by_name = itemgetter(*(step.name for step in firsts))
            return lambda bar, _: by_name(bar)
        if None not in places:
            by_place = itemgetter(*places)
            return lambda bar, _: by_place(_array(bar))
    readers = [reader(text) for text in texts]
    return lambda bar, message: tuple([each(bar, message) for each in readers])


def _walk(value: Any, steps: Sequence[Step]) -> Any:
    for step in steps:
        value = _taken(value, step)
    return value


def _taken(value: Any, step: Step) -> Any:
    if type(value) is dict:
        return value[step.name]
    if step.place is None:
        raise KeyError(step.name)
    return _array(value)[step.place]


def _array(value: Any) -> list[Any]:
    """A text, too, could be taken elements of."""
    if type(value) is list:
        return value
    raise TypeError("no array")


def _elements(value: Any) -> Iterator[Any]:
    return iter(_array(value))
