"""How far the reading is: a bar on a terminal, elsewhere a line now and then."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.app.backtest.world import NOON, write

from barsync_async.app import progress as module
from barsync_async.app.progress import Progress
from barsync_async.messages import Event, EventType
from barsync_async.shell.container import Container
from barsync_async.shell.feeds.file_feed import BarHistory
from barsync_async.shell.histories.history_reader import open_history
from barsync_async.testing import create_bar_event
from barsync_async.units import SourceId
from barsync_async.venues.history_format import Columns, FileFormat
from barsync_async.venues.history_rows import HistoryItem

FORM = FileFormat(label="close", time_unit="ms", columns=Columns(time="timestamp"))


class Terminal(io.StringIO):
    """Standard error, as a terminal."""

    def isatty(self) -> bool:
        return True


def history(folder: Path, symbol: str, bars: int) -> BarHistory:
    path = write(folder, symbol, range(1, bars + 1))
    return open_history(path, SourceId(f"{symbol}_1m"), FORM)


def taken(watched: Sequence[BarHistory]) -> list[Sequence[HistoryItem]]:
    return [[*chunk] for each in watched for chunk in each.chunks(16_384)]


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress({"f": [history(tmp_path, "SPY", 1_500), history(tmp_path, "QQQ", 700)]})


@pytest.fixture
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_SAY_NS", "_REDRAW_NS"):
        monkeypatch.setattr(module, name, 0)


def test_it_is_whole_once_the_last_bar_of_every_history_was_taken(progress: Progress) -> None:
    first, second = progress.watched["f"]
    whole: list[bool] = []
    with progress:
        taken([first])
        whole.append(progress.is_whole)
        whole.extend(progress.is_whole for chunk in second.chunks(16_384) if [*chunk])
        whole.append(progress.is_whole)
    assert whole == [False, False, False, True]
    assert progress.bars == 2_200


@pytest.mark.usefixtures("_in_no_time")
def test_a_terminal_shows_a_bar_with_the_share_the_rate_and_the_markets_time(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    container = Container("c")
    progress.watch([container])
    bar = create_bar_event("SPY_1m", NOON + 90 * 60_000).payload
    with progress:
        container.event_bus.publish(Event(EventType.SYNCHRONIZED_BARS, bar))
        taken(progress.watched["f"])
    shown = terminal.getvalue()
    assert " 23%" in shown  # 512 of 2,200
    assert "100%" in shown
    assert "sets/s, at 2026-01-02 13:30" in shown


@pytest.mark.usefixtures("_in_no_time")
def test_a_log_gets_a_line_now_and_then(
    progress: Progress, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress:
        taken(progress.watched["f"])
    lines = capsys.readouterr()
    told = (lines.out + lines.err).splitlines()
    assert "bars=2200" in told[0]
    assert "first='2026-01-02 12:01'" in told[0]
    assert "last='2026-01-03 13:00'" in told[0]
    assert len(told[1:]) == 5  # as many as chunks
    assert all("percent=" in line and "sets_per_s=" in line for line in told[1:])


def test_most_of_the_time_nothing_is_said(
    progress: Progress, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress:
        taken(progress.watched["f"])
    assert capsys.readouterr().err == ""
