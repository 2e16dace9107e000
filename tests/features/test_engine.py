"""All indicators over all sources: what moves on, what does not, and what goes out."""

import math
import sys
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.errors import IndicatorFailed
from barsync_async.features import FeatureEngine, FreshBars, IndicatorSpec, Scope
from barsync_async.indicator_choice import parse_indicators
from barsync_async.messages import (
    Bar,
    Features,
    Provenance,
    SynchronizedBars,
    frozen_mapping,
)
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs

MINUTE = 60_000
NOON = 1_800_000_000_000
QUICK = (
    *parse_indicators([{"name": "sma", "window": 2, "label": "sma"}]),
    *parse_indicators([{"name": "rsi", "window": 2, "label": "rsi"}]),
    *parse_indicators([{"name": "correlation", "window": 2, "label": "correlation"}]),
    *parse_indicators([{"name": "spread", "window": 3, "label": "spread"}]),
)
ALL_LABELS = {"correlation", "spread", "spread_zscore", "hedge_ratio"}

cents = st.integers(100, 100_000).map(lambda cents: cents / 100)
closes_of_three = st.lists(st.tuples(*[st.none() | cents] * 3), min_size=1, max_size=25)


def engine(*sources: str, indicators: Sequence[IndicatorSpec] = QUICK, **options: Any) -> Any:
    return FeatureEngine([SourceId(each) for each in sources], indicators, **options)


def cell(source: str, close: float, provenance: Provenance = "fresh") -> Bar:
    return msgspec.structs.replace(create_bar(source, NOON, close), provenance=provenance)


def a_set(index: int, *cells: Bar, revision: int = 0) -> SynchronizedBars:
    return SynchronizedBars(
        timestamp=WallMs(NOON + index * MINUTE),
        revision=revision,
        status="complete",
        bars=frozen_mapping({each.source: each for each in cells}),
        sources_present=tuple(sorted(each.source for each in cells)),
        sources_missing=(),
        wait_ms=0.0,
        loop_lag_ms=0.0,
    )


def run(engine: Any, *closes: Mapping[str, float]) -> list[Features]:
    """One set of fresh cells after the other."""
    return [
        engine.update(a_set(index, *[cell(*item) for item in each.items()]))
        for index, each in enumerate(closes)
    ]


def plain(features: Features) -> dict[str, dict[str, float]]:
    return {name: dict(values) for name, values in features.features.items()}


def same(left: Mapping[str, float], right: Mapping[str, float]) -> bool:
    return left == pytest.approx(right, rel=0, abs=0, nan_ok=True)


def test_values_stand_under_their_source_and_under_the_indicator_of_their_pair() -> None:
    features = run(engine("SPY_1m", "QQQ_1m"), {"SPY_1m": 1.0, "QQQ_1m": 2.0})[0].features
    assert set(features) == {"SPY_1m", "QQQ_1m"} | ALL_LABELS
    assert list(features["SPY_1m"]) == ["sma", "rsi"]
    assert {tuple(features[label]) for label in ALL_LABELS} == {("QQQ_1m|SPY_1m",)}


def test_values_are_null_until_warm() -> None:
    closes = [(10.0, 30.0), (12.0, 20.0), (11.0, 50.0)]
    results = run(engine("A_1m", "B_1m"), *[{"A_1m": a, "B_1m": b} for a, b in closes])
    first, second, third = map(plain, results)
    assert all(math.isnan(value) for values in first.values() for value in values.values())
    assert second["A_1m"]["sma"] == 11.0
    assert math.isnan(second["A_1m"]["rsi"])
    assert third["A_1m"]["rsi"] == pytest.approx(100 * 2 / 3)
    assert math.isnan(second["correlation"]["A_1m|B_1m"])
    assert third["correlation"]["A_1m|B_1m"] == pytest.approx(-1.0)
    assert math.isnan(second["hedge_ratio"]["A_1m|B_1m"])
    assert math.isfinite(third["hedge_ratio"]["A_1m|B_1m"])


