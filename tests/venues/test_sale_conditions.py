"""What a trade's sale conditions let it alter, held against the venues' own tables."""

import itertools
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from barsync_async.messages import Alters
from barsync_async.units import MAX_WALL_MS, WallMs
from barsync_async.venues.sale_conditions import altered_by_letters, altered_by_numbers

NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2026, 1, 2, 12, tzinfo=NEW_YORK)

# Of minute bars, by tape: the letters that may alter open and close, high and low, and volume; the
# letters that may alter volume alone; those that may alter nothing.
ALPACA = {
    "A": (" EFKLOTX56", "BCHINPRUVZ47", "MQ9"),
    "B": (" EFKLOTX56", "BCHINPRUVZ47", "MQ9"),
    "C": ("@ABDFKLOTXY56", "CGHINPRUVWZ47", "MQ9"),
    "O": ("@T", "CINPRUW", ""),
}
LETTERS = [
    (tape, letter, rule)
    for tape, letters in ALPACA.items()
    for rule, each in zip(("yyy", "nny", "nnn"), letters, strict=True)
    for letter in each
]

# The same by Polygon's numbers, in regular hours.
POLYGON = {
    "yyy": (0, 1, 3, 4, 6, 8, 9, 11, 14, *range(17, 20), 23, 24, 25, 27, 28, 30, 31, 34, 36, 41),
    "nyy": (5, 10, 22, 32, 33),
    "nny": (2, 7, 12, 13, 20, 21, 29, 37, 52, 53),
    "nnn": (15, 16),
    "yyn": (38,),
}


def shown(alters: Alters) -> str:
    parts = (alters.open_close, alters.high_low, alters.volume)
    return "".join("y" if part else "n" for part in parts)


def at(moment: datetime) -> WallMs:
    return WallMs(int(moment.timestamp() * 1_000))


@pytest.mark.parametrize(("tape", "letter", "rule"), LETTERS)
def test_a_letter_alters_what_alpaca_says_of_its_tape(tape: str, letter: str, rule: str) -> None:
    assert shown(altered_by_letters([letter], tape)) == rule


@pytest.mark.parametrize("rule", POLYGON)
def test_a_number_alters_what_polygon_says(rule: str) -> None:
    for number in POLYGON[rule]:
        assert shown(altered_by_numbers([number], at(NOON))) == rule, number


def test_of_several_conditions_the_strictest_counts_for_each_part() -> None:
    assert shown(altered_by_letters(["@", "F", "T", "I"], "C")) == "nny"
    assert shown(altered_by_letters(["I", "M"], "A")) == "nnn"
    for numbers in itertools.permutations([14, 10, 38]):
        assert shown(altered_by_numbers(numbers, at(NOON))) == "nyn"
    for numbers in itertools.permutations([14, 10, 37]):
        assert shown(altered_by_numbers(numbers, at(NOON))) == "nny"


def test_a_condition_that_nobody_knows_restricts_nothing() -> None:
    assert shown(altered_by_letters(["@", "!", "long"], "C")) == "yyy"
    assert shown(altered_by_numbers([0, 999, -1], at(NOON))) == "yyy"


def test_an_unknown_tape_is_read_as_nasdaqs() -> None:
    rules = [shown(altered_by_letters([letter], "")) for letter in "BGW"]
    assert rules == ["yyy", "nny", "nny"]


@pytest.mark.parametrize("month", [1, 7])
@pytest.mark.parametrize(
    ("clock", "rule"),
    [
        ("04:00:00", "yyy"),
        ("09:29:59.999", "yyy"),
        ("09:30:00", "nny"),
        ("15:59:59.999", "nny"),
        ("16:00:00", "yyy"),
        ("19:59:59", "yyy"),
    ],
)
def test_form_t_sets_a_price_outside_the_regular_hours_alone(
    month: int, clock: str, rule: str
) -> None:
    moment = datetime.fromisoformat(f"2026-0{month}-02T{clock}").replace(tzinfo=NEW_YORK)
    assert shown(altered_by_numbers([12], at(moment))) == rule


def test_form_t_lifts_no_other_restriction() -> None:
    early = at(NOON.replace(hour=8))
    assert shown(altered_by_numbers([12, 37], early)) == "nny"
    assert shown(altered_by_numbers([12, 13], early)) == "nny"


@pytest.mark.parametrize("at_ms", [0, MAX_WALL_MS])
def test_no_moment_is_too_far_away(at_ms: int) -> None:
    assert altered_by_numbers([12], WallMs(at_ms)).volume
