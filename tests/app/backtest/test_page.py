"""The page: what comes from outside is text in it, and it asks for nothing."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from tests.app.backtest.world import backtest, config, write

HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a config in which every name is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    write(folder, "SPY", range(1, 41))
    components = {
        HOSTILE: {"type": "BarSynchronizer", "config": {"expected_sources": ["SPY_1m"]}},
        "f": {"type": "MultiSymbolFeatureCalculator"},
        "s": {
            "type": "StrategyRunner",
            "config": {"strategies": [{"name": "momentum", "label": HOSTILE}]},
        },
        "p": {"type": "Portfolio"},
    }
    path = config(
        folder,
        service={"name": HOSTILE},
        feeds={HOSTILE: {"venue": "binance", "sources": ["SPY_1m"]}},
        containers={HOSTILE: {"components": components}},
    )
    result = backtest(path, "--data", folder, "--format", "label=close")
    assert result.exit_code == 0, result.output
    return (folder / "report" / "report.html").read_text("utf-8")


def scripts(page: str) -> list[str]:
    return re.findall(r"<script>(.*?)</script>", page, re.DOTALL)


def test_hostile_names_are_text(page: str) -> None:
    assert HOSTILE not in page
    assert "<img" not in page.replace(scripts(page)[0], "")
    assert page.count("&lt;/script&gt;&lt;script&gt;alert") >= 4


def test_only_the_two_scripts_that_the_policy_names_can_run(page: str) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
    found = scripts(page)
    assert len(found) == 2
    for script in found:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"sha256-{digest}" in policy.replace("&#39;", "'")
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe-inline" not in re.findall(r"script-src (.*?);", policy)[0]


def test_the_page_names_no_other_place(page: str) -> None:
    own = page.replace(scripts(page)[0], "")
    assert "://" not in own
    assert {each for each in re.findall(r'href="(.*?)"', own) if "/" in each} == set()


def test_the_charts_hold_no_name_out_of_the_config(page: str) -> None:
    (data,) = re.findall(r'<script type="application/json" id="charts">(.*?)</script>', page)
    charts = json.loads(data)
    assert [chart["id"] for chart in charts] == [f"chart-0-{number}" for number in range(4)]
    assert "alert" not in data
    for chart in charts:
        assert f'id="{chart["id"]}"' in page


def test_what_it_assumes_is_said(page: str) -> None:
    for each in ("filled at the close of T", "no market impact", "borrowed", "listed no more"):
        assert each in page
    assert 'id="partial"' not in page


def test_a_whole_page_begins_as_one(page: str) -> None:
    assert page.startswith("<!doctype html>")
    assert len(page) < 6_000_000


def test_a_file_with_a_hostile_name_is_text_too(tmp_path: Path) -> None:
    path = write(tmp_path, "SPY", range(1, 11), name="<b onclick=x>.csv")
    synchronizer = {"type": "BarSynchronizer", "config": {"expected_sources": ["SPY_1m"]}}
    feeds = {"live": {"venue": "binance", "sources": ["SPY_1m"]}}
    world = config(tmp_path, feeds=feeds, containers={"c": {"components": {"s": synchronizer}}})
    result = backtest(world, "--data", f"SPY_1m={path}", "--format", "label=close")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "<b onclick" not in text
    assert "&lt;b onclick=x&gt;.csv" in text
