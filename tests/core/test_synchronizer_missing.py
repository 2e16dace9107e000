"""What stands in for a missing bar, and how long a set is held for it; late bars and revisions."""

from typing import Any

import pytest
from tests.core.scene import MINUTE, NOON, Scene, brief

from barsync_async.core.calendar import Calendar
from barsync_async.units import SourceId, WallMs


def interpolating(*sources: str, **options: Any) -> Scene:
    """Both sources have a bar for minute 0 (SPY 1, QQQ 10), SPY one for minute 1: minute 1 is
    sealed at its deadline, and held from 100 ms on.
    """
    some = Scene(
        *(sources or ("SPY_1m", "QQQ_1m")),
        **{"missing": "interpolate", "hold_ms": 500, "max_future_ms": 10**9, **options},
    )
    some.bar("SPY_1m", 0)
    some.bar("QQQ_1m", 0, 10.0)
    some.bar("SPY_1m", 1)
    return some


def test_a_set_is_held_for_the_next_bar_of_the_missing_source() -> None:
    scene = interpolating()
    assert scene.pass_ms(100) == []
    assert scene.deadlines() == {1: 500}
    scene.stall(250)
    scene.bar("SPY_1m", 3)
    told = scene.bar("QQQ_1m", 3, 40.0)
    assert told[0] == ("filled", 1, "QQQ_1m=20 interpolated SPY_1m=1")
    assert told[1][:2] == ("complete", 3)


def test_a_hold_ends_without_the_bar_and_the_last_known_one_stands_in() -> None:
    scene = interpolating()
    assert scene.pass_ms(599) == []
    assert scene.pass_ms(1) == [("filled", 1, "QQQ_1m=10 filled 60000 SPY_1m=1")]
    assert scene.deadlines() == {}


def test_after_a_hold_a_bar_that_is_too_old_does_not_stand_in() -> None:
    scene = interpolating(max_age_ms=MINUTE - 1)
    assert scene.pass_ms(600) == [("incomplete", 1)]


def test_what_proves_a_slot_is_also_what_it_is_interpolated_with() -> None:
    scene = interpolating()
    assert scene.bar("QQQ_1m", 2, 30.0) == [("filled", 1, "QQQ_1m=20 interpolated SPY_1m=1")]
    assert scene.core.statistics().filled == 1


def test_the_neighbour_is_the_next_bar_not_the_newest() -> None:
    feeds = {SourceId("QQQ_1m"): ("sim",)}
    scene = interpolating(feeds=feeds, unordered_feeds=frozenset({"sim"}))
    scene.bar("QQQ_1m", 3, 100.0, feed="sim")
    scene.bar("QQQ_1m", 2, 30.0, feed="sim")
    assert scene.pass_ms(100)[0] == ("filled", 1, "QQQ_1m=20 interpolated SPY_1m=1")


def test_of_a_bar_of_a_set_and_one_of_none_the_nearer_is_the_neighbour() -> None:
    calendar = Calendar([(NOON - 60 * MINUTE, NOON + 2 * MINUTE)])
    scene = interpolating(
        feeds={SourceId("QQQ_1m"): ("sim",)},
        unordered_feeds=frozenset({"sim"}),
        calendars={SourceId("QQQ_1m"): calendar},
    )
    scene.bar("QQQ_1m", 3, 100.0, feed="sim")
    scene.bar("QQQ_1m", 2, 30.0, feed="sim")
    assert scene.pass_ms(100)[0] == ("filled", 1, "QQQ_1m=20 interpolated SPY_1m=1")


def test_later_sets_wait_for_a_held_one() -> None:
    scene = interpolating("SPY_1m", "QQQ_1m", "DIA_1m", require_all=False)
    scene.bar("DIA_1m", 0)
    scene.bar("DIA_1m", 1)
    scene.pass_ms(100)
    scene.bar("SPY_1m", 2)
    assert scene.bar("DIA_1m", 2) == []
    assert scene.pass_ms(100) == []
    told = scene.pass_ms(400)
    assert [each[:2] for each in told] == [("filled", 1)]
    assert scene.pass_ms(600)[0][:2] == ("filled", 2)


