"""Live, idle, down: what turns a source into what."""

from typing import Any

import pytest

from barsync_async.core.liveness import Liveness
from barsync_async.units import Instant, MonoNs, SourceId, WallMs

A, B = 0, 1


def moment(mono: int) -> Instant:
    return Instant(MonoNs(mono), WallMs(1_000 + mono))


def liveness(*feeds: str, idle_after: int = 2, exclude_idle: bool = False) -> Liveness:
    """Of two sources; ``feeds`` carry the first, the second has ``other``."""
    sources = (SourceId("A_1m"), SourceId("B_1m"))
    return Liveness(sources, [feeds, ("other",)], idle_after=idle_after, exclude_idle=exclude_idle)


def connect(life: Liveness, feed: str, mono: int = 0) -> list[tuple[str, str]]:
    changes = life.on_connection(feed, up=True, now=moment(mono))
    return [(each.source, each.status) for each in changes]


def cut(life: Liveness, feed: str, mono: int = 0) -> list[tuple[str, str]]:
    changes = life.on_connection(feed, up=False, now=moment(mono))
    return [(each.source, each.status) for each in changes]


def missed(life: Liveness, index: int = A, opened_at: int = 0) -> Any:
    return life.on_missed(index, MonoNs(opened_at), moment(opened_at + 5))


def test_a_source_is_idle_after_so_many_misses_in_a_row() -> None:
    life = liveness()
    assert missed(life) is None
    change = missed(life)
    assert (change.source, change.status, change.timestamp, change.since) == (
        "A_1m",
        "idle",
        1_005,
        1_005,
    )
    assert life.status[A] is change
    assert life.status[B] is None
    assert missed(life) is None, "it is told once"


def test_a_bar_starts_the_count_anew() -> None:
    life = liveness()
    missed(life)
    assert A in life.uneasy
    assert life.on_bar(A, moment(6)) is None
    assert A not in life.uneasy
    assert missed(life) is None
    assert missed(life).status == "idle"


def test_a_bar_makes_an_idle_source_live() -> None:
    life = liveness(idle_after=1)
    missed(life)
    change = life.on_bar(A, moment(9))
    assert change is not None
    assert (change.status, change.since) == ("live", 1_009)
    assert life.on_bar(A, moment(9)) is None


def test_misses_count_by_source() -> None:
    life = liveness()
    missed(life, A)
    assert missed(life, B) is None
    assert missed(life, A).source == "A_1m"


def test_idle_after_zero_is_never() -> None:
    life = liveness(idle_after=0)
    assert [missed(life) for _ in range(3)] == [None] * 3
    assert not life.uneasy


def test_a_source_is_down_while_none_of_its_feeds_is_connected() -> None:
    life = liveness("x", "y")
    assert connect(life, "x") == []
    assert connect(life, "y") == []
    assert cut(life, "x") == []
    assert cut(life, "y") == [("A_1m", "down")]
    assert cut(life, "y") == []
    assert connect(life, "x") == [("A_1m", "live")]


def test_a_feed_that_never_was_connected_takes_nobody_down() -> None:
    life = liveness("x")
    assert cut(life, "x") == []


def test_all_sources_of_a_feed_go_down_with_it_in_their_order() -> None:
    life = liveness("other")
    connect(life, "other")
    assert cut(life, "other") == [("A_1m", "down"), ("B_1m", "down")]


def test_a_source_of_no_named_feed_is_never_down() -> None:
    life = liveness()
    connect(life, "x")
    assert cut(life, "x") == []


def test_a_bar_alone_takes_no_source_out_of_down() -> None:
    life = liveness("x")
    connect(life, "x")
    cut(life, "x")
    assert life.on_bar(A, moment(9)) is None


def test_an_idle_source_may_go_down_and_comes_back_live_with_no_misses() -> None:
    life = liveness("x", idle_after=2)
    connect(life, "x")
    missed(life)
    missed(life)
    assert connect(life, "x", 5) == [], "it stays idle"
    assert cut(life, "x") == [("A_1m", "down")]
    assert connect(life, "x", 10) == [("A_1m", "live")]
    assert missed(life, opened_at=20) is None
    assert missed(life, opened_at=20).status == "idle"


@pytest.mark.parametrize(("up_since", "counts"), [(9, True), (10, True), (11, False)])
def test_a_miss_counts_if_a_feed_was_connected_from_the_opening_on(
    up_since: int, counts: bool
) -> None:
    life = liveness("x", idle_after=1)
    connect(life, "x", up_since)
    assert (missed(life, opened_at=10) is not None) is counts


def test_one_connected_feed_of_two_is_enough_for_a_miss() -> None:
    life = liveness("x", "y", idle_after=1)
    connect(life, "x", 0)
    connect(life, "y", 99)
    assert missed(life, opened_at=10) is not None


def test_while_its_feed_is_cut_a_source_misses_nothing() -> None:
    life = liveness("x", idle_after=1)
    connect(life, "x")
    cut(life, "x")
    assert missed(life, opened_at=10) is None


def test_a_feed_of_which_nothing_was_reported_counts_as_connected() -> None:
    assert missed(liveness("x", idle_after=1)) is not None


@pytest.mark.parametrize("exclude_idle", [False, True])
def test_idle_and_down_sources_are_excluded_if_that_is_wanted(exclude_idle: bool) -> None:
    life = liveness("x", idle_after=1, exclude_idle=exclude_idle)
    connect(life, "other")
    cut(life, "other")
    missed(life)
    assert life.excluded == ({A, B} if exclude_idle else set())
    assert life.uneasy == {A, B}


def test_only_a_bar_ends_an_exclusion() -> None:
    life = liveness("x", exclude_idle=True)
    connect(life, "x")
    cut(life, "x")
    connect(life, "x")
    assert life.excluded == {A}
    assert A in life.uneasy
    life.on_bar(A, moment(9))
    assert life.excluded == set()