def test_a_source_is_the_first_of_its_pair_by_name_and_not_by_place() -> None:
    closes = [{"Z_1m": each, "A_1m": each**2} for each in (2.0, 4.0, 3.0)]
    for sources in (("Z_1m", "A_1m"), ("A_1m", "Z_1m")):
        assert plain(run(engine(*sources), *closes)[-1])["hedge_ratio"] == {
            "A_1m|Z_1m": pytest.approx(2.0)
        }


@pytest.mark.parametrize("provenance", ["carried", "filled", "interpolated", "missing", None])
def test_only_a_fresh_cell_moves_its_source_and_its_pairs_on(provenance: Any) -> None:
    core, closes = engine("A_1m", "B_1m"), [(10.0, 30.0), (12.0, 20.0), (11.0, 50.0)]
    before = plain(run(core, *[{"A_1m": a, "B_1m": b} for a, b in closes])[-1])
    stale = [] if provenance is None else [cell("A_1m", 99.0, provenance)]
    after = plain(core.update(a_set(3, *stale, cell("B_1m", 70.0))))
    assert after["A_1m"] == before["A_1m"]
    assert after["B_1m"]["sma"] == 60.0
    assert all(after[label] == before[label] for label in ALL_LABELS)


def test_a_pair_takes_its_return_from_its_last_joint_set() -> None:
    core = engine(
        "A_1m", "B_1m", indicators=parse_indicators([{"name": "correlation", "window": 2}])
    )
    closes = [(10.0, 10.0), (11.0, 12.0), (None, 1.0), (55.0, None), (10.0, 11.0)]
    sets = [
        {name: close for name, close in zip(("A_1m", "B_1m"), row, strict=True) if close}
        for row in closes
    ]
    # joint sets alone: 10 11 10 and 10 12 11
    with_gaps = run(core, *sets)[-1].features["correlation_2"]
    alone = engine(
        "A_1m", "B_1m", indicators=parse_indicators([{"name": "correlation", "window": 2}])
    )
    without = run(alone, sets[0], sets[1], sets[4])[-1].features["correlation_2"]
    assert same(with_gaps, without)
    assert with_gaps["A_1m|B_1m"] == pytest.approx(1.0)


@pytest.mark.parametrize("close", [math.nan, math.inf, -math.inf])
def test_a_close_that_is_no_number_is_no_observation(close: float) -> None:
    core = engine("A_1m", indicators=parse_indicators([{"name": "sma", "window": 2}]))
    features = run(core, {"A_1m": 1.0}, {"A_1m": close}, {"A_1m": 3.0})
    assert features[-1].features["A_1m"]["sma_2"] == 2.0


@given(closes_of_three)
def test_a_source_among_others_has_the_values_it_has_alone(
    table: list[tuple[float | None, ...]],
) -> None:
    names = ("A_1m", "B_1m", "C_1m")
    sets = [
        {name: close for name, close in zip(names, row, strict=True) if close is not None}
        for row in table
    ]
    together = run(engine(*names), *sets)
    for name in names:
        alone = run(
            engine(name, indicators=QUICK[:2]),
            *[{key: close for key, close in each.items() if key == name} for each in sets],
        )
        for one, other in zip(together, alone, strict=True):
            assert same(one.features[name], other.features[name])


@given(closes_of_three, st.permutations(["A_1m", "B_1m", "C_1m"]))
def test_the_order_of_the_sources_changes_no_value(
    table: list[tuple[float | None, ...]], order: list[str]
) -> None:
    names = ("A_1m", "B_1m", "C_1m")
    sets = [
        {name: close for name, close in zip(names, row, strict=True) if close is not None}
        for row in table
    ]
    for one, other in zip(run(engine(*names), *sets), run(engine(*order), *sets), strict=True):
        assert one.features.keys() == other.features.keys()
        for key, values in one.features.items():
            assert values == pytest.approx(other.features[key], rel=1e-9, abs=1e-9, nan_ok=True)


def test_a_source_that_it_was_not_told_of_is_not_looked_at() -> None:
    features = run(
        engine("A_1m", indicators=parse_indicators([{"name": "sma", "window": 1}])),
        {"A_1m": 1.0, "B_1m": 2.0},
    )
    assert plain(features[0]) == {"A_1m": {"sma_1": 1.0}}


