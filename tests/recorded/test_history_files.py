"""Real files of past bars, of two makers, read into bars and held against one another."""

import datetime as dt
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from barsync_async.errors import HistoryError
from barsync_async.messages import Bar
from barsync_async.shell.histories.history_reader import History, open_history
from barsync_async.testing import create_bar
from barsync_async.units import TIMEFRAMES, SourceId
from barsync_async.venues.history_format import PLACES, Columns, FileFormat

BARS = Path(__file__).resolve().parents[3] / "shared" / "samples" / "bars"
NEW_YORK = "America/New_York"
NAMED = FileFormat(label="close", timezone=NEW_YORK, columns=Columns(time="datetime"))
OF_DAY = FileFormat(
    label="open",
    timezone=NEW_YORK,
    time_unit="ms_of_day",
    date=dt.date(2013, 10, 7),
    price_scale=10_000,
    header=False,
    columns=PLACES,
)
COINS = msgspec.structs.replace(OF_DAY, timezone="UTC", date=dt.date(2018, 4, 5), price_scale=1)
MINUTE = 60_000


def history(name: str, source: str, form: FileFormat) -> History:
    path = BARS / name
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {path}: CI must have the samples beside the project")
        pytest.skip(f"no {path}")
    return open_history(path, SourceId(source), form)


def bars(read: History) -> Sequence[Bar]:
    return [each for chunk in read.chunks(500) for each in chunk if isinstance(each, Bar)]


def at(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp() * 1_000)


def holes(read: History) -> Sequence[int]:
    """The closes that lie between two bars which are no neighbours, within one day."""
    length = TIMEFRAMES[read.source.rpartition("_")[2]].length_ms
    return [
        missing
        for before, after in pairwise(bars(read))
        if after.timestamp - before.timestamp < 12 * 60 * MINUTE
        for missing in range(before.timestamp + length, after.timestamp, length)
    ]


@pytest.mark.parametrize(
    ("name", "source", "count", "order", "first", "last"),
    [
        ("SPY_1min.csv", "SPY_1m", 1_950, "descending",
         "2019-02-11T09:31-05:00", "2019-02-15T16:00-05:00"),
        ("AAPL_1min.csv", "AAPL_1m", 1_948, "descending",
         "2019-02-11T09:31-05:00", "2019-02-15T16:00-05:00"),
        ("MSFT_1min.csv", "MSFT_1m", 1_948, "descending",
         "2019-02-11T09:31-05:00", "2019-02-15T16:00-05:00"),
        ("SPY_15min.csv", "SPY_15m", 780, "descending",
         "2019-01-04T09:45-05:00", "2019-02-15T16:00-05:00"),
        ("spy_20131007_trade.zip", "SPY_1m", 828, "ascending",
         "2013-10-07T04:01-04:00", "2013-10-07T20:00-04:00"),
        ("aig_20131007_trade.zip", "AIG_1m", 433, "ascending",
         "2013-10-07T04:01-04:00", "2013-10-07T20:00-04:00"),
        ("btcusd_20180405_trade.zip", "BTCUSD_1m", 1_440, "ascending",
         "2018-04-05T00:01Z", "2018-04-06T00:00Z"),
    ],
)  # fmt: skip
def test_every_row_is_a_bar_and_they_come_out_once_each_in_order(
    name: str, source: str, count: int, order: str, first: str, last: str
) -> None:
    form = NAMED if name.endswith(".csv") else COINS if name.startswith("btc") else OF_DAY
    read = history(name, source, form)
    survey = read.survey
    assert (survey.bars, survey.rejections) == (count, 0)
    assert (survey.order, survey.out_of_order) == (order, 0)
    assert (survey.first, survey.last) == (at(first), at(last))
    stamps = [each.timestamp for each in bars(read)]
    assert len(stamps) == count
    assert all(before < after for before, after in pairwise(stamps))
    assert (stamps[0], stamps[-1]) == (survey.first, survey.last)
    assert {each.source for each in bars(read)} == {source}


