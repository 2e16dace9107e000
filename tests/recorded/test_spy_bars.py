"""A real week of SPY: fifteen-minute bars made of its one-minute bars are those of the venue."""

import csv
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from barsync_async.aggregation import BarAggregator, Outcome
from barsync_async.messages import Bar
from barsync_async.units import WallMs

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "bars"
NEW_YORK = ZoneInfo("America/New_York")
WINDOWS = 130  # five sessions of 26
PARTS = 15 * WINDOWS


def rows(name: str, timeframe: str) -> Iterator[Bar]:
    """The bars of a file, oldest first; labelled at their end, in New York's time."""
    path = SAMPLES / name
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {path}: CI must have the samples beside the project")
        pytest.skip(f"no {path}")
    with path.open(encoding="utf-8", newline="") as lines:
        for row in reversed([*csv.DictReader(lines)]):
            ends = datetime.fromisoformat(row["datetime"]).replace(tzinfo=NEW_YORK)
            yield Bar(
                symbol="SPY",
                timeframe=timeframe,
                timestamp=WallMs(int(ends.timestamp()) * 1_000),
                open=float(row["open"]),
                high=float(row["high"]),
                low=float(row["low"]),
                close=float(row["close"]),
                volume=float(row["volume"]),
            )


@pytest.fixture(scope="module")
def minutes() -> Sequence[Bar]:
    found = [*rows("SPY_1min.csv", "1m")]
    assert len(found) == PARTS
    return found


@pytest.fixture(scope="module")
def quarters(minutes: Sequence[Bar]) -> Mapping[int, Bar]:
    """Of the same week, by timestamp; the file goes further back."""
    found = {bar.timestamp: bar for bar in rows("SPY_15min.csv", "15m")}
    return {at: bar for at, bar in found.items() if at > minutes[0].timestamp}


def aggregated(bars: BarAggregator, parts: Sequence[Bar]) -> list[Outcome]:
    return [outcome for part in parts for outcome in bars.on_bar(part, part.timestamp)]


def test_every_window_is_the_venues_own_in_all_five_fields(
    minutes: Sequence[Bar], quarters: Mapping[int, Bar]
) -> None:
    made = aggregated(BarAggregator("SPY", "1m", "15m", grace_ms=2_000), minutes)
    assert len(made) == WINDOWS
    assert made == list(quarters.values())


def test_the_order_in_which_the_minutes_of_a_week_come_does_not_matter(
    minutes: Sequence[Bar], quarters: Mapping[int, Bar]
) -> None:
    shuffled = [*minutes]
    random.Random(1).shuffle(shuffled)
    bars = BarAggregator("SPY", "1m", "15m", grace_ms=2_000, keep=WINDOWS)
    made = [outcome for part in shuffled for outcome in bars.on_bar(part, minutes[-1].timestamp)]
    assert {bar.timestamp: bar for bar in made} == quarters
    assert len(made) == WINDOWS
