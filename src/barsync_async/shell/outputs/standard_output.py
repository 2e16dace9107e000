"""Standard output, for the events alone: a strategy may print, and would break their lines."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

_kept: list[TextIO] = []


def standard_output() -> TextIO:
    """Where an output writes that goes to standard output."""
    return _kept[-1] if _kept else sys.stdout


@contextmanager
def stdout_for_events() -> Iterator[None]:
    """While it lasts, what anything but an output prints, in whatever thread, goes to standard
    error.
    """
    _kept.append(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _kept.pop()
