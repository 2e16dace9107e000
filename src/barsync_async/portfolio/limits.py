"""How much may be held, and of what was wanted, how much that leaves: the one place for it."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Literal, NamedTuple

import msgspec

from barsync_async.messages import Refusal
from barsync_async.portfolio.prices import gross_value, net_value

_TOLERANCE = 1e-9
_MOST_MONEY = 5e13
_TOO_MUCH = f"more than {_MOST_MONEY:g} of equity and positions cannot be kept to a cent"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The same for every symbol; None: no such limit.

    A limit forbids to go further beyond it, never to come back: where the market carried a
    position over it, the position may stay or shrink. What is beyond it by less than a billionth
    is within it, for sums and quotients are rounded.

    Whatever they are, nothing grows where equity and the value of all positions, shorts counted
    like longs, would together be more than 5e13: beside more than that, a cent is lost in rounding.

    Args:
        max_units: of a symbol, long or short.
        max_notional: the value of a position, in the currency of the closes.
        max_weight: the value of a position as a share of the equity.
        max_gross_leverage: the value of all positions, shorts counted like longs, as a multiple
            of the equity.
        max_net_leverage: the value of longs less that of shorts, either way, as a multiple of it.
        breach: whether a target beyond a limit is refused, so that nothing changes, or followed as
            far as the limit allows.

    Raises:
        ValueError: one of them is no finite number of at least 0.
    """

    max_units: float | None = None
    max_notional: float | None = None
    max_weight: float | None = None
    max_gross_leverage: float | None = None
    max_net_leverage: float | None = None
    breach: Literal["refuse", "clip"] = "refuse"

    def __post_init__(self) -> None:
        for name in self.__struct_fields__[:-1]:
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name} = {value!r}: expected a number of at least 0")
        if self.breach not in ("refuse", "clip"):
            raise ValueError(f"breach = {self.breach!r}: expected refuse or clip")


class Wish(NamedTuple):
    """A strategy has ``held`` units of a symbol and wants ``target``."""

    strategy: str
    symbol: str
    held: float
    target: float


class Holdings(NamedTuple):
    """What there is before anything is granted, at the prices by which it is judged."""

    positions: Mapping[str, float]
    marks: Mapping[str, float]
    equity: float


class Grant(NamedTuple):
    """What a wish comes to; ``reason`` is the limit that stood against the rest of it."""

    wish: Wish
    units: float
    reason: str | None = None

    @property
    def refusal(self) -> Refusal | None:
        """How it is told where it is less than was wanted."""
        if self.reason is None:
            return None
        strategy, symbol, _, target = self.wish
        return Refusal(
            strategy=strategy,
            symbol=symbol,
            target=target,
            granted=self.units,
            reason=self.reason,
        )


def granted(wishes: Sequence[Sequence[Wish]], holdings: Holdings, limits: Limits) -> list[Grant]:
    """What each of ``wishes``, one list for each decision, comes to.

    What all want together is looked at first, then one decision after the other, each as a whole,
    so that legs which offset each other are no breach. Only of what does not fit as a whole is each
    wish looked at by itself, in order of its symbol, those first that make a position smaller.
    """
    book, everything = _Exposure(holdings, limits), [*chain.from_iterable(wishes)]
    if book.take_all(everything):
        return [Grant(wish, wish.target) for wish in everything]
    grants: list[Grant] = []
    for own in wishes:
        if book.take_all(own):
            grants += [Grant(wish, wish.target) for wish in own]
        else:
            grants += [book.take(wish) for wish in sorted(own, key=book.order)]
    return grants


class _Bound(NamedTuple):
    """A limit on ``abs(base + slope * units)`` of one symbol: ``most``, or where that is by
    rounding alone, ``widest``.
    """

    name: str
    most: float
    widest: float
    base: float
    slope: float

    def allows(self, before: float, units: float) -> bool:
        """Whether ``units`` are within it, or on the way back to it from ``before``."""
        least, most = self._room(before, self.widest)
        return least <= units <= most

    def nearest(self, before: float, units: float) -> float:
        """What it leaves of a step from ``before`` to ``units``."""
        least, most = self._room(before, self.most)
        return min(max(units, least), most) if math.isfinite(units) else before

    def _room(self, units: float, most: float) -> tuple[float, float]:
        if not self.slope:
            return -math.inf, math.inf
        least, most = _way_back(self.base + self.slope * units, most)
        ends = ((least - self.base) / self.slope, (most - self.base) / self.slope)
        return min(*ends, units), max(*ends, units)


