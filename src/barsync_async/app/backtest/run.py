"""A config on past bars: what is run, who watches it, and what is written of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec.structs import replace
from pydantic import ValidationError

from barsync_async.app.backtest.cells import summary
from barsync_async.app.backtest.data import chosen_files, parsed_format
from barsync_async.app.backtest.feeds import Replacement, wanted_sources
from barsync_async.app.backtest.files import EVENTS, PAGE, prepare, write_report
from barsync_async.app.backtest.histories import Histories, Period, opened, unreadable
from barsync_async.app.backtest.page import PageData, check_installed, rendered
from barsync_async.app.files import run_histories
from barsync_async.app.logging import set_up_logging
from barsync_async.app.progress import Progress
from barsync_async.app.settings import load_document, parsed
from barsync_async.config import Config, FeedConfig, JsonlConfig
from barsync_async.errors import ConfigError, Mistake
from barsync_async.report.container import ContainerRecord, ContainerReport
from barsync_async.report.sources import SourceCounts
from barsync_async.report.tables import tables_of
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.feeds.file_feed import HistoryFile, history_files
from barsync_async.units import SourceId, counted, shown_time


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for on the command line."""

    config: Path
    data: tuple[str, ...] = ()
    form: tuple[str, ...] = ()
    period: Period = Period()
    folder: Path
    events: bool = False


class Plan(msgspec.Struct, frozen=True):
    """A config whose feeds are histories, and these."""

    config: Config
    files: Sequence[HistoryFile]
    histories: Histories


def make_plan(request: Request, environ: Mapping[str, str]) -> Plan:
    """All that is to be run, looked through.

    Raises:
        ConfigError: with all that is wrong in the config, the options and the files.
    """
    origin = request.config
    document = load_document(origin, environ)
    chosen, mistakes = chosen_files(request.data, wanted_sources(document))
    form, wrong = parsed_format(request.form)
    replacement = Replacement(document, chosen, None if wrong else form)
    mistakes += [*wrong, *replacement.mistakes]
    files = [
        file
        for name, feed in replacement.feeds.items()
        for file in _files(name, feed, origin.parent)
    ]
    named = {SourceId(source): f"--data {source}" for source in chosen}
    histories: Histories = {}
    if wrong:
        mistakes += unreadable(files, named)
    else:
        histories, unusable = opened(files, named, request.period)
        mistakes += unusable
    config = _parsed({**document, "feeds": replacement.feeds}, str(origin), mistakes)
    return Plan(config, files, histories)


def _files(name: str, feed: Mapping[str, Any], folder: Path) -> list[HistoryFile]:
    """Those of one feed; none where its table is wrong, which is told when all is parsed."""
    try:
        return history_files(name, FeedConfig.model_validate(feed), folder)
    except ValidationError:
        return []


def _parsed(document: Mapping[str, Any], origin: str, mistakes: Sequence[Mistake]) -> Config:
    """The config, where nothing is wrong in it and nothing was before.

    Raises:
        ConfigError: something is; what was told of a place already is not told again.
    """
    told = {each.path for each in mistakes} | ({"feeds"} if mistakes else set())
    try:
        config = parsed(document, origin)
    except ConfigError as error:
        more = [each for each in error.mistakes if each.path not in told]
        raise ConfigError(origin, [*mistakes, *more]) from None
    if mistakes:
        raise ConfigError(origin, mistakes)
    return config


def backtest(request: Request, environ: Mapping[str, str]) -> None:
    """Run what ``request`` says on virtual time, and write the report.

    What breaks the run off is raised when the report of what there is was written.

    Raises:
        ConfigError: something in the config, the options or the files is wrong, or files that no
            report wrote are in the way of this one.
        HistoryError: a file is not what it was when it was opened.
        OutputError: the report cannot be drawn or written.
    """
    set_up_logging("console", "warning", SystemClock())
    plan = make_plan(request, environ)
    check_installed(str(request.folder / PAGE))
    prepare(request.folder, events=request.events)
    config = plan.config.model_copy(update={"outputs": _outputs(request)})
    watcher = _Watcher()
    try:
        run_histories(config, plan.histories, attach=watcher.attach)
    except Exception as error:
        _write(request, plan, watcher, error)
        raise
    _write(request, plan, watcher)


def _outputs(request: Request) -> dict[str, JsonlConfig]:
    if not request.events:
        return {}
    return {"report": JsonlConfig(type="jsonl", path=str(request.folder / EVENTS))}


class _Watcher:
    """A record of each container, to which its events go as to an output."""

    def __init__(self) -> None:
        self._records: list[tuple[Container, ContainerRecord]] = []
        self.progress: Progress | None = None

    def attach(self, daemon: Daemon, progress: Progress) -> None:
        self.progress = progress
        for container in daemon.containers:
            record = ContainerRecord(container.name)
            for event_type in record.event_types:
                container.event_bus.subscribe(event_type, record.take)
            self._records.append((container, record))

    def reports(self) -> list[ContainerReport]:
        return [_counted(record.report(), container) for container, record in self._records]


_COUNTED = ("received", "duplicate", "corrected", "rejected")


def _counted(report: ContainerReport, container: Container) -> ContainerReport:
    """With what the container's synchronizers counted of each source."""
    sources = dict(report.sources)
    for synchronizer in container.find(BarSynchronizer):
        for source, totals in synchronizer.source_statistics().items():
            values = {name: getattr(totals, name) for name in _COUNTED}
            sources[source] = replace(sources.get(source, SourceCounts()), **values)
    return replace(report, sources=dict(sorted(sources.items())))


def _write(request: Request, plan: Plan, watcher: _Watcher, error: Exception | None = None) -> None:
    """The report, unless the run had not even begun when ``error`` came."""
    progress, reports = watcher.progress, watcher.reports()
    if progress is None:
        return
    page = PageData(
        name=plan.config.service.name,
        config=str(request.config),
        partial=_broke_off(plan, progress, error),
        files=(),
        reports=reports,
        histories=[*_rows(plan)],
    )
    size = write_report(
        request.folder,
        tables_of(reports),
        lambda files: rendered(replace(page, files=files)),
        events=request.events,
    )
    for report in reports:
        click.echo(summary(report))
    rate = progress.bars / max(progress.seconds, 1e-9)
    click.echo(f"{counted(progress.bars, 'bar')} in {progress.seconds:.1f} s, {rate:,.0f} bars/s")
    if page.partial:
        click.echo(f"partial: {page.partial}")
    click.echo(f"report: {request.folder / PAGE} ({size / 1e6:.1f} MB)")


def _broke_off(plan: Plan, progress: Progress, error: Exception | None) -> str:
    """Why and where the run ended before the histories did; empty where it did not."""
    if error is None and progress.is_whole:
        return ""
    ends = [each.survey.last or 0 for some in plan.histories.values() for each in some]
    stopped = f"at {shown_time(progress.at)}" if progress.at else "before the first set"
    how = "It was stopped" if error is None else f"{type(error).__name__}: {error}. It broke off"
    return f"{how} {stopped}; the histories go on to {shown_time(max(ends))}."


def _rows(plan: Plan) -> list[tuple[Any, ...]]:
    surveys = [each.survey for some in plan.histories.values() for each in some]
    return [
        (file.source, str(file.path), survey.bars, survey.rejections, survey.first, survey.last)
        for file, survey in zip(plan.files, surveys, strict=True)
    ]
