"""What a later bar proves, of which source, on which connection."""

import pytest

from barsync_async.core.proof import NOTHING, SLOW, Proof
from barsync_async.units import SourceId

A, B = SourceId("A_1m"), SourceId("B_1m")


def proof(*feeds: str, unordered: frozenset[str] = frozenset()) -> Proof:
    """Of two sources; ``feeds`` carry the first, and nobody is named for the second."""
    return Proof((A, B), {A: feeds} if feeds else {}, unordered)


@pytest.mark.parametrize("feeds", [(), ("x",)])
def test_a_bar_of_the_only_feed_proves_what_is_before_it(feeds: tuple[str, ...]) -> None:
    told = proof(*feeds)
    assert told.known(0) == NOTHING
    told.delivered(0, "x", 7)
    assert told.known(0) == 7
    assert told.known(1) == NOTHING


@pytest.mark.parametrize("feeds", [(), ("x", "y")])
def test_an_older_bar_takes_nothing_back(feeds: tuple[str, ...]) -> None:
    told = proof(*feeds)
    for feed, timestamp in (("x", 7), ("y", 8), ("x", 5), ("y", 6)):
        told.delivered(0, feed, timestamp)
    assert told.known(0) == (7 if feeds else 8)


def test_two_feeds_prove_together_as_far_as_the_slower_one() -> None:
    told = proof("x", "y")
    assert told.through[0] == SLOW
    told.delivered(0, "x", 9)
    assert told.known(0) == NOTHING
    told.delivered(0, "y", 7)
    assert told.known(0) == 7


def test_a_bar_of_no_feed_proves_nothing_where_several_are_named() -> None:
    told = proof("x", "y")
    for feed in ("x", None, "z"):
        told.delivered(0, feed, 9)
    assert told.known(0) == NOTHING


def test_a_bar_of_no_feed_proves_nothing_where_one_is_named() -> None:
    told = proof("x")
    told.delivered(0, None, 9)
    told.delivered(0, "y", 9)
    assert told.known(0) == NOTHING


@pytest.mark.parametrize("feeds", [("x",), ("x", "y"), ("y", "x")])
def test_an_unordered_feed_proves_nothing(feeds: tuple[str, ...]) -> None:
    told = proof(*feeds, unordered=frozenset({"x"}))
    for feed in feeds:
        told.delivered(0, feed, 7)
    assert told.known(0) == NOTHING
    assert told.through[0] == SLOW


def test_a_new_connection_has_to_prove_anew() -> None:
    told = proof("x")
    told.delivered(0, "x", 7)
    told.delivered(1, None, 7)
    told.reset("y")
    assert told.known(0) == 7
    told.reset("x")
    assert told.known(0) == NOTHING
    assert told.known(1) == 7
    told.delivered(0, "x", 6)
    assert told.known(0) == 6


def test_of_two_feeds_only_the_one_that_was_cut_has_to_prove_anew() -> None:
    told = proof("x", "y")
    told.delivered(0, "x", 7)
    told.delivered(0, "y", 7)
    told.reset("x")
    assert told.known(0) == NOTHING
    assert told.through[0] == SLOW
    told.delivered(0, "x", 8)
    assert told.known(0) == 7


def test_a_source_is_shared_where_several_feeds_carry_it() -> None:
    told = proof("x", "y")
    assert (told.is_shared(0), told.is_shared(1)) == (True, False)
    assert not proof("x").is_shared(0)
    assert (told.carriers(0), told.carriers(1)) == (("x", "y"), ())


# A feed that asks the venue for what it missed


@pytest.mark.parametrize("unordered", [frozenset(), frozenset({"x"})])
def test_a_feed_that_catches_up_proves_nothing_whatever_it_delivers(
    unordered: frozenset[str],
) -> None:
    told = proof("x", unordered=unordered)
    told.catch_up("x")
    told.delivered(0, "x", 7)
    assert told.known(0) == NOTHING
    assert told.caught_up("x") == [0]
    assert told.known(0) == (NOTHING if unordered else 7)
    told.delivered(0, "x", 9)
    assert told.known(0) == (NOTHING if unordered else 9)


def test_that_a_feed_has_caught_up_which_did_not_have_to_says_nothing() -> None:
    told = proof("x")
    told.delivered(0, "x", 7)
    assert told.caught_up("x") == ()
    assert told.caught_up("nobody") == ()
    assert told.known(0) == 7


def test_a_new_connection_need_not_catch_up_because_the_one_before_did_not_get_to_it() -> None:
    told = proof("x")
    told.catch_up("x")
    told.delivered(0, "x", 7)
    told.reset("x")
    assert told.known(0) == NOTHING
    assert told.caught_up("x") == ()
    told.delivered(0, "x", 8)
    assert told.known(0) == 8


def test_to_be_told_twice_to_catch_up_is_to_be_told_once() -> None:
    told = proof("x")
    for _ in range(2):
        told.reset("x")
        told.catch_up("x")
    told.delivered(0, "x", 7)
    assert told.caught_up("x") == [0]
    assert told.known(0) == 7


def test_of_two_feeds_each_has_to_catch_up_and_the_other_one_keeps_what_it_delivered() -> None:
    told = proof("x", "y")
    told.delivered(0, "y", 9)
    for feed in ("x", "y"):
        told.catch_up(feed)
    told.delivered(0, "x", 8)
    told.caught_up("x")
    assert told.known(0) == NOTHING
    told.caught_up("y")
    assert told.known(0) == 8


def test_who_catches_up_is_no_affair_of_the_sources_that_others_carry() -> None:
    told = proof("x")
    told.catch_up("x")
    told.delivered(1, None, 5)
    assert told.known(1) == 5
