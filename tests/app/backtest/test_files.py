"""The report's files, whoever opens them."""

import csv
from pathlib import Path
from typing import Any

import pytest

from barsync_async.app.backtest.files import write_report
from barsync_async.report.tables import Table


def written(folder: Path, cell: Any) -> str:
    """What stands in the CSV for one cell."""
    table = Table("strategies", {"strategy": [cell]})
    write_report(folder, [table], " ".join, events=False)
    with (folder / "strategies.csv").open(encoding="utf-8", newline="") as file:
        header, (text,) = csv.reader(file)
    assert header == ["strategy"]
    return text


@pytest.mark.parametrize(
    "name", ['=HYPERLINK("http://x")', "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1"]
)
def test_a_name_is_no_formula_in_a_spreadsheet(tmp_path: Path, name: str) -> None:
    assert written(tmp_path, name) == f"'{name}"


@pytest.mark.parametrize("cell", [-1.5, -3, "momentum", "a-b", "'quoted'", "a=b", "BTC/USD_1m"])
def test_numbers_and_other_names_stay_what_they_are(tmp_path: Path, cell: Any) -> None:
    assert written(tmp_path, cell) == str(cell)
