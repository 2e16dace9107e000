"""How fast bars become sets: this core beside other ways to do it, in one run.

All contenders get the same: bars of successive minutes, one of every source in every minute, in
order; each has to give out every minute's set, whole, which is checked. What a contender reads is
made, in its own form, before its clock starts. Each measurement has a fresh process, in which the
garbage collector is set as ``barsync run`` sets it. The rates are bars taken in a second, medians
of several runs, all contenders in turn; ``CPU ns/bar`` is processor time, of all threads:

- ``this core``: ``Synchronizer.on_bar`` with the defaults, every bar from a feed and with its own
  moment. It alone knows late, lost and repeated bars, deadlines and liveness, and counts them.
- ``naive event bus``: one buffer by source; goes out whenever ``set(buffer) >= expected``.
- ``minimal loop``: counts the arrivals of each timestamp; about as fast as Python can be.
- ``bytewax``: ``stateful_flat_map`` keyed by timestamp; bar by bar as in a live stream, and taken
  in batches of 100.
- ``nautilus_trader``: the backtest engine, a strategy that groups bars in ``on_bar``.
- ``polars``: ``pivot`` of all bars at once, whole or only their closes, on all processors.

Some get fewer bars of many sources, to be done in reasonable time: the column ``bars`` has how
many. Rivals that are not installed are left out.

Then, for this core at the largest number of sources: the memory of an open slot, all its bars there
but one, with 64 open, and without the bars themselves; and how long the call takes that seals and
releases a set, once whole by its last bar, once at its deadline with 1 source of 100 missing and
``missing = "last_known"``.

To repeat::

    python benchmarks/core.py
    python benchmarks/core.py --profile 10   # where the time of this core goes, by function
"""

import argparse
import cProfile
import gc
import io
import pstats
import sys
import tracemalloc
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

from barsync_async.core.spec import SynchronizerSpec
from barsync_async.core.synchronizer import Synchronizer
from barsync_async.messages import Bar, SynchronizedBars
from barsync_async.units import NS_PER_MS, Instant, MonoNs, SourceId, WallMs, source_id

if TYPE_CHECKING:
    from benchmarks import _common
    from benchmarks.rivals import recipes, with_bytewax, with_nautilus, with_polars
    from benchmarks.rivals.load import Contender, Load, Result, Stopwatch
else:
    import _common  # a script finds its neighbours beside it
    from rivals import recipes, with_bytewax, with_nautilus, with_polars
    from rivals.load import Contender, Load, Result, Stopwatch

SOURCES = (10, 100, 1_000, 10_000)
FEED = "feed"
COLLECTIONS = (50_000, 20, 50)
OPEN_SLOTS = 64
SEALS = 50
NS_PER_BAR = 1_000

THIS_CORE, LIMIT = "this core", "minimal loop"
TO_BEAT = ("naive event bus", "bytewax, bar by bar", "bytewax, batches of 100")


# This core


def synchronizer_for(load: Load, **options: Any) -> Synchronizer:
    """One for the sources of ``load``, with the defaults but for ``options``."""
    sources = frozenset(map(source_of, load.symbols))
    return Synchronizer(SynchronizerSpec(expected_sources=sources, **options))


def source_of(symbol: str) -> SourceId:
    """The source that a symbol of the load means."""
    return source_id(symbol, "1m")


