"""Alpaca's pages of past bars, asked for and answered, one by one and by the simulated venue."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.alpaca_market import CRYPTO
from barsync_async.venues.history.alpaca import AlpacaHistory
from barsync_async.venues.history.exchange import (
    HistoryAnswer,
    HistoryDelay,
    HistoryPage,
    HistoryRefusal,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.options import PUBLIC, Credentials, VenueOptions
from barsync_async.venues.outcomes import Rejection

KEY, SECRET = "PK0123456789", "a-secret-of-some-length"
OPTIONS = VenueOptions(credentials=Credentials(KEY, SECRET))
MINUTE = 60_000
OPEN = 1_614_021_300_000  # 2021-02-22T19:15:00Z
SPAN = Span(SourceId("SPY_1m"), WallMs(OPEN), WallMs(OPEN + 3 * MINUTE))


def request(span: Span = SPAN, options: VenueOptions = OPTIONS) -> HistoryRequest:
    return AlpacaHistory().request(span, options)


def row(minute: int, **changes: Any) -> dict[str, Any]:
    fields = {
        "t": f"2021-02-22T19:{15 + minute}:00Z",
        "o": 1.5,
        "h": 2.5,
        "l": 1.25,
        "c": 2,
        "v": 100,
        "n": 3,
        "vw": 1.9,
    }
    return fields | changes


def answered(
    content: Any, status: int = 200, asked: HistoryRequest | None = None, **headers: str
) -> HistoryAnswer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return AlpacaHistory().receive(asked or request(), HistoryResponse(status, named, body))


def page(*rows: Any, following: str | None = None, **extra: Any) -> HistoryPage:
    answer = answered({"bars": {"SPY": rows}, "next_page_token": following} | extra)
    assert isinstance(answer, HistoryPage), answer
    return answer


def test_the_bounds_are_those_of_a_bars_start() -> None:
    asked = request()
    assert asked.url == "https://data.alpaca.markets/v2/stocks/bars"
    assert asked.params == {
        "symbols": "SPY",
        "timeframe": "1Min",
        "start": "2021-02-22T19:15:00.000Z",
        "end": "2021-02-22T19:17:00.000Z",
        "limit": "5000",
        "sort": "asc",
        "adjustment": "split",
        "feed": "iex",
    }


def test_a_span_off_the_grid_begins_with_its_first_whole_bar() -> None:
    span = Span(SourceId("SPY_1m"), WallMs(OPEN + 1), WallMs(OPEN + MINUTE + 1))
    assert request(span).params["start"] == "2021-02-22T19:15:00.000Z"
    assert request(Span(SPAN.source, WallMs(0), WallMs(0))).params["end"].startswith("1970-01-01")


def test_key_and_secret_go_in_headers_and_never_show() -> None:
    asked = request()
    assert asked.headers == {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
    assert KEY not in repr(asked)
    assert SECRET not in repr(asked)


@pytest.mark.parametrize(
    ("path", "feed"),
    [("v2/sip", "sip"), ("v2/delayed_sip", "sip"), ("v1beta1/boats", "boats"), ("v2/test", "iex")],
)
def test_the_feed_is_the_streams(path: str, feed: str) -> None:
    assert request(options=VenueOptions(url=f"wss://h/{path}")).params["feed"] == feed


def test_crypto_needs_no_key_and_has_its_own_path() -> None:
    history = AlpacaHistory(CRYPTO)
    span = Span(SourceId("BTC-USD_1m"), SPAN.after, SPAN.until)
    asked = history.request(span, OPTIONS)
    assert asked.url == "https://data.alpaca.markets/v1beta3/crypto/us/bars"
    assert asked.params["symbols"] == "BTC/USD"
    assert not asked.headers
    assert "feed" not in asked.params
    other = VenueOptions(url="wss://h/v1beta3/crypto/eu-1", history_url="http://h:1/")
    assert history.request(span, other).url == "http://h:1/v1beta3/crypto/eu-1/bars"
    body = json.dumps({"bars": {"BTC/USD": [row(0, v=0.25)]}}).encode()
    answer = history.receive(asked, HistoryResponse(200, {}, body))
    assert isinstance(answer, HistoryPage)
    (bar,) = answer.items
    assert isinstance(bar, Bar)
    assert (bar.symbol, bar.volume) == ("BTC-USD", 0.25)


def test_rows_are_bars_labelled_with_the_end_of_their_minute() -> None:
    (bar,) = page(row(0)).items
    assert bar == Bar("SPY", "1m", WallMs(OPEN + MINUTE), 1.5, 2.5, 1.25, 2.0, 100.0)


def test_what_lies_outside_the_span_is_dropped_and_so_is_the_running_bar() -> None:
    items = page(*[row(minute) for minute in range(-2, 6)]).items
    assert [item.timestamp - OPEN for item in items if isinstance(item, Bar)] == [
        MINUTE,
        2 * MINUTE,
        3 * MINUTE,
    ]


def test_pages_follow_one_another_by_token() -> None:
    following = page(row(0), following="abc").following
    assert following is not None
    assert following.params == {**request().params, "page_token": "abc"}
    assert following.headers == request().headers
    last = answered({"bars": {"SPY": [row(1)]}, "next_page_token": None}, asked=following)
    assert isinstance(last, HistoryPage)
    assert last.following is None


def test_a_token_that_leads_nowhere_is_not_followed_for_ever() -> None:
    following = page(following="abc").following
    again = answered({"bars": {}, "next_page_token": "abc"}, asked=following)
    assert again == HistoryPage(())


@pytest.mark.parametrize("bars", [None, {}, {"SPY": []}])
def test_no_bars_are_an_empty_page(bars: Any) -> None:
    assert answered({"bars": bars, "next_page_token": None}) == HistoryPage(())


def test_one_broken_row_does_not_take_the_others_with_it() -> None:
    first, null, never, low, last = page(
        row(0), row(1, o=None), row(1, t="never"), row(1, l=9), row(2)
    ).items
    assert isinstance(first, Bar)
    assert isinstance(last, Bar)
    reasons = [item.reason for item in (null, never, low) if isinstance(item, Rejection)]
    assert reasons == ["malformed", "malformed", "invalid"]
    (off_grid,) = page(row(1, t="2021-02-22T19:16:30Z")).items
    assert isinstance(off_grid, Rejection)


@pytest.mark.parametrize("status", [429, 418, 500, 502, 503, 504, 408])
def test_a_venue_out_of_order_is_asked_again_and_says_when(status: int) -> None:
    answer = answered({"message": "too many requests."}, status, retry_after="7")
    assert isinstance(answer, HistoryDelay)
    assert answer.after_ms == 7_000
    assert answer.detail.startswith(f"HTTP {status}: ")
    for header in ("", "soon", "-1", "9" * 40, "Wed, 21 Oct 2015 07:28:00 GMT"):
        answer = answered(b"<html>", status, retry_after=header)
        assert isinstance(answer, HistoryDelay)
        assert 1_000 <= answer.after_ms <= 60_000


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 301, 204])
def test_a_bad_symbol_and_wrong_credentials_are_refused_for_good(status: int) -> None:
    answer = answered({"message": "invalid symbol: X,Y"}, status)
    assert isinstance(answer, HistoryRefusal)
    assert "invalid symbol: X,Y" in answer.detail
    assert isinstance(answered(b"\xff", status), HistoryRefusal)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"[" * 50_000, b"\xff", b'{"bars":[]}', b"{" + b"," * 200_000]
)
def test_what_is_no_page_is_asked_for_again(body: bytes) -> None:
    answer = answered(body)
    assert isinstance(answer, HistoryDelay)
    assert len(answer.detail) <= 512


def test_without_credentials_it_still_asks() -> None:
    assert set(request(options=PUBLIC).headers.values()) == {""}


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=9,
)
rows = st.fixed_dictionaries(
    {},
    optional={
        "t": st.just("2021-02-22T19:15:00Z") | json_like,
        **dict.fromkeys("ohlcv", json_like),
    },
)
pages = st.fixed_dictionaries(
    {},
    optional={
        "bars": st.dictionaries(st.text(max_size=4), st.lists(rows)) | json_like,
        "next_page_token": json_like,
    },
)


@given(pages.map(json.dumps).map(str.encode) | st.binary(), st.sampled_from([200, 400, 429, 500]))
def test_no_answer_makes_it_raise(body: bytes, status: int) -> None:
    answered(body, status)
