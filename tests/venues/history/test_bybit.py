"""Bybit's kline endpoint: what is asked, and what its answers mean."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.history.bybit import BybitHistory
from barsync_async.venues.history.exchange import (
    HistoryAnswer,
    HistoryDelay,
    HistoryPage,
    HistoryRefusal,
    HistoryRequest,
    HistoryResponse,
    Span,
)
from barsync_async.venues.options import PUBLIC, VenueOptions
from barsync_async.venues.outcomes import Rejection

FIRST = 1_670_601_600_000  # the first bar's opening
MINUTE = 60_000


def span(bars: int, source: str = "BTC/USDT_1m") -> Span:
    return Span(SourceId(source), WallMs(FIRST), WallMs(FIRST + bars * MINUTE))


def request(bars: int = 3, source: str = "BTC/USDT_1m") -> HistoryRequest:
    return BybitHistory().request(span(bars, source), PUBLIC)


def row(number: int, *, close: Any = "3.0") -> list[Any]:
    return [str(FIRST + number * MINUTE), "2.0", "4.0", "1.0", close, "5.5", "13.75"]


def body(*rows: Any, code: int = 0, text: str = "OK", symbol: str = "BTCUSDT") -> bytes:
    result = {"symbol": symbol, "category": "spot", "list": list(rows)}
    told = {"retCode": code, "retMsg": text, "result": result if code == 0 else {}}
    return json.dumps(told | {"retExtInfo": {}, "time": FIRST}).encode()


def answer(
    content: bytes, status: int = 200, bars: int = 3, headers: Mapping[str, str] = {}
) -> HistoryAnswer:
    return BybitHistory().receive(request(bars), HistoryResponse(status, headers, content))


def page(*rows: Any, bars: int = 3) -> HistoryPage:
    got = answer(body(*rows), bars=bars)
    assert isinstance(got, HistoryPage), got
    return got


def opens(got: HistoryPage) -> list[float]:
    ends = [item.timestamp for item in got.items if isinstance(item, Bar)]
    return [(end - FIRST) / MINUTE - 1 for end in ends]


def test_a_request_bounds_the_opening_times_both_inclusive() -> None:
    assert request() == HistoryRequest(
        "https://api.bybit.com/v5/market/kline",
        {
            "category": "spot",
            "symbol": "BTCUSDT",
            "interval": "1",
            "start": str(FIRST),
            "end": str(FIRST + 2 * MINUTE),
            "limit": "1000",
        },
        span(3),
    )


def test_a_span_between_two_grid_lines_is_asked_for_from_the_next_bar_on() -> None:
    odd = Span(SourceId("BTC/USDT_1m"), WallMs(FIRST + 1), WallMs(FIRST + 3 * MINUTE - 1))
    params = BybitHistory().request(odd, PUBLIC).params
    assert (params["start"], params["end"]) == (str(FIRST), str(FIRST + 2 * MINUTE - 1))


@pytest.mark.parametrize("category", ["spot", "linear", "inverse"])
def test_the_category_is_that_of_the_feeds_url(category: str) -> None:
    options = VenueOptions(
        url=f"wss://stream.bybit.com/v5/public/{category}", history_url="http://h:1/"
    )
    asked = BybitHistory().request(span(1), options)
    assert asked.params["category"] == category
    assert asked.url == "http://h:1/v5/market/kline"


@pytest.mark.parametrize(("timeframe", "interval"), [("1h", "60"), ("1d", "D"), ("1w", "W")])
def test_longer_timeframes_have_the_venues_names(timeframe: str, interval: str) -> None:
    assert request(3, f"BTC/USDT_{timeframe}").params["interval"] == interval


def test_rows_come_newest_first_and_bars_go_out_oldest_first() -> None:
    got = page(row(2), row(1), row(0))
    assert got.items == tuple(
        Bar("BTC/USDT", "1m", WallMs(FIRST + n * MINUTE), 2, 4, 1, 3, 5.5) for n in (1, 2, 3)
    )
    assert got.following is None


def test_the_kline_under_way_and_all_else_outside_the_span_are_left_out() -> None:
    assert opens(page(row(4), row(3), row(2), row(1), row(0), row(-1))) == [0, 1, 2]


def test_a_long_span_is_walked_through_forwards_a_thousand_bars_at_a_time() -> None:
    pages = []
    asked: HistoryRequest | None = request(2_500)
    while asked is not None:
        start, end = int(asked.params["start"]), int(asked.params["end"])
        pages.append(((start - FIRST) // MINUTE, (end - FIRST) // MINUTE))
        got = BybitHistory().receive(asked, HistoryResponse(200, {}, body()))
        assert isinstance(got, HistoryPage)
        asked = got.following
    assert pages == [(0, 999), (1_000, 1_999), (2_000, 2_499)]


def test_a_window_before_the_listing_has_no_rows_and_is_passed_through() -> None:
    got = page(bars=1_001)
    assert got.items == ()
    assert got.following is not None


def test_a_bar_without_trades_is_a_bar() -> None:
    (bar,) = page([str(FIRST), "3", "3", "3", "3", "0", "0"]).items
    assert isinstance(bar, Bar)
    assert bar.volume == 0.0


def test_a_null_price_is_a_rejection_beside_the_other_bars() -> None:
    got = page(row(2), row(1, close=None), row(1, close="9"), [], 7, row(0)[:5], row(0))
    assert [type(item) for item in got.items] == [Rejection] * 5 + [Bar] * 2


def test_a_row_off_the_grid_is_a_rejection() -> None:
    (item,) = page([str(FIRST + 1), "3", "3", "3", "3", "0", "0"]).items
    assert isinstance(item, Rejection)
    assert item.reason == "invalid"


@pytest.mark.parametrize("code", [10000, 10006, 10016, 10018, 10429])
def test_an_error_that_will_pass_comes_with_status_200_and_is_a_delay(code: int) -> None:
    got = answer(body(code=code, text="Too many visits!"))
    assert got == HistoryDelay(5_000, f"error {code}: Too many visits!")


@pytest.mark.parametrize(
    "text", ["Not supported symbols", "params error: symbol invalid", "Invalid period!"]
)
def test_an_error_that_will_not_pass_comes_with_status_200_and_is_a_refusal(text: str) -> None:
    assert answer(body(code=10001, text=text)) == HistoryRefusal(f"error 10001: {text}")


def test_another_symbols_klines_are_not_taken_for_ours() -> None:
    assert isinstance(answer(body(row(0), symbol="ETHUSDT")), HistoryDelay)


def test_too_frequent_access_is_a_ban_of_ten_minutes() -> None:
    got = answer(b"access too frequent", 403)
    assert isinstance(got, HistoryDelay)
    assert got.after_ms == 600_000


def test_statuses_are_heeded_too() -> None:
    assert isinstance(answer(b"", 429), HistoryDelay)
    assert isinstance(answer(b"", 418), HistoryDelay)
    assert isinstance(answer(b"x" * 9_999, 502), HistoryDelay)
    country = b"The Amazon CloudFront distribution is configured to block access from your country."
    assert isinstance(answer(country, 403), HistoryRefusal)
    told = answer(b"", 503, headers={"retry-after": "2"})
    assert isinstance(told, HistoryDelay)
    assert told.after_ms == 2_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"null",
        b"{}",
        b'{"retCode":null}',
        b'{"retCode":0,"result":7}',
        b'{"retCode":0,"result":{"list":7}}',
        b'{"retCode":' + b"9" * 5_000 + b"}",
        b"\xff",
        b"[" * 50_000,
        b'{"retCode":0,"result":' + b"[" * 50_000,
        body(*[7] * 2_000),
        b" " * 2_000_000,
    ],
)
def test_what_is_no_answer_is_a_venue_out_of_order(content: bytes) -> None:
    assert isinstance(answer(content), HistoryDelay)


def test_no_result_is_no_bars() -> None:
    assert answer(b'{"retCode":0,"result":null}') == HistoryPage(())


finite = st.floats(allow_nan=False, allow_infinity=False)
values = st.none() | st.booleans() | st.integers() | finite | st.text(max_size=9)


@given(
    st.lists(st.lists(values | st.just("nan"), max_size=9), max_size=3),
    st.integers(100, 599),
    st.binary(max_size=99),
)
def test_no_answer_makes_it_raise(rows: list[Any], status: int, content: bytes) -> None:
    answer(content, status)
    assert all(isinstance(item, Bar | Rejection) for item in page(*rows, row(1)).items)
