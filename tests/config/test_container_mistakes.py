"""What is wrong between the components of one container is told with the keys of both."""

from collections.abc import Mapping
from typing import Any

import pytest

from barsync_async.config import parse_config, remarks
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
    found = limited({"time_limit_ms": 9_000, "executor": "inlined"}, {})
    assert [where for where, _, _ in found] == [f"{PLACE}.strategies.config.executor"]


def test_another_containers_portfolio_waits_for_nobody_here() -> None:
    config = document(strategies={"time_limit_ms": 9_000})
    patient = document(portfolio={"decision_timeout_ms": 10})["containers"]["c"]["components"]
    del config["containers"]["c"]["components"]["portfolio"]
    del patient["strategies"]
    config["containers"]["other"] = {"components": patient}
    assert told(config) == []


# What strategies name

STRATEGIES = f"{PLACE}.strategies.config.strategies"


def choosing(
    choice: str | Mapping[str, Any], *indicators: Any, **features: Any
) -> list[tuple[str, str, str]]:
    """What is told where one strategy stands beside ``indicators``, or the usual ones."""
    given = {**({"indicators": list(indicators)} if indicators else {}), **features}
    return told(document(strategies={"strategies": [choice]}, features=given))


@pytest.mark.parametrize(
    "choice",
    [
        {"name": "momentum", "sources": ["SPY_5m", "QQQ_1m"]},
        {"name": "momentum", "sma": "slow", "rsi": "rsi_5"},
        {"name": "pairs_trading", "pairs": [["SPY_1m", "QQQ_1m"]]},
        {"name": "pairs_trading", "spread": "wide"},
        {"name": "pairs_trading", "spread": "wide", "pairs": [["QQQ_1m", "SPY_1m"]]},
    ],
)
def test_what_a_strategy_names_may_be_anything_that_is_there(choice: Mapping[str, Any]) -> None:
    indicators: list[Any] = [
        *("sma", "rsi", "spread"),
        {"name": "sma", "window": 50, "label": "slow"},
        {"name": "rsi", "window": 5},
        {"name": "spread", "window": 50, "label": "wide"},
    ]
    assert choosing(choice, *indicators) == []


def test_a_source_that_the_container_does_not_expect_is_refused_by_name() -> None:
    expected = f"is not expected by the container; it has {' '.join(sorted(SOURCES))}"
    choice = {"name": "momentum", "sources": ["IWM_1m", "SPY_1m", "DIA_1m"]}
    assert choosing(choice) == [
        (f"{STRATEGIES}[0].sources", "'IWM_1m'", expected),
        (f"{STRATEGIES}[0].sources", "'DIA_1m'", expected),
    ]
    other = {"name": "pairs_trading", "pairs": [["SPY_1m", "IWM_1m"]]}
    assert choosing(other) == [(f"{STRATEGIES}[0].pairs", "'IWM_1m'", expected)]


def test_a_feature_that_no_indicator_gives_is_refused_with_those_that_there_are() -> None:
    choice = {"name": "momentum", "sma": "sma_50", "rsi": "rsi_9"}
    assert choosing(choice, "sma", {"name": "macd", "label": "m"}, "spread") == [
        (
            f"{STRATEGIES}[0].{parameter}",
            f"'{label}'",
            f"no indicator of the container gives {label}; there are m m_hist m_signal sma",
        )
        for parameter, label in (("sma", "sma_50"), ("rsi", "rsi_9"))
    ]
    expected = "no indicator of the container gives wide_zscore; there are correlation"
    choice = {"name": "pairs_trading", "spread": "wide"}
    assert choosing(choice, "correlation") == [(f"{STRATEGIES}[0].spread", "'wide'", expected)]
    choice = {"name": "momentum", "sma": "correlation"}
    ((where, _, why),) = choosing(choice, "correlation")
    assert where == f"{STRATEGIES}[0].sma"
    assert why.endswith("there are none")


@pytest.mark.parametrize(
    ("pair", "features"),
    [
        (["QQQ_5m", "SPY_5m"], {}),
        (["QQQ_1m", "SPY_1m"], {"pairs": [["QQQ_5m", "SPY_5m"]]}),
    ],
)
def test_a_pair_that_is_not_compared_is_refused(
    pair: list[str], features: Mapping[str, Any]
) -> None:
    ((where, value, why),) = choosing({"name": "pairs_trading", "pairs": [pair]}, **features)
    assert (where, value) == (f"{STRATEGIES}[0].pairs", f"'{'|'.join(pair)}'")
    assert why == "spread_zscore has no such pair"


def test_a_benchmark_is_compared_with_others_of_its_timeframe_the_others_first() -> None:
    spread = {"name": "spread", "benchmark": "SPY_1m"}
    assert choosing({"name": "pairs_trading", "pairs": [["SPY_1m", "QQQ_1m"]]}, spread) == []
    spread = {"name": "spread", "benchmark": "QQQ_1m"}
    ((where, _, why),) = choosing(
        {"name": "pairs_trading", "pairs": [["SPY_1m", "QQQ_1m"]]}, spread
    )
    assert where == f"{STRATEGIES}[0].pairs"
    assert "has no such pair" in why


