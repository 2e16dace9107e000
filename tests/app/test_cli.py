"""The commands: what they say, and the exit codes 0, 1 and 2."""

import importlib.metadata
import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from barsync_async.app.cli import main
from barsync_async.shell.container import Container
from barsync_async.venues import CODECS

CONFIG = """
[service]
name = "test"

[feeds.sim]
venue = "binance"
url = "ws://127.0.0.1:9001"
sources = ["SPY_1s", "QQQ_1s", "SPY_5s"]

[containers.agg.components.synchronizer]
type = "BarSynchronizer"
config = { expected_sources = ["SPY_1s", "QQQ_1s", "SPY_5s"], require_all = false }

[containers.agg.components.features]
type = "MultiSymbolFeatureCalculator"
config = { indicators = [{ name = "sma", window = 2, label = "sma" }, "rsi", "spread"] }

[containers.agg.components.strategies]
type = "StrategyRunner"
config = { strategies = ["momentum", "pairs_trading"] }

[containers.agg.components.portfolio]
type = "Portfolio"

[outputs.events]
type = "jsonl"
path = "PATH"
"""

COMPONENTS = {
    "synchronizer": "BarSynchronizer",
    "features": "MultiSymbolFeatureCalculator",
    "strategies": "StrategyRunner",
    "portfolio": "Portfolio",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, tmp_path / "events.jsonl")


def write_config(folder: Path, output: Path | str) -> Path:
    path = folder / "config.toml"
    path.write_text(CONFIG.replace("PATH", str(output)), encoding="utf-8")
    return path


def barsync(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_check_says_what_a_good_config_would_run(config: Path, tmp_path: Path) -> None:
    result = barsync("check", config)
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[:4] == [
        f"{config}: good",
        "service test",
        "feed sim: binance at ws://127.0.0.1:9001: SPY_1s QQQ_1s SPY_5s",
        f"container agg: {', '.join(f'{key} ({kind})' for key, kind in COMPONENTS.items())}",
    ]
    assert lines[4:] == [
        "  features sma rsi spread spread_zscore hedge_ratio",
        "  strategy momentum: in a thread, 250 ms",
        "  strategy pairs_trading: in a thread, 250 ms",
        "  cash 1,000,000.00; no limits; no costs",
        f"output events: jsonl to {tmp_path}/events.jsonl: all events",
    ]
    assert not (tmp_path / "events.jsonl").exists()


def test_check_says_where_each_strategy_decides_and_what_bounds_the_portfolio(
    config: Path,
) -> None:
    text = config.read_text(encoding="utf-8")
    text = text.replace(
        '"momentum", "pairs_trading"] }',
        '{ name = "momentum", label = "fast", executor = "inline" }, '
        '{ name = "pairs_trading", executor = "process", time_limit_ms = 400.5 }] }',
    )
    text = text.replace(
        'type = "Portfolio"',
        'type = "Portfolio"\n[containers.agg.components.portfolio.config]\ncash = 5_000\n'
        "limits = { max_units = 0, max_weight = 0.25 }\ncosts = { slippage_bps = 2.5 }",
    )
    config.write_text(text, encoding="utf-8")
    result = barsync("check", config)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[5:8] == [
        "  strategy fast (momentum): inline, without a limit",
        "  strategy pairs_trading: in a process, 400.5 ms",
        "  cash 5,000.00; max_units 0, max_weight 0.25, breach refuse; slippage_bps 2.5",
    ]


def test_check_says_where_a_file_is_written_that_is_named_by_its_place_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = barsync("check", write_config(tmp_path, "var/x.jsonl"))
    assert result.stdout.splitlines()[-1].startswith(
        f"output events: jsonl to {tmp_path}/var/x.jsonl: "
    )


def test_check_names_the_events_that_an_output_was_given(config: Path) -> None:
    with config.open("a", encoding="utf-8") as file:
        file.write('events = ["SIGNAL", "PORTFOLIO"]\n')
    result = barsync("check", config)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].endswith("events.jsonl: SIGNAL PORTFOLIO")


def test_check_names_every_mistake_and_exits_with_2(config: Path) -> None:
    text = config.read_text(encoding="utf-8")
    text = text.replace('"binance"', '"nasdaq"').replace('"momentum"', '"luck"')
    config.write_text(text, encoding="utf-8")
    result = barsync("check", config)
    assert (result.exit_code, result.stdout) == (2, "")
    head, *mistakes = result.stderr.splitlines()
    assert head == f"{config}: 2 mistakes"
    assert mistakes[0].startswith("  containers.agg.components.strategies.config.strategies[0]")
    known = " ".join([*CODECS, "file"])
    assert mistakes[1] == f"  feeds.sim.venue = 'nasdaq': expected one of {known}"


class Own:
    """A component of the user's own."""

    def initialize(self, container: Container) -> None:
        """Nothing to listen to."""

    def start(self) -> None:
        """Nothing to begin with."""


