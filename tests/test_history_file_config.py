"""The table of a history file: what it means, and what is wrong in it, named by its key."""

import datetime as dt
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from barsync_async.config.files import HistoryFileConfig
from barsync_async.config.mistakes import told
from barsync_async.venues.history_format import PLACES, Columns, FileFormat


def parse(text: str) -> HistoryFileConfig:
    return HistoryFileConfig.model_validate(tomllib.loads(text))


def mistakes(table: Any) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        HistoryFileConfig.model_validate(table)
    return shown(raised.value)


def shown(error: ValidationError) -> list[str]:
    return [str(each) for each in told(error, ("feeds", "past", "files", "SPY_1m"))]


def outcome(table: Any) -> FileFormat | list[str]:
    try:
        return HistoryFileConfig.model_validate(table).file_format()
    except ValidationError as error:
        return shown(error)


def test_a_path_and_a_label_are_enough() -> None:
    config = parse('path = "SPY.csv"\nlabel = "close"')
    assert config.path == "SPY.csv"
    assert config.file_format() == FileFormat(label="close")


def test_every_key_is_understood() -> None:
    config = parse("""
        path = "SPY.csv"
        label = "open"
        timezone = "America/New_York"
        time_format = "%Y.%m.%d %H:%M"
        columns = { time = ["<DATE>", "<TIME>"], open = 2, volume = false }
        price_scale = 10_000
        delimiter = "\\t"
    """)
    assert config.file_format() == FileFormat(
        label="open",
        timezone="America/New_York",
        time_format="%Y.%m.%d %H:%M",
        columns=Columns(time=("<DATE>", "<TIME>"), open=2, volume=None),
        price_scale=10_000,
        delimiter="\t",
    )


@pytest.mark.parametrize("day", ["2013-10-07", '"2013-10-07"'])
def test_a_file_of_one_day_without_a_header_is_understood(day: str) -> None:
    config = parse(f"""
        path = "20131007_trade.zip"
        label = "open"
        timezone = "America/New_York"
        time_unit = "ms_of_day"
        date = {day}
        price_scale = 10_000
        header = false
    """)
    assert config.file_format() == FileFormat(
        label="open",
        timezone="America/New_York",
        time_unit="ms_of_day",
        date=dt.date(2013, 10, 7),
        price_scale=10_000,
        header=False,
        columns=PLACES,
    )


def test_a_column_that_is_named_leaves_the_others_as_usual() -> None:
    named = parse('path = "a"\nlabel = "close"\ncolumns = { time = "datetime" }')
    assert named.file_format().columns == Columns(time="datetime")
    placed = parse('path = "a"\nlabel = "close"\nheader = false\ncolumns = { volume = 6 }')
    assert placed.file_format().columns == Columns(0, 1, 2, 3, 4, 6)


@pytest.mark.parametrize(
    ("said", "told_of"),
    [
        ({"path": ""}, ".path = '': expected text that is not empty"),
        ({"path": "a\0"}, ".path = 'a\\x00': expected a path"),
        ({"label": "middle"}, ".label = 'middle': expected 'open' or 'close'"),
        ({"timezone": "Mars"}, ".timezone = 'Mars': expected a time zone, e.g. America/New_York"),
        ({"time_unit": "min"}, ".time_unit = 'min': expected 'iso', 's', 'ms', 'us', 'ns'"),
        ({"time_format": "%H:%M"}, ".time_format = '%H:%M': expected a format of date and time"),
        ({"date": "7.10.2013"}, ".date = '7.10.2013': expected a day, e.g. 2013-10-07"),
        ({"date": 5}, ".date = 5: expected a day"),
        ({"price_scale": 0}, ".price_scale = 0: expected a number of at least 1"),
        ({"price_scale": 0.01}, ".price_scale = 0.01: expected a whole number"),
        ({"header": "no"}, ".header = 'no': expected true or false"),
        ({"delimiter": ",,"}, ".delimiter = ',,': expected one character that is no quote"),
        ({"columns": {"open": -1}}, ".columns.open = -1: expected a column's name, or its"),
        ({"columns": {"open": True}}, ".columns.open = True: expected a column's name, or its"),
        ({"columns": {"time": []}}, ".columns.time = []: expected a column's name, or its"),
        ({"columns": {"vwap": 7}}, ".columns.vwap = 7: no such key"),
        ({"adjusted": True}, ".adjusted = True: no such key"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_where_it_stands(said: dict[str, Any], told_of: str) -> None:
    table = {"path": "a.csv", "label": "close", **said}
    (mistake,) = mistakes(table)
    assert mistake.startswith(f"feeds.past.files.SPY_1m{told_of}")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"time_unit": "ms_of_day"}, "time_unit ms_of_day needs date, the day that it counts from"),
        ({"date": "2013-10-07"}, "date is for time_unit ms_of_day, and time_unit is iso"),
        ({"time_unit": "s", "time_format": "%Y%m%d"}, "time_format is for text"),
        ({"columns": {"open": "close"}}, "columns: one column stands for two values"),
        ({"header": False, "columns": {"open": "o"}}, "without a header there are none"),
    ],
)
def test_keys_that_contradict_one_another_are_named_together(
    said: dict[str, Any], why: str
) -> None:
    (mistake,) = mistakes({"path": "a.csv", "label": "close", **said})
    assert mistake.startswith("feeds.past.files.SPY_1m = {'path': 'a.csv'")
    assert why in mistake


def test_path_and_label_must_be_there() -> None:
    assert mistakes({}) == [
        "feeds.past.files.SPY_1m.path: is required",
        "feeds.past.files.SPY_1m.label: is required",
    ]


def test_several_mistakes_are_named_at_once() -> None:
    assert len(mistakes({"label": "x", "timezone": "y", "columns": {"low": None}})) == 4


def test_a_parsed_table_cannot_be_altered() -> None:
    config = parse('path = "a"\nlabel = "close"')
    with pytest.raises(ValidationError):
        config.path = "b"  # type: ignore[misc]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from([*HistoryFileConfig.model_fields, "time", "open", "else"])


@given(table=st.dictionaries(KEYS, VALUES, max_size=6))
def test_a_table_of_any_nonsense_is_parsed_or_its_mistakes_are_told(table: dict[str, Any]) -> None:
    for each in (table, {"path": "a", "label": "open", **table}, {**table, "columns": table}):
        assert outcome(each)


@given(value=VALUES)
def test_any_nonsense_in_place_of_a_table_is_told(value: Any) -> None:
    assert outcome(value)