def test_what_a_class_of_the_users_own_may_give_or_read_is_not_guessed() -> None:
    assert choosing({"name": "momentum", "sma": "Range"}, "sma", "mine.own:Range") == []
    assert choosing({"name": "mine.own:Alpha", "sma": "nowhere", "sources": ["IWM_1m"]}) == []
    config = document(strategies={"strategies": [{"name": "momentum", "sma": "x"}]})
    config["containers"]["c"]["components"]["features"] = {"type": "mine.own:Features"}
    assert told(config) == []


def test_what_is_wrong_by_itself_may_mean_anything_and_the_rest_is_looked_at() -> None:
    choice = {"name": "momentum", "sma": "slow"}
    ((where, _, _),) = choosing(choice, "smaa")
    assert where == f"{PLACE}.features.config.indicators[0]"
    ((where, _, _),) = choosing({"name": "pairs_trading", "pairs": [["SPY_5m", "QQQ_5m"]]}, pairs=3)
    assert where == f"{PLACE}.features.config.pairs"
    config = document(
        synchronizer={"timeout_ms": -1},
        strategies={
            "strategies": ["luck", {"name": "momentum", "sources": ["IWM_1m"]}, 7],
            "time_limit_ms": 900,
            "max_faults": "few",
        },
        portfolio={"cash": 0},
        features={"pairs": [["SPY_1m", "IWM_1m"]], "indicators": ["smaa"]},
    )
    assert sorted(where.removeprefix(f"{PLACE}.") for where, _, _ in told(config)) == [
        "features.config.indicators[0]",
        "features.config.pairs[0]",
        "portfolio.config.cash",
        "strategies.config.max_faults",
        "strategies.config.strategies[0]",
        "strategies.config.strategies[1].sources",
        "strategies.config.strategies[2]",
        "strategies.config.time_limit_ms",
        "synchronizer.config.timeout_ms",
    ]


def test_sources_that_are_wrong_leave_open_which_there_are() -> None:
    config = document(
        synchronizer={"expected_sources": ["SPY_1m", "QQQ"]},
        strategies={"strategies": [{"name": "momentum", "sources": ["IWM_1m"]}]},
    )
    ((where, _, _),) = told(config)
    assert where == f"{PLACE}.synchronizer.config.expected_sources[1]"


def remarked(choice: Any, *indicators: Any) -> list[str]:
    given = document(strategies={"strategies": [choice]}, features={"indicators": [*indicators]})
    return [*map(str, remarks(parse_config(given, "some.toml")))]


def test_what_a_strategy_reads_without_being_told_may_be_missing_and_is_remarked_upon() -> None:
    """So it is in the usual composition: pairs_trading waits for a spread that may be added."""
    lacking = "no indicator of the container gives"
    assert remarked("pairs_trading", "sma", "rsi", "correlation") == [
        f"{STRATEGIES}[0].spread = 'spread': {lacking} spread_zscore; there are correlation"
    ]
    assert remarked({"name": "momentum", "notional": 5.0}, {"name": "sma", "window": 50}) == [
        f"{STRATEGIES}[0].{label} = '{label}': {lacking} {label}; there are sma_50"
        for label in ("sma", "rsi")
    ]


def test_where_all_is_there_or_may_be_nothing_is_remarked() -> None:
    assert remarked("momentum", "sma", "rsi") == []
    assert remarked("momentum", "sma", "mine.own:Strength") == []
    assert remarked("mine.own:Alpha", "sma") == []


# What indicators compare

NOT_EXPECTED = f"is not expected by the container; it has {' '.join(sorted(SOURCES))}"


def test_sources_to_compare_that_the_container_does_not_expect_are_refused_where_they_stand() -> (
    None
):
    pairs = [["SPY_1m", "QQQ_1m"], ["IWM_1m", "SPY_1m"], ["DIA_1m", "IWM_1m"]]
    indicators = ["sma", {"name": "beta", "benchmark": "VIX_1m"}, "rsi"]
    config = document(features={"pairs": pairs, "indicators": indicators})
    place = f"{PLACE}.features.config"
    assert told(config) == [
        (f"{place}.pairs[1]", "'IWM_1m'", NOT_EXPECTED),
        (f"{place}.pairs[2]", "'DIA_1m'", NOT_EXPECTED),
        (f"{place}.pairs[2]", "'IWM_1m'", NOT_EXPECTED),
        (f"{place}.indicators[1].benchmark", "'VIX_1m'", NOT_EXPECTED),
    ]


def test_a_benchmark_that_is_expected_is_good_also_of_the_users_own_indicator() -> None:
    own = {"name": "mine.own:Ratio", "benchmark": "SPY_1m"}
    assert told(document(features={"indicators": [own, {**own, "name": "beta"}]})) == []
    other = {**own, "benchmark": "VIX_1m"}
    ((where, _, why),) = told(document(features={"indicators": [other]}))
    assert where == f"{PLACE}.features.config.indicators[0].benchmark"
    assert why == NOT_EXPECTED


def test_a_runner_that_nobody_gives_features_is_remarked_upon_unless_a_component_may() -> None:
    config = document(strategies={"strategies": ["momentum"]})
    del config["containers"]["c"]["components"]["features"]
    assert [*map(str, remarks(parse_config(config, "some.toml")))] == [
        f"{PLACE}.strategies: is never asked: the container has no MultiSymbolFeatureCalculator"
    ]
    config["containers"]["c"]["components"]["own"] = {"type": "mine.own:Features"}
    assert [*remarks(parse_config(config, "some.toml"))] == []
