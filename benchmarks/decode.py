"""How fast each codec reads its messages, beside the least that reading them can cost.

One message of one bar, as it is on the wire, is given to a codec's session again and again:

- ``bare decode``: ``msgspec`` alone turns it into a typed struct, prices from their texts included,
  and nothing is checked: about the least that can be done with it.
- ``closed``: the codec makes a bar of it, or where the venue never says which state of a bar is
  the last, a running bar. ``of bare`` is its rate as a share of the bare decoder's.
- ``running``: the same message of a bar under way, from venues that say so: the codec gives it up.
  ``cheaper`` is how many times the rate of closed ones.

Messages a second, medians of several runs, all in turn in one process, the garbage collector set
as ``barsync run`` sets it. Codecs are found by their names; messages stand in ``_decoding.py``. To
repeat::

    python benchmarks/decode.py
    python benchmarks/decode.py --codec binance --messages 200000
"""

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from barsync_async.messages import Bar
from barsync_async.ports import VenueCodec
from barsync_async.units import SourceId
from barsync_async.venues import CODECS
from barsync_async.venues.outcomes import Running

if TYPE_CHECKING:
    from benchmarks import _common
    from benchmarks._decoding import ENTRIES, Entry
else:
    import _common  # a script finds its neighbours beside it
    from _decoding import ENTRIES, Entry

COLLECTIONS = (50_000, 20, 50)
BARE, CLOSED, RUNNING = "bare decode", "closed", "running"


class Trial(NamedTuple):
    """One thing to do with one message."""

    kind: str
    work: Callable[[bytes], object]
    message: bytes


def trials_of(name: str, entry: Entry) -> list[Trial]:
    """Of one codec; each is seen to do what it should before it is timed."""
    codec: VenueCodec = CODECS[name]
    source = SourceId(entry.source)
    session = codec.session([source], entry.options)
    closed = entry.closed.encode()  # as a connection gives it
    (item,) = session.receive(closed)
    bar = item.bar if isinstance(item, Running) else item
    assert isinstance(bar, Bar), f"{name}: {item}"
    assert bar.source == source
    decoder = msgspec.json.Decoder(entry.typed, strict=False)
    assert decoder.decode(closed)
    trials = [Trial(BARE, decoder.decode, closed), Trial(CLOSED, session.receive, closed)]
    if entry.running is not None:
        running = entry.running.encode()
        assert not session.receive(running), name
        trials.append(Trial(RUNNING, session.receive, running))
    return trials


def messages_per_s(trial: Trial, count: int) -> float:
    """One run."""
    work, message = trial.work, trial.message
    began = _common.now_ns()
    for _ in range(count):
        work(message)
    return count / (_common.now_ns() - began) * _common.NS_PER_S


def measure(names: Sequence[str], count: int, runs: int) -> dict[str, dict[str, list[float]]]:
    """The rates of every trial of every codec, by name and kind."""
    trials = {name: trials_of(name, ENTRIES[name]) for name in names}
    rates: dict[str, dict[str, list[float]]] = {
        name: {trial.kind: [] for trial in each} for name, each in trials.items()
    }
    for _ in range(runs):
        for name, each in trials.items():
            for trial in each:
                rates[name][trial.kind].append(messages_per_s(trial, count))
    return rates


def report(rates: dict[str, dict[str, list[float]]]) -> None:
    """Print the table, and how it stands to what is aimed at."""
    head = ("codec", BARE, CLOSED, "of bare", RUNNING, "cheaper")
    medians = {
        name: {kind: _common.median(each) for kind, each in kinds.items()}
        for name, kinds in rates.items()
    }
    _common.print_table(head, [row(name, kinds) for name, kinds in medians.items()])
    shares = [kinds[CLOSED] / kinds[BARE] for kinds in medians.values()]
    gains = [kinds[RUNNING] / kinds[CLOSED] for kinds in medians.values() if RUNNING in kinds]
    print(f"\nAim: a closed bar at half the bare decoder's rate or more: {min(shares):.2f} of it.")
    if gains:
        print(f"Aim: a running bar at least 2 times cheaper: {min(gains):.2f} times.")


def row(name: str, medians: dict[str, float]) -> list[str]:
    """One codec's."""
    running = medians.get(RUNNING)
    return [
        name,
        f"{medians[BARE]:,.0f}",
        f"{medians[CLOSED]:,.0f}",
        f"{medians[CLOSED] / medians[BARE]:.2f}",
        "" if running is None else f"{running:,.0f}",
        "" if running is None else f"{running / medians[CLOSED]:.2f}",
    ]


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--codec", nargs="+", default=sorted(CODECS), metavar="NAME", help="default: all")
    add("--messages", type=int, default=50_000, help="in each run; default: %(default)s")
    add("--runs", type=int, default=5, help="default: %(default)s")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report."""
    options = parse_arguments(arguments)
    unknown = [name for name in options.codec if name not in CODECS]
    if unknown:
        print(f"no codec {' '.join(unknown)}; there are {' '.join(CODECS)}", file=sys.stderr)
        return 2
    print(f"{_common.describe_machine()}\n", flush=True)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)
    known = [name for name in options.codec if name in ENTRIES]
    if known:
        report(measure(known, options.messages, options.runs))
    for name in options.codec:
        if name not in ENTRIES:
            print(f"Without {name}: _decoding.py has no message of it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
