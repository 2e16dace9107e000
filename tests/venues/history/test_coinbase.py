"""Coinbase's candles endpoint: what is asked, and what its answers mean."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.history.coinbase import CoinbaseHistory
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

FIRST = 1_775_521_800  # the first bar's opening, in seconds
LENGTH = 300


def span(bars: int, source: str = "BTC/USD_5m") -> Span:
    """The span of ``bars`` bars, the first of which opens at FIRST."""
    after = FIRST * 1_000
    return Span(SourceId(source), WallMs(after), WallMs(after + bars * LENGTH * 1_000))


def request(
    bars: int, source: str = "BTC/USD_5m", options: VenueOptions = PUBLIC
) -> HistoryRequest:
    return CoinbaseHistory().request(span(bars, source), options)


def candle(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "start": str(FIRST + number * LENGTH),
        "low": "1.0",
        "high": "4.0",
        "open": "2.0",
        "close": "3.0",
        "volume": "5.5",
    } | changes


def answer(asked: HistoryRequest, *candles: Any) -> HistoryAnswer:
    body = json.dumps({"candles": list(candles)}).encode()
    return CoinbaseHistory().receive(asked, HistoryResponse(200, {}, body))


def page(asked: HistoryRequest, *candles: Any) -> HistoryPage:
    got = answer(asked, *candles)
    assert isinstance(got, HistoryPage), got
    return got


def failure(status: int, body: bytes = b"", **headers: str) -> HistoryAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return CoinbaseHistory().receive(request(2), HistoryResponse(status, named, body))


def test_a_request_names_product_granularity_and_both_ends_as_opening_seconds() -> None:
    assert request(3) == HistoryRequest(
        "https://api.coinbase.com/api/v3/brokerage/market/products/BTC-USD/candles",
        {"start": str(FIRST), "end": str(FIRST + 2 * LENGTH), "granularity": "FIVE_MINUTE"},
        span(3),
    )


def test_a_usdc_product_has_the_past_of_the_usd_bars_that_it_gets_live() -> None:
    assert "/BTC-USD/" in request(1, "BTC-USDC_5m").url
    assert "/USDT-USDC/" in request(1, "USDT-USDC_5m").url


def test_the_endpoint_can_be_another_and_a_symbol_cannot_leave_its_place_in_it() -> None:
    own = VenueOptions(history_url="http://127.0.0.1:9001/")
    asked = request(1, "A/../B?-USD_5m", own)
    assert asked.url.startswith("http://127.0.0.1:9001/api/v3/brokerage/market/products/")
    assert asked.url.count("/") == 9
    assert "?" not in asked.url


def test_no_credentials_are_sent_for_the_endpoint_is_public() -> None:
    asked = request(1, options=VenueOptions(credentials=Credentials("my-key", "my-secret")))
    assert "my-" not in f"{asked!r} {asked.headers}"


def test_a_page_comes_newest_first_and_is_turned_round() -> None:
    got = page(request(3), candle(2), candle(1), candle(0))
    assert [item.timestamp for item in got.items if isinstance(item, Bar)] == [
        (FIRST + n * LENGTH) * 1_000 for n in (1, 2, 3)
    ]
    assert got.items[0] == Bar("BTC/USD", "5m", WallMs((FIRST + 300) * 1_000), 2, 4, 1, 3, 5.5)
    assert got.following is None


def test_the_running_bar_and_what_was_not_asked_for_are_left_out() -> None:
    got = page(request(2), candle(2), candle(1), candle(0), candle(-1))
    assert len(got.items) == 2


def test_pages_follow_until_the_span_is_covered_though_one_is_empty() -> None:
    asked: HistoryRequest | None = request(650)
    ranges = []
    while asked is not None:
        ranges.append(tuple((int(asked.params[end]) - FIRST) // LENGTH for end in ("start", "end")))
        asked = page(asked).following
    assert ranges == [(0, 299), (300, 599), (600, 649)]


def test_a_page_of_exactly_three_hundred_has_no_following() -> None:
    assert page(request(300)).following is None
    assert page(request(301)).following is not None


def test_an_end_that_is_on_no_bars_close_asks_for_no_bar_beyond() -> None:
    between = Span(
        SourceId("BTC-USD_5m"), WallMs(FIRST * 1_000 - 1), WallMs(FIRST * 1_000 + 999_999)
    )
    asked = CoinbaseHistory().request(between, PUBLIC)
    got = page(asked, *(candle(n) for n in range(-1, 5)))
    assert [item.timestamp // 1_000 - FIRST for item in got.items if isinstance(item, Bar)] == [
        0,
        300,
        600,
        900,
    ]


def test_a_null_price_is_a_rejection_beside_the_other_bars() -> None:
    got = page(request(3), candle(1), candle(0, close=None), candle(2, high="0"), 7)
    assert [type(item) for item in got.items] == [Rejection, Rejection, Rejection, Bar]


@pytest.mark.parametrize("status", [418, 429, 500, 502, 503])
def test_a_venue_out_of_breath_is_asked_again_when_it_says(status: int) -> None:
    told = failure(status, b"slow down", retry_after="7")
    assert told == HistoryDelay(7_000, f"HTTP {status}: slow down")


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 99]
)
def test_a_retry_after_that_is_no_number_of_seconds_is_a_default(text: str) -> None:
    told = failure(429, retry_after=text)
    assert isinstance(told, HistoryDelay)
    assert told.after_ms == 5_000


def test_a_retry_after_of_days_is_cut_to_an_hour() -> None:
    told = failure(429, retry_after="99999")
    assert isinstance(told, HistoryDelay)
    assert told.after_ms == 3_600_000


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_bad_product_or_no_permission_is_a_refusal(status: int) -> None:
    body = b'{"error":"NOT_FOUND","message":"valid product_id is required"}'
    told = failure(status, body)
    assert isinstance(told, HistoryRefusal)
    assert "valid product_id" in told.detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"{}",
        b'{"candles":7}',
        b'{"candles":null}',
        b"\xff",
        b"[" * 50_000,
        b'{"candles":' + b"[" * 50_000,
        b'{"candles":[' + b",".join([b"7"] * 2_000) + b"]}",
        b" " * 2_000_000,
    ],
)
def test_what_is_no_page_of_candles_is_a_venue_out_of_order(body: bytes) -> None:
    assert isinstance(failure(200, body), HistoryDelay)


finite = st.floats(allow_nan=False, allow_infinity=False)
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | finite
    | st.text(max_size=9)
    | st.sampled_from(["nan", "1e400", str(FIRST)])
)


@given(
    st.lists(st.dictionaries(st.sampled_from(list(candle(0))), values, max_size=2), max_size=3),
    st.integers(100, 599),
    st.binary(max_size=99),
)
def test_no_answer_makes_it_raise(changes: list[Any], status: int, body: bytes) -> None:
    failure(status, body)
    got = page(request(2), *(candle(0, **each) for each in changes))
    assert all(isinstance(item, Bar | Rejection) for item in got.items)