def with_own(config: Path, kind: str) -> Path:
    with config.open("a", encoding="utf-8") as file:
        file.write(f'\n[containers.agg.components.own]\ntype = "{kind}"\n')
    return config


def test_check_loads_the_users_own_components(config: Path) -> None:
    result = barsync("check", with_own(config, f"{__name__}:Own"))
    assert result.exit_code == 0
    assert f"own ({__name__}:Own)" in result.stdout


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (
            "no.such:Thing",
            "'no.such:Thing' cannot be loaded: ModuleNotFoundError: No module named 'no'",
        ),
        ("collections:Counter", "is no component: it needs initialize(container) and start()"),
        ("barsync_async:Portfolio", "has a Portfolio already, 'portfolio': a second one would"),
    ],
)
def test_check_tells_what_cannot_be_such_a_component(config: Path, kind: str, why: str) -> None:
    result = barsync("check", with_own(config, kind))
    assert result.exit_code == 2
    assert f"containers.agg.components.own = {kind}: " in result.stderr
    assert why in result.stderr


def test_check_warns_of_a_strategy_that_has_nothing_to_decide_on(config: Path) -> None:
    text = config.read_text(encoding="utf-8").replace(', "spread"]', "]")
    config.write_text(text, encoding="utf-8")
    result = barsync("check", config)
    assert result.exit_code == 0
    assert "config.toml: good" in result.stdout
    (line,) = result.stderr.splitlines()
    assert "a strategy has nothing to decide on" in line
    assert "strategies[1].spread = 'spread': no indicator of the container gives" in line


def test_check_warns_of_what_an_installed_package_calls_as_we_do(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = tmp_path / "theirs-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    named = "[barsync.strategies]\nmomentum = desk.alpha:Alpha\n[barsync.indicators]\n"
    (described / "entry_points.txt").write_text(f"{named}rsi = desk.ind:Rsi\nbeta = desk.ind:Beta")
    monkeypatch.syspath_prepend(tmp_path)
    result = barsync("check", config)
    assert result.exit_code == 0
    strategy, indicator = sorted(result.stderr.splitlines(), key=lambda line: "alpha" not in line)
    for line in (strategy, indicator):
        assert "a name of an installed package is taken by ours" in line
    assert "strategies[0] = 'momentum': is ours; say 'desk.alpha:Alpha' for the" in strategy
    assert "indicators[1] = 'rsi': is ours; say 'desk.ind:Rsi' for the installed one" in indicator


def test_check_obeys_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARSYNC_FEEDS__SIM__VENUE", "nasdaq")
    result = barsync("check", config)
    assert result.exit_code == 2
    assert "feeds.sim.venue = 'nasdaq'" in result.stderr


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_missing_file_is_named_and_the_exit_code_is_2(command: str, tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    result = barsync(command, path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        f"{path}: 1 mistake",
        "  the file: cannot be read: No such file or directory",
    ]


def test_simulate_refuses_a_bad_scenario(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text("seed = 'x'\n[sources.SPY_1s]\n", encoding="utf-8")
    result = barsync("simulate", path)
    assert result.exit_code == 2
    assert "seed = 'x'" in result.stderr


def test_the_same_demo_on_virtual_time_writes_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("one", "other"):
        output = tmp_path / name / "events.jsonl"
        config = write_config(tmp_path, output)
        result = barsync("demo", "--virtual", "--duration", "40", "--config", config)
        assert result.exit_code == 0, result.stderr
        written.append(output.read_bytes())
    assert written[0] == written[1]
    events = [json.loads(line) for line in written[0].splitlines()]
    assert [each["seq"] for each in events] == [*range(1, len(events) + 1)]
    types = {each["type"] for each in events}
    assert types >= {"SYNCHRONIZED_BARS", "LATE_BAR", "FEATURES", "SIGNAL", "PORTFOLIO"}


def test_the_bytes_do_not_depend_on_how_a_process_hashes(tmp_path: Path) -> None:
    written = []
    for seed in ("1", "2"):
        output = tmp_path / seed / "events.jsonl"
        config = write_config(tmp_path, output)
        words = ["demo", "--virtual", "--duration", "10", "--config", str(config)]
        subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "barsync_async", *words],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            timeout=60,
        )
        written.append(output.read_bytes())
    assert written[0]
    assert written[0] == written[1]


def test_another_seed_makes_another_demo(tmp_path: Path) -> None:
    written = []
    for seed in ("1", "2"):
        output = tmp_path / seed / "events.jsonl"
        config = write_config(tmp_path, output)
        options = ("--virtual", "--duration", "10", "--seed", seed)
        assert barsync("demo", *options, "--config", config).exit_code == 0
        written.append(output.read_bytes())
    assert all(written)
    assert written[0] != written[1]


@pytest.mark.parametrize("start", ["2025-01-05", "2026-01-02", "2031-06-05"])
def test_a_market_on_virtual_time_begins_when_it_says_and_keeps_its_pace(
    tmp_path: Path, start: str
) -> None:
    """Also where that is after the moment at which the virtual clock would begin."""
    scenario = tmp_path / "scenario.toml"
    head = f'[venue]\nlisten = "127.0.0.1:0"\npace_ms = 100\nstart = "{start}T14:30:00Z"\n'
    sources = "[sources.SPY_1s]\n[sources.QQQ_1s]\n[sources.SPY_5s]\n"
    scenario.write_text(head + sources, "utf-8")
    output = tmp_path / "events.jsonl"
    options = ("--virtual", "--duration", "20", "--scenario", scenario)
    result = barsync("demo", *options, "--config", write_config(tmp_path, output))
    assert result.exit_code == 0, result.stderr
    events = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    sets = [each["timestamp"] for each in events if each["type"] == "SYNCHRONIZED_BARS"]
    begins = datetime.fromisoformat(f"{start}T14:30:00+00:00").timestamp() * 1_000
    assert sets[0] == begins
    assert 190 < len(sets) <= 200


def test_a_demo_to_standard_output_writes_events_there_and_logs_to_standard_error(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path, "-")
    result = barsync("demo", "--virtual", "--duration", "3", "--config", config)
    assert result.exit_code == 0
    assert {json.loads(line)["container"] for line in result.stdout.splitlines()} == {"agg"}
    assert "connected" in result.stderr


def test_a_demo_refuses_sources_that_its_scenario_does_not_sell(config: Path) -> None:
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("QQQ_1s", "IWM_1s"), encoding="utf-8")
    result = barsync("demo", "--virtual", "--duration", "3", "--config", config)
    assert result.exit_code == 2
    assert "feeds.sim.sources[1] = 'IWM_1s': the scenario has no such source" in result.stderr


