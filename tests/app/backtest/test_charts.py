"""What the charts show, as the plotting library is told it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.app.backtest.world import MINUTE, NOON, backtest, config, write


def charts(folder: Path, minutes: range) -> dict[str, Any]:
    """By title, of a backtest in which both sources have bars of these minutes."""
    for symbol in ("SPY", "QQQ"):
        write(folder, symbol, minutes)
    result = backtest(config(folder), "--data", folder, "--format", "label=close")
    assert result.exit_code == 0, result.output
    page = (folder / "report" / "report.html").read_text("utf-8")
    (data,) = re.findall(r'<script type="application/json" id="charts">(.*?)</script>', page)
    return {chart["data"][0]["name"]: chart for chart in json.loads(data)}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return charts(tmp_path_factory.mktemp("many"), range(1, 61))


@pytest.fixture(scope="module")
def only(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return charts(tmp_path_factory.mktemp("one"), range(1, 2))


def test_all_charts_have_one_time_axis_that_says_that_it_is_utc(drawn: dict[str, Any]) -> None:
    axes = [chart["layout"]["xaxis"] for chart in drawn.values()]
    assert len(axes) == 4
    assert all(axis == axes[0] for axis in axes)
    assert axes[0]["range"] == [NOON + MINUTE // 2, NOON + 61 * MINUTE]
    assert axes[0]["title"]["text"] == "UTC"
    assert axes[0]["hoverformat"].endswith("UTC")


def test_the_last_step_lasts_as_long_as_the_others(drawn: dict[str, Any]) -> None:
    assert drawn["complete"]["data"][0]["x"][-2:] == [NOON + 60 * MINUTE, NOON + 61 * MINUTE]


def test_a_single_set_can_be_seen(only: dict[str, Any]) -> None:
    begin, end = only["complete"]["data"][0]["x"]
    assert (begin, end) == (NOON + MINUTE, NOON + 2 * MINUTE)
    left, right = only["complete"]["layout"]["xaxis"]["range"]
    assert left < begin < end <= right
    assert [trace["mode"] for trace in only["Equity"]["data"]] == ["markers"]


def test_a_flat_line_has_an_axis_of_round_figures(only: dict[str, Any]) -> None:
    (equity,) = only["Equity"]["data"][0]["y"]
    assert only["Equity"]["layout"]["yaxis"]["range"] == [0.99 * equity, 1.01 * equity]
    assert only["Drawdown, %"]["layout"]["yaxis"]["range"] == [-1, 0]
    assert only["Gross exposure, % of equity"]["layout"]["yaxis"]["range"] == [0, 1]


def test_a_line_that_moves_is_left_to_the_library(drawn: dict[str, Any]) -> None:
    assert len(set(drawn["Equity"]["data"][0]["y"])) > 1
    assert "range" not in drawn["Equity"]["layout"]["yaxis"]
