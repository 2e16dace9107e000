"""``barsync demo``: a simulated venue and the daemon together, on real or virtual time."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from random import Random

import anyio
import msgspec

from barsync_async.app.logging import set_up_logging
from barsync_async.app.runner import real_daemon, run_daemon
from barsync_async.app.settings import load_config, load_scenario
from barsync_async.app.signals import Signals, signals_taken
from barsync_async.config import Config
from barsync_async.errors import ConfigError, Mistake
from barsync_async.shell.clock import SystemClock, VirtualClock
from barsync_async.shell.daemon import Daemon
from barsync_async.shell.groups import one_error
from barsync_async.shell.intake import Intake
from barsync_async.shell.outputs.standard_output import stdout_for_events
from barsync_async.shell.simulators.memory_venue import MemoryVenue
from barsync_async.shell.simulators.simulator import serve
from barsync_async.shell.virtual_time import VirtualTimeLoop
from barsync_async.simulation.scenario import Scenario
from barsync_async.simulation.timeline import Timeline
from barsync_async.units import NS_PER_MS, Instant, WallMs

VIRTUAL_START = WallMs(1_767_364_200_000)
"""What the wall clock shows when virtual time begins: 2026-01-02 14:30 UTC."""


class Plan(msgspec.Struct, frozen=True):
    """What runs against what."""

    config: Config
    scenario: Scenario


def make_plan(
    config: Path | None, scenario: Path | None, seed: int | None, environ: Mapping[str, str]
) -> Plan:
    """The given files, or those that the package ships.

    Raises:
        ConfigError: a file cannot be used, or the scenario sells none of a feed's sources.
    """
    shipped = resources.files("barsync_async.app") / "examples"
    with resources.as_file(shipped) as folder:
        parsed = load_config(config or folder / "demo.toml", environ)
        market = load_scenario(scenario or folder / "scenario.toml", seed=seed)
    _check_sources(parsed, market)
    _check_plain(market, str(scenario))
    return Plan(parsed, market)


def _check_sources(config: Config, scenario: Scenario) -> None:
    mistakes = [
        Mistake(f"feeds.{name}.sources[{index}]", repr(source), "the scenario has no such source")
        for name, feed in config.feeds.items()
        for index, source in enumerate(feed.sources)
        if source not in scenario.sources
    ]
    if mistakes:
        raise ConfigError(config.origin, mistakes)


async def run_demo(plan: Plan, duration_s: float | None, signals: Signals) -> None:
    """On real sockets and the machine's clock, until a signal or ``duration_s``."""
    started = _Started()
    with one_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_serve, plan.scenario, started, name="simulated venue")
            await started.event.wait()
            daemon = real_daemon(_pointed_at(plan.config, started.url))
            await run_daemon(daemon, signals, anyio.Event(), duration_s)
            tasks.cancel_scope.cancel()


def _check_plain(scenario: Scenario, origin: str) -> None:
    if scenario.venue.tls is not None:
        expected = "a demo has no TLS; serve this scenario by barsync simulate"
        raise ConfigError(origin, [Mistake("venue.tls", "", expected)])


class _Started:
    """Where the venue listens, once it does."""

    def __init__(self) -> None:
        self.event = anyio.Event()
        self.url = ""

    def listening(self, host: str, port: int) -> None:
        self.url = f"ws://{host}:{port}"
        self.event.set()


async def _serve(scenario: Scenario, started: _Started) -> None:
    anywhere = scenario.venue.model_copy(update={"listen": "127.0.0.1:0"})
    await serve(
        scenario.model_copy(update={"venue": anywhere}),
        clock=SystemClock(),
        on_listening=started.listening,
    )


def _pointed_at(config: Config, url: str) -> Config:
    feeds = {name: feed.model_copy(update={"url": url}) for name, feed in config.feeds.items()}
    return config.model_copy(update={"feeds": feeds})


def run_virtual(plan: Plan, duration_s: float) -> None:
    """On virtual time and queues in place of sockets, for ``duration_s`` of the market's time:
    as fast as it computes, and to the byte the same for the same plan.
    """
    clock = VirtualClock(_virtual_start(plan.scenario, duration_s))
    service = plan.config.service
    set_up_logging(service.log_format, service.log_level, clock)
    options = {"loop_factory": VirtualTimeLoop}
    with signals_taken() as signals, stdout_for_events():
        anyio.run(_run_virtual, plan, clock, duration_s, signals, backend_options=options)


def _virtual_start(scenario: Scenario, duration_s: float) -> WallMs:
    """So late that a market which begins at a moment of its own has no bar of the future."""
    if scenario.venue.start is None:
        return VIRTUAL_START
    market = Timeline(scenario, Instant.of(0, VIRTUAL_START * NS_PER_MS))
    return max(VIRTUAL_START, market.close_after(duration_s))


async def _run_virtual(
    plan: Plan, clock: VirtualClock, duration_s: float, signals: Signals
) -> None:
    intake = Intake()
    venue = MemoryVenue(plan.scenario, clock, intake)
    config = _pointed_at(plan.config, "ws://simulated")
    daemon = Daemon(
        config,
        clock=clock,
        connector=venue,
        intake=intake,
        rng=Random(plan.scenario.seed),  # noqa: S311 - jitter is no secret
    )
    with one_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(venue.run, name="simulated venue")
            await run_daemon(daemon, signals, anyio.Event(), duration_s)
            tasks.cancel_scope.cancel()
