"""Closed for a feed while anybody has closed it for that feed."""

from barsync_async.shell.gate import Gate


def test_it_is_open_for_a_feed_unless_somebody_closed_it_for_that_feed() -> None:
    gate = Gate()
    gate.close("a", {"one", "two"})
    gate.close("b", {"two"})
    assert [gate.is_open(feed) for feed in ("one", "two", "three")] == [False, False, True]
    gate.open("a")
    assert [gate.is_open(feed) for feed in ("one", "two")] == [True, False]
    gate.open("b")
    gate.open("nobody")
    assert gate.is_open("two")


def test_who_watches_is_told_of_every_change_until_it_does_not_any_more() -> None:
    gate, told = Gate(), []
    gate.watch("me", lambda: told.append(gate.is_open("one")))
    gate.close("a", {"one"})
    gate.open("a")
    gate.unwatch("me")
    gate.unwatch("me")
    gate.close("a", {"one"})
    assert told == [False, True]