@pytest.mark.parametrize(
    "command", [("run", "--loop", "asyncio"), ("demo", "--virtual", "--duration", "3", "--config")]
)
def test_an_output_that_cannot_be_opened_is_one_clear_line_and_exit_code_1(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    target = tmp_path / "file" / "events.jsonl"
    result = barsync(*command, write_config(tmp_path, target))
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"barsync: {target}: cannot be opened: ")


def test_an_output_that_cannot_be_written_is_one_clear_line_and_exit_code_1(
    tmp_path: Path,
) -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("this system has no /dev/full")
    config = write_config(tmp_path, full)
    result = barsync("demo", "--virtual", "--duration", "3", "--config", config)
    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if "barsync: " in line]
    assert told == ["barsync: /dev/full: cannot be written: [Errno 28] No space left on device"]


def test_a_device_that_cannot_be_synced_is_an_output_like_any_other(tmp_path: Path) -> None:
    config = write_config(tmp_path, "/dev/null")
    result = barsync("demo", "--virtual", "--duration", "3", "--config", config)
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["sing"], "No such command 'sing'"),
        (["run"], "Missing argument 'CONFIG'"),
        (["check"], "Missing argument 'CONFIG'"),
        (["run", "x.toml", "--loop", "trio"], "'trio' is not one of"),
        (["run", "x.toml", "--duration", "0"], "0.0 is not in the range x>0"),
        (["run", "x.toml", "--duration", "-1"], "is not in the range x>0"),
        (["run", "x.toml", "--duration", "soon"], "'soon' is not a valid float"),
        (["run", "x.toml", "--duration", "nan"], "nan is not a finite number"),
        (["run", "x.toml", "--duration", "inf"], "inf is not a finite number"),
        (["demo", "--virtual"], "--virtual needs --duration"),
        (["demo", "--seed", "x"], "'x' is not a valid integer"),
        (["demo", "config.toml"], "unexpected extra argument"),
        (["simulate"], "Missing argument 'SCENARIO'"),
    ],
)
def test_bad_usage_says_what_was_wrong_and_exits_with_2(
    arguments: list[str], expected: str
) -> None:
    result = barsync(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert expected in result.stderr


def test_the_version_is_that_of_the_package() -> None:
    result = barsync("--version")
    assert result.exit_code == 0
    assert importlib.metadata.version("barsync-async") in result.stdout


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_every_command(option: str) -> None:
    result = barsync(option)
    assert result.exit_code == 0
    for command in ("run", "check", "simulate", "demo", "record", "replay", "venues"):
        assert f"  {command} " in result.stdout


@pytest.mark.parametrize(("given", "kept"), [(None, "1"), ("4", "4")])
def test_matrix_products_take_one_thread_unless_somebody_says_otherwise(
    given: str | None, kept: str
) -> None:
    """It counts only while numpy is not loaded yet."""
    code = (
        "import sys, barsync_async.app, os; assert 'numpy' not in sys.modules; "
        "print(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    env = {key: each for key, each in os.environ.items() if key != "OPENBLAS_NUM_THREADS"}
    env |= {} if given is None else {"OPENBLAS_NUM_THREADS": given}
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout.strip() == kept
