"""Classes of the user's own that cannot be made: all of them told at once, each in a line."""

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.end_to_end.running import toml
from tests.places import unplaced

from barsync_async.app.cli import main

MINE = """
import sys

print("mine")

class Good:
    def __init__(self, label="good"):
        self.name = label
    def decide(self, features, portfolio):
        return None

class Forgets(Good):
    def __init__(self):
        super().__init__({}["a key"])

class Asserts(Good):
    def __init__(self):
        assert False

class Leaves(Good):
    def __init__(self):
        sys.exit("no licence")

class Refuses(Good):
    def __init__(self, size=0):
        raise ValueError(f"size = {size}:\\n expected a number above 0")

class Awaited(Good):
    async def decide(self, features, portfolio):
        return None

class Anonymous(Good):
    @property
    def name(self):
        return 1 / 0
    @name.setter
    def name(self, value):
        pass

class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("not even this")

class Binary(Good):
    def __init__(self):
        raise OSError("\\udcff")

class Unsayable(Good):
    def __init__(self):
        raise Unspeakable

class Level:
    scope = "source"
    def __init__(self, columns, *, most=2):
        if columns > most:
            raise LookupError(f"{columns} columns")
    def outputs(self, label):
        return (label,)
    def update(self, bars):
        return (bars.close,)

class Unnamed(Level):
    def outputs(self, label):
        return label.no_such_method()

class Listing(Level):
    def outputs(self, label):
        return [label]

class Component:
    def initialize(self, container):
        raise OSError("no cable")
    def start(self):
        pass
"""
MODULE = "barsync_own_classes"
PLACE = "containers.c.components"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / f"{MODULE}.py").write_text(MINE, "utf-8")
    (tmp_path / f"{MODULE}_leaves.py").write_text("raise SystemExit(0)", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in (MODULE, f"{MODULE}_leaves"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def check(folder: Path, components: dict[str, Any], **service: str) -> Result:
    sources = ["SPY_1m", "QQQ_1m", "DIA_1m"]
    synchronizer = {"type": "BarSynchronizer", "config": {"expected_sources": sources}}
    document = {
        "service": {"name": "own", **service},
        "feeds": {"sim": {"venue": "binance", "url": "ws://127.0.0.1:9001", "sources": sources}},
        "containers": {"c": {"components": {"synchronizer": synchronizer, **components}}},
    }
    path = folder / "config.toml"
    path.write_text(toml(document), "utf-8")
    return CliRunner().invoke(main, ["check", str(path)])


def told(folder: Path, components: dict[str, Any]) -> list[str]:
    """The lines of a check that finds mistakes, without the path of the container."""
    result = check(folder, components)
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.stdout == ""
    head, *lines = [line for line in result.stderr.splitlines() if not line.endswith("mine")]
    assert head.endswith(f"config.toml: {len(lines)} mistake{'s' if len(lines) > 1 else ''}")
    assert all(line.startswith(f"  {PLACE}.") for line in lines), lines
    return [unplaced(line.removeprefix(f"  {PLACE}.")) for line in lines]


def strategies(*choices: Any, **config: Any) -> dict[str, Any]:
    return {
        "features": {"type": "MultiSymbolFeatureCalculator"},
        "s": {"type": "StrategyRunner", "config": {"strategies": list(choices), **config}},
    }


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
def test_every_strategy_that_cannot_be_made_is_told_with_its_index(
    folder: Path, executor: str
) -> None:
    names = ["no.such:Thing", "Good", "Forgets", "Asserts", "Leaves", "Anonymous"]
    names += ["Unsayable", "Binary", "Awaited"]
    choices = [name if ":" in name else f"{MODULE}:{name}" for name in names]
    parameters = {"name": f"{MODULE}:Good", "volume": 11}
    lines = told(
        folder,
        strategies(*choices, "momentum", f"{MODULE}_leaves:A", parameters, executor=executor),
    )
    begins = "s.config.strategies"
    lost = "'no.such:Thing' cannot be loaded: ModuleNotFoundError: No module named 'no'"
    divided = "ZeroDivisionError: division by zero"
    awaited = "its decide() is not awaited: it cannot be an async def"
    assert lines == [
        f"{begins}[0] = 'no.such:Thing': {lost}",
        f"{begins}[2] = '{MODULE}:Forgets': {MODULE}:Forgets: KeyError: 'a key'",
        f"{begins}[3] = '{MODULE}:Asserts': {MODULE}:Asserts: AssertionError",
        f"{begins}[4] = '{MODULE}:Leaves': {MODULE}:Leaves: SystemExit: no licence",
        f"{begins}[5] = '{MODULE}:Anonymous': {MODULE}:Anonymous: {divided}",
        f"{begins}[6] = '{MODULE}:Unsayable': {MODULE}:Unsayable: Unspeakable",
        f"{begins}[7] = '{MODULE}:Binary': {MODULE}:Binary: OSError: \\udcff",
        f"{begins}[8] = '{MODULE}:Awaited': {awaited}",
        f"{begins}[10] = '{MODULE}_leaves:A': '{MODULE}_leaves:A' cannot be loaded: SystemExit: 0",
        f"{begins}[11] = {parameters!r}: {MODULE}:Good: has no parameter 'volume'; it takes label",
    ]


def test_a_parameter_that_a_class_refuses_is_told_in_its_own_words_on_one_line(
    folder: Path,
) -> None:
    (line,) = told(folder, strategies({"name": f"{MODULE}:Refuses", "size": -1}))
    assert line.endswith(f": {MODULE}:Refuses: size = -1: expected a number above 0")


def test_every_indicator_that_cannot_be_made_is_told_with_its_index(folder: Path) -> None:
    names = ["no.such:Thing", "Level", "Unnamed", "Listing", "Good"]
    indicators = [name if ":" in name else f"{MODULE}:{name}" for name in names]
    indicators[1:1] = [{"name": f"{MODULE}:Level", "most": "much"}, "sma"]  # type: ignore[list-item]  # the point
    config = {"indicators": indicators}
    lines = told(folder, {"f": {"type": "MultiSymbolFeatureCalculator", "config": config}})
    assert [line.partition(" = ")[0] for line in lines] == [
        f"f.config.indicators[{index}]" for index in (0, 1, 4, 5, 6)
    ]
    for line, expected in zip(
        lines,
        [
            "cannot be loaded: ModuleNotFoundError: No module named 'no'",
            f"{MODULE}:Level: TypeError: '>' not supported",
            f"{MODULE}:Unnamed: AttributeError: 'str' object has no attribute 'no_such_method'",
            f"{MODULE}:Listing: outputs('Listing') gives ['Listing']: expected a tuple of names",
            f"{MODULE}:Good: scope = None: expected one of source pair",
        ],
        strict=True,
    ):
        assert expected in line


def test_an_indicator_that_fails_only_with_all_sources_is_told_too(folder: Path) -> None:
    config = {"indicators": [f"{MODULE}:Level"]}
    (line,) = told(folder, {"f": {"type": "MultiSymbolFeatureCalculator", "config": config}})
    assert line == (f"f = MultiSymbolFeatureCalculator: {MODULE}:Level: LookupError: 3 columns")


def test_a_component_that_cannot_be_made_is_told_beside_the_others(folder: Path) -> None:
    components = {
        "own": {"type": f"{MODULE}:Component"},
        "other": {"type": f"{MODULE}:Forgets"},
        **strategies(f"{MODULE}:Asserts"),
    }
    assert told(folder, components) == [
        f"own = {MODULE}:Component: {MODULE}:Component: OSError: no cable",
        f"other = {MODULE}:Forgets: {MODULE}:Forgets: KeyError: 'a key'",
        f"s.config.strategies[0] = '{MODULE}:Asserts': {MODULE}:Asserts: AssertionError",
    ]


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_the_traceback_is_in_the_log_where_that_is_asked_for(folder: Path, executor: str) -> None:
    given = strategies(f"{MODULE}:Forgets", executor=executor)
    assert "Traceback" not in check(folder, given).stderr
    result = check(folder, given, log_level="debug")
    assert result.exit_code == 2
    assert 'super().__init__({}["a key"])' in result.stderr


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_they_are_told_beside_all_else_that_is_wrong_in_the_config(
    folder: Path, executor: str
) -> None:
    components = {
        "own": {"type": f"{MODULE}:Forgets"},
        "f": {
            "type": "MultiSymbolFeatureCalculator",
            "config": {"indicators": ["smaa", f"{MODULE}:Unnamed", {}, f"{MODULE}:Level"]},
        },
        "s": {
            "type": "StrategyRunner",
            "config": {
                "strategies": [f"{MODULE}:Asserts", "luck", f"{MODULE}:Good", {}, "no.such:Thing"],
                "executor": executor,
            },
        },
        "p": {"type": "Portfolio", "config": {"cash": 0}},
    }
    assert sorted(line.partition(" = ")[0] for line in told(folder, components)) == [
        "f.config.indicators[0]",
        "f.config.indicators[1]",
        "f.config.indicators[2]",
        "own",
        "p.config.cash",
        "s.config.strategies[0]",
        "s.config.strategies[1]",
        "s.config.strategies[3]",
        "s.config.strategies[4]",
    ]


def test_what_is_no_list_or_has_no_place_to_decide_is_told_as_that(folder: Path) -> None:
    wrong = {"strategies": {"name": f"{MODULE}:Asserts"}, "executor": 3, "parallel": "x"}
    found = told(folder, {"s": {"type": "StrategyRunner", "config": wrong}})
    assert [line.partition(" = ")[0] for line in found] == [
        "s.config.strategies",
        "s.config.parallel",
        "s.config.executor",
    ]
    (_, line) = told(folder, strategies(f"{MODULE}:Asserts", executor=3))
    assert line.endswith("AssertionError")


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_what_they_print_stands_not_amid_what_a_check_says(folder: Path, executor: str) -> None:
    result = check(folder, strategies(f"{MODULE}:Good", executor=executor))
    assert result.exit_code == 0
    assert "good" in result.stdout
    assert "mine" not in result.stdout.split()
    assert "mine" in result.stderr
