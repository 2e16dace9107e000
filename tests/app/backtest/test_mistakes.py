"""What is wrong with the histories: all of it at once, by name, before anything runs."""

from pathlib import Path

import pytest
from tests.app.backtest.world import MINUTE, NOON, backtest, config, file_feed, write

LABEL = ("--format", "label=close")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    write(tmp_path, "SPY", range(1, 31))
    write(tmp_path, "QQQ", range(1, 31))
    return config(tmp_path)


def told(path: Path, *options: str | Path) -> str:
    """What a run that is refused says."""
    result = backtest(path, *options)
    assert result.exit_code == 2, result.output
    assert not (path.parent / "report").exists()
    return result.stderr


def test_everything_is_told_at_once(world: Path) -> None:
    folder = world.parent
    text = told(
        world,
        *("--data", f"SPY_1m={folder / 'nowhere.csv'}"),
        *("--data", f"SPY_1m={folder / 'twice.csv'}"),
        *("--data", f"DIA_1m={folder / 'SPY_1m.csv'}"),
        *("--data", "no-folder"),
        *("--format", "timezone=Mars"),
        *("--format", "lable=close"),
        *("--format", "nonsense"),
    )
    assert "config.toml: 8 mistakes" in text
    for each in (
        "--data SPY_1m = ",
        "cannot be read: No such file",
        "was given already",
        "--data = 'DIA_1m': is not wanted by the config; its sources are QQQ_1m SPY_1m SPY_5m",
        "--data = 'no-folder': expected SOURCE=FILE, or a folder that is there",
        "--format timezone = 'Mars': expected a time zone",
        "--format lable = 'close': no such key; did you mean label?",
        "--format = 'nonsense': expected KEY=VALUE",
        "expected_sources[1] = 'QQQ_1m': has no data: give --data QQQ_1m=FILE",
    ):
        assert each in text


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (["label=opn"], "--format label = 'opn': "),
        (["lable=open"], "--format lable = 'open': no such key; did you mean label?"),
        (["label"], "--format = 'label': expected KEY=VALUE"),
        (["label=close", "timezone=Mars"], "--format timezone = 'Mars': expected a time zone"),
        (["label=close", "time_unit=ms_of_day"], "--format: time_unit ms_of_day needs date"),
        (["label=close", "colums.time=x"], "--format colums = {'time': 'x'}: no such key; did you"),
    ],
)
def test_what_a_wrong_format_leads_to_is_not_told_beside_it(
    world: Path, form: list[str], expected: str
) -> None:
    options = [option for each in form for option in ("--format", each)]
    text = told(world, *options, "--data", world.parent)
    assert "config.toml: 1 mistake\n" in text
    assert f"  {expected}" in text
    (world.parent / "QQQ_1m.csv").write_bytes(b"\0" * 9)
    missing = ("--data", f"SPY_1m={world.parent / 'nowhere.csv'}")
    text = told(world, *options, "--data", world.parent, *missing)
    assert "config.toml: 2 mistakes\n" in text
    assert "--data SPY_1m = " in text


def test_a_wrong_format_is_told_alone_of_a_configs_own_files_too(world: Path) -> None:
    past = file_feed("open", SPY_1m="SPY_1m.csv", QQQ_1m="QQQ_1m.csv")
    path = config(world.parent, feeds={"past": past})
    text = told(path, "--format", "columns.time=3.5", "--data", world.parent)
    assert "config.toml: 1 mistake\n" in text


def test_a_label_that_is_not_given_is_asked_for_once_for_all_files_that_need_it(
    world: Path,
) -> None:
    text = told(world, "--data", world.parent)
    assert "config.toml: 1 mistake\n" in text
    assert "  --data SPY_1m QQQ_1m: give --format label=open or label=close: which end" in text
    path = config(world.parent, feeds={"past": file_feed("open", SPY_1m="SPY_1m.csv")})
    (world.parent / "SPY_1m.csv").rename(world.parent / "spy.csv")
    lacking = told(path, "--data", f"SPY_5m={world.parent / 'QQQ_1m.csv'}")
    assert "  --data SPY_5m: give --format label=open" in lacking


def test_mistakes_in_the_rest_of_the_config_are_told_beside(world: Path) -> None:
    text = world.read_text("utf-8").replace('"momentum"', '"momentun"')
    world.write_text(text, "utf-8")
    found = told(world, *LABEL, "--data", f"SPY_1m={world.parent / 'SPY_1m.csv'}")
    assert "momentun" in found
    assert "'QQQ_1m': has no data" in found
    assert "no feed has this source" not in found


