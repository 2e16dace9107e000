"""What code that is not ours raised, in a line."""

import json
from functools import partial
from pathlib import Path

import pytest

from barsync_async.plugins import load_class
from barsync_async.raised import told

MINE = """
import json

def helped(table):
    return table["emaa"]

class Mine:
    def decide(self):
        return helped({})

    def parse(self):
        return json.loads("{")

    def call(self, what):
        return what()
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    (tmp_path / "mine_raises.py").write_text(MINE, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return load_class("mine_raises:Mine")()


def raised(call: object) -> str:
    try:
        call()  # type: ignore[operator]
    except BaseException as error:  # noqa: BLE001 - any
        ours = error.__traceback__
        return told(error.with_traceback(ours and ours.tb_next))  # as if barsync had called it
    raise AssertionError("it did not")


def test_the_innermost_line_of_the_users_own_file_is_told(mine: object) -> None:
    assert raised(mine.decide) == "KeyError: 'emaa' (mine_raises.py:5)"  # type: ignore[attr-defined]


def test_what_a_library_raised_is_told_at_the_line_that_called_it(mine: object) -> None:
    line = raised(mine.parse)  # type: ignore[attr-defined]
    assert line.startswith("JSONDecodeError: ")
    assert line.endswith(" (mine_raises.py:12)")


def test_an_error_that_came_through_no_line_of_the_users_has_no_place() -> None:
    assert told(ValueError("mine")) == "ValueError: mine"
    assert told(ValueError()) == "ValueError"
    assert raised(partial(json.loads, "[")).endswith("line 1 column 2 (char 1)")


def test_a_text_that_raises_itself_is_left_out() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise SystemExit

    assert told(Mute()) == "Mute"
