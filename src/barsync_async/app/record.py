"""``barsync record`` and ``barsync run --record``: a recorder between daemon and network."""

from pathlib import Path

import anyio
import structlog

from barsync_async.app.runner import real_daemon, run_daemon
from barsync_async.app.signals import Signals
from barsync_async.config import Config
from barsync_async.errors import ConfigError, Mistake
from barsync_async.mistakes import key_path
from barsync_async.ports import Connector
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.feeds.connections import plan_connections
from barsync_async.shell.groups import one_error
from barsync_async.shell.recordings.recorder import RecordingConnector, recorded_connections
from barsync_async.shell.recordings.recording_writer import RecordingWriter

PROGRESS_S = 5.0
"""How often ``record`` says how it goes."""

_PROGRESS_BESIDE_S = 60.0  # where there is a daemon's log to read

log = structlog.get_logger("barsync.recorder")


async def run_recorded(
    config: Config, path: Path, duration_s: float | None, signals: Signals
) -> None:
    """Run ``config`` as ever, and write all that its connections carry to ``path``.

    Raises:
        ConfigError: its feeds have no connections.
        OutputError: the recording, or another output, cannot be written.
    """
    taping = _Taping(config, path, _PROGRESS_BESIDE_S)
    await taping.run(config, duration_s, signals, past_bars=True)


async def record(config: Config, path: Path, duration_s: float | None, signals: Signals) -> None:
    """Write all that the connections of ``config`` carry to ``path``, and do nothing else.

    Raises:
        ConfigError: its feeds have no connections.
        OutputError: the recording cannot be written.
    """
    taping = _Taping(config, path, PROGRESS_S)
    await taping.run(_silent(config), duration_s, signals, past_bars=False)


def _silent(config: Config) -> Config:
    """``config`` without outputs, and of its components those alone that name sources."""
    containers = {
        name: container.model_copy(
            update={
                "components": {
                    key: each
                    for key, each in container.components.items()
                    if "expected_sources" in each.config
                }
            }
        )
        for name, container in config.containers.items()
    }
    return config.model_copy(update={"containers": containers, "outputs": {}})


class _Taping:
    """The recorder of one run."""

    def __init__(self, config: Config, path: Path, progress_s: float) -> None:
        _check_feeds(config)
        self._path = path
        self._progress_s = progress_s
        self._clock = SystemClock()
        self._plans = plan_connections(config)
        self._writer = RecordingWriter(path, recorded_connections(self._plans), self._clock)

    async def run(
        self, config: Config, duration_s: float | None, signals: Signals, *, past_bars: bool
    ) -> None:
        daemon = real_daemon(config, through=self._tap, past_bars=past_bars)
        with one_error():
            async with anyio.create_task_group() as tasks:
                await self._writer.open()
                tasks.start_soon(self._writer.run, name="recording")
                tasks.start_soon(self._tell, name="recording's progress")
                await self._run(daemon, duration_s, signals)
                tasks.cancel_scope.cancel()

    def _tap(self, inner: Connector) -> Connector:
        self._recorder = RecordingConnector(inner, self._writer, self._plans, self._clock)
        return self._recorder

    async def _run(self, daemon: Daemon, duration_s: float | None, signals: Signals) -> None:
        try:
            await run_daemon(daemon, signals, anyio.Event(), duration_s)
        finally:
            with anyio.CancelScope(shield=True):
                await self._writer.close()
            if self._writer.is_whole:
                self._say("recorded", {})

    async def _tell(self) -> None:
        frames, at = 0, self._clock.now()
        while True:
            await anyio.sleep(self._progress_s)
            now = self._clock.now()
            new = self._recorder.totals.frames - frames
            rate = round(new * 1e9 / max(1, now.mono - at.mono), 1)
            self._say("recording", {"frames_per_s": rate, "connections": self._recorder.states})
            frames, at = self._recorder.totals.frames, now

    def _say(self, event: str, more: dict[str, object]) -> None:
        totals = self._recorder.totals
        log.info(
            event,
            frames=totals.frames,
            bytes=totals.bytes,
            file=str(self._path),
            file_bytes=self._writer.written_bytes,
            **more,
        )


def _check_feeds(config: Config) -> None:
    mistakes = [
        Mistake(key_path(("feeds", name, "venue")), repr(feed.venue), "has no connection to record")
        for name, feed in config.feeds.items()
        if feed.is_of_files
    ]
    if mistakes:
        raise ConfigError(config.origin, mistakes)
