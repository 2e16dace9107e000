"""A description of a history file that contradicts itself is not made."""

import datetime as dt
from typing import Any

import pytest

from barsync_async.venues.history_format import PLACES, Columns, FileFormat

DAY = dt.date(2013, 10, 7)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"label": "middle"}, "label 'middle': expected open or close"),
        ({"time_unit": "minutes"}, "time_unit 'minutes': expected one of iso s ms us ns ms_of_day"),
        ({"timezone": "Mars/Olympus"}, "expected a time zone, e.g. America/New_York"),
        ({"timezone": "../../etc/passwd"}, "expected a time zone"),
        ({"price_scale": 0}, "price_scale 0: expected 1 to"),
        ({"delimiter": ""}, "expected one character"),
        ({"delimiter": '"'}, "expected one character"),
        ({"time_unit": "ms_of_day", "timezone": "UTC"}, "time_unit ms_of_day needs date"),
        ({"time_unit": "ms_of_day", "date": DAY}, "time_unit ms_of_day on a wall's clock needs"),
        ({"date": DAY}, "date is for time_unit ms_of_day, and time_unit is iso"),
        ({"time_unit": "s", "time_format": "%Y%m%d"}, "time_format is for text"),
        ({"time_unit": "s", "wall_epoch": True}, "needs timezone"),
        ({"columns": Columns(open=-1)}, "-1 is no place; they are counted from 0"),
        ({"columns": Columns(open="close")}, "one column stands for two values"),
        ({"columns": Columns(time=())}, "several columns are for text"),
        ({"columns": Columns(time=("d", "t")), "time_unit": "s"}, "several columns are for text"),
        ({"header": False}, "'time' is a name, and without a header there are none"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match="^.*" + why.replace("(", r"\(")):
        FileFormat(**{"label": "close", **said})


@pytest.mark.parametrize(
    "text",
    ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%y %I:%M %p", "%Y%m%d", "%Y%m%d %H", "%c"],
)
def test_a_time_format_that_reads_back_what_it_writes_is_taken(text: str) -> None:
    assert FileFormat(label="close", time_format=text).time_format == text


@pytest.mark.parametrize(
    "text",
    ["", "x", "%H:%M", "%d.%m", "%Q", "%", "%d %d %m %Y", "%d.%m.%Y %I:%M", "%Y-%m-%d %M", "\0%Y"],
)
def test_a_time_format_that_loses_the_day_or_half_of_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a format of date and time"):
        FileFormat(label="close", time_format=text)


def test_a_file_without_a_header_has_its_columns_in_the_usual_places() -> None:
    assert PLACES.times == (0,)
    assert PLACES.values == (1, 2, 3, 4, 5)
