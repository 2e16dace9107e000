"""Runs the daemon and the simulated venue on a loop, with signals."""

import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any

import anyio
import structlog
import uvloop

from barsync_async.config import Config
from barsync_async.ports import Connector
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.groups import one_error
from barsync_async.shell.intake import Intake
from barsync_async.shell.network.http_client import HttpxClient
from barsync_async.shell.network.routes import routes_of
from barsync_async.shell.network.websocket import WebsocketConnector

LOOPS = ("uvloop", "asyncio")
_COLLECTIONS = (50_000, 20, 50)

log = structlog.get_logger("barsync")


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


async def set_on_signal(stop: anyio.Event) -> None:
    """Set ``stop`` at the first SIGTERM or SIGINT; leave at once at the second."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            if stop.is_set():
                log.error("leaving at once", signal=signal.Signals(number).name)
                os._exit(1)
            log.info("signal", signal=signal.Signals(number).name)
            stop.set()


async def run_daemon(
    daemon: Daemon,
    stop: anyio.Event,
    duration_s: float | None = None,
    *,
    signals: Callable[[anyio.Event], Coroutine[Any, Any, None]] = set_on_signal,
) -> None:
    """Run until a signal, ``stop``, or ``duration_s`` have come; then drain. ``signals`` sets
    ``stop`` at a signal.
    """
    with one_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(signals, stop, name="signals")
            tasks.start_soon(set_after, stop, duration_s, name="duration")
            await daemon.run(stop)
            tasks.cancel_scope.cancel()


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
