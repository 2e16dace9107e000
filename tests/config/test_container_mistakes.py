"""What is wrong between the components of one container is told with the keys of both."""

from collections.abc import Mapping
from typing import Any

import pytest

from barsync_async.config import parse_config
from barsync_async.errors import ConfigError

SOURCES = ["SPY_1m", "QQQ_1m", "SPY_5m", "QQQ_5m"]
PLACE = "containers.c.components"
LIMIT = f"{PLACE}.strategies.config.time_limit_ms"
WAITS = f"{PLACE}.portfolio.config.decision_timeout_ms"


def document(**configs: Mapping[str, Any]) -> dict[str, Any]:
    """One container; ``configs`` are of its components, and all else has its default."""
    kinds = {
        "synchronizer": ("BarSynchronizer", {"expected_sources": SOURCES}),
        "features": ("MultiSymbolFeatureCalculator", {}),
        "strategies": ("StrategyRunner", {"strategies": ["momentum"]}),
        "portfolio": ("Portfolio", {}),
    }
    components = {
        name: {"type": kind, "config": {**config, **configs.get(name, {})}}
        for name, (kind, config) in kinds.items()
    }
    return {
        "feeds": {"sim": {"venue": "binance", "url": "ws://h", "sources": SOURCES}},
        "containers": {"c": {"components": components}},
    }


def told(config: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The mistakes in ``config``; none where it is good."""
    try:
        parse_config(config, "some.toml")
    except ConfigError as error:
        return [(each.path, each.value, each.expected) for each in error.mistakes]
    return []


def limited(strategies: Mapping[str, Any], waits: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return told(document(strategies=strategies, portfolio=waits))


@pytest.mark.parametrize("limit_ms", [499.9, 0.5, 250])
def test_a_strategy_may_take_less_than_the_portfolio_waits(limit_ms: float) -> None:
    assert limited({"time_limit_ms": limit_ms}, {}) == []


@pytest.mark.parametrize("limit_ms", [500, 500.1, 60_000])
def test_one_that_may_take_as_long_or_longer_is_refused_where_its_limit_stands(
    limit_ms: float,
) -> None:
    expected = f"expected less than {WAITS}, which is 500"
    assert limited({"time_limit_ms": limit_ms}, {}) == [(LIMIT, f"{limit_ms:g}", expected)]


def test_limits_of_single_strategies_are_told_each_and_that_of_all_once() -> None:
    strategies = [
        "momentum",
        {"name": "momentum", "label": "a", "time_limit_ms": 700},
        {"name": "momentum", "label": "b"},
        {"name": "momentum", "label": "c", "time_limit_ms": 599},
        {"name": "momentum", "label": "d", "time_limit_ms": 600},
    ]
    found = limited({"strategies": strategies, "time_limit_ms": 650}, {"decision_timeout_ms": 600})
    places = f"{PLACE}.strategies.config.strategies"
    assert [(where, value) for where, value, _ in found] == [
        (LIMIT, "650"),
        (f"{places}[1].time_limit_ms", "700"),
        (f"{places}[4].time_limit_ms", "600"),
    ]


def test_where_no_limit_is_set_the_portfolio_is_told_what_it_is() -> None:
    ((where, value, expected),) = limited({}, {"decision_timeout_ms": 250})
    assert (where, value) == (WAITS, "250")
    assert expected == (
        f"expected more than the 250 that time_limit_ms of {PLACE}.strategies is unless it is set"
    )


@pytest.mark.parametrize(
    "strategies",
    [
        {"parallel": False},
        {"executor": "inline"},
        {"strategies": [{"name": "momentum", "executor": "inline"}]},
    ],
)
def test_what_decides_inline_has_no_limit_that_could_be_too_long(
    strategies: Mapping[str, Any],
) -> None:
    assert limited({"time_limit_ms": 9_000, **strategies}, {}) == []


def test_a_limit_or_a_wait_that_is_none_is_told_as_that_alone() -> None:
    found = limited({"time_limit_ms": "long"}, {"decision_timeout_ms": 1})
    assert [where for where, _, _ in found] == [LIMIT]
    found = limited({"time_limit_ms": 9_000}, {"decision_timeout_ms": -1})
    assert [where for where, _, _ in found] == [WAITS]


def test_another_containers_portfolio_waits_for_nobody_here() -> None:
    config = document(strategies={"time_limit_ms": 9_000})
    patient = document(portfolio={"decision_timeout_ms": 10})["containers"]["c"]["components"]
    del config["containers"]["c"]["components"]["portfolio"]
    del patient["strategies"]
    config["containers"]["other"] = {"components": patient}
    assert told(config) == []
