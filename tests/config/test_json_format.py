"""``[feeds.NAME.format]`` as a TOML file has it."""

import tomllib
from typing import Any

import pytest
from pydantic import ValidationError
from tests.venues.json_feed import FORMAT

from barsync_async.config.json_format import JsonFormatConfig

TABLE = """
subscribe = [
    '{"action":"subscribe","symbols":{symbols},"timeframe":"{timeframe}","history":2}',
]
symbols_per_frame = 50
send_interval_ms = 100
only = { path = "type", equals = "bars" }
bars = "bars[]"
symbol = "symbol"
timeframe = "timeframe"
time = "time"
time_unit = "ms"
time_label = "open"
open = "open"
high = "high"
low = "low"
close = "close"
volume = "volume"
final = { path = "final", equals = true }
keep_alive = { text = '{"action":"ping"}', every_ms = 20_000 }
silence_ms = 15_000

[acknowledgement]
path = "type"
equals = "subscribed"
symbol = "symbols"
timeframe = "timeframe"

[error]
path = "type"
equals = "error"
text = "message"
symbol = "symbol"
timeframe = "timeframe"
final = true
"""


def table(**changes: Any) -> dict[str, Any]:
    return {k: v for k, v in (tomllib.loads(TABLE) | changes).items() if v is not None}


def test_a_table_makes_the_format_that_it_describes() -> None:
    assert JsonFormatConfig.model_validate(table()).made == FORMAT


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"symbol": "a..b"}, ("symbol",), "has an empty name"),
        ({"symbol": ""}, ("symbol",), "at least 1 character"),
        ({"time": "t[]"}, ("time",), "only the path to the bars"),
        ({"bars": "a..b"}, ("bars",), "has an empty name"),
        ({"volume": None}, ("volume",), "required"),
        ({"colour": 1}, ("colour",), "not permitted"),
        ({"time_unit": "h"}, ("time_unit",), "'s', 'ms'"),
        ({"only": {"path": "type"}}, ("only", "equals"), "required"),
        ({"final": {"path": "x.", "equals": 1}}, ("final", "path"), "has an empty name"),
        ({"keep_alive": {"text": "ping", "every_ms": 0}}, ("keep_alive", "every_ms"), "greater"),
        ({"symbols_per_frame": "50"}, ("symbols_per_frame",), "integer"),
        ({"fixed_timeframe": "1m"}, (), "timeframe: expected one of"),
        ({"finality": "always"}, (), "contradicts final"),
        ({"final": None}, (), "finality: is required"),
        ({"subscribe": ["{symbl}"]}, (), "{symbl} is unknown"),
    ],
)
def test_a_mistake_is_told_where_it_is(
    changes: dict[str, Any], where: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        JsonFormatConfig.model_validate(table(**changes))
    (detail,) = caught.value.errors()
    assert detail["loc"] == where
    assert words in detail["msg"]
