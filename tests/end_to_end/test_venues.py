"""Every venue in its own protocol, over real sockets, on a bad day: connections cut, a symbol that
does not exist, bars sent twice, bars revised. Nothing is lost and nothing doubled.
"""

import asyncio
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.end_to_end.running import Line, barsync, write_sync_config
from tests.venues.json_feed import FORMAT

from barsync_async.venues import CODECS

SILENT_REFUSAL = {"alpaca", "alpaca_crypto", "binance", "binance_futures", "polygon"}
"""Venues that confirm what does not exist, if only its name is possible."""

VENUES = sorted(CODECS)
NO_HISTORY = {"json"}
PATHS = {
    "alpaca": "/v2/iex",
    "alpaca_crypto": "/v1beta3/crypto/us",
    "json": "/bars",
    "kraken": "/v2",
    "okx": "/ws/v5/business",
    "polygon": "/stocks",
    "bybit": "/v5/public/spot",
}
STOCKS = {"alpaca", "polygon"}
SCENARIO = """
seed = 5
[venue]
protocol = "{venue}"
listen = "127.0.0.1:0"
pace_ms = 100
duration_s = {seconds}
running_ms = {running_ms}
running_in_history = {shown}
[defaults]
delay = {{ kind = "uniform", min_ms = 0, max_ms = 60 }}
duplicate = 0.1
revise = 0.15
revise_after_ms = 150
[faults]
disconnect_every_s = {every_s}
disconnect_jitter = 0.3
abrupt = 0.5
{sources}
"""
SECONDS = {"kraken": 20}
"""How long a venue's day lasts, where not 11 s; Kraken's history answers once a second."""

MADE_UP_IN_S = {"kraken": 8}
"""A bar that closes so long before the day's end, where not 4 s, can still be made up for."""


class Day:
    """What one venue sells, and the config of the daemon that wants it."""

    def __init__(self, venue: str) -> None:
        self.venue = venue
        timeframe = "5m" if venue == "coinbase" else "1m"
        names = ("SPY", "QQQ", "NOPE") if venue in STOCKS else ("BTC/USD", "ETH/USD", "NOPE/USD")
        self.sources = [f"{name}_{timeframe}" for name in names]
        self.bad = self.sources.pop()

    def scenario(self, folder: Path) -> Path:
        flagged = CODECS[self.venue].facts.finality == "flag"
        sources = "\n".join(f'[sources."{source}"]' for source in self.sources)
        path = folder / "scenario.toml"
        seconds = SECONDS.get(self.venue, 11)
        running_ms = 40 if flagged else 0  # a bar of the past that still runs is no bar at all
        text = SCENARIO.format(
            venue=self.venue,
            seconds=seconds,
            every_s=seconds / 4.4,
            running_ms=running_ms,
            shown=json.dumps(self.venue == "kraken"),
            sources=sources,
        )
        path.write_text(text, "utf-8")
        return path

    def config(self, folder: Path, address: str) -> Path:
        feed: dict[str, Any] = {
            "venue": self.venue,
            "url": address + PATHS.get(self.venue, ""),
            "sources": [*self.sources, self.bad],
        }
        if self.venue not in NO_HISTORY:
            feed["history_url"] = address.replace("ws://", "http://")
        if self.venue == "json":
            feed["format"] = _table(FORMAT)
        synchronizer = {
            "expected_sources": [*self.sources, self.bad],
            "timeout_ms": 200,
            "require_all": False,
            "exclude_idle": True,
            "late": "amend",
            "allowed_lateness_ms": 60_000,
        }
        return write_sync_config(folder, feed, synchronizer)


def _table(struct: Any) -> dict[str, Any]:
    """As a config has it: what is not given is left out."""
    found: dict[str, Any] = json.loads(msgspec.json.encode(struct))
    return _without_nulls(found)


def _without_nulls(table: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if value is not None
    }


Key = tuple[str, int]
Values = tuple[float, ...]


def values(bar: Line) -> Values:
    return tuple(bar[name] for name in ("open", "high", "low", "close", "volume"))


def sold(log: Path) -> dict[Key, list[Line]]:
    """What the venue did with each bar, in its order."""
    bars: dict[Key, list[Line]] = {}
    for text in log.read_text("utf-8").splitlines():
        line = json.loads(text)
        bars.setdefault((line["source"], line["timestamp"]), []).append(line)
    return bars


