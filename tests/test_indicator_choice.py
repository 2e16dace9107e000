"""What a config may say about indicators."""

from typing import Any, ClassVar

import numpy as np
import pytest

from barsync_async.features import INDICATORS, FloatArray, FreshBars, Scope
from barsync_async.indicator_choice import ENTRY_POINTS, check_indicator, parse_indicators


class Range:
    """An indicator of a user's own: high less low of the last bar."""

    scope: ClassVar[Scope] = "source"

    def __init__(self, columns: int, *, scale: float = 1.0) -> None:
        self._scale = scale
        self._ranges: FloatArray = np.full(columns, np.nan)

    def outputs(self, label: str) -> tuple[str, ...]:
        return (label,)

    def update(self, bars: FreshBars) -> tuple[FloatArray, ...]:
        self._ranges[bars.columns] = (bars.high - bars.low) * self._scale
        return (self._ranges,)


class NoScope:
    def __init__(self, columns: int) -> None:
        pass


class NoUpdate:
    scope = "source"

    def __init__(self, columns: int) -> None:
        pass


OWN = f"{__name__}:Range"


def labels(*choices: Any) -> list[str]:
    return [each.label for each in parse_indicators(choices)]


def test_a_name_alone_goes_by_its_name() -> None:
    assert labels(*INDICATORS) == list(INDICATORS)


@pytest.mark.parametrize(
    ("choice", "label"),
    [
        ({"name": "sma", "window": 50}, "sma_50"),
        ({"name": "sma", "window": 20}, "sma"),
        ({"name": "rsi", "window": 20}, "rsi_20"),
        ({"name": "rsi", "window": 20, "label": "rsi"}, "rsi"),
        ({"name": "macd", "fast": 8}, "macd_8_26_9"),
        ({"name": "bollinger", "window": 20, "deviations": 2}, "bollinger"),
        ({"name": "bollinger", "deviations": 2.5}, "bollinger_20_2.5"),
        ({"name": "session_vwap", "start": "13:30"}, "session_vwap_13:30"),
        ({"name": "beta", "benchmark": "SPY_1m"}, "beta"),
        (OWN, "Range"),
        ({"name": OWN, "scale": 2.0}, "Range_2"),
    ],
)
def test_parameters_out_of_the_usual_show_in_the_label_unless_there_is_one(
    choice: Any, label: str
) -> None:
    assert labels(choice) == [label]


@pytest.mark.parametrize(
    ("name", "minimum"),
    [
        ("sma", 1),
        ("ema", 1),
        ("rsi", 2),
        ("bollinger", 2),
        ("atr", 1),
        ("vwap", 1),
        ("returns", 1),
        ("volatility", 2),
        ("correlation", 2),
        ("covariance", 2),
        ("beta", 2),
        ("spread", 3),
        ("relative_strength", 1),
        ("cointegration", 30),
    ],
)
def test_a_window_has_its_bounds(name: str, minimum: int) -> None:
    for window in (minimum, 10_000):
        assert parse_indicators([{"name": name, "window": window}])
    for window in (minimum - 1, 10_001):
        with pytest.raises(ValueError, match=f"{name}: window = {window}: .* {minimum} to 10000"):
            parse_indicators([{"name": name, "window": window}])


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("wma", "indicator 'wma' is unknown: expected one of sma ema rsi"),
        ({"name": ["sma"]}, "indicator {'name': ['sma']}: expected a name, or a table"),
        ({"window": 5}, "indicator {'window': 5}: expected a name, or a table"),
        (7, "indicator 7: expected a name, or a table"),
        ({"name": "sma", "windwo": 5}, "sma: has no parameter 'windwo'"),
        ({"name": "sma", "windwo": 5}, "it takes window"),
        ({"name": "sma", "window": True}, "sma: window = True: expected a whole number"),
        ({"name": "sma", "window": 5.0}, "sma: window = 5.0: expected a whole number"),
        ({"name": "sma", "window": "5"}, "sma: window = '5': expected a whole number"),
        ({"name": "sma", "label": ""}, "sma: label = '': expected a name"),
        ({"name": "sma", "label": 5}, "sma: label = 5: expected a name"),
        ({"name": "macd", "fast": 26}, "macd: fast = 26, slow = 26: expected fast < slow"),
        ({"name": "macd", "signal": 0}, "macd: signal = 0: expected a whole number"),
        ({"name": "bollinger", "deviations": 0}, "bollinger: deviations = 0: expected a number"),
        ({"name": "returns", "kind": "net"}, "returns: kind = 'net': expected one of log simple"),
        ({"name": "session_vwap", "start": "9:30"}, "start = '9:30': expected HH:MM"),
        ({"name": "sma", "benchmark": "SPY_1m"}, "sma: benchmark = 'SPY_1m': it compares no"),
        ({"name": "cointegration", "lag": 0}, "cointegration: lag = 0: expected a whole number"),
        ({"name": "cointegration", "every_s": -1}, "every_s = -1: expected a number above 0"),
        ({"name": "beta", "benchmark": 5}, "beta: benchmark = 5: expected a source"),
        ({"name": "beta", "benchmark": "SPY"}, "'SPY'"),
        (f"{__name__}:NoScope", "scope = None: expected one of source pair"),
        (f"{__name__}:NoUpdate", "an indicator has outputs(label) and update(...)"),
        (f"{__name__}:Nowhere", "cannot be loaded"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_value_and_what_was_expected(
    choice: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        parse_indicators([choice])
    assert message in str(error.value)


def test_a_text_in_place_of_the_list_is_told_as_one() -> None:
    with pytest.raises(ValueError, match="'sma': expected a list of indicators, got a text"):
        parse_indicators("sma")


def test_a_check_of_a_config_loads_nothing_of_the_users_own() -> None:
    check_indicator("not_installed_here:Class")
    with pytest.raises(ValueError, match="window = 0"):
        check_indicator({"name": "sma", "window": 0})


def test_an_installed_package_may_name_an_indicator(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(group: str, name: str) -> str | None:
        return OWN if (group, name) == (ENTRY_POINTS, "range") else None

    monkeypatch.setattr("barsync_async.indicator_choice.entry_point", found)
    check_indicator({"name": "range", "no_such_parameter": 1})
    (spec,) = parse_indicators([{"name": "range", "scale": 3.0}])
    assert spec.label == "range_3"
    assert spec.make(2).outputs("x") == ("x",)
