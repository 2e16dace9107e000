"""Time-series momentum: go with each source's own trend, unless it looks spent."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from barsync_async.messages import Bar, Decision, Features, PortfolioUpdate, frozen_mapping
from barsync_async.strategies.needs import Need
from barsync_async.strategies.parameters import (
    check_flag,
    check_label,
    check_labels,
    check_order,
    check_positive,
)
from barsync_async.units import TIMEFRAMES, split_source

_DIRECTIONS = {1: "long", -1: "short", 0: "flat"}
_WORDS = (*_DIRECTIONS.values(), "warming up", "not fresh", "unpriced")


class _Held(NamedTuple):
    direction: int
    units: float


class Momentum:
    """Long, short or flat in each source on its own, by its trend.

    ======  ==================  ===================================
    want    trend               strength
    ======  ==================  ===================================
    long    ``close > sma``     ``long_above <= rsi <= overbought``
    short   ``close < sma``     ``oversold <= rsi <= short_below``
    flat    anything else
    ======  ==================  ===================================

    A position is worth ``notional`` at the close at which its direction was taken, and keeps its
    units until the direction changes. A target is given for every source whose bar is fresh and
    whose features are warm, each time anew: 0 where flat. All others are left as they are.

    Source: the sign of a market's own past return as the sign of the position, from Moskowitz,
    Ooi, Pedersen, "Time series momentum", Journal of Financial Economics 104(2), 2012, brought
    from months to bars: close against its moving average stands for the past return, and the
    position is of equal value instead of equal volatility. The bands are Wilder's, New Concepts
    in Technical Trading Systems, 1978, section VI, used as a filter.

    Args:
        notional: the value of a position when taken, in the currency of the closes.
        long_above: the least RSI to be long with.
        short_below: the greatest RSI to be short with.
        overbought: above this RSI a rise is taken for spent.
        oversold: below this RSI a fall is taken for spent.
        allow_short: whether to go short at all.
        sources: which sources to work on; None: those of the shortest timeframe in the event.
        sma: the label of the moving average in the features.
        rsi: the label of the relative strength index in the features.
        label: the strategy's name in signals.

    Raises:
        ValueError: a parameter makes no sense, or two of ``sources`` have one symbol.
    """

    def __init__(
        self,
        *,
        notional: float = 10_000.0,
        long_above: float = 50.0,
        short_below: float = 50.0,
        overbought: float = 80.0,
        oversold: float = 20.0,
        allow_short: bool = True,
        sources: Sequence[str] | None = None,
        sma: str = "sma",
        rsi: str = "rsi",
        label: str = "momentum",
    ) -> None:
        check_positive("notional", notional)
        _check_bands(oversold, short_below, long_above, overbought)
        check_flag("allow_short", allow_short)
        for name, value in {"sma": sma, "rsi": rsi, "label": label}.items():
            check_label(name, value)
        self.name = label
        self._notional = notional
        self._long_band = (long_above, overbought)
        self._short_band = (oversold, short_below)
        self._allow_short = allow_short
        self._symbols = None if sources is None else _symbols(sources)
        self._sma, self._rsi = sma, rsi
        self._held: dict[str, _Held] = {}
        self._base: dict[str, str] = {}
        self._base_of: Collection[str] = ()

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it reads; without ``sources``, of whichever sources there are."""
        return (
            Need("feature", self._sma, "sma", self._sma),
            Need("feature", self._rsi, "rsi", self._rsi),
            *(Need("source", each, "sources", each) for each in self._symbols or ()),
        )

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Decision:  # noqa: ARG002 - part of the role
        """The targets, in units by symbol, after the set of ``features``."""
        counts: Counter[str] = Counter()
        targets: dict[str, float] = {}
        for source, symbol in self._working_on(features).items():
            word = self._judge(source, features)
            counts[word] += 1
            if word in _DIRECTIONS.values():
                targets[symbol] = self._held[source].units
        return Decision(frozen_mapping(targets), _reason(counts))

    def _working_on(self, features: Features) -> dict[str, str]:
        """The symbols of the sources to work on."""
        if self._symbols is not None:
            return self._symbols
        names = features.features.keys()
        if names != self._base_of:
            self._base_of = frozenset(names)
            self._base = _of_shortest_timeframe(
                name for name, values in features.features.items() if self._sma in values
            )
        return self._base

    def _judge(self, source: str, features: Features) -> str:
        """What is wanted of ``source`` now, or why nothing can be said; remembers the former."""
        bar = features.bars.get(source)  # type: ignore[call-overload]  # a plain str will do
        if not isinstance(bar, Bar) or bar.provenance != "fresh":
            return "not fresh"
        values = features.features.get(source, {})
        sma, rsi = values.get(self._sma, math.nan), values.get(self._rsi, math.nan)
        if not math.isfinite(sma) or not math.isfinite(rsi):
            return "warming up"
        return self._take(source, self._direction(bar.close, sma, rsi), bar.close)

    def _direction(self, close: float, sma: float, rsi: float) -> int:
        if close > sma and self._long_band[0] <= rsi <= self._long_band[1]:
            return 1
        falls = close < sma and self._short_band[0] <= rsi <= self._short_band[1]
        return -1 if falls and self._allow_short else 0

    def _take(self, source: str, direction: int, close: float) -> str:
        held = self._held.get(source)
        if held is None or held.direction != direction:
            units = direction * self._notional / close if close > 0 else math.inf
            if direction and not math.isfinite(units):
                return "unpriced"
            self._held[source] = _Held(direction, units if direction else 0.0)
        return _DIRECTIONS[direction]


def _check_bands(oversold: float, short_below: float, long_above: float, overbought: float) -> None:
    check_order(
        "0 <= oversold < short_below <= long_above < overbought <= 100",
        {
            "oversold": oversold,
            "short_below": short_below,
            "long_above": long_above,
            "overbought": overbought,
        },
        lambda low, below, above, high: 0 <= low < below <= above < high <= 100,  # noqa: PLR2004 - per cent
    )


def _symbols(sources: Sequence[str]) -> dict[str, str]:
    check_labels("sources", sources)
    symbols = {source: split_source(source)[0] for source in sources}
    if not symbols or len(set(symbols.values())) != len(sources):
        raise ValueError(
            f"sources = {list(sources)!r}: expected at least one, and each symbol once"
        )
    return symbols


def _of_shortest_timeframe(sources: Iterable[str]) -> dict[str, str]:
    keys = {source: split_source(source) for source in sources}
    lengths = {source: TIMEFRAMES[name].length_ms for source, (_, name) in keys.items()}
    shortest = min(lengths.values(), default=0)
    return {source: keys[source][0] for source, each in lengths.items() if each == shortest}


def _reason(counts: Counter[str]) -> str:
    if not counts:
        return "no features to work on"
    if len(counts) == 1 and "warming up" in counts:
        return "warming up"
    return ", ".join(f"{counts[word]} {word}" for word in _WORDS if counts[word])
