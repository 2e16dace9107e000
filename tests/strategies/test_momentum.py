"""Momentum: the table of wants, and what a position does between them."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from barsync_async.messages import Bar, Features, Provenance, frozen_mapping
from barsync_async.strategies import STRATEGIES, Momentum
from barsync_async.testing import create_bar
from barsync_async.units import WallMs

NOON = 1_800_000_000_000
Row = tuple[float, float, float]

UP: Row = (110.0, 100.0, 60.0)
DOWN: Row = (80.0, 100.0, 40.0)
STILL: Row = (100.0, 100.0, 50.0)


def cell(source: str, close: float, provenance: Provenance = "fresh") -> Bar:
    return msgspec.structs.replace(create_bar(source, NOON, close), provenance=provenance)


def event(rows: Mapping[str, Row], *instead: Bar) -> Features:
    """By source: close, sma and rsi; ``instead`` are cells in place of the fresh ones."""
    bars = {each.source: each for each in [cell(name, row[0]) for name, row in rows.items()]}
    bars.update({each.source: each for each in instead})
    return Features(
        timestamp=WallMs(NOON),
        features={
            **{name: {"sma": sma, "rsi": rsi} for name, (_, sma, rsi) in rows.items()},
            "correlation": {"A_1m|B_1m": 0.5},
        },
        bars=frozen_mapping(bars),
    )


def decide(strategy: Momentum, rows: Mapping[str, Row], *instead: Bar) -> tuple[Any, str]:
    decision = strategy.decide(event(rows, *instead), None)
    return dict(decision.targets), decision.reason


@pytest.mark.parametrize(
    ("close", "rsi", "units", "word"),
    [
        (110.0, 60.0, 1000 / 110, "long"),
        (110.0, 50.0, 1000 / 110, "long"),
        (110.0, 80.0, 1000 / 110, "long"),
        (110.0, 49.9, 0.0, "flat"),
        (110.0, 80.1, 0.0, "flat"),
        (80.0, 40.0, -12.5, "short"),
        (80.0, 50.0, -12.5, "short"),
        (80.0, 20.0, -12.5, "short"),
        (80.0, 50.1, 0.0, "flat"),
        (80.0, 19.9, 0.0, "flat"),
        (100.0, 50.0, 0.0, "flat"),
    ],
)
def test_trend_and_strength_decide(close: float, rsi: float, units: float, word: str) -> None:
    targets, reason = decide(Momentum(notional=1000), {"SPY_1m": (close, 100.0, rsi)})
    assert (targets, reason) == ({"SPY": pytest.approx(units)}, f"1 {word}")


def test_the_bands_are_parameters() -> None:
    strategy = Momentum(long_above=60, short_below=30, overbought=70, oversold=10)
    wants = [(110.0, 59.0), (110.0, 60.0), (110.0, 71.0), (80.0, 31.0), (80.0, 30.0), (80.0, 9.0)]
    reasons = [decide(strategy, {"SPY_1m": (close, 100.0, rsi)})[1] for close, rsi in wants]
    assert reasons == ["1 flat", "1 long", "1 flat", "1 flat", "1 short", "1 flat"]


def test_it_stays_flat_in_a_fall_where_it_may_not_go_short() -> None:
    assert decide(Momentum(allow_short=False), {"SPY_1m": DOWN}) == ({"SPY": 0.0}, "1 flat")


def test_a_position_keeps_its_units_until_its_direction_changes() -> None:
    strategy = Momentum(notional=1000)
    rows = [(100.0, 90.0, 60.0), (125.0, 95.0, 70.0), STILL, (125.0, 95.0, 60.0), DOWN, DOWN]
    units = [decide(strategy, {"SPY_1m": row})[0]["SPY"] for row in rows]
    assert units == [10.0, 10.0, 0.0, 8.0, -12.5, -12.5]


@pytest.mark.parametrize("provenance", ["carried", "filled", "interpolated", "missing"])
def test_a_source_whose_bar_is_not_fresh_is_left_as_it_is(provenance: Provenance) -> None:
    strategy = Momentum(notional=1000)
    decide(strategy, {"SPY_1m": (100.0, 90.0, 60.0)})
    stale = cell("SPY_1m", 80.0, provenance)
    assert decide(strategy, {"SPY_1m": DOWN}, stale) == ({}, "1 not fresh")
    assert decide(strategy, {"SPY_1m": (125.0, 95.0, 60.0)})[0] == {"SPY": 10.0}


@pytest.mark.parametrize("row", [(110.0, math.nan, 60.0), (110.0, 100.0, math.nan)])
def test_a_source_whose_features_are_not_warm_is_left_out(row: Row) -> None:
    assert decide(Momentum(), {"SPY_1m": row}) == ({}, "warming up")
    targets, reason = decide(Momentum(notional=1100), {"SPY_1m": row, "QQQ_1m": UP})
    assert (targets, reason) == ({"QQQ": 10.0}, "1 long, 1 warming up")


@pytest.mark.parametrize("close", [0.0, -5.0])
def test_no_position_is_taken_at_a_close_that_is_no_price(close: float) -> None:
    strategy = Momentum(notional=1100)
    assert decide(strategy, {"CL_1m": (close, 100.0, 40.0)}) == ({}, "1 unpriced")
    assert decide(strategy, {"CL_1m": UP})[0] == {"CL": 10.0}
    assert decide(strategy, {"CL_1m": (close, close - 1, 60.0)})[0] == {"CL": 10.0}
    assert decide(strategy, {"CL_1m": (close, close, 50.0)}) == ({"CL": 0.0}, "1 flat")


def test_by_default_it_works_on_the_shortest_timeframe_in_the_event() -> None:
    rows = {"SPY_5m": DOWN, "SPY_1m": UP, "QQQ_1m": UP, "DIA_15m": DOWN}
    targets, reason = decide(Momentum(notional=1100), rows)
    assert (targets, reason) == ({"SPY": 10.0, "QQQ": 10.0}, "2 long")


def test_sources_that_appear_later_are_taken_up() -> None:
    strategy = Momentum(notional=1100)
    assert decide(strategy, {"SPY_1m": UP})[0] == {"SPY": 10.0}
    assert decide(strategy, {"SPY_1m": UP, "QQQ_1m": UP})[0] == {"SPY": 10.0, "QQQ": 10.0}


def test_it_works_on_the_sources_it_is_told_of_and_on_no_other() -> None:
    strategy = Momentum(notional=1100, sources=["SPY_5m", "TLT_1m"])
    targets, reason = decide(strategy, {"SPY_5m": UP, "SPY_1m": DOWN})
    assert (targets, reason) == ({"SPY": 10.0}, "1 long, 1 not fresh")


def test_it_finds_the_features_under_the_labels_it_is_told() -> None:
    features = msgspec.structs.replace(
        event({"SPY_1m": UP}), features={"SPY_1m": {"sma_50": 100.0, "rsi_7": 60.0}}
    )
    told = Momentum(notional=1100, sma="sma_50", rsi="rsi_7").decide(features, None)
    assert dict(told.targets) == {"SPY": 10.0}
    assert Momentum().decide(features, None).reason == "no features to work on"


def test_the_reason_counts_every_want() -> None:
    rows = {"A_1m": UP, "B_1m": UP, "C_1m": DOWN, "D_1m": STILL, "E_1m": UP}
    _, reason = decide(Momentum(), rows, cell("E_1m", 1.0, "filled"))
    assert reason == "2 long, 1 short, 1 flat, 1 not fresh"


def test_the_same_events_give_the_same_decisions_in_whatever_order_a_set_is_written() -> None:
    rows = {"A_1m": UP, "B_1m": DOWN, "C_1m": STILL}
    backwards = dict(reversed(rows.items()))
    one, other = Momentum(), Momentum()
    assert [decide(one, rows) for _ in range(3)] == [decide(other, backwards) for _ in range(3)]


def test_nobody_can_alter_a_decision() -> None:
    targets = Momentum().decide(event({"SPY_1m": UP}), None).targets
    with pytest.raises(TypeError, match="does not support item assignment"):
        targets["SPY"] = 0.0  # type: ignore[index]  # the point


def test_it_goes_by_its_label() -> None:
    assert STRATEGIES["momentum"] is Momentum
    assert (Momentum().name, Momentum(label="slow").name) == ("momentum", "slow")


BANDS = "expected 0 <= oversold < short_below <= long_above < overbought <= 100"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"notional": 0}, "notional = 0: expected a number above 0"),
        ({"notional": math.nan}, "notional = nan: expected a number above 0"),
        ({"notional": math.inf}, "notional = inf: expected a number above 0"),
        ({"notional": "1000"}, "notional = '1000': expected a number above 0"),
        ({"notional": True}, "notional = True: expected a number above 0"),
        ({"allow_short": 1}, "allow_short = 1: expected true or false"),
        ({"label": ""}, "label = '': expected a name"),
        ({"sma": None}, "sma = None: expected a name"),
        ({"rsi": 14}, "rsi = 14: expected a name"),
        ({"oversold": -1}, "oversold = -1, short_below = 50.0, long_above = 50.0, "),
        ({"oversold": 50}, BANDS),
        ({"long_above": 49}, BANDS),
        ({"long_above": 80}, BANDS),
        ({"overbought": 100.5}, BANDS),
        ({"overbought": "80"}, "overbought = '80': " + BANDS),
        ({"oversold": math.nan}, BANDS),
        ({"sources": []}, "sources = []: expected at least one, and each symbol once"),
        ({"sources": ["SPY_1m", "SPY_5m"]}, "expected at least one, and each symbol once"),
        ({"sources": "SPY_1m"}, "sources = 'SPY_1m': expected a list of names"),
        ({"sources": [5]}, "sources = [5]: expected a list of names"),
        ({"sources": ["SPY_7m"]}, "'SPY_7m' has the unknown timeframe '7m'"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(
    parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        Momentum(**parameters)
    assert message in str(error.value)
