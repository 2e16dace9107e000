"""Which sources are compared with which."""

from collections.abc import Iterable, Sequence
from itertools import combinations

from barsync_async.units import TIMEFRAMES, SourceId, split_source

Pair = tuple[SourceId, SourceId]

MAX_DEFAULT_PAIRS = 125_000


def pair_name(pair: Pair) -> str:
    """``("QQQ_1m", "SPY_1m")`` -> ``QQQ_1m|SPY_1m``."""
    return "|".join(pair)


def default_pairs(sources: Iterable[SourceId]) -> tuple[Pair, ...]:
    """Every pair of the sources of the shortest timeframe, in sorted order.

    Raises:
        ValueError: there are more than 125,000 of them.
    """
    base = _of_shortest_timeframe(sources)
    count = len(base) * (len(base) - 1) // 2
    if count > MAX_DEFAULT_PAIRS:
        raise ValueError(
            f"{len(base)} sources make {count:,} pairs, more than {MAX_DEFAULT_PAIRS:,}: "
            "name the pairs to compare (pairs = [[A, B], ...]), or leave out the indicators "
            "across sources"
        )
    return tuple(combinations(base, 2))


def pairs_with(benchmark: SourceId, sources: Iterable[SourceId]) -> tuple[Pair, ...]:
    """Every other source of the benchmark's timeframe with it, in sorted order.

    Raises:
        ValueError: ``benchmark`` is none of ``sources``.
    """
    everyone = sorted(sources)
    if benchmark not in everyone:
        raise ValueError(f"benchmark = {benchmark!r}: expected one of {' '.join(everyone)}")
    _, timeframe = split_source(benchmark)
    alike = [each for each in everyone if split_source(each)[1] == timeframe]
    return tuple((each, benchmark) for each in alike if each != benchmark)


def _of_shortest_timeframe(sources: Iterable[SourceId]) -> list[SourceId]:
    lengths = {each: TIMEFRAMES[split_source(each)[1]].length_ms for each in sources}
    shortest = min(lengths.values())
    return sorted(each for each, length in lengths.items() if length == shortest)


def chosen_pairs(
    sources: Sequence[SourceId], pairs: Iterable[Sequence[SourceId]]
) -> tuple[Pair, ...]:
    """The given pairs, each in sorted order.

    Raises:
        ValueError: a pair is not two different ones of ``sources``, or stands twice.
    """
    known = set(sources)
    chosen: dict[Pair, None] = {}
    for given in pairs:
        pair = _checked(known, tuple(given))
        if pair in chosen:
            raise ValueError(f"the pair {pair_name(pair)} stands twice in pairs")
        chosen[pair] = None
    return tuple(chosen)


def _checked(known: set[SourceId], given: tuple[SourceId, ...]) -> Pair:
    match sorted(set(given)):
        case [first, second] if known.issuperset(given):
            return first, second
        case _:
            raise ValueError(
                f"pairs: {list(given)!r}: expected two different ones of {' '.join(sorted(known))}"
            )
