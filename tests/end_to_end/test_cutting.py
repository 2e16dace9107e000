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
from tests.end_to_end.running import Line, Running, barsync, counted

SCENARIO = """
[venue]
protocol = "{venue}"
listen = "127.0.0.1:0"
pace_ms = 100
duration_s = 60
{faults}
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
{more}
sources = ["{one}", "{other}"]
[containers.c.components.synchronizer]
type = "BarSynchronizer"
config = {{ expected_sources = ["{one}", "{other}"], timeout_ms = 5_000, require_all = false }}
[outputs.events]
type = "jsonl"
path = "-"
"""
SOURCES = {
    "kraken": ("BTC/USD_1m", "ETH/USD_1m"),
    "coinbase": ("BTC-USD_5m", "ETH-USD_5m"),
    "binance": ("SPY_1m", "QQQ_1m"),
}
WITH_HISTORY = ("kraken", "coinbase")

Key = tuple[str, int]
"""A source and a timestamp."""
Values = tuple[float, ...]


class Bench(NamedTuple):
    """A venue, a network and a daemon, set up to go wrong."""

    folder: Path
    venue: str
    market: Running
    proxy: CuttingProxy
    daemon: Running

    def closed(self) -> dict[Key, Values]:
        """Every bar that the venue has sent, or had nobody to send to."""
        lines = (self.folder / "sent.jsonl").read_text("utf-8").splitlines()
        return {
            (line["source"], line["timestamp"]): values(line) for line in map(json.loads, lines)
        }


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """One for each venue, so that they can all run at once."""
    made = {venue: tmp_path / venue for venue in SOURCES}
    for folder in made.values():
        folder.mkdir()
    return made


Misfortune = Callable[[Bench], Awaitable[None]]


def values(bar: dict[str, Any]) -> Values:
    return tuple(bar[name] for name in ("open", "high", "low", "close", "volume"))


def in_sets(daemon: Running) -> list[tuple[Key, Values]]:
    return [
        ((source, line["timestamp"]), values(bar))
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


def judged(closed: dict[Key, Values], daemon: Running) -> Account:
    """Nothing is lost, twice, out of order or other than the venue closed it. In a market that is
    paced through the past a snapshot's bar under way looks over; how it ended then comes late.
    """
    timestamps = [line["timestamp"] for line in daemon.events("SYNCHRONIZED_BARS")]
    assert timestamps == sorted(set(timestamps))
    due = {key for key in closed if timestamps[0] <= key[1] <= timestamps[-1]}
    given, told = in_sets(daemon), set(late(daemon))
    fresh = dict(given)
    assert len(fresh) == len(given)
    assert due - set(fresh) - told == set()
    assert {key for key in due & set(fresh) - told if fresh[key] != closed[key]} == set()
    balanced(daemon, len(fresh))
    return Account(len(due), len(due & set(fresh)), len(due & told - set(fresh)))


def balanced(daemon: Running, fresh: int) -> None:
    """The daemon's own count agrees with what it gave out."""
    (totals,) = [line for line in daemon.err.json() if line["event"] == "totals"]
    counts = ("accepted", "corrected", "duplicate", "late", "rejected")
    assert totals["received"] == sum(totals[each] for each in counts)
    assert (totals["accepted"], totals["late"]) == (fresh, len(late(daemon)))
    assert totals["rejected"] == 0


async def play(
    folder: Path, venue: str, misfortune: Misfortune, *, more: str = "", faults: str = ""
) -> Account:
    """Twenty sets, then ``misfortune``; then the judgement. ``more`` is the feed's, ``faults`` are
    the venue's.
    """
    one, other = SOURCES[venue]
    scenario, config = folder / "scenario.toml", folder / "config.toml"
    told = {"venue": venue, "one": one, "other": other}
    scenario.write_text(SCENARIO.format(**told, faults=faults), "utf-8")
    log = folder / "sent.jsonl"
    async with barsync("simulate", scenario, "--log", log, cwd=folder) as market:
        url = await market.address()
        async with cutting(url) as proxy:
            if venue in WITH_HISTORY:
                more += f'\nhistory_url = "{url.replace("ws://", "http://")}"'
            config.write_text(CONFIG.format(**told, url=proxy.url, more=more), "utf-8")
            async with barsync("run", config, cwd=folder) as daemon:
                bench = Bench(folder, venue, market, proxy, daemon)
                await daemon.out.until(counted(is_set, 20))  # a snapshot's, and live ones
                await misfortune(bench)
                daemon.send(signal.SIGTERM)
                assert await daemon.ended() == 0
        return judged(bench.closed(), daemon)


async def closes(bench: Bench, bars: int) -> None:
    """Until the venue has closed so many more bars."""
    before = len(bench.closed())
    while len(bench.closed()) < before + bars:  # noqa: ASYNC110 - it happens in another process
        await asyncio.sleep(0.05)


async def caught_up(bench: Bench, skip: int) -> None:
    """On a connection made after line ``skip`` of the log, the venue's history was asked twice for
    each source, before the subscription and after; ten sets more came.
    """
    asked = 0

    def is_last(line: Line) -> bool:
        nonlocal asked
        if line["event"] == "connected":
            asked = 1
        elif asked and line["event"] == "backfilled":
            asked += 1
        return asked > 2 * len(SOURCES[bench.venue])

    await bench.daemon.err.until(is_last, skip)
    await bench.daemon.out.until(counted(is_set, 10), len(bench.daemon.out.text))


async def outage(bench: Bench, bars: int) -> None:
    """Cut until the venue has closed so many more bars."""
    skip = len(bench.daemon.err.text)
    bench.proxy.cut()
    await bench.daemon.logged("disconnected", skip)
    await closes(bench, bars)
    bench.proxy.heal()
    await caught_up(bench, skip)


async def test_cut_lines_are_made_anew_and_no_bar_is_lost(folders: dict[str, Path]) -> None:
    async def cut(bench: Bench) -> None:
        await outage(bench, 50)
        assert bench.proxy.accepted >= 2

    accounts = await asyncio.gather(*(play(folders[each], each, cut) for each in WITH_HISTORY))
    assert min(account.due for account in accounts) >= 90


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


async def test_a_line_that_carries_little_is_kept_and_no_bar_is_lost(tmp_path: Path) -> None:
    async def throttle(bench: Bench) -> None:
        bench.proxy.throttle(2_000)
        await closes(bench, 50)
        newest = max(timestamp for _, timestamp in bench.closed())
        bench.proxy.heal()
        await bench.daemon.out.until(lambda line: is_set(line) and line["timestamp"] >= newest)
        assert bench.proxy.accepted == 1

    account = await play(tmp_path, "kraken", throttle)
    assert account.due >= 50


async def rolled_over(folder: Path, venue: str) -> None:
    async def grow_old(bench: Bench) -> None:
        await bench.daemon.logged_times("replacing the connection", 8)
        await bench.daemon.out.until(counted(is_set, 10), len(bench.daemon.out.text))
        events = [line["event"] for line in bench.daemon.err.json()]
        assert events.count("connected") >= 8
        assert "disconnected" not in events
        assert not [text for text in bench.market.err.text if "closing" in text]

    more, faults = "rollover_s = 1.0", "[faults]\nlifetime_s = 5"
    account = await play(folder, venue, grow_old, more=more, faults=faults)
    assert account.due >= 120
    assert (account.in_sets, account.late) == (account.due, 0)


async def test_lines_are_replaced_before_the_venue_cuts_them_and_no_bar_is_missed(
    folders: dict[str, Path],
) -> None:
    await asyncio.gather(*(rolled_over(folder, venue) for venue, folder in folders.items()))
