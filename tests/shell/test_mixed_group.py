"""Equities and crypto in one group over a weekend, an early close and both changes of the clocks.

``docs/calendars.md`` shows the same runs; the tables there are what these functions write.
"""

import asyncio
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from barsync_async.messages import Event, EventType, SynchronizedBars
from barsync_async.ports import Arrival
from barsync_async.shell.calendars import load_calendars
from barsync_async.shell.clock import VirtualClock
from barsync_async.shell.components.synchronizer import BarSynchronizer
from barsync_async.shell.container import Container
from barsync_async.testing import create_bar
from barsync_async.units import SourceId, WallMs

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "calendars.md"
NEW_YORK = ZoneInfo("America/New_York")
SOURCES = frozenset(map(SourceId, ("SPY_1m", "QQQ_1m", "BTCUSD_1m")))
CALENDARS = {"SPY": "XNYS", "QQQ": "XNYS", "BTCUSD": "24/7"}
MINUTE_MS = 60_000
DELAY_MS = 40

packaged = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")


class Period(NamedTuple):
    """From the first bars to the last, and the moments to show; all in New York's time."""

    name: str
    start: str
    end: str
    shown: tuple[str, ...]


PERIODS = (
    Period(
        "A weekend on which the clocks go forward (2026-03-08)",
        "2026-03-06T15:55",
        "2026-03-09T09:33",
        (
            "2026-03-06T16:00",
            "2026-03-06T16:01",
            "2026-03-07T12:00",
            "2026-03-08T01:59",
            "2026-03-08T03:00",
            "2026-03-09T09:30",
            "2026-03-09T09:31",
        ),
    ),
    Period(
        "A weekend on which the clocks go back (2026-11-01)",
        "2026-10-30T15:55",
        "2026-11-02T09:33",
        (
            "2026-10-30T16:00",
            "2026-10-30T16:01",
            "2026-11-01T00:59",
            "2026-11-01T03:00",
            "2026-11-02T09:30",
            "2026-11-02T09:31",
        ),
    ),
    Period(
        "Thanksgiving (2026-11-26) and the early close after it",
        "2026-11-25T15:58",
        "2026-11-27T13:05",
        (
            "2026-11-25T16:00",
            "2026-11-26T10:00",
            "2026-11-27T09:30",
            "2026-11-27T09:31",
            "2026-11-27T13:00",
            "2026-11-27T13:01",
        ),
    ),
)


def moment(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp() * 1_000)


def is_trading(timestamp: int) -> bool:
    """Whether New York's exchange trades in the minute that ends then; from the rules above, not
    from the package.
    """
    start = datetime.fromtimestamp(timestamp / 1_000, UTC) - timedelta(minutes=1)
    local = start.astimezone(NEW_YORK)
    day = f"{local:%Y-%m-%d}"
    closes = "13:00" if day == "2026-11-27" else "16:00"
    open_day = local.weekday() < 5 and day != "2026-11-26"
    return open_day and "09:30" <= f"{local:%H:%M}" < closes


_played: dict[str, dict[int, SynchronizedBars]] = {}


async def play(period: Period) -> dict[int, SynchronizedBars]:
    """The sets of the period, played once."""
    if period.name not in _played:
        _played[period.name] = await _play(period)
    return _played[period.name]


async def _play(period: Period) -> dict[int, SynchronizedBars]:
    """Every bar comes 40 ms after its end, on the virtual clock."""
    first, last = moment(period.start), moment(period.end)
    passed_ms = round(asyncio.get_running_loop().time() * 1_000)
    clock = VirtualClock(WallMs(first - 1_000 - passed_ms))
    container = Container("mixed", clock=clock)
    synchronizer = BarSynchronizer(
        SOURCES,
        timeout_ms=500,
        require_all=False,
        deadline_from="close",
        calendars=load_calendars(CALENDARS, SOURCES, clock.now().wall),
    )
    container.add_component("sync", synchronizer)
    sets: dict[int, SynchronizedBars] = {}
    container.event_bus.subscribe(EventType.SYNCHRONIZED_BARS, lambda e: _note(e, sets))
    container.event_bus.subscribe(EventType.SYNC_SKIPPED, lambda e: pytest.fail(f"{e}"))
    container.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(container.run())
        orders = itertools.count()
        for timestamp in range(first, last + 1, MINUTE_MS):
            await _until(clock, timestamp + DELAY_MS)
            bars = [create_bar("BTCUSD_1m", timestamp)]
            if is_trading(timestamp):
                bars += [create_bar("SPY_1m", timestamp), create_bar("QQQ_1m", timestamp)]
            for bar in bars:
                arrival = Arrival(clock.now(), "sim", next(orders), bar)
                assert synchronizer.inbox.put_nowait(arrival)
        await _until(clock, last + 1_000)
        await container.stop()
    return sets


async def _until(clock: VirtualClock, wall: int) -> None:
    await asyncio.sleep((wall - clock.now().wall) / 1_000)


def _note(event: Event, sets: dict[int, SynchronizedBars]) -> None:
    assert event.payload.timestamp not in sets
    sets[event.payload.timestamp] = event.payload


def rows(period: Period, sets: dict[int, SynchronizedBars]) -> Iterator[str]:
    yield f"## {period.name}"
    yield ""
    yield "| New York | UTC | status | SPY_1m | QQQ_1m | BTCUSD_1m | waited |"
    yield "|---|---|---|---|---|---|---|"
    for text in period.shown:
        bars = sets[moment(text)]
        utc = datetime.fromtimestamp(bars.timestamp / 1_000, UTC)
        cells = " | ".join(_cell(bars, name) for name in ("SPY_1m", "QQQ_1m", "BTCUSD_1m"))
        yield (
            f"| {text.replace('T', ' ')} | {utc:%m-%d %H:%M} | {bars.status} | {cells} "
            f"| {bars.wait_ms:.0f} ms |"
        )


def _cell(bars: SynchronizedBars, source: str) -> str:
    bar = bars.bars[SourceId(source)]
    age = timedelta(milliseconds=bar.age_ms)
    return bar.provenance if not age else f"{bar.provenance}, {age} old"


@packaged
@pytest.mark.parametrize("period", PERIODS, ids=lambda period: period.start)
async def test_equities_are_not_waited_for_while_their_market_is_closed(period: Period) -> None:
    sets = await play(period)
    first, last = moment(period.start), moment(period.end)
    assert sorted(sets) == [*range(first, last + 1, MINUTE_MS)]
    for timestamp, bars in sets.items():
        assert bars.status == "complete"
        assert round(bars.wait_ms) == DELAY_MS
        assert bars.bars[SourceId("BTCUSD_1m")].provenance == "fresh"
        equities = {bars.bars[SourceId(source)].provenance for source in ("SPY_1m", "QQQ_1m")}
        assert equities == {"fresh" if is_trading(timestamp) else "carried"}


@packaged
async def test_the_document_shows_these_runs() -> None:
    document = DOCUMENT.read_text("utf-8")
    for period in PERIODS:
        table = "\n".join(rows(period, await play(period)))
        assert table in document, f"docs/calendars.md lacks:\n{table}"
