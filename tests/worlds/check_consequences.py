"""Behind each set: its features, every strategy's word in order, one version of the portfolio."""

import math
from collections.abc import Mapping, Sequence

from tests.worlds.story import Story

from barsync_async.messages import (
    Bar,
    Event,
    EventType,
    PortfolioUpdate,
    StrategyFault,
    SynchronizedBars,
)
from barsync_async.units import TIMEFRAMES, SourceId

_CASH = 100_000.0


def check_consequences(story: Story) -> None:
    """Raises AssertionError with what does not hold."""
    events = [each.event for each in story.published]
    resting = _Resting()
    for place, event in enumerate(events):
        if event.event_type is EventType.SYNCHRONIZED_BARS:
            expected = _expected(story, resting)
            following = events[place + 1 : place + 1 + len(expected)]
            _check_following(story, event, following, expected)
            resting.heard(following)
        if event.event_type is EventType.SYNCHRONIZED_BARS_REVISED:
            expected = _features(story)  # nobody decides twice about one timestamp
            following = events[place + 1 : place + 1 + len(expected)]
            _check_following(story, event, following, expected)
    kinds = (EventType.SYNCHRONIZED_BARS, EventType.SYNCHRONIZED_BARS_REVISED)
    sets = sum(len(story.of(kind)) for kind in kinds)
    told = len(story.of(EventType.FEATURES))
    assert told == (sets if "features" in story.plan.components else 0), f"{story.name}: features"
    if story.plan.has_portfolio:
        _check_portfolio(story)


class _Resting:
    """Counts faults in a row: after them 0, 1, 3, 7 sets of rest, after the fifth for good."""

    def __init__(self) -> None:
        self._in_a_row: dict[str, int] = {}
        self._left: dict[str, float] = {}

    def present(self, strategies: Sequence[str]) -> list[str]:
        """Another set: who is asked about it."""
        asked = [each for each in strategies if self._left.get(each, 0) == 0]
        for each in set(strategies) - set(asked):
            self._left[each] -= 1
        return asked

    def heard(self, events: Sequence[Event]) -> None:
        for each in events:
            if isinstance(each.payload, StrategyFault):
                name = each.payload.strategy
                count = self._in_a_row[name] = self._in_a_row.get(name, 0) + 1
                self._left[name] = (0, 1, 3, 7, math.inf)[count - 1]
                told = each.payload.rest_sets
                assert self._left[name] == (math.inf if told is None else told), each
            elif each.event_type is EventType.SIGNAL:
                self._in_a_row[each.payload.strategy] = 0


def _expected(story: Story, resting: _Resting) -> list[str]:
    """Who speaks about a set, one after the other."""
    plan = story.plan
    strategies = resting.present(plan.strategies)
    return [*_features(story), *strategies, *(["PORTFOLIO"] if plan.has_portfolio else [])]


def _features(story: Story) -> list[str]:
    return ["FEATURES"] if "features" in story.plan.components else []


def _check_following(
    story: Story, event: Event, following: list[Event], expected: list[str]
) -> None:
    where = f"{story.name}: after the set of {event.payload.timestamp}"
    speakers = [getattr(each.payload, "strategy", each.event_type) for each in following]
    assert speakers == expected, f"{where}: {speakers} instead of {expected}"
    for each in following:
        assert each.payload.timestamp == event.payload.timestamp, f"{where}: {each}"
        if isinstance(each.payload, StrategyFault):
            assert each.payload.strategy in ("crashing", "garbage"), f"{where}: {each}"
            assert each.payload.kind == "raised", f"{where}: {each}"
        if each.event_type is EventType.FEATURES:
            assert each.payload.bars == event.payload.bars, f"{where}: other bars: {each}"
            assert each.payload.revision == event.payload.revision, f"{where}: {each}"


def _check_portfolio(story: Story) -> None:
    """One version after the other; money moves only by fills at the close of T."""
    bars: Mapping[SourceId, Bar] = {}
    cash, version = _CASH, 0
    positions: Mapping[str, float] = {}
    for each in story.published:
        payload = each.event.payload
        if each.event.event_type is EventType.SYNCHRONIZED_BARS:
            assert isinstance(payload, SynchronizedBars)
            bars = payload.bars
        elif isinstance(payload, PortfolioUpdate):
            version += 1
            assert payload.version == version, f"{story.name}: {payload} is not {version}"
            spent = _spent(story, positions, payload, bars)
            assert abs(cash - spent - payload.cash) < 1e-6, f"{story.name}: cash: {payload}"
            cash, positions = payload.cash, payload.positions


def _spent(
    story: Story, before: Mapping[str, float], now: PortfolioUpdate, bars: Mapping[SourceId, Bar]
) -> float:
    prices = _fill_prices(bars)
    spent = 0.0
    for symbol in {*before, *now.positions}:
        units = now.positions.get(symbol, 0.0) - before.get(symbol, 0.0)
        if units:
            assert symbol in prices, f"{story.name}: {symbol} was filled at no price: {now}"
            spent += units * prices[symbol]
    return spent


def _fill_prices(bars: Mapping[SourceId, Bar]) -> dict[str, float]:
    """The closes of this T: of two bars of a symbol, that of the shorter one."""
    closing = [bar for bar in bars.values() if bar.provenance == "fresh"]
    closing.sort(key=lambda bar: -TIMEFRAMES[bar.timeframe].length_ms)
    return {bar.symbol: bar.close for bar in closing}
