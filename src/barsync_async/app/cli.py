"""The ``barsync`` command. Exit codes: 0 done, 1 failed, 2 bad usage or config."""

import os
from functools import partial
from pathlib import Path

import click

from barsync_async.app.backtest.command import backtest
from barsync_async.app.demo import make_plan, run_demo, run_virtual
from barsync_async.app.logging import set_up_logging
from barsync_async.app.new import new
from barsync_async.app.options import (
    config_argument,
    duration_option,
    errors_told,
    log_as_told,
    loop_option,
    speed_option,
)
from barsync_async.app.record import run_recorded
from barsync_async.app.recording_commands import COMMANDS
from barsync_async.app.run import run_config
from barsync_async.app.runner import run_until_signal
from barsync_async.app.settings import load_config, load_scenario, parse_address
from barsync_async.app.simulate import run_recorded_venue, run_simulator, venue_tls
from barsync_async.app.summary import summary
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.components.registry import build_containers
from barsync_async.shell.intake import Intake
from barsync_async.shell.network.routes import routes_of
from barsync_async.shell.outputs.standard_output import stdout_for_events
from barsync_async.shell.recordings.recording_file import Recording, is_recording


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="barsync-async")
def main() -> None:
    """Turn many live bar feeds into one strictly ordered stream of synchronized sets."""


@main.command()
@config_argument
@duration_option
@loop_option
@click.option(
    "--record",
    "recording",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write all that comes over the wire to FILE, to be replayed; gzipped where it ends in .gz",
)
def run(config: Path, duration: float | None, loop: str, recording: Path | None) -> None:
    """Run the daemon that CONFIG describes until SIGTERM or Ctrl-C; then drain and exit.

    On feeds of files: on virtual time, from the first bar to the last.
    """
    with errors_told():
        parsed = load_config(config, os.environ)
        if recording is None:
            run_config(parsed, duration_s=duration, loop=loop)
            return
        log_as_told(parsed)
        run_until_signal(loop, partial(run_recorded, parsed, recording, duration))


@main.command()
@config_argument
def check(config: Path) -> None:
    """Say what is wrong in CONFIG, all of it, or what it would run."""
    with errors_told():
        parsed = load_config(config, os.environ)
        log_as_told(parsed)
        routes_of(parsed)
        with stdout_for_events():
            containers = build_containers(parsed, clock=SystemClock(), intake=Intake())
            lines = [*summary(parsed, containers)]
        click.echo("\n".join([f"{config}: good", *lines]))


@main.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--listen", metavar="HOST:PORT", help="Override the scenario's address.")
@speed_option
@click.option("--seed", type=int, help="Override the scenario's seed.")
@click.option(
    "--log",
    "log_path",
    type=click.Path(path_type=Path),
    help="Write what was sent, lost and delayed, and when, as JSON lines.",
)
@duration_option
@loop_option
def simulate(
    scenario: Path,
    listen: str | None,
    speed: float | None,
    seed: int | None,
    log_path: Path | None,
    duration: float | None,
    loop: str,
) -> None:
    """Serve the market of SCENARIO over a real websocket, in the venue's own protocol.

    SCENARIO may be a recording: its connections are served, each once, to whom asks for their path.
    """
    with errors_told():
        set_up_logging("console", "info", SystemClock())
        if is_recording(scenario):
            if seed is not None or log_path is not None:
                raise click.UsageError("--seed and --log are a scenario's, not a recording's")
            address, recording = parse_address(listen), Recording(scenario)
            run_until_signal(
                loop, partial(run_recorded_venue, recording, address, speed or 1.0, duration)
            )
            return
        if speed is not None:
            raise click.UsageError("--speed is a recording's; a scenario has pace_ms")
        parsed = load_scenario(scenario, seed=seed, listen=listen)
        tls = venue_tls(parsed, scenario)
        run_until_signal(loop, partial(run_simulator, parsed, log_path, duration, tls))


@main.command()
@duration_option
@loop_option
@click.option("--seed", type=int, help="Override the scenario's seed.")
@click.option(
    "--virtual",
    is_flag=True,
    help="On virtual time: as fast as it goes, the same bytes every time. Needs --duration.",
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="Instead of the demo's own config; the urls of its feeds are replaced.",
)
@click.option(
    "--scenario",
    "scenario_path",
    type=click.Path(path_type=Path),
    help="Instead of the demo's own scenario.",
)
def demo(
    duration: float | None,
    loop: str,
    seed: int | None,
    virtual: bool,
    config_path: Path | None,
    scenario_path: Path | None,
) -> None:
    """Run a simulated venue and the daemon together: a set every second."""
    if virtual and duration is None:
        raise click.UsageError("--virtual needs --duration")
    with errors_told():
        plan = make_plan(config_path, scenario_path, seed, os.environ)
        if virtual:
            run_virtual(plan, duration or 0.0)
        else:
            log_as_told(plan.config)
            run_until_signal(loop, partial(run_demo, plan, duration))


for _command in (*COMMANDS, new, backtest):
    main.add_command(_command)
