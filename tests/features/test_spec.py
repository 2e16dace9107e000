"""What a config may say about indicators."""

from typing import Any

import pytest

from barsync_async.features import IndicatorSpec, parse_indicators


def test_a_name_alone_has_the_usual_window_and_goes_by_its_name() -> None:
    specs = parse_indicators(["sma", "rsi", "correlation", "spread"])
    assert [(each.key, each.length) for each in specs] == [
        ("sma", 20),
        ("rsi", 14),
        ("correlation", 20),
        ("spread", 20),
    ]


def test_a_table_gives_window_and_label() -> None:
    choice = {"name": "sma", "window": 50, "label": "slow"}
    assert parse_indicators([choice]) == (IndicatorSpec("sma", 50, "slow"),)


@pytest.mark.parametrize(
    ("spec", "key"),
    [
        (IndicatorSpec("sma", 50), "sma_50"),
        (IndicatorSpec("sma", 20), "sma"),
        (IndicatorSpec("rsi", 20), "rsi_20"),
        (IndicatorSpec("rsi", 20, "rsi"), "rsi"),
    ],
)
def test_a_window_out_of_the_usual_shows_in_the_name_unless_there_is_a_label(
    spec: IndicatorSpec, key: str
) -> None:
    assert spec.key == key


@pytest.mark.parametrize(
    ("name", "minimum"), [("sma", 1), ("rsi", 2), ("correlation", 2), ("spread", 3)]
)
def test_a_window_has_its_bounds(name: str, minimum: int) -> None:
    assert [IndicatorSpec(name, each).length for each in (minimum, 10_000)] == [minimum, 10_000]
    for window in (minimum - 1, 10_001):
        with pytest.raises(ValueError, match=f"{name}: window = {window}: .* {minimum} to 10000"):
            IndicatorSpec(name, window)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("ema", "indicator 'ema' is unknown: expected one of sma rsi correlation spread"),
        ({"name": ["sma"]}, "indicator ['sma'] is unknown: expected one of"),
        ({"window": 5}, "indicator {'window': 5}: expected a name, or a table"),
        (7, "indicator 7: expected a name, or a table"),
        ({"name": "sma", "windwo": 5}, "sma: 'windwo' is no parameter: expected name window label"),
        ({"name": "sma", "window": True}, "sma: window = True: expected a whole number"),
        ({"name": "sma", "window": 5.0}, "sma: window = 5.0: expected a whole number"),
        ({"name": "sma", "window": "5"}, "sma: window = '5': expected a whole number"),
        ({"name": "sma", "label": ""}, "sma: label = '': expected a name"),
        ({"name": "sma", "label": 5}, "sma: label = 5: expected a name"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_value_and_what_was_expected(
    choice: Any, message: str
) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        parse_indicators([choice])
    assert message in str(error.value)