def test_without_an_earlier_bar_there_is_nothing_to_hold_for() -> None:
    scene = Scene(missing="interpolate", hold_ms=500)
    scene.bar("SPY_1m", 0)
    assert scene.pass_ms(100) == [("incomplete", 0)]


def test_without_a_time_to_hold_a_set_goes_out_with_its_seal() -> None:
    scene = interpolating(hold_ms=0)
    scene.stall(100)
    (told,) = brief(scene.core.on_deadline(WallMs(NOON + MINUTE), scene.now))
    assert told[:2] == ("filled", 1)


@pytest.mark.parametrize("missing", ["skip", "last_known"])
def test_only_interpolate_holds(missing: str) -> None:
    scene = interpolating(missing=missing)
    assert len(scene.pass_ms(100)) == 1


def test_crowding_ends_the_hold_of_the_oldest() -> None:
    scene = interpolating(max_open=1)
    scene.pass_ms(100)
    told = scene.bar("SPY_1m", 2)
    assert told == [("filled", 1, "QQQ_1m=10 filled 60000 SPY_1m=1")]
    assert list(scene.deadlines()) == [2]
    assert scene.core.statistics().crowded == 1


def test_a_slot_that_crowding_seals_is_not_held() -> None:
    scene = interpolating(max_open=1)
    assert scene.bar("SPY_1m", 2)[0][:2] == ("filled", 1)


def test_the_end_ends_every_hold_and_begins_none() -> None:
    scene = interpolating()
    scene.pass_ms(100)
    scene.bar("SPY_1m", 2)
    told = scene.end()
    assert [each[:2] for each in told] == [("filled", 1), ("filled", 2)]
    assert scene.deadlines() == {}


def test_a_late_bar_of_a_set_that_still_waits_is_no_neighbour() -> None:
    scene = interpolating()
    scene.bar("SPY_1m", 2)
    scene.pass_ms(100)  # both sealed and held
    assert scene.bar("QQQ_1m", 2, 30.0) == [("dropped", 2, 0.0)]
    assert [each[2] for each in scene.pass_ms(500)] == [
        "QQQ_1m=10 filled 60000 SPY_1m=1",
        "QQQ_1m=10 filled 120000 SPY_1m=1",
    ]


def test_bars_of_no_set_are_neighbours_too() -> None:
    calendar = Calendar([(NOON - 60 * MINUTE, NOON + MINUTE), (NOON + 60 * MINUTE, 10**14)])
    scene = interpolating(calendars={SourceId("QQQ_1m"): calendar})
    scene.pass_ms(100)
    assert scene.bar("QQQ_1m", 3, 40.0) == [("filled", 1, "QQQ_1m=20 interpolated SPY_1m=1")]


def test_a_bar_of_no_set_is_never_too_late_to_be_a_neighbour() -> None:
    calendar = Calendar([(NOON - 60 * MINUTE, NOON + MINUTE), (NOON + 60 * MINUTE, 10**14)])
    scene = interpolating(calendars={SourceId("QQQ_1m"): calendar})
    scene.pass_ms(100)
    assert scene.bar("SPY_1m", 2) == [], "sealed, behind the held one"
    told = scene.bar("QQQ_1m", 2, 30.0)
    assert told == [
        ("filled", 1, "QQQ_1m=20 interpolated SPY_1m=1"),
        ("complete", 2, "QQQ_1m=30 carried SPY_1m=1"),
    ]


def test_a_bar_of_no_set_before_is_worth_a_hold() -> None:
    scene = Scene("A_5m", "B_3m", missing="interpolate", hold_ms=500, max_future_ms=10**9)
    scene.bar("A_5m", 5, 10.0)
    scene.bar("B_3m", 15)
    assert scene.pass_ms(100) == []
    assert scene.bar("A_5m", 25, 30.0) == [("filled", 15, "A_5m=20 interpolated B_3m=1")]


# Late bars

AMEND: dict[str, Any] = {"late": "amend", "allowed_lateness_ms": 1_000}


