"""``make fuzz``: mutants of messages for every codec, for so many seconds or so many inputs."""

import gc
import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from tests.fuzz.corpus import subject
from tests.fuzz.fuzzer import Failure, Fuzzer, replay

from barsync_async.shell.clock import SystemClock
from barsync_async.venues import CODECS

_NS_PER_S = 1_000_000_000
_LOOK_EVERY = 50
_clock = SystemClock()


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="Shared by all codecs.")
@click.option("--inputs", default=0, help="Instead: so many for each codec.")
@click.option("--codec", "names", multiple=True, help="Only this one; may be repeated.")
@click.option("--seed", default=0, show_default=True)
@click.option("--into", type=click.Path(path_type=Path), default="var/fuzz", show_default=True)
@click.option("--replay", "file", type=click.Path(path_type=Path, exists=True))
def main(
    seconds: float, inputs: int, names: Sequence[str], seed: int, into: Path, file: Path | None
) -> None:
    """Fuzz the venues' codecs; what breaks a promise is written down and told."""
    if file is not None:
        sys.exit(_told(replay(file, into / "again")))
    chosen = names or tuple(CODECS)
    unknown = [name for name in chosen if name not in CODECS]
    if unknown:
        raise click.BadParameter(f"no codec {' '.join(unknown)}; there are {' '.join(CODECS)}")
    failures: list[Failure] = []
    with seldom_collecting():
        for name in chosen:
            fuzzer = Fuzzer(subject(name), seed, into)
            run(fuzzer, seconds / len(chosen), inputs)
            failures += fuzzer.failures
    sys.exit(_told(failures))


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """A collection would count as the time of the input in which it happens."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def run(fuzzer: Fuzzer, seconds: float, inputs: int) -> None:
    """Until the time, or the number of inputs, is used up; prints the rate."""
    began = _clock.now().mono
    for number in itertools.count(1):
        fuzzer.step()
        if fuzzer.is_full or (inputs and number >= inputs):
            break
        if inputs or number % _LOOK_EVERY:
            continue
        if _clock.now().mono - began >= seconds * _NS_PER_S:
            break
    spent = max((_clock.now().mono - began) / _NS_PER_S, 1e-9)
    count, found = fuzzer.inputs, len(fuzzer.failures)
    click.echo(f"{fuzzer.name:<18}{count:>10,} inputs {count / spent:>9,.0f}/s {found:>3} failures")


def _told(failures: Sequence[Failure]) -> int:
    """The exit code."""
    for each in failures:
        click.echo(f"{each.codec}: {each.problem}\n  {each.command}")
    return 1 if failures else 0


if __name__ == "__main__":
    main()