def test_a_live_config_without_data_is_asked_for_it(world: Path) -> None:
    text = told(world)
    for source in ("SPY_1m", "QQQ_1m", "SPY_5m"):
        assert f"'{source}': has no data: give --data {source}=FILE" in text


def test_a_source_with_two_files_in_folders_is_told_unless_one_is_named(world: Path) -> None:
    other = world.parent / "other"
    other.mkdir()
    copy = write(other, "SPY", range(1, 11))
    folders = ("--data", world.parent, "--data", other)
    assert "--data SPY_1m: has 2 files" in told(world, *LABEL, *folders)
    result = backtest(world, *LABEL, *folders, "--data", f"SPY_1m={copy}")
    assert result.exit_code == 0, result.output


def test_rows_that_contradict_one_another_are_told_and_equal_ones_are_not(world: Path) -> None:
    path = world.parent / "SPY_1m.csv"
    rows = path.read_text("utf-8").splitlines()
    again = rows[20]
    path.write_text("\n".join([*rows, again]), "utf-8")
    assert backtest(world, *LABEL, "--data", world.parent).exit_code == 0
    (world.parent / "report" / "report.html").unlink()
    cells = again.split(",")
    other = ",".join([*cells[:-1], "77"])
    path.write_text("\n".join([*rows, other]), "utf-8")
    result = backtest(world, *LABEL, "--data", world.parent)
    assert result.exit_code == 2
    assert "1 row says another thing of a bar" in result.stderr
    assert "closes at 2026-01-02T12:20:00Z" in result.stderr


def test_nothing_within_the_period_is_told_with_what_there_is(world: Path) -> None:
    text = told(world, *LABEL, "--data", world.parent, "--from", "2026-02-01")
    assert "has bars from 2026-01-02T12:01:00Z to 2026-01-02T12:30:00Z, and none within" in text


def test_a_file_of_something_else_is_told_with_its_first_row(world: Path) -> None:
    (world.parent / "QQQ_1m.csv").write_text("timestamp,open,high,low,close,volume\nx,1,2,3\n")
    text = told(world, *LABEL, "--data", world.parent)
    assert "none of its 1 row is a bar of QQQ_1m" in text


def test_a_slash_in_a_name_may_be_a_hyphen_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "", range(1, 11), name="BTC-USD_1m.csv")
    synchronizer = {"type": "BarSynchronizer", "config": {"expected_sources": ["BTC/USD_1m"]}}
    path = config(
        tmp_path,
        feeds={"live": {"venue": "kraken", "sources": ["BTC/USD_1m"]}},
        containers={"c": {"components": {"s": synchronizer}}},
    )
    result = backtest(path, *LABEL, "--data", tmp_path)
    assert result.exit_code == 0, result.output


def test_bars_given_for_a_derived_source_go_before_made_ones(world: Path) -> None:
    fives = world.parent / "fives.csv"
    rows = [f"{NOON + minute * MINUTE},1,2,0.5,1.5,999" for minute in range(5, 31, 5)]
    fives.write_text("\n".join(["time,open,high,low,close,volume", *rows]), "utf-8")
    options = ("--data", world.parent, "--data", f"SPY_5m={fives}", "--events")
    assert backtest(world, *LABEL, *options).exit_code == 0
    text = (world.parent / "report" / "events.jsonl").read_text("utf-8")
    assert '"volume":999.0' in text


def test_a_configs_own_format_is_that_of_another_file_too(world: Path) -> None:
    past = file_feed("open", SPY_1m="old-SPY.csv", QQQ_1m="old-QQQ.csv")
    path = config(world.parent, feeds={"past": past})
    result = backtest(path, "--data", world.parent)
    assert result.exit_code == 0, result.output
    sets = (world.parent / "report" / "sets.csv").read_text("utf-8").splitlines()
    assert sets[1].split(",")[1] == str(NOON + 2 * MINUTE)  # labelled with its open


@pytest.mark.parametrize("feeds", [3, {}, {"live": 3}, {"live": {"venue": "kraken"}}])
def test_a_config_with_broken_feeds_is_told_and_never_a_traceback(
    tmp_path: Path, feeds: object
) -> None:
    path = config(tmp_path, feeds=feeds)
    assert backtest(path, *LABEL, "--data", tmp_path).exit_code == 2
