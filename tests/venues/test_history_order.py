"""However a file is ordered, its bars come out ascending, and it is said how they stood."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.testing import create_bar
from barsync_async.venues.history_order import FileOrder, Survey, Surveyor, ascending
from barsync_async.venues.history_rows import HistoryItem
from barsync_async.venues.outcomes import Rejection


def bar(minute: int, close: float = 1.0) -> Bar:
    return create_bar("SPY_1m", minute * 60_000, close)


def survey(items: Sequence[HistoryItem]) -> Survey:
    surveyor = Surveyor()
    for item in items:
        surveyor.look(item)
    return surveyor.result()


@pytest.mark.parametrize(
    ("minutes", "order", "out_of_order"),
    [
        ([], "ascending", 0),
        ([5], "ascending", 0),
        ([1, 2, 2, 3], "ascending", 0),
        ([3, 2, 2, 1], "descending", 0),
        ([2, 2], "ascending", 0),
        ([1, 2, 4, 3, 5, 6], "mixed", 1),
        ([6, 5, 3, 4, 2, 1], "mixed", 1),
        ([1, 9, 2, 8], "mixed", 1),
    ],
)
def test_the_order_of_a_file_is_recognized(
    minutes: Sequence[int], order: FileOrder, out_of_order: int
) -> None:
    seen = survey([bar(minute) for minute in minutes])
    assert (seen.order, seen.out_of_order) == (order, out_of_order)


def test_a_survey_counts_and_spans_what_it_saw_and_keeps_the_first_rejection() -> None:
    first, second = Rejection("malformed", "line 1"), Rejection("malformed", "line 4")
    seen = survey([first, bar(3), bar(1), second, bar(2)])
    assert (seen.bars, seen.rejections) == (3, 2)
    assert (seen.first, seen.last) == (60_000, 180_000)
    assert seen.first_rejection is first


def test_equal_timestamps_stay_in_the_order_of_the_file() -> None:
    items = [bar(3), bar(2, 5.0), bar(2, 4.0), bar(1)]
    assert ascending(items) == [bar(1), bar(2, 5.0), bar(2, 4.0), bar(3)]


def test_a_rejection_stays_behind_the_bar_that_it_followed() -> None:
    wrong, worse = Rejection("malformed", "line 1"), Rejection("invalid", "line 3")
    assert ascending([wrong, bar(3), worse, bar(1)]) == [wrong, bar(1), bar(3), worse]


@given(st.lists(st.integers(0, 50)))
def test_every_bar_comes_out_and_in_order(minutes: list[int]) -> None:
    items = [bar(minute, float(1 + place)) for place, minute in enumerate(minutes)]
    out = ascending(items)
    assert out == sorted(items, key=lambda each: each.timestamp)
    assert survey(out).order == "ascending"
    assert survey(out).bars == len(items)
