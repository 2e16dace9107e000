"""A config's feeds with histories in their place; all else stays as it stands."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from barsync_async.config.mistakes import expected_in
from barsync_async.config.tables import FILE_VENUE
from barsync_async.errors import HistoryError, Mistake
from barsync_async.shell.histories.history_reader import beginning
from barsync_async.units import is_trades
from barsync_async.venues.history_guess import guess_format

_KEPT = ("in_order", "grace_ms")
_LABEL = "give --format label=open or label=close: which end of its interval a row's time names"

Table = Mapping[str, Any]


def wanted_sources(document: Table) -> set[str]:
    """The sources that a history may be given for: those expected, and what they are made of."""
    expected = {source for _, source in expected_in(document)}
    parts = {
        part
        for _, feed in _feeds(document)
        for source, part in _table(feed.get("derived")).items()
        if source in expected and isinstance(part, str) and not is_trades(part)
    }
    return expected | parts


class Replacement:
    """The feeds of ``document`` with the file of each source of ``chosen`` in them.

    Args:
        document: the tables of a config file.
        chosen: of each source, its file.
        form: the keys of each such file's table that were given; None: they were wrong, and what
            they leave open is no mistake of its own.

    ``mistakes`` tells which expected source has no history, and of which file too little is known.
    """

    def __init__(self, document: Table, chosen: Mapping[str, Path], form: Table | None) -> None:
        self._is_form_known = form is not None
        self._form = form or {}
        self._left = dict(chosen)
        self._unlabelled: list[str] = []
        feeds = {name: self._feed(feed) for name, feed in _feeds(document)}
        self.feeds = {name: feed for name, feed in feeds.items() if feed["sources"]}
        self.mistakes = [*self._without_label(), *self._without_data(document)]

    def _feed(self, feed: Table) -> dict[str, Any]:
        derived = _table(feed.get("derived"))
        own = _table(feed.get("files"))
        listed = feed.get("sources")
        files = {
            source: self._file(source, self._left.pop(source), own)
            for source in [*(listed if isinstance(listed, list) else ()), *derived]
            if isinstance(source, str) and source in self._left
        }
        files = {**own, **files}
        return {
            **{key: feed[key] for key in _KEPT if key in feed},
            "venue": FILE_VENUE,
            "sources": list(files),
            "files": files,
            "derived": {
                source: part
                for source, part in derived.items()
                if source not in files and part in files
            },
        }

    def _file(self, source: str, path: Path, own: Table) -> dict[str, Any]:
        """What the config says of the source's file is true of another one too, unless told."""
        if source in own:
            return {**_table(own[source]), **self._form, "path": str(path)}
        if self._is_form_known and "label" not in self._form:
            self._unlabelled.append(source)
        return {"label": "close", **_guessed(path, self._form), "path": str(path)}

    def _without_label(self) -> Iterator[Mistake]:
        """Once for all files: it is one option that they lack."""
        if self._unlabelled:
            sources = " ".join(self._unlabelled)
            yield Mistake(f"--data {sources}", "", _LABEL)

    def _without_data(self, document: Table) -> Iterator[Mistake]:
        there = {
            source
            for feed in self.feeds.values()
            for source in (*feed["sources"], *feed["derived"])
        }
        told: set[str] = set()
        for where, source in expected_in(document):
            if source not in there and source not in told:
                told.add(source)
                expected = f"has no data: give --data {source}=FILE, or a folder with {source}.csv"
                yield Mistake(where, repr(source), expected)


def _guessed(path: Path, form: Table) -> dict[str, Any]:
    """``form`` and what the file shows beside it."""
    try:
        start = beginning(path, form.get("delimiter"))
    except HistoryError:
        return {**form}  # told when it is opened
    guessed = guess_format(start.rows, form)
    return {**form, **guessed, "delimiter": start.delimiter}


def _feeds(document: Table) -> Iterator[tuple[str, Table]]:
    for name, feed in _table(document.get("feeds")).items():
        if isinstance(feed, Mapping):
            yield name, feed


def _table(value: Any) -> Table:
    return value if isinstance(value, Mapping) else {}
