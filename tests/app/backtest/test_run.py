"""``barsync backtest``: what is run, what is written, what is the same."""

import csv
import itertools
import json
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.app.backtest.world import MINUTE, NOON, backtest, config, events, file_feed, write

from barsync_async.app.cli import main
from barsync_async.errors import ConservationBroken
from barsync_async.portfolio import Book

LABEL = ("--format", "label=close")


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "report" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    write(tmp_path, "SPY", range(1, 121))
    write(tmp_path, "QQQ", [minute for minute in range(1, 121) if minute not in (7, 50)])
    return config(tmp_path)


def test_histories_take_the_place_of_the_feeds_and_a_report_comes_out(world: Path) -> None:
    result = backtest(world, "--data", world.parent, *LABEL)
    assert result.exit_code == 0, result.output
    assert "c: 120 sets of 120 timestamps, 98.33 % complete" in result.stdout
    names = {path.name for path in (world.parent / "report").iterdir()}
    tables = {"sets", "equity", "strategies", "sources"}
    kinds = ("csv", "parquet")
    assert names == {
        "report.files",
        "report.html",
        *(f"{name}.{kind}" for name in tables for kind in kinds),
    }
    assert not (world.parent / "live.jsonl").exists()


def test_the_figures_are_those_of_the_events_that_outputs_get(world: Path) -> None:
    assert backtest(world, "--data", world.parent, *LABEL, "--events").exit_code == 0
    lines = events(world.parent)
    by_type: dict[str, list[Any]] = {}
    for line in lines:
        by_type.setdefault(line["type"], []).append(line)
    sets, versions = by_type["SYNCHRONIZED_BARS"], by_type["PORTFOLIO"]
    told = rows(world.parent, "sets")
    assert [int(row["timestamp"]) for row in told] == [line["timestamp"] for line in sets]
    assert [row["outcome"] for row in told] == [line["status"] for line in sets]
    equity = rows(world.parent, "equity")
    assert [float(row["equity"]) for row in equity] == [line["equity"] for line in versions]
    assert any(line["positions"] for line in versions)
    peak = 0.0
    for row, line in zip(equity, versions, strict=True):
        peak = max(peak, line["equity"])
        assert float(row["drawdown"]) == pytest.approx(1 - line["equity"] / peak, abs=1e-12)
        net = line["equity"] - line["cash"]
        assert float(row["net"]) == pytest.approx(net, abs=1e-6)
    for row in rows(world.parent, "strategies"):
        said = [line for line in by_type["SIGNAL"] if line["strategy"] == row["strategy"]]
        applied = [line for line in versions if row["strategy"] in line["applied"]]
        assert (int(row["decisions"]), int(row["applied"])) == (len(said), len(applied))
    gain = sum(float(row["gain"]) for row in rows(world.parent, "strategies"))
    assert gain == pytest.approx(versions[-1]["equity"] - versions[0]["equity"], abs=1e-6)
    for row in rows(world.parent, "sources"):
        cells = [line["bars"].get(row["source"]) for line in sets]
        for provenance in ("fresh", "carried", "filled"):
            found = sum(cell is not None and cell["provenance"] == provenance for cell in cells)
            assert int(row[provenance]) == found
        assert int(row["missing"]) == sum(row["source"] in line["sources_missing"] for line in sets)
        assert int(row["received"]) == int(row["fresh"])


def test_parquet_holds_what_the_csv_does(world: Path) -> None:
    parquet: Any = import_module("pyarrow.parquet")
    assert backtest(world, "--data", world.parent, *LABEL).exit_code == 0
    for name in ("sets", "equity", "strategies", "sources"):
        table = parquet.read_table(world.parent / "report" / f"{name}.parquet")
        told = rows(world.parent, name)
        assert table.num_rows == len(told)
        for column in table.column_names:
            if column != "timestamp":
                values = table.column(column).to_pylist()
                assert [str(each) for each in values] == [row[column] for row in told]
        if "timestamp" in table.column_names:
            stamps = [each.timestamp() * 1_000 for each in table.column("timestamp").to_pylist()]
            assert stamps == [int(row["timestamp"]) for row in told]


def test_the_events_are_byte_for_byte_those_of_a_run_on_the_same_files(world: Path) -> None:
    assert backtest(world, "--data", world.parent, *LABEL, "--events").exit_code == 0
    feeds = {"live": file_feed(SPY_1m="SPY_1m.csv", QQQ_1m="QQQ_1m.csv")}
    again = config(world.parent, feeds=feeds)
    assert CliRunner().invoke(main, ["run", str(again)]).exit_code == 0
    by_run = (world.parent / "live.jsonl").read_bytes()
    assert (world.parent / "report" / "events.jsonl").read_bytes() == by_run
    types = {json.loads(line)["type"] for line in by_run.splitlines()}
    assert {"SYNCHRONIZED_BARS", "FEATURES", "SIGNAL", "PORTFOLIO"} <= types
    assert backtest(again, "--events").exit_code == 0  # its own files, and no --data
    assert (world.parent / "report" / "events.jsonl").read_bytes() == by_run


def test_two_runs_write_the_same_bytes_and_nothing_is_left_of_an_earlier_one(world: Path) -> None:
    assert backtest(world, "--data", world.parent, *LABEL, "--events").exit_code == 0
    folder = world.parent / "report"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert backtest(world, "--data", world.parent, *LABEL, "--events").exit_code == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert backtest(world, "--data", world.parent, *LABEL).exit_code == 0
    assert not (folder / "events.jsonl").exists()


