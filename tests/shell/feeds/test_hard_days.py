"""The whole daemon on hard days of venues that never say that a bar is final, in true time: no
running state is in a set, no bar is in two, and all that came is counted.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.shell.feeds.test_all_feeds import PAIRS, config, market, sold, told, values
from tests.shell.test_daemon import WALL, Run, assert_account, of, read

from barsync_async.shell.clock import VirtualClock

TIMEFRAME = {"kraken": "1m", "coinbase": "5m"}
LENGTH_S = {"1m": 60, "5m": 300}


async def lived(
    document: dict[str, Any], scenario: dict[str, Any], seconds: float, *steps_ms: int
) -> Run:
    """Somebody sets the wall clock so often, evenly."""
    clock = VirtualClock(WALL)
    run = Run(document, scenario, clock=clock, history="the venue's")
    for place, step_ms in enumerate(steps_ms, 1):
        at = seconds * place / (len(steps_ms) + 1)
        asyncio.get_running_loop().call_later(at, clock.step, step_ms)
    await run.go(seconds)
    assert run.intake.under_way == 0
    return run


def checked(run: Run, path: Path, sources: list[str]) -> float:
    """Sees that all is in order; gives the share of the venue's bars that are in a set."""
    lines, totals = read(path), run.statistics()
    assert_account(totals)
    timestamps = [line["timestamp"] for line in of(lines, "SYNCHRONIZED_BARS")]
    assert timestamps == sorted(set(timestamps))
    cells = told(lines)
    there = known = 0
    for source in sources:
        for bar in sold(run, source)[1:-1]:
            came = cells.get((source, bar.timestamp), [])
            assert set(came) <= {values(bar)}, bar
            there, known = there + bool(came), known + 1
    return there / known


HARD: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # name: of the feed, of the venue's faults
    "cut all the time": ({}, {"disconnect_every_s": 100, "abrupt": 0.5}),
    "replaced all the time": ({"rollover_s": 47.0}, {}),
    "both": ({"rollover_s": 47.0}, {"disconnect_every_s": 70, "abrupt": 0.5}),
    "without a history": ({"backfill": 0}, {"disconnect_every_s": 100, "abrupt": 0.5}),
}


@pytest.mark.parametrize("protocol", TIMEFRAME)
@pytest.mark.parametrize("name", HARD)
async def test_however_often_the_connection_is_another_one(
    protocol: str, name: str, tmp_path: Path
) -> None:
    feed, faults = HARD[name]
    timeframe = TIMEFRAME[protocol]
    sources = [f"{pair}_{timeframe}" for pair in PAIRS]
    path = tmp_path / "x"
    run = await lived(
        config(protocol, path, sources, **feed),
        market(protocol, (timeframe,), **faults),
        30 * LENGTH_S[timeframe],
    )
    assert checked(run, path, sources) == 1.0


@pytest.mark.parametrize("protocol", TIMEFRAME)
async def test_a_tiny_inbox_loses_nothing(protocol: str, tmp_path: Path) -> None:
    timeframe = TIMEFRAME[protocol]
    sources = [f"{pair}_{timeframe}" for pair in PAIRS]
    path = tmp_path / "x"
    document = config(protocol, path, sources)
    document["containers"]["c"]["components"]["s"]["config"]["inbox"] = 1
    scenario = market(protocol, (timeframe,), disconnect_every_s=100, abrupt=0.5)
    run = await lived(document, scenario, 30 * LENGTH_S[timeframe])
    assert checked(run, path, sources) == 1.0


@pytest.mark.parametrize("protocol", TIMEFRAME)
async def test_two_feeds_of_one_venue_agree_on_every_bar(protocol: str, tmp_path: Path) -> None:
    timeframe = TIMEFRAME[protocol]
    sources = [f"{pair}_{timeframe}" for pair in PAIRS]
    path = tmp_path / "x"
    document = config(protocol, path, sources)
    document["feeds"]["y"] = document["feeds"]["x"] | {"rollover_s": 130.0}
    scenario = market(protocol, (timeframe,), disconnect_every_s=150, abrupt=0.5)
    run = await lived(document, scenario, 30 * LENGTH_S[timeframe])
    assert checked(run, path, sources) == 1.0
    assert run.statistics().rejected == 0
    assert run.statistics().duplicate > 30


async def test_derived_bars_agree_with_the_venues_own_over_a_cut_connection(tmp_path: Path) -> None:
    """Both carry them: the venue's own by one feed, ours by the other."""
    sources = [f"{pair}_1m" for pair in PAIRS]
    longer = [f"{pair}_5m" for pair in PAIRS]
    path = tmp_path / "x"
    derived = {each: each.replace("5m", "1m") for each in longer}
    document = config("kraken", path, sources, derived=derived)
    own = {name: each for name, each in document["feeds"]["x"].items() if name != "derived"}
    document["feeds"]["y"] = own | {"sources": longer}
    scenario = market("kraken", ("1m", "5m"), disconnect_every_s=200, abrupt=0.5)
    run = await lived(document, scenario, 3_600)
    assert checked(run, path, [*sources, *longer]) == 1.0
    assert run.statistics().rejected == 0


@pytest.mark.parametrize(
    "steps_ms",
    [
        (-1_500,) * 5,
        (1_500,) * 5,
        (-90_000, 90_000),
        (-240_000, 240_000),
        (-70_000, -80_000, 150_000),
        (-3_000,),
    ],
)
async def test_a_wall_clock_that_is_set_makes_no_running_bar_final_and_no_derived_one_up(
    steps_ms: tuple[int, ...], tmp_path: Path
) -> None:
    """Fast by less than the grace; slow by any amount."""
    sources = [f"{pair}_1m" for pair in PAIRS]
    longer = {f"{pair}_5m": f"{pair}_1m" for pair in PAIRS}
    path = tmp_path / "x"
    document = config("kraken", path, sources, derived=longer, grace_ms=10_000)
    run = await lived(document, market("kraken", ("1m", "5m")), 3_600, *steps_ms)
    assert checked(run, path, [*sources, *longer]) > 0.4
