"""Classes of the user's own, named ``package.module:Class`` in a config or by an entry point of an
installed package, and how any is made. Whatever their code raises is told in a line.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypeVar

from barsync_async.errors import BarsyncError
from barsync_async.raised import text_of, told

T = TypeVar("T")
R = TypeVar("R")

_MOST_TEXT = 500


def load_class(path: str) -> Callable[..., Any]:
    """The class that ``package.module:Class`` names.

    Raises:
        ValueError: it cannot be imported; the message says why.
    """
    module_name, _, name = path.partition(":")
    try:
        found = getattr(import_module(module_name), name)
    except (Exception, SystemExit) as error:  # importing runs the module, and it may raise anything
        raise ValueError(f"{path!r} cannot be loaded: {_line(told(error))}") from error
    if not callable(found):
        raise ValueError(f"{path!r} is no class")
    return found  # type: ignore[no-any-return]  # whatever it is, it can be called


def entry_point(group: str, name: str) -> str | None:
    """The ``package.module:Class`` that an installed package calls ``name`` in ``group``; of
    several, the first by its path. Nothing of it is loaded.
    """
    return min((each.value for each in entry_points(group=group, name=name)), default=None)


def choices(ours: Iterable[str], group: str) -> str:
    """What a name may be, in words: one of ``ours``, one that an installed package gives in
    ``group``, or a path.
    """
    theirs = " ".join(sorted(entry_points(group=group).names))
    installed = f"{theirs} of an installed package" if theirs else f"an entry point in {group}"
    return f"one of {' '.join(ours)}, or {installed}, or package.module:Class"


def make(name: str, maker: Callable[..., Any], parameters: Mapping[str, Any]) -> Any:
    """``maker(**parameters)``; ``name`` is how the user calls it.

    Raises:
        ValueError: it has no such parameter, lacks one, refuses a value, or raises anything else.
    """
    with named(name):
        _check_parameters(maker, parameters)
        return maker(**parameters)


def _check_parameters(maker: Callable[..., Any], given: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(maker)
    except ValueError:  # some that are written in C have none: calling them tells
        return
    try:
        signature.bind(**given)
    except TypeError as error:
        known = signature.parameters
        strange = next((key for key in given if key not in known), None)
        why = str(error) if strange is None else f"has no parameter {strange!r}"
        raise ValueError(f"{why}; it takes {' '.join(known) or 'nothing'}") from None


@contextmanager
def named(name: str) -> Iterator[None]:
    """Whatever the code within raises is raised as a ValueError of one line that begins with
    ``name``.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        line = _line(reason(error))
        raise ValueError(line if line.startswith(f"{name}: ") else f"{name}: {line}") from error


def each_made(
    maker: Callable[[T], R], items: Mapping[int, T]
) -> tuple[dict[int, R], dict[int, ValueError]]:
    """``maker`` of each of ``items``, and the errors of those that it refused."""
    made: dict[int, R] = {}
    refused: dict[int, ValueError] = {}
    for index, item in items.items():
        try:
            made[index] = maker(item)
        except ValueError as error:
            refused[index] = error
    return made, refused


def reason(error: BaseException) -> str:
    """The text of ``error`` where it was raised to be read; of all else its type, too."""
    speaks = isinstance(error, ValueError | BarsyncError)
    return (text_of(error) if speaks else "") or told(error)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_TEXT else f"{line[: _MOST_TEXT - 3]}..."