def bought(events: list[Line]) -> dict[Key, Values]:
    """The last that the daemon said of each bar."""
    bars: dict[Key, Values] = {}
    for event in events:
        if event["type"] == "LATE_BAR":
            cells = [event["bar"]]
        else:
            cells = [bar for bar in event.get("bars", {}).values() if bar["age_ms"] == 0]
        for bar in cells:
            if bar["provenance"] == "fresh":
                bars[f"{bar['symbol']}_{bar['timeframe']}", bar["timestamp"]] = values(bar)
    return bars


class Evening(NamedTuple):
    """What is left of one day."""

    sold: dict[Key, list[Line]]
    events: list[Line]
    logs: list[Line]
    said: list[str]


AT_ONCE = 5
SETTLING_MS = 15 * 60_000


async def lived(venue: str, folder: Path, places: asyncio.Semaphore) -> Evening:
    """The whole day of ``venue``: both processes, until the venue closes."""
    day, log = Day(venue), folder / "log.jsonl"
    credentials = {"BARSYNC_FEEDS__X__KEY": "test", "BARSYNC_FEEDS__X__SECRET": "test"}
    async with places:
        scenario = day.scenario(folder)
        async with barsync("simulate", scenario, "--log", log, cwd=folder) as server:
            config = day.config(folder, await server.address())
            async with barsync("run", config, cwd=folder, env=credentials) as daemon:
                assert await server.ended() == 0
                daemon.send(signal.SIGTERM)
                assert await daemon.ended() == 0
    return Evening(sold(log), daemon.out.json(), daemon.err.json(), daemon.err.text)


@pytest.fixture(scope="module")
def evenings(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Evening]:
    """Every venue's day, some at once: they last as long as they last."""
    folders = {each: tmp_path_factory.mktemp(each) for each in VENUES}

    async def all_of_them() -> list[Evening]:
        places = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(
            *(lived(each, folder, places) for each, folder in folders.items())
        )

    return dict(zip(VENUES, asyncio.run(all_of_them()), strict=True))


def judged(venue: str, evening: Evening, first_bars: Mapping[str, int]) -> dict[Key, list[Line]]:
    """The bars that the daemon must have: of each source those behind the first ones, which may be
    revisions of what went out before anything was subscribed, for which there was time, and, where
    the venue has no history, that were told while the daemon listened.
    """
    first_ns = min(line["sent_at_ns"] for lines in evening.sold.values() for line in lines)
    day_s = SECONDS.get(venue, 11) - MADE_UP_IN_S.get(venue, 4)
    return {
        key: lines
        for key, lines in evening.sold.items()
        if key[1] > first_bars[key[0]] + SETTLING_MS
        and lines[-1]["sent_at_ns"] < first_ns + day_s * 10**9
        and not (venue in NO_HISTORY and any(line.get("unheard") for line in lines))
    }


@pytest.mark.parametrize("venue", VENUES)
def test_on_a_bad_day_nothing_is_lost(venue: str, evenings: Mapping[str, Evening]) -> None:
    evening = evenings[venue]
    received = bought(evening.events)
    first_bars = dict(sorted(received, reverse=True))
    wanted = judged(venue, evening, first_bars)
    assert wanted
    assert any(line.get("unheard") for lines in evening.sold.values() for line in lines)
    assert {key: lines[-1] for key, lines in wanted.items() if key not in received} == {}
    other = {
        key: (values(lines[-1]), received[key])
        for key, lines in wanted.items()
        if values(lines[-1]) != received[key]
    }
    assert other == {}


@pytest.mark.parametrize("venue", VENUES)
def test_on_a_bad_day_nothing_is_doubled(venue: str, evenings: Mapping[str, Evening]) -> None:
    evening = evenings[venue]
    sets = [each["timestamp"] for each in evening.events if each["type"] == "SYNCHRONIZED_BARS"]
    assert sets
    assert sets == sorted(set(sets))
    (totals,) = [line for line in evening.logs if line["event"] == "totals"]
    parts = ("accepted", "corrected", "duplicate", "late", "rejected")
    assert totals["received"] == sum(totals[part] for part in parts)


@pytest.mark.parametrize("venue", VENUES)
def test_a_connection_comes_back_and_what_does_not_exist_is_told(
    venue: str, evenings: Mapping[str, Evening]
) -> None:
    logs = evenings[venue].logs
    assert len([line for line in logs if line["event"] == "connected"]) > 2
    refused = [line["sources"] for line in logs if line["event"] == "refused by the venue"]
    assert any(Day(venue).bad in sources for sources in refused) == (venue not in SILENT_REFUSAL)


@pytest.mark.parametrize("venue", VENUES)
def test_no_secret_is_said(venue: str, evenings: Mapping[str, Evening]) -> None:
    assert "test" not in {word for text in evenings[venue].said for word in text.split('"')}
