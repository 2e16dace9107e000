"""Pairs trading: bet that two sources that moved apart come together again."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from barsync_async.messages import Decision, Features, PortfolioUpdate, frozen_mapping
from barsync_async.strategies.needs import Need
from barsync_async.strategies.parameters import (
    check_label,
    check_labels,
    check_order,
    check_positive,
)
from barsync_async.units import SourceId, split_source

_NAMES_SHOWN = 3

State = Literal["flat", "long", "short", "stopped"]

_SIDES: Mapping[State, int] = {"long": 1, "short": -1}
_CHANGES = ("opened", "closed", "stopped", "released")
_PASSED_OVER = ("unhedged", "warming up", "not fresh")


class _Rule(NamedTuple):
    """The table in :class:`PairsTrading`, but for the hedge ratio."""

    entry: float
    exit: float
    stop: float

    def after(self, state: State, zscore: float) -> State:
        if state == "flat":
            return self._after_flat(zscore)
        if state == "stopped":
            return "flat" if abs(zscore) <= self.exit else "stopped"
        distance = -_SIDES[state] * zscore  # grows as the bet loses
        if distance <= self.exit:
            return "flat"
        return "stopped" if distance >= self.stop else state

    def _after_flat(self, zscore: float) -> State:
        if not self.entry <= abs(zscore) < self.stop:
            return "flat"
        return "short" if zscore > 0 else "long"


class _Pair(NamedTuple):
    name: str
    left: SourceId
    right: SourceId
    left_symbol: str
    right_symbol: str


class _Held(NamedTuple):
    state: State = "flat"
    left_units: float = 0.0
    right_units: float = 0.0


class _Quote(NamedTuple):
    """A pair that can be judged now: both bars fresh, its z-score known."""

    left_close: float
    right_close: float
    zscore: float
    hedge_ratio: float


class PairsTrading:
    """Sells the dearer source of a pair and buys the cheaper one, until they meet again.

    Each pair ``A|B`` is in one of four states. It moves by at most one line of this table in a
    set, by the z-score ``z`` of its spread:

    =======  ================================================  =======
    from     when                                              to
    =======  ================================================  =======
    flat     ``entry <= z < stop`` and hedge ratio above 0     short
    flat     ``-stop < z <= -entry`` and hedge ratio above 0   long
    short    ``z <= exit``                                     flat
    short    ``z >= stop``                                     stopped
    long     ``z >= -exit``                                    flat
    long     ``z <= -stop``                                    stopped
    stopped  ``-exit <= z <= exit``                            flat
    =======  ================================================  =======

    Long means ``notional`` bought of A and ``hedge ratio * notional`` sold of B, short the
    reverse; flat and stopped mean none of either. The units are those of the closes and the hedge
    ratio at entry, and stay until the pair is flat or stopped. A pair whose bars are not both
    fresh, or whose z-score is not known, is left as it is.

    The target of a symbol is the sum over its pairs. A target is given for each symbol of every
    pair that could be judged at least once, in every decision anew: 0 where no pair is open.

    Source: Gatev, Goetzmann, Rouwenhorst, "Pairs Trading: Performance of a Relative-Value
    Arbitrage Rule", Review of Financial Studies 19(3), 2006: bet against a divergence of two
    standard deviations until the prices meet. There the pairs are the closest of a formation
    period, which also sets the standard deviation; the legs are of equal value, and a bet ends
    when the prices cross or the trading period does. Here the pairs are given, mean, deviation
    and hedge ratio roll on with each set, the legs are weighed by the hedge ratio, a bet ends
    ``exit`` before the crossing, and a stop cuts a divergence that goes on.

    Args:
        notional: the value of A's leg when taken, in the currency of the closes.
        entry: from this distance on, in standard deviations, bet against it.
        exit: at this distance take the bet for won; 0: where the prices cross.
        stop: at this distance take the bet for lost. A spread's z-score over a window of ``n``
            sets is at most ``sqrt(n - 1)``: 4.36 for 20.
        pairs: which pairs of sources to work on; None: all in the event whose sources have two
            symbols. A source with ``|`` in its name is only worked on if named here.
        spread: the label of the spread in the features.
        label: the strategy's name in signals.

    Raises:
        ValueError: a parameter makes no sense, or a pair is not two sources of two symbols.
    """

    def __init__(
        self,
        *,
        notional: float = 10_000.0,
        entry: float = 2.0,
        exit: float = 0.5,  # noqa: A002 - the trade's own word
        stop: float = 4.0,
        pairs: Sequence[Sequence[str]] | None = None,
        spread: str = "spread",
        label: str = "pairs_trading",
    ) -> None:
        check_positive("notional", notional)
        _check_distances(exit, entry, stop)
        check_label("spread", spread)
        check_label("label", label)
        self.name = label
        self._notional = notional
        self._rule = _Rule(entry, exit, stop)
        self._chosen = None if pairs is None else _chosen(pairs)
        self._spread, self._zscore = spread, f"{spread}_zscore"
        self._hedge_ratio = "hedge_ratio" if spread == "spread" else f"{spread}_hedge_ratio"
        self._held: dict[_Pair, _Held] = {}
        self._found: Sequence[_Pair] = ()
        self._found_in: Collection[str] = ()

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it reads; without ``pairs``, of whichever pairs there are."""
        pairs = self._chosen or ()
        sources = dict.fromkeys(each for pair in pairs for each in (pair.left, pair.right))
        return (
            Need("across", self._zscore, "spread", self._spread),
            *(Need("source", each, "pairs", each) for each in sources),
            *(Need("pair", pair.name, "pairs", pair.name, of=self._zscore) for pair in pairs),
        )

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Decision:  # noqa: ARG002 - part of the role
        """The targets, in units by symbol, after the set of ``features``."""
        words = {pair.name: self._move(pair, features) for pair in self._working_on(features)}
        return Decision(frozen_mapping(self._targets()), self._reason(words))

    def _working_on(self, features: Features) -> Sequence[_Pair]:
        if self._chosen is not None:
            return self._chosen
        names = features.features.get(self._zscore, {}).keys()
        if names != self._found_in:
            self._found_in = frozenset(names)
            self._found = _found(names)
        return self._found

    def _move(self, pair: _Pair, features: Features) -> str:
        """Move ``pair`` on by one set; what became of it, in a word."""
        quote = self._quote(pair, features)
        if isinstance(quote, str):
            return quote
        held = self._held.setdefault(pair, _Held())
        state = self._rule.after(held.state, quote.zscore)
        if state == held.state:
            return "kept"
        wanted = self._sized(state, quote)
        if wanted is None:
            return "unhedged"
        self._held[pair] = wanted
        return _change(held.state, state)

    def _quote(self, pair: _Pair, features: Features) -> _Quote | str:
        """What to judge ``pair`` by, or why it cannot be judged."""
        left, right = features.bars.get(pair.left), features.bars.get(pair.right)
        if left is None or right is None or {left.provenance, right.provenance} != {"fresh"}:
            return "not fresh"
        zscore = features.features.get(self._zscore, {}).get(pair.name, math.nan)
        ratio = features.features.get(self._hedge_ratio, {}).get(pair.name, math.nan)
        if not math.isfinite(zscore):
            return "warming up"
        return _Quote(left.close, right.close, zscore, ratio)

    def _sized(self, state: State, quote: _Quote) -> _Held | None:
        """None where prices and hedge ratio give no two legs against each other."""
        side = _SIDES.get(state, 0)
        if not side:
            return _Held(state)
        if not all(each > 0 for each in (quote.left_close, quote.right_close, quote.hedge_ratio)):
            return None
        left = side * self._notional / quote.left_close
        right = -side * self._notional * quote.hedge_ratio / quote.right_close
        return _Held(state, left, right) if math.isfinite(left) and math.isfinite(right) else None

    def _targets(self) -> dict[str, float]:
        targets: defaultdict[str, float] = defaultdict(float)
        for pair, held in sorted(self._held.items()):  # one order, so that sums round alike
            targets[pair.left_symbol] += held.left_units
            targets[pair.right_symbol] += held.right_units
        return dict(sorted(targets.items()))

    def _reason(self, words: Mapping[str, str]) -> str:
        if not words:
            return "no pairs to work on"
        states = Counter(held.state for held in self._held.values())
        counts = Counter(words.values())
        parts = [f"{states['long'] + states['short']} open"]
        parts += [f"{states['stopped']} stopped"] if states["stopped"] else []
        parts += [f"{counts[word]} {word}" for word in _PASSED_OVER if counts[word]]
        changes = [f"{word} {name}" for name, word in words.items() if word in _CHANGES]
        return ", ".join(parts) + _shown(changes)


