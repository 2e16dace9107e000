"""Trading calendars from their names or hours, as the plain sessions that the core works with.

Named ones come from the ``exchange_calendars`` package, which is loaded only when one is asked for.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

from barsync_async.config import HoursConfig
from barsync_async.core.calendar import Calendar
from barsync_async.units import SourceId, WallMs, split_source

ALWAYS = "24/7"
_BEFORE, _AFTER = timedelta(days=40), timedelta(days=400)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def load_calendars(
    choices: Mapping[str, str | HoursConfig],
    sources: frozenset[SourceId],
    now: WallMs,
    until: WallMs | None = None,
) -> dict[SourceId, Calendar]:
    """The calendar of each source that has one, from 40 days before ``now`` to about a year after
    it, or after ``until`` where that is known to come.

    Args:
        choices: by source or by symbol (a source goes first): ``24/7``, an exchange's code as in
            ``exchange_calendars`` (``XNYS``), or hours.
        sources: those expected.
        now: the wall clock.
        until: the last moment that anybody asks about; None: nobody knows.

    Raises:
        ValueError: a key is no expected source or symbol, an exchange is unknown, or the package
            is not installed.
    """
    first, last = (datetime.fromtimestamp(at / 1_000, UTC).date() for at in (now, until or now))
    first, last = first - _BEFORE, last + _AFTER
    used: set[str] = set()
    made: dict[str, Calendar | None] = {}
    calendars: dict[SourceId, Calendar] = {}
    for source in sorted(sources):
        key = source if source in choices else split_source(source)[0]
        if key in choices:
            used.add(key)
            choice = choices[key]
            name = repr(choice)
            if name not in made:
                made[name] = _load(choice, first, last)
            calendar = made[name]
            if calendar is not None:
                calendars[source] = calendar
    _check_used(choices, used)
    return calendars


def _check_used(choices: Mapping[str, Any], used: set[str]) -> None:
    unused = sorted(set(choices) - used)
    if unused:
        raise ValueError(f"calendars: {unused[0]!r} is no expected source and no symbol of one")


def _load(choice: str | HoursConfig, first: date, last: date) -> Calendar | None:
    if choice == ALWAYS:
        return None
    if isinstance(choice, HoursConfig):
        return Calendar(_sessions(choice, first, last))
    return _exchange(choice, first, last)


def _sessions(hours: HoursConfig, first: date, last: date) -> Iterator[tuple[int, int]]:
    zone = ZoneInfo(hours.timezone)
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        name = day.isoformat()
        if _DAYS[day.weekday()] in hours.days and name not in hours.holidays:
            closes = hours.early_closes.get(name, hours.close)
            opened, closed = _at(day, hours.open, zone), _at(day, closes, zone)
            if closed <= opened:  # over midnight
                closed = _at(day + timedelta(days=1), closes, zone)
            yield opened, closed


def _at(day: date, clock: str, zone: ZoneInfo) -> int:
    """The moment in UTC at which a clock on that wall shows this."""
    local = datetime.combine(day, time.fromisoformat(clock), zone)
    return round(local.timestamp() * 1_000)


def _exchange(code: str, first: date, last: date) -> Calendar:
    try:
        package = import_module("exchange_calendars")
    except ImportError:
        raise ValueError(
            f"the calendar {code!r} needs the package exchange_calendars: "
            "pip install 'barsync-async[calendars]'"
        ) from None
    try:
        schedule = package.get_calendar(code, start=first, end=last).schedule
    except package.errors.InvalidCalendarName:
        raise ValueError(f"there is no calendar {code!r}; XNYS, XLON, XTKS, … are some") from None
    sessions: list[tuple[int, int]] = []
    closes: list[int] = []
    for opened, pause, resumed, closed in schedule.itertuples(index=False):
        whole = _is_missing(pause)
        sessions += (
            [(_ms(opened), _ms(closed))]
            if whole
            else [(_ms(opened), _ms(pause)), (_ms(resumed), _ms(closed))]
        )
        closes.append(_ms(closed))
    return Calendar(sessions, closes)


def _is_missing(moment: Any) -> bool:
    return bool(moment != moment)  # noqa: PLR0124 - as NaN, NaT is unlike itself


def _ms(moment: Any) -> int:
    return int(moment.timestamp() * 1_000)
