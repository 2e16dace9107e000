"""``barsync replay``: the daemon that a config describes, with a recording as its network."""

import sys
from collections.abc import Iterator, Sequence

import anyio
import structlog

from barsync_async.app.options import log_as_told
from barsync_async.app.runner import run_daemon
from barsync_async.app.signals import Signals, signals_taken
from barsync_async.config import Config
from barsync_async.errors import ConfigError, Mistake
from barsync_async.mistakes import key_path
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.feeds.connections import ConnectionPlan, plan_connections
from barsync_async.shell.groups import one_error
from barsync_async.shell.intake import Intake
from barsync_async.shell.outputs.standard_output import stdout_for_events
from barsync_async.shell.paced_time import NoJitter, PacedLoop, ReplayClock
from barsync_async.shell.recordings.recording import RecordedConnection
from barsync_async.shell.recordings.recording_file import Recording
from barsync_async.shell.recordings.replay_connector import ReplayConnector
from barsync_async.shell.virtual_time import VirtualTimeLoop

_NS_PER_S = 1_000_000_000
_EVERY_NS = 5 * _NS_PER_S
_EVERY_ON_TERMINAL_NS = _NS_PER_S

log = structlog.get_logger("barsync.replay")


def replay(config: Config, recording: Recording, speed: float | None) -> None:
    """Run ``config`` on what was recorded, ``speed`` times as fast as it came; with None as fast
    as it computes, on virtual time, and to the byte the same every time.

    Raises:
        ConfigError: the recording does not have what ``config`` connects to.
        RecordingError: the recording is not any more what it was.
    """
    plans = plan_connections(config)
    mistakes = [*_mistakes(plans, recording.began.connections)]
    if mistakes:
        raise ConfigError(config.origin, mistakes)
    log_as_told(config)
    _warn(plans, recording)
    loop = VirtualTimeLoop if speed is None else lambda: PacedLoop(speed)
    progress = Progress(recording.survey.span_ns)
    ticks_s = None if speed is None else speed
    options = {"loop_factory": loop}
    with signals_taken() as signals, stdout_for_events():
        anyio.run(
            _run, config, plans, recording, progress, ticks_s, signals, backend_options=options
        )


async def _run(
    config: Config,
    plans: Sequence[ConnectionPlan],
    recording: Recording,
    progress: "Progress",
    ticks_s: float | None,
    signals: Signals,
) -> None:
    clock, intake = ReplayClock(recording.began.wall_ns), Intake()
    names = {plan.name for plan in plans}
    connector = ReplayConnector(recording, names, clock, intake, progress.reached)
    daemon = Daemon(config, clock=clock, connector=connector, intake=intake, rng=NoJitter())
    stop = anyio.Event()

    async def play() -> None:
        await connector.run()
        stop.set()

    async def tick() -> None:
        while ticks_s is not None:
            await anyio.sleep(ticks_s)
            progress.reached(clock.now().mono)

    with one_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play, name="recording")
            tasks.start_soon(tick, name="progress")
            await run_daemon(daemon, signals, stop)
            tasks.cancel_scope.cancel()
    progress.say("replayed")
    if connector.lost:
        log.warning("came when no feed was connected, and is lost", frames=connector.lost)


class Progress:
    """Says now and then, by the machine's clock, how much of ``span_ns`` is played."""

    def __init__(self, span_ns: int) -> None:
        self._span_ns = max(1, span_ns)
        self._at_ns = 0
        self._clock = SystemClock()
        self._every_ns = _EVERY_ON_TERMINAL_NS if sys.stderr.isatty() else _EVERY_NS
        self._said_ns: int = self._clock.now().mono

    def reached(self, at_ns: int) -> None:
        """The recording is played as far as ``at_ns``."""
        self._at_ns = min(max(at_ns, self._at_ns), self._span_ns)
        now_ns = self._clock.now().mono
        if now_ns - self._said_ns >= self._every_ns:
            self._said_ns = now_ns
            self.say("replaying")

    def say(self, event: str) -> None:
        """How far it is."""
        percent = round(self._at_ns * 100 / self._span_ns, 1)
        log.info(event, percent=percent, of_s=round(self._span_ns / _NS_PER_S, 1))


def _mistakes(
    plans: Sequence[ConnectionPlan], recorded: Sequence[RecordedConnection]
) -> Iterator[Mistake]:
    venues = {each.name: each.venue for each in recorded}
    there = f"it has {' '.join(venues)}" if venues else "it has none"
    for plan in plans:
        if plan.name not in venues:
            detail = f"the recording has no connection {plan.name}; {there}"
            yield Mistake(key_path(("feeds", plan.feed)), "", detail)
        elif plan.venue != venues[plan.name]:
            path = key_path(("feeds", plan.feed, "venue"))
            detail = f"the recorded connection {plan.name} is of {venues[plan.name]}"
            yield Mistake(path, repr(plan.venue), detail)


def _warn(plans: Sequence[ConnectionPlan], recording: Recording) -> None:
    """Tell of what may surprise: a recording that is no whole one, and one of other sources."""
    if recording.cut:
        log.warning("the recording breaks off in its last line", file=str(recording.path))
    elif not recording.survey.stopped:
        log.warning("the recording was not ended cleanly", file=str(recording.path))
    if recording.survey.went_back:
        log.warning("the recorded clock went back", lines=recording.survey.went_back)
    planned = {plan.name: plan for plan in plans}
    for each in recording.began.connections:
        plan = planned.get(each.name)
        if plan is None:
            log.warning("recorded, and no feed of the config", connection=each.name)
            continue
        _warn_of_sources(each.name, set(plan.sources), set(each.sources))


def _warn_of_sources(connection: str, wanted: set[str], recorded: set[str]) -> None:
    if missing := sorted(wanted - recorded):
        log.warning("not recorded", connection=connection, sources=missing)
    if unused := sorted(recorded - wanted):
        log.warning("recorded, and not wanted here", connection=connection, sources=unused)
