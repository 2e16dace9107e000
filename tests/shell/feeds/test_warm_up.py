"""The whole daemon's first moments: past bars of several feeds, set by set, before live ones."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.shell.feeds.test_all_feeds import HOUR_S, config, market
from tests.shell.test_daemon import Line, Run, of, read

from barsync_async.errors import ConnectionRefused
from barsync_async.units import WallMs
from barsync_async.venues.history.exchange import HistoryRequest, HistoryResponse

MINUTE = 60_000
SOURCES = ("BTC/USD_1m", "ETH/USD_1m")


def apart(path: Path, bars: int, **synchronizer: Any) -> dict[str, Any]:
    """Each source has a feed of its own."""
    document = config("kraken", path, [*SOURCES], backfill=bars)
    feed = document["feeds"].pop("x")
    for name, source in zip("ba", SOURCES, strict=True):
        document["feeds"][name] = feed | {"sources": [source]}
    document["containers"]["c"]["components"]["s"]["config"] |= synchronizer
    return document


async def an_hour_old(run: Run) -> None:
    """The venue has a past."""
    before = asyncio.create_task(run.venue.run())
    await asyncio.sleep(HOUR_S)
    before.cancel()
    await asyncio.wait([before])


def backfilled(lines: list[Line]) -> list[Line]:
    sets = of(lines, "SYNCHRONIZED_BARS")
    return [line for line in sets if all(bar.get("backfilled") for bar in line["bars"].values())]


@pytest.mark.parametrize("max_open", [64, 4, 1])
async def test_past_sets_of_several_feeds_are_whole_and_none_is_crowded_out(
    max_open: int, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    run = Run(apart(path, 50, max_open=max_open), market("kraken", ("1m",)), history="the venue's")
    await an_hour_old(run)
    await run.go(30)
    sets = backfilled(read(path))
    assert [line["status"] for line in sets] == ["complete"] * len(sets)
    timestamps = [line["timestamp"] for line in sets]
    assert len(timestamps) >= 50
    assert timestamps == [*range(timestamps[0], timestamps[0] + len(sets) * MINUTE, MINUTE)]
    assert run.statistics().crowded == 0
    assert run.statistics().late == 0
    assert run.intake.under_way == 0


async def test_a_tiny_inbox_holds_past_bars_up_and_loses_none(tmp_path: Path) -> None:
    path = tmp_path / "x"
    run = Run(apart(path, 50, inbox=1), market("kraken", ("1m",)), history="the venue's")
    await an_hour_old(run)
    await run.go(30)
    assert len(backfilled(read(path))) >= 50
    assert run.intake.under_way == 0


class Failing:
    """A history that answers so much and then does as told; the role of HttpClient."""

    def __init__(self, fault: str, run: Run) -> None:
        self._fault = fault
        self._run = run

    async def get(self, feed: str, request: HistoryRequest) -> HistoryResponse:
        if feed == "a":
            return await self._run.venue.get(feed, request)
        match self._fault:
            case "refuses":
                return HistoryResponse(403, {}, b"nobody may")
            case "is away":
                raise ConnectionRefused(feed, "away")
            case "hangs":
                await asyncio.sleep(HOUR_S)
        return HistoryResponse(200, {}, b"\xff" * 100)

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("fault", ["refuses", "is away", "hangs", "talks nonsense"])
async def test_a_history_that_fails_takes_no_more_than_a_minute_and_keeps_no_other_back(
    fault: str, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    run = Run(apart(path, 5), market("kraken", ("1m",)), history=None)
    run = Run(apart(path, 5), market("kraken", ("1m",)), history=Failing(fault, run))
    failing = run.daemon._http
    assert isinstance(failing, Failing)
    failing._run = run
    await an_hour_old(run)
    began = WallMs(run.daemon._feeds._clock.now().wall)
    with capture_logs() as logs:
        await run.go(400)
    connected = [line["feed"] for line in logs if line["event"] == "connected"]
    assert sorted(connected)[:2] == ["a", "b"]
    lines = read(path)
    past = [line for line in of(lines, "SYNCHRONIZED_BARS") if line["timestamp"] <= began]
    assert sum("ETH/USD_1m" in line["bars"] for line in past) >= 5
    live = [line for line in of(lines, "SYNCHRONIZED_BARS") if line["timestamp"] > began + 120_000]
    assert {line["status"] for line in live} == {"complete"}
    assert len(live) >= 3
    assert run.intake.under_way == 0


@pytest.mark.parametrize("seconds", [0, 0.5, 1, 1.5, 2.5, 30])
async def test_stopped_at_any_moment_of_it_it_ends_at_once(seconds: float, tmp_path: Path) -> None:
    path = tmp_path / "x"
    document = apart(path, 50)
    for pair in ("SOL/USD", "XRP/USD", "ADA/USD"):
        document["feeds"]["a"]["sources"] = [*document["feeds"]["a"]["sources"], f"{pair}_1m"]
        expected = document["containers"]["c"]["components"]["s"]["config"]["expected_sources"]
        expected.append(f"{pair}_1m")
    scenario = market("kraken", ("1m",))
    scenario["sources"] |= {source: {} for source in document["feeds"]["a"]["sources"]}
    run = Run(document, scenario, history="the venue's")
    await an_hour_old(run)
    began = asyncio.get_running_loop().time()
    await run.go(seconds)
    assert asyncio.get_running_loop().time() - began == pytest.approx(seconds, abs=0.1)
    assert run.intake.under_way == 0