def _check_distances(exit_: float, entry: float, stop: float) -> None:
    check_order(
        "0 <= exit < entry < stop",
        {"exit": exit_, "entry": entry, "stop": stop},
        lambda exit_, entry, stop: 0 <= exit_ < entry < stop,
    )


def _chosen(pairs: Sequence[Sequence[str]]) -> Sequence[_Pair]:
    if not isinstance(pairs, list | tuple) or not pairs:
        raise ValueError(f'pairs = {pairs!r}: expected at least one, as [["QQQ_1m", "SPY_1m"]]')
    chosen = sorted(map(_checked, pairs))
    if len(set(chosen)) != len(chosen):
        raise ValueError(f"pairs = {pairs!r}: expected each pair once")
    return chosen


def _checked(sources: Sequence[str]) -> _Pair:
    check_labels("pairs", sources)
    pair = _pair(*sources) if len(sources) == 2 else None  # noqa: PLR2004 - a pair
    if pair is None:
        raise ValueError(f"pairs = {list(sources)!r}: expected two sources of different symbols")
    return pair


def _found(names: Iterable[str]) -> Sequence[_Pair]:
    """The pairs of two symbols among ``names``, in sorted order."""
    parts = [name.split("|") for name in sorted(names)]
    pairs = [_pair(*each) for each in parts if len(each) == 2]  # noqa: PLR2004 - a pair
    return [pair for pair in pairs if pair is not None]


def _pair(one: str, other: str) -> _Pair | None:
    """None where both are of one symbol."""
    left, right = sorted((one, other))
    (left_symbol, _), (right_symbol, _) = split_source(left), split_source(right)
    if left_symbol == right_symbol:
        return None
    return _Pair(f"{left}|{right}", SourceId(left), SourceId(right), left_symbol, right_symbol)


def _change(before: State, after: State) -> str:
    if after in _SIDES:
        return "opened"
    if after == "stopped":
        return "stopped"
    return "closed" if before in _SIDES else "released"


def _shown(changes: Sequence[str]) -> str:
    """The first few of ``changes``, and how many more there are."""
    if not changes:
        return ""
    more = len(changes) - _NAMES_SHOWN
    rest = f" and {more} more" if more > 0 else ""
    return f"; {', '.join(changes[:_NAMES_SHOWN])}{rest}"
