"""What the beginning of a file shows by itself, and what it is not asked."""

from typing import Any

import pytest

from barsync_async.venues.history_guess import guess_delimiter, guess_format

NAMED = ["open", "high", "low", "close", "volume"]
BAR = ["1", "2", "0.5", "1.5", "10"]


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [("a,b,c", ","), ("a;b;c", ";"), ("a\tb", "\t"), ("a|b|c", "|"), ("alone", ","), ("", ",")],
)
def test_the_delimiter_is_what_stands_most_often(line: str, delimiter: str) -> None:
    assert guess_delimiter(line) == delimiter


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("time", None),
        ("datetime", {"time": "datetime"}),
        ("Timestamp", {"time": "Timestamp"}),
        ("close_time", {"time": "close_time"}),
        ("whatever", None),
    ],
)
def test_the_column_of_the_time_is_found_by_its_name(name: str, columns: Any) -> None:
    guessed = guess_format([[name, *NAMED], ["2026-01-02T10:00Z", *BAR]], {})
    assert guessed.get("columns") == columns
    assert guessed["header"] is True
    assert "time_unit" not in guessed


def test_a_day_and_a_time_of_day_in_two_columns_are_one_time() -> None:
    guessed = guess_format([["Date", "Time", *NAMED], ["2026-01-02", "10:00", *BAR]], {})
    assert guessed["columns"] == {"time": ["Date", "Time"]}


def test_short_names_of_values_are_known() -> None:
    guessed = guess_format([["t", "o", "h", "l", "c", "v"], ["1767364200", *BAR]], {})
    wanted = {"time": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
    assert guessed == {"header": True, "columns": wanted, "time_unit": "s"}


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("1767364200", "s"),
        ("1767364200000", "ms"),
        ("1767364200000000", "us"),
        ("1767364200000000000", "ns"),
        ("34200000", None),
        ("20260102", None),
        ("2026-01-02T14:30:00Z", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("header", [True, False])
def test_a_count_from_the_epoch_shows_its_unit_by_its_digits(
    text: str, unit: str | None, header: bool
) -> None:
    rows = [["time", *NAMED], [text, *BAR]] if header else [[text, *BAR]]
    guessed = guess_format(rows, {})
    assert guessed["header"] is header
    assert guessed.get("time_unit") == unit


def test_what_was_said_is_not_guessed() -> None:
    rows = [["when", "ts", *NAMED], ["1767364200", "1767364200000", *BAR]]
    given = {"header": True, "columns": {"time": "when"}}
    assert guess_format(rows, given) == {"columns": {"time": "when"}, "time_unit": "s"}
    assert guess_format(rows, {**given, "time_unit": "ns"}) == {"columns": {"time": "when"}}
    assert "time_unit" not in guess_format(rows, {**given, "time_format": "%s"})


@pytest.mark.parametrize("rows", [[], [[]], [["time"]], [[], []]])
def test_of_nothing_nothing_is_told_that_matters(rows: list[list[str]]) -> None:
    assert "label" not in guess_format(rows, {})
    assert "timezone" not in guess_format(rows, {})
