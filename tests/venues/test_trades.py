"""Trades as the venues send them, of which bars are made here."""

import json
from typing import Any

import pytest

from barsync_async.messages import Alters, Trade
from barsync_async.units import SourceId, WallMs
from barsync_async.venues import CODECS
from barsync_async.venues.options import Credentials, VenueOptions
from barsync_async.venues.outcomes import Acknowledged, Received, Rejection, Reply, Traded

AT = WallMs(1_672_515_782_136)
OPTIONS = VenueOptions(url="ws://venue", credentials=Credentials("key", "secret"))

BINANCE = {"e": "trade", "E": AT + 3, "s": "BNBBTC", "t": 12345, "p": "0.001", "q": "100", "T": AT}
AGGREGATE = {"e": "aggTrade", "E": AT, "s": "BNBBTC", "a": 5933014, "p": "0.001", "q": "100"}
ALPACA = {"T": "t", "i": 96921, "S": "AAPL", "x": "D", "p": 126.55, "s": 1, "c": ["@", "I"]}
POLYGON = {"ev": "T", "sym": "MSFT", "x": 4, "i": "12345", "z": 3, "p": 114.125, "s": 100}

VOLUME = Alters(open_close=False, high_low=False)

TOLD: dict[str, tuple[str, Any, Trade]] = {
    "binance": ("BNB/BTC", BINANCE | {"m": True, "M": True}, Trade(0.001, 100.0, AT, 12345, 12345)),
    "binance_futures": (
        "BNB/BTC",
        AGGREGATE | {"f": 100, "l": 105, "T": AT, "m": True},
        Trade(0.001, 100.0, AT, 5933014, 5933014),
    ),
    "alpaca": (
        "AAPL",
        [ALPACA | {"t": "2022-12-31T19:43:02.136000123Z", "z": "C"}],
        Trade(126.55, 1.0, AT, "D 96921", 123, VOLUME),
    ),
    "polygon": (
        "MSFT",
        [POLYGON | {"c": [14, 37], "t": AT, "q": 3681328}],
        Trade(114.125, 100.0, AT, "4 None 12345", 3681328, VOLUME),
    ),
}


def session(venue: str, symbol: str) -> Any:
    return CODECS[venue].session([SourceId(f"{symbol}_trades")], OPTIONS)


@pytest.mark.parametrize("venue", TOLD)
def test_a_trade_keeps_its_price_size_moment_and_number(venue: str) -> None:
    symbol, message, trade = TOLD[venue]
    assert list(session(venue, symbol).receive(json.dumps(message))) == [Traded(symbol, trade)]


@pytest.mark.parametrize("venue", TOLD)
def test_trades_of_a_symbol_that_nobody_asked_for_are_rejected(venue: str) -> None:
    (item,) = session(venue, "OTHER").receive(json.dumps(TOLD[venue][1]))
    assert isinstance(item, Rejection)
    assert item.reason == "unknown_source"


@pytest.mark.parametrize("venue", TOLD)
@pytest.mark.parametrize("key", ["p", "q", "s", "t", "T", "i", "x", "ds", "trfi", "c", "z"])
@pytest.mark.parametrize("value", [None, "", "x", [], {}, -1e400, "9" * 400])
def test_a_trade_that_cannot_be_never_raises(venue: str, key: str, value: object) -> None:
    symbol, message, _ = TOLD[venue]
    spoilt = [message[0] | {key: value}] if isinstance(message, list) else message | {key: value}
    for item in session(venue, symbol).receive(json.dumps(spoilt)):
        assert isinstance(item, Traded | Rejection)


def trades(venue: str, symbol: str, *messages: dict[str, Any]) -> list[Trade]:
    items = session(venue, symbol).receive(json.dumps(messages))
    assert all(isinstance(item, Traded) for item in items)
    return [item.trade for item in items]


def told_apart(*each: Trade) -> int:
    return len({(trade.at_ms, trade.id) for trade in each})


def test_polygons_trades_are_told_apart_by_exchange_facility_and_id_not_by_the_days_number() -> (
    None
):
    one = POLYGON | {"t": AT, "q": 7}
    assert told_apart(*trades("polygon", "MSFT", one, one)) == 1
    others: list[dict[str, Any]] = [
        {"x": 11},
        {"trfi": 201},
        {"i": "12346"},
        {"t": AT + 86_400_000},
    ]
    assert told_apart(*trades("polygon", "MSFT", one, *(one | other for other in others))) == 5
    assert [each.number for each in trades("polygon", "MSFT", one, one | {"q": 9})] == [7, 9]


def test_a_polygon_trade_without_an_id_is_known_by_its_number() -> None:
    one = {key: value for key, value in POLYGON.items() if key != "i"} | {"t": AT, "q": 7}
    assert [each.id for each in trades("polygon", "MSFT", one, one | {"q": None})] == [7, None]


