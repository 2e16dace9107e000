"""What one writes without a library: the event bus's buffer, and as little as can be."""

from typing import TYPE_CHECKING

from barsync_async.messages import Bar

if TYPE_CHECKING:
    from benchmarks.rivals.load import Load, Result, Stopwatch
else:
    from rivals.load import Load, Result, Stopwatch


def naive(load: Load) -> Result:
    """One buffer by source: whenever every source is in it, it goes out and is emptied.

    It knows no timestamps, so one lost bar mixes all later sets; here none is lost.
    """
    bars, expected = load.bars(), frozenset(load.symbols)
    buffer: dict[str, Bar] = {}
    out: list[dict[str, Bar]] = []
    watch = Stopwatch()
    for bar in bars:
        buffer[bar.symbol] = bar
        if set(buffer) >= expected:
            out.append(dict(buffer))
            buffer.clear()
    return watch.result(len(out))


def minimal(load: Load) -> Result:
    """Count the arrivals of each timestamp: keep no bar, check nothing, give nothing out."""
    bars, expected = load.bars(), len(load.symbols)
    arrived: dict[int, int] = {}
    sets = 0
    watch = Stopwatch()
    for bar in bars:
        count = arrived.get(bar.timestamp, 0) + 1
        if count == expected:
            del arrived[bar.timestamp]
            sets += 1
        else:
            arrived[bar.timestamp] = count
    return watch.result(sets)