def moment(number: int, timestamp: WallMs) -> Instant:
    """That of the bar ``number``: soon after its close, and different from all others."""
    return Instant(MonoNs(number * NS_PER_BAR), WallMs(timestamp + 5 + number // 1_000 % 100))


def this_core(load: Load) -> Result:
    """Every bar through one synchronizer."""
    bars = load.bars()
    moments = [moment(number, bar.timestamp) for number, bar in enumerate(bars)]
    synchronizer = synchronizer_for(load)
    on_bar = synchronizer.on_bar
    out: list[object] = []
    watch = Stopwatch()
    for bar, now in zip(bars, moments, strict=True):
        if outcomes := on_bar(bar, now, FEED):
            out += outcomes
    result = watch.result(load.minutes)
    assert synchronizer.statistics().accepted == load.total
    sets = [each for each in out if isinstance(each, SynchronizedBars)]
    return result._replace(sets=sum(each.status == "complete" for each in sets))


# All contenders


def bars_for_naive(sources: int) -> int:
    """Its work for a bar grows with the number of sources: two sets at least."""
    return max(2 * sources, 40_000_000 // sources)


def bars_for_nautilus(sources: int) -> int:
    """Subscribing takes time in the square of the number of sources."""
    return 200_000 if sources <= 2_000 else 0


def bars_for_polars(sources: int) -> int:
    """A frame of very many columns is slow to make."""
    return max(2 * sources, 200_000_000 // sources)


CONTENDERS = (
    Contender(THIS_CORE, this_core),
    Contender("naive event bus", recipes.naive, most_bars=bars_for_naive),
    Contender(LIMIT, recipes.minimal),
    Contender("bytewax, bar by bar", with_bytewax.bar_by_bar, "bytewax"),
    Contender("bytewax, batches of 100", with_bytewax.batched, "bytewax"),
    Contender(
        "nautilus_trader",
        with_nautilus.backtest,
        "nautilus_trader",
        bars_for_nautilus,
        "its subscriptions alone, which are not counted, would take minutes",
    ),
    Contender("polars, whole bars", with_polars.whole_bars, "polars", bars_for_polars),
    Contender("polars, closes", with_polars.closes, "polars", bars_for_polars),
)


def is_installed(contender: Contender) -> bool:
    """Whether it can run here."""
    return contender.distribution is None or version_of(contender.distribution) is not None


def version_of(distribution: str) -> str | None:
    """The installed one; None where there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def load_for(contender: Contender, sources: int, bars: int) -> Load | None:
    """About ``bars`` bars of so many sources, or as many as it can do; None: none at all."""
    most = bars if contender.most_bars is None else min(bars, contender.most_bars(sources))
    if not most:
        return None
    return Load(tuple(f"S{place:05}" for place in range(sources)), max(2, most // sources))


class Rate(NamedTuple):
    """What one run came to."""

    bars_per_s: float
    cpu_ns_per_bar: float


def measured(contender: Contender, load: Load) -> Rate:
    """One run, in a process of its own."""
    collect_seldom()
    result = contender.run(load)
    assert result.sets == load.minutes, f"{contender.name}: {result.sets} of {load.minutes} sets"
    bars_per_s = load.total / result.elapsed_ns * _common.NS_PER_S
    return Rate(bars_per_s, result.cpu_ns / load.total)


def collect_seldom() -> None:
    """As ``barsync run`` does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)


# Memory and pauses of this core


def bytes_per_open_slot(load: Load) -> float:
    """What one of many open slots takes: the moments of its bars included, the bars not."""
    bars, size = load.bars(), len(load.symbols)
    synchronizer = synchronizer_for(load)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number, bar in enumerate(bars, start=1):
        if number % size:  # all but the last of each minute
            synchronizer.on_bar(bar, moment(number, bar.timestamp), FEED)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(synchronizer.deadlines) == load.minutes
    return (after - before) / load.minutes


def pauses_ms(load: Load, missing: int) -> list[float]:
    """How long each seal takes, with the release: without ``missing`` sources, at the deadline."""
    collect_seldom()
    synchronizer = synchronizer_for(load, missing="last_known")
    bars = load.bars()
    size = len(load.symbols)
    for number, bar in enumerate(bars[:size]):
        synchronizer.on_bar(bar, moment(number, bar.timestamp), FEED)
    return [
        seal_ms(synchronizer, bars[start : start + size], start, missing)
        for start in range(size, len(bars), size)
    ]


def seal_ms(synchronizer: Synchronizer, bars: Sequence[Bar], number: int, missing: int) -> float:
    """Of one set: all bars but the last, or the ``missing`` ones, come before the clock starts."""
    last = bars[-1]
    for bar in bars[: len(bars) - (missing or 1)]:
        number += 1
        synchronizer.on_bar(bar, moment(number, bar.timestamp), FEED)
    now = moment(number + 1, last.timestamp)
    deadline = Instant(synchronizer.deadlines[last.timestamp], now.wall)
    began = _common.now_ns()
    if missing:
        outcomes = synchronizer.on_deadline(last.timestamp, deadline)
    else:
        outcomes = synchronizer.on_bar(last, now, FEED)
    elapsed = _common.now_ns() - began
    assert isinstance(outcomes[0], SynchronizedBars)
    assert outcomes[0].status == ("filled" if missing else "complete")
    return elapsed / NS_PER_MS


def profile(load: Load) -> str:
    """One run of this core under cProfile."""
    collect_seldom()
    watch = cProfile.Profile()
    watch.runcall(this_core, load)
    text = io.StringIO()
    pstats.Stats(watch, stream=text).strip_dirs().sort_stats("tottime").print_stats(25)
    return text.getvalue()


# The report


def compare(contenders: Sequence[Contender], sources: int, bars: int, runs: int) -> float:
    """Print the table of one number of sources; gives this core's median rate."""
    loads = {each: load_for(each, sources, bars) for each in contenders}
    rates: dict[str, list[Rate]] = {each.name: [] for each in contenders}
    for _ in range(runs):
        for each, load in loads.items():
            if load is not None:
                rates[each.name].append(_common.in_fresh_process(measured, each, load))
    ours = median_rate(rates[THIS_CORE])
    head = ("contender", "bars", "bars/s", "range", "of this core", "CPU ns/bar")
    print(f"{sources:,} sources:\n")
    _common.print_table(
        head, [row(each.name, load, rates[each.name], ours) for each, load in loads.items() if load]
    )
    print()
    for each in [each for each, load in loads.items() if load is None]:
        print(f"Without {each.name}: {each.too_slow}.")
    report_aims(rates, ours)
    return ours


def median_rate(rates: Sequence[Rate]) -> float:
    """Bars a second."""
    return _common.median([each.bars_per_s for each in rates])


def row(name: str, load: Load, rates: Sequence[Rate], ours: float) -> list[str]:
    """One contender's."""
    bars_per_s = sorted(each.bars_per_s for each in rates)
    return [
        name,
        f"{load.total:,}",
        f"{median_rate(rates):,.0f}",
        f"{bars_per_s[0]:,.0f} to {bars_per_s[-1]:,.0f}",
        f"{median_rate(rates) / ours:.2f}",
        f"{_common.median([each.cpu_ns_per_bar for each in rates]):,.0f}",
    ]


def report_aims(rates: dict[str, list[Rate]], ours: float) -> None:
    """How this core stands to what is aimed at, at one number of sources."""
    for name in TO_BEAT:
        if rates.get(name):
            print(f"Aim: ahead of {name}: {ours / median_rate(rates[name]):.2f} times as fast.")
    if rates.get(LIMIT):
        share = ours / median_rate(rates[LIMIT])
        print(f"Aim: at least a third of the {LIMIT}: {share:.2f} of it.")
    print(flush=True)


def report_size_and_pauses(sources: int) -> None:
    """Print what a slot takes and how long a seal does."""
    symbols = tuple(f"S{place:05}" for place in range(sources))
    size = _common.in_fresh_process(bytes_per_open_slot, Load(symbols, OPEN_SLOTS))
    print(f"An open slot of {sources:,} sources, {OPEN_SLOTS} open: {size:,.0f} bytes.\n")
    rows = []
    for name, missing in (("complete", 0), ("1 % missing, last_known", max(1, sources // 100))):
        load = Load(symbols, SEALS + 1)
        pauses = _common.in_fresh_process(pauses_ms, load, missing)
        rows.append([name, f"{len(pauses)}", f"{_common.median(pauses):.2f}", f"{max(pauses):.2f}"])
    _common.print_table((f"seal of {sources:,} sources", "count", "median ms", "max ms"), rows)
    print("\nAim: at most 3 ms.")


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sources", type=int, nargs="+", default=SOURCES, help="default: 10 100 1000 10000")
    add("--bars", type=int, default=300_000, help="about so many; default: %(default)s")
    add("--runs", type=int, default=5, help="default: %(default)s")
    add("--alone", action="store_true", help="measure this core and no other")
    add("--profile", type=int, metavar="N", help="instead: this core at N sources under cProfile")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report."""
    options = parse_arguments(arguments)
    print(_common.describe_machine())
    if options.profile:
        load = load_for(CONTENDERS[0], options.profile, options.bars)
        assert load is not None
        print(_common.in_fresh_process(profile, load))
        return 0
    here = [each for each in CONTENDERS if is_installed(each)]
    report_rivals()
    chosen = here[:1] if options.alone else here
    ours = [compare(chosen, each, options.bars, options.runs) for each in options.sources]
    print(f"Aim: flat within 1.5 times from fewest to most: {max(ours) / min(ours):.2f} times.\n")
    report_size_and_pauses(max(options.sources))
    return 0


def report_rivals() -> None:
    """Which versions take part, and how to install those that do not."""
    names = dict.fromkeys(each.distribution for each in CONTENDERS if each.distribution)
    found = {name: version_of(name) for name in names}
    there = [f"{name} {which}" for name, which in found.items() if which]
    absent = [name for name, which in found.items() if not which]
    print(f"Rivals: {', '.join(there) or 'none'}")
    if absent:
        print(f"Not installed and left out: pip install {' '.join(absent)}")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
