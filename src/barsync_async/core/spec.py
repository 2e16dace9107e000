"""What a synchronizer is to do."""

import math
from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from barsync_async.core.calendar import Calendar
from barsync_async.units import SourceId

MissingPolicy = Literal["skip", "last_known", "interpolate"]
LatePolicy = Literal["drop", "amend"]
DeadlineFrom = Literal["first_bar", "close"]

_REMEMBERED_BARS = 200_000
_LEAST_HISTORY, _MOST_HISTORY = 16, 256

_CHOICES = {
    "deadline_from": get_args(DeadlineFrom),
    "missing": get_args(MissingPolicy),
    "late": get_args(LatePolicy),
}
_LEAST = {
    "timeout_ms": 0,
    "min_wait_ms": 0,
    "hold_ms": 0,
    "max_age_ms": 0,
    "allowed_lateness_ms": 0,
    "idle_after": 0,
    "max_future_ms": 0,
    "max_open": 1,
    "history": 0,
}


class SynchronizerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A description of a synchronizer; :class:`~barsync_async.core.synchronizer.Synchronizer` is
    that, running. ``docs/synchronization.md`` has the rules.

    Args:
        expected_sources: the sources of every set.
        timeout_ms: from a slot's opening, or from its close, to its deadline.
        require_all: a set goes out only if every expected source has a cell.
        deadline_from: whether the first bar or the clock opens a slot.
        min_wait_ms: with ``close``, the least time from a slot's first bar to its deadline.
        missing: what stands in the cell of a due source that did not deliver.
        hold_ms: how long ``interpolate`` holds a sealed slot for a source's next bar.
        max_age_ms: the oldest bar that ``last_known`` fills with; None: any.
        late: whether a late bar amends its set.
        allowed_lateness_ms: how long after the seal it still does.
        idle_after: missed slots that make a source idle; 0: never.
        exclude_idle: do not wait for idle and down sources.
        max_future_ms: how far a timestamp may lie beyond the wall clock plus one interval.
        max_open: how many slots may be unreleased at once.
        history: how many released sets are remembered, to tell duplicates from late bars and to
            amend; None: 256, with many sources fewer, at least 16.
        calendars: the trading sessions of a source; one that is not named is always open.
        feeds: the feeds that carry a source; one that is not named has a single, unnamed one.
        unordered_feeds: the feeds of which a later bar proves nothing.

    Raises:
        ValueError: there is no such choice, or a number is too small or none; it names the field.
    """

    expected_sources: frozenset[SourceId]
    timeout_ms: float = 100.0
    require_all: bool = True
    deadline_from: DeadlineFrom = "first_bar"
    min_wait_ms: float = 0.0
    missing: MissingPolicy = "skip"
    hold_ms: float = 0.0
    max_age_ms: int | None = None
    late: LatePolicy = "drop"
    allowed_lateness_ms: float = 0.0
    idle_after: int = 0
    exclude_idle: bool = False
    max_future_ms: int = 1_000
    max_open: int = 64
    history: int | None = None
    calendars: Mapping[SourceId, Calendar | None] = {}
    feeds: Mapping[SourceId, tuple[str, ...]] = {}
    unordered_feeds: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for field, choices in _CHOICES.items():
            if (given := getattr(self, field)) not in choices:
                raise ValueError(f"{field} = {given!r}: expected one of {' '.join(choices)}")
        for field, least in _LEAST.items():
            given = getattr(self, field)
            if given is not None and not least <= given < math.inf:
                raise ValueError(f"{field} = {given!r}: expected a number of at least {least}")

    @property
    def remembered(self) -> int:
        """How many released sets are remembered."""
        if self.history is not None:
            return self.history
        fitting = _REMEMBERED_BARS // max(1, len(self.expected_sources))
        return max(_LEAST_HISTORY, min(_MOST_HISTORY, fitting))
