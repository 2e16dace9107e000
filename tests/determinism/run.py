"""``make determinism``: many seeds, on all processors."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor

import click
from tests.determinism.trial import try_seed


@click.command()
@click.option("--seeds", default=200, show_default=True, help="How many.")
@click.option("--from", "first", default=0, show_default=True, help="The first one.")
@click.option("--jobs", default=0, help="Processes; 0: one a processor.")
def main(seeds: int, first: int, jobs: int) -> None:
    """Trade the markets of many seeds, each three times, and compare the bytes."""
    failed = 0
    with ProcessPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        for done, error in enumerate(pool.map(try_seed, range(first, first + seeds)), 1):
            if error is not None:
                failed += 1
                click.echo(error)
            if sys.stderr.isatty():
                click.echo(f"\r{done} of {seeds} seeds", nl=False, err=True)
    click.echo(f"{seeds} seeds, {failed} with other bytes")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
