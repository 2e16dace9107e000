"""A config whose feeds are files: on virtual time, from the first bar to the last."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random

import anyio

from barsync_async.app.doubtful_histories import warn_of_doubtful
from barsync_async.app.logging import set_up_logging
from barsync_async.app.progress import Progress
from barsync_async.app.runner import run_daemon
from barsync_async.app.signals import Signals, signals_taken
from barsync_async.config import Config
from barsync_async.shell.clock import SystemClock, VirtualClock
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.feeds.connections import plan_connections
from barsync_async.shell.feeds.file_feed import BarHistory, open_histories
from barsync_async.shell.intake import Intake
from barsync_async.shell.network.websocket import WebsocketConnector
from barsync_async.shell.outputs.standard_output import stdout_for_events
from barsync_async.shell.virtual_time import VirtualTimeLoop
from barsync_async.units import WallMs


def run_files(config: Config, duration_s: float | None) -> None:
    """``barsync run``: until every file is read to its end, or for ``duration_s`` of the market's
    time.

    Raises:
        HistoryError: a file cannot be used.
    """
    service = config.service
    set_up_logging(service.log_format, service.log_level, SystemClock())
    run_histories(config, open_histories(config), duration_s)


def run_histories(
    config: Config,
    histories: Mapping[str, Sequence[BarHistory]],
    duration_s: float | None = None,
    *,
    attach: Callable[[Daemon, Progress], None] | None = None,
) -> None:
    """Run ``config`` on ``histories``, until they end, a signal comes, or ``duration_s`` of the
    market's time have passed; then drain.

    Args:
        config: its feeds of files are those of ``histories``.
        histories: by the feed's name.
        duration_s: None: as long as there are bars.
        attach: is given the daemon before it runs, and what tells how far the reading is.

    Raises:
        ConfigError: a component cannot be made as configured.
        HistoryError: a file is not what it was when it was opened.
    """
    wanted = _wanted(config, histories)
    first = min((each.survey.first or 1 for some in wanted.values() for each in some), default=1)
    clock = VirtualClock(WallMs(first - 1))
    progress = Progress(wanted)
    warn_of_doubtful(wanted)

    async def run(signals: Signals) -> None:
        daemon = _daemon(config, clock, progress.watched)
        progress.watch(daemon.containers)
        if attach is not None:
            attach(daemon, progress)
        await run_daemon(daemon, signals, anyio.Event(), duration_s)

    with signals_taken() as signals, stdout_for_events(), progress, _logging_by(clock, config):
        anyio.run(run, signals, backend_options={"loop_factory": VirtualTimeLoop})


@contextmanager
def _logging_by(clock: VirtualClock, config: Config) -> Iterator[None]:
    """While its loop runs; nobody can ask such a clock afterwards."""
    service = config.service
    set_up_logging(service.log_format, service.log_level, clock)
    try:
        yield
    finally:
        set_up_logging(service.log_format, service.log_level, SystemClock())


def _wanted(
    config: Config, histories: Mapping[str, Sequence[BarHistory]]
) -> dict[str, list[BarHistory]]:
    """Those of ``histories`` that a feed will read."""
    return {
        plan.feed: [each for each in histories[plan.feed] if each.source in plan.sources]
        for plan in plan_connections(config)
    }


def _daemon(
    config: Config, clock: VirtualClock, histories: Mapping[str, Sequence[BarHistory]]
) -> Daemon:
    intake = Intake()
    return Daemon(
        config,
        clock=clock,
        connector=WebsocketConnector(clock, intake),  # no feed of files connects to anything
        intake=intake,
        rng=Random(0),  # noqa: S311 - nor waits
        histories=histories,
    )
