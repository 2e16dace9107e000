"""Live over a websocket, after a restart with past bars, and from files: the same features.

On virtual time; the websocket and its REST history are a simulated Kraken in memory.
"""

import asyncio
import csv
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.end_to_end.running import toml
from tests.shell.feeds.test_all_feeds import HOUR_S, config, market
from tests.shell.feeds.test_warm_up import an_hour_old
from tests.shell.test_daemon import Line, Run, of, read

from barsync_async.app.cli import main
from barsync_async.features import INDICATORS
from barsync_async.shell.virtual_time import VirtualTimeLoop

SOURCES = ["BTC/USD_1m", "ETH/USD_1m"]
FEATURES = {"type": "MultiSymbolFeatureCalculator", "config": {"indicators": [*INDICATORS]}}
FIELDS = ("timestamp", "open", "high", "low", "close", "volume")

Said = Mapping[int, Any]
"""By timestamp, the last features told of it."""


def document(path: Path, **feed: Any) -> dict[str, Any]:
    made = config("kraken", path, SOURCES, **feed)
    made["containers"]["c"]["components"]["features"] = FEATURES
    return made


def lived(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(work)


async def uninterrupted(path: Path) -> None:
    """From the venue's first bar on."""
    run = Run(document(path, backfill=0), market("kraken", ("1m",)), history="the venue's")
    await run.go(1.5 * HOUR_S)


async def restarted(path: Path) -> None:
    """From an hour later on, with the bars of that hour and more asked for."""
    run = Run(document(path, backfill=100), market("kraken", ("1m",)), history="the venue's")
    await an_hour_old(run)
    await run.go(0.5 * HOUR_S)


def said(lines: list[Line]) -> Said:
    return {line["timestamp"]: line["features"] for line in of(lines, "FEATURES")}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    path = tmp_path_factory.mktemp("live") / "events.jsonl"
    lived(uninterrupted(path))
    return read(path)


def test_there_is_something_to_compare(live: list[Line]) -> None:
    last = [*said(live).values()][-1]
    assert len(said(live)) > 80
    assert {*last[SOURCES[0]]} > {"sma", "macd_hist", "session_vwap"}
    assert all(value is not None for value in last[SOURCES[1]].values())
    assert last["beta"]["BTC/USD_1m|ETH/USD_1m"] is not None


def test_after_a_restart_that_asks_for_past_bars_the_features_go_on_as_they_were(
    live: list[Line], tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    lived(restarted(path))
    before, after = said(live), said(read(path))
    common = sorted(before.keys() & after.keys())
    assert len(common) > 80
    assert {at: after[at] for at in common} == {at: before[at] for at in common}


def test_from_files_of_the_same_bars_the_features_are_the_same(
    live: list[Line], tmp_path: Path
) -> None:
    files = {source: written(live, source, tmp_path) for source in SOURCES}
    feed = {"venue": "file", "sources": SOURCES, "files": files}
    path = tmp_path / "events.jsonl"
    given = document(path) | {"feeds": {"past": feed}}
    (tmp_path / "config.toml").write_text(toml(given), encoding="utf-8")
    ran = CliRunner().invoke(main, ["run", str(tmp_path / "config.toml")])
    assert ran.exit_code == 0, ran.output
    assert said(read(path)) == said(live)


def written(live: list[Line], source: str, folder: Path) -> dict[str, Any]:
    """A file of the bars that came live; its table in a config."""
    path = folder / f"{source[:3]}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time", *FIELDS[1:]])
        for line in of(live, "SYNCHRONIZED_BARS"):
            if source in line["bars"]:
                rows.writerow([line["bars"][source][field] for field in FIELDS])
    return {"path": str(path), "label": "close", "time_unit": "ms"}
