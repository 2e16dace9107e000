"""The scenario file: everything wrong is found, and nothing right is refused."""

import tomllib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.errors import ConfigError
from barsync_async.simulation.delay import ConstantDelay
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.units import TIMEFRAMES, SourceId

SCENARIOS = sorted((Path(__file__).parents[2] / "config" / "scenarios").glob("*.toml"))
SPY: dict[str, Any] = {"sources": {"SPY_1s": {}}}


def mistakes(document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse_scenario(document, "here.toml")
    assert caught.value.origin == "here.toml"
    return {mistake.path: mistake.expected for mistake in caught.value.mistakes}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.name)
def test_a_shipped_scenario_is_good(path: Path) -> None:
    scenario = parse_scenario(tomllib.loads(path.read_text(encoding="utf-8")), path.name)
    assert len(scenario.sources) == 3


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_every_timeframe_is_offered_also_those_that_the_real_venue_lacks(timeframe: str) -> None:
    assert parse_scenario({"sources": {f"BTC/USD_{timeframe}": {}}}, "x").sources


def test_a_source_takes_from_the_defaults_what_it_leaves_out() -> None:
    document = {
        "defaults": {"loss": 0.5, "delay": {"kind": "constant", "ms": 3}},
        "sources": {"SPY_1s": {"loss": 0.0}, "QQQ_1s": {}},
    }
    scenario = parse_scenario(document, "x")
    assert scenario.source(SourceId("SPY_1s")).loss == 0.0
    assert scenario.source(SourceId("SPY_1s")).delay == ConstantDelay(kind="constant", ms=3)
    assert scenario.source(SourceId("QQQ_1s")).loss == 0.5


def test_all_mistakes_are_told_at_once_each_with_its_path() -> None:
    found = mistakes(
        {
            "seed": "seven",
            "venue": {"listen": "localhost:99999", "colour": 1},
            "market": {"start_prices": {"IWM": 3.0}},
            "defaults": {"delay": {"kind": "uniform", "min_ms": 5, "max_ms": 2}},
            "faults": {"disconnect_every_s": 0},
            "sources": {
                "SPY_1s": {"loss": 2, "delay": {"kind": "chaotic"}},
                "BRK.B_1s": {"duplicate": True},
                "QQQ1s": {},
            },
        }
    )
    assert set(found) == {
        "seed",
        "venue.listen",
        "venue.colour",
        "market.start_prices.IWM",
        "defaults.delay.max_ms",
        "faults.disconnect_every_s",
        "sources.SPY_1s.loss",
        "sources.SPY_1s.delay",
        'sources."BRK.B_1s".duplicate',
        "sources.QQQ1s",
    }
    assert found["venue.colour"] == "no such key"


def test_a_scenario_needs_a_source() -> None:
    assert mistakes({}) == {"sources": "is required"}
    assert "sources" in mistakes({"sources": {}})


def test_two_sources_may_not_be_one_stream_at_the_venue() -> None:
    assert "same stream" in mistakes({"sources": {"BTC/USD_1m": {}, "BTCUSD_1m": {}}})["sources"]


def test_start_needs_a_pace_and_the_grid() -> None:
    assert "needs pace_ms" in mistakes(SPY | {"venue": {"start": 1_000}})["venue.start"]
    off = mistakes(SPY | {"venue": {"start": 1_500, "pace_ms": 10}})
    assert off["venue.start"].endswith("closes at 1970-01-01T00:00:02Z")


@pytest.mark.parametrize(
    "start",
    [
        1_767_364_200_000,
        "2026-01-02T14:30:00Z",
        "2026-01-02T15:30:00+01:00",
        datetime(2026, 1, 2, 14, 30, tzinfo=UTC),
    ],
)
def test_start_is_ms_or_rfc_3339(start: object) -> None:
    scenario = parse_scenario(SPY | {"venue": {"start": start, "pace_ms": 10}}, "x")
    assert scenario.venue.start == 1_767_364_200_000


@pytest.mark.parametrize("start", ["yesterday", "2026-01-02T14:30:00", -1, 1.5, True])
def test_other_starts_are_refused(start: object) -> None:
    assert "venue.start" in mistakes(SPY | {"venue": {"pace_ms": 10, "start": start}})


@pytest.mark.parametrize(
    ("listen", "address"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:9001", ("::1", 9001)), ("a.b:1", ("a.b", 1))],
)
def test_listen_is_host_and_port(listen: str, address: tuple[str, int]) -> None:
    assert parse_scenario(SPY | {"venue": {"listen": listen}}, "x").venue.address == address


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
tables = st.sampled_from(["seed", "venue", "market", "defaults", "faults", "sources", "oops"])


@given(st.dictionaries(tables, json_like))
def test_no_document_raises_anything_but_a_config_error(document: dict[str, Any]) -> None:
    with suppress(ConfigError):
        parse_scenario(document, "x")
