"""What is said of histories that look like something else."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.app.backtest.world import write

from barsync_async.app.doubtful_histories import warn_of_doubtful
from barsync_async.shell.feeds.file_feed import BarHistory
from barsync_async.shell.histories.history_reader import open_history
from barsync_async.units import SourceId
from barsync_async.venues.history_format import Columns, FileFormat

FORM = FileFormat(label="close", time_unit="ms", columns=Columns(time="timestamp"))


def history(folder: Path, symbol: str, minutes: Iterable[int]) -> BarHistory:
    return open_history(write(folder, symbol, minutes), SourceId(f"{symbol}_1m"), FORM)


def told(*histories: BarHistory) -> list[str]:
    with capture_logs() as logs:
        warn_of_doubtful({"f": histories})
    return [line["event"] for line in logs]


def test_bars_of_a_longer_timeframe_are_told(tmp_path: Path) -> None:
    spy = history(tmp_path, "SPY", range(15, 300, 15))
    with capture_logs() as logs:
        warn_of_doubtful({"f": [spy]})
    (line,) = logs
    assert line["event"] == "no two bars are as near as their timeframe"
    assert (line["source"], line["nearest"]) == ("SPY_1m", "15 min")


@pytest.mark.parametrize(
    "minutes",
    [
        [*range(15, 300, 15), 301, 302],  # mostly silent
        range(15, 100, 15),  # too few to say
        [*range(300, 15, -1)],
    ],
)
def test_a_market_that_is_often_silent_is_not(tmp_path: Path, minutes: list[int]) -> None:
    assert told(history(tmp_path, "SPY", minutes)) == []


def test_histories_without_a_time_in_common_are_told(tmp_path: Path) -> None:
    spy, qqq = history(tmp_path, "SPY", range(1, 50)), history(tmp_path, "QQQ", range(60, 90))
    with capture_logs() as logs:
        warn_of_doubtful({"f": [qqq], "g": [spy]})
    (line,) = logs
    assert line["event"] == "histories have no time in common"
    assert line["ends"] == {"SPY_1m": "2026-01-02 12:49Z"}
    assert line["begins"] == {"QQQ_1m": "2026-01-02 13:00Z"}


def test_those_that_meet_are_not(tmp_path: Path) -> None:
    spy, qqq = history(tmp_path, "SPY", range(1, 61)), history(tmp_path, "QQQ", range(60, 90))
    assert told(spy, qqq) == []
    assert told() == []
