"""What a config's ``strategies`` key may say."""

from pathlib import Path
from typing import Any

import pytest

from barsync_async.messages import Decision, Features, PortfolioUpdate
from barsync_async.strategies import STRATEGIES, Momentum, PairsTrading
from barsync_async.strategy_choice import (
    StrategyPlan,
    check_strategy,
    hidden_by_ours,
    strategy_maker,
    strategy_plan,
)


class Own:
    """Plays a strategy's role."""

    def __init__(self, label: str = "own") -> None:
        self.name = label

    def decide(self, features: Features, portfolio: PortfolioUpdate | None) -> Decision:
        return Decision({}, "")


class Unnamed(Own):
    """Has a name that is none."""

    def __init__(self) -> None:
        super().__init__()
        self.name = None  # type: ignore[assignment]  # the point


class Mute:
    """Has a name and nothing to say."""

    name = "mute"
    decide = None


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_can_be_named_and_goes_by_its_name(name: str) -> None:
    check_strategy(name)
    made = strategy_maker(name)()
    assert isinstance(made, STRATEGIES[name])
    assert made.name == name


def test_a_table_gives_parameters() -> None:
    choice = {"name": "momentum", "label": "fast", "notional": 5.0}
    check_strategy(choice)
    assert strategy_maker(choice)().name == "fast"


def test_a_class_of_the_users_own_is_named_by_its_path_with_or_without_parameters() -> None:
    assert isinstance(strategy_maker(f"{__name__}:Own")(), Own)
    assert strategy_maker({"name": f"{__name__}:Own", "label": "mine"})().name == "mine"


def test_each_call_makes_a_new_one() -> None:
    make = strategy_maker("pairs_trading")
    one, other = make(), make()
    assert isinstance(one, PairsTrading)
    assert one is not other


def test_the_choice_is_not_altered() -> None:
    choice = {"name": "momentum", "label": "fast"}
    strategy_maker(choice)()
    assert choice == {"name": "momentum", "label": "fast"}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (
            "luck",
            "strategy 'luck' is unknown: expected one of momentum pairs_trading, or an entry point",
        ),
        ("", "strategy '' is unknown"),
        ({}, "strategy {}: expected a name, or a table with the key name"),
        ({"name": 3}, "strategy {'name': 3}: expected a name, or a table with the key name"),
        ({"name": ["momentum"]}, "expected a name, or a table with the key name"),
        ({"name": "luck", "label": "x"}, "strategy 'luck' is unknown"),
        ({"name": "momentum", "executor": "fork"}, "executor = 'fork': expected one of inline"),
        ({"name": "momentum", "time_limit_ms": 0}, "time_limit_ms = 0: expected a number above 0"),
        ({"name": "momentum", "time_limit_ms": True}, "time_limit_ms = True: expected a number"),
    ],
)
def test_a_strategy_that_there_is_not_is_refused_at_once(choice: Any, expected: str) -> None:
    for look in (check_strategy, strategy_maker):
        with pytest.raises(ValueError, match=r".") as error:
            look(choice)
        assert expected in str(error.value)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"nerve": 1}, "momentum: has no parameter 'nerve'; it takes notional"),
        ({"notional": 0}, "notional = 0: expected a number above 0"),
        ({"notional": "much"}, "notional = 'much': expected a number above 0"),
        ({"notional": 10**400}, "momentum: OverflowError: int too large to convert to float"),
        ({"sources": 3}, "sources = 3: expected a list of names"),
        ({"sources": ["SPY"]}, "'SPY' is not SYMBOL_TIMEFRAME"),
    ],
)
def test_bad_parameters_are_found_by_the_check_and_when_it_is_made(
    parameters: dict[str, Any], expected: str
) -> None:
    choice = {"name": "momentum", **parameters}
    for look in (lambda: check_strategy(choice), strategy_maker(choice)):
        with pytest.raises(ValueError, match=r".") as error:
            look()
        assert expected in str(error.value)


def test_the_check_does_not_load_the_users_own_code() -> None:
    check_strategy("no.such:Thing")
    with pytest.raises(ValueError, match="cannot be loaded"):
        strategy_maker("no.such:Thing")


@pytest.mark.parametrize("kind", ["Unnamed", "Mute"])
def test_what_plays_no_strategys_role_is_refused_when_it_is_made(kind: str) -> None:
    make = strategy_maker(f"{__name__}:{kind}")
    with pytest.raises(ValueError, match="a strategy has a name and decide"):
        make()


def test_a_path_may_lead_to_a_shipped_strategy_too() -> None:
    made = strategy_maker("barsync_async.strategies:Momentum")()
    assert isinstance(made, Momentum)


def test_what_a_choice_says_of_the_runner_is_no_parameter_of_the_strategy() -> None:
    choice = {"name": "momentum", "label": "fast", "executor": "process", "time_limit_ms": 5}
    assert strategy_plan(choice) == StrategyPlan("momentum", {"label": "fast"}, "process", 5)
    assert strategy_plan("momentum") == StrategyPlan("momentum", {})
    assert strategy_maker(choice)().name == "fast"


def test_an_installed_package_may_name_strategies_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = tmp_path / "theirs-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    named = f"[barsync.strategies]\nluck = {__name__}:Own\n"
    (described / "entry_points.txt").write_text(named)
    monkeypatch.syspath_prepend(tmp_path)
    check_strategy("luck")
    assert isinstance(strategy_maker({"name": "luck", "label": "lucky"})(), Own)
    with pytest.raises(ValueError, match="pairs_trading, or luck of an installed package,"):
        check_strategy("lukc")
    assert hidden_by_ours("luck") is None
