"""The REST endpoint's rules: parameters, pages, weights, bans."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.simulation.candle import Candle
from barsync_async.simulation.roles import HttpAnswer, Quote
from barsync_async.simulation.venues.binance import SPOT, BinanceProtocol, BinanceServer
from barsync_async.simulation.venues.binance_futures import USD_M_FUTURES
from barsync_async.units import Instant, MonoNs, SourceId, WallMs

MINUTE = 60_000
SOURCE = SourceId("BTC/USDT_1m")
RULES = {rules.rest.path: rules for rules in (SPOT, USD_M_FUTURES)}
EACH = pytest.mark.parametrize("path", RULES)


def quote(number: int, *, final: bool = True) -> Quote:
    candle = Candle(1.0, 3.0, 0.5, 2.0, 100, 4, 1)
    return Quote(candle.bar("BTC/USDT", "1m", WallMs((number + 1) * MINUTE)), candle, final)


class Shelf:
    """Two thousand minutes, and one under way."""

    def closed(self, source: SourceId) -> Sequence[Quote]:
        return [quote(number) for number in range(2_000)]

    def running(self, source: SourceId) -> Quote | None:
        return quote(2_000, final=False)


def server(path: str) -> BinanceServer:
    return BinanceProtocol(RULES[path]).serve([SOURCE], Shelf())


def ask(path: str, query: str, on: BinanceServer | None = None, wall: int = 0) -> HttpAnswer:
    now = Instant(MonoNs(0), WallMs(wall))
    answer = (on or server(path)).get(f"{path}?{query}", {}, now)
    assert answer is not None
    return answer


def rows(path: str, query: str) -> list[Any]:
    answer = ask(path, f"symbol=BTCUSDT&interval=1m&{query}")
    assert answer.status == 200
    found = json.loads(answer.body)
    assert isinstance(found, list)
    return found


@EACH
def test_a_row_has_the_twelve_fields_of_the_documentation(path: str) -> None:
    (row,) = rows(path, "startTime=60000&limit=1")
    assert row[:7] == [
        *(60_000, "1.00000000", "3.00000000", "0.50000000", "2.00000000"),
        *("100.00000000", 119_999),
    ]
    assert (len(row), row[8], row[11]) == (12, 4, "0")


@EACH
def test_without_a_start_the_newest_come_the_running_one_included(path: str) -> None:
    newest = rows(path, "")
    assert len(newest) == 500
    assert newest[-1][0] == 2_000 * MINUTE
    until = rows(path, f"endTime={10 * MINUTE}&limit=3")
    assert [row[0] // MINUTE for row in until] == [8, 9, 10]


@EACH
def test_with_a_start_the_oldest_come_both_bounds_included(path: str) -> None:
    found = rows(path, f"startTime={5 * MINUTE}&endTime={7 * MINUTE}")
    assert [row[0] // MINUTE for row in found] == [5, 6, 7]
    assert rows(path, f"startTime={7 * MINUTE}&endTime={5 * MINUTE}") == []


def test_spot_cuts_a_limit_that_is_too_large_and_futures_refuse_it() -> None:
    assert len(rows("/api/v3/klines", "limit=5000")) == 1_000
    answer = ask("/fapi/v1/klines", "symbol=BTCUSDT&interval=1m&limit=1501")
    assert (answer.status, json.loads(answer.body)["code"]) == (400, -1130)
    assert len(rows("/fapi/v1/klines", "limit=1500")) == 1_500


@EACH
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("interval=1m", -1102),
        ("symbol=&interval=1m", -1102),
        ("symbol=BTCUSDT", -1102),
        ("symbol=BTC/USDT&interval=1m", -1121),
        ("symbol=btcusdt&interval=1m", -1121),
        ("symbol=BTCUSDT&interval=1x", -1120),
        ("symbol=BTCUSDT&interval=1m&limit=0", -1130),
        ("symbol=BTCUSDT&interval=1m&limit=many", -1100),
        ("symbol=BTCUSDT&interval=1m&startTime=-1", -1100),
        ("symbol=BTCUSDT&interval=1m&endTime=1e9", -1100),
    ],
)
def test_a_wrong_request_has_the_venues_code(path: str, query: str, code: int) -> None:
    answer = ask(path, query)
    assert answer.status == 400
    assert json.loads(answer.body)["code"] == code


@EACH
def test_an_interval_that_is_not_sold_is_an_empty_page(path: str) -> None:
    assert json.loads(ask(path, "symbol=BTCUSDT&interval=5m").body) == []


@pytest.mark.parametrize(
    ("path", "limit", "weight"),
    [
        ("/api/v3/klines", 1, 2),
        ("/api/v3/klines", 1_000, 2),
        ("/fapi/v1/klines", 99, 1),
        ("/fapi/v1/klines", 100, 2),
        ("/fapi/v1/klines", 500, 5),
        ("/fapi/v1/klines", 1_000, 5),
        ("/fapi/v1/klines", 1_001, 10),
    ],
)
def test_a_request_weighs_what_the_documentation_says(path: str, limit: int, weight: int) -> None:
    answer = ask(path, f"symbol=BTCUSDT&interval=1m&limit={limit}")
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)


def test_a_minutes_weight_used_up_is_429_then_a_ban_and_then_forgiven() -> None:
    path, query = "/fapi/v1/klines", "symbol=NOPE&interval=1m&limit=1500"
    one = server(path)
    statuses = [ask(path, query, one, 10_000).status for _ in range(247)]
    assert statuses == [400] * 240 + [429] * 5 + [418] * 2
    limited = server(path)
    answers = [ask(path, query, limited, 10_500) for _ in range(241)]
    assert answers[-1].headers["Retry-After"] == "50"
    assert json.loads(answers[-1].body)["code"] == -1003
    assert ask(path, query, limited, MINUTE).status == 400
    banned = ask(path, query, one, MINUTE)
    assert (banned.status, banned.headers["Retry-After"]) == (418, "70")
    assert ask(path, query, one, 10_000 + 2 * MINUTE).status == 400


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_target_makes_it_raise(path: str, query: str) -> None:
    one = server("/api/v3/klines")
    for target in (path, f"/api/v3/klines?{query}", f"//[{path}"):
        one.get(target, {}, Instant(MonoNs(0), WallMs(0)))


def test_other_paths_are_nothing() -> None:
    one = server("/api/v3/klines")
    assert one.get("/fapi/v1/klines", {}, Instant(MonoNs(0), WallMs(0))) is None
    assert BinanceServer({}).get("/api/v3/klines", {}, Instant(MonoNs(0), WallMs(0))) is None
