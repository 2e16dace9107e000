"""The config as it stands in a file and the environment.

``BARSYNC_SERVICE__LOG_FORMAT=json`` overrides ``log_format`` in ``[service]``: the prefix, then
the keys joined by two underscores. The value is read as TOML where it is TOML, else as text.

A feed's ``key`` and ``secret`` come from the environment or from the file that ``key_file`` or
``secret_file`` names, never from the config file itself.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from barsync_async.app.logging import set_up_logging
from barsync_async.config import Config, parse_config
from barsync_async.errors import ConfigError, Mistake
from barsync_async.mistakes import SECRET_KEYS, key_path
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.components.own_classes import own_mistakes
from barsync_async.shell.outputs.standard_output import stdout_for_events
from barsync_async.simulation.scenario import Scenario, parse_scenario

PREFIX = "BARSYNC_"


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """The config in ``path``, with the overrides in ``environ``.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or holds mistakes or a secret.
    """
    return parsed(load_document(path, environ), str(path))


def parsed(document: Mapping[str, Any], origin: str) -> Config:
    """The config that ``document`` holds; ``origin`` names it in errors.

    Raises:
        ConfigError: with all that is wrong in it, and of the user's own classes too.
    """
    try:
        return parse_config(document, origin)
    except ConfigError as error:
        set_up_logging("console", "warning", SystemClock())
        with stdout_for_events():
            more = [*own_mistakes(document)]
        raise ConfigError(origin, [*error.mistakes, *more]) from None


def load_document(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """The tables in ``path``, with the overrides in ``environ`` and the secrets put in.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or holds a secret.
    """
    document = load_toml(path)
    mistakes = list(_secrets_in_file(document))
    document = override(document, environ)
    mistakes += _read_secrets(document, path.parent)
    if mistakes:
        raise ConfigError(str(path), mistakes)
    return document


def _secrets_in_file(document: Mapping[str, Any]) -> Iterator[Mistake]:
    for name, feed in _feeds(document):
        for key in SECRET_KEYS:
            if key in feed:
                variable = f"{PREFIX}FEEDS__{name.upper()}__{key.upper()}"
                expected = f"may not stand in a file; use {key}_file or the variable {variable}"
                yield Mistake(key_path(("feeds", name, key)), "", expected)


def _read_secrets(document: Mapping[str, Any], folder: Path) -> Iterator[Mistake]:
    """Put in what the ``*_file`` keys name; a relative path starts at the config's folder."""
    for name, feed in _feeds(document):
        for key in SECRET_KEYS:
            where = feed.get(f"{key}_file")
            if isinstance(where, str) and where and key not in feed:
                try:
                    feed[key] = (folder / where).read_text("utf-8").strip()
                except (OSError, ValueError) as error:
                    why = getattr(error, "strerror", None) or "it is not UTF-8 text"
                    path = key_path(("feeds", name, f"{key}_file"))
                    yield Mistake(path, repr(where), f"cannot be read: {why}")


def _feeds(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    feeds = document.get("feeds")
    for name, feed in feeds.items() if isinstance(feeds, dict) else ():
        if isinstance(feed, dict):
            yield name, feed


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


def parse_address(listen: str | None) -> tuple[str, int]:
    """The host and port of ``--listen``, or those that a scenario has where it names none.

    Raises:
        ConfigError: it is no HOST:PORT.
    """
    venue = {} if listen is None else {"listen": listen}
    return parse_scenario({"venue": venue, "sources": {"SPY_1m": {}}}, "--listen").venue.address


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
            key = _key(table, last)
            table[key] = text if key in SECRET_KEYS else value_of(text)
    return document


def _key(table: Mapping[str, Any], name: str) -> str:
    return next((key for key in table if key.lower() == name.lower()), name.lower())


def value_of(text: str) -> Any:
    """``text`` read as a TOML value where it is one, else itself."""
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return read["value"] if len(read) == 1 else text  # no more than the one value
