"""The commands as a newcomer types them."""

import re
import signal
from pathlib import Path

from tests.end_to_end.running import barsync

FIVE_MISTAKES = """
[service]
log_fromat = "json"
[feeds.sim]
venue = "binanse"
sources = ["SPY_1m", "QQQ_7m"]
[containers.c.components.synchronizer]
type = "BarSynchronizer"
config = { expected_sources = ["SPY_1m", "IWM_1m"], timeout_ms = -5 }
[containers.c.components.features]
type = "MultiSymbolFeatureCalculator"
config = { indicators = ["smma"] }
[outputs.events]
type = "jsonl"
path = "-"
events = ["SYNCHRONISED_BARS"]
"""
PLACES = (
    "service.log_fromat = 'json': no such key",
    "feeds.sim.venue = 'binanse': expected one of",
    "feeds.sim.sources[1] = 'QQQ_7m': ",
    "containers.c.components.synchronizer.config.timeout_ms = -5: ",
    "containers.c.components.synchronizer.config.expected_sources[1] = 'IWM_1m': no feed",
    "containers.c.components.features.config.indicators[0] = 'smma': ",
    "outputs.events.events[0] = 'SYNCHRONISED_BARS': expected one of",
)


async def test_all_mistakes_of_a_config_are_named_at_once_with_code_2(tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text(FIVE_MISTAKES, encoding="utf-8")
    for command in ("check", "run"):
        async with barsync(command, config, cwd=tmp_path) as process:
            assert await process.ended() == 2
        assert process.err.text[0] == f"{config}: {len(PLACES)} mistakes\n"
        found = [line.strip() for line in process.err.text[1:]]
        for place in PLACES:
            assert any(line.startswith(place) for line in found), (place, found)


async def test_the_demo_shows_sets_with_all_that_follows_and_ctrl_c_drains_it(
    tmp_path: Path,
) -> None:
    async with barsync("demo", cwd=tmp_path) as demo:
        for wanted in ("features", "signal  momentum", "signal  pairs_trading", "folio   v2"):
            await demo.out.until_text(lambda text, wanted=wanted: wanted in text)  # type: ignore[misc]
        demo.send(signal.SIGINT)
        assert await demo.ended() == 0
    heads = [line for line in demo.out.text if re.match(r"\d\d:\d\d:\d\d (complete|partial)", line)]
    assert len(heads) >= 2
    assert all("waited" in line for line in heads)
    assert "totals" in demo.err.text[-1]
    assert (tmp_path / "var" / "demo.jsonl").stat().st_size > 0


async def test_the_demo_ends_by_itself_after_its_duration(tmp_path: Path) -> None:
    async with barsync("demo", "--duration", "1.5", "--loop", "asyncio", cwd=tmp_path) as demo:
        assert await demo.ended() == 0
    assert [line for line in demo.out.text if "folio" in line]


async def test_one_scenario_and_seed_on_virtual_time_give_the_same_bytes_twice(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / name for name in ("one", "two", "other_seed")]
    for folder in folders:
        folder.mkdir()
        seed = "8" if folder.name == "other_seed" else "7"
        virtual = ("demo", "--virtual", "--duration", "600", "--seed", seed)
        async with barsync(*virtual, cwd=folder) as process:
            assert await process.ended() == 0
    one, two, other = [(folder / "var" / "demo.jsonl").read_bytes() for folder in folders]
    assert one == two
    assert one != other
    assert one.count(b'"SYNCHRONIZED_BARS"') > 500
