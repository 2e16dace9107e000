"""Classes of the user's own: found, made, and refused with a reason."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from barsync_async.plugins import load_class, make


class Taking:
    """A class with parameters of every kind."""

    def __init__(self, size: int, *, colour: str = "red") -> None:
        if size < 0:
            raise ValueError("size is below 0")
        self.size = size * 1
        self.ratio = 1.0 / float(size) if size else 0.0
        self.colour = colour


class Nothing:
    """A class without parameters."""


def write_module(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str) -> None:
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_class_is_found_by_module_and_name() -> None:
    assert load_class("collections:Counter") is Counter
    assert load_class(f"{__name__}:Taking") is Taking


def test_a_function_that_makes_something_will_do() -> None:
    assert load_class("collections:namedtuple")("Point", "x")(1).x == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("no.such:Thing", "No module named 'no'"),
        ("collections:Nothing", "has no attribute 'Nothing'"),
        ("collections:", "has no attribute ''"),
        ("collections", "has no attribute ''"),
        (":Counter", "Empty module name"),
        (":", "Empty module name"),
        (".relative:Thing", "'package' argument is required"),
        ("..:Thing", "'package' argument is required"),
        ("collections:Counter.most_common", "has no attribute 'Counter.most_common'"),
        ("a b:c", "No module named 'a b'"),
        ("\x00:c", "cannot be loaded"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_and_says_why(path: str, expected: str) -> None:
    with pytest.raises(ValueError, match="cannot be loaded") as error:
        load_class(path)
    assert str(error.value).startswith(repr(path))
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("class", "invalid syntax"),
        ("raise RuntimeError('mine')", "mine"),
        ("1 / 0", "division by zero"),
        ("import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_a_module_that_cannot_be_run_is_refused_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, expected: str
) -> None:
    write_module(tmp_path, monkeypatch, "barsync_broken_plugin", code)
    with pytest.raises(ValueError, match="cannot be loaded") as error:
        load_class("barsync_broken_plugin:Thing")
    assert expected in str(error.value)


def test_what_cannot_be_called_is_no_class() -> None:
    with pytest.raises(ValueError, match="'sys:path' is no class"):
        load_class("sys:path")


def test_a_class_is_made_with_its_parameters() -> None:
    made = make("taking", Taking, {"size": 2, "colour": "blue"})
    assert (made.size, made.colour) == (2, "blue")
    assert make("taking", Taking, {"size": 2}).colour == "red"
    assert isinstance(make("nothing", Nothing, {}), Nothing)


@pytest.mark.parametrize(
    ("maker", "parameters", "expected"),
    [
        (Taking, {}, "taking: missing a required argument: 'size'; it takes size colour"),
        (
            Taking,
            {"size": 1, "shape": 2},
            "taking: has no parameter 'shape'; it takes size colour",
        ),
        (Taking, {3: 1}, "taking: "),
        (Taking, {"size": -1}, "taking: size is below 0"),
        (Taking, {"size": "much"}, "taking: TypeError: '<' not supported"),
        (Taking, {"size": 10**400}, "taking: OverflowError: int too large to convert to float"),
        (Nothing, {"size": 1}, "it takes nothing"),
    ],
)
def test_parameters_that_it_does_not_take_are_refused_with_those_that_it_does(
    maker: Any, parameters: dict[Any, Any], expected: str
) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        make("taking", maker, parameters)
    assert expected in str(error.value)
