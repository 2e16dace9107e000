"""What the documents say, tried out."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from barsync_async import messages
from barsync_async.app.cli import main
from barsync_async.config import (
    COMPONENT_CONFIGS,
    OUTPUT_EVENTS,
    Config,
    ConsoleConfig,
    CostsConfig,
    FeedConfig,
    HoursConfig,
    JsonlConfig,
    LimitsConfig,
    ServiceConfig,
    parse_config,
)
from barsync_async.config.files import HistoryFileConfig
from barsync_async.features import INDICATORS
from barsync_async.indicator_choice import check_indicator
from barsync_async.messages import EventType
from barsync_async.strategies import STRATEGIES
from barsync_async.units import TIMEFRAMES, is_trades
from barsync_async.venues import CODECS
from barsync_async.venues.history_guess import PRICE_NAMES, TIME_DIGITS, TIME_NAMES

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TABLES: list[type[BaseModel]] = [
    ServiceConfig,
    FeedConfig,
    HistoryFileConfig,
    HoursConfig,
    JsonlConfig,
    ConsoleConfig,
    CostsConfig,
    LimitsConfig,
    *COMPONENT_CONFIGS.values(),
]


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(text: str, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_example_in_the_readme_runs_and_prints_what_it_says() -> None:
    (code,) = blocks(read("README.md"), "python")
    ran = subprocess.run(  # noqa: S603 - our own example
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "complete\n"


def test_the_config_in_the_readme_is_a_good_one() -> None:
    (text,) = blocks(read("README.md"), "toml")
    assert isinstance(parse_config(tomllib.loads(text), "README.md"), Config)


def test_the_readme_goes_from_nothing_to_a_report_of_past_bars(tmp_path: Path) -> None:
    passage = read("README.md").partition("## Try it on past bars")[2]
    commands = next(blocks(passage, "console")).replace("var/", f"{tmp_path}/")
    for line in commands.splitlines():
        _, program, *arguments = shlex.split(line, comments=True)
        here = str(Path(sys.executable).with_name(Path(program).name))
        subprocess.run([here, *arguments], cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    assert "BTCUSDT_5m" in (tmp_path / "report" / "report.html").read_text("utf-8")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_key_of_a_config_is_explained(table: type[BaseModel]) -> None:
    explained = read("docs/configuration.md")
    for key in table.model_fields:
        assert f"`{key}`" in explained or f"`{key} = " in explained, key


def test_every_timeframe_indicator_and_strategy_is_named() -> None:
    explained = read("docs/configuration.md")
    for name in STRATEGIES:
        assert f"`{name}`" in explained, name
    for name in INDICATORS:
        assert f"| `{name}` |" in read("docs/features.md"), name
    assert " ".join(TIMEFRAMES) in explained


def test_every_event_that_can_come_out_is_explained() -> None:
    explained = read("docs/events.md")
    for event_type in OUTPUT_EVENTS:
        assert f"`{event_type}`" in explained, event_type


def test_every_command_is_in_the_readme_and_every_one_there_exists() -> None:
    assert {f"barsync {name}" for name in main.commands} == set(
        re.findall(r"^\| `(barsync [a-z]+)", read("README.md"), re.MULTILINE)
    )


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself(command: str) -> None:
    shown = CliRunner().invoke(main, [command, "--help"])
    assert shown.exit_code == 0
    assert "Usage: " in shown.output


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_inside_the_project_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", document.read_text("utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_the_examples_of_the_library_page_do_what_they_say() -> None:
    page = str(ROOT / "docs" / "library.md")
    code = f"import doctest; print(doctest.testfile({page!r}, module_relative=False))"
    ran = subprocess.run(  # noqa: S603 - our own examples
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    (failed, tried), *_ = re.findall(r"failed=(\d+), attempted=(\d+)", ran.stdout)
    assert int(tried) > 20
    assert int(failed) == 0, ran.stdout


def test_every_event_is_on_the_library_page_with_the_class_of_its_payload() -> None:
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \| `(\w+)`", read("docs/library.md"), re.MULTILINE)
    names = [name for some, _ in rows for name in re.findall(r"\w+", some)]
    assert sorted(names) == sorted(EventType)
    for _, payload in rows:
        assert issubclass(getattr(messages, payload), msgspec.Struct)


def test_every_test_that_the_venues_page_names_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)", read("docs/venues.md"))
    assert len(named) > 90
    for path, name in named:
        assert f"def {name}(" in read(path), f"{path}::{name}"


@pytest.mark.parametrize("venue", sorted(CODECS))
def test_every_venue_is_on_the_venues_page(venue: str) -> None:
    title = CODECS[venue].facts.title.split()[0]
    assert title in read("docs/venues.md") or venue == "json"


def test_every_feed_on_the_configuration_page_is_a_good_one() -> None:
    feeds = [tomllib.loads(text) for text in blocks(read("docs/configuration.md"), "toml")]
    feeds = [each for each in feeds if "feeds" in each]
    assert len(feeds) > 1
    for document in feeds:
        sources = [
            source
            for feed in document["feeds"].values()
            for source in (*feed["sources"], *feed.get("derived", {}))
            if not is_trades(source)
        ]
        synchronizer = {"type": "BarSynchronizer", "config": {"expected_sources": sources}}
        containers = {"c": {"components": {"synchronizer": synchronizer}}}
        assert isinstance(parse_config({**document, "containers": containers}, "page"), Config)


def test_the_indicators_on_the_features_page_do_what_they_say() -> None:
    code = [*blocks(read("docs/features.md"), "python")]
    assert "assert values" in code[1]
    assert "assert ratios" in code[3]
    exec(compile("".join(code), "docs/features.md", "exec"), {})  # noqa: S102 - our own page


def test_the_config_on_the_features_page_is_a_good_one() -> None:
    text, _ = blocks(read("docs/features.md"), "toml")
    (container,) = tomllib.loads(text)["containers"].values()
    indicators = container["components"]["feature_calc"]["config"]["indicators"]
    for each in indicators:
        check_indicator(each)


def test_every_column_that_is_recognised_is_on_the_backtest_page() -> None:
    page = read("docs/backtest.md")
    for word in (*TIME_NAMES, *chain(*PRICE_NAMES.values())):
        assert f"`{word}`" in page, word
    for digits, unit in TIME_DIGITS.items():
        (row,) = re.findall(r"^\| `time_unit` .*$", page, re.MULTILINE)
        assert re.search(rf"\b{digits} (or \d+ )?of `{unit}`", row), digits


def test_the_file_on_the_backtest_page_needs_no_more_than_it_says(tmp_path: Path) -> None:
    (text,) = blocks(read("docs/backtest.md"), "csv")
    synchronizer = 'type = "BarSynchronizer"\nconfig = { expected_sources = ["SPY_1m"] }\n'
    (tmp_path / "SPY_1m.csv").write_text(text, "utf-8")
    config = tmp_path / "config.toml"
    config.write_text(
        '[feeds.past]\nvenue = "kraken"\nsources = ["SPY_1m"]\n'
        f"[containers.c.components.s]\n{synchronizer}"
    )
    (form,) = re.findall(r"no more than `(--format .*?)`:", read("docs/backtest.md"))
    words = ["--data", str(tmp_path), "--report", str(tmp_path / "r"), *form.split()]
    ran = CliRunner().invoke(main, ["backtest", str(config), *words])
    assert ran.exit_code == 0, ran.output
    assert "c: 1 set of 1 timestamp, 100.00 % complete" in ran.output


@pytest.mark.parametrize("page", ["strategies", "portfolio"])
def test_every_component_on_these_pages_is_a_good_one(page: str) -> None:
    documents = [tomllib.loads(text) for text in blocks(read(f"docs/{page}.md"), "toml")]
    components = [
        component
        for document in documents
        for container in document.get("containers", {}).values()
        for component in container["components"].values()
    ]
    assert components
    for component in components:
        COMPONENT_CONFIGS[component["type"]].model_validate(component["config"])
