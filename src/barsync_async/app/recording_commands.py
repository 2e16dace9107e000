"""The commands ``record``, ``replay`` and ``venues``."""

import os
import shutil
import sys
from functools import partial
from pathlib import Path

import click

from barsync_async.app.options import (
    config_argument,
    duration_option,
    errors_told,
    log_as_told,
    loop_option,
    speed_option,
)
from barsync_async.app.record import record as record_all
from barsync_async.app.replay import replay as replay_all
from barsync_async.app.runner import run_until_signal
from barsync_async.app.settings import load_config
from barsync_async.app.venues import all_venues, as_json, nearest, one_venue
from barsync_async.shell.recordings.recording_file import Recording
from barsync_async.venues import CODECS


@click.command()
@config_argument
@click.option(
    "--to",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="A new file; gzipped where its name ends in .gz",
)
@duration_option
@loop_option
def record(config: Path, path: Path, duration: float | None, loop: str) -> None:
    """Write every frame that the feeds of CONFIG receive to FILE, and when.

    The feeds connect as they do for `run`; nothing is synchronized.
    """
    with errors_told():
        parsed = load_config(config, os.environ)
        log_as_told(parsed)
        run_until_signal(loop, partial(record_all, parsed, path, duration))


@click.command()
@click.argument("recording", type=click.Path(path_type=Path))
@config_argument
@speed_option
@click.option(
    "--virtual",
    is_flag=True,
    help="On virtual time: as fast as it goes, the same bytes every time.",
)
def replay(recording: Path, config: Path, speed: float | None, virtual: bool) -> None:
    """Run the daemon that CONFIG describes on what was recorded in RECORDING; then drain and exit.

    A feed gets what was recorded under its name, when it came: the clock shows the recorded time.
    """
    if virtual and speed is not None:
        raise click.UsageError("--virtual has no --speed: it is as fast as it goes")
    with errors_told():
        parsed = load_config(config, os.environ)
        replay_all(parsed, Recording(recording), None if virtual else speed or 1.0)


@click.command()
@click.argument("name", required=False)
@click.option("--json", "wants_json", is_flag=True, help="For programs.")
def venues(name: str | None, wants_json: bool) -> None:
    """Say which venues there are and what each can do; of NAME, everything."""
    if name is not None and name not in CODECS:
        raise click.BadParameter(nearest(name), param_hint="'NAME'")
    names = list(CODECS) if name is None else [name]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    if wants_json:
        click.echo(as_json(names))
    elif name is None:
        click.echo(all_venues(names, width))
    else:
        click.echo(one_venue(name, width))


COMMANDS = (record, replay, venues)
