"""``make simulate``: many seeds, on all processors, and what became of them."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

import click
from tests.worlds.faults import KINDS
from tests.worlds.trial import TWICE, Verdict, try_seed

from barsync_async.shell.clock import SystemClock

_CHUNK = 10
_LONG_RUN = 200
_NS_PER_S = 1_000_000_000


@click.command()
@click.option("--seeds", default=1_000, show_default=True, help="How many.")
@click.option("--from", "first", default=0, show_default=True, help="The first one.")
@click.option("--jobs", default=0, help="Processes; 0: one a processor.")
def main(seeds: int, first: int, jobs: int) -> None:
    """Let the worlds of many seeds happen, and check each."""
    tally = Tally(seeds)
    for verdict in _verdicts(range(first, first + seeds), jobs or os.cpu_count() or 1):
        tally.add(verdict)
    tally.sum_up()
    sys.exit(1 if tally.has_failed else 0)


def _verdicts(seeds: range, jobs: int) -> Iterator[Verdict]:
    again = range(seeds.start, seeds.start + TWICE)
    if jobs == 1 or len(seeds) == 1:
        yield from (try_seed(seed, again=seed in again) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        chunks = iter([seeds[at : at + _CHUNK] for at in range(0, len(seeds), _CHUNK)])
        running = [pool.submit(_try_chunk, chunk, again) for chunk in islice(chunks, 4 * jobs)]
        while running:
            yield from running.pop(0).result()
            running += [pool.submit(_try_chunk, chunk, again) for chunk in islice(chunks, 1)]


def _try_chunk(seeds: range, again: range) -> list[Verdict]:
    return [try_seed(seed, again=seed in again) for seed in seeds]


class Tally:
    """Counts verdicts, and shows how far they are on a terminal."""

    def __init__(self, seeds: int) -> None:
        self._seeds = seeds
        self._done = 0
        self._failed: list[int] = []
        self._faults: Counter[str] = Counter()
        self._clock = SystemClock()
        self._began = self._clock.now().mono
        self._shows = sys.stdout.isatty()

    def add(self, verdict: Verdict) -> None:
        self._done += 1
        self._faults += verdict.faults
        if verdict.error is not None:
            self._failed.append(verdict.seed)
            self._clear()
            click.echo(str(verdict))
        if self._shows and self._done % _CHUNK == 0:
            self._clear()
            click.echo(self._progress(), nl=False)

    def _clear(self) -> None:
        if self._shows:
            click.echo("\r\x1b[K", nl=False)

    def _seconds(self) -> float:
        return (self._clock.now().mono - self._began) / _NS_PER_S

    def _progress(self) -> str:
        seconds = max(self._seconds(), 1e-9)
        rate = self._done / seconds
        failed = len(self._failed)
        return f"{self._done} of {self._seeds} seeds, {rate:.1f} a second, {failed} failed"

    @property
    def silent(self) -> list[str]:
        """The kinds of fault that never fired."""
        return [kind for kind in KINDS if not self._faults[kind]]

    @property
    def has_failed(self) -> bool:
        return bool(self._failed) or (self._seeds >= _LONG_RUN and bool(self.silent))

    def sum_up(self) -> None:
        self._clear()
        for kind in KINDS:
            click.echo(f"{kind:<20}{self._faults[kind]:>9,}")
        if self.silent and self._seeds >= _LONG_RUN:
            click.echo(f"never fired: {' '.join(self.silent)}")
        click.echo(f"{self._progress()}, {self._seconds():.1f} s")


if __name__ == "__main__":
    main()
