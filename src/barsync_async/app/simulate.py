"""``barsync simulate``: one venue on a real socket until its scenario, or a signal, ends it."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import structlog

from barsync_async.app.runner import set_after, set_on_signal
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.groups import one_error
from barsync_async.shell.recorded_venue import serve_recording
from barsync_async.shell.recording_file import Recording
from barsync_async.shell.simulator import serve
from barsync_async.simulation.scenario import Scenario

_log = structlog.get_logger("barsync.simulator")


async def run_simulator(scenario: Scenario, log: Path | None, duration_s: float | None) -> None:
    """Serve ``scenario`` until it ends, a signal comes or ``duration_s`` have passed.

    Raises:
        OutputError: the address cannot be listened on, or the log cannot be written.
    """
    clock = SystemClock()
    await _serve(lambda: serve(scenario, clock=clock, log=log, on_listening=_say_where), duration_s)


async def run_recorded_venue(
    recording: Recording, address: tuple[str, int], speed: float, duration_s: float | None
) -> None:
    """Serve ``recording`` until all of it was played, a signal comes or ``duration_s`` have passed.

    Raises:
        OutputError: the address cannot be listened on.
        RecordingError: the recording is not any more what it was.
    """
    await _serve(
        lambda: serve_recording(recording, address, speed=speed, on_listening=_say_where),
        duration_s,
    )


async def _serve(serving: Callable[[], Awaitable[None]], duration_s: float | None) -> None:
    stop = anyio.Event()
    with one_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(set_on_signal, stop, name="signals")
            tasks.start_soon(set_after, stop, duration_s, name="duration")
            tasks.start_soon(_cancel_at, stop, tasks.cancel_scope, name="stopping")
            await serving()
            tasks.cancel_scope.cancel()


async def _cancel_at(stop: anyio.Event, scope: anyio.CancelScope) -> None:
    await stop.wait()
    scope.cancel()


def _say_where(host: str, port: int) -> None:
    _log.info("listening", url=f"ws://{host}:{port}")
