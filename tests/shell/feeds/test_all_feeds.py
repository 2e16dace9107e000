"""The whole daemon against venues that never say that a bar is final, in true time."""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs
from tests.shell.test_daemon import WALL, Line, Run, of, read

from barsync_async.errors import OutputError, SubscriptionRefused
from barsync_async.messages import Bar
from barsync_async.ports import Arrival
from barsync_async.shell.clock import VirtualClock
from barsync_async.testing import create_bar
from barsync_async.units import TIMEFRAMES, SourceId
from barsync_async.venues.history.exchange import HistoryRequest, HistoryResponse

PAIRS = ("BTC/USD", "ETH/USD")
HOUR_S = 3_600.0


def market(protocol: str, timeframes: tuple[str, ...], **faults: Any) -> dict[str, Any]:
    return {
        "seed": 3,
        "venue": {"protocol": protocol, "running_ms": 1_500},
        "sources": {f"{pair}_{each}": {} for pair in PAIRS for each in timeframes},
        "defaults": {"delay": {"kind": "uniform", "min_ms": 0, "max_ms": 400}},
        "faults": faults,
    }


def config(protocol: str, path: Path, sources: list[str], **feed: Any) -> dict[str, Any]:
    expected = [*sources, *feed.get("derived", {})]
    synchronizer = {
        "expected_sources": expected,
        "timeout_ms": 4_000,
        "require_all": False,
        "late": "amend",
        "allowed_lateness_ms": 600_000,
    }
    given = {
        "venue": protocol,
        "url": "ws://venue/v2" if protocol == "kraken" else "ws://venue",
        "history_url": "http://venue",
        "sources": sources,
        **feed,
    }
    return {
        "feeds": {"x": given},
        "containers": {
            "c": {"components": {"s": {"type": "BarSynchronizer", "config": synchronizer}}}
        },
        "outputs": {"file": {"type": "jsonl", "path": str(path)}},
    }


Cells = Mapping[tuple[str, int], list[tuple[float, ...]]]


def values(bar: Line | Bar) -> tuple[float, ...]:
    if isinstance(bar, Bar):
        return bar.open, bar.high, bar.low, bar.close, bar.volume
    return tuple(bar[name] for name in ("open", "high", "low", "close", "volume"))


def told(lines: list[Line]) -> Cells:
    """Every value that was published for each bar, in order."""
    cells: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    for line in of(lines, "SYNCHRONIZED_BARS", "SYNCHRONIZED_BARS_REVISED"):
        for source, bar in line["bars"].items():
            if bar["provenance"] == "fresh":
                cells.setdefault((source, bar["timestamp"]), []).append(values(bar))
    return cells


def sold(run: Run, source: str) -> list[Bar]:
    return [quote.bar for quote in run.venue._venue.closed(SourceId(source))]


async def lived(document: dict[str, Any], scenario: dict[str, Any], seconds: float) -> Run:
    run = Run(document, scenario, history="the venue's")
    await run.go(seconds)
    assert run.intake.under_way == 0
    return run


