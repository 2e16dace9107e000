"""A revision leaves the state that would be if it had come at once."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barsync_async.features import INDICATORS, FeatureEngine
from barsync_async.indicator_choice import parse_indicators
from barsync_async.messages import Bar, Features, SynchronizedBars
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs

NOON = 1_800_000_000_000
MINUTE = 60_000
NAMES = ("A_1m", "B_1m", "C_1m")
SHORT = {
    "macd": {"fast": 2, "slow": 3, "signal": 2},
    "session_vwap": {},
    "cointegration": {"window": 30},
}
CHOICES = [{"name": name, **SHORT.get(name, {"window": 3})} for name in INDICATORS]

cents = st.integers(9_000, 11_000).map(lambda each: each / 100)
row = st.tuples(*[cents | st.none()] * 3)
days = st.lists(row, min_size=1, max_size=14)


def engine(remembered: int, choices: Sequence[Any] = CHOICES) -> FeatureEngine:
    sources = [SourceId(each) for each in NAMES]
    return FeatureEngine(sources, parse_indicators(choices), remembered=remembered)


def a_set(place: int, closes: Sequence[float | None], revision: int = 0) -> SynchronizedBars:
    at = WallMs(NOON + place * MINUTE)
    cells: dict[SourceId, Bar] = {
        SourceId(name): create_bar(name, at, close)
        for name, close in zip(NAMES, closes, strict=True)
        if close is not None
    }
    return SynchronizedBars(
        timestamp=at,
        revision=revision,
        status="partial",
        bars=cells,
        sources_present=tuple(cells),
        sources_missing=(),
        wait_ms=0.0,
        loop_lag_ms=0.0,
    )


def revise(core: FeatureEngine, bars: SynchronizedBars) -> Features | None:
    *_, last = None, *core.revise(bars)
    return last


def plain(features: Features | None) -> Mapping[str, Any]:
    assert features is not None
    return {name: repr(dict(values)) for name, values in features.features.items()}


@settings(max_examples=30)
@given(days, st.data(), st.integers(1, 5))
def test_after_revisions_all_is_as_if_they_had_come_the_first_time(
    table: list[tuple[float | None, ...]], data: st.DataObject, remembered: int
) -> None:
    revised, history = engine(remembered), dict(enumerate(table))
    for place, closes in enumerate(table):
        revised.update(a_set(place, closes))
        if data.draw(st.booleans()):
            oldest = max(0, place + 1 - remembered)
            which = data.draw(st.integers(oldest, place))
            history[which] = data.draw(row)
            got = revise(revised, a_set(which, history[which], revision=1))
            fresh = engine(1)
            results = [fresh.update(a_set(each, history[each])) for each in range(place + 1)]
            assert plain(got) == plain(results[which])
    after = a_set(len(table), (100.0, 101.0, 102.0))
    fresh = engine(1)
    for place in range(len(table)):
        fresh.update(a_set(place, history[place]))
    assert plain(revised.update(after)) == plain(fresh.update(after))


def test_a_revision_of_a_set_that_was_skipped_comes_in_its_turn() -> None:
    choices = [{"name": "sma", "window": 3, "label": "sma"}]
    core, whole = engine(4, choices), engine(4, choices)
    for place in (0, 2):
        core.update(a_set(place, (10.0 + place, 1.0, 1.0)))
    revised = revise(core, a_set(1, (11.0, 1.0, 1.0), revision=1))
    results = [whole.update(a_set(place, (10.0 + place, 1.0, 1.0))) for place in range(3)]
    assert plain(revised) == plain(results[1])
    following = a_set(3, (20.0, 1.0, 1.0))
    assert plain(core.update(following)) == plain(whole.update(following))


def test_a_revision_of_a_later_set_begins_from_what_an_earlier_one_corrected() -> None:
    choices = [{"name": "sma", "window": 6, "label": "sma"}]
    core, whole = engine(8, choices), engine(1, choices)
    for place in range(8):
        core.update(a_set(place, (10.0, 1.0, 1.0)))
    revise(core, a_set(2, (22.0, 1.0, 1.0), revision=1))
    revised = revise(core, a_set(3, (46.0, 1.0, 1.0), revision=1))
    closes = [10.0, 10.0, 22.0, 46.0]
    *_, last = [whole.update(a_set(place, (close, 1.0, 1.0))) for place, close in enumerate(closes)]
    assert plain(revised) == plain(last)


def test_a_revision_may_be_the_first_set_there_is() -> None:
    core, whole = engine(4), engine(4)
    revised = revise(core, a_set(0, (11.0, 1.0, 1.0), revision=1))
    assert plain(revised) == plain(whole.update(a_set(0, (11.0, 1.0, 1.0))))
    following = a_set(1, (20.0, 1.0, 1.0))
    assert plain(core.update(following)) == plain(whole.update(following))


def test_a_revision_says_which_it_is() -> None:
    core = engine(2, ["sma"])
    core.update(a_set(0, (1.0, 1.0, 1.0)))
    bars = a_set(0, (2.0, 1.0, 1.0), revision=3)
    revised = revise(core, bars)
    assert revised is not None
    assert (revised.timestamp, revised.revision, revised.bars) == (NOON, 3, bars.bars)


@pytest.mark.parametrize("remembered", [0, 2])
def test_a_set_that_is_not_remembered_any_more_is_left_as_it_was(remembered: int) -> None:
    core = engine(remembered, [{"name": "sma", "window": 6, "label": "sma"}])
    for place in range(5):
        core.update(a_set(place, (1.0, 1.0, 1.0)))
    assert revise(core, a_set(0, (9.0, 9.0, 9.0), revision=1)) is None
    assert core.update(a_set(5, (1.0, 1.0, 1.0))).features["A_1m"]["sma"] == 1.0


@given(st.integers(1, 40), st.integers(1, 120), st.integers(1, 40))
def test_a_revision_goes_through_few_sets_before_its_own(
    remembered: int, count: int, back: int
) -> None:
    core = engine(remembered, ["sma"])
    for place in range(count):
        core.update(a_set(place, (1.0, 1.0, 1.0)))
    back = min(back, remembered, count)
    steps = [*core.revise(a_set(count - back, (2.0, 2.0, 2.0), revision=1))]
    assert back <= len(steps) - 1 <= back + -(-remembered // 4) - 1
