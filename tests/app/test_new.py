"""What ``barsync new`` writes: good from the first moment on, and over nobody's work."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from barsync_async.app.cli import main


def new(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["new", *map(str, arguments)])


def ran(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(("what", "key"), [("strategy", "strategies"), ("indicator", "indicators")])
def test_it_is_written_with_a_test_that_passes(tmp_path: Path, what: str, key: str) -> None:
    folder = tmp_path / "desk"
    result = new(what, "follow_trend", "--directory", folder)
    assert result.exit_code == 0, result.output
    assert f'{key} = ["follow_trend:FollowTrend"]' in result.output
    assert sorted(path.name for path in folder.iterdir()) == [
        "follow_trend.py",
        "test_follow_trend.py",
    ]
    options = ("-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:asyncio")
    tested = ran(folder, "-m", "pytest", *options)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "3 passed" in tested.stdout


def test_the_example_of_the_strategies_page_holds(tmp_path: Path) -> None:
    new("strategy", "follow_trend", "--directory", tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    done = ran(tmp_path, "-W", "error", "-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("what", ["strategy", "indicator"])
def test_what_is_written_is_clean(tmp_path: Path, what: str) -> None:
    new(what, "mine_own", "--directory", tmp_path)
    style = ("--isolated", "--line-length=100")
    checked = ran(tmp_path, "-m", "ruff", "check", *style, "--select", "E,F,I,B,UP,SIM,PL")
    assert checked.returncode == 0, checked.stdout
    formatted = ran(tmp_path, "-m", "ruff", "format", *style, "--check")
    assert formatted.returncode == 0, formatted.stdout
    typed = ran(tmp_path, "-m", "mypy", "--strict", "--cache-dir", os.devnull, "mine_own.py")
    assert typed.returncode == 0, typed.stdout


def test_the_written_strategy_runs_by_its_path(tmp_path: Path) -> None:
    new("strategy", "mine_own", "--directory", tmp_path)
    code = """
from barsync_async import StrategyRunner
print(StrategyRunner([{"name": "mine_own:MineOwn", "units": 2.0}]).strategy_names)
"""
    assert ran(tmp_path, "-c", code).stdout == "('mine_own',)\n"


def test_the_written_indicator_runs_by_its_path(tmp_path: Path) -> None:
    new("indicator", "mine_own", "--directory", tmp_path)
    code = """
from barsync_async.indicator_choice import parse_indicators
print([spec.label for spec in parse_indicators([{"name": "mine_own:MineOwn", "window": 5}])])
"""
    assert ran(tmp_path, "-c", code).stdout == "['MineOwn_5']\n"


@pytest.mark.parametrize("there", ["mine.py", "test_mine.py"])
def test_nothing_is_written_over_and_then_nothing_is_written_at_all(
    tmp_path: Path, there: str
) -> None:
    (tmp_path / there).write_text("mine", encoding="utf-8")
    result = new("strategy", "mine", "--directory", tmp_path)
    assert result.exit_code == 1
    assert f"{tmp_path / there} is there already; nothing was written" in result.output
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["Mine", "my-own", "1st", "class", "", "a.b", "../up", "größe"])
def test_a_name_that_is_no_modules_name_is_refused(tmp_path: Path, name: str) -> None:
    result = new("strategy", name, "--directory", tmp_path)
    assert result.exit_code == 2
    assert "is no module's name" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["json", "numpy", "barsync_async"])
def test_a_name_that_would_hide_a_module_is_refused(tmp_path: Path, name: str) -> None:
    result = new("strategy", name, "--directory", tmp_path)
    assert result.exit_code == 2
    assert f"there is a module '{name}' already" in result.output


@pytest.mark.parametrize(
    ("what", "name", "kind"),
    [
        ("strategy", "decision", "Decision"),
        ("strategy", "portfolio_update", "PortfolioUpdate"),
        ("strategy", "value_error", "ValueError"),
        ("indicator", "fresh_bars", "FreshBars"),
        ("indicator", "class_var", "ClassVar"),
    ],
)
def test_a_name_whose_class_would_hide_what_the_example_uses_is_refused(
    tmp_path: Path, what: str, name: str, kind: str
) -> None:
    result = new(what, name, "--directory", tmp_path)
    assert result.exit_code == 2
    assert f"its class {kind} would hide" in " ".join(result.output.split())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = new("strategy", "mine", "--directory", tmp_path / "file" / "below")
    assert result.exit_code == 1
    assert "Not a directory" in result.output
