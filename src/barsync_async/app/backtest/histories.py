"""The histories of a backtest: every file opened, looked through, and cut to a span of time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

import msgspec

from barsync_async.errors import HistoryError, Mistake
from barsync_async.messages import Bar
from barsync_async.mistakes import key_path
from barsync_async.shell.feeds.file_feed import BarHistory, HistoryFile
from barsync_async.shell.histories.history_reader import beginning
from barsync_async.units import TIMEFRAMES, SourceId, counted, shown_time, split_source
from barsync_async.venues.history_order import Survey, Surveyor
from barsync_async.venues.history_rows import HistoryItem

Histories = Mapping[str, Sequence[BarHistory]]


class Period(msgspec.Struct, frozen=True):
    """From when to when, in ms since the epoch; None: from the first bar, to the last."""

    begin: int | None = None
    end: int | None = None

    def holds(self, bar: Bar, length_ms: int) -> bool:
        """Whether all of ``bar`` lies within."""
        began = self.begin is None or bar.timestamp - length_ms >= self.begin
        return began and not self.is_before(bar)

    def is_before(self, bar: Bar) -> bool:
        """Whether it ends before ``bar`` does."""
        return self.end is not None and bar.timestamp > self.end

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self.begin is None and self.end is None


class Within:
    """What of ``history`` lies in ``period``; a row that is no bar goes with the bar before it."""

    def __init__(self, history: BarHistory, period: Period) -> None:
        self._history = history
        self._period = period
        self.source: SourceId = history.source
        self._length_ms = TIMEFRAMES[split_source(history.source)[1]].length_ms
        self.survey: Survey = _surveyed(self)

    def chunks(self, rows: int) -> Iterator[Iterable[HistoryItem]]:
        """As those of the whole history; some may be shorter."""
        items = chain.from_iterable(self._history.chunks(rows))
        while chunk := [*islice(self._inside(items), rows)]:
            yield chunk

    def _inside(self, items: Iterator[HistoryItem]) -> Iterator[HistoryItem]:
        """Up to the end of the period: what is later need not be read, for all comes in order."""
        inside = False
        for item in items:
            if isinstance(item, Bar):
                inside = self._period.holds(item, self._length_ms)
                if not inside and self._period.is_before(item):
                    return
            if inside:
                yield item


def opened(
    files: Sequence[HistoryFile], named: Mapping[SourceId, str], period: Period
) -> tuple[dict[str, list[BarHistory]], list[Mistake]]:
    """The histories in ``files`` by feed, and what is wrong with each that is left out.

    Args:
        files: where they are.
        named: what is to be blamed for the file of a source; else its place in the config is.
        period: what of them is wanted.
    """
    histories: dict[str, list[BarHistory]] = {}
    mistakes: list[Mistake] = []
    for file in files:
        try:
            histories.setdefault(file.feed, []).append(_opened(file, period))
        except HistoryError as error:
            mistakes.append(_blamed(file, named, error))
    return histories, mistakes


def unreadable(files: Sequence[HistoryFile], named: Mapping[SourceId, str]) -> Iterator[Mistake]:
    """What is wrong with those of ``files`` that cannot be read, however they are written."""
    for file in files:
        try:
            beginning(file.path)
        except HistoryError as error:
            yield _blamed(file, named, error)


def _blamed(file: HistoryFile, named: Mapping[SourceId, str], error: HistoryError) -> Mistake:
    place = key_path(("feeds", file.feed, "files", file.source))
    return Mistake(named.get(file.source, place), repr(str(file.path)), error.detail)


def _opened(file: HistoryFile, period: Period) -> BarHistory:
    history = file.open()
    survey = _surveyed(history) if history.survey.order == "mixed" else history.survey
    if survey.contradicted is not None:
        detail = (
            f"{_said(survey.contradictions)} of a bar than the row before; "
            f"the first is the bar that closes at {shown_time(survey.contradicted)}"
        )
        raise HistoryError(str(file.path), detail)
    if period.is_everything:
        return history
    within = Within(history, period)
    if not within.survey.bars:
        first, last = shown_time(survey.first or 0), shown_time(survey.last or 0)
        detail = f"has bars from {first} to {last}, and none within --from and --to"
        raise HistoryError(str(file.path), detail)
    return within


def _said(rows: int) -> str:
    return f"{counted(rows, 'row')} {'says' if rows == 1 else 'say'} another thing"


def _surveyed(history: BarHistory | Within) -> Survey:
    """What a history holds as it comes out: ascending."""
    surveyor = Surveyor()
    for chunk in history.chunks(_CHUNK_ROWS):
        for item in chunk:
            surveyor.look(item)
    return surveyor.result()


_CHUNK_ROWS = 4_096
