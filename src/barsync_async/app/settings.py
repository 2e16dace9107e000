"""The config as it stands in a file and the environment.

``BARSYNC_SERVICE__LOG_FORMAT=json`` overrides ``log_format`` in ``[service]``: the prefix, then
the keys joined by two underscores. The value is read as TOML where it is TOML, else as text.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from barsync_async.config import Config, parse_config
from barsync_async.errors import ConfigError, Mistake
from barsync_async.simulation.scenario import Scenario, parse_scenario

PREFIX = "BARSYNC_"


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """The config in ``path``, with the overrides in ``environ``.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or holds mistakes.
    """
    document = override(load_toml(path), environ)
    return parse_config(document, str(path))


def load_scenario(path: Path, *, seed: int | None = None, listen: str | None = None) -> Scenario:
    """The scenario in ``path``, with another seed or address where one is given.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or holds mistakes.
    """
    document = load_toml(path)
    if seed is not None:
        document["seed"] = seed
    if listen is not None:
        venue = document.get("venue", {})
        document["venue"] = {**venue, "listen": listen} if isinstance(venue, dict) else venue
    return parse_scenario(document, str(path))


def load_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ConfigError: the file cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(str(path), [Mistake("the file", "", f"cannot be read: {why}")]) from None
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or beyond any bounds
        raise ConfigError(str(path), [Mistake("the file", "", f"is not TOML: {error}")]) from None


def override(document: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """``document`` with the values that ``environ`` gives put in; a key is found whatever the
    case of its letters.
    """
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX):
            *tables, last = variable.removeprefix(PREFIX).split("__")
            table = document
            for name in tables:
                key = _key(table, name)
                inner = table.get(key)
                table[key] = inner = dict(inner) if isinstance(inner, dict) else {}
                table = inner
            table[_key(table, last)] = _value(text)
    return document


def _key(table: Mapping[str, Any], name: str) -> str:
    return next((key for key in table if key.lower() == name.lower()), name.lower())


def _value(text: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return read["value"] if len(read) == 1 else text  # no more than the one value
