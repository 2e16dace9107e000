"""Sessions, with the switches of daylight saving time, early closes and lunch breaks."""

import pytest
from tests.core.scene import utc

from barsync_async.core.calendar import Calendar
from barsync_async.units import TIMEFRAMES

M1, M5, H1, H4 = (TIMEFRAMES[name] for name in ("1m", "5m", "1h", "4h"))
DAY, WEEK = TIMEFRAMES["1d"], TIMEFRAMES["1w"]


def sessions(*spans: str) -> list[tuple[int, int]]:
    """``2026-03-06 14:30-21:00`` as moments of UTC."""
    pairs = (span.split(" ") for span in spans)
    hours = ((day, *time.split("-")) for day, time in pairs)
    return [(utc(f"{day} {opened}"), utc(f"{day} {closed}")) for day, opened, closed in hours]


# New York: summer time from Sunday 8 March to Sunday 1 November 2026; an early close after
# Thanksgiving.
NEW_YORK = Calendar(
    sessions(
        "2026-03-06 14:30-21:00",
        "2026-03-09 13:30-20:00",
        "2026-10-30 13:30-20:00",
        "2026-11-02 14:30-21:00",
        "2026-11-25 14:30-21:00",
        "2026-11-27 14:30-18:00",
        "2026-11-30 14:30-21:00",
    )
)
TOKYO = Calendar(
    sessions("2026-11-25 00:00-02:30", "2026-11-25 03:30-06:30"),
    days=[utc("2026-11-25 06:30")],
)


@pytest.mark.parametrize(
    ("moment", "closes"),
    [
        ("2026-11-27 14:30", False),  # the bar before the opening
        ("2026-11-27 14:31", True),
        ("2026-11-27 18:00", True),
        ("2026-11-27 18:01", False),  # an early close
        ("2026-11-25 21:00", True),  # the usual one
        ("2026-11-26 15:00", False),  # a holiday
        ("2026-11-28 15:00", False),  # a Saturday
    ],
)
def test_a_short_bar_closes_only_where_it_overlaps_a_session(moment: str, closes: bool) -> None:
    assert NEW_YORK.closes_at(M1, utc(moment)) is closes


@pytest.mark.parametrize(
    ("moment", "closes"),
    [
        ("2026-03-06 14:31", True),
        ("2026-03-06 13:31", False),
        ("2026-03-09 13:31", True),  # summer time: an hour earlier in UTC
        ("2026-03-09 20:01", False),
        ("2026-10-30 20:00", True),
        ("2026-11-02 14:30", False),  # and back
        ("2026-11-02 21:00", True),
    ],
)
def test_sessions_move_in_utc_with_summer_time(moment: str, closes: bool) -> None:
    assert NEW_YORK.closes_at(M1, utc(moment)) is closes


def test_a_bar_that_a_session_opens_or_closes_in_the_middle_of_counts() -> None:
    assert NEW_YORK.closes_at(H1, utc("2026-11-27 15:00"))  # opened at 14:30
    assert not NEW_YORK.closes_at(H1, utc("2026-11-27 14:00"))
    assert NEW_YORK.closes_at(H4, utc("2026-11-27 20:00"))  # closed at 18:00
    assert not NEW_YORK.closes_at(H4, utc("2026-11-28 00:00"))


def test_off_its_own_grid_nothing_closes_though_a_session_is_on() -> None:
    assert not NEW_YORK.closes_at(M5, utc("2026-11-27 15:01"))
    assert not NEW_YORK.closes_at(M1, utc("2026-11-27 15:00") + 1)


def test_no_bar_closes_in_a_lunch_break() -> None:
    assert TOKYO.closes_at(M5, utc("2026-11-25 02:30"))
    assert not TOKYO.closes_at(M5, utc("2026-11-25 02:35"))
    assert not TOKYO.closes_at(M5, utc("2026-11-25 03:30"))
    assert TOKYO.closes_at(M5, utc("2026-11-25 03:35"))