def test_polygons_fractions_of_a_share_count() -> None:
    one = POLYGON | {"t": AT, "s": 0, "ds": "0.25"}
    (trade, whole) = trades("polygon", "MSFT", one, POLYGON | {"t": AT, "ds": None})
    assert (trade.size, whole.size) == (0.25, 100.0)


def test_alpacas_stocks_are_told_apart_by_exchange_and_id() -> None:
    one = ALPACA | {"t": "2022-12-31T19:43:02.136Z"}
    assert told_apart(*trades("alpaca", "AAPL", one, one)) == 1
    assert told_apart(*trades("alpaca", "AAPL", one, one | {"x": "V"}, one | {"i": 9})) == 3
    assert [each.id for each in trades("alpaca", "AAPL", one | {"i": None})] == [None]


def test_a_letter_means_what_it_does_on_its_tape() -> None:
    one = ALPACA | {"t": "2022-12-31T19:43:02Z", "c": ["B"]}
    of = {tape: trades("alpaca", "AAPL", one | {"z": tape})[0].alters for tape in "ABCO"}
    assert of == {"A": VOLUME, "B": VOLUME, "C": Alters(), "O": Alters()}


@pytest.mark.parametrize("c", [None, []])
def test_a_trade_without_conditions_alters_all(c: list[str] | None) -> None:
    (stock,) = trades("alpaca", "AAPL", ALPACA | {"t": "2022-12-31T19:43:02Z", "c": c})
    (other,) = trades("polygon", "MSFT", POLYGON | {"t": AT, "c": c})
    assert (stock.alters, other.alters) == (Alters(), Alters())


def test_alpacas_crypto_has_no_exchange() -> None:
    one = {"T": "t", "S": "BTC/USD", "p": 1.0, "s": 0.5, "t": "2022-12-31T19:43:02Z", "i": 5}
    assert told_apart(*trades("alpaca_crypto", "BTC/USD", one, one, one | {"i": 6})) == 2


@pytest.mark.parametrize(
    ("fraction", "ns"),
    [("", 0), (".1", 0), (".136", 0), (".1361", 100_000), (".136000001", 1), (".1360000019", 1)],
)
def test_alpacas_trades_of_one_millisecond_go_by_their_nanoseconds(fraction: str, ns: int) -> None:
    (trade,) = trades("alpaca", "AAPL", ALPACA | {"t": f"2022-12-31T19:43:02{fraction}Z"})
    assert trade.number == ns


def test_binance_is_asked_for_its_stream_of_trades() -> None:
    (frame,) = session("binance", "BNB/BTC").opening_frames()
    assert json.loads(frame)["params"] == ["bnbbtc@trade"]
    (frame,) = session("binance_futures", "BNB/BTC").opening_frames()
    assert json.loads(frame)["params"] == ["bnbbtc@aggTrade"]


def replies(items: list[Received]) -> list[Any]:
    return [json.loads(item.text) for item in items if isinstance(item, Reply)]


def test_alpaca_is_asked_for_trades_and_confirms_them() -> None:
    sources = [SourceId("SPY_1m"), SourceId("SPY_trades")]
    line = CODECS["alpaca"].session(sources, OPTIONS)
    line.receive('[{"T":"success","msg":"connected"}]')
    asked = replies(list(line.receive('[{"T":"success","msg":"authenticated"}]')))
    assert asked == [
        {"action": "subscribe", "bars": ["SPY"], "updatedBars": ["SPY"], "trades": ["SPY"]}
    ]
    told = [{"T": "subscription", "bars": ["SPY"], "trades": ["SPY"]}]
    assert list(line.receive(json.dumps(told))) == [Acknowledged(tuple(sources))]
    assert list(line.unacknowledged()) == []


@pytest.mark.parametrize("kind", ["c", "x"])
def test_a_trade_that_is_corrected_or_cancelled_afterwards_is_told(kind: str) -> None:
    told = [{"T": kind, "S": "AAPL", "oi": 1, "op": 1.0, "t": "2022-12-31T19:43:02Z"}]
    (item,) = session("alpaca", "AAPL").receive(json.dumps(told))
    assert isinstance(item, Rejection)
    assert (item.reason, item.detail) == ("corrected_trade", "AAPL")


def test_polygon_is_asked_for_its_channel_of_trades() -> None:
    line = session("polygon", "MSFT")
    asked = replies(list(line.receive('[{"ev":"status","status":"auth_success"}]')))
    assert asked == [{"action": "subscribe", "params": "T.MSFT"}]
    told = [{"ev": "status", "status": "success", "message": "subscribed to: T.MSFT"}]
    assert list(line.receive(json.dumps(told))) == [Acknowledged((SourceId("MSFT_trades"),))]
