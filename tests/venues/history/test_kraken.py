"""Kraken's OHLC endpoint: what is asked, and what its answers mean."""

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
from barsync_async.venues.history.kraken import KrakenHistory
from barsync_async.venues.options import PUBLIC, VenueOptions
from barsync_async.venues.outcomes import Rejection

FIRST = 1_696_436_700  # the first bar's opening, in seconds


def span(bars: int, source: str = "BTC/USD_1m") -> Span:
    after = FIRST * 1_000
    return Span(SourceId(source), WallMs(after), WallMs(after + bars * 60_000))


def request(bars: int = 3, source: str = "BTC/USD_1m") -> HistoryRequest:
    return KrakenHistory().request(span(bars, source), PUBLIC)


def row(number: int, *, close: Any = "3.0") -> list[Any]:
    return [FIRST + number * 60, "2.0", "4.0", "1.0", close, "2.5", "5.5", 12]


def body(*rows: Any, pair: str = "XXBTZUSD", errors: list[str] | None = None) -> bytes:
    result = {pair: list(rows), "last": FIRST}
    return json.dumps({"error": errors or [], "result": result}).encode()


def answer(content: bytes, status: int = 200, bars: int = 3) -> HistoryAnswer:
    return KrakenHistory().receive(request(bars), HistoryResponse(status, {}, content))


def page(*rows: Any, pair: str = "XXBTZUSD", bars: int = 3) -> HistoryPage:
    got = answer(body(*rows, pair=pair), bars=bars)
    assert isinstance(got, HistoryPage), got
    return got


def test_a_request_names_the_pair_as_the_endpoint_does_and_begins_a_bar_early() -> None:
    assert request() == HistoryRequest(
        "https://api.kraken.com/0/public/OHLC",
        {"pair": "XBTUSD", "interval": "1", "since": str(FIRST - 60)},
        span(3),
    )


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTC-USD", "XBTUSD"),
        ("xbtusd", "XBTUSD"),
        ("DOGE/EUR", "XDGEUR"),
        ("ETHBTC", "ETHXBT"),
        ("SOL/USD", "SOLUSD"),
        ("AAPLx/USD", "AAPLxUSD"),
    ],
)
def test_assets_have_other_names_here_than_on_the_socket(symbol: str, pair: str) -> None:
    assert request(3, f"{symbol}_1m").params["pair"] == pair


def test_longer_timeframes_are_asked_for_in_minutes() -> None:
    assert request(3, "BTC/USD_4h").params["interval"] == "240"


def test_the_endpoint_can_be_another() -> None:
    own = VenueOptions(history_url="http://127.0.0.1:9001/")
    assert KrakenHistory().request(span(1), own).url == "http://127.0.0.1:9001/0/public/OHLC"


@pytest.mark.parametrize("pair", ["XXBTZUSD", "XBTUSD", "BTC/USD"])
def test_the_bars_are_found_under_whatever_name_the_pair_has_and_the_last_is_running(
    pair: str,
) -> None:
    got = page(row(0), row(1), row(2), pair=pair)
    assert got.items == tuple(
        Bar("BTC/USD", "1m", WallMs((FIRST + n * 60) * 1_000), 2, 4, 1, 3, 5.5) for n in (1, 2)
    )
    assert got.following is None


def test_what_lies_outside_the_span_is_left_out() -> None:
    got = page(row(-1), row(0), row(1), row(2), row(3), row(4), bars=3)
    assert [item.timestamp for item in got.items if isinstance(item, Bar)] == [
        (FIRST + n * 60) * 1_000 for n in (1, 2, 3)
    ]


def test_older_bars_than_the_720_newest_cannot_be_had_and_are_not_asked_for_again() -> None:
    got = page(*(row(n) for n in range(1_000, 1_720)), bars=1_800)
    assert len(got.items) == 719
    assert got.following is None


def test_a_bar_without_trades_is_a_bar() -> None:
    got = page([FIRST, "3.0", "3.0", "3.0", "3.0", "0.0", "0.00000000", 0], row(1))
    (bar,) = got.items
    assert isinstance(bar, Bar)
    assert bar.volume == 0.0


def test_a_null_price_is_a_rejection_beside_the_other_bars() -> None:
    got = page(row(0, close=None), row(1), row(2, close="9"), [], 7, row(4), row(5))
    assert [type(item) for item in got.items] == [Rejection] * 4 + [Bar]


@pytest.mark.parametrize("content", [body(), b'{"error":[],"result":{"last":1}}', b'{"error":[]}'])
def test_no_bars_are_an_empty_page(content: bytes) -> None:
    assert answer(content) == HistoryPage(())


@pytest.mark.parametrize(
    "error",
    [
        "EAPI:Rate limit exceeded",
        "EGeneral:Too many requests",
        "EService:Unavailable",
        "EService:Busy",
        "EGeneral:Temporary lockout",
        "EGeneral:Internal error",
    ],
)
def test_an_error_that_will_pass_comes_with_status_200_and_is_a_delay(error: str) -> None:
    assert answer(json.dumps({"error": [error]}).encode()) == HistoryDelay(5_000, error)


@pytest.mark.parametrize(
    "error",
    ["EQuery:Unknown asset pair", "EGeneral:Invalid arguments", "EGeneral:Permission denied"],
)
def test_an_error_that_will_not_pass_comes_with_status_200_and_is_a_refusal(error: str) -> None:
    assert answer(json.dumps({"error": [error]}).encode()) == HistoryRefusal(error)


def test_statuses_are_heeded_too() -> None:
    assert isinstance(answer(b"", 429), HistoryDelay)
    assert isinstance(answer(b"", 520), HistoryDelay)
    assert isinstance(answer(b"", 403), HistoryRefusal)
    told = KrakenHistory().receive(request(), HistoryResponse(503, {"retry-after": "2"}, b""))
    assert isinstance(told, HistoryDelay)
    assert told.after_ms == 2_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"null",
        b'{"result":7}',
        b'{"result":{"XXBTZUSD":7}}',
        b'{"error":"text"}',
        b"\xff",
        b"[" * 50_000,
        b'{"result":{"XXBTZUSD":' + b"[" * 50_000,
        body(*[7] * 2_000),
        b" " * 2_000_000,
    ],
)
def test_what_is_no_answer_is_a_venue_out_of_order(content: bytes) -> None:
    assert isinstance(answer(content), HistoryDelay)


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