def test_a_daily_bar_closes_with_its_session_and_not_at_midnight() -> None:
    assert NEW_YORK.closes_at(DAY, utc("2026-03-06 21:00"))
    assert NEW_YORK.closes_at(DAY, utc("2026-03-09 20:00"))
    assert NEW_YORK.closes_at(DAY, utc("2026-11-27 18:00"))
    assert not NEW_YORK.closes_at(DAY, utc("2026-11-27 00:00"))
    assert not NEW_YORK.closes_at(DAY, utc("2027-01-01 00:00"))


def test_a_day_with_a_lunch_break_has_one_daily_close() -> None:
    assert not TOKYO.closes_at(DAY, utc("2026-11-25 02:30"))
    assert TOKYO.closes_at(DAY, utc("2026-11-25 06:30"))


def test_a_weekly_bar_closes_with_the_last_session_of_its_week() -> None:
    assert NEW_YORK.closes_at(WEEK, utc("2026-11-27 18:00"))
    assert not NEW_YORK.closes_at(WEEK, utc("2026-11-25 21:00"))
    assert NEW_YORK.closes_at(WEEK, utc("2026-03-09 20:00"))
    assert not NEW_YORK.closes_at(WEEK, utc("2026-11-30 00:00"))


def test_a_session_that_ends_with_sunday_belongs_to_the_week_that_ends_there() -> None:
    monday = utc("2026-11-30 00:00")
    calendar = Calendar([(monday - 7_200_000, monday), (monday, monday + 3_600_000)])
    assert calendar.weeks == [monday, monday + 3_600_000]


@pytest.mark.parametrize(
    ("after", "next_close"),
    [
        ("2026-11-27 14:29", "2026-11-27 14:31"),  # 14:30 is no close, but the opening
        ("2026-11-27 14:30", "2026-11-27 14:31"),
        ("2026-11-27 17:59", "2026-11-27 18:00"),
        ("2026-11-27 18:00", "2026-11-30 14:31"),  # over the weekend
        ("2026-11-28 12:00", "2026-11-30 14:31"),
        ("2026-03-06 21:00", "2026-03-09 13:31"),
        ("2026-10-30 20:00", "2026-11-02 14:31"),
    ],
)
def test_the_next_close_is_in_a_session(after: str, next_close: str) -> None:
    assert NEW_YORK.next_close(M1, utc(after)) == utc(next_close)


def test_the_next_close_after_the_morning_is_after_lunch() -> None:
    assert TOKYO.next_close(M5, utc("2026-11-25 02:30")) == utc("2026-11-25 03:35")


def test_the_next_daily_and_weekly_closes_are_those_of_sessions() -> None:
    assert NEW_YORK.next_close(DAY, utc("2026-11-25 20:59")) == utc("2026-11-25 21:00")
    assert NEW_YORK.next_close(DAY, utc("2026-11-25 21:00")) == utc("2026-11-27 18:00")
    assert NEW_YORK.next_close(WEEK, utc("2026-11-25 21:00")) == utc("2026-11-27 18:00")


@pytest.mark.parametrize("timeframe", [M1, DAY, WEEK])
def test_beyond_the_last_known_session_there_is_no_next_close(timeframe: object) -> None:
    assert NEW_YORK.next_close(timeframe, utc("2026-11-30 21:00")) is None  # type: ignore[arg-type]


def test_an_opening_off_the_minute_gives_the_bar_that_it_falls_into() -> None:
    noon = utc("2026-11-25 12:00")
    calendar = Calendar([(noon + 30_000, noon + 90_000)])
    assert calendar.next_close(M1, noon - 600_000) == noon + 60_000
    assert calendar.next_close(M1, noon + 60_000) == noon + 120_000
    assert calendar.next_close(M1, noon + 120_000) is None


def test_the_order_in_which_sessions_are_given_is_of_no_matter() -> None:
    assert Calendar([(30, 40), (10, 20)]).opens == [10, 30]


def test_impossible_sessions_are_refused() -> None:
    with pytest.raises(ValueError, match="opens at 5 and closes at 5"):
        Calendar([(5, 5)])
    with pytest.raises(ValueError, match="opens at 15, before the last one closes at 20"):
        Calendar([(10, 20), (15, 30)])
    assert Calendar([(10, 20), (20, 30)]).closes == [20, 30]