def test_files_that_no_report_wrote_stay_as_they_are(world: Path) -> None:
    folder = world.parent / "report"
    folder.mkdir()
    (folder / "events.jsonl").write_text("a daemon's", "utf-8")
    (folder / "prices.csv").write_text("mine", "utf-8")
    for _ in range(2):
        assert backtest(world, "--data", world.parent, *LABEL).exit_code == 0
    assert (folder / "events.jsonl").read_text("utf-8") == "a daemon's"
    assert (folder / "prices.csv").read_text("utf-8") == "mine"


@pytest.mark.parametrize("name", ["events.jsonl", "sources.csv", "report.html", "report.files"])
def test_a_file_in_the_way_that_no_report_wrote_is_told_before_anything_runs(
    world: Path, name: str
) -> None:
    folder = world.parent / "report"
    folder.mkdir()
    (folder / name).write_text("mine", "utf-8")
    result = backtest(world, "--data", world.parent, *LABEL, "--events")
    assert result.exit_code == 2
    assert f"'{folder / name}'" in result.stderr
    assert "no report wrote this file" in result.stderr
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text("utf-8") == "mine"


def test_what_broke_a_run_off_stands_on_the_report_of_what_there_is(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply, calls = Book.apply, itertools.count(1)

    def broken(*given: Any, **named: Any) -> Any:
        if next(calls) == 50:
            raise ConservationBroken(1.0, 2.0)
        return apply(*given, **named)

    monkeypatch.setattr(Book, "apply", broken)
    result = backtest(world, "--data", world.parent, *LABEL)
    assert result.exit_code == 1
    page = (world.parent / "report" / "report.html").read_text("utf-8")
    assert "ConservationBroken" in page[page.index('id="partial"') :]
    assert "partial: ConservationBroken" in result.stdout
    assert 0 < len(rows(world.parent, "sets")) < 120


def test_a_run_that_is_stopped_says_how_many_bars_it_went_through(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply, calls = Book.apply, itertools.count(1)

    def stopping(*given: Any, **named: Any) -> Any:
        if next(calls) == 50:
            signal.raise_signal(signal.SIGINT)
        return apply(*given, **named)

    monkeypatch.setattr(Book, "apply", stopping)
    result = backtest(world, "--data", world.parent, *LABEL)
    assert result.exit_code == 0, result.output
    assert "partial: It was stopped" in result.stdout
    received = {row["source"]: int(row["received"]) for row in rows(world.parent, "sources")}
    went_through = received["SPY_1m"] + received["QQQ_1m"]
    assert 90 < went_through < 110
    assert f"{went_through} bars in " in result.stdout


def test_only_bars_between_two_moments_are_run(world: Path) -> None:
    options = ("--from", "2026-01-02T12:10", "--to", "2026-01-02T13:30:00+00:00")
    assert backtest(world, "--data", world.parent, *LABEL, *options).exit_code == 0
    stamps = [int(row["timestamp"]) for row in rows(world.parent, "sets")]
    assert stamps == [NOON + minute * MINUTE for minute in range(11, 91)]


def test_a_day_is_whole_at_either_end(world: Path) -> None:
    options = ("--from", "2026-01-02", "--to", "2026-01-02")
    assert backtest(world, "--data", world.parent, *LABEL, *options).exit_code == 0
    assert len(rows(world.parent, "sets")) == 120


@pytest.mark.parametrize(
    "options",
    [
        ("--from", "yesterday"),
        ("--from", "2026-01-03", "--to", "2026-01-02"),
        ("--to", "2026-13-01"),
    ],
)
def test_a_moment_that_is_none_is_bad_usage(world: Path, options: tuple[str, ...]) -> None:
    assert backtest(world, "--data", world.parent, *LABEL, *options).exit_code == 2


def test_a_container_without_strategies_has_a_report_of_its_sets_alone(tmp_path: Path) -> None:
    write(tmp_path, "SPY", range(1, 31))
    synchronizer = {"type": "BarSynchronizer", "config": {"expected_sources": ["SPY_1m"]}}
    path = config(tmp_path, containers={"plain": {"components": {"s": synchronizer}}})
    result = backtest(path, "--data", tmp_path, *LABEL)
    assert result.exit_code == 0, result.output
    names = {each.name for each in (tmp_path / "report").glob("*.csv")}
    assert names == {"sets.csv", "sources.csv"}


def test_a_report_that_cannot_be_written_is_told_before_anything_runs(world: Path) -> None:
    (world.parent / "report").write_text("in the way", "utf-8")
    result = backtest(world, "--data", world.parent, *LABEL)
    assert result.exit_code == 2
    given = ["backtest", str(world), "--data", str(world.parent), *LABEL]
    below = CliRunner().invoke(main, [*given, "--report", str(world / "below")])
    assert below.exit_code == 1
    assert "cannot be written" in below.stderr
    assert "sets" not in below.stdout


def test_without_the_packages_that_draw_the_extra_is_named(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    result = backtest(world, "--data", world.parent, *LABEL)
    assert result.exit_code == 1
    assert "pip install 'barsync-async[report]'" in result.stderr