def test_sources_of_a_slower_timeframe_have_values_but_no_default_pair() -> None:
    core = engine("A_1m", "B_1m", "A_5m")
    assert core.pairs == (("A_1m", "B_1m"),)
    assert "A_5m" in run(core, {"A_1m": 1.0})[0].features


def test_pairs_may_be_named() -> None:
    core = engine("A_1m", "B_1m", "A_5m", pairs=[("A_5m", "A_1m")])
    assert list(run(core, {"A_1m": 1.0})[0].features["spread"]) == ["A_1m|A_5m"]


def test_indicators_across_sources_may_stand_alone() -> None:
    core = engine("A_1m", "B_1m", indicators=parse_indicators(["correlation"]))
    (features,) = run(core, {"A_1m": 1.0})
    assert list(features.features) == ["correlation"]
    assert repr(features.features) == "{'correlation': {'A_1m|B_1m': nan}}"


def test_many_sources_are_no_matter_while_nothing_is_compared() -> None:
    sources = [f"S{index}_1m" for index in range(600)]
    assert engine(*sources, indicators=parse_indicators(["sma"])).pairs == ()
    with pytest.raises(ValueError, match="600 sources make 179,700 pairs"):
        engine(*sources, indicators=parse_indicators(["spread"]))


def test_timestamp_revision_and_bars_are_those_of_the_set() -> None:
    bars = a_set(4, cell("A_1m", 1.0), revision=2)
    features = engine("A_1m").update(bars)
    assert (features.timestamp, features.revision) == (bars.timestamp, 2)
    assert features.bars is bars.bars


def test_nobody_can_alter_a_result() -> None:
    features = run(engine("A_1m", "B_1m"), {"A_1m": 1.0, "B_1m": 2.0})[0].features
    for table in (features, features["A_1m"], features["spread"]):
        with pytest.raises(TypeError, match="does not support item assignment"):
            table["A_1m"] = 7.0  # type: ignore[index]  # the point
    with pytest.raises(AttributeError, match="immutable"):
        run(engine("A_1m"), {})[0].features = {}  # type: ignore[misc]  # the point


def test_a_result_does_not_change_with_the_next_set() -> None:
    core = engine("A_1m", indicators=parse_indicators([{"name": "sma", "window": 1}]))
    first, second = run(core, {"A_1m": 1.0}, {"A_1m": 2.0})
    assert (plain(first), plain(second)) == ({"A_1m": {"sma_1": 1.0}}, {"A_1m": {"sma_1": 2.0}})


@pytest.mark.parametrize("index", [1, 0])
def test_a_set_that_is_not_later_is_refused_and_leaves_no_trace(index: int) -> None:
    core = engine("A_1m", indicators=parse_indicators([{"name": "sma", "window": 2}]))
    run(core, {"A_1m": 1.0}, {"A_1m": 3.0})
    refused = a_set(index, cell("A_1m", 99.0), revision=1)
    with pytest.raises(ValueError, match=f"{refused.timestamp} came after that of {NOON + MINUTE}"):
        core.update(refused)
    assert plain(core.update(a_set(2, cell("A_1m", 5.0)))) == {"A_1m": {"sma_2": 4.0}}


