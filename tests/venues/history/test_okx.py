"""OKX's candle endpoints: what is asked, and what their answers mean."""

import json
from collections.abc import Collection, Mapping
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
from barsync_async.venues.history.okx import OkxHistory
from barsync_async.venues.options import PUBLIC, VenueOptions
from barsync_async.venues.outcomes import Rejection

FIRST = 1_597_026_360_000  # the first bar's opening
MINUTE = 60_000


def span(bars: int, source: str = "BTC/USDT_1m") -> Span:
    return Span(SourceId(source), WallMs(FIRST), WallMs(FIRST + bars * MINUTE))


def request(bars: int = 3, source: str = "BTC/USDT_1m") -> HistoryRequest:
    return OkxHistory().request(span(bars, source), PUBLIC)


def row(number: int, *, close: Any = "3.0", confirm: Any = "1") -> list[Any]:
    opens = str(FIRST + number * MINUTE)
    return [opens, "2.0", "4.0", "1.0", close, "5.5", "13.75", "13.75", confirm]


def body(*rows: Any, code: str = "0", text: str = "") -> bytes:
    return json.dumps({"code": code, "msg": text, "data": list(rows)}).encode()


def answer(
    content: bytes, status: int = 200, bars: int = 3, headers: Mapping[str, str] = {}
) -> HistoryAnswer:
    return OkxHistory().receive(request(bars), HistoryResponse(status, headers, content))


def page(*rows: Any, bars: int = 3) -> HistoryPage:
    got = answer(body(*rows), bars=bars)
    assert isinstance(got, HistoryPage), got
    return got


