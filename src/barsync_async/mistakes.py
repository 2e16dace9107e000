"""How a mistake in a file is told: where it stands, what stands there, what was expected."""

import re
from collections.abc import Mapping, Sequence
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


_EXPECTED: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "no such key",
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "finite_number": "expected a finite number",
    "date_type": "expected a day, e.g. 2026-01-05",
    "list_type": "expected a list, as [ ... ]",
    "dict_type": "expected a table",
    "model_type": "expected a table",
    "model_attributes_type": "expected a table",
    "literal_error": "expected {expected}",
    "greater_than": "expected a number above {gt}",
    "greater_than_equal": "expected a number of at least {ge}",
    "less_than": "expected a number below {lt}",
    "less_than_equal": "expected a number of at most {le}",
    "string_too_short": "expected text that is not empty",
    "too_short": "expected {min_length} or more entries",
    "too_long": "expected {max_length} entries at most",
}
"""By pydantic's name of the mistake, in the words of who writes a config."""

_BARE = ("bool_type", "int_type", "float_type")
"""What stands in a config without quotes."""


def _expected(detail: ErrorDetails, choice: str) -> str:
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return choice
    words = _EXPECTED.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    if detail["type"] in _BARE and isinstance(detail["input"], str):
        return f"{words}, without quotes"
    bounds = {name: _plain(value) for name, value in detail.get("ctx", {}).items()}
    return words.format(**bounds) if detail["type"] in _EXPECTED else words


def _plain(value: Any) -> Any:
    """A bound as one would write it: 86400000 and not 86400000.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