@pytest.mark.parametrize(
    ("sources", "indicators", "message"),
    [
        ([], ["sma"], "sources: []: expected at least one, none twice"),
        (["A_1m", "A_1m"], ["sma"], "sources: ['A_1m', 'A_1m']: expected at least one, none twice"),
        (["A_7m"], ["sma"], "'A_7m' has the unknown timeframe '7m'"),
        (["A_1m"], [], "indicators is empty: name at least one"),
        (["A_1m"], ["sma", "sma"], "the name 'sma' of an indicator is taken"),
        (
            ["A_1m"],
            ["spread", {"name": "correlation", "label": "hedge_ratio"}],
            "the name 'hedge_ratio' of an indicator is taken",
        ),
        (
            ["A_1m"],
            [{"name": "correlation", "label": "A_1m"}],
            "the name 'A_1m' of an indicator is taken: give it another label",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    sources: list[str], indicators: list[Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        engine(*sources, indicators=parse_indicators(indicators))
    assert message in str(error.value)


def test_one_label_may_stand_once_for_sources_and_once_across_them() -> None:
    specs = parse_indicators([{"name": each, "label": "x"} for each in ("sma", "correlation")])
    features = run(engine("A_1m", "B_1m", indicators=specs), {"A_1m": 1.0})[0].features
    assert list(features) == ["A_1m", "B_1m", "x"]
    assert list(features["A_1m"]) == ["x"]


class Broken:
    """An indicator of a user's own that is not finished yet."""

    def __init__(self, columns: Any, *, gives: str = "raises") -> None:
        self._gives = gives

    def outputs(self, label: str) -> tuple[str, ...]:
        return (label,)

    def update(self, bars: FreshBars) -> Any:
        if self._gives == "raises":
            raise RuntimeError("boom")
        if self._gives == "exits":
            sys.exit(0)
        return {
            "array": np.zeros(3),
            "two": (np.zeros(3),) * 2,
            "long": (np.zeros(4),),
            "short": (np.zeros(1),),  # which NumPy would take for all of them
            "number": (1.0,),
            "complex": (np.zeros(3, dtype=complex),),
        }[self._gives]


class BrokenOfSources(Broken):
    scope: ClassVar[Scope] = "source"


class BrokenOfPairs(Broken):
    scope: ClassVar[Scope] = "pair"


@pytest.mark.parametrize("kind", ["Sources", "Pairs"])
@pytest.mark.parametrize(
    ("gives", "detail"),
    [
        ("raises", "RuntimeError: boom"),
        ("exits", "SystemExit: 0"),
        ("array", r"update\(\) has to return a tuple of 1: mine"),
        ("two", r"update\(\) has to return a tuple of 1: mine"),
        ("long", r"update\(\) has to return real numbers in arrays of 3"),
        ("short", r"update\(\) has to return real numbers in arrays of 3"),
        ("number", r"update\(\) has to return real numbers in arrays of 3"),
        ("complex", r"update\(\) has to return real numbers in arrays of 3"),
    ],
)
def test_an_indicator_that_fails_is_named(gives: str, detail: str, kind: str) -> None:
    table = {"name": f"{__name__}:BrokenOf{kind}", "label": "mine", "gives": gives}
    made = engine("A_1m", "B_1m", "C_1m", indicators=parse_indicators([table]))
    with pytest.raises(IndicatorFailed, match=f"^indicator mine: {detail}"):
        made.update(a_set(0, cell("A_1m", 1.0)))


class Scribbles:
    """Writes to what it is given: "sources.close", "left", …"""

    def __init__(self, columns: Any, *, over: str) -> None:
        self._over = over

    def outputs(self, label: str) -> tuple[str, ...]:
        return (label,)

    def update(self, given: Any) -> Any:
        attrgetter(self._over)(given)[:] = 7
        raise AssertionError("it could")


class ScribblesOnSources(Scribbles):
    scope: ClassVar[Scope] = "source"


class ScribblesOnPairs(Scribbles):
    scope: ClassVar[Scope] = "pair"


@pytest.mark.parametrize("close", [1.0, math.inf])
@pytest.mark.parametrize(
    ("kind", "over"),
    [
        *(("Sources", field) for field in ("open", "high", "low", "close", "volume", "columns")),
        *(("Pairs", field) for field in ("left", "right", "columns", "sources.close")),
    ],
)
def test_an_indicator_cannot_write_to_what_others_are_given(
    kind: str, over: str, close: float
) -> None:
    table = {"name": f"{__name__}:ScribblesOn{kind}", "label": "mine", "over": over}
    made = engine("A_1m", "B_1m", "C_1m", "D_1m", indicators=parse_indicators([table]))
    with pytest.raises(IndicatorFailed, match="read-only"):
        run(made, {"A_1m": 1.0, "B_1m": 1.0, "C_1m": close})
