"""What stands in the cells of a set, and what the set is called for it.

A source that is not due is *carried*, always. A due source without its bar is treated by the
container's policy: ``skip`` leaves the cell empty, ``last_known`` fills it with the source's last
bar unless that is older than ``max_age_ms``, ``interpolate`` puts a point of the line between its
neighbours.
"""

from collections.abc import Callable, Sequence

import msgspec

from barsync_async.core.slot import Slot
from barsync_async.core.spec import SynchronizerSpec
from barsync_async.messages import Bar, Provenance
from barsync_async.units import WallMs

Cells = list[Bar | None]


def settled(
    slot: Slot,
    last: Sequence[Bar | None],
    spec: SynchronizerSpec,
    following: Callable[[int], Bar | None],
) -> Cells:
    """The slot's cells with the carried, filled and interpolated ones put in; ``last`` holds each
    source's newest bar before, ``following`` gives its first one after.
    """
    cells = list(slot.cells)
    for index in [index for index, cell in enumerate(cells) if cell is None]:
        before = last[index]
        if before is not None:
            if not slot.due[index]:
                cells[index] = aged(before, slot.timestamp, "carried")
            elif spec.missing != "skip":
                after = following(index) if spec.missing == "interpolate" else None
                cells[index] = _substitute(slot.timestamp, before, after, spec.max_age_ms)
    return cells


def _substitute(
    timestamp: WallMs, before: Bar, after: Bar | None, max_age_ms: int | None
) -> Bar | None:
    if after is not None:
        return interpolated(before, after, timestamp)
    if max_age_ms is not None and timestamp - before.timestamp > max_age_ms:
        return None
    return aged(before, timestamp, "filled")


def aged(bar: Bar, timestamp: WallMs, provenance: Provenance) -> Bar:
    """``bar`` as a cell of the later set ``timestamp``."""
    return msgspec.structs.replace(bar, provenance=provenance, age_ms=timestamp - bar.timestamp)


def interpolated(before: Bar, after: Bar, timestamp: WallMs) -> Bar:
    """Every value at ``timestamp`` on the line, in time, from ``before`` to ``after``."""
    share = (timestamp - before.timestamp) / (after.timestamp - before.timestamp)

    def between(start: float, end: float) -> float:
        return start + (end - start) * share

    return Bar(
        before.symbol,
        before.timeframe,
        timestamp,
        between(before.open, after.open),
        between(before.high, after.high),
        between(before.low, after.low),
        between(before.close, after.close),
        between(before.volume, after.volume),
        "interpolated",
    )
