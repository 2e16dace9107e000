"""Networks that fail between a venue and the daemon, judged by the venue's own log: every bar that
it closed between the first and the last set is in a set, or is told of.
"""

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.end_to_end.cutting import CuttingProxy, cutting
from tests.end_to_end.running import Running, barsync, counted

SCENARIO = """
[venue]
protocol = "{venue}"
listen = "127.0.0.1:0"
pace_ms = 100
duration_s = 60
[sources."{one}"]
[sources."{other}"]
"""
CONFIG = """
[service]
log_format = "json"
log_level = "debug"
[feeds.sim]
venue = "{venue}"
url = "{url}"
history_url = "{history}"
sources = ["{one}", "{other}"]
[containers.c.components.synchronizer]
type = "BarSynchronizer"
config = {{ expected_sources = ["{one}", "{other}"], timeout_ms = 5_000, require_all = false }}
[outputs.events]
type = "jsonl"
path = "-"
"""
SOURCES = {"kraken": ("BTC/USD_1m", "ETH/USD_1m"), "coinbase": ("BTC-USD_5m", "ETH-USD_5m")}

Key = tuple[str, int]
"""A source and a timestamp."""


class Bench(NamedTuple):
    """A venue, a network and a daemon, set up to go wrong."""

    folder: Path
    venue: str
    market: Running
    proxy: CuttingProxy
    daemon: Running

    def closed(self) -> set[Key]:
        """Every bar that the venue has sent, or had nobody to send to."""
        lines = (self.folder / "sent.jsonl").read_text("utf-8").splitlines()
        return {(line["source"], line["timestamp"]) for line in map(json.loads, lines)}


Misfortune = Callable[[Bench], Awaitable[None]]


def in_sets(daemon: Running) -> list[Key]:
    return [
        (source, line["timestamp"])
        for line in daemon.events("SYNCHRONIZED_BARS")
        for source, bar in line["bars"].items()
        if bar["provenance"] == "fresh"
    ]


def late(daemon: Running) -> list[Key]:
    bars = [line["bar"] for line in daemon.events("LATE_BAR")]
    return [("{symbol}_{timeframe}".format(**bar), bar["timestamp"]) for bar in bars]


def is_set(line: dict[str, Any]) -> bool:
    return bool(line["type"] == "SYNCHRONIZED_BARS")


class Account(NamedTuple):
    """What became of the bars that the venue closed between the first and the last set."""

    due: int
    in_sets: int
    late: int
    """Told of as such; the others of those that are due are in sets."""


def judged(closed: set[Key], daemon: Running) -> Account:
    """Nothing is lost, twice, or out of order."""
    timestamps = [line["timestamp"] for line in daemon.events("SYNCHRONIZED_BARS")]
    assert timestamps == sorted(set(timestamps))
    due = {key for key in closed if timestamps[0] <= key[1] <= timestamps[-1]}
    fresh, told = in_sets(daemon), late(daemon)
    assert len(fresh) == len(set(fresh))
    assert due - set(fresh) - set(told) == set()
    (totals,) = [line for line in daemon.err.json() if line["event"] == "totals"]
    counts = ("accepted", "corrected", "duplicate", "late", "rejected")
    assert totals["received"] == sum(totals[each] for each in counts)
    assert (totals["accepted"], totals["late"]) == (len(fresh), len(told))
    assert totals["rejected"] == 0
    return Account(len(due), len(due & set(fresh)), len(due & set(told) - set(fresh)))


async def play(folder: Path, venue: str, misfortune: Misfortune) -> Account:
    """Ten sets, ``misfortune``, and on until what was missed has come; then the judgement."""
    one, other = SOURCES[venue]
    scenario, config = folder / "scenario.toml", folder / "config.toml"
    scenario.write_text(SCENARIO.format(venue=venue, one=one, other=other), "utf-8")
    log = folder / "sent.jsonl"
    async with barsync("simulate", scenario, "--log", log, cwd=folder) as market:
        url = await market.address()
        async with cutting(url) as proxy:
            history = url.replace("ws://", "http://")
            told = {"venue": venue, "url": proxy.url, "history": history}
            config.write_text(CONFIG.format(one=one, other=other, **told), "utf-8")
            async with barsync("run", config, cwd=folder) as daemon:
                bench = Bench(folder, venue, market, proxy, daemon)
                await daemon.out.until(counted(is_set, 10))
                await misfortune(bench)
                daemon.send(signal.SIGTERM)
                assert await daemon.ended() == 0
        return judged(bench.closed(), daemon)


async def caught_up(bench: Bench, skip: int) -> None:
    """Since line ``skip`` of the log the venue's history was asked twice for each source; ten sets
    more came.
    """
    asked = counted(lambda line: line.get("event") == "backfilled", 2 * len(SOURCES[bench.venue]))
    await bench.daemon.err.until(asked, skip)
    await bench.daemon.out.until(counted(is_set, 10), len(bench.daemon.out.text))


async def outage(bench: Bench, bars: int) -> None:
    """Cut until the venue has closed so many more bars."""
    before, skip = len(bench.closed()), len(bench.daemon.err.text)
    bench.proxy.cut()
    await bench.daemon.logged("disconnected", skip)
    while len(bench.closed()) < before + bars:  # noqa: ASYNC110 - it happens in another process
        await asyncio.sleep(0.05)
    bench.proxy.heal()
    await bench.daemon.logged("connected", skip)
    await caught_up(bench, skip)


@pytest.mark.parametrize("venue", SOURCES)
async def test_a_cut_line_is_made_anew_and_no_bar_is_lost(venue: str, tmp_path: Path) -> None:
    async def cut(bench: Bench) -> None:
        await outage(bench, 60)
        assert bench.proxy.accepted >= 2

    account = await play(tmp_path, venue, cut)
    assert account.due >= 60


async def test_a_half_open_line_is_found_out_and_replaced_and_no_bar_is_lost(
    tmp_path: Path,
) -> None:
    async def freeze(bench: Bench) -> None:
        skip = len(bench.daemon.err.text)
        bench.proxy.freeze()
        line = await bench.daemon.logged("disconnected", skip)
        assert line["detail"] == "nothing came for 5 s: the connection is dead"
        await caught_up(bench, skip)

    account = await play(tmp_path, "kraken", freeze)
    assert account.due >= 60
