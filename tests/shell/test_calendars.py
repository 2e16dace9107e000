"""Calendars by name and by hand become sessions in UTC."""

from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest

from barsync_async.config import HoursConfig
from barsync_async.core.calendar import Calendar
from barsync_async.shell.calendars import load_calendars
from barsync_async.units import SourceId, WallMs

SPY, QQQ, BTC = SourceId("SPY_1m"), SourceId("QQQ_1m"), SourceId("BTC/USD_1m")
MONDAY = "2026-11-23"
NEW_YORK = HoursConfig(timezone="America/New_York", open="09:30", close="16:00")

# exchange_calendars 4.13 uses what pandas 3.1 deprecates: its own affair, nothing of ours.
packaged = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")


def ms(text: str) -> WallMs:
    return WallMs(round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000))


def load(**choices: Any) -> Calendar:
    return load_calendars(choices, frozenset({SPY}), ms(MONDAY))[SPY]


def session_of(calendar: Calendar, day: str) -> list[tuple[str, str]]:
    return [
        (f"{_clock(opened)}", f"{_clock(closed)}")
        for opened, closed in zip(calendar.opens, calendar.closes, strict=True)
        if _at(opened).date().isoformat() == day
    ]


def _at(moment: int) -> datetime:
    return datetime.fromtimestamp(moment / 1_000, UTC)


def _clock(moment: int) -> str:
    return f"{_at(moment):%H:%M}"


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-10-30", [("13:30", "20:00")]),
        ("2026-10-31", []),
        ("2026-11-02", [("14:30", "21:00")]),
        ("2027-03-12", [("14:30", "21:00")]),
        ("2027-03-15", [("13:30", "20:00")]),
    ],
)
def test_hours_follow_the_clock_of_their_zone(day: str, expected: Any) -> None:
    assert session_of(load(SPY=NEW_YORK), day) == expected


@packaged
def test_an_exchange_knows_its_holidays_and_early_closes() -> None:
    calendar = load(SPY_1m="XNYS")
    assert session_of(calendar, "2026-11-25") == [("14:30", "21:00")]
    assert session_of(calendar, "2026-11-26") == []
    assert session_of(calendar, "2026-11-27") == [("14:30", "18:00")]


@packaged
def test_an_exchange_may_pause_for_lunch_and_still_ends_its_day_once() -> None:
    calendar = load(SPY="XHKG")
    assert session_of(calendar, MONDAY) == [("01:30", "04:00"), ("05:00", "08:00")]
    assert ms(f"{MONDAY}T08:00") in calendar.days
    assert ms(f"{MONDAY}T04:00") not in calendar.days


def test_holidays_and_early_closes_by_hand() -> None:
    hours = HoursConfig(
        timezone="UTC",
        open="08:00",
        close="16:00",
        days=["mon", "tue"],
        holidays=["2026-11-24"],
        early_closes={MONDAY: "12:00"},
    )
    calendar = load(SPY=hours)
    assert session_of(calendar, MONDAY) == [("08:00", "12:00")]
    assert session_of(calendar, "2026-11-24") == []
    assert session_of(calendar, "2026-11-25") == []
    assert session_of(calendar, "2026-12-01") == [("08:00", "16:00")]


def test_a_session_may_run_over_midnight() -> None:
    calendar = load(SPY=HoursConfig(timezone="UTC", open="23:00", close="22:00"))
    assert session_of(calendar, MONDAY) == [("23:00", "22:00")]
    place = calendar.opens.index(ms(f"{MONDAY}T23:00"))
    assert calendar.closes[place] == ms("2026-11-24T22:00")


def test_a_source_goes_before_its_symbol_and_always_open_is_no_calendar() -> None:
    choices: Any = {"SPY": NEW_YORK, "SPY_1m": "24/7", "QQQ": NEW_YORK}
    loaded = load_calendars(choices, _sources("SPY_5m"), ms(MONDAY))
    assert set(loaded) == {QQQ, "SPY_5m"}


def _sources(*more: str) -> frozenset[SourceId]:
    return frozenset({SPY, QQQ, BTC, *map(SourceId, more)})


@packaged
def test_one_choice_is_loaded_once() -> None:
    loaded = load_calendars({"SPY": "XNYS", "QQQ": "XNYS"}, _sources(), ms(MONDAY))
    assert loaded[SPY] is loaded[QQQ]


@packaged
@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"IWM": NEW_YORK}, "'IWM' is no expected source"),
        ({"SPY": "XXXX"}, "there is no calendar 'XXXX'"),
    ],
)
def test_what_cannot_be_meant_is_refused(choices: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        load_calendars(choices, _sources(), ms(MONDAY))


def test_without_the_package_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> Any:
        if name == "exchange_calendars":
            raise ImportError(name)
        return import_module(name)

    monkeypatch.setattr("barsync_async.shell.calendars.import_module", missing)
    with pytest.raises(ValueError, match=r"pip install 'barsync-async\[calendars\]'"):
        load(SPY="XNYS")
