"""How far the reading of histories is: a bar on a terminal, elsewhere a line now and then."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import click
import structlog

from barsync_async.messages import Bar, Event, EventType
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.container import Container
from barsync_async.shell.feeds.file_feed import BarHistory
from barsync_async.units import NS_PER_MS, SourceId
from barsync_async.venues.history_order import Survey
from barsync_async.venues.history_rows import HistoryItem

_CHUNK_ROWS = 512
_REDRAW_NS = 200 * NS_PER_MS
_SAY_NS = 5_000 * NS_PER_MS
_NS_PER_S = 1_000_000_000
_WIDTH = 24

log = structlog.get_logger("barsync.files")

Histories = Mapping[str, Sequence[BarHistory]]


class Progress:
    """Watches ``histories`` being read and sets being published, by the machine's clock.

    Use it as a context while they are; give :attr:`watched` to who reads.
    """

    def __init__(self, histories: Histories) -> None:
        surveys = [each.survey for some in histories.values() for each in some]
        self._bars = sum(survey.bars for survey in surveys)
        self._first = min((survey.first or 0 for survey in surveys), default=0)
        self._last = max((survey.last or 0 for survey in surveys), default=0)
        self._unread = sum(map(len, histories.values()))
        self._read = self._told = self._sets = self._at = 0
        self._clock = SystemClock()
        self._began_ns: int = self._clock.now().mono
        self._said_ns = self._began_ns
        self._bar: Any = None
        self._context: AbstractContextManager[Any] = nullcontext()
        self.watched: Histories = {
            name: [_Watched(each, self) for each in some] for name, some in histories.items()
        }

    @property
    def is_whole(self) -> bool:
        """Whether every history was read to its end, and each of its bars handed on."""
        return not self._unread

    @property
    def seconds(self) -> float:
        """Since it began."""
        return (self._clock.now().mono - self._began_ns) / _NS_PER_S

    @property
    def bars(self) -> int:
        """Handed on so far."""
        return self._read

    @property
    def at(self) -> int:
        """The timestamp of the newest set; 0 before the first."""
        return self._at

    def watch(self, containers: Sequence[Container]) -> None:
        """Count the sets that these publish."""
        for container in containers:
            container.event_bus.subscribe(EventType.SYNCHRONIZED_BARS, self._on_set)

    def __enter__(self) -> Self:
        span = {"first": shown_minute(self._first), "last": shown_minute(self._last)}
        log.info("histories", files=self._unread, bars=self._bars, **span)
        if sys.stderr.isatty():
            self._context = click.progressbar(
                length=self._bars,
                width=_WIDTH,
                show_eta=True,
                show_percent=True,
                item_show_func=lambda shown: shown,
                file=sys.stderr,
            )
            self._bar = self._context.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tell()
        self._context.__exit__(kind, error, traceback)

    def add(self) -> None:
        """One more was handed on."""
        self._read += 1

    def look(self) -> None:
        """Say how far it is, if that was not said of late."""
        now_ns = self._clock.now().mono
        if now_ns - self._said_ns >= (_SAY_NS if self._bar is None else _REDRAW_NS):
            self._said_ns = now_ns
            self._tell()
            if self._bar is None:
                share = self._read / max(1, self._bars)
                log.info("reading", percent=round(100 * share, 1), **self._facts())

    def ended(self) -> None:
        """One history has no more, and all that it had was taken up."""
        self._unread -= 1

    def _on_set(self, event: Event) -> None:
        self._sets += 1
        self._at = event.payload.timestamp

    def _tell(self) -> None:
        if self._bar is not None:
            facts = self._facts()
            shown = f"{facts['sets_per_s']:,.0f} sets/s, at {facts['at']}"
            self._bar.update(min(self._read, self._bars) - self._told, shown)
            self._told = min(self._read, self._bars)

    def _facts(self) -> dict[str, Any]:
        rate = self._sets / max(self.seconds, 1e-9)
        return {"sets": self._sets, "sets_per_s": round(rate), "at": shown_minute(self._at)}


def shown_minute(timestamp: int) -> str:
    """``2019-02-11 14:31``, of UTC."""
    return datetime.fromtimestamp(timestamp / 1_000, UTC).strftime("%Y-%m-%d %H:%M")


class _Watched:
    """A history that tells ``progress`` what was taken from it."""

    def __init__(self, history: BarHistory, progress: Progress) -> None:
        self._history = history
        self._progress = progress

    @property
    def source(self) -> SourceId:
        return self._history.source

    @property
    def survey(self) -> Survey:
        return self._history.survey

    def chunks(self, rows: int) -> Iterator[Iterable[HistoryItem]]:
        for chunk in self._history.chunks(min(rows, _CHUNK_ROWS)):
            yield self._told(chunk)
            self._progress.look()
        self._progress.ended()

    def _told(self, chunk: Iterable[HistoryItem]) -> Iterator[HistoryItem]:
        """One that was not handed on when the run ends does not count."""
        for item in chunk:
            yield item
            if isinstance(item, Bar):
                self._progress.add()
