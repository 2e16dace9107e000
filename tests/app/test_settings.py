"""What a file and the environment say together, and what becomes of files that say nothing."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.app.settings import load_config, load_scenario, load_toml, override
from barsync_async.config import parse_config
from barsync_async.errors import ConfigError

"""For a slow machine, and for the second that the first text of all takes to generate."""

GOOD = """
[service]
name = "demo"

[feeds.sim]
venue = "binance"
url = "ws://127.0.0.1:9001"
sources = ["SPY_1m"]

[containers.Agg.components.synchronizer]
type = "BarSynchronizer"
config = { expected_sources = ["SPY_1m"], timeout_ms = 100 }
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "some.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def refused(path: Path, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ)
    assert caught.value.origin == str(path)
    return [(each.path, each.value) for each in caught.value.mistakes]


def reason(path: Path) -> str:
    """Why ``path`` cannot be used at all."""
    with pytest.raises(ConfigError) as caught:
        load_toml(path)
    (mistake,) = caught.value.mistakes
    assert (caught.value.origin, mistake.path, mistake.value) == (str(path), "the file", "")
    return mistake.expected


def synchronizer(path: Path, environ: Mapping[str, str]) -> Any:
    config = load_config(path, environ)
    return config.containers["Agg"].components["synchronizer"].config


def test_a_file_alone_is_the_config(path: Path) -> None:
    config = load_config(path, {"HOME": "/", "BARSYNC": "x", "barsync_service": "x"})
    assert config.origin == str(path)
    assert config.service.name == "demo"


def test_a_variable_overrides_a_key_or_adds_one(path: Path) -> None:
    environ = {"BARSYNC_SERVICE__NAME": "other", "BARSYNC_SERVICE__LOG_FORMAT": "json"}
    config = load_config(path, environ)
    assert (config.service.name, config.service.log_format) == ("other", "json")


def test_a_variable_reaches_any_depth_and_leaves_its_neighbours_alone(path: Path) -> None:
    variable = "BARSYNC_CONTAINERS__AGG__COMPONENTS__SYNCHRONIZER__CONFIG__TIMEOUT_MS"
    assert synchronizer(path, {variable: "7.5"}) == {
        "expected_sources": ["SPY_1m"],
        "timeout_ms": 7.5,
    }


def test_a_key_is_found_whatever_the_case_of_its_letters(path: Path) -> None:
    for name in ("AGG", "agg", "Agg"):
        variable = f"BARSYNC_containers__{name}__Components__Synchronizer__config__Max_Open"
        assert synchronizer(path, {variable: "9"})["max_open"] == 9


def test_a_variable_can_make_a_whole_table(path: Path) -> None:
    environ = {"BARSYNC_OUTPUTS__FILE": '{ type = "jsonl", path = "-", events = ["SIGNAL"] }'}
    (output,) = load_config(path, environ).outputs.items()
    assert (output[0], output[1].type, output[1].events) == ("file", "jsonl", ["SIGNAL"])


def test_several_variables_make_a_table_together(path: Path) -> None:
    environ = {"BARSYNC_OUTPUTS__FILE__PATH": "-", "BARSYNC_OUTPUTS__FILE__TYPE": "jsonl"}
    assert list(load_config(path, environ).outputs) == ["file"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("1_000.5", 1000.5),
        ("true", True),
        ('"true"', "true"),
        ('["a", "b"]', ["a", "b"]),
        ("{ a = 1 }", {"a": 1}),
        ("yes", "yes"),
        ("", ""),
        (" 7 # seven", 7),
        ("json", "json"),
        ("ws://127.0.0.1:9001", "ws://127.0.0.1:9001"),
        ('"unfinished', '"unfinished'),
        ("1\nother = 2", "1\nother = 2"),
        ("1\n[service]", "1\n[service]"),
        ("[" * 10_000, "[" * 10_000),
        ("9" * 5_000, "9" * 5_000),
    ],
)
def test_a_value_is_toml_where_it_is_toml_and_else_text(text: str, value: Any) -> None:
    assert override({}, {"BARSYNC_A__B": text}) == {"a": {"b": value}}


def test_a_value_in_place_of_a_table_is_a_mistake(path: Path) -> None:
    assert ("feeds", "'x'") in refused(path, {"BARSYNC_FEEDS": "x"})


def test_a_table_in_place_of_a_value_is_a_mistake(path: Path) -> None:
    environ = {"BARSYNC_SERVICE__NAME__FIRST": "x"}
    assert refused(path, environ) == [("service.name", "{'first': 'x'}")]


def test_a_bad_value_is_named_by_the_path_of_its_key(path: Path) -> None:
    variable = "BARSYNC_CONTAINERS__AGG__COMPONENTS__SYNCHRONIZER__CONFIG__TIMEOUT_MS"
    place = "containers.Agg.components.synchronizer.config.timeout_ms"
    assert refused(path, {variable: "soon"}) == [(place, "'soon'")]


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("BARSYNC_", '""'),
        ("BARSYNC___", '""'),
        ("BARSYNC_A____B", "a"),
        ("BARSYNC_SERVICE__", 'service.""'),
        ("BARSYNC_NONSENSE", "nonsense"),
    ],
)
def test_a_variable_that_names_no_key_is_a_mistake(path: Path, variable: str, place: str) -> None:
    assert [where for where, _ in refused(path, {variable: "x"})] == [place]


