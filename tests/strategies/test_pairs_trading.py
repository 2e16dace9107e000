"""Pairs trading: every move of a pair, what it holds meanwhile, and the sums over pairs."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.features import FeatureEngine
from barsync_async.features.spread import Spread
from barsync_async.indicator_choice import parse_indicators
from barsync_async.messages import (
    Bar,
    Decision,
    Features,
    Provenance,
    SynchronizedBars,
    frozen_mapping,
)
from barsync_async.strategies import STRATEGIES, PairsTrading
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs

NOON = 1_800_000_000_000
MINUTE = 60_000
AB = "A_1m|B_1m"

LONG = {"A": 10.0, "B": -10.0}
SHORT = {"A": -10.0, "B": 10.0}
NOTHING = {"A": 0.0, "B": 0.0}


class Seen(NamedTuple):
    """A pair in one event; with the usual figures a leg of 1,000 has 10 units on either side."""

    zscore: float
    hedge_ratio: float = 0.5
    left: float = 100.0
    right: float = 50.0


def cell(source: str, close: float, provenance: Provenance = "fresh") -> Bar:
    return msgspec.structs.replace(create_bar(source, NOON, close), provenance=provenance)


def cells(pairs: Mapping[str, Seen]) -> Iterator[Bar]:
    for name, pair in pairs.items():
        left, right = name.split("|")
        yield from (cell(left, pair.left), cell(right, pair.right))


def event(pairs: Mapping[str, Seen], *instead: Bar, label: str = "spread") -> Features:
    """``instead`` are cells in place of the fresh ones."""
    bars = {each.source: each for each in (*cells(pairs), *instead)}
    _, zscore, hedge_ratio = Spread.outputs(label)
    return Features(
        timestamp=WallMs(NOON),
        features={
            "A_1m": {"sma": 1.0},
            zscore: {name: pair.zscore for name, pair in pairs.items()},
            hedge_ratio: {name: pair.hedge_ratio for name, pair in pairs.items()},
        },
        bars=frozen_mapping(bars),
    )


def pairs_trading(**parameters: Any) -> PairsTrading:
    return PairsTrading(**{"notional": 1000, **parameters})


def decide(strategy: PairsTrading, seen: Seen, *instead: Bar) -> tuple[dict[str, float], str]:
    return plain(strategy.decide(event({AB: seen}, *instead), None))


def plain(decision: Decision) -> tuple[dict[str, float], str]:
    return dict(decision.targets), decision.reason


def after(*zscores: float, **parameters: Any) -> tuple[dict[str, float], str]:
    """The decision at the last of ``zscores``, in a pair of sources A and B."""
    strategy = pairs_trading(**parameters)
    return [decide(strategy, Seen(each)) for each in zscores][-1]


@pytest.mark.parametrize(
    ("zscores", "targets", "reason"),
    [
        # flat
        ([0.0], NOTHING, "0 open"),
        ([1.99], NOTHING, "0 open"),
        ([-1.99], NOTHING, "0 open"),
        ([2.0], SHORT, f"1 open; opened {AB}"),
        ([-2.0], LONG, f"1 open; opened {AB}"),
        ([3.99], SHORT, f"1 open; opened {AB}"),
        ([-3.99], LONG, f"1 open; opened {AB}"),
        ([4.0], NOTHING, "0 open"),
        ([-4.0], NOTHING, "0 open"),
        ([4.0, 3.0], SHORT, f"1 open; opened {AB}"),
        # short
        ([2.0, 0.51], SHORT, "1 open"),
        ([2.0, 3.99], SHORT, "1 open"),
        ([2.0, 0.5], NOTHING, f"0 open; closed {AB}"),
        ([2.0, -3.0], NOTHING, f"0 open; closed {AB}"),
        ([2.0, 4.0], NOTHING, f"0 open, 1 stopped; stopped {AB}"),
        # long
        ([-2.0, -0.51], LONG, "1 open"),
        ([-2.0, -3.99], LONG, "1 open"),
        ([-2.0, -0.5], NOTHING, f"0 open; closed {AB}"),
        ([-2.0, 3.0], NOTHING, f"0 open; closed {AB}"),
        ([-2.0, -4.0], NOTHING, f"0 open, 1 stopped; stopped {AB}"),
        # stopped
        ([2.0, 4.0, 3.0], NOTHING, "0 open, 1 stopped"),
        ([2.0, 4.0, -3.0], NOTHING, "0 open, 1 stopped"),
        ([2.0, 4.0, 0.51], NOTHING, "0 open, 1 stopped"),
        ([2.0, 4.0, 0.5], NOTHING, f"0 open; released {AB}"),
        ([-2.0, -4.0, -0.5], NOTHING, f"0 open; released {AB}"),
        # and again
        ([2.0, 0.0, -2.0], LONG, f"1 open; opened {AB}"),
        ([2.0, -3.0, -3.0], LONG, f"1 open; opened {AB}"),
        ([2.0, 4.0, 0.5, 2.0], SHORT, f"1 open; opened {AB}"),
    ],
)
def test_a_pair_moves_by_one_line_of_the_table_in_a_set(
    zscores: list[float], targets: dict[str, float], reason: str
) -> None:
    assert after(*zscores) == (targets, reason)


def test_the_distances_are_parameters() -> None:
    ours = {"entry": 1.0, "exit": 0.0, "stop": 1.5}
    assert after(1.0, **ours)[0] == SHORT
    assert after(1.0, 0.01, **ours)[0] == SHORT
    assert after(1.0, 0.0, **ours)[0] == NOTHING
    assert after(1.0, 1.5, 1.0, **ours)[0] == NOTHING


def test_the_legs_are_weighed_by_the_hedge_ratio_and_sized_by_their_own_close() -> None:
    strategy = PairsTrading(notional=3000)
    targets, _ = decide(strategy, Seen(2.5, hedge_ratio=1.5, left=200.0, right=90.0))
    assert targets == {"A": -15.0, "B": 50.0}  # 3,000 of A against 4,500 of B


def test_units_stay_as_they_were_at_entry() -> None:
    strategy = pairs_trading()
    decide(strategy, Seen(2.0))
    moved = Seen(3.0, hedge_ratio=-7.0, left=1.0, right=0.0)
    assert decide(strategy, moved) == (SHORT, "1 open")
    assert decide(strategy, moved._replace(zscore=0.0))[0] == NOTHING


@pytest.mark.parametrize(
    "seen",
    [
        Seen(2.0, hedge_ratio=0.0),
        Seen(2.0, hedge_ratio=-0.5),
        Seen(2.0, hedge_ratio=math.nan),
        Seen(2.0, hedge_ratio=math.inf),
        Seen(2.0, left=0.0),
        Seen(2.0, left=-1.0),
        Seen(2.0, right=0.0),
        Seen(2.0, right=5e-324),
    ],
)
def test_a_pair_is_not_opened_where_it_has_no_two_legs_against_each_other(seen: Seen) -> None:
    strategy = pairs_trading()
    assert decide(strategy, seen) == (NOTHING, "0 open, 1 unhedged")
    assert decide(strategy, Seen(2.0))[0] == SHORT


@pytest.mark.parametrize("provenance", ["carried", "filled", "interpolated", "missing"])
@pytest.mark.parametrize("source", ["A_1m", "B_1m"])
def test_a_pair_is_left_as_it_is_while_a_bar_is_not_fresh(
    source: str, provenance: Provenance
) -> None:
    strategy, stale = pairs_trading(), cell(source, 100.0, provenance)
    assert decide(strategy, Seen(2.0), stale) == ({}, "0 open, 1 not fresh")
    decide(strategy, Seen(2.0))
    for zscore in (0.0, 9.0):
        assert decide(strategy, Seen(zscore), stale) == (SHORT, "1 open, 1 not fresh")
    assert decide(strategy, Seen(0.0))[0] == NOTHING


def test_a_pair_is_left_as_it_is_while_a_source_is_not_in_the_set() -> None:
    strategy, features = pairs_trading(), event({AB: Seen(0.0)})
    decide(strategy, Seen(2.0))
    half = msgspec.structs.replace(features, bars={SourceId("A_1m"): cell("A_1m", 1.0)})
    assert plain(strategy.decide(half, None)) == (SHORT, "1 open, 1 not fresh")


def test_a_pair_is_left_as_it_is_while_its_zscore_is_unknown() -> None:
    strategy = pairs_trading()
    assert decide(strategy, Seen(math.nan)) == ({}, "0 open, 1 warming up")
    decide(strategy, Seen(-2.0))
    assert decide(strategy, Seen(math.nan)) == (LONG, "1 open, 1 warming up")
    assert decide(strategy, Seen(-0.5))[0] == NOTHING


def test_a_symbol_has_the_sum_over_its_pairs() -> None:
    strategy = pairs_trading()
    first = {AB: Seen(2.0), "A_1m|C_1m": Seen(2.0), "B_1m|C_1m": Seen(-2.0, left=50.0, right=50.0)}
    targets, reason = plain(strategy.decide(event(first), None))
    assert targets == {"A": -20.0, "B": 30.0, "C": 0.0}
    assert reason == f"3 open; opened {AB}, opened A_1m|C_1m, opened B_1m|C_1m"
    second = {**first, AB: Seen(0.0), "B_1m|C_1m": Seen(-4.0, left=50.0, right=50.0)}
    targets, reason = plain(strategy.decide(event(second), None))
    assert targets == {"A": -10.0, "B": 0.0, "C": 10.0}
    assert reason == f"1 open, 1 stopped; closed {AB}, stopped B_1m|C_1m"


def test_a_symbol_is_left_out_until_one_of_its_pairs_could_be_judged() -> None:
    seen = {AB: Seen(0.0), "C_1m|D_1m": Seen(math.nan)}
    targets, reason = plain(pairs_trading().decide(event(seen), None))
    assert (targets, reason) == (NOTHING, "0 open, 1 warming up")


def test_targets_stand_in_the_order_of_symbols_whatever_was_known_first() -> None:
    strategy = pairs_trading()
    strategy.decide(event({"B_1m|C_1m": Seen(2.0), "A_1m|D_1m": Seen(math.nan)}), None)
    seen = {"B_1m|C_1m": Seen(2.0), "A_1m|D_1m": Seen(2.0)}
    assert list(strategy.decide(event(seen), None).targets) == ["A", "B", "C", "D"]


def test_the_reason_names_three_changes_and_counts_the_others() -> None:
    seen = {f"{letter}_1m|Z_1m": Seen(2.0) for letter in "EDCBA"}
    _, reason = plain(pairs_trading().decide(event(seen), None))
    assert reason == ("5 open; opened A_1m|Z_1m, opened B_1m|Z_1m, opened C_1m|Z_1m and 2 more")


def test_two_sources_of_one_symbol_are_no_pair() -> None:
    seen = {AB: Seen(2.0), "A_1m|A_5m": Seen(2.0)}
    assert plain(pairs_trading().decide(event(seen), None)) == (
        SHORT,
        f"1 open; opened {AB}",
    )


def test_a_name_that_could_be_cut_in_two_places_is_not_worked_on_unless_named() -> None:
    features = event({AB: Seen(2.0)})
    name = "A_1m|B|C_1m"
    tables = {key: {name: table.get(AB, 0.0)} for key, table in features.features.items()}
    odd = msgspec.structs.replace(
        features, features=tables, bars={**features.bars, SourceId("B|C_1m"): cell("B|C_1m", 50.0)}
    )
    assert plain(pairs_trading().decide(odd, None)) == ({}, "no pairs to work on")
    named = pairs_trading(pairs=[["B|C_1m", "A_1m"]]).decide(odd, None)
    assert dict(named.targets) == {"A": -10.0, "B|C": 10.0}


def test_without_a_spread_there_is_nothing_to_do() -> None:
    features = msgspec.structs.replace(event({AB: Seen(2.0)}), features={})
    assert plain(pairs_trading().decide(features, None)) == ({}, "no pairs to work on")
    named = pairs_trading(pairs=[["A_1m", "B_1m"]]).decide(features, None)
    assert plain(named) == ({}, "0 open, 1 warming up")


def test_pairs_that_appear_later_are_taken_up_and_ones_that_vanish_keep_their_legs() -> None:
    strategy = pairs_trading()
    decide(strategy, Seen(2.0))
    targets, reason = plain(strategy.decide(event({"A_1m|C_1m": Seen(-2.0)}), None))
    assert targets == {"A": 0.0, "B": 10.0, "C": -10.0}
    assert reason == "2 open; opened A_1m|C_1m"


def test_it_works_on_the_pairs_it_is_told_of_in_whatever_order_they_are_written() -> None:
    seen = {AB: Seen(2.0), "A_1m|C_1m": Seen(2.0)}
    for pair in (["A_1m", "B_1m"], ["B_1m", "A_1m"], ("B_1m", "A_1m")):
        decision = pairs_trading(pairs=[pair]).decide(event(seen), None)
        assert plain(decision) == (SHORT, f"1 open; opened {AB}")


@pytest.mark.parametrize("label", ["spread", "wide"])
def test_it_finds_the_spread_under_the_label_it_is_told(label: str) -> None:
    features = event({AB: Seen(2.0)}, label=label)
    assert dict(pairs_trading(spread=label).decide(features, None).targets) == SHORT
    assert pairs_trading(spread="other").decide(features, None).reason == "no pairs to work on"


zscores = st.floats(-6, 6) | st.just(math.nan) | st.sampled_from([0.5, -0.5, 2.0, -2.0, 4.0, -4.0])
seen_pairs = st.builds(Seen, zscores, st.floats(-1, 3), st.floats(1, 500), st.floats(1, 500))
events_of_three = st.lists(
    st.fixed_dictionaries(dict.fromkeys((AB, "A_1m|C_1m", "B_1m|C_1m"), seen_pairs)), max_size=15
)


@given(events_of_three)
def test_the_same_events_give_the_same_decisions_in_whatever_order_they_are_written(
    events: list[dict[str, Seen]],
) -> None:
    one, other = pairs_trading(), pairs_trading()
    for each in events:
        decision = one.decide(event(each), None)
        backwards = event(dict(reversed(each.items())), *cells(each))
        again = other.decide(backwards, None)
        assert list(decision.targets.items()) == list(again.targets.items())
        assert decision.reason == again.reason


@given(events_of_three)
def test_pairs_side_by_side_decide_as_each_would_alone(events: list[dict[str, Seen]]) -> None:
    names = (AB, "A_1m|C_1m", "B_1m|C_1m")
    together = pairs_trading()
    alone = [pairs_trading(pairs=[name.split("|")]) for name in names]
    for each in events:
        features = event(each)
        sums: defaultdict[str, float] = defaultdict(float)
        for strategy in alone:
            for symbol, units in strategy.decide(features, None).targets.items():
                sums[symbol] += units
        assert dict(together.decide(features, None).targets) == pytest.approx(dict(sums))


def test_nobody_can_alter_a_decision() -> None:
    targets = pairs_trading().decide(event({AB: Seen(2.0)}), None).targets
    with pytest.raises(TypeError, match="does not support item assignment"):
        targets["A"] = 0.0  # type: ignore[index]  # the point


def a_set(index: int, *bars: Bar) -> SynchronizedBars:
    return SynchronizedBars(
        timestamp=WallMs(NOON + index * MINUTE),
        status="complete",
        bars={each.source: each for each in bars},
        sources_present=tuple(sorted(each.source for each in bars)),
        sources_missing=(),
        wait_ms=0.0,
        loop_lag_ms=0.0,
    )


def decisions_on(closes: Sequence[tuple[float, float]], strategy: PairsTrading) -> list[Decision]:
    engine = FeatureEngine([SourceId("A_1m"), SourceId("B_1m")], parse_indicators(["spread"]))
    sets = [a_set(index, cell("A_1m", a), cell("B_1m", b)) for index, (a, b) in enumerate(closes)]
    return [strategy.decide(engine.update(each), None) for each in sets]


def test_a_divergence_of_real_prices_is_sold_and_its_return_bought_back_at_a_profit() -> None:
    swing = [10.0, 11.0, 12.0, 11.0]
    gap = [*[0.01, -0.01, -0.01, 0.01] * 6, 0.01, 0.03, -0.01, 0.01]
    closes = [
        (math.exp(each) * swing[index % 4], swing[index % 4]) for index, each in enumerate(gap)
    ]
    decisions = decisions_on(closes, PairsTrading(notional=1000))
    changes = [(index, each.reason) for index, each in enumerate(decisions) if ";" in each.reason]
    assert changes == [
        (25, f"1 open; opened {AB}"),
        (26, f"0 open; closed {AB}"),
    ]
    held = decisions[25].targets
    gained = [new - old for old, new in zip(closes[25], closes[26], strict=True)]
    assert held["A"] < 0 < held["B"]
    assert held["A"] * gained[0] + held["B"] * gained[1] > 0


def test_it_goes_by_its_label() -> None:
    assert STRATEGIES["pairs_trading"] is PairsTrading
    assert (PairsTrading().name, PairsTrading(label="slow").name) == ("pairs_trading", "slow")


DISTANCES = "expected 0 <= exit < entry < stop"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"notional": 0}, "notional = 0: expected a number above 0"),
        ({"notional": "1000"}, "notional = '1000': expected a number above 0"),
        ({"exit": -0.1}, "exit = -0.1, entry = 2.0, stop = 4.0: " + DISTANCES),
        ({"exit": 2.0}, DISTANCES),
        ({"stop": 2.0}, DISTANCES),
        ({"stop": math.inf}, DISTANCES),
        ({"entry": math.nan}, DISTANCES),
        ({"entry": "2"}, "entry = '2', stop = 4.0: " + DISTANCES),
        ({"entry": True}, DISTANCES),
        ({"spread": ""}, "spread = '': expected a name"),
        ({"label": None}, "label = None: expected a name"),
        ({"pairs": []}, "pairs = []: expected at least one"),
        ({"pairs": "A_1m|B_1m"}, "pairs = 'A_1m|B_1m': expected at least one, as [["),
        ({"pairs": 5}, "pairs = 5: expected at least one"),
        ({"pairs": [AB]}, f"pairs = '{AB}': expected a list of names"),
        ({"pairs": [["A_1m", 5]]}, "pairs = ['A_1m', 5]: expected a list of names"),
        ({"pairs": [["A_1m"]]}, "pairs = ['A_1m']: expected two sources of different symbols"),
        ({"pairs": [["A_1m", "B_1m", "C_1m"]]}, "expected two sources of different symbols"),
        ({"pairs": [["A_1m", "A_1m"]]}, "expected two sources of different symbols"),
        ({"pairs": [["A_1m", "A_5m"]]}, "expected two sources of different symbols"),
        ({"pairs": [["A_1m", "B_7m"]]}, "'B_7m' has the unknown timeframe '7m'"),
        ({"pairs": [["A_1m", "B_1m"], ["B_1m", "A_1m"]]}, "expected each pair once"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(
    parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        PairsTrading(**parameters)
    assert message in str(error.value)
