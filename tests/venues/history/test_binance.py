"""Binance's REST klines: pages, the running kline, errors, and what should never come."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.messages import Bar
from barsync_async.simulation.scenario import parse_scenario
from barsync_async.simulation.venue import SimulatedVenue
from barsync_async.units import Instant, MonoNs, SourceId, WallMs
from barsync_async.venues import binance
from barsync_async.venues.binance_futures import USD_M_FUTURES
from barsync_async.venues.history.binance import BinanceHistory
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

MINUTE = 60_000
START = 1_672_515_780_000
SPOT, FUTURES = binance.SPOT.history, USD_M_FUTURES.history
BY_NAME = {"binance": SPOT, "binance_futures": FUTURES}
BOTH = pytest.mark.parametrize("history", [SPOT, FUTURES], ids=["spot", "futures"])


def span(bars: int, source: str = "BTC/USDT_1m", length: int = MINUTE) -> Span:
    return Span(SourceId(source), WallMs(START), WallMs(START + bars * length))


def row(number: int, **changes: Any) -> list[Any]:
    opens = START + number * MINUTE
    values = {"t": opens, "o": "1.5", "h": "2.5", "l": "0.5", "c": "2.0", "v": "7"}
    values |= {"T": opens + MINUTE - 1} | changes
    return [*(values[key] for key in "tohlcvT"), "14.0", 3, "3", "6.0", "0"]


def response(content: Any, status: int = 200, headers: Mapping[str, str] = {}) -> HistoryResponse:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return HistoryResponse(status, headers, body)


def received(content: Any, history: BinanceHistory = SPOT, bars: int = 3) -> HistoryPage:
    answer = history.receive(history.request(span(bars), PUBLIC), response(content))
    assert isinstance(answer, HistoryPage), answer
    return answer


@pytest.mark.parametrize(
    ("history", "url"),
    [
        (SPOT, "https://data-api.binance.vision/api/v3/klines"),
        (FUTURES, "https://fapi.binance.com/fapi/v1/klines"),
    ],
)
def test_the_first_request_bounds_the_open_times_on_both_sides(
    history: BinanceHistory, url: str
) -> None:
    request = history.request(span(3), PUBLIC)
    assert request.url == url
    assert request.params["symbol"] == "BTCUSDT"
    assert request.params["interval"] == "1m"
    assert START - MINUTE < int(request.params["startTime"]) <= START
    assert request.params["endTime"] == str(START + 2 * MINUTE)
    assert request.params["limit"] == "3"


def test_a_server_of_ones_own_is_asked_at_its_own_address() -> None:
    options = VenueOptions(history_url="http://127.0.0.1:9001/")
    assert SPOT.request(span(3), options).url == "http://127.0.0.1:9001/api/v3/klines"


@pytest.mark.parametrize(("history", "most"), [(SPOT, "1000"), (FUTURES, "1500")])
def test_no_page_is_asked_to_be_longer_than_the_venue_gives(
    history: BinanceHistory, most: str
) -> None:
    assert history.request(span(5_000), PUBLIC).params["limit"] == most


def test_a_row_is_a_bar_labelled_with_its_close_time() -> None:
    page = received([row(0), row(1), row(2)])
    assert page.items[0] == Bar("BTC/USDT", "1m", WallMs(START + MINUTE), 1.5, 2.5, 0.5, 2.0, 7.0)
    assert len(page.items) == 3


def test_the_running_kline_and_all_that_is_outside_the_span_are_dropped() -> None:
    page = received([row(-1), row(0), row(1), row(2), row(3)])
    assert [bar.timestamp for bar in page.items if isinstance(bar, Bar)] == [
        START + number * MINUTE for number in (1, 2, 3)
    ]


def test_a_full_page_is_followed_by_the_request_for_what_comes_after_its_last_row() -> None:
    first = FUTURES.request(span(2_000), PUBLIC)
    answer = FUTURES.receive(first, response([row(number) for number in range(1_500)]))
    assert isinstance(answer, HistoryPage)
    assert answer.following is not None
    assert int(answer.following.params["startTime"]) == START + 1_499 * MINUTE + 1
    assert answer.following.params["limit"] == "500"
    assert answer.following.span == first.span


def test_a_short_page_is_the_last() -> None:
    assert received([row(0)]).following is None
    assert received([]) == HistoryPage(())


def test_a_page_that_does_not_get_on_is_the_last() -> None:
    assert received([row(-3), row(-2), row(-1)]).following is None


def test_an_empty_bar_is_a_bar() -> None:
    (bar,) = received([row(0, o="2", h="2", l="2", c="2", v="0")]).items
    assert isinstance(bar, Bar)
    assert bar.volume == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"o": None}, "malformed"),
        ({"c": "nan"}, "invalid"),
        ({"h": "0.1"}, "invalid"),
        ({"v": "-1"}, "invalid"),
        ({"t": "soon"}, "malformed"),
        ({"T": START}, "invalid"),
        ({"o": "1" * 4_000}, "malformed"),
    ],
)
def test_a_wrong_row_is_rejected_and_the_others_are_taken(
    changes: dict[str, Any], reason: str
) -> None:
    items = received([row(0), row(1, **changes), row(2)]).items
    wrong = [item for item in items if isinstance(item, Rejection)]
    assert [item.reason for item in wrong] == [reason]
    assert all(len(item.detail) <= 512 for item in wrong)
    assert len(items) == 3


@BOTH
@pytest.mark.parametrize(
    ("status", "code", "wait_ms"),
    [(429, -1003, 7_000), (418, -1003, 7_000), (503, 0, 7_000), (400, -1003, 7_000)],
)
def test_too_many_requests_and_a_venue_out_of_order_are_waited_for_as_long_as_it_says(
    history: BinanceHistory, status: int, code: int, wait_ms: int
) -> None:
    told = response({"code": code, "msg": "later"}, status, {"retry-after": "7"})
    answer = history.receive(history.request(span(1), PUBLIC), told)
    assert isinstance(answer, HistoryDelay)
    assert answer.after_ms == wait_ms
    assert "later" in answer.detail


@pytest.mark.parametrize(
    ("status", "least_ms"),
    [(429, 60_000), (418, 120_000), (403, 60_000), (500, 1_000), (504, 1_000), (302, 1_000)],
)
@pytest.mark.parametrize("header", ["", "soon", "-1", "1e9", "٣", "9" * 50])
def test_without_a_usable_retry_after_the_wait_is_a_cautious_one(
    status: int, least_ms: int, header: str
) -> None:
    headers = {"retry-after": header}
    answer = SPOT.receive(SPOT.request(span(1), PUBLIC), response(b"<html>", status, headers))
    assert isinstance(answer, HistoryDelay)
    assert least_ms <= answer.after_ms <= 3 * 86_400_000


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (400, {"code": -1121, "msg": "Invalid symbol."}),
        (400, {"code": -1120, "msg": "Invalid interval."}),
        (401, {"code": -2015, "msg": "Invalid API-key"}),
        (451, b"restricted location"),
    ],
)
def test_what_asking_again_cannot_mend_is_a_refusal(status: int, content: Any) -> None:
    answer = SPOT.receive(SPOT.request(span(1), PUBLIC), response(content, status))
    assert isinstance(answer, HistoryRefusal)
    assert str(status) in answer.detail


HOSTILE = [
    b"",
    b"null",
    b"{}",
    b"[[[[",
    b"[" * 50_000,
    b"[" * 200_000 + b"]" * 100_000,
    b"\xff\xfe",
    b'["' + b"\xed\xa0\x80" + b'"]',
    b"[" + b"9" * 5_000 + b"]",
    b"[" + b"1," * 100_000 + b"1]",
    b"[" + b"[]," * 100_000 + b"[]]",
    b" " * 2_000_000,
    b'{"code":' + b"9" * 5_000 + b"}",
    b'{"code":null,"msg":7}',
]


@BOTH
@pytest.mark.parametrize("status", [200, 400, 429, 500, -1, 999])
@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_no_body_makes_it_raise(history: BinanceHistory, status: int, body: bytes) -> None:
    answer = history.receive(history.request(span(3), PUBLIC), response(body, status))
    if isinstance(answer, HistoryDelay | HistoryRefusal):
        assert len(answer.detail) <= 512


any_value = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)


@given(
    st.lists(st.lists(any_value, max_size=13) | any_value | st.just(row(1)), max_size=5),
    st.sampled_from([SPOT, FUTURES]),
)
def test_any_rows_give_sound_bars_in_order_or_none(rows: list[Any], history: Any) -> None:
    answer: HistoryAnswer = history.receive(history.request(span(3), PUBLIC), response(rows))
    for item in answer.items if isinstance(answer, HistoryPage) else ():
        assert isinstance(item, Rejection) or START < item.timestamp <= START + 3 * MINUTE


def open_venue(protocol: str, seconds: int) -> tuple[SimulatedVenue, int, int]:
    """A venue that has closed bars of a second, one a millisecond, until its end."""
    venue = {"protocol": protocol, "pace_ms": 1, "start": 1_000_000, "duration_s": seconds / 1_000}
    document = {"venue": venue, "sources": {"BTC/USDT_1s": {}, "ETH/USDT_1s": {}}}
    opened = SimulatedVenue(
        parse_scenario(document, "x"), Instant(MonoNs(0), WallMs(1_767_364_200_000))
    )
    now = seconds * 1_000_000
    opened.advance(now - 1)
    return opened, now - 1, 1_000_000


def fetch(venue: SimulatedVenue, request: HistoryRequest, now: int) -> HistoryResponse:
    target = f"{urlsplit(request.url).path}?{urlencode(request.params)}"
    answer = venue.get(target, request.headers, now)
    assert answer is not None
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return HistoryResponse(answer.status, headers, answer.body)


@pytest.mark.parametrize(
    ("protocol", "pages"), [("binance", 1), ("binance_futures", 1), ("small", 6)]
)
def test_the_venues_pages_together_are_the_bars_of_its_shelf(protocol: str, pages: int) -> None:
    history = BY_NAME.get(protocol, SPOT)
    if protocol == "small":
        history = BinanceHistory(
            endpoint="https://h", path="/api/v3/klines", most=150, interval_ms=1
        )
        protocol = "binance"
    venue, now, first = open_venue(protocol, 900)
    source = SourceId("BTC/USDT_1s")
    after, until = WallMs(first + 20_000), WallMs(first + 880_000)
    request: HistoryRequest | None = history.request(Span(source, after, until), PUBLIC)
    found: list[Bar | Rejection] = []
    asked = 0
    while request is not None:
        answer = history.receive(request, fetch(venue, request, now))
        assert isinstance(answer, HistoryPage)
        found += answer.items
        request = answer.following
        asked += 1
    shelf = [quote.bar for quote in venue.closed(source)]
    assert found == [bar for bar in shelf if after < bar.timestamp <= until]
    assert len(found) == 860
    assert asked == pages


@pytest.mark.parametrize("protocol", ["binance", "binance_futures"])
def test_an_unknown_symbol_is_the_venues_refusal(protocol: str) -> None:
    venue, now, _ = open_venue(protocol, 10)
    history = BY_NAME[protocol]
    request = history.request(span(3, "NOPE_1s", 1_000), PUBLIC)
    answer = history.receive(request, fetch(venue, request, now))
    assert isinstance(answer, HistoryRefusal)
    assert "-1121: Invalid symbol." in answer.detail
