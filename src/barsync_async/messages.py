"""What the parts of barsync say to each other, and to the world.

Every message is a frozen struct whose fields are, name for name, those of the line that an output
writes (:func:`barsync_async.wire.encode`). Times are integer milliseconds since the epoch,
durations milliseconds. Nothing here can be altered by a receiver.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import msgspec

from barsync_async.units import SourceId, WallMs, source_id

K = TypeVar("K")
V = TypeVar("V")

EXCERPT_BYTES = 512

_INFINITY = math.inf  # looked up for every bar
_MOST_PRICE = 1e15
"""No market has one beyond, and with one of 1e300 no account can be kept."""

Provenance = Literal["fresh", "carried", "filled", "interpolated", "missing"]
Status = Literal["complete", "filled", "partial"]
SkipReason = Literal["incomplete", "empty", "warmup", "suspended"]
SourceState = Literal["live", "idle", "down"]
StepCause = Literal["step", "resume"]
FaultKind = Literal["raised", "late", "overflow", "died"]


class EventType(StrEnum):
    """The type of an :class:`Event`. ``BAR`` goes in; all others come out and are numbered."""

    BAR = "BAR"
    SYNCHRONIZED_BARS = "SYNCHRONIZED_BARS"
    SYNCHRONIZED_BARS_REVISED = "SYNCHRONIZED_BARS_REVISED"
    SYNC_SKIPPED = "SYNC_SKIPPED"
    LATE_BAR = "LATE_BAR"
    BAR_REJECTED = "BAR_REJECTED"
    SOURCE_STATUS = "SOURCE_STATUS"
    FEATURES = "FEATURES"
    SIGNAL = "SIGNAL"
    PORTFOLIO = "PORTFOLIO"
    STRATEGY_FAULT = "STRATEGY_FAULT"
    CLOCK_STEP = "CLOCK_STEP"
    GAP = "GAP"


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One closed OHLCV bar; inside a set, one cell of it.

    ``timestamp`` is the close time: the exclusive end of the bar's interval. ``provenance`` and
    ``age_ms`` (the set's timestamp minus the bar's) are given by the synchronizer; a bar on its
    way in is always ``fresh`` and of age 0. ``backfilled`` is True where the bar was asked of the
    venue's history, not sent by it; on the wire it stands only there.
    """

    symbol: str
    timeframe: str
    timestamp: WallMs
    open: float
    high: float
    low: float
    close: float
    volume: float
    provenance: Provenance = "fresh"
    age_ms: int = 0
    backfilled: Literal[True] | msgspec.UnsetType = msgspec.UNSET

    @property
    def source(self) -> SourceId:
        """``SYMBOL_TIMEFRAME``."""
        return source_id(self.symbol, self.timeframe)


class Alters(msgspec.Struct, frozen=True, gc=False):
    """What a trade may alter of the bar that it is part of. A price that may open or close the bar
    is within its high and low in any case.
    """

    open_close: bool = True
    high_low: bool = True
    volume: bool = True


class Trade(msgspec.Struct, frozen=True, gc=False):
    """``size`` units changed hands at ``price`` at ``at_ms`` (ms since the epoch, by the venue).

    ``id`` tells the trades of one millisecond apart; None: the venue has none, and repetitions
    cannot be noticed. ``number`` ascends, and so orders them; those of one number go by arrival.
    ``alters``: some are reported late, or at a price that is not the market's.
    """

    price: float
    size: float
    at_ms: WallMs
    id: int | str | None = None
    number: int = 0
    alters: Alters = Alters()


def is_same(held: Bar | None, bar: Bar) -> bool:
    """Whether ``held`` is ``bar`` again, whichever way each of them came."""
    if held is None or held.backfilled == bar.backfilled:
        return held == bar
    return msgspec.structs.replace(held, backfilled=bar.backfilled) == bar


def flaw(bar: Bar) -> str | None:
    """What makes ``bar`` impossible as a record of trades, or None."""
    low, high = bar.low, bar.high
    if -_MOST_PRICE <= low <= bar.open <= high <= _MOST_PRICE and low <= bar.close <= high:
        if 0 <= bar.volume < _INFINITY:
            return None
        return f"volume {bar.volume!r} is not a number of at least 0"
    if not all(map(math.isfinite, (bar.open, high, low, bar.close))):
        return "a price is not a finite number"
    if low < -_MOST_PRICE or high > _MOST_PRICE:
        return f"a price is beyond {_MOST_PRICE:g}"
    return f"open {bar.open!r} or close {bar.close!r} is outside low {low!r} to high {high!r}"


def excerpt(raw: str | bytes) -> str:
    """The beginning of some input for a person to read: at most 512 characters, all ASCII."""
    text = raw[:EXCERPT_BYTES]
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogatepass")
    return ascii(text)[2:-1][:EXCERPT_BYTES]


