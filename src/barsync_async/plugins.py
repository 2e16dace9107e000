"""Classes of the user's own, named ``package.module:Class`` in a config or by an entry point of an
installed package, and how any is made.
"""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any


def load_class(path: str) -> Callable[..., Any]:
    """The class that ``package.module:Class`` names.

    Raises:
        ValueError: it cannot be imported; the message says why.
    """
    module_name, _, name = path.partition(":")
    try:
        found = getattr(import_module(module_name), name)
    except Exception as error:  # importing runs the module, and it may raise anything
        raise ValueError(f"{path!r} cannot be loaded: {error}") from error
    if not callable(found):
        raise ValueError(f"{path!r} is no class")
    return found  # type: ignore[no-any-return]  # whatever it is, it can be called


def entry_point(group: str, name: str) -> str | None:
    """The ``package.module:Class`` that an installed package calls ``name`` in ``group``; of
    several, the first by its path. Nothing of it is loaded.
    """
    return min((each.value for each in entry_points(group=group, name=name)), default=None)


def make(name: str, maker: Callable[..., Any], parameters: Mapping[str, Any]) -> Any:
    """``maker(**parameters)``; ``name`` is how the user calls it.

    Raises:
        ValueError: it has no such parameter, lacks one, or refuses a value.
    """
    try:
        inspect.signature(maker).bind(**parameters)
    except TypeError as error:
        known = " ".join(inspect.signature(maker).parameters)
        raise ValueError(f"{name}: {error}; it takes {known or 'nothing'}") from None
    try:
        return maker(**parameters)
    except (TypeError, ArithmeticError) as error:
        raise ValueError(f"{name}: {error}") from error
