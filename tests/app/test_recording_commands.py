"""The commands on recordings, and the table of venues."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.end_to_end.venue import kline
from tests.shell.recordings.recordings import (
    WALL,
    Line,
    began,
    frame,
    opened,
    stopped,
    write,
)

from barsync_async.app.cli import main
from barsync_async.app.venues import all_venues, one_venue
from barsync_async.venues import CODECS

SOURCES = ("SPY_1s", "QQQ_1s")
FIRST = WALL // 1_000_000

CONFIG = """
[service]
log_format = "json"
[feeds.sim]
venue = "binance"
url = "ws://127.0.0.1:9"
sources = ["SPY_1s", "QQQ_1s"]
[containers.agg.components.synchronizer]
type = "BarSynchronizer"
config = { expected_sources = ["SPY_1s", "QQQ_1s"], require_all = false }
[containers.agg.components.features]
type = "MultiSymbolFeatureCalculator"
[containers.agg.components.strategies]
type = "StrategyRunner"
config = { strategies = ["momentum"] }
[outputs.events]
type = "jsonl"
path = "-"
"""
FILES = """
[feeds.bars]
venue = "file"
sources = ["SPY_1s"]
files.SPY_1s = { path = "spy.csv", label = "open" }
[containers.agg.components.synchronizer]
type = "BarSynchronizer"
config = { expected_sources = ["SPY_1s"] }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Ten seconds of two sources; one bar of QQQ is missing."""
    return write(tmp_path / "day.jsonl", *day())


def day(name: str = "sim") -> list[Line]:
    lines = [began(name, sources=SOURCES), opened(0.5, name=name)]
    lines.append(frame(0.6, '{"result":null,"id":1}'))
    for second in range(1, 11):
        for source in SOURCES:
            if (source, second) != ("QQQ_1s", 5):
                bar = kline(source, FIRST + second * 1_000, 100 + second)
                lines.append(frame(second + 0.01 * (1 + (source == "QQQ_1s")), bar))
    return [*lines, stopped(12)]


def barsync(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def events(result: Result, kind: str) -> list[Line]:
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return [line for line in lines if line["type"] == kind]


def logged(result: Result, event: str) -> list[Line]:
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    return [line for line in lines if line["event"] == event]


# replay


def test_a_recording_replayed_on_virtual_time_gives_its_sets_and_the_same_bytes_every_time(
    config: Path, recording: Path
) -> None:
    first, again = (barsync("replay", recording, config, "--virtual") for _ in range(2))
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert first.stdout == again.stdout
    sets = events(first, "SYNCHRONIZED_BARS")
    assert [each["timestamp"] for each in sets] == [FIRST + each * 1_000 for each in range(1, 11)]
    statuses = [each["status"] for each in sets]
    assert statuses == ["partial" if each == 5 else "complete" for each in range(1, 11)]
    assert events(first, "FEATURES")
    (end,) = logged(first, "replayed")
    assert (end["percent"], end["of_s"]) == (100.0, 12.0)


def test_the_pace_does_not_change_the_sets(config: Path, recording: Path) -> None:
    virtual = barsync("replay", recording, config, "--virtual")
    paced = barsync("replay", recording, config, "--speed", "50")
    assert paced.exit_code == 0

    def shown(result: Result) -> list[tuple[object, ...]]:
        keys = ("timestamp", "status", "bars")
        return [tuple(each[key] for key in keys) for each in events(result, "SYNCHRONIZED_BARS")]

    assert shown(paced) == shown(virtual)


def test_a_recording_that_breaks_off_is_replayed_to_there_with_a_warning(
    config: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "cut.jsonl.gz", *day(), cut=30)
    result = barsync("replay", path, config, "--virtual")
    assert result.exit_code == 0
    assert logged(result, "the recording breaks off in its last line")
    assert events(result, "SYNCHRONIZED_BARS")


def test_a_recording_without_its_last_line_and_with_a_clock_that_went_back_is_warned_of(
    config: Path, tmp_path: Path
) -> None:
    lines = [*day()[:-1], frame(3, "{}")]
    result = barsync("replay", write(tmp_path / "r", *lines), config, "--virtual")
    assert result.exit_code == 0
    assert logged(result, "the recording was not ended cleanly")
    (warning,) = logged(result, "the recorded clock went back")
    assert warning["lines"] == 1


def test_a_feed_that_was_not_recorded_and_one_of_another_venue_are_mistakes(
    config: Path, tmp_path: Path
) -> None:
    result = barsync("replay", write(tmp_path / "r", *day("spot")), config, "--virtual")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        f"{config}: 1 mistake",
        "  feeds.sim: the recording has no connection sim; it has spot",
    ]
    lines = day()
    lines[0]["connections"][0]["venue"] = "kraken"
    result = barsync("replay", write(tmp_path / "r", *lines), config, "--virtual")
    assert result.exit_code == 2
    expected = "  feeds.sim.venue = 'binance': the recorded connection sim is of kraken"
    assert result.stderr.splitlines()[1] == expected


def test_a_connection_without_a_feed_and_other_sources_are_warned_of(
    config: Path, tmp_path: Path
) -> None:
    lines = day()
    lines[0] = began("sim", "more", sources=["SPY_1s", "IWM_1s"])
    result = barsync("replay", write(tmp_path / "r", *lines), config, "--virtual")
    assert result.exit_code == 0
    assert logged(result, "recorded, and no feed of the config")[0]["connection"] == "more"
    assert logged(result, "not recorded")[0]["sources"] == ["QQQ_1s"]
    assert logged(result, "recorded, and not wanted here")[0]["sources"] == ["IWM_1s"]


def test_what_nobody_was_connected_for_is_told(config: Path, tmp_path: Path) -> None:
    lines = [*day()[:-1], opened(11, 2), frame(11, "{}", 2), stopped(12)]
    result = barsync("replay", write(tmp_path / "r", *lines), config, "--virtual")
    assert result.exit_code == 0
    (warning,) = logged(result, "came when no feed was connected, and is lost")
    assert warning["frames"] == 1


@pytest.mark.parametrize("command", ["replay", "simulate"])
def test_a_recording_with_a_line_of_garbage_is_refused_before_anything_runs(
    command: str, config: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "r", *day()[:5], "garbage", *day()[5:])
    result = barsync(command, path, *([config] if command == "replay" else []))
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"barsync: recording {path}: line 6 is no record of a recording: ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "No such file or directory"),
        (b"", "is empty, or breaks off in its first line"),
        (b"\x00\x01", "is no recording: its first line is not of type barsync-recording"),
        (b"\x1f\x8bgarbage", "cannot be read"),
    ],
)
def test_what_is_no_recording_is_one_clear_line_and_exit_code_2(
    content: bytes | None, expected: str, config: Path, tmp_path: Path
) -> None:
    path = tmp_path / "r"
    if content is not None:
        path.write_bytes(content)
    result = barsync("replay", path, config, "--virtual")
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"barsync: recording {path}: ")
    assert expected in line or content == b"\x1f\x8bgarbage"


# record


@pytest.mark.parametrize(
    "arguments", [("record", "--to"), ("run", "--record")], ids=lambda each: each[0]
)
def test_a_venue_that_is_not_there_is_recorded_as_such(
    arguments: tuple[str, str], config: Path, tmp_path: Path
) -> None:
    command, option = arguments
    path = tmp_path / "new" / "r.jsonl.gz"
    result = barsync(command, config, option, path, "--duration", "0.3", "--loop", "asyncio")
    assert result.exit_code == 0, result.stderr
    (end,) = logged(result, "recorded")
    assert (end["frames"], end["file_bytes"]) == (0, path.stat().st_size)
    replayed = barsync("replay", path, config, "--virtual")
    assert replayed.exit_code == 0
    assert "cannot connect to ws://127.0.0.1:9/stream" in replayed.stderr
    assert logged(replayed, "not connected")[0]["retry_in_s"] == 0


@pytest.mark.parametrize("arguments", [("record", "--to"), ("run", "--record")])
@pytest.mark.parametrize("path", ["/dev/full", "here"])
def test_a_recording_that_cannot_be_written_is_one_clear_line_and_exit_code_1(
    arguments: tuple[str, str], path: str, config: Path, tmp_path: Path
) -> None:
    target = tmp_path / path  # a path from the root stays what it is
    if path == "here":
        target.write_text("precious", encoding="utf-8")
    elif not target.is_char_device():
        pytest.skip("this system has no /dev/full")
    command, option = arguments
    result = barsync(command, config, option, target, "--loop", "asyncio")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"barsync: {target}: ")


@pytest.mark.parametrize("arguments", [("record", "--to"), ("run", "--record")])
def test_feeds_of_files_have_nothing_to_record(arguments: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(FILES, encoding="utf-8")
    command, option = arguments
    result = barsync(command, path, option, tmp_path / "r")
    assert result.exit_code == 2
    assert "feeds.bars.venue = 'file': has no connection to record" in result.stderr
    assert not (tmp_path / "r").exists()


# Usage


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["record", "x.toml"], "Missing option '--to'"),
        (["replay", "r"], "Missing argument 'CONFIG'"),
        (["replay", "r", "c", "--speed", "0"], "is not in the range"),
        (["replay", "r", "c", "--speed", "nan"], "nan is not a finite number"),
        (["replay", "r", "c", "--speed", "2", "--virtual"], "--virtual has no --speed"),
        (["simulate", "scenario.toml", "--speed", "2"], "--speed is a recording's"),
        (["venues", "binance", "kraken"], "unexpected extra argument"),
    ],
)
def test_bad_usage_says_what_was_wrong_and_exits_with_2(
    arguments: list[str], expected: str
) -> None:
    result = barsync(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert expected in result.stderr


@pytest.mark.parametrize("option", [("--seed", "3"), ("--log", "sent.jsonl")])
def test_what_is_a_scenarios_is_refused_for_a_recording(
    option: tuple[str, str], recording: Path
) -> None:
    result = barsync("simulate", recording, *option)
    assert result.exit_code == 2
    assert "--seed and --log are a scenario's, not a recording's" in result.stderr


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1:99999", ""])
def test_an_address_that_is_none_is_refused(listen: str, recording: Path) -> None:
    result = barsync("simulate", recording, "--listen", listen)
    assert result.exit_code == 2
    assert "expected HOST:PORT" in result.stderr


# venues


def test_every_venue_is_in_the_table_with_its_columns_aligned() -> None:
    result = barsync("venues")
    assert result.exit_code == 0
    head, *rows = result.stdout.splitlines()
    assert [row.split()[0] for row in rows] == [*CODECS]
    place = head.index("title")
    for name, row in zip(CODECS, rows, strict=True):
        facts = CODECS[name].facts
        assert row[place:].startswith(facts.title)
        assert facts.limits in row
        assert facts.finality in row


@pytest.mark.parametrize("width", [20, 60, 80, 100, 132, 160, 200, 300])
def test_the_table_fits_the_terminal_and_loses_no_word_of_what_it_shows(width: int) -> None:
    text = all_venues(list(CODECS), width)
    longest_word = max(map(len, text.split()))
    assert max(map(len, text.splitlines())) <= max(width, longest_word + 16)
    for name in CODECS:
        assert name in text.split()
        for word in CODECS[name].facts.revisions.split():
            assert word in text


@pytest.mark.parametrize("name", CODECS)
def test_a_venue_by_name_shows_every_fact(name: str) -> None:
    result = barsync("venues", name)
    assert result.exit_code == 0
    keys = [line.split()[0] for line in result.stdout.splitlines()]
    assert keys[:4] == ["name", "url", "history", "title"]
    assert set(keys) >= set(CODECS[name].facts.__struct_fields__)
    assert CODECS[name].facts.limits in one_venue(name, None)


def test_the_facts_are_there_for_programs_too() -> None:
    everything = json.loads(barsync("venues", "--json").stdout)
    assert [each["name"] for each in everything] == [*CODECS]
    (one,) = json.loads(barsync("venues", "binance", "--json").stdout)
    assert one == next(each for each in everything if each["name"] == "binance")
    assert one["lifetime_s"] == 86_400
    assert "1m" in one["timeframes"]


@pytest.mark.parametrize(("name", "meant"), [("binanse", "binance"), ("Kraken", "kraken")])
def test_a_venue_that_there_is_not_is_told_with_the_nearest_one(name: str, meant: str) -> None:
    result = barsync("venues", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"there is no venue '{name}'. Did you mean {meant}? There are " in result.stderr


def test_a_venue_that_resembles_none_gets_the_list() -> None:
    result = barsync("venues", "\u20ac$\x00")
    assert result.exit_code == 2
    assert "Did you mean" not in result.stderr
    assert f"There are {', '.join(CODECS)}." in result.stderr