@given(st.dictionaries(st.text(alphabet="_AB.\n", max_size=8).map("BARSYNC_".__add__), st.text()))
def test_no_environment_breaks_more_than_the_config(environ: dict[str, str]) -> None:
    document = override(tomllib.loads(GOOD), environ)
    assert document["service"] == {"name": "demo"}
    assert (len(document) > 3) == bool(environ)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.toml") == "cannot be read: No such file or directory"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert reason(tmp_path) == "cannot be read: Is a directory"


def test_a_file_behind_a_file_is_not_found(path: Path) -> None:
    assert reason(path / "inner.toml") == "cannot be read: Not a directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(path: Path) -> None:
    path.chmod(0)
    assert reason(path) == "cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name = ", "Invalid value"),
        (b"\xff\xfe", "'utf-8' codec can't decode"),
        (b"a = 1\na = 2", "Cannot overwrite a value"),
        (b"a = " + b"[" * 10_000, "is not TOML"),
        (b"a = " + b"9" * 5_000, "is not TOML"),
    ],
)
def test_what_is_no_toml_is_refused_and_says_why(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    why = reason(path)
    assert why.startswith("is not TOML: ")
    assert expected in why


def test_an_empty_file_lacks_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.touch()
    assert refused(path, {}) == [("feeds", ""), ("containers", "")]


SCENARIO = 'seed = 1\nvenue = { listen = "127.0.0.1:1" }\n[sources.SPY_1s]\n'


def test_a_scenario_takes_another_seed_and_address(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO, encoding="utf-8")
    assert load_scenario(path).seed == 1
    scenario = load_scenario(path, seed=0, listen="127.0.0.1:2")
    assert (scenario.seed, scenario.venue.listen) == (0, "127.0.0.1:2")


def test_another_address_does_not_hide_that_there_is_no_venue_table(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text("venue = 3\n[sources.SPY_1s]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="venue = 3"):
        load_scenario(path, listen="127.0.0.1:2")


def test_an_address_of_nonsense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"venue\.listen = 'nowhere': expected HOST:PORT"):
        load_scenario(path, listen="nowhere")


# Secrets


def feed_of(path: Path, environ: Mapping[str, str]) -> Any:
    return load_config(path, environ).feeds["sim"]


def test_a_secret_in_the_file_is_refused_and_not_shown(path: Path) -> None:
    path.write_text(GOOD.replace("[feeds.sim]", '[feeds.sim]\nkey = "hush-hush"'), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert "hush" not in str(caught.value)
    assert "key_file or the variable BARSYNC_FEEDS__SIM__KEY" in str(caught.value)


def test_a_secret_from_the_environment_is_text_whatever_it_looks_like(path: Path) -> None:
    environ = {"BARSYNC_FEEDS__SIM__KEY": "12345", "BARSYNC_FEEDS__SIM__SECRET": "true"}
    feed = feed_of(path, environ)
    assert (feed.options.credentials.key, feed.options.credentials.secret) == ("12345", "true")
    assert "12345" not in repr(feed)
    assert "12345" not in repr(feed.options)


def test_a_secret_from_a_file_beside_the_config(path: Path) -> None:
    (path.parent / "key").write_text("hush-hush\n", "utf-8")
    path.write_text(GOOD.replace("[feeds.sim]", '[feeds.sim]\nkey_file = "key"'), "utf-8")
    assert feed_of(path, {}).options.credentials.key == "hush-hush"


def test_the_environment_goes_before_the_file_of_a_secret(path: Path) -> None:
    path.write_text(GOOD.replace("[feeds.sim]", '[feeds.sim]\nkey_file = "nowhere"'), "utf-8")
    assert feed_of(path, {"BARSYNC_FEEDS__SIM__KEY": "k"}).options.credentials.key == "k"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xfa"])
def test_a_secret_that_cannot_be_read_names_its_key(path: Path, content: bytes | None) -> None:
    if content is not None:
        (path.parent / "key").write_bytes(content)
    path.write_text(GOOD.replace("[feeds.sim]", '[feeds.sim]\nsecret_file = "key"'), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    (mistake,) = caught.value.mistakes
    assert mistake.path == "feeds.sim.secret_file"
    assert mistake.expected.startswith("cannot be read")


def test_a_secret_of_the_wrong_kind_is_not_shown(path: Path) -> None:
    document = load_toml(path)
    document["feeds"]["sim"]["secret"] = {"hush": "hush"}
    with pytest.raises(ConfigError) as caught:
        parse_config(document, "x")
    assert "hush" not in str(caught.value)
