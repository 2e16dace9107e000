"""Runs the daemon and the simulated venue on a loop, with signals."""

import gc
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from random import Random

import anyio
import uvloop

from barsync_async.app.logging import tell_left_out
from barsync_async.app.signals import Signals, signals_taken
from barsync_async.config import Config
from barsync_async.ports import Connector
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.groups import one_error
from barsync_async.shell.intake import Intake
from barsync_async.shell.network.http_client import HttpxClient
from barsync_async.shell.network.routes import routes_of
from barsync_async.shell.network.websocket import WebsocketConnector
from barsync_async.shell.outputs.standard_output import stdout_for_events

LOOPS = ("uvloop", "asyncio")
_COLLECTIONS = (50_000, 20, 50)


def run_on_loop(loop: str, main: Callable[[], Awaitable[None]]) -> None:
    """Run ``main`` to its end on ``loop``, one of :data:`LOOPS`.

    What was loaded so far stays for good, and bars hold no cycles: the garbage collector need not
    look at the former at all, nor often at the rest.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)
    options = {"loop_factory": uvloop.new_event_loop} if loop == "uvloop" else {}
    anyio.run(main, backend_options=options)


def run_until_signal(loop: str, main: Callable[[Signals], Awaitable[None]]) -> None:
    """As :func:`run_on_loop`; ``main`` is given the signals that come, and ends at the first."""
    with signals_taken() as signals, stdout_for_events():
        run_on_loop(loop, partial(main, signals))


def real_daemon(
    config: Config,
    *,
    through: Callable[[Connector], Connector] = lambda connector: connector,
    past_bars: bool = True,
) -> Daemon:
    """The daemon on the machine's clock and real sockets.

    Args:
        config: what to run.
        through: puts something between the feeds and the network.
        past_bars: whether to ask venues for them.

    Raises:
        ConfigError: a component cannot be made, or a certificate be read, as configured.
    """
    clock, intake = SystemClock(), Intake()
    routes = routes_of(config)
    return Daemon(
        config,
        clock=clock,
        connector=through(WebsocketConnector(clock, intake, routes)),
        intake=intake,
        rng=Random(),  # noqa: S311 - jitter is no secret
        http=HttpxClient(routes) if past_bars else None,
    )


async def run_real(config: Config, duration_s: float | None, signals: Signals) -> None:
    """Run ``config`` on the machine's clock and real sockets until a signal comes or ``duration_s``
    have passed; then drain.

    Raises:
        ConfigError: as :func:`real_daemon`.
    """
    await run_daemon(real_daemon(config), signals, anyio.Event(), duration_s)


async def run_daemon(
    daemon: Daemon, signals: Signals, stop: anyio.Event, duration_s: float | None = None
) -> None:
    """Run until one of ``signals``, ``stop``, or ``duration_s`` have come; then drain."""
    signals.set_on_signal(stop)
    try:
        with one_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(set_after, stop, duration_s, name="duration")
                await daemon.run(stop)
                tasks.cancel_scope.cancel()
    finally:
        tell_left_out()


async def set_after(stop: anyio.Event, duration_s: float | None) -> None:
    """Set ``stop`` after so many seconds; with None, never."""
    if duration_s is not None:
        await anyio.sleep(duration_s)
        stop.set()


def leave_at_once() -> None:
    """Wait for no thread that is stuck in a write: it may hold the very lock that an orderly exit
    needs to flush standard output.
    """
    sys.stderr.flush()
    os._exit(1)


def forget_output() -> None:
    """After a broken pipe: do not try again to flush standard output at exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
