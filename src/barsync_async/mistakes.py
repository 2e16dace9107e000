"""How a mistake in a file is told: where it stands, what stands there, what was expected."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic_core import ErrorDetails

from barsync_async.errors import Mistake

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN_LENGTH = 80
_USERINFO = re.compile(r"(?<=://)[^\s/?#'\"]*@")

SECRET_KEYS = ("key", "secret")
"""Of a feed: they come from the environment or from the file that ``*_file`` names."""


def mistake(detail: ErrorDetails, keys: Sequence[str | int], choice: str) -> Mistake:
    """What pydantic found wrong at ``keys``; ``choice`` says what a table needs that could be of
    several kinds.
    """
    hidden = detail["type"] == "missing" or is_secret(keys)
    value = "" if hidden else shown(without_userinfo(detail["input"]))
    return Mistake(key_path(keys), value, _expected(detail, choice))


def is_secret(keys: Sequence[str | int]) -> bool:
    """Whether what stands at ``keys`` may never be shown."""
    return keys[-1] in SECRET_KEYS and keys[0] == "feeds"


def without_userinfo(value: Any) -> Any:
    """A text as it may be shown: no address in it says as whom we come."""
    return _USERINFO.sub("...@", value) if isinstance(value, str) else value


def key_path(keys: Sequence[str | int]) -> str:
    """``("feeds", "sim", "sources", 0)`` -> ``feeds.sim.sources[0]``, quoted where TOML quotes."""
    path = ""
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        else:
            name = key if _BARE_KEY.fullmatch(key) else f'"{key}"'
            path += f".{name}" if path else name
    return path


def shown(value: Any) -> str:
    """A value as Python writes it, cut to a line's worth."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 3]}..."


def _expected(detail: ErrorDetails, choice: str) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return "no such key"
        case "missing":
            return "is required"
        case "union_tag_invalid" | "union_tag_not_found":
            return choice
    return detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
