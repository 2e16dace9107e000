"""``barsync run`` on feeds of files: on virtual time, from the first bar to the last."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from random import Random

import anyio
import click

from barsync_async.app.logging import set_up_logging
from barsync_async.app.runner import run_daemon
from barsync_async.config import Config
from barsync_async.shell.clock import SystemClock, VirtualClock
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.file_feed import BarHistory, open_histories
from barsync_async.shell.intake import Intake
from barsync_async.shell.virtual_time import VirtualTimeLoop
from barsync_async.shell.websocket import WebsocketConnector
from barsync_async.units import NS_PER_MS, SourceId, WallMs
from barsync_async.venues.history_order import Survey
from barsync_async.venues.history_rows import HistoryItem

_CHUNK_ROWS = 512
_REDRAW_NS = 200 * NS_PER_MS


def run_files(config: Config, duration_s: float | None) -> None:
    """Run until every file is read to its end, or for ``duration_s`` of the market's time.

    Raises:
        HistoryError: a file cannot be used.
    """
    service = config.service
    set_up_logging(service.log_format, service.log_level, SystemClock())
    histories = open_histories(config)
    first = min(each.survey.first or 0 for some in histories.values() for each in some)
    clock = VirtualClock(WallMs(first - 1))
    set_up_logging(service.log_format, service.log_level, clock)
    options = {"loop_factory": VirtualTimeLoop}
    anyio.run(_run, config, clock, _watched(histories), duration_s, backend_options=options)


async def _run(
    config: Config,
    clock: VirtualClock,
    histories: Mapping[str, Sequence[BarHistory]],
    duration_s: float | None,
) -> None:
    intake = Intake()
    daemon = Daemon(
        config,
        clock=clock,
        connector=WebsocketConnector(clock, intake),  # no feed of files connects to anything
        intake=intake,
        rng=Random(0),  # noqa: S311 - nor waits
        histories=histories,
    )
    await run_daemon(daemon, anyio.Event(), duration_s)


def _watched(histories: Mapping[str, Sequence[BarHistory]]) -> Mapping[str, Sequence[BarHistory]]:
    """The same, with a bar on the terminal, if there is one, that tells how far the reading is."""
    if not sys.stderr.isatty():
        return histories
    progress = _Progress(sum(each.survey.bars for some in histories.values() for each in some))
    return {name: [_Watched(each, progress) for each in some] for name, some in histories.items()}


class _Progress:
    """So many of ``bars`` were read."""

    def __init__(self, bars: int) -> None:
        self._bars = bars
        self._read = 0
        self._clock = SystemClock()
        self._drawn_ns = 0

    def add(self, bars: int) -> None:
        self._read += bars
        now_ns = self._clock.now().mono
        if self._read >= self._bars or now_ns - self._drawn_ns >= _REDRAW_NS:
            self._drawn_ns = now_ns
            share = min(1.0, self._read / max(1, self._bars))
            filled = "#" * round(30 * share)
            end = "\n" if share == 1.0 else ""
            click.echo(
                f"\r{filled:<30} {share:4.0%} of {self._bars:,} bars{end}", nl=False, err=True
            )


class _Watched:
    """A history that tells ``progress`` what was taken from it."""

    def __init__(self, history: BarHistory, progress: _Progress) -> None:
        self._history = history
        self._progress = progress

    @property
    def source(self) -> SourceId:
        return self._history.source

    @property
    def survey(self) -> Survey:
        return self._history.survey

    def chunks(self, rows: int) -> Iterator[Sequence[HistoryItem]]:
        for chunk in self._history.chunks(min(rows, _CHUNK_ROWS)):
            yield chunk
            self._progress.add(len(chunk))
