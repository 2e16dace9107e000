"""What the commands have in common: arguments, options, and how failures are told."""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from barsync_async.app.logging import set_up_logging
from barsync_async.app.runner import LOOPS, forget_output, leave_at_once
from barsync_async.config import Config
from barsync_async.errors import BarsyncError, ConfigError, OutputStuck, RecordingError
from barsync_async.shell.clock import SystemClock

EXIT_FAILED = 1
EXIT_USAGE = 2

config_argument = click.argument("config", type=click.Path(path_type=Path))


def finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """An option's callback: refuse what is no number."""
    del context, parameter
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number.")
    return value


duration_option = click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    callback=finite,
    metavar="SECONDS",
    help="End cleanly after so many seconds.  [default: at Ctrl-C]",
)
speed_option = click.option(
    "--speed",
    type=click.FloatRange(min=0.001, max=100_000),
    callback=finite,
    metavar="X",
    help="So many times as fast as it was recorded.  [default: 1]",
)
loop_option = click.option(
    "--loop", type=click.Choice(LOOPS), default="uvloop", show_default=True, help="The event loop."
)


@contextmanager
def errors_told() -> Iterator[None]:
    """Every expected failure as one message and its exit code."""
    try:
        yield
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_USAGE)
    except RecordingError as error:
        click.echo(f"barsync: {error}", err=True)
        sys.exit(EXIT_USAGE)
    except BrokenPipeError:
        forget_output()
        sys.exit(EXIT_FAILED)
    except OutputStuck as error:
        click.echo(f"barsync: {error}", err=True)
        leave_at_once()
    except BarsyncError as error:
        click.echo(f"barsync: {error}", err=True)
        sys.exit(EXIT_FAILED)


def log_as_told(config: Config) -> None:
    """Set up logging as ``config`` says, on the machine's clock."""
    set_up_logging(config.service.log_format, config.service.log_level, SystemClock())
