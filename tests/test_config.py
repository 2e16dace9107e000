"""A config is understood as it is meant, and every mistake in it is named, all at once."""

import math
import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.app.settings import load_config
from barsync_async.config import (
    COMPONENT_CONFIGS,
    OUTPUT_EVENTS,
    ConsoleConfig,
    JsonlConfig,
    create_feature_aggregator_pattern,
    parse_config,
    parsed_component_config,
)
from barsync_async.errors import ConfigError, Mistake
from barsync_async.mistakes import key_path
from barsync_async.shell.components.registry import COMPONENTS
from barsync_async.venues import CODECS

"""For a slow machine, and for the second that the first text of all takes to generate."""

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted((ROOT / "config").glob("*.toml"))

GOOD = """
[service]
name = "demo"
log_format = "json"
log_level = "warning"

[feeds.sim]
venue = "binance"
url = "ws://127.0.0.1:9001"
sources = ["SPY_1m", "QQQ_1m", "SPY_5m"]

[containers.agg]
role = "processor"

[containers.agg.components.synchronizer]
type = "BarSynchronizer"

[containers.agg.components.synchronizer.config]
expected_sources = ["SPY_1m", "SPY_5m", "QQQ_1m"]
timeout_ms = 100
require_all = false
missing = "last_known"
max_age_ms = 60000
max_future_ms = 0
max_open = 8
history = 16
inbox = 32

[containers.agg.components.features]
type = "MultiSymbolFeatureCalculator"

[containers.agg.components.features.config]
indicators = ["sma", { name = "rsi", window = 5, label = "fast" }]
pairs = [["SPY_1m", "QQQ_1m"]]

[containers.agg.components.strategies]
type = "StrategyRunner"

[containers.agg.components.strategies.config]
strategies = ["momentum", { name = "pairs_trading", entry = 1.0 }, "mine.own:Strategy"]
parallel = false
executor = "thread"
time_limit_ms = 10.5

[containers.agg.components.portfolio]
type = "Portfolio"
config = { cash = 5, decision_timeout_ms = 20, costs = { slippage_bps = 1 }, limits = {} }

[containers.agg.components.own]
type = "mine.own:Component"
config = { anything = [{ goes = 1979-05-27 }] }

[outputs.file]
type = "jsonl"
path = "-"
events = ["SIGNAL", "PORTFOLIO"]

[outputs.screen]
type = "console"
"""
SYNCHRONIZER = "containers.agg.components.synchronizer.config"
FEATURES = "containers.agg.components.features.config"
STRATEGIES = "containers.agg.components.strategies.config"
PORTFOLIO = "containers.agg.components.portfolio.config"


