"""A real day of stocks, from before the market opens until after it closes, as Alpaca and Polygon
would send it.
"""

import csv
import io
import os
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.simulation.venues.conversation import OPTIONS

from barsync_async.messages import Bar
from barsync_async.simulation.candle import Candle
from barsync_async.simulation.roles import Quote
from barsync_async.simulation.venues import PROTOCOLS
from barsync_async.units import Instant, MonoNs, SourceId, WallMs
from barsync_async.venues import CODECS
from barsync_async.venues.outcomes import Reply

BARS = Path(__file__).resolve().parents[3] / "shared" / "samples" / "bars"
NEW_YORK = ZoneInfo("America/New_York")
NOW = Instant(MonoNs(0), WallMs(0))


class NoShelf:
    def closed(self, source: SourceId) -> Sequence[Quote]:
        return ()

    def running(self, source: SourceId) -> Quote | None:
        return None


def day(symbol: str) -> list[Quote]:
    """The archive's rows: ms since midnight in New York at the bar's start, prices x 10,000."""
    archive = BARS / f"{symbol}_20131007_trade.zip"
    if not archive.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {archive}: CI must have the samples beside the project")
        pytest.skip(f"no {archive}")
    midnight = int(datetime(2013, 10, 7, tzinfo=NEW_YORK).astimezone(UTC).timestamp()) * 1_000
    with zipfile.ZipFile(archive) as opened:
        text = opened.read(opened.namelist()[0]).decode()
    quotes = []
    for row in csv.reader(io.StringIO(text)):
        start, *prices, volume = map(int, row)
        first, high, low, last = (price / 10_000 for price in prices)
        candle = Candle(first, high, low, last, volume, 1, 1)
        bar = candle.bar(symbol.upper(), "1m", WallMs(midnight + start + 60_000))
        quotes.append(Quote(bar, candle, final=True))
    return quotes


@pytest.mark.parametrize(("venue", "path"), [("alpaca", "/v2/iex"), ("polygon", "/stocks")])
@pytest.mark.parametrize("symbol", ["spy", "aig"])
def test_every_bar_of_the_day_arrives_as_it_was(venue: str, path: str, symbol: str) -> None:
    quotes = day(symbol)
    source = quotes[0].bar.source
    session = CODECS[venue].session([source], OPTIONS)
    line = PROTOCOLS[venue].serve([source], NoShelf()).accept(path, NOW)
    waiting = list(line.greet(NOW))
    while waiting:
        for item in session.receive(str(waiting.pop(0))):
            if isinstance(item, Reply):
                waiting += line.receive(item.text, NOW)
    assert session.unacknowledged() == []
    frames = [line.publish(quote, NOW) for quote in quotes]
    bars = [item for frame in frames if frame for item in session.receive(frame)]
    assert bars == [quote.bar for quote in quotes]
    hours = {
        datetime.fromtimestamp(bar.timestamp / 1_000, NEW_YORK).hour
        for bar in bars
        if isinstance(bar, Bar)
    }
    assert min(hours) < 9
    assert max(hours) >= 16
