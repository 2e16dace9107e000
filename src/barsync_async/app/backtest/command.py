"""The command's line: arguments and options."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from barsync_async.app.backtest.histories import Period
from barsync_async.app.backtest.run import Request
from barsync_async.app.backtest.run import backtest as run_backtest
from barsync_async.app.options import config_argument, errors_told

_DAY = timedelta(days=1)


def _moment(text: str, option: str, *, is_end: bool) -> int:
    """A day, of which the beginning or the end is meant, or a moment; of UTC unless it says."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        expected = "expected a day, or a moment as 2026-01-05T14:30"
        raise click.BadParameter(f"{text!r}: {expected}", param_hint=option) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round((moment + (_DAY if day is not None and is_end else 0 * _DAY)).timestamp() * 1_000)


def _period(begin: str | None, end: str | None) -> Period:
    period = Period(
        None if begin is None else _moment(begin, "--from", is_end=False),
        None if end is None else _moment(end, "--to", is_end=True),
    )
    if period.begin is not None and period.end is not None and period.begin >= period.end:
        raise click.UsageError("--from is not before --to")
    return period


@click.command()
@config_argument
@click.option(
    "--data",
    multiple=True,
    metavar="SOURCE=FILE|FOLDER",
    help="Past bars of a source, CSV or Parquet; or a folder with files named SOURCE.csv or "
    "SOURCE.parquet. May be given several times.",
)
@click.option(
    "--format",
    "form",
    multiple=True,
    metavar="KEY=VALUE",
    help="How the rows of these files are written, as in a config's files: label=open, "
    "timezone=America/New_York, columns.time=when, … May be given several times.",
)
@click.option("--from", "begin", metavar="MOMENT", help="Only bars that begin then or later.")
@click.option("--to", "end", metavar="MOMENT", help="Only bars that end by then; a day is whole.")
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="var/report",
    show_default=True,
    metavar="FOLDER",
    help="Where to write the report.",
)
@click.option("--events", is_flag=True, help="Write every event, too, as events.jsonl beside it.")
def backtest(
    config: Path,
    data: tuple[str, ...],
    form: tuple[str, ...],
    begin: str | None,
    end: str | None,
    folder: Path,
    events: bool,
) -> None:
    """Run what CONFIG describes on past bars, on virtual time, and write a report.

    Histories take the place of its feeds; all else is as for `run`, but its outputs are not
    written.
    """
    request = Request(
        config=config,
        data=data,
        form=form,
        period=_period(begin, end),
        folder=folder,
        events=events,
    )
    with errors_told():
        run_backtest(request, os.environ)