@pytest.mark.parametrize(("protocol", "timeframe"), [("kraken", "1m"), ("coinbase", "5m")])
async def test_no_running_state_enters_a_set_and_no_bar_is_lost(
    protocol: str, timeframe: str, tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    sources = [f"{pair}_{timeframe}" for pair in PAIRS]
    faults = {"disconnect_every_s": 700, "abrupt": 0.5}
    scenario = market(protocol, (timeframe,), **faults)
    run = await lived(config(protocol, path, sources), scenario, 3 * HOUR_S)
    cells = told(read(path))
    for source in sources:
        bars = sold(run, source)[1:-1]
        assert len(bars) > 30
        for bar in bars:
            assert cells.get((source, bar.timestamp), [None])[-1] == values(bar), bar


async def test_a_venue_without_snapshots_is_asked_for_what_an_outage_hid(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sources = [f"{pair}_1m" for pair in PAIRS]
    scenario = market("bybit", ("1m",), disconnect_every_s=250, abrupt=0.5)
    document = config("bybit", path, sources)
    document["feeds"]["x"]["url"] = "ws://venue/v5/public/spot"
    run = await lived(document, scenario, 2 * HOUR_S)
    lines = read(path)
    flags = [
        bar.get("backfilled", False)
        for line in of(lines, "SYNCHRONIZED_BARS", "SYNCHRONIZED_BARS_REVISED")
        for bar in line["bars"].values()
    ]
    assert True in flags
    assert False in flags
    cells = told(lines)
    for source in sources:
        for bar in sold(run, source)[1:-1]:
            assert cells.get((source, bar.timestamp), [None])[-1] == values(bar), bar


async def test_past_bars_make_the_first_live_set_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sources = [f"{pair}_{each}" for pair in PAIRS for each in ("1m", "15m")]
    scenario = market("bybit", ("1m", "15m"))
    document = config("bybit", path, sources, backfill=3)
    document["feeds"]["x"]["url"] = "ws://venue/v5/public/spot"
    run = Run(document, scenario, history="the venue's")
    await anyio.lowlevel.checkpoint()
    before = asyncio.create_task(run.venue.run())
    await anyio.sleep(HOUR_S)
    before.cancel()
    await run.go(200)
    sets = of(read(path), "SYNCHRONIZED_BARS")
    assert {line["status"] for line in sets} == {"complete"}
    live = [line for line in sets if "backfilled" not in line["bars"]["BTC/USD_1m"]]
    assert len(sets) - len(live) == 3
    assert live[0]["bars"]["BTC/USD_15m"]["provenance"] in ("carried", "fresh")


async def test_derived_bars_are_the_venues_own(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sources = [f"{pair}_1m" for pair in PAIRS]
    derived = {f"{pair}_5m": f"{pair}_1m" for pair in PAIRS}
    scenario = market("kraken", ("1m", "5m"))
    run = await lived(config("kraken", path, sources, derived=derived), scenario, 2 * HOUR_S)
    cells = told(read(path))
    for source in derived:
        bars = sold(run, source)[1:-1]
        assert len(bars) > 15
        assert [cells.get((source, bar.timestamp)) for bar in bars] == [
            [values(bar)] for bar in bars
        ]


class Slow:
    """A history that takes an hour; the role of HttpClient."""

    def __init__(self) -> None:
        self.asked = 0
        self.closed = 0

    async def get(self, feed: str, request: HistoryRequest) -> HistoryResponse:
        self.asked += 1
        await asyncio.sleep(HOUR_S)
        return HistoryResponse(500, {}, b"")

    async def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("output", ["/dev/full", None])
async def test_however_it_ends_the_history_is_closed(output: str | None, tmp_path: Path) -> None:
    document = config("kraken", tmp_path / "x", ["BTC/USD_1m"], backfill=0)
    document["outputs"]["file"]["path"] = output or str(tmp_path / "x")
    slow = Slow()
    run = Run(document, market("kraken", ("1m",)), history=slow)
    with pytest.raises(OutputError) if output else nullcontext():
        await run.go(310)
    assert slow.closed == 1


async def test_stopping_amid_the_past_bars_ends_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sources = [f"{pair}_1m" for pair in PAIRS]
    document = config("kraken", path, sources, backfill=100)
    run = Run(document, market("kraken", ("1m",)), history=Slow())
    await run.go(1.0)
    assert asyncio.get_running_loop().time() < 2.0
    assert run.intake.under_way == 0
    assert read(path) == []


async def test_producers_that_write_to_one_another_are_closed_in_that_order(tmp_path: Path) -> None:
    """One feed's derived bars are another one's own, of which it derives others."""
    document = config("kraken", tmp_path / "x", [], backfill=0)
    own = document["feeds"]["x"]
    document["feeds"] = {
        "x": own | {"sources": ["BTC/USD_5m"], "derived": {"BTC/USD_15m": "BTC/USD_5m"}},
        "y": own | {"sources": ["BTC/USD_1m"], "derived": {"BTC/USD_5m": "BTC/USD_1m"}},
    }
    synchronizer = document["containers"]["c"]["components"]["s"]["config"]
    synchronizer |= {"expected_sources": ["BTC/USD_15m", "BTC/USD_5m", "BTC/USD_1m"], "inbox": 1}
    run = Run(document, market("kraken", ("1m", "5m")))
    feeds = run.daemon._feeds
    producers = feeds._producers
    now = VirtualClock(WALL).now()
    for order in range(3):
        bar = create_bar("BTC/USD_5m", WALL + (order - 2) * 300_000)
        await producers["BTC/USD_5m"].offer([Arrival(now, "x", order, bar)])
    producing = [asyncio.create_task(each.run()) for each in producers.values()]
    closing = asyncio.create_task(feeds._close())
    await asyncio.sleep(1)  # the inbox is full
    (expecting,) = feeds._synchronizers
    got: list[str] = []
    while not closing.done() or len(expecting.inbox):
        items = [each.item for each in expecting.inbox.take()]
        got += [item.source for item in items if isinstance(item, Bar)]
        await asyncio.sleep(1)
    await asyncio.wait(producing)
    assert got == ["BTC/USD_5m"] * 3 + ["BTC/USD_15m"]
    assert run.intake.under_way == 0


@pytest.mark.parametrize("others", ["go on", "give up"])
async def test_only_when_every_feed_has_given_up_the_daemon_ends_by_itself(
    others: str, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    sources = [f"{pair}_1m" for pair in PAIRS]
    document = config("alpaca_crypto", path, sources, backfill=0)
    feed = document["feeds"]["x"] | {"url": "ws://venue/v1beta3/crypto/us"}
    known, unknown = dict.fromkeys(("key", "secret"), "test"), {"key": "hunter2", "secret": "no"}
    document["feeds"] = {
        "x": feed | unknown | {"sources": sources[:1]},
        "y": feed | (known if others == "go on" else unknown) | {"sources": sources[1:]},
    }
    run = Run(document, market("alpaca_crypto", ("1m",)))
    with capture_logs() as logs:
        if others == "go on":
            await run.go(310)
        else:
            with pytest.raises(SubscriptionRefused) as caught:
                await run.go(310)
            assert "hunter2" not in str(caught.value)
    assert run.intake.under_way == 0
    given_up = [line["feed"] for line in logs if line["event"] == "given up"]
    assert given_up == (["x"] if others == "go on" else ["x", "y"])
    assert "hunter2" not in str(logs)
    sets = of(read(path), "SYNCHRONIZED_BARS")
    assert len(sets) == (5 if others == "go on" else 0)
    took_s = asyncio.get_running_loop().time()
    assert took_s == pytest.approx(310 if others == "go on" else 0, abs=2)


# Bars of trades


def of_trades(path: Path, protocol: str = "binance", timeframe: str = "1s") -> dict[str, Any]:
    document = config(
        protocol,
        path,
        [f"{pair}_trades" for pair in PAIRS],
        derived={f"{pair}_{timeframe}": f"{pair}_trades" for pair in PAIRS},
        grace_ms=500,
        backfill=0,
    )
    synchronizer = document["containers"]["c"]["components"]["s"]["config"]
    synchronizer["expected_sources"] = [f"{pair}_{timeframe}" for pair in PAIRS]
    return document


TRADERS = {
    "binance": "/stream",
    "binance_futures": "/market/stream",
    "alpaca_crypto": "/v1beta3/crypto/us",
    "alpaca": "/v2/sip",
    "polygon": "/stocks",
}
MESSY = {"delay": {"kind": "uniform", "min_ms": 0, "max_ms": 450}, "duplicate": 0.3}


@pytest.mark.parametrize("trades", [{}, MESSY], ids=["in order", "out of order and twice"])
@pytest.mark.parametrize("protocol", TRADERS)
async def test_bars_of_trades_are_the_venues_own(
    protocol: str, trades: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two exchanges number stocks' trades alike; official closes and corrections stand between
    them.
    """
    pairs = ("SPY", "QQQ") if protocol in ("alpaca", "polygon") else PAIRS
    monkeypatch.setattr("tests.shell.feeds.test_all_feeds.PAIRS", pairs)
    timeframe = "1m" if protocol.startswith("alpaca") else "1s"
    path = tmp_path / "events.jsonl"
    document = of_trades(path, protocol, timeframe)
    known = dict.fromkeys(("key", "secret"), "test")
    document["feeds"]["x"] |= {"url": f"ws://venue{TRADERS[protocol]}", **known}
    # Alpaca's bars are a minute long at the least.
    seconds = 60 * TIMEFRAMES[timeframe].length_ms / 1_000
    scenario = market(protocol, (timeframe,)) | {"trades": trades}
    run = await lived(document, scenario, seconds)
    cells = told(read(path))
    for pair in pairs:
        bars = sold(run, f"{pair}_{timeframe}")[4:-1]
        assert len(bars) > 50
        assert [cells.get((f"{pair}_{timeframe}", bar.timestamp)) for bar in bars] == [
            [values(bar)] for bar in bars
        ]
    rejected = {each["reason"] for each in of(read(path), "BAR_REJECTED")}
    assert rejected == ({"corrected_trade"} if protocol == "alpaca" else set())


@pytest.mark.parametrize(("part", "made"), [("trades", "1m"), ("1m", "5m")])
async def test_bars_made_of_what_the_venue_refuses_are_down_and_not_waited_for(
    part: str, made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The venue takes a symbol that begins with a digit for none."""
    monkeypatch.setattr("tests.shell.feeds.test_all_feeds.PAIRS", ("SPY", "1X"))
    path = tmp_path / "events.jsonl"
    document = of_trades(path, "alpaca", made)
    feed = document["feeds"]["x"] | dict.fromkeys(("key", "secret"), "test")
    feed |= {"url": "ws://venue/v2/iex", "sources": [f"SPY_{part}", f"1X_{part}"]}
    feed["derived"] = {f"{symbol}_{made}": f"{symbol}_{part}" for symbol in ("SPY", "1X")}
    document["feeds"]["x"] = feed
    document["containers"]["c"]["components"]["s"]["config"]["exclude_idle"] = True
    scenario = market("alpaca", ("1m",))
    del scenario["sources"]["1X_1m"]
    await lived(document, scenario, 1_900)
    events = read(path)
    changes = [(each["source"], each["status"]) for each in of(events, "SOURCE_STATUS")]
    assert changes == [(f"1X_{made}", "down")]
    sets = of(events, "SYNCHRONIZED_BARS")
    assert len(sets) > (1_900 - 600) / (60 if made == "1m" else 300)
    assert max(each["wait_ms"] for each in sets) == 0


async def test_a_bar_whose_trades_an_outage_hid_is_not_made_up(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    scenario = market("binance", ("1s",), disconnect_every_s=10, abrupt=1.0)
    run = await lived(of_trades(path), scenario, 60)
    cells = told(read(path))
    for pair in PAIRS:
        bars = {int(bar.timestamp): values(bar) for bar in sold(run, f"{pair}_1s")}
        made = {timestamp: each for (source, timestamp), each in cells.items() if pair in source}
        assert made == {timestamp: [bars[timestamp]] for timestamp in made}
        assert 10 < len(made) < len(bars) - 5


async def test_a_source_that_the_venue_refused_has_no_connection_replaced(tmp_path: Path) -> None:
    """OKX is never silent about a pair that it has, so silence there means a broken connection."""
    sources = ["BTC/USD_1m", "NONE/USD_1m"]
    with capture_logs() as logs:
        run = Run(config("okx", tmp_path / "x.jsonl", sources), market("okx", ("1m",)))
        await run.go(HOUR_S)
    assert [line["sources"] for line in logs if line["event"] == "refused by the venue"] == [
        ("NONE/USD_1m",)
    ]
    assert not [line for line in logs if line["event"] == "replacing the connection"]
    assert run.statistics().accepted >= 58