def test_a_late_bar_amends_its_set_in_full_and_once_for_each_bar() -> None:
    scene = Scene("SPY_1m", "QQQ_1m", "DIA_1m", require_all=False, **AMEND)
    scene.bar("SPY_1m", 0)
    assert scene.pass_ms(100) == [("partial", 0, "SPY_1m=1")]
    assert scene.bar("QQQ_1m", 0, 2.0) == [
        ("amended", 0, 0.0),
        ("revision 1: partial", 0, "QQQ_1m=2 SPY_1m=1"),
    ]
    assert scene.bar("QQQ_1m", 0, 2.0) == []
    scene.stall(1_000)
    assert scene.bar("DIA_1m", 0, 3.0) == [
        ("amended", 0, 1_000.0),
        ("revision 2: complete", 0, "DIA_1m=3 QQQ_1m=2 SPY_1m=1"),
    ]
    scene.stall(1)
    assert scene.bar("SPY_1m", 0, 4.0) == [("dropped", 0, 1_001.0)]
    assert scene.core.statistics().revised == 2


def test_a_fresh_bar_may_be_amended_by_a_late_one() -> None:
    scene = Scene("SPY_1m", **AMEND)
    scene.bar("SPY_1m", 0, 1.0)
    assert scene.bar("SPY_1m", 0, 2.0)[1] == ("revision 1: complete", 0, "SPY_1m=2")
    assert scene.bar("SPY_1m", 0, 1.0)[1] == ("revision 2: complete", 0, "SPY_1m=1")


def test_a_skipped_timestamp_comes_out_as_revision_one_once_it_has_all() -> None:
    scene = Scene("SPY_1m", "QQQ_1m", "DIA_1m", **AMEND)
    scene.bar("SPY_1m", 0)
    assert scene.pass_ms(100) == [("incomplete", 0)]
    assert scene.bar("QQQ_1m", 0) == [("amended", 0, 0.0)]
    assert scene.bar("DIA_1m", 0)[1][:2] == ("revision 1: complete", 0)


def test_the_revision_of_a_set_that_waits_follows_it() -> None:
    feeds = {SourceId(source): ("sim",) for source in ("SPY_1m", "QQQ_1m")}
    scene = Scene(
        feeds=feeds,
        unordered_feeds=frozenset({"sim"}),
        require_all=False,
        max_future_ms=MINUTE,
        **AMEND,
    )
    scene.bar("SPY_1m", 1, feed="sim")
    scene.pass_ms(50)
    scene.bar("SPY_1m", 0, feed="sim")
    assert scene.pass_ms(50) == []
    assert scene.bar("QQQ_1m", 1, 2.0, feed="sim") == [("amended", 1, 0.0)]
    assert scene.bar("QQQ_1m", 1, 2.0, feed="sim") == [], "a repetition is known at once"
    assert scene.pass_ms(50) == [
        ("partial", 0, "SPY_1m=1"),
        ("partial", 1, "SPY_1m=1"),
        ("revision 1: complete", 1, "QQQ_1m=2 SPY_1m=1"),
    ]


def test_the_late_bar_of_a_set_that_waits_is_known_once_that_is_out() -> None:
    feeds = {SourceId(source): ("sim",) for source in ("SPY_1m", "QQQ_1m")}
    scene = Scene(
        feeds=feeds,
        unordered_feeds=frozenset({"sim"}),
        missing="last_known",
        require_all=False,
        max_future_ms=10**9,
    )
    scene.bar("SPY_1m", 1, feed="sim")
    scene.pass_ms(50)
    scene.bar("SPY_1m", 0, feed="sim")
    scene.pass_ms(50)
    scene.bar("QQQ_1m", 1, 7.0, feed="sim")
    assert scene.pass_ms(50)[0] == ("partial", 0, "SPY_1m=1")
    scene.bar("SPY_1m", 2, feed="sim")
    assert scene.pass_ms(100)[0] == ("filled", 2, "QQQ_1m=7 filled 60000 SPY_1m=1")


def test_the_late_bars_of_several_sources_are_each_told_once() -> None:
    scene = Scene("SPY_1m", "QQQ_1m", late="drop")
    for close, told in ((1.0, None), (2.0, [("dropped", 0, 0.0)]), (2.0, [])):
        for source in ("SPY_1m", "QQQ_1m"):
            said = scene.bar(source, 0, close)
            assert told in (None, said)


