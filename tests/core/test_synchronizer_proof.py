"""What a later bar proves, in the slots."""

from typing import Any

import pytest
from tests.core.scene import Scene, brief

from barsync_async.units import SourceId

FEEDS = {"DIA_1m": ("w",), "QQQ_1m": ("x", "y"), "SPY_1m": ("z",)}


def scene(*sources: str, feeds: Any = None, **options: Any) -> Scene:
    carriers = {SourceId(source): each for source, each in (feeds or {}).items()}
    return Scene(
        *sources, feeds=carriers, **{"require_all": False, "max_future_ms": 10**9, **options}
    )


def test_a_later_bar_proves_that_no_earlier_one_comes() -> None:
    some = scene("SPY_1m", "QQQ_1m")
    some.bar("SPY_1m", 0)
    assert some.bar("QQQ_1m", 1) == [("partial", 0, "SPY_1m=1")]


def test_proof_needs_every_due_source() -> None:
    some = scene("SPY_1m", "QQQ_1m", "DIA_1m")
    some.bar("SPY_1m", 0)
    assert some.bar("QQQ_1m", 1) == []
    assert some.bar("DIA_1m", 1) == [("partial", 0, "SPY_1m=1")]


def test_a_bar_proves_all_earlier_slots_at_once_in_their_order() -> None:
    some = scene("SPY_1m", "QQQ_1m")
    for minute in (0, 1, 2):
        some.bar("SPY_1m", minute)
    told = some.bar("QQQ_1m", 2)
    assert [each[:2] for each in told] == [("partial", 0), ("partial", 1), ("complete", 2)]


def test_a_slot_that_opens_after_a_later_one_knows_what_was_proved() -> None:
    some = scene("SPY_1m", "QQQ_1m", "DIA_1m")
    some.bar("SPY_1m", 1)
    assert some.bar("QQQ_1m", 0) == []
    assert some.bar("DIA_1m", 0) == [("partial", 0, "DIA_1m=1 QQQ_1m=1")]


def test_a_bar_that_came_the_quick_way_proves_as_much() -> None:
    some = scene("SPY_1m", "QQQ_1m", "DIA_1m")
    some.bar("SPY_1m", 1)
    some.bar("QQQ_1m", 1)
    assert some.bar("DIA_1m", 0) == [("partial", 0, "DIA_1m=1")]


@pytest.mark.parametrize("reconnects", [False, True])
def test_a_bar_that_comes_after_one_of_no_set_proved_it_absent_counts_once(
    reconnects: bool,
) -> None:
    some = scene("A_5m", "B_3m", "C_3m", feeds={"A_5m": ("x",)})
    some.bar("B_3m", 0)
    some.bar("A_5m", 5, feed="x")
    if reconnects:
        some.connect("x")
    assert some.bar("A_5m", 0, feed="x") == []
    assert some.bar("C_3m", 0) == [("complete", 0, "A_5m=1 B_3m=1 C_3m=1")]


def test_a_slot_that_opens_with_all_others_proved_absent_is_sealed_at_once() -> None:
    some = scene("SPY_1m", "QQQ_1m")
    some.bar("SPY_1m", 1)
    assert some.bar("QQQ_1m", 0) == [("partial", 0, "QQQ_1m=1")]


def test_a_bar_proves_nothing_for_its_own_timestamp_and_later_ones() -> None:
    some = scene("SPY_1m", "QQQ_1m")
    some.bar("SPY_1m", 1)
    assert some.bar("QQQ_1m", 1)[0][:2] == ("complete", 1)
    some.bar("SPY_1m", 2)
    assert list(some.deadlines()) == [2]


@pytest.mark.parametrize("feeds", [{"QQQ_1m": ("x",)}, {"QQQ_1m": ("x", "y")}])
def test_a_feed_without_order_proves_nothing(feeds: Any) -> None:
    some = scene("SPY_1m", "QQQ_1m", feeds=feeds, unordered_feeds=frozenset({"x"}))
    some.bar("SPY_1m", 0)
    for feed in feeds["QQQ_1m"]:
        assert some.bar("QQQ_1m", 1, feed=feed) == []
    assert some.pass_ms(100)[0] == ("partial", 0, "SPY_1m=1")


