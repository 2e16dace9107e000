"""Which file holds which source's bars, and how they are written: ``--data`` and ``--format``."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from barsync_async.app.settings import value_of
from barsync_async.config.files import HistoryFileConfig
from barsync_async.errors import Mistake
from barsync_async.mistakes import key_path, mistake, shown

SUFFIXES = (".csv", ".csv.gz", ".zip", ".parquet", ".pq")
"""What a source's file in a folder may be called behind the source's name."""

_REQUIRED = {"path": "x", "label": "open"}  # to look at the other keys alone


def chosen_files(
    data: Sequence[str], wanted: Collection[str]
) -> tuple[dict[str, Path], list[Mistake]]:
    """The file of each source of ``wanted`` that one was given for, and what is wrong in ``data``,
    each of which is ``SOURCE=FILE`` or a folder; what names a source goes before a folder.
    """
    mistakes: list[Mistake] = []
    named: dict[str, Path] = {}
    folders = [each for each in data if Path(each).is_dir()]
    for each in data:
        if each not in folders:
            mistakes += _name(each, wanted, named)
    for source in sorted(set(wanted) - named.keys()):
        paths = [path for folder in folders for path in _in_folder(Path(folder), source)]
        if len(paths) > 1:
            both = " ".join(map(str, paths))
            mistakes.append(Mistake(f"--data {source}", "", f"has {len(paths)} files: {both}"))
        if paths:
            named[source] = paths[0]
    return named, mistakes


def _name(each: str, wanted: Collection[str], named: dict[str, Path]) -> Iterator[Mistake]:
    source, equals, path = each.partition("=")
    if not (equals and path):
        yield Mistake("--data", shown(each), "expected SOURCE=FILE, or a folder that is there")
    elif source not in wanted:
        yield Mistake("--data", repr(source), f"is not wanted by the config; {_known(wanted)}")
    elif source in named:
        yield Mistake(f"--data {source}", repr(path), f"was given already: {named[source]}")
    else:
        named[source] = Path(path).absolute()


def _known(wanted: Collection[str]) -> str:
    return f"its sources are {' '.join(sorted(wanted))}" if wanted else "it expects no source"


def _in_folder(folder: Path, source: str) -> list[Path]:
    names = dict.fromkeys([source, source.replace("/", "-")])
    paths = [folder / f"{name}{suffix}" for name in names for suffix in SUFFIXES]
    return [path.absolute() for path in paths if path.is_file()]


def parsed_format(form: Sequence[str]) -> tuple[dict[str, Any], list[Mistake]]:
    """The keys of a file's table that ``form`` gives, each ``KEY=VALUE``, and what is wrong in it;
    where something is, there are no keys.
    """
    table: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for each in form:
        key, equals, text = each.partition("=")
        if equals and key:
            _put(table, key.split("."), value_of(text))
        else:
            mistakes.append(Mistake("--format", shown(each), "expected KEY=VALUE"))
    mistakes += _wrong(table)
    return ({} if mistakes else table), mistakes


def _put(table: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = table.get(key)
        table[key] = inner = inner if isinstance(inner, dict) else {}
        table = inner
    table[keys[-1]] = value


def _wrong(table: Mapping[str, Any]) -> Iterator[Mistake]:
    if "path" in table:
        yield Mistake("--format path", shown(table["path"]), "is what --data says")
    try:
        HistoryFileConfig.model_validate({**_REQUIRED, **table})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            keys = detail["loc"]
            if not keys:  # two keys that contradict one another
                yield Mistake("--format", "", detail["msg"].removeprefix("Value error, "))
                continue
            told = mistake(detail, ("format", *keys), "")
            yield Mistake(f"--format {key_path(keys)}", told.value, _hinted(keys[0], told.expected))


def _hinted(key: str | int, expected: str) -> str:
    close = get_close_matches(str(key), HistoryFileConfig.model_fields, 1)
    is_unknown = key not in HistoryFileConfig.model_fields
    return f"{expected}; did you mean {close[0]}?" if is_unknown and close else expected
