"""Mistakes in a format's description, each told by name."""

from typing import Any

import pytest

from barsync_async.venues.json_format import JsonAcknowledgement, JsonError, JsonFormat, JsonMatch
from barsync_async.venues.json_path import find, find_each, parse_path
from barsync_async.venues.keep_alive import KeepAlive

GOOD: dict[str, Any] = {
    "symbol": "s",
    "fixed_timeframe": "1m",
    "time": "t",
    "time_unit": "ms",
    "time_label": "open",
    **{name: name[0] for name in ("open", "high", "low", "close", "volume")},
    "finality": "always",
}


def test_the_least_that_is_needed_is_enough() -> None:
    assert JsonFormat(**GOOD).frame == "object"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"symbol": ""}, "symbol: expected a path"),
        ({"time": "a..b"}, r"time: the path 'a\.\.b' has an empty name"),
        ({"open": "a[]"}, "open: .* only the path to the bars"),
        ({"high": "x" * 300}, "high: .* longer than 200"),
        ({"only": JsonMatch("a.", 1)}, "only.path: "),
        ({"bars": "a.b.", "only": None}, "bars: "),
        ({"error": JsonError("a", 1, text="."), "bars": "b"}, "error.text: "),
        ({"timeframe": "i"}, "timeframe: expected one of .*not both timeframe and fixed_timeframe"),
        ({"fixed_timeframe": None}, "timeframe: expected one of"),
        ({"fixed_timeframe": "7m"}, "'7m' is no timeframe"),
        ({"timeframe_names": {"1M": 1}}, "'1M' is no timeframe"),
        ({"timeframe_names": {"1m": 1, "5m": 1}}, "timeframe_names: 1 stands for two"),
        ({"symbol_names": {"A": "x", "B": "x"}}, "symbol_names: 'x' stands for two"),
        ({"symbol_template": "{sym}"}, r"symbol_template: \{sym\} is unknown"),
        ({"symbol_template": "x{quote}"}, "symbol_template: has neither"),
        ({"subscribe": ("{symbl}",)}, r"subscribe: \{symbl\} is unknown; there are \{symbol\}"),
        ({"subscribe": ("{symbol}{symbols}",)}, "not both"),
        ({"finality": None}, "finality: is required"),
        ({"finality": "flag"}, "finality: is required"),
        ({"final": JsonMatch("x", equals=True)}, "contradicts final"),
        ({"symbols_per_frame": 0}, "symbols_per_frame: 0 is not from 1"),
        ({"send_interval_ms": -1}, "send_interval_ms: -1"),
        ({"silence_ms": 0}, "silence_ms: 0"),
        ({"keep_alive": KeepAlive("ping", 0)}, "keep_alive.every_ms: 0"),
        ({"acknowledgement": JsonAcknowledgement("ok", equals=True)}, "only: is required"),
    ],
)
def test_a_mistake_is_told_by_the_name_of_its_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        JsonFormat(**GOOD | changes)


def test_a_path_leads_through_objects_and_arrays() -> None:
    message = {"a": {"b": [10, {"0": 20}]}, "": 1}
    for path, value in {
        "a.b.0": 10,
        "a.b.1.0": 20,
        "$.a.b.0": 10,
        "": message,
        "$": message,
    }.items():
        assert find(parse_path(path), message) == value
    for path in ("a.c", "a.b.7", "a.b.x", "a.b.0.0", "x"):
        assert repr(find(parse_path(path), message)).startswith("<object")


def test_brackets_stand_for_every_element() -> None:
    def each(path: str, message: Any) -> Any:
        return find_each(parse_path(path, to_bars=True), message)

    assert each("a[]", {"a": [1, 2]}) == [1, 2]
    assert each("[]", [1, 2]) == [1, 2]
    assert each("a[].b[].c", {"a": [{"b": [{"c": 1}]}, {"b": []}, {"b": [{"c": 2}]}]}) == [1, 2]
    for wrong in ({"a": "xy"}, {"a": {"b": 1}}, {}, 7):
        with pytest.raises((LookupError, TypeError)):
            each("a[]", wrong)