def test_every_feed_that_carries_a_source_has_to_prove_it() -> None:
    some = scene("SPY_1m", "QQQ_1m", feeds=FEEDS)
    some.bar("SPY_1m", 0, feed="z")
    assert some.bar("QQQ_1m", 1, feed="x") == []
    assert some.bar("QQQ_1m", 1, feed="y") == [("partial", 0, "SPY_1m=1")]
    assert some.counts() == {"accepted": 2, "duplicate": 1}


def test_after_a_reconnect_a_source_has_to_deliver_again_to_prove_anything() -> None:
    some = scene("SPY_1m", "QQQ_1m", feeds={"QQQ_1m": ("x",)})
    some.bar("QQQ_1m", 1, feed="x")
    some.cut("x")
    some.connect("x")
    assert some.bar("SPY_1m", 0) == []
    assert some.bar("QQQ_1m", 1, feed="x") == [("partial", 0, "SPY_1m=1")], "a repetition will do"


def test_what_was_proved_before_a_reconnect_stays_proved() -> None:
    some = scene("SPY_1m", "QQQ_1m", "DIA_1m", feeds={"QQQ_1m": ("x",)})
    some.bar("SPY_1m", 0)
    some.bar("QQQ_1m", 1, feed="x")
    some.cut("x")
    some.connect("x")
    assert some.bar("DIA_1m", 0) == [("partial", 0, "DIA_1m=1 SPY_1m=1")]


def test_of_two_feeds_the_one_that_was_cut_has_to_prove_again() -> None:
    some = scene("SPY_1m", "QQQ_1m", feeds=FEEDS)
    some.bar("QQQ_1m", 1, feed="x")
    some.bar("QQQ_1m", 1, feed="y")
    some.connect("y")
    assert some.bar("SPY_1m", 0, feed="z") == []
    assert some.bar("QQQ_1m", 2, feed="x") == []
    assert some.bar("QQQ_1m", 2, feed="y") == [("partial", 0, "SPY_1m=1")]


def test_another_feeds_reconnect_takes_nothing_back() -> None:
    some = scene("SPY_1m", "QQQ_1m", feeds={"QQQ_1m": ("x",)})
    some.bar("QQQ_1m", 1, feed="x")
    some.connect("z")
    assert some.bar("SPY_1m", 0) == [("partial", 0, "SPY_1m=1")]


def test_a_bar_that_comes_though_it_was_proved_absent_is_in_time_and_counts_once() -> None:
    some = scene("SPY_1m", "QQQ_1m", "DIA_1m", feeds={"QQQ_1m": ("x",)})
    some.bar("SPY_1m", 0)
    some.bar("QQQ_1m", 1, feed="x")
    some.connect("x")
    assert some.bar("QQQ_1m", 0, feed="x") == []
    assert some.bar("DIA_1m", 0) == [("complete", 0, "DIA_1m=1 QQQ_1m=1 SPY_1m=1")]


def test_the_programs_own_bars_prove_nothing_where_a_feed_carries_the_source() -> None:
    some = scene("SPY_1m", "QQQ_1m", "DIA_1m", feeds={"QQQ_1m": ("x",)})
    some.bar("SPY_1m", 1)
    some.bar("QQQ_1m", 1)
    assert some.bar("DIA_1m", 0) == []
    assert some.bar("QQQ_1m", 1, feed="x") == [("partial", 0, "DIA_1m=1")]


def test_a_rejected_bar_proves_nothing() -> None:
    some = scene("SPY_1m", "QQQ_1m", max_future_ms=0)
    some.bar("SPY_1m", 0)
    assert some.bar("QQQ_1m", 3, feed="x") == ["future"]
    assert some.bar("QQQ_1m", 0.5, feed="x") == ["off_grid"]
    assert list(some.deadlines()) == [0]


