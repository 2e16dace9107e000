"""The synchronizer over bars that are all there already."""

from collections.abc import Callable, Iterable, Iterator

from barsync_async.core.spec import SynchronizerSpec
from barsync_async.core.synchronizer import Outcome, Synchronizer
from barsync_async.messages import Bar
from barsync_async.units import NS_PER_MS, Instant, MonoNs, WallMs


def synchronize(
    bars: Iterable[Bar],
    spec: SynchronizerSpec,
    *,
    arrival_ms: Callable[[Bar], float] | None = None,
) -> Iterator[Outcome]:
    """What comes out of ``bars``, taken in their order; at their end open slots are sealed.

    Args:
        bars: from a file, a data frame, a list; they are taken one by one.
        spec: the rules.
        arrival_ms: when each bar arrived, ms since the epoch, never less than for the one before:
            then deadlines fall in between as they would have. None: no time passes, and sets are
            decided by bars alone. A set that lacks one goes out once all missing sources have
            moved on; a clock that opens slots (``deadline_from = "close"``) there is not.

    Yields:
        Sets, skips and late bars, in the order in which a daemon would publish them.

    Raises:
        ValueError: ``arrival_ms`` goes back, or is needed.
    """
    if arrival_ms is None and spec.deadline_from == "close":
        raise ValueError('deadline_from = "close" needs arrival_ms: without it no time passes')
    core = Synchronizer(spec)
    now = Instant(MonoNs(0), WallMs(0))
    for number, bar in enumerate(bars):
        then = _instant(bar.timestamp if arrival_ms is None else arrival_ms(bar))
        if not number:
            core.on_start(then)
        elif arrival_ms is None:
            then = max(now, then)
        elif then < now:
            raise ValueError(f"{bar.source} of {bar.timestamp} arrived before the bar before it")
        if arrival_ms is not None:
            yield from _let_pass(core, then)
        now = then
        yield from core.on_bar(bar, now)
    yield from core.on_end(now)


def _instant(ms: float) -> Instant:
    moment_ns = round(ms * NS_PER_MS)
    return Instant.of(moment_ns, moment_ns)


def _let_pass(core: Synchronizer, then: Instant) -> Iterator[Outcome]:
    """All deadlines before ``then``, in their order; a bar exactly at one is in time."""
    while core.deadlines:
        deadline, timestamp = min((when, which) for which, when in core.deadlines.items())
        if deadline >= then.mono:
            return
        yield from core.on_deadline(timestamp, Instant.of(deadline, deadline))
