"""``barsync simulate``: one venue on a real socket until its scenario, or a signal, ends it."""

from pathlib import Path

import anyio
import structlog

from barsync_async.app.runner import set_after, set_on_signal
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.groups import one_error
from barsync_async.shell.simulator import serve
from barsync_async.simulation.scenario import Scenario

_log = structlog.get_logger("barsync.simulator")


async def run_simulator(scenario: Scenario, log: Path | None, duration_s: float | None) -> None:
    """Serve ``scenario`` until it ends, a signal comes or ``duration_s`` have passed.

    Raises:
        OutputError: the address cannot be listened on, or the log cannot be written.
    """
    stop = anyio.Event()
    with one_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(set_on_signal, stop, name="signals")
            tasks.start_soon(set_after, stop, duration_s, name="duration")
            tasks.start_soon(_cancel_at, stop, tasks.cancel_scope, name="stopping")
            await serve(scenario, clock=SystemClock(), log=log, on_listening=_say_where)
            tasks.cancel_scope.cancel()


async def _cancel_at(stop: anyio.Event, scope: anyio.CancelScope) -> None:
    await stop.wait()
    scope.cancel()


def _say_where(host: str, port: int) -> None:
    _log.info("listening", url=f"ws://{host}:{port}")