def test_a_late_bar_proves_what_is_before_it() -> None:
    some = scene("SPY_1m", "QQQ_1m", "DIA_1m")
    some.bar("SPY_1m", 1)
    some.stall(50)
    some.bar("DIA_1m", 0)
    assert some.pass_ms(50) == [], "minute 1 is sealed and waits for minute 0"
    told = some.bar("QQQ_1m", 1)
    assert told == [("dropped", 1, 0.0), ("partial", 0, "DIA_1m=1"), ("partial", 1, "SPY_1m=1")]


def test_a_bar_that_belongs_to_no_set_proves_what_is_before_it() -> None:
    some = scene("A_5m", "B_3m")
    some.bar("B_3m", 0)
    assert some.bar("A_5m", 5) == [("partial", 0, "B_3m=1")]


def test_a_slower_source_proves_like_any_other() -> None:
    some = scene("A_5m", "B_1m")
    some.bar("B_1m", 0)
    assert some.bar("B_1m", 1) == []
    told = some.bar("A_5m", 5)
    assert told == [("partial", 0, "B_1m=1"), ("complete", 1, "B_1m=1")]


# A feed that asks the venue for what it missed


def catching_up(*, shared: bool = False) -> Scene:
    feeds = {"SPY_1m": ("x", "y") if shared else ("x",), "QQQ_1m": ("z",)}
    some = scene("SPY_1m", "QQQ_1m", feeds=feeds, timeout_ms=1_000)
    some.core.on_connection("x", up=True, now=some.now, catching_up=True)
    some.bar("QQQ_1m", 0, feed="z")
    return some


def test_a_later_bar_of_a_feed_that_catches_up_proves_nothing_yet() -> None:
    some = catching_up()
    assert some.bar("SPY_1m", 1, feed="x") == []
    assert some.bar("SPY_1m", 0, feed="x") == [("complete", 0, "QQQ_1m=1 SPY_1m=1")]


def test_what_it_delivered_meanwhile_is_proof_once_it_has_caught_up() -> None:
    some = catching_up()
    some.bar("SPY_1m", 1, feed="x")
    assert brief(some.core.on_caught_up("x", some.now)) == [("partial", 0, "QQQ_1m=1")]


def test_once_it_has_caught_up_later_bars_are_proof_as_ever() -> None:
    some = catching_up()
    assert brief(some.core.on_caught_up("x", some.now)) == []
    assert some.bar("SPY_1m", 1, feed="x") == [("partial", 0, "QQQ_1m=1")]


def test_a_connection_that_ends_first_has_proved_nothing() -> None:
    some = catching_up()
    some.bar("SPY_1m", 1, feed="x")
    some.core.on_connection("x", up=False, now=some.now)
    assert brief(some.core.on_caught_up("x", some.now)) == []
    some.core.on_connection("x", up=True, now=some.now)
    assert some.bar("SPY_1m", 2, feed="x")[0] == ("partial", 0, "QQQ_1m=1")


def test_one_line_that_catches_up_holds_the_proof_of_both() -> None:
    some = catching_up(shared=True)
    some.bar("SPY_1m", 1, feed="y")
    assert some.bar("SPY_1m", 1, feed="x") == []
    assert brief(some.core.on_caught_up("x", some.now)) == [("partial", 0, "QQQ_1m=1")]


def test_the_deadline_waits_for_no_history() -> None:
    some = catching_up()
    some.bar("SPY_1m", 1, feed="x")
    assert some.pass_ms(1_000)[0] == ("partial", 0, "QQQ_1m=1")


def test_a_line_that_was_lost_while_it_caught_up_is_a_line_like_any_other_afterwards() -> None:
    some = catching_up(shared=True)
    some.core.on_connection("x", up=False, now=some.now)
    some.core.on_connection("x", up=True, now=some.now)
    some.bar("SPY_1m", 1, feed="y")
    assert some.bar("SPY_1m", 1, feed="x") == [("partial", 0, "QQQ_1m=1")]
