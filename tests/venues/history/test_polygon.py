"""Polygon's pages of past bars, asked for and answered."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.history.exchange import (
    HistoryAnswer,
    HistoryDelay,
    HistoryPage,
    HistoryRefusal,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.history.polygon import PolygonHistory
from barsync_async.venues.options import Credentials, VenueOptions
from barsync_async.venues.outcomes import Rejection

KEY = "a-key-of-some-length"
OPTIONS = VenueOptions(credentials=Credentials(KEY))
MINUTE = 60_000
OPEN = 1_614_021_300_000
SPAN = Span(SourceId("SPY_1m"), WallMs(OPEN), WallMs(OPEN + 3 * MINUTE))
PATH = f"/v2/aggs/ticker/SPY/range/1/minute/{OPEN}/{OPEN + 2 * MINUTE}"


def request(span: Span = SPAN, options: VenueOptions = OPTIONS) -> HistoryRequest:
    return PolygonHistory().request(span, options)


def row(minute: int, **changes: Any) -> dict[str, Any]:
    fields = {"v": 100.0, "vw": 1.9, "o": 1.5, "c": 2, "h": 2.5, "l": 1.25, "n": 3}
    return fields | {"t": OPEN + minute * MINUTE} | changes


def answered(
    content: Any, status: int = 200, asked: HistoryRequest | None = None, **headers: str
) -> HistoryAnswer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return PolygonHistory().receive(asked or request(), HistoryResponse(status, named, body))


def page(*rows: Any, next_url: str | None = None) -> HistoryPage:
    answer = answered({"status": "OK", "results": rows, "next_url": next_url})
    assert isinstance(answer, HistoryPage), answer
    return answer


def test_the_bounds_in_the_path_are_those_of_a_bars_start() -> None:
    asked = request()
    assert asked.url == f"https://api.massive.com{PATH}"
    assert asked.params == {"adjusted": "true", "sort": "asc", "limit": "5000"}


def test_seconds_are_a_window_of_their_own() -> None:
    span = Span(SourceId("spy_1s"), WallMs(OPEN + 1), WallMs(OPEN + 2_000))
    wanted = f"/v2/aggs/ticker/SPY/range/1/second/{OPEN}/{OPEN + 1_000}"
    assert request(span).url.endswith(wanted)


def test_the_key_goes_in_a_header_and_never_shows() -> None:
    asked = request()
    assert asked.headers == {"Authorization": f"Bearer {KEY}"}
    assert KEY not in repr(asked)


def test_rows_are_bars_labelled_with_the_end_of_their_window() -> None:
    (bar,) = page(row(0)).items
    assert bar == Bar("SPY", "1m", WallMs(OPEN + MINUTE), 1.5, 2.5, 1.25, 2.0, 100.0)


def test_integers_may_come_with_a_point() -> None:
    (bar,) = page(row(0, t=float(OPEN), v=12.0, n=3.0)).items
    assert isinstance(bar, Bar)
    assert (bar.timestamp, bar.volume) == (OPEN + MINUTE, 12.0)


def test_what_lies_outside_the_span_is_dropped_and_so_is_the_running_bar() -> None:
    items = page(*[row(minute) for minute in range(-2, 6)]).items
    assert [item.timestamp - OPEN for item in items if isinstance(item, Bar)] == [
        MINUTE,
        2 * MINUTE,
        3 * MINUTE,
    ]


def test_the_next_page_is_where_the_venue_says() -> None:
    following = page(row(0), next_url=f"https://api.massive.com{PATH}?cursor=abc%3D").following
    assert following is not None
    assert following.url == f"https://api.massive.com{PATH}"
    assert following.params == {"cursor": "abc="}
    assert following.headers == request().headers
    last = answered({"results": [row(1)]}, asked=following)
    assert isinstance(last, HistoryPage)
    assert last.following is None


@pytest.mark.parametrize("host", ["https://api.polygon.io", "https://thief.example", "//thief:1"])
def test_the_key_goes_to_no_other_host_than_was_asked_first(host: str) -> None:
    asked = request(options=VenueOptions(history_url="http://h:1/", credentials=Credentials(KEY)))
    answer = answered({"next_url": f"{host}{PATH}?cursor=abc&apiKey=theirs"}, asked=asked)
    assert isinstance(answer, HistoryPage)
    assert answer.following is not None
    assert answer.following.url == f"http://h:1{PATH}"
    assert answer.following.params == {"cursor": "abc"}


@pytest.mark.parametrize("next_url", ["https://h/login?x=1", "no url", "http://[", "/v2/aggs/x"])
def test_a_next_page_that_cannot_be_is_not_followed(next_url: str) -> None:
    assert isinstance(answered({"results": [row(0)], "next_url": next_url}), HistoryDelay)


def test_a_page_that_names_itself_is_not_followed_for_ever() -> None:
    following = page(next_url=f"https://h{PATH}?cursor=abc").following
    again = answered({"next_url": f"https://h{PATH}?cursor=abc"}, asked=following)
    assert again == HistoryPage(())


@pytest.mark.parametrize("content", [{}, {"results": None}, {"results": [], "status": "DELAYED"}])
def test_no_bars_are_an_empty_page(content: Any) -> None:
    assert answered(content) == HistoryPage(())


def test_one_broken_row_does_not_take_the_others_with_it() -> None:
    first, null, off_grid, low, last = page(
        row(0), row(1, o=None), row(1, t=OPEN + 90_000), row(1, l=9), row(2)
    ).items
    assert isinstance(first, Bar)
    assert isinstance(last, Bar)
    reasons = [item.reason for item in (null, off_grid, low) if isinstance(item, Rejection)]
    assert reasons == ["malformed", "invalid", "invalid"]


def test_too_many_requests_are_waited_for() -> None:
    error = {"status": "ERROR", "error": "You've exceeded the maximum requests per minute."}
    answer = answered(error, 429, retry_after="12")
    assert isinstance(answer, HistoryDelay)
    assert answer.after_ms == 12_000
    assert "exceeded the maximum requests" in answer.detail
    for status in (429, 418, 500, 503):
        assert isinstance(answered(b"", status), HistoryDelay)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_the_plan_does_not_have_is_refused_for_good(status: int) -> None:
    error = {"status": "NOT_AUTHORIZED", "message": "You are not entitled to this data."}
    answer = answered(error, status)
    assert isinstance(answer, HistoryRefusal)
    assert "You are not entitled" in answer.detail


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"[" * 50_000, b"\xff", b'{"results":{}}', b"," * 200_000]
)
def test_what_is_no_page_is_asked_for_again(body: bytes) -> None:
    answer = answered(body)
    assert isinstance(answer, HistoryDelay)
    assert len(answer.detail) <= 512


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=9,
)
rows = st.fixed_dictionaries(
    {}, optional={"t": st.just(OPEN) | json_like, **dict.fromkeys("ohlcv", json_like)}
)
urls = st.text(max_size=30).map(lambda text: f"https://h/v2/aggs/ticker/{text}")
pages = st.fixed_dictionaries(
    {}, optional={"results": st.lists(rows) | json_like, "next_url": urls | json_like}
)


@given(pages.map(json.dumps).map(str.encode) | st.binary(), st.sampled_from([200, 400, 429, 500]))
def test_no_answer_makes_it_raise(body: bytes, status: int) -> None:
    answered(body, status)
