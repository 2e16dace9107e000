"""The ``barsync`` command. Exit codes: 0 done, 1 failed, 2 bad usage or config."""

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import click

from barsync_async.app.demo import make_plan, run_real, run_virtual
from barsync_async.app.files import run_files
from barsync_async.app.logging import set_up_logging
from barsync_async.app.runner import LOOPS, forget_output, real_daemon, run_daemon, run_on_loop
from barsync_async.app.settings import load_config, load_scenario
from barsync_async.app.simulate import run_simulator, venue_tls
from barsync_async.config import OUTPUT_EVENTS, Config, FeedConfig
from barsync_async.errors import BarsyncError, ConfigError
from barsync_async.shell.clock import SystemClock
from barsync_async.shell.components.registry import build_containers
from barsync_async.shell.intake import Intake
from barsync_async.shell.routes import routes_of
from barsync_async.venues import CODECS

EXIT_FAILED = 1
EXIT_USAGE = 2

config_argument = click.argument("config", type=click.Path(path_type=Path))


def _finite(
    context: click.Context, parameter: click.Parameter, value: float | None
) -> float | None:
    del context, parameter
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number.")
    return value


duration_option = click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
    metavar="SECONDS",
    help="End cleanly after so many seconds.  [default: at Ctrl-C]",
)
loop_option = click.option(
    "--loop", type=click.Choice(LOOPS), default="uvloop", show_default=True, help="The event loop."
)


@contextmanager
def _errors_told() -> Iterator[None]:
    """Every expected failure as one message and its exit code."""
    try:
        yield
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_USAGE)
    except BrokenPipeError:
        forget_output()
        sys.exit(EXIT_FAILED)
    except BarsyncError as error:
        click.echo(f"barsync: {error}", err=True)
        sys.exit(EXIT_FAILED)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="barsync-async")
def main() -> None:
    """Turn many live bar feeds into one strictly ordered stream of synchronized sets."""


@main.command()
@config_argument
@duration_option
@loop_option
def run(config: Path, duration: float | None, loop: str) -> None:
    """Run the daemon that CONFIG describes until SIGTERM or Ctrl-C; then drain and exit.

    On feeds of files: on virtual time, from the first bar to the last.
    """
    with _errors_told():
        parsed = load_config(config, os.environ)
        if all(feed.is_of_files for feed in parsed.feeds.values()):
            run_files(parsed, duration)
            return
        _log_as_told(parsed)
        run_on_loop(loop, lambda: run_daemon(real_daemon(parsed), anyio.Event(), duration))


def _log_as_told(config: Config) -> None:
    set_up_logging(config.service.log_format, config.service.log_level, SystemClock())


@main.command()
@config_argument
def check(config: Path) -> None:
    """Say what is wrong in CONFIG, all of it, or what it would run."""
    with _errors_told():
        parsed = load_config(config, os.environ)
        routes_of(parsed)
        build_containers(parsed, clock=SystemClock(), intake=Intake())
        click.echo(f"{config}: good")
        click.echo(_summary(parsed))


def _where(feed: FeedConfig) -> str:
    if feed.is_of_files:
        return "from " + " ".join(file.path for file in feed.files.values())
    return f"at {feed.url or CODECS[feed.venue].default_url + ' (public)'}"


def _summary(config: Config) -> str:
    lines = [f"service {config.service.name}"]
    for name, feed in config.feeds.items():
        lines.append(f"feed {name}: {feed.venue} {_where(feed)}: {' '.join(feed.sources)}")
        lines += [f"  {source} is made of {parts}" for source, parts in feed.derived.items()]
    for name, container in config.containers.items():
        kinds = ", ".join(f"{key} ({each.type})" for key, each in container.components.items())
        lines.append(f"container {name}: {kinds}")
    for name, output in config.outputs.items():
        target = getattr(output, "path", "standard output")
        events = "all events" if set(output.events) == set(OUTPUT_EVENTS) else output.events
        shown = events if isinstance(events, str) else " ".join(events)
        lines.append(f"output {name}: {output.type} to {target}: {shown}")
    return "\n".join(lines)


@main.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--listen", metavar="HOST:PORT", help="Override the scenario's address.")
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
    seed: int | None,
    log_path: Path | None,
    duration: float | None,
    loop: str,
) -> None:
    """Serve the market of SCENARIO over a real websocket, in the venue's own protocol."""
    with _errors_told():
        set_up_logging("console", "info", SystemClock())
        parsed = load_scenario(scenario, seed=seed, listen=listen)
        tls = venue_tls(parsed, scenario)
        run_on_loop(loop, lambda: run_simulator(parsed, log_path, duration, tls))


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
    with _errors_told():
        plan = make_plan(config_path, scenario_path, seed, os.environ)
        if virtual:
            run_virtual(plan, duration or 0.0)
        else:
            _log_as_told(plan.config)
            run_on_loop(loop, lambda: run_real(plan, duration))