def told(got: HistoryPage) -> list[int]:
    ends = [item.timestamp for item in got.items if isinstance(item, Bar)]
    return [(end - FIRST) // MINUTE - 1 for end in ends]


def window(asked: HistoryRequest) -> tuple[str, int, int]:
    """The endpoint, and the numbers of the first and the last bar asked for."""
    after, before = int(asked.params["after"]), int(asked.params["before"])
    last_name = asked.url.rpartition("/")[2]
    return last_name, (before + 1 - FIRST) // MINUTE, (after - 1 - FIRST) // MINUTE


def walk(bars: int, had: Mapping[str, Collection[int]]) -> tuple[list[Any], list[int]]:
    """All that is asked for ``bars``, and told, where each endpoint has these."""
    asked: HistoryRequest | None = request(bars)
    windows, numbers = [], []
    while asked is not None:
        name, first, last = window(asked)
        windows.append((name, first, last))
        rows = [row(n) for n in range(last, first - 1, -1) if n in had[name]]
        got = OkxHistory().receive(asked, HistoryResponse(200, {}, body(*rows)))
        assert isinstance(got, HistoryPage)
        numbers += told(got)
        asked = got.following
    return windows, numbers


def test_after_means_older_and_before_newer_both_exclusive() -> None:
    assert request() == HistoryRequest(
        "https://www.okx.com/api/v5/market/candles",
        {
            "instId": "BTC-USDT",
            "bar": "1m",
            "after": str(FIRST + 2 * MINUTE + 1),
            "before": str(FIRST - 1),
            "limit": "100",
        },
        span(3),
    )


@pytest.mark.parametrize(
    ("timeframe", "bar"), [("1m", "1m"), ("1h", "1H"), ("6h", "6Hutc"), ("1d", "1Dutc")]
)
def test_bars_are_case_sensitive_and_the_long_ones_are_those_of_utc(
    timeframe: str, bar: str
) -> None:
    assert request(3, f"BTC/USDT_{timeframe}").params["bar"] == bar


def test_the_endpoint_can_be_another() -> None:
    own = VenueOptions(history_url="http://127.0.0.1:9001/")
    url = OkxHistory().request(span(1), own).url
    assert url == "http://127.0.0.1:9001/api/v5/market/candles"


def test_rows_come_newest_first_and_bars_go_out_oldest_first() -> None:
    got = page(row(2), row(1), row(0))
    assert got.items == tuple(
        Bar("BTC/USDT", "1m", WallMs(FIRST + n * MINUTE), 2, 4, 1, 3, 5.5) for n in (1, 2, 3)
    )
    assert got.following is None


def test_the_candle_under_way_and_all_outside_the_span_are_left_out() -> None:
    assert told(page(row(3), row(2, confirm="0"), row(1), row(0), row(-1))) == [0, 1]


def test_what_was_just_missed_is_asked_of_the_newest_candles_page_by_page_forwards() -> None:
    windows, numbers = walk(250, {"candles": range(250)})
    assert windows == [("candles", 0, 99), ("candles", 100, 199), ("candles", 200, 249)]
    assert numbers == list(range(250))


def test_what_the_newest_candles_lack_is_asked_of_the_older_ones() -> None:
    windows, numbers = walk(250, {"candles": range(150, 250), "history-candles": range(250)})
    assert windows == [
        ("candles", 0, 99),
        ("history-candles", 0, 99),
        ("candles", 100, 199),
        ("history-candles", 100, 149),
        ("candles", 200, 249),
    ]
    assert sorted(numbers) == list(range(250))


def test_a_long_span_begins_with_the_older_candles_and_what_they_lack_is_newer() -> None:
    had = {"candles": range(1_000, 1_500), "history-candles": range(1_490)}
    windows, numbers = walk(1_500, had)
    assert [name for name, _, _ in windows] == ["history-candles"] * 15 + ["candles"]
    assert windows[-1] == ("candles", 1_490, 1_499)
    assert numbers == list(range(1_500))


def test_bars_that_neither_endpoint_has_are_asked_for_once_of_each() -> None:
    windows, numbers = walk(150, {"candles": range(120, 150), "history-candles": range(120, 150)})
    assert [name for name, _, _ in windows] == ["candles", "history-candles"] * 2
    assert numbers == list(range(120, 150))


def test_a_row_without_confirm_is_refused_for_nobody_knows_whether_it_is_final() -> None:
    got = page(row(1)[:8], row(0)[:7])
    assert [type(item) for item in got.items] == [Rejection] * 2


def test_a_bar_without_trades_is_a_bar() -> None:
    (bar,) = page([str(FIRST), "3", "3", "3", "3", "0", "0", "0", "1"]).items
    assert isinstance(bar, Bar)
    assert bar.volume == 0.0


def test_a_null_price_is_a_rejection_beside_the_other_bars() -> None:
    got = page(row(2), row(1, close=None), row(1, close="9"), [], 7, row(0))
    assert [type(item) for item in got.items] == [Rejection] * 4 + [Bar] * 2


@pytest.mark.parametrize("code", ["50001", "50011", "50013", "50026"])
def test_an_error_that_will_pass_is_a_delay(code: str) -> None:
    got = answer(body(code=code, text="Too Many Requests"))
    assert got == HistoryDelay(5_000, f"error {code}: Too Many Requests")


@pytest.mark.parametrize(
    ("code", "text"), [("51001", "Instrument ID does not exist"), ("51000", "Parameter bar error")]
)
def test_an_error_that_will_not_pass_comes_with_status_200_and_is_a_refusal(
    code: str, text: str
) -> None:
    assert answer(body(code=code, text=text)) == HistoryRefusal(f"error {code}: {text}")


def test_statuses_are_heeded_too() -> None:
    assert isinstance(answer(body(code="50011"), 429), HistoryDelay)
    assert isinstance(answer(b"", 418), HistoryDelay)
    assert isinstance(answer(b"x" * 9_999, 502), HistoryDelay)
    assert isinstance(answer(b"", 403), HistoryRefusal)
    got = answer(b"", 503, headers={"retry-after": "2"})
    assert isinstance(got, HistoryDelay)
    assert got.after_ms == 2_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"null",
        b"{}",
        b'{"code":0}',
        b'{"code":"0","data":7}',
        b'{"code":"0","data":{}}',
        b"\xff",
        b"[" * 50_000,
        b'{"code":"0","data":' + b"[" * 50_000,
        body(*[7] * 2_000),
        b" " * 2_000_000,
    ],
)
def test_what_is_no_answer_is_a_venue_out_of_order(content: bytes) -> None:
    assert isinstance(answer(content), HistoryDelay)


finite = st.floats(allow_nan=False, allow_infinity=False)
values = st.none() | st.booleans() | st.integers() | finite | st.text(max_size=9)


@given(
    st.lists(st.lists(values | st.just("nan"), max_size=10), max_size=3),
    st.integers(100, 599),
    st.binary(max_size=99),
)
def test_no_answer_makes_it_raise(rows: list[Any], status: int, content: bytes) -> None:
    answer(content, status)
    assert all(isinstance(item, Bar | Rejection) for item in page(*rows, row(1)).items)
