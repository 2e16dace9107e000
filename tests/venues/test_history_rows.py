"""A row becomes the bar that is meant, or a rejection that says what is wrong with it."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.units import SourceId
from barsync_async.venues.history_cells import Cell, number
from barsync_async.venues.history_format import PLACES, Columns, FileFormat
from barsync_async.venues.history_rows import HistoryItem, HistoryRows
from barsync_async.venues.outcomes import Rejection

SPY = SourceId("SPY_1m")
NAMES = ["time", "open", "high", "low", "close", "volume"]
NEW_YORK = "America/New_York"
T = 1_550_264_400_000  # 2019-02-15 16:00 in New York
PRICES = ("277.27", "277.4", "277.19", "277.39", "2689895")
CLOSE = FileFormat(label="close", timezone=NEW_YORK)


def read(form: FileFormat, *cells: Cell, source: str = SPY) -> HistoryItem:
    return HistoryRows(SourceId(source), form, NAMES if form.header else None).item(cells, "line 7")


def bar(form: FileFormat, *cells: Cell, source: str = SPY) -> Bar:
    item = read(form, *cells, source=source)
    assert isinstance(item, Bar), item
    return item


def refused(form: FileFormat, *cells: Cell, source: str = SPY) -> Rejection:
    item = read(form, *cells, source=source)
    assert isinstance(item, Rejection), item
    return item


def timed(time: Cell, source: str = SPY, **said: Any) -> int:
    return bar(FileFormat(**{"label": "close", **said}), time, *PRICES, source=source).timestamp


def test_a_row_labelled_with_its_close_is_a_bar_of_that_time() -> None:
    assert bar(CLOSE, "2019-02-15 16:00:00", *PRICES) == Bar(
        "SPY", "1m", bar(CLOSE, "2019-02-15 16:00:00", *PRICES).timestamp, 277.27, 277.4, 277.19,
        277.39, 2_689_895.0,
    )  # fmt: skip
    assert bar(CLOSE, "2019-02-15 16:00:00", *PRICES).timestamp == T


def test_a_row_labelled_with_its_open_closes_one_interval_later() -> None:
    form = msgspec.structs.replace(CLOSE, label="open")
    assert bar(form, "2019-02-15 15:59:00", *PRICES).timestamp == T
    assert bar(form, "2019-02-15 15:45:00", *PRICES, source="SPY_15m").timestamp == T


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("2019-02-15T21:00:00Z", {}),
        ("2019-02-15 16:00-05:00", {"timezone": "Asia/Tokyo"}),
        ("20190215T160000", {"timezone": NEW_YORK}),
        ("15.02.2019 16:00", {"timezone": NEW_YORK, "time_format": "%d.%m.%Y %H:%M"}),
        ("02/15/19 09:00 PM +0000", {"time_format": "%m/%d/%y %I:%M %p %z"}),
        ("1550264400", {"time_unit": "s"}),
        ("1550264400.000", {"time_unit": "s"}),
        ("1.5502644e9", {"time_unit": "s"}),
        ("1550264400000", {"time_unit": "ms"}),
        (" 1550264400000000 ", {"time_unit": "us"}),
        ("1550264400000000000", {"time_unit": "ns"}),
        (1_550_264_400, {"time_unit": "s"}),
        (1_550_264_400.0, {"time_unit": "s"}),
        (Decimal("1550264400.0"), {"time_unit": "s"}),
        (T * 1_000_000, {"time_unit": "ns"}),
        (T - 5 * 3_600_000, {"time_unit": "ms", "wall_epoch": True, "timezone": NEW_YORK}),
        ("57600000", {"time_unit": "ms_of_day", "timezone": NEW_YORK,
                      "date": dt.date(2019, 2, 15)}),
        (dt.datetime(2019, 2, 15, 21, tzinfo=dt.UTC), {}),
        (dt.datetime(2019, 2, 15, 16), {"timezone": NEW_YORK}),  # noqa: DTZ001 - on the wall
    ],
)  # fmt: skip
def test_one_moment_is_the_same_however_it_is_written(time: Cell, said: dict[str, Any]) -> None:
    assert timed(time, **said) == T


def test_a_day_alone_is_its_midnight() -> None:
    day = 1_550_188_800_000
    assert timed("2019-02-15", "SPY_1d", timezone="UTC") == day
    assert timed(dt.date(2019, 2, 15), "SPY_1d", timezone="UTC") == day
    assert timed("2019-02-14", "SPY_1d", timezone="UTC", label="open") == day


def test_the_last_bar_of_a_day_may_close_at_its_24_oclock() -> None:
    said: dict[str, Any] = {"time_unit": "ms_of_day", "timezone": "UTC"}
    said["date"] = dt.date(2019, 2, 15)
    assert timed("86400000", **said) == timed("2019-02-16", timezone="UTC")


def test_date_and_time_of_day_may_stand_in_columns_of_their_own() -> None:
    form = FileFormat(
        label="close",
        timezone=NEW_YORK,
        header=False,
        time_format="%Y.%m.%d %H:%M",
        columns=Columns((0, 1), 2, 3, 4, 5, 6),
    )
    assert bar(form, "2019.02.15", "16:00", *PRICES).timestamp == T


def test_a_file_without_volume_gives_bars_of_volume_0() -> None:
    form = msgspec.structs.replace(CLOSE, columns=Columns(volume=None))
    assert bar(form, "2019-02-15 16:00", *PRICES[:4]).volume == 0


def test_the_clock_of_a_zone_is_followed_over_the_year() -> None:
    assert timed("2019-07-15 16:00", timezone=NEW_YORK) == timed("2019-07-15T20:00Z")
    assert timed("2019-01-15 16:00", timezone=NEW_YORK) == timed("2019-01-15T21:00Z")


@pytest.mark.parametrize("label", ["open", "close"])
@pytest.mark.parametrize(
    ("wall", "what"), [("2019-11-03T01:30:00", "came twice"), ("2019-03-10T02:30:00", "never came")]
)
def test_a_time_that_came_twice_or_never_is_refused_and_not_guessed(
    wall: str, what: str, label: str
) -> None:
    form = FileFormat(label=label, timezone=NEW_YORK)  # type: ignore[arg-type]
    assert refused(form, wall, *PRICES) == Rejection(
        "wall_time",
        f"line 7: time {wall} {what} in America/New_York, where the clocks were changed: "
        + ",".join((wall, *PRICES)),
    )


@pytest.mark.parametrize(
    ("unit", "count"), [("ms_of_day", "5400000"), ("s", "1572744600"), ("ms", "1572744600000")]
)
def test_a_count_on_the_wall_is_refused_in_the_hour_that_came_twice(unit: Any, count: str) -> None:
    day = dt.date(2019, 11, 3) if unit == "ms_of_day" else None
    form = FileFormat(
        label="close", timezone=NEW_YORK, time_unit=unit, date=day, wall_epoch=day is None
    )
    assert refused(form, count, *PRICES).reason == "wall_time"


def test_the_hours_about_a_change_of_the_clocks_are_read_as_they_were() -> None:
    assert timed("2019-11-03 00:59", timezone=NEW_YORK) == timed("2019-11-03T04:59Z")
    assert timed("2019-11-03 02:00", timezone=NEW_YORK) == timed("2019-11-03T07:00Z")
    assert timed("2019-11-03 00:59", timezone=NEW_YORK, label="open") == timed("2019-11-03T05:00Z")


def test_a_time_without_offset_and_a_format_without_zone_is_refused() -> None:
    rejection = refused(FileFormat(label="close"), "2019-02-15 16:00:00", *PRICES)
    assert rejection.reason == "wall_time"
    assert "has no offset, and no timezone is given for it" in rejection.detail


@pytest.mark.parametrize(
    ("time", "said", "reason", "why"),
    [
        ("", {}, "malformed", "time (empty) is not an ISO 8601 date and time"),
        (None, {}, "malformed", "time (empty) is not an ISO 8601"),
        ("yesterday", {}, "malformed", "time 'yesterday' is not an ISO 8601"),
        ("1550264400", {}, "malformed", "is not an ISO 8601"),
        (1_550_264_400, {}, "malformed", "is not an ISO 8601"),
        ("2" * 1_000, {}, "malformed", "is not an ISO 8601"),
        ("15.02.2019", {"time_format": "%d.%m.%Y %H:%M"}, "malformed", "is not %d.%m.%Y %H:%M"),
        ("soon", {"time_unit": "s"}, "malformed", "time 'soon' is no number"),
        ("nan", {"time_unit": "s"}, "malformed", "is no number"),
        (float("nan"), {"time_unit": "s"}, "malformed", "is not a number of s since the epoch"),
        (float("inf"), {"time_unit": "s"}, "malformed", "is not a number of s since the epoch"),
        ("1e999", {"time_unit": "s"}, "invalid", "is not in the years 1970 to 9999"),
        ("-60", {"time_unit": "s"}, "invalid", "is not in the years 1970 to 9999"),
        (True, {"time_unit": "s"}, "malformed", "is no number"),
        ("1550264400.0001", {"time_unit": "s"}, "off_grid", "is no whole number of ms"),
        ("2019-02-15T21:00:00.0005Z", {}, "off_grid", "is no whole number of ms"),
        ("1550264400001", {"time_unit": "ms"}, "off_grid", "closes at 2019-02-15T21:00:00.001Z"),
        ("2019-02-15T21:00:30Z", {}, "off_grid", "no bar of 1m closes at 2019-02-15T21:00:30Z"),
        ("1969-12-31T23:59Z", {}, "invalid", "is not in the years 1970 to 9999"),
        ("0001-01-01 00:00", {"timezone": "Asia/Tokyo"}, "invalid", "is not in the years"),
        ("9999-12-31 23:59", {"timezone": NEW_YORK}, "invalid", "is not in the years"),
        ("86400001", {"time_unit": "ms_of_day", "timezone": "UTC",
                      "date": dt.date(2019, 2, 15)}, "malformed", "is not a number of ms of one"),
        ("-1", {"time_unit": "ms_of_day", "timezone": "UTC",
                "date": dt.date(2019, 2, 15)}, "malformed", "is not a number of ms of one"),
        (10**30, {"time_unit": "s", "timezone": "UTC", "wall_epoch": True}, "malformed",
         "is not a number of s since the epoch"),
    ],
)  # fmt: skip
def test_a_time_that_is_none_is_refused_with_the_reason(
    time: Cell, said: dict[str, Any], reason: str, why: str
) -> None:
    rejection = refused(FileFormat(**{"label": "close", **said}), time, *PRICES)
    assert rejection.reason == reason
    assert rejection.detail.startswith("line 7: ")
    assert why in rejection.detail


@pytest.mark.parametrize(
    ("place", "cell", "reason", "why"),
    [
        (1, "", "malformed", "open (empty) is no number"),
        (2, "1,5", "malformed", "high '1,5' is no number"),
        (3, "1_0", "malformed", "low '1_0' is no number"),
        (4, "nan", "malformed", "close 'nan' is no number"),
        (4, "\u0661", "malformed", "is no number"),
        (4, "0x10", "malformed", "close '0x10' is no number"),
        (4, "9" * 65, "malformed", "is no number"),
        (4, None, "malformed", "close (empty) is no number"),
        (4, False, "malformed", "is no number"),
        (4, float("nan"), "invalid", "a price is not a finite number"),
        (4, "1e400", "invalid", "a price is not a finite number"),
        (4, 10**400, "malformed", "is beyond all numbers"),
        (4, "277.5", "invalid", "is outside low 277.19 to high 277.4"),
        (5, "-1", "invalid", "volume -1.0 is not a number of at least 0"),
        (5, "many", "malformed", "volume 'many' is no number"),
    ],
)
def test_a_value_that_is_none_is_refused_with_the_reason(
    place: int, cell: Cell, reason: str, why: str
) -> None:
    cells: list[Cell] = ["2019-02-15 16:00", *PRICES]
    cells[place] = cell
    rejection = refused(CLOSE, *cells)
    assert rejection.reason == reason
    assert why in rejection.detail


@pytest.mark.parametrize("place", range(1, 6))
def test_a_cell_of_two_lines_is_no_number(place: int) -> None:
    cells = ["2026-01-02T14:30:00Z", "1", "2", "0.5", "1.5", "7"]
    cells[place] += "\n1"
    assert "is no number" in refused(FileFormat(label="close"), *cells).detail


def test_a_row_that_is_too_short_is_refused_and_one_that_is_too_long_is_not() -> None:
    assert "3 columns, 6 are needed" in refused(CLOSE, "2019-02-15 16:00", "1", "2").detail
    assert bar(CLOSE, "2019-02-15 16:00", *PRICES, "USD", "").timestamp == T


def test_a_rejection_shows_the_beginning_of_the_row_in_ascii() -> None:
    detail = refused(CLOSE, "2019-02-15 16:00", "\u20ac" * 10_000, *PRICES[1:]).detail
    assert len(detail) == 512
    assert detail.isascii()
    assert "2019-02-15 16:00,\\xe2\\x82\\xac" in detail


def test_names_are_found_whatever_their_case_where_only_one_fits() -> None:
    rows = HistoryRows(SPY, CLOSE, ["Volume", " CLOSE ", "low", "Low", "High", "OPEN", "Time"])
    assert rows.places == (6, 5, 4, 2, 1, 0)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["when", *NAMES[1:]], "no column 'time'; there are when, open, high"),
        ([*NAMES, "close"], "2 columns 'close'; there are time, open"),
        (["TIME", "Time", *NAMES[1:]], "2 columns 'time'"),
        (
            ["time", "o", "high", "l", "close", "close"],
            "^no column 'open', 'low', 'volume'; 2 columns 'close'; there are time, o, high, l,",
        ),
        ([], "no column 'time'"),
    ],
)
def test_columns_that_are_not_there_or_are_twice_are_all_named_with_those_that_are(
    names: Sequence[str], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        HistoryRows(SPY, CLOSE, names)


def test_a_place_beyond_the_header_is_named() -> None:
    form = msgspec.structs.replace(CLOSE, columns=PLACES)
    assert HistoryRows(SPY, form, NAMES).places == (0, 1, 2, 3, 4, 5)
    with pytest.raises(ValueError, match="no column 2, 3, 4, 5, counted from 0; there are a, b"):
        HistoryRows(SPY, form, ["a", "b"])


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
SCALES = st.one_of(st.integers(1, 10**18), st.sampled_from([1, 100, 10_000, 10**9]))


@given(text=DECIMALS.map(str).filter(lambda text: len(text) <= 64), scale=SCALES)
def test_a_scaled_price_is_rounded_once(text: str, scale: int) -> None:
    assert number("open", text, scale) == float(Fraction(text) / scale)


@given(price=st.floats(allow_nan=False, allow_infinity=False))
def test_a_price_in_text_is_the_float_that_wrote_it(price: float) -> None:
    assert number("open", repr(price)) == price
    assert number("open", price) == price


@given(count=st.integers(-(2**63), 2**63), scale=SCALES)
def test_a_scaled_integer_is_rounded_once(count: int, scale: int) -> None:
    assert number("open", count, scale) == float(Fraction(count, scale))


def test_a_division_after_rounding_would_have_been_wrong() -> None:
    text = "9007199254740993"  # 2**53 + 1, which no float is
    assert number("open", text, 3) == 3002399751580331.0
    assert float(text) / 3 != 3002399751580331.0


FORMS = [
    CLOSE,
    FileFormat(label="open"),
    FileFormat(label="open", timezone=NEW_YORK, time_format="%d.%m.%Y %H:%M"),
    *(FileFormat(label="open", time_unit=unit) for unit in ("s", "ms", "us", "ns")),
    FileFormat(label="close", time_unit="s", wall_epoch=True, timezone=NEW_YORK, price_scale=7),
    FileFormat(label="close", time_unit="ms_of_day", date=dt.date(2019, 3, 10), timezone=NEW_YORK),
]
CELLS = st.one_of(
    st.text(),
    st.from_regex(r"[-+0-9.eE:/ TZ]{0,70}"),
    st.datetimes(timezones=st.none() | st.timezones()).map(str),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.dates(),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.binary(),
    st.lists(st.integers()),
)


@given(cells=st.lists(CELLS, max_size=9), form=st.sampled_from(FORMS))
def test_whatever_stands_in_a_row_it_is_a_bar_or_a_rejection(
    cells: list[Any], form: FileFormat
) -> None:
    item = read(form, *cells)
    if isinstance(item, Rejection):
        assert item.detail.startswith("line 7: ")
        assert len(item.detail) <= 512
        assert item.detail.isascii()
    else:
        assert item.timestamp % 60_000 == 0


@given(time=CELLS, form=st.sampled_from(FORMS))
def test_whatever_stands_for_a_time_it_is_read_or_refused(time: Any, form: FileFormat) -> None:
    assert isinstance(read(form, time, *PRICES), Bar | Rejection)
