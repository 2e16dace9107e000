"""Requests at a venue whose errors name no source."""

from hypothesis import given
from hypothesis import strategies as st

from barsync_async.units import SourceId
from barsync_async.venues.subscriptions import Subscriptions, in_requests

A, B, C = (SourceId(f"{name}_1m") for name in "ABC")


def test_one_request_is_under_way_at_a_time() -> None:
    one = Subscriptions([(A, B), (C,)])
    assert one.next_request() == (A, B)
    assert one.next_request() == ()
    assert one.confirm([A]) == (A,)
    assert one.asked == (B,)
    assert one.next_request() == ()
    assert one.confirm([A, B]) == (B,)
    assert one.next_request() == (C,)
    assert one.pending == [C]


def test_a_request_can_be_given_up_without_the_others() -> None:
    one = Subscriptions([(A, B), (C,)])
    one.next_request()
    one.confirm([A])
    assert one.give_up_request() == (B,)
    assert one.next_request() == (C,)
    assert one.pending == [C]


def test_what_was_confirmed_by_a_late_answer_is_not_asked_for_again() -> None:
    one = Subscriptions([(A, B, C)])
    one.next_request()
    assert one.narrow() == ()
    assert one.next_request() == (A,)
    assert one.confirm([B, C]) == (B, C)
    assert one.narrow() == (A,)
    assert one.next_request() == ()


def test_a_refusal_without_a_request_blames_nobody() -> None:
    one = Subscriptions([(A,)])
    assert one.narrow() == ()
    assert one.give_up_request() == ()
    assert one.next_request() == (A,)
    assert one.give_up() == (A,)
    assert one.next_request() == ()


@given(st.integers(1, 60), st.integers(1, 25), st.sets(st.integers(0, 59)))
def test_exactly_the_bad_ones_are_blamed(count: int, most: int, numbers: set[int]) -> None:
    sources = [SourceId(f"S{number}_1m") for number in range(count)]
    bad = {SourceId(f"S{number}_1m") for number in numbers if number < count}
    one = Subscriptions(in_requests(sources, most))
    blamed: set[SourceId] = set()
    confirmed: set[SourceId] = set()
    while request := one.next_request():
        if bad.isdisjoint(request):
            confirmed |= set(one.confirm(request))
        else:
            blamed |= set(one.narrow())
    assert blamed == bad
    assert confirmed == set(sources) - bad
    assert one.pending == []