def good() -> dict[str, Any]:
    return tomllib.loads(GOOD)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good config with ``value`` at ``path``."""
    document = good()
    *tables, last = path.split(".")
    table = document
    for key in tables:
        table = table[key]
    table[last] = value
    return document


def mistakes(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    with pytest.raises(ConfigError) as caught:
        parse_config(document, "some.toml")
    assert caught.value.origin == "some.toml"
    return [(each.path, each.value, each.expected) for each in caught.value.mistakes]


def accepted(document: Mapping[str, Any]) -> bool:
    return parse_config(document, "some.toml").origin == "some.toml"


def test_every_table_is_understood() -> None:
    config = parse_config(good(), "some.toml")
    assert config.origin == "some.toml"
    assert (config.service.name, config.service.log_format, config.service.log_level) == (
        "demo",
        "json",
        "warning",
    )
    feed = config.feeds["sim"]
    assert (feed.venue, feed.url) == ("binance", "ws://127.0.0.1:9001")
    assert feed.sources == ["SPY_1m", "QQQ_1m", "SPY_5m"]
    container = config.containers["agg"]
    assert container.role == "processor"
    assert [each.type for each in container.components.values()] == [
        "BarSynchronizer",
        "MultiSymbolFeatureCalculator",
        "StrategyRunner",
        "Portfolio",
        "mine.own:Component",
    ]
    assert config.outputs == {
        "file": JsonlConfig(type="jsonl", path="-", events=["SIGNAL", "PORTFOLIO"]),
        "screen": ConsoleConfig(type="console", events=list(OUTPUT_EVENTS)),
    }


def test_what_is_left_out_has_a_default() -> None:
    document = {key: good()[key] for key in ("feeds", "containers")}
    config = parse_config(document, "some.toml")
    assert (config.service.name, config.service.log_format, config.service.log_level) == (
        "barsync",
        "console",
        "info",
    )
    assert config.outputs == {}


def test_a_parsed_config_cannot_be_altered() -> None:
    config = parse_config(good(), "some.toml")
    with pytest.raises(ValueError, match="frozen"):
        config.service.name = "other"  # type: ignore[misc]  # the point


def test_parsing_leaves_the_document_as_it_was() -> None:
    document = good()
    before = deepcopy(document)
    parse_config(document, "some.toml")
    assert document == before


def test_where_it_is_not_known_what_a_feed_has_no_source_is_missed() -> None:
    for value in ("SPY_1m", None, {"SPY_1m": 1}):
        assert [where for where, _, _ in mistakes(changed("feeds.sim.sources", value))] == [
            "feeds.sim.sources"
        ]


def test_what_is_neither_a_name_nor_a_table_is_told_once() -> None:
    for path in (f"{FEATURES}.indicators", f"{STRATEGIES}.strategies"):
        for value in (7, None, ["sma"], True):
            ((where, _, why),) = mistakes(changed(path, [value]))
            assert where == f"{path}[0]"
            assert why.endswith("expected a name, or a table with the key name")


def test_five_mistakes_in_one_config_are_all_named_with_path_value_and_expectation() -> None:
    document = good()
    document["feeds"]["sim"]["venue"] = "nasdaq"
    document["service"]["colour"] = "red"
    document["containers"]["agg"]["components"]["portfolio"]["config"]["cash"] = "much"
    document["containers"]["agg"]["components"]["own"]["type"] = "Sorter"
    sources = ["SPY_1m", "IWM_1m", "QQQ_1m"]
    document["containers"]["agg"]["components"]["synchronizer"]["config"] = {
        "expected_sources": sources
    }
    assert sorted(mistakes(document)) == [
        (
            "containers.agg.components.own.type",
            "'Sorter'",
            f"expected one of {' '.join(COMPONENT_CONFIGS)}, or package.module:Class",
        ),
        (f"{PORTFOLIO}.cash", "'much'", "expected a number, without quotes"),
        (f"{SYNCHRONIZER}.expected_sources[1]", "'IWM_1m'", "no feed has this source"),
        ("feeds.sim.venue", "'nasdaq'", f"expected one of {' '.join(CODECS)} file"),
        ("service.colour", "'red'", "no such key"),
    ]


def test_the_message_names_the_file_and_every_mistake_on_a_line_of_its_own() -> None:
    document = changed("service.colour", "red")
    del document["feeds"]["sim"]["sources"]
    with pytest.raises(ConfigError) as caught:
        parse_config(document, "some.toml")
    head, *lines = str(caught.value).splitlines()
    assert head == "some.toml: 2 mistakes"
    assert "  service.colour = 'red': no such key" in lines
    assert "  feeds.sim.sources: is required" in lines
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("service.name", "", "text that is not empty"),
        ("service.name", 3, "expected text"),
        ("service.log_format", "xml", "expected 'console' or 'json'"),
        ("service.log_level", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("feeds.sim.venue", 3, "expected text"),
        ("feeds.sim.venue", ["binance"], "expected text"),
        ("feeds.sim.url", "http://127.0.0.1:9001", "expected ws://HOST"),
        ("feeds.sim.url", "ws://", "expected ws://HOST"),
        ("feeds.sim.url", "ws://[::1", "expected ws://HOST"),
        ("feeds.sim.url", "ws://h:99999", "expected ws://HOST"),
        ("feeds.sim.url", "http://h", "expected ws://HOST"),
        ("feeds.sim.url", "ws://a b", "expected ws://HOST"),
        ("feeds.sim.colour", "red", "no such key"),
        ("containers.agg.role", "sorter", "expected 'processor'"),
        ("containers.agg.components", {}, "1 or more entries"),
        ("containers.agg.components", [], "expected a table"),
        ("containers.agg.components.own.type", 3, "expected text"),
        ("containers.agg.components.own.config", "x", "expected a table"),
        (PORTFOLIO, "x", "expected a table"),
        (f"{SYNCHRONIZER}.expected_sources", [], "1 or more entries"),
        (f"{SYNCHRONIZER}.expected_sources", "SPY_1m", "expected a list"),
        (f"{SYNCHRONIZER}.timeout_ms", math.nan, "expected a finite number"),
        (f"{SYNCHRONIZER}.timeout_ms", math.inf, "finite number|at most"),
        (f"{SYNCHRONIZER}.timeout_ms", -1, "expected a number above 0"),
        (f"{SYNCHRONIZER}.timeout_ms", 0, "expected a number above 0"),
        (f"{SYNCHRONIZER}.timeout_ms", "100", "expected a number"),
        (f"{SYNCHRONIZER}.timeout_ms", True, "expected a number"),
        (f"{SYNCHRONIZER}.require_all", 1, "expected true or false"),
        (f"{SYNCHRONIZER}.missing", "guess", "expected 'skip', 'last_known' or 'interpolate'"),
        (f"{SYNCHRONIZER}.max_age_ms", 0, "a number of at least 1"),
        (f"{SYNCHRONIZER}.max_future_ms", -1, "a number of at least 0"),
        (f"{SYNCHRONIZER}.max_open", 0, "a number of at least 1"),
        (f"{SYNCHRONIZER}.history", 1.5, "expected a whole number"),
        (f"{SYNCHRONIZER}.inbox", 0, "a number of at least 1"),
        (f"{SYNCHRONIZER}.timeout", 100, "no such key"),
        (f"{FEATURES}.indicators", [], "1 or more entries"),
        (f"{FEATURES}.indicators", {}, "expected a list"),
        (f"{FEATURES}.pairs", [], "1 or more entries"),
        (f"{STRATEGIES}.strategies", [], "1 or more entries"),
        (f"{STRATEGIES}.parallel", "yes", "expected true or false"),
        (f"{STRATEGIES}.time_limit_ms", math.nan, "expected a finite number"),
        (f"{STRATEGIES}.executor", "fork", "expected 'inline', 'thread' or 'process'"),
        (f"{STRATEGIES}.max_faults", -1, "a number of at least 0"),
        (f"{PORTFOLIO}.cash", 0, "expected a number above 0"),
        (f"{PORTFOLIO}.cash", -5.0, "expected a number above 0"),
        (f"{PORTFOLIO}.cash", math.inf, "expected a finite number"),
        (f"{PORTFOLIO}.decision_timeout_ms", -0.0, "expected a number above 0"),
        (f"{PORTFOLIO}.costs.slippage_bps", -1, "a number of at least 0"),
        (f"{PORTFOLIO}.costs.slippage_bps", 10_000, "expected a number below 10000"),
        (f"{PORTFOLIO}.costs.comission_bps", 1, "no such key"),
        (f"{PORTFOLIO}.limits.max_weight", "half", "expected a number"),
        (f"{PORTFOLIO}.limits.breach", "panic", "expected 'refuse' or 'clip'"),
        ("outputs.file.path", "", "text that is not empty"),
        ("outputs.file.events", [], "1 or more entries"),
        ("outputs.file.type", "zip", "needs type, one of jsonl console"),
        ("outputs.screen.path", "x", "no such key"),
        ("outputs.file", {}, "needs type, one of jsonl console"),
        ("outputs.file", 3, "expected a table"),
        ("outputs", 3, "expected a table"),
        ("nonsense", {"a": 1}, "no such key"),
    ],
)
def test_a_single_mistake_is_named_where_it_stands(path: str, value: Any, expected: str) -> None:
    ((where, shown, why),) = mistakes(changed(path, value))
    if path == "outputs.file.type":
        assert where == "outputs.file"
        assert "'zip'" in shown
    else:
        assert (where, shown) == (path, repr(value))
    assert any(part in why for part in expected.split("|"))


@pytest.mark.parametrize(
    ("path", "index", "value", "expected"),
    [
        ("feeds.sim.sources", 3, "SPY", "is not SYMBOL_TIMEFRAME"),
        ("feeds.sim.sources", 3, "SPY_7m", "unknown timeframe '7m'"),
        ("feeds.sim.sources", 3, 7, "expected text"),
        ("feeds.sim.sources", 3, "SPY_1m", "is the same stream as feeds.sim.sources[0]"),
        (f"{SYNCHRONIZER}.expected_sources", 3, "IWM_1m", "no feed has this source"),
        (f"{SYNCHRONIZER}.expected_sources", 3, "IWM", "is not SYMBOL_TIMEFRAME"),
        (f"{FEATURES}.indicators", 2, "wma", "indicator 'wma' is unknown"),
        (
            f"{FEATURES}.indicators",
            2,
            {"name": "sma", "windwo": 3},
            "no parameter 'windwo'",
        ),
        (f"{FEATURES}.indicators", 2, {"name": "sma", "window": -3}, "a whole number from 1"),
        (f"{FEATURES}.indicators", 2, {}, "a table with the key name"),
        (f"{FEATURES}.pairs", 1, ["SPY_1m"], "2 or more entries"),
        (f"{STRATEGIES}.strategies", 3, "luck", "strategy 'luck' is unknown"),
        (f"{STRATEGIES}.strategies", 3, {"name": 3}, "a table with the key name"),
        (f"{STRATEGIES}.strategies", 3, {"name": "momentum", "nerve": 3}, "it takes notional"),
        (
            f"{STRATEGIES}.strategies",
            3,
            {"name": "momentum", "notional": math.nan},
            "notional = nan: expected a number above 0",
        ),
        (
            f"{STRATEGIES}.strategies",
            3,
            {"name": "momentum", "notional": 10**400},
            "momentum: OverflowError: int too large to convert to float",
        ),
        (
            f"{STRATEGIES}.strategies",
            3,
            {"name": "pairs_trading", "entry": 9.0},
            "expected 0 <= exit < entry < stop",
        ),
        ("outputs.file.events", 2, "SIGNALS", "expected one of SYNCHRONIZED_BARS"),
        ("outputs.file.events", 2, "BAR", "expected one of SYNCHRONIZED_BARS"),
        ("outputs.file.events", 2, ["SIGNAL"], "expected text"),
    ],
)
def test_a_mistake_in_a_list_is_named_with_its_index(
    path: str, index: int, value: Any, expected: str
) -> None:
    document = good()
    items: Any = document
    for key in path.split("."):
        items = items[key]
    items.append(value)
    ((where, shown, why),) = mistakes(document)
    assert where == f"{path}[{index}]"
    assert shown.removesuffix("...") == repr(value)[: len(shown.removesuffix("..."))]
    assert expected in why


def test_two_feeds_may_carry_one_source() -> None:
    document = changed("feeds.twin", {"venue": "binance", "sources": ["SPY_5m"], "in_order": False})
    assert parse_config(document, "x").feeds["twin"].in_order is False


def test_interpolation_looks_ahead_and_needs_a_word_where_strategies_are() -> None:
    looking_ahead = changed(f"{SYNCHRONIZER}.missing", "interpolate")
    ((where, shown, why),) = mistakes(looking_ahead)
    assert (where, shown) == (f"{SYNCHRONIZER}.missing", "'interpolate'")
    assert "allow_lookahead = true" in why
    items: Any = looking_ahead
    for key in SYNCHRONIZER.split("."):
        items = items[key]
    items["allow_lookahead"] = True
    assert accepted(looking_ahead)


HOURS = {"timezone": "America/New_York", "open": "09:30", "close": "16:00"}


@pytest.mark.parametrize(
    ("calendar", "place", "expected"),
    [
        ("", "", "expected an exchange, e.g. XNYS"),
        ({**HOURS, "timezone": "Mars/Olympus"}, ".timezone", "expected a time zone"),
        ({**HOURS, "open": "9.30"}, ".open", "expected"),
        ({**HOURS, "close": "16:00:00"}, ".close", "expected HH:MM"),
        ({**HOURS, "days": []}, ".days", "1 or more entries"),
        ({**HOURS, "days": ["monday"]}, ".days[0]", "expected 'mon'"),
        ({**HOURS, "holidays": ["25 December"]}, ".holidays[0]", "expected"),
        ({**HOURS, "early_closes": {"2026-11-27": "1pm"}}, ".early_closes", "expected HH:MM"),
        ({**HOURS, "lunch": "12:00"}, ".lunch", "no such key"),
    ],
)
def test_a_calendar_is_a_name_or_good_hours(calendar: Any, place: str, expected: str) -> None:
    told = mistakes(changed(f"{SYNCHRONIZER}.calendars", {"SPY": calendar}))
    assert any(
        where.startswith(f"{SYNCHRONIZER}.calendars.SPY{place}") and expected in why
        for where, _, why in told
    ), told


@pytest.mark.parametrize("calendar", ["XNYS", "24/7", "us_futures", HOURS])
def test_a_good_calendar_is_taken(calendar: Any) -> None:
    assert accepted(changed(f"{SYNCHRONIZER}.calendars", {"SPY": calendar}))


def test_two_names_of_one_stream_of_the_venue_are_refused_in_one_feed() -> None:
    feed = {"venue": "binance", "sources": ["BTC/USDT_1m", "BTCUSDT_1m"]}
    assert mistakes(changed("feeds.twin", feed)) == [
        ("feeds.twin.sources[1]", "'BTCUSDT_1m'", "is the same stream as feeds.twin.sources[0]")
    ]


def test_a_timeframe_that_the_public_endpoint_does_not_offer_is_refused_there_only() -> None:
    feed = {"venue": "binance", "sources": ["IWM_5s"]}
    ((where, _, why),) = mistakes(changed("feeds.own", feed))
    assert where == "feeds.own.sources[0]"
    assert "Binance has no 5s klines" in why
    parse_config(changed("feeds.own", feed | {"url": "ws://localhost:1"}), "some.toml")


@pytest.mark.parametrize("name", ["feeds", "containers"])
def test_a_table_that_must_be_there_is_asked_for_and_so_is_what_must_be_in_it(name: str) -> None:
    document = good()
    del document[name]
    assert (name, "", "is required") in mistakes(document)
    document[name] = {}
    assert any(where == name and "1 or more entries" in why for where, _, why in mistakes(document))


def test_a_key_that_needs_quotes_in_the_file_has_them_in_the_path() -> None:
    assert key_path(("feeds", "a.b", "", 0, "x-y")) == 'feeds."a.b".""[0].x-y'
    assert [where for where, _, _ in mistakes(changed("", 1))] == ['""']


def test_a_component_may_be_called_like_a_type() -> None:
    table = {"type": "StrategyRunner", "config": {"strategies": ["luck"]}}
    ((where, _, _),) = mistakes(changed("containers.agg.components.str", table))
    assert where == "containers.agg.components.str.config.strategies[0]"


def test_a_long_value_is_cut_and_a_number_beyond_printing_is_described() -> None:
    ((_, shown, _),) = mistakes(changed("service.name", ["x" * 1_000]))
    assert len(shown) == 80
    assert shown.endswith("...")
    ((_, shown, _),) = mistakes(changed("service.name", 10**5_000))
    assert shown == "a number of thousands of digits"


def test_a_class_of_the_users_own_is_not_loaded_to_check_a_config() -> None:
    parse_config(changed("containers.agg.components.own.type", "no.such:Thing"), "some.toml")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("var/events.jsonl", "var/events.jsonl"),
        ("var/events.jsonl", "./var//old/../events.jsonl"),
        ("-", "-"),
    ],
)
def test_two_outputs_to_one_file_are_refused(one: str, other: str) -> None:
    document = good()
    document["outputs"] = {
        "first": {"type": "jsonl", "path": one},
        "screen": {"type": "console"},
        "second": {"type": "jsonl", "path": other, "events": ["SIGNAL"]},
    }
    expected = "outputs.first.path is the same: lines of both would stand in it as they come"
    assert mistakes(document) == [("outputs.second.path", repr(other), expected)]
    document["outputs"]["second"]["path"] = "var/other.jsonl"
    assert accepted(document)


def test_the_pattern_and_a_feed_make_a_config() -> None:
    pattern = create_feature_aggregator_pattern()
    sources = ["SPY_1m", "QQQ_1m", "SPY_5m"]
    pattern["feeds"] = {"sim": {"venue": "binance", "sources": sources}}
    config = parse_config(pattern, "the pattern")
    assert list(config.containers) == ["feature_aggregator"]
    assert [each.type for each in config.containers["feature_aggregator"].components.values()] == [
        *COMPONENT_CONFIGS
    ]


def test_the_pattern_is_a_new_one_each_time_and_takes_the_sources_it_is_given() -> None:
    one, other = create_feature_aggregator_pattern(["A_1s"]), create_feature_aggregator_pattern()
    components = one["containers"]["feature_aggregator"]["components"]
    assert components["synchronizer"]["config"]["expected_sources"] == ["A_1s"]
    components.clear()
    assert other["containers"]["feature_aggregator"]["components"]
    assert create_feature_aggregator_pattern() == other


def test_a_components_parameters_are_only_those_that_were_given() -> None:
    assert parsed_component_config("Portfolio", {"cash": 5}) == {"cash": 5.0}
    assert parsed_component_config("Portfolio", {}) == {}


def test_every_registered_component_has_its_table_and_the_same_defaults() -> None:
    assert COMPONENTS.keys() == COMPONENT_CONFIGS.keys()
    for kind, table in COMPONENT_CONFIGS.items():
        defaults = COMPONENTS[kind].__init__.__kwdefaults__ or {}
        for name, value in defaults.items():
            assert table.model_fields[name].default == value, (kind, name)


def test_there_are_configs_to_check() -> None:
    assert CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_shipped_config_has_no_mistake(path: Path) -> None:
    names = tomllib.loads(path.read_text("utf-8"))["feeds"]
    needs = {name: CODECS[table["venue"]].facts.credentials for name, table in names.items()}
    environ = {
        f"BARSYNC_FEEDS__{name.upper()}__{key.upper()}": "some"
        for name, keys in needs.items()
        for key in keys
    }
    assert load_config(path, environ).origin == str(path)


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.just(10**400),
        st.floats(),
        st.dates(),
        st.text(max_size=5),
        st.sampled_from(["SPY_1m", "binance", "BarSynchronizer", "momentum", "sma", "jsonl"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "config", "venue", "sources", "name", "events", "components"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


def places(document: Any) -> list[tuple[str | int, ...]]:
    """The path of everything in ``document``, tables and lists too."""
    items: Any = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document)
    return [(key, *rest) for key, inner in items for rest in ((), *places(inner))]


def judged(document: Mapping[str, Any]) -> tuple[Mistake, ...]:
    """What is wrong with ``document``; any other exception than ConfigError fails the test."""
    try:
        parse_config(document, "some.toml")
    except ConfigError as error:
        return error.mistakes
    return ()


OF_PYDANTIC = re.compile(r"Input|valid |instance|validation|[Ii]teger|String|List|Dict|should")


@given(st.dictionaries(st.sampled_from(["service", "feeds", "containers", "outputs"]), values))
def test_tables_of_any_nonsense_give_config_errors_and_nothing_else(
    document: dict[str, Any],
) -> None:
    found = judged(document)
    assert all(each.path and each.expected for each in found)
    assert found or {"feeds", "containers"} <= document.keys()


@given(st.sampled_from(places(good())), values)
def test_a_good_config_with_nonsense_anywhere_in_it_gives_config_errors_and_nothing_else(
    place: tuple[str | int, ...], value: Any
) -> None:
    document = good()
    inner: Any = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    found = judged(document)
    assert all(each.path and each.expected for each in found)
    assert not [each.expected for each in found if OF_PYDANTIC.search(each.expected)]


# Sources made here


def with_feed(**feed: Any) -> dict[str, Any]:
    document = good()
    document["feeds"]["sim"] |= feed
    return document


@pytest.mark.parametrize(
    ("feed", "path", "expected"),
    [
        ({"derived": {"SPY_5m": "DIA_1m"}}, "derived.SPY_5m", "is not among the feed's sources"),
        ({"derived": {"QQQ_5m": "SPY_1m"}}, "derived.QQQ_5m", "is of another symbol than QQQ_5m"),
        (
            {"derived": {"SPY_1s": "SPY_1m"}},
            "derived.SPY_1s",
            "1s bars are not longer than 1m bars",
        ),
        ({"derived": {"SPY_1m": "SPY_1m"}}, "derived.SPY_1m", "the feed has SPY_1m itself"),
        ({"files": {}, "venue": "file"}, "sources[0]", "has no file: add files.SPY_1m"),
    ],
)
def test_what_a_feed_cannot_make_or_read_is_named(
    feed: dict[str, Any], path: str, expected: str
) -> None:
    found = mistakes(with_feed(**feed))
    assert (f"feeds.sim.{path}", expected) in [(where, told) for where, _, told in found]


def test_trades_are_a_venues_that_has_them() -> None:
    document = with_feed(venue="kraken", sources=["SPY_trades"], derived={"SPY_1m": "SPY_trades"})
    assert ("feeds.sim.sources[0]", "'SPY_trades'", "barsync reads no trades of Kraken spot") in (
        mistakes(document)
    )


def test_a_feed_of_files_cannot_stand_beside_a_live_one() -> None:
    document = good()
    document["feeds"]["past"] = {"venue": "file", "sources": ["DIA_1m"], "files": {}}
    assert "feeds.sim.venue" in [where for where, _, _ in mistakes(document)]


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        ("https://me:hunter2@proxy", "expected http://HOST:PORT"),
        ("http://me:hunter2@proxy:3128/path", "nothing behind it"),
        ("http://me:hunter2@proxy:3128?query", "nothing behind it"),
        ("http://hunter2@proxy:3128", "a name and a password, or neither"),
        ("http://hunter2:@proxy:3128", "a name and a password, or neither"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_and_not_as_whom_we_come_told(
    proxy: str, expected: str
) -> None:
    ((where, shown, why),) = mistakes(with_feed(proxy=proxy))
    assert where.endswith(".proxy")
    assert expected in why
    assert "hunter2" not in shown + why


@pytest.mark.parametrize("proxy", ["http://proxy:3128", "http://proxy/", "http://me:pass@[::1]:1"])
def test_a_good_proxy_is_taken(proxy: str) -> None:
    assert accepted(with_feed(proxy=proxy))


@pytest.mark.parametrize("key", ["url", "history_url", "proxy"])
def test_an_address_that_is_wrong_is_shown_without_as_whom_we_come(key: str) -> None:
    ((_, shown, _),) = mistakes(with_feed(**{key: "gopher://me:hunter2@venue"}))
    assert shown == "'gopher://...@venue'"


@pytest.mark.parametrize("key", ["url", "history_url", "proxy", "ca_file", "key_file"])
def test_what_names_a_place_is_a_text_that_is_not_empty(key: str) -> None:
    for value in ("", 5, ["x"]):
        ((where, _, _),) = mistakes(with_feed(**{key: value}))
        assert where.endswith(f".{key}")


@pytest.mark.parametrize(
    ("table", "places"),
    [
        ({"rollover_s": 0}, ["rollover_s"]),
        ({"rollover_s": math.inf}, ["rollover_s"]),
        ({"rollover_s": "day"}, ["rollover_s"]),
        ({"backfill": -1}, ["backfill"]),
        ({"backfill": 100_001}, ["backfill"]),
        ({"grace_ms": -1}, ["grace_ms"]),
        ({"grace_ms": 3_600_001, "backfill": 1.5}, ["grace_ms", "backfill"]),
        ({"derived": {"nonsense": "SPY_1m"}}, ["derived.nonsense"]),
        ({"derived": {"SPY_5m": 5}}, ["derived.SPY_5m"]),
        ({"derived": ["SPY_5m"]}, ["derived"]),
    ],
)
def test_what_a_feed_cannot_be_told_is_refused(table: dict[str, Any], places: list[str]) -> None:
    told = [where for where, _, _ in mistakes(with_feed(**table))]
    for place in places:
        assert any(where.startswith("feeds.") and f".{place}" in where for where in told), told


def test_every_live_feed_beside_one_of_files_is_named() -> None:
    document = with_feed()
    files = {"SPY_1m": {"path": "spy.csv", "label": "close"}}
    document["feeds"]["past"] = {"venue": "file", "sources": ["SPY_1m"], "files": files}
    told = [(where, why) for where, _, why in mistakes(document)]
    assert {where for where, why in told if "virtual time" in why} == {
        f"feeds.{name}.venue" for name in document["feeds"] if name != "past"
    }