class _Exposure:
    """Positions as they become while wishes are granted one after the other."""

    def __init__(self, holdings: Holdings, limits: Limits) -> None:
        self._limits = limits
        self._marks = holdings.marks
        self._equity = holdings.equity
        self._positions = dict(holdings.positions)
        self._gross = gross_value(holdings.positions, holdings.marks)
        self._net = net_value(holdings.positions, holdings.marks)

    def order(self, wish: Wish) -> tuple[bool, str]:
        """Those first that make the symbol's position smaller."""
        before = self._positions.get(wish.symbol, 0.0)
        return abs(before + wish.target - wish.held) >= abs(before), wish.symbol

    def take_all(self, wishes: Sequence[Wish]) -> bool:
        """Whether all of them together are within the limits; if so, they are granted."""
        after = _moved(self._positions, wishes)
        gross, net = self._gross, self._net
        for symbol in {wish.symbol: None for wish in wishes}:
            mark, before = self._marks[symbol], self._positions.get(symbol, 0.0)
            gross += abs(after[symbol] * mark) - abs(before * mark)
            net += (after[symbol] - before) * mark
            if not all(bound.allows(before, after[symbol]) for bound in self._of_symbol(symbol)):
                return False
        if not (gross <= self._widest_gross and self._keeps_net(net, gross)):
            return False
        self._positions, self._gross, self._net = after, gross, net
        return True

    def take(self, wish: Wish) -> Grant:
        """Grant as much of ``wish`` as the limits allow, or as they say, nothing of it."""
        before = self._positions.get(wish.symbol, 0.0)
        wanted = before + wish.target - wish.held
        units, reason = self._nearest(wish.symbol, wanted)
        if reason is not None and self._limits.breach == "refuse":
            units = before
        self._move(wish.symbol, units)
        granted_units = wish.target if reason is None else wish.held + (units - before)
        return Grant(wish, granted_units, reason)

    def _nearest(self, symbol: str, wanted: float) -> tuple[float, str | None]:
        """What is nearest to ``wanted`` within every limit, and the limit that it comes up to."""
        before = self._positions.get(symbol, 0.0)
        nearest, reason = wanted, None
        for bound in (*self._of_symbol(symbol), *self._of_all(symbol)):
            if not bound.allows(before, nearest):
                nearest = bound.nearest(before, nearest)
                reason = self._reason(bound)
        return nearest, reason

    def _reason(self, bound: _Bound) -> str:
        value = getattr(self._limits, bound.name, None)
        return bound.name if value is None else f"{bound.name} = {value:g}"

    def _move(self, symbol: str, units: float) -> None:
        mark, before = self._marks[symbol], self._positions.get(symbol, 0.0)
        self._gross += abs(units * mark) - abs(before * mark)
        self._net += (units - before) * mark
        self._positions[symbol] = units

    def _of_symbol(self, symbol: str) -> Iterator[_Bound]:
        limits, mark = self._limits, self._marks[symbol]
        if limits.max_units is not None:
            yield _bound("max_units", limits.max_units, 0.0, 1.0)
        if limits.max_notional is not None:
            yield _bound("max_notional", limits.max_notional, 0.0, mark)
        if limits.max_weight is not None:
            yield _bound("max_weight", limits.max_weight * self._equity, 0.0, mark)

    def _of_all(self, symbol: str) -> Iterator[_Bound]:
        mark, value = self._marks[symbol], self._positions.get(symbol, 0.0) * self._marks[symbol]
        others = self._gross - abs(value)
        most = max(self._most_kept, self._gross) - others
        yield _Bound(_TOO_MUCH, most, most, 0.0, mark)
        if self._limits.max_gross_leverage is not None:
            most = max(self._most_gross, self._gross) - others  # it has no sides
            yield _Bound("max_gross_leverage", most, self._widest_gross - others, 0.0, mark)
        if self._limits.max_net_leverage is not None:
            yield _bound("max_net_leverage", self._most_net, self._net - value, mark)

    @property
    def _most_kept(self) -> float:
        return _MOST_MONEY - abs(self._equity)

    @property
    def _most_gross(self) -> float:
        share = self._limits.max_gross_leverage
        return math.inf if share is None else share * self._equity

    @property
    def _widest_gross(self) -> float:
        return max(min(_widest(self._most_gross), self._most_kept), self._gross)

    @property
    def _most_net(self) -> float:
        share = self._limits.max_net_leverage
        return math.inf if share is None else share * self._equity

    def _keeps_net(self, net: float, gross: float) -> bool:
        """A difference is rounded as what it is the difference of."""
        most = self._most_net
        least, most = _way_back(self._net, max(_widest(most), most + _TOLERANCE * gross))
        return least <= net <= most


def _bound(name: str, most: float, base: float, slope: float) -> _Bound:
    return _Bound(name, most, _widest(most), base, slope)


def _moved(positions: Mapping[str, float], wishes: Iterable[Wish]) -> dict[str, float]:
    after = dict(positions)
    for wish in wishes:
        after[wish.symbol] = after.get(wish.symbol, 0.0) + wish.target - wish.held
    return after


def _way_back(value: float, most: float) -> tuple[float, float]:
    """From -``most`` to ``most``, and on that side where ``value`` is beyond it, as far as that. A
    share of an equity below 0 is 0.
    """
    most = max(most, 0.0)
    return min(-most, value), max(most, value)


def _widest(most: float) -> float:
    return most * (1 + _TOLERANCE)