def test_the_values_are_those_of_the_file() -> None:
    first, *_, last = bars(history("SPY_1min.csv", "SPY_1m", NAMED))
    assert last == create_bar(
        "SPY_1m", at("2019-02-15T16:00-05:00"), 277.39,
        open=277.27, high=277.4, low=277.19, volume=2_689_895,
    )  # fmt: skip
    assert first == create_bar(
        "SPY_1m", at("2019-02-11T09:31-05:00"), 271.34,
        open=271.19, high=271.34, low=271.07, volume=1_488_804,
    )  # fmt: skip
    coin = bars(history("btcusd_20180405_trade.zip", "BTCUSD_1m", COINS))[0]
    assert coin == create_bar(
        "BTCUSD_1m", at("2018-04-05T00:01Z"), 6778.01,
        open=6791.68, high=6791.68, low=6778.01, volume=26.84379253,
    )  # fmt: skip


def test_scaled_prices_are_the_decimals_that_were_meant() -> None:
    read = bars(history("spy_20131007_trade.zip", "SPY_1m", OF_DAY))
    assert read[0] == create_bar(
        "SPY_1m", at("2013-10-07T04:01-04:00"), 167.27,
        open=167.41, high=167.41, low=167.25, volume=3_197,
    )  # fmt: skip
    for each in read:
        for price in (each.open, each.high, each.low, each.close):
            assert len(repr(price).partition(".")[2]) <= 4


def test_the_minutes_without_a_trade_are_holes() -> None:
    spy = history("SPY_1min.csv", "SPY_1m", NAMED)
    assert holes(spy) == []
    apple = holes(history("AAPL_1min.csv", "AAPL_1m", NAMED))
    microsoft = holes(history("MSFT_1min.csv", "MSFT_1m", NAMED))
    assert len(apple) == len(microsoft) == 2
    day = range(at("2019-02-14T09:30-05:00"), at("2019-02-14T16:00-05:00"))
    assert all(each in day for each in (*apple, *microsoft))
    aig = history("aig_20131007_trade.zip", "AIG_1m", OF_DAY)
    assert len(holes(aig)) == 16 * 60 - 433
    assert holes(history("btcusd_20180405_trade.zip", "BTCUSD_1m", COINS)) == []


def test_fifteen_minutes_together_are_the_bar_of_fifteen_minutes() -> None:
    minutes: dict[int, Bar] = {
        each.timestamp: each for each in bars(history("SPY_1min.csv", "SPY_1m", NAMED))
    }
    compared = 0
    for whole in bars(history("SPY_15min.csv", "SPY_15m", NAMED)):
        stamps = range(whole.timestamp - 14 * MINUTE, whole.timestamp + 1, MINUTE)
        parts = [minutes[each] for each in stamps if each in minutes]
        if not parts:
            continue
        assert len(parts) == 15
        assert whole == create_bar(
            "SPY_15m", whole.timestamp, parts[-1].close, open=parts[0].open,
            high=max(each.high for each in parts), low=min(each.low for each in parts),
            volume=sum(each.volume for each in parts),
        )  # fmt: skip
        compared += 1
    assert compared == 130


def test_a_wrong_guess_about_a_file_is_told_and_not_taken() -> None:
    path = history("SPY_1min.csv", "SPY_1m", NAMED).path
    with pytest.raises(HistoryError, match="no column 'time'; there are datetime, open, high, low"):
        open_history(path, SourceId("SPY_1m"), FileFormat(label="close", timezone=NEW_YORK))
    zoneless = msgspec.structs.replace(NAMED, timezone=None)
    with pytest.raises(
        HistoryError, match=r"none of its 1,950 rows .* has no offset, and no timezone"
    ):
        open_history(path, SourceId("SPY_1m"), zoneless)
