"""Wrong credentials: one clear line, no second try, and the secret nowhere."""

from pathlib import Path

import pytest
from tests.end_to_end.running import barsync, toml

SCENARIO = """
[venue]
protocol = "{venue}"
listen = "127.0.0.1:0"
[sources.SPY_1m]
"""
PATHS = {"alpaca": "/v2/iex", "polygon": "/stocks"}
WRONG = "hush-hush-hush"


@pytest.mark.parametrize("venue", sorted(PATHS))
async def test_one_who_is_not_known_to_the_venue_is_told_once_and_leaves(
    venue: str, tmp_path: Path
) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO.format(venue=venue), "utf-8")
    synchronizer = {"type": "BarSynchronizer", "config": {"expected_sources": ["SPY_1m"]}}
    secret = {"BARSYNC_FEEDS__X__KEY": WRONG, "BARSYNC_FEEDS__X__SECRET": WRONG}
    async with barsync("simulate", scenario, cwd=tmp_path) as server:
        feed = {
            "venue": venue,
            "url": await server.address() + PATHS[venue],
            "sources": ["SPY_1m"],
        }
        config = tmp_path / "config.toml"
        document = {
            "service": {"log_format": "json"},
            "feeds": {"x": feed},
            "containers": {"c": {"components": {"synchronizer": synchronizer}}},
            "outputs": {"events": {"type": "jsonl", "path": "-"}},
        }
        config.write_text(toml(document), "utf-8")
        async with barsync("run", config, cwd=tmp_path, env=secret) as daemon:
            assert await daemon.ended() == 1
    said = daemon.err.text
    assert said[-1].startswith("barsync: feed x: ")
    assert len([line for line in daemon.err.json() if line["event"] == "connected"]) == 1
    assert len([line for line in daemon.err.json() if line["event"] == "given up"]) == 1
    assert not any(WRONG in text for text in [*said, *daemon.out.text])


async def test_missing_credentials_are_a_mistake_of_the_config(tmp_path: Path) -> None:
    synchronizer = {"type": "BarSynchronizer", "config": {"expected_sources": ["SPY_1m"]}}
    document = {
        "feeds": {"x": {"venue": "alpaca", "sources": ["SPY_1m"]}},
        "containers": {"c": {"components": {"synchronizer": synchronizer}}},
    }
    config = tmp_path / "config.toml"
    config.write_text(toml(document), "utf-8")
    async with barsync("check", config, cwd=tmp_path) as check:
        assert await check.ended() == 2
    assert "key_file" in "".join(check.err.text)
