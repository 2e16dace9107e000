"""What code of the user's own raised, in a line: its type, its text, and where."""

import sysconfig
import traceback
from pathlib import Path

_OURS = str(Path(__file__).parent)
_PYTHONS = sysconfig.get_path("stdlib")
_INSTALLED = sysconfig.get_path("purelib")  # which may lie within the standard library's folder


def told(error: BaseException) -> str:
    """``error`` by its type, its text if it has one, and the line of the user's that led to it."""
    text, place = text_of(error), _place(error)
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"{line} ({place})" if place else line


def text_of(error: BaseException) -> str:
    """Nothing where it cannot be told: an exception's text is its own code, and may raise too."""
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - as that says
        return ""


def _place(error: BaseException) -> str | None:
    """In the outermost file that is neither ours nor Python's, the innermost line."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if _is_theirs(frame.filename)]
    lines = [frame.lineno for frame in theirs if frame.filename == theirs[0].filename]
    return f"{Path(theirs[0].filename).name}:{lines[-1]}" if theirs else None


def _is_theirs(file: str) -> bool:
    if file.startswith((_OURS, "<")):
        return False
    return file.startswith(_INSTALLED) or not file.startswith(_PYTHONS)
