"""Bars from files, each at its timestamp: on virtual time, as fast as they can be worked on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain, groupby
from pathlib import Path
from typing import Protocol

import anyio
import msgspec
import structlog

from barsync_async.config import Config, FeedConfig
from barsync_async.messages import Bar
from barsync_async.ports import Arrival, Clock, ConnectionChange
from barsync_async.shell.feeds.producer import Producer
from barsync_async.shell.histories.history_reader import CHUNK_ROWS, open_history
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.history_format import FileFormat
from barsync_async.venues.history_order import Survey
from barsync_async.venues.history_rows import HistoryItem

log = structlog.get_logger("barsync.feed")


class BarHistory(Protocol):
    """The bars of one source, ascending."""

    @property
    def source(self) -> SourceId:
        """Whose they are."""

    @property
    def survey(self) -> Survey:
        """How many they are, from when to when."""

    def chunks(self, rows: int) -> Iterator[Iterable[HistoryItem]]:
        """At most ``rows`` at a time, and each rejection behind the bar that it follows.

        Raises:
            HistoryError: they cannot be read any more.
        """


class HistoryFile(msgspec.Struct, frozen=True):
    """Where the feed's past bars of ``source`` are, and how they are written."""

    feed: str
    source: SourceId
    path: Path
    form: FileFormat

    def open(self) -> BarHistory:
        """The history, ready to be read; a warning tells of rows that are no bars.

        Raises:
            HistoryError: it cannot be used.
        """
        history = open_history(self.path, self.source, self.form)
        self._warn(history.survey)
        return history

    def _warn(self, survey: Survey) -> None:
        where = {"feed": self.feed, "path": str(self.path)}
        if survey.first_rejection is not None:
            first = survey.first_rejection.detail
            log.warning("rows that are no bars", **where, rows=survey.rejections, first=first)
        if survey.order == "mixed":
            log.warning("sorted", **where, bars_out_of_order=survey.out_of_order)


def history_files(feed: str, table: FeedConfig, folder: Path) -> list[HistoryFile]:
    """Every file of a feed of files; a relative path starts at ``folder``."""
    return [
        HistoryFile(feed, SourceId(source), folder / file.path, file.file_format())
        for source, file in table.files.items()
    ]


def open_histories(config: Config) -> dict[str, list[BarHistory]]:
    """Every file of every feed of files, by the feed's name; a relative path starts at the config
    file's folder.

    Raises:
        HistoryError: one cannot be used.
    """
    folder = Path(config.origin).parent
    return {
        name: [file.open() for file in history_files(name, table, folder)]
        for name, table in config.feeds.items()
        if table.is_of_files
    }


class FileFeed:
    """The bars of some files, given out when the clock shows their timestamps.

    Args:
        name: its name in the config.
        histories: the files.
        producers: the next stop of each source's bars.
        events: the next stop of what is no bar.
        clock: a virtual one that starts before the first bar; a real one would have to wait.
    """

    def __init__(
        self,
        name: str,
        histories: Sequence[BarHistory],
        *,
        producers: Mapping[SourceId, Producer],
        events: Producer,
        clock: Clock,
    ) -> None:
        self.name = name
        self._histories = tuple(histories)
        self._producers = producers
        self._events = events
        self._clock = clock
        self._stopping = anyio.Event()
        self._order = 0
        self._doubted: set[SourceId] = set()

    async def run(self) -> None:
        """Until every bar was handed on, or :meth:`stop`.

        Raises:
            HistoryError: a file is not what it was when it was opened.
        """
        await self._tell(ConnectionChange(up=True), (*self._producers.values(), self._events))
        items = merge(*map(_dated, self._histories), key=_timestamp)
        for timestamp, group in groupby(items, key=_timestamp):
            await self._wait_for(timestamp)
            if self._stopping.is_set():
                return
            for _, source, item in group:
                await self._give_out(source, item)

    async def stop(self) -> None:
        """Hand on no more."""
        self._stopping.set()

    def heard_at(self) -> WallMs | None:
        """A file is never silent: what is not there did not happen."""
        return self._clock.now().wall

    async def _give_out(self, source: SourceId, item: HistoryItem) -> None:
        """A row that is no bar may have been the bar of an interval that looks silent now; what
        comes up to the next bar is not vouched for.
        """
        producer = self._producers[source]
        if not isinstance(item, Bar):
            await self._tell(item, (self._events,))
            await self._tell(ConnectionChange(up=False), (producer,))
            self._doubted.add(source)
            return
        await self._tell(item, (producer,))
        if source in self._doubted:
            await self._tell(ConnectionChange(up=True), (producer,))
            self._doubted.discard(source)

    async def _wait_for(self, timestamp: WallMs) -> None:
        ahead_ms = timestamp - self._clock.now().wall
        if ahead_ms > 0:
            with anyio.move_on_after(ahead_ms / 1_000):
                await self._stopping.wait()

    async def _tell(
        self, item: HistoryItem | ConnectionChange, producers: Iterable[Producer]
    ) -> None:
        self._order += 1
        arrival = Arrival(self._clock.now(), self.name, self._order, item)
        for producer in producers:
            is_change = isinstance(item, ConnectionChange) and producer is not self._events
            if not is_change or producer.wants_changes:
                await producer.offer([arrival])


_Dated = tuple[WallMs, SourceId, HistoryItem]


def _dated(history: BarHistory) -> Iterator[_Dated]:
    """What is no bar goes with the bar before it."""
    timestamp = history.survey.first or WallMs(0)
    for item in chain.from_iterable(history.chunks(CHUNK_ROWS)):
        timestamp = item.timestamp if isinstance(item, Bar) else timestamp
        yield timestamp, history.source, item


def _timestamp(dated: _Dated) -> WallMs:
    return dated[0]