def test_later_sets_are_not_revised_but_later_ones_fill_with_the_late_bar() -> None:
    scene = Scene(missing="last_known", **AMEND)
    scene.bar("SPY_1m", 0)
    scene.bar("QQQ_1m", 0, 1.0)
    for minute in (1, 2):
        scene.bar("SPY_1m", minute)
        assert scene.pass_ms(100)[0][0] == "filled"
    told = scene.bar("QQQ_1m", 1, 7.0)
    assert [each[1] for each in told] == [1, 1]
    scene.bar("SPY_1m", 3)
    assert scene.pass_ms(100) == [("filled", 3, "QQQ_1m=7 filled 120000 SPY_1m=1")]


def test_a_revision_leaves_all_other_cells_as_they_were() -> None:
    scene = Scene("SPY_1m", "SPY_5m", "QQQ_1m", missing="last_known", require_all=False, **AMEND)
    scene.bar("SPY_5m", 0, 5.0)
    scene.bar("SPY_1m", 0)
    scene.bar("QQQ_1m", 0)
    scene.bar("SPY_1m", 1, 2.0)
    scene.pass_ms(100)
    told = scene.bar("QQQ_1m", 1, 9.0)
    assert told[1] == ("revision 1: complete", 1, "QQQ_1m=9 SPY_1m=2 SPY_5m=5 carried 60000")


def test_a_late_bar_beyond_what_is_remembered_is_dropped() -> None:
    scene = Scene("SPY_1m", history=1, **AMEND)
    for minute in (0, 1):
        scene.bar("SPY_1m", minute)
    assert scene.bar("SPY_1m", 0, 2.0) == [("dropped", 0, 0.0)]
    assert scene.bar("SPY_1m", 1, 2.0)[0] == ("amended", 1, 0.0)


def test_a_late_bar_of_a_timestamp_without_a_slot_is_late_after_the_next_that_had_one() -> None:
    scene = Scene("SPY_1m", **AMEND)
    scene.bar("SPY_1m", 2)
    scene.stall(100)
    scene.bar("SPY_1m", 4)
    scene.stall(30)
    assert scene.bar("SPY_1m", 3) == [("dropped", 3, 30.0)]
    assert scene.bar("SPY_1m", 1) == [("dropped", 1, 130.0)]
    assert scene.bar("SPY_1m", 1) == []
    assert scene.counts() == {"accepted": 2, "late": 2, "duplicate": 1}


def test_a_late_bar_replaces_the_one_that_it_corrects_as_the_last_known() -> None:
    scene = Scene(missing="last_known")
    for source in ("SPY_1m", "QQQ_1m"):
        scene.bar(source, 0, 1.0)
    assert scene.bar("QQQ_1m", 0, 2.0) == [("dropped", 0, 0.0)]
    scene.bar("SPY_1m", 1)
    assert scene.pass_ms(100)[0][2] == "QQQ_1m=2 filled 60000 SPY_1m=1"


def test_the_last_bar_of_a_source_is_known_though_its_set_is_forgotten() -> None:
    scene = Scene(history=1, require_all=False, missing="last_known")
    for source in ("SPY_1m", "QQQ_1m"):
        scene.bar(source, 0)
    for minute in (1, 2):
        scene.bar("SPY_1m", minute)
        scene.pass_ms(100)
    assert scene.bar("QQQ_1m", 0) == []
    assert scene.bar("QQQ_1m", 0, 2.0) == [("dropped", 0, 0.0)]


def test_what_is_known_since_alters_no_set_that_is_out() -> None:
    scene = Scene("A_5m", "B_3m", max_future_ms=10**9)
    scene.bar("A_5m", 0, 1.0)
    scene.bar("B_3m", 0)
    scene.bar("A_5m", 5, 2.0)
    scene.bar("B_3m", 6)
    assert scene.bar("A_5m", 0, 1.0) == []
    assert scene.counts()["duplicate"] == 1


def test_an_older_late_bar_does_not_replace_a_newer_last_known_one() -> None:
    scene = Scene(missing="last_known")
    for source in ("SPY_1m", "QQQ_1m"):
        scene.bar(source, 1, 5.0)
    scene.bar("QQQ_1m", 0, 3.0)
    scene.bar("SPY_1m", 2)
    assert scene.pass_ms(100)[0][2] == "QQQ_1m=5 filled 60000 SPY_1m=1"