class SynchronizedBars(msgspec.Struct, frozen=True, kw_only=True):
    """One consistent cross-section: the cells of all expected sources at ``timestamp``.

    ``sources_present`` are the fresh and carried ones, ``sources_missing`` all others, filled
    ones too; both sorted. ``wait_ms`` runs from the slot's opening to its seal, ``loop_lag_ms``
    from its deadline to its seal (0 where it was sealed by proof).
    """

    timestamp: WallMs
    revision: int = 0
    status: Status
    bars: Mapping[SourceId, Bar]
    sources_present: tuple[SourceId, ...]
    sources_missing: tuple[SourceId, ...]
    wait_ms: float
    loop_lag_ms: float


class SyncSkipped(msgspec.Struct, frozen=True, kw_only=True):
    """The slot of ``timestamp`` was sealed and, by the container's rules, gives no set."""

    timestamp: WallMs
    reason: SkipReason
    sources_present: tuple[SourceId, ...]
    sources_missing: tuple[SourceId, ...]
    wait_ms: float


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """``source`` is in another state than before, ``since`` (wall time)."""

    timestamp: WallMs
    source: SourceId
    status: SourceState
    since: WallMs


class ClockStep(msgspec.Struct, frozen=True, kw_only=True):
    """The wall clock moved by ``step_ms`` against the monotonic one; ``timestamp`` is after it."""

    timestamp: WallMs
    step_ms: float
    cause: StepCause


class LateBar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar that came ``late_by_ms`` after its set was sealed."""

    timestamp: WallMs
    bar: Bar
    late_by_ms: float
    action: str


class BarRejected(msgspec.Struct, frozen=True, kw_only=True):
    """Something that came in and cannot be a bar of this container.

    ``timestamp`` is the wall time of arrival, ``detail`` at most 512 bytes of the input, escaped.
    """

    timestamp: WallMs
    reason: str
    feed: str
    detail: str


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """The indicators' values after the set of ``timestamp``; NaN until warm.

    ``features`` maps a source to ``{name: value}``, and the name of a cross-source indicator
    (``correlation``, ``spread``) to ``{"A|B": value}``.
    """

    timestamp: WallMs
    revision: int = 0
    features: Mapping[str, Mapping[str, float]]
    bars: Mapping[SourceId, Bar]


class Decision(msgspec.Struct, frozen=True):
    """The positions a strategy wants from now on, by symbol, and why. Symbols that it leaves out
    are left as they are.
    """

    targets: Mapping[str, float]
    reason: str


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy's decision: the positions that it wants from now on, in units of the symbol.

    ``depends_on_version`` is the portfolio's version that the strategy saw; 0: none yet.
    """

    timestamp: WallMs
    strategy: str
    targets: Mapping[str, float]
    reason: str
    depends_on_version: int = 0


class StrategyFault(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy gave no decision for ``timestamp``; ``action`` says what was done about it.

    ``rest_sets`` is how many of the next sets it is not asked about; None: of none any more.
    """

    timestamp: WallMs
    strategy: str
    kind: FaultKind
    detail: str
    action: str
    rest_sets: int | None = 0


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A target beyond a limit, or of a symbol that has no bars: ``granted`` units are what the
    strategy has of the symbol instead, and ``reason`` says which of them it is.
    """

    strategy: str
    symbol: str
    target: float
    granted: float
    reason: str


class PortfolioUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the portfolio: all decisions for ``timestamp``, applied at once.

    ``depends_on_version`` is the oldest version on which one of the decisions was made, and
    ``stale`` names the strategies whose decision was made on an older one than the last.
    ``waited`` are those of which an earlier decision waited for a price that came now. Money is
    in the currency of the closes; ``costs`` and ``turnover`` (the value that was traded) run from
    the start, ``drawdown`` is the share of ``peak``, the highest equity so far, that was lost; NaN
    where that never was above 0.
    """

    timestamp: WallMs
    version: int
    depends_on_version: int = 0
    positions: Mapping[str, float]
    cash: float
    equity: float
    peak: float = 0.0
    drawdown: float = 0.0
    costs: float = 0.0
    turnover: float = 0.0
    gross_exposure: float = 0.0
    net_exposure: float = 0.0
    applied: tuple[str, ...]
    stale: tuple[str, ...] = ()
    waited: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """``subscriber`` lost ``events_lost`` events, numbered within ``first_seq..last_seq``."""

    timestamp: WallMs
    subscriber: str
    first_seq: int
    last_seq: int
    events_lost: int


class Event(msgspec.Struct, frozen=True):
    """A payload under its type; ``container`` and ``seq`` are given by the bus at publication."""

    event_type: EventType
    payload: Any
    container: str = ""
    seq: int = 0


def frozen_mapping(values: dict[K, V]) -> Mapping[K, V]:
    """A read-only view; the caller gives up the right to alter ``values``."""
    return MappingProxyType(values)
