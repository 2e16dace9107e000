"""``barsync simulate``: one venue on a real socket until its scenario, or a signal, ends it."""

import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import anyio
import structlog

from barsync_async.app.runner import set_after
from barsync_async.app.signals import Signals
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.groups import one_error
from barsync_async.shell.network.tls import serving
from barsync_async.shell.recordings.recorded_venue import serve_recording
from barsync_async.shell.recordings.recording_file import Recording
from barsync_async.shell.simulators.simulator import serve
from barsync_async.shell.waiting import cancelled_by
from barsync_async.simulation.scenario import Scenario

_log = structlog.get_logger("barsync.simulator")


def venue_tls(scenario: Scenario, path: Path) -> ssl.SSLContext | None:
    """What ``scenario``, which stands in the file ``path``, is served with; None: no TLS.

    Raises:
        ConfigError: its certificate and key cannot be used.
    """
    tls = scenario.venue.tls
    if tls is None:
        return None
    return serving(path.parent / tls.cert, path.parent / tls.key, str(path), "venue.tls")


async def run_simulator(
    scenario: Scenario,
    log: Path | None,
    duration_s: float | None,
    tls: ssl.SSLContext | None,
    signals: Signals,
) -> None:
    """Serve ``scenario`` until it ends, a signal comes or ``duration_s`` have passed; with ``tls``
    as wss and https.

    Raises:
        OutputError: the address cannot be listened on, or the log cannot be written.
    """
    clock, say_where = SystemClock(), partial(_say_where, "ws" if tls is None else "wss")
    await _serve(
        signals,
        lambda: serve(scenario, clock=clock, log=log, on_listening=say_where, tls=tls),
        duration_s,
    )


async def run_recorded_venue(
    recording: Recording,
    address: tuple[str, int],
    speed: float,
    duration_s: float | None,
    signals: Signals,
) -> None:
    """Serve ``recording`` until all of it was played, a signal comes or ``duration_s`` have passed.

    Raises:
        OutputError: the address cannot be listened on.
        RecordingError: the recording is not any more what it was.
    """
    await _serve(
        signals,
        lambda: serve_recording(
            recording, address, speed=speed, on_listening=partial(_say_where, "ws")
        ),
        duration_s,
    )


async def _serve(
    signals: Signals, work: Callable[[], Awaitable[None]], duration_s: float | None
) -> None:
    stop = anyio.Event()
    signals.set_on_signal(stop)
    with one_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(set_after, stop, duration_s, name="duration")
            async with cancelled_by(stop):
                await work()
            tasks.cancel_scope.cancel()


def _say_where(scheme: str, host: str, port: int) -> None:
    _log.info("listening", url=f"{scheme}://{host}:{port}")
