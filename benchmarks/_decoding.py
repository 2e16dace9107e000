"""One message of each codec for ``decode.py``, and the struct that a bare decoder would want.

A codec is found by its name; an entry whose codec is not there is left out.
"""

from typing import Annotated, Any, NamedTuple

import msgspec

from barsync_async.venues.json_format import JsonFormat, JsonMatch
from barsync_async.venues.options import Credentials, VenueOptions

KEYS = VenueOptions(credentials=Credentials("test", "test"))


class Entry(NamedTuple):
    """``closed`` is a message of one bar of ``source``, ``running`` the same of one under way,
    None where the venue does not say which is which; ``typed`` is what is read of it.
    """

    source: str
    closed: str
    running: str | None
    typed: Any
    options: VenueOptions = KEYS


class _Numbers(msgspec.Struct):
    open: float
    high: float
    low: float
    close: float
    volume: float


class _BinanceKline(msgspec.Struct):
    t: int
    T: int
    s: str
    i: str
    o: float
    h: float
    l: float  # noqa: E741 - the venue's name
    c: float
    v: float
    x: bool


class _BinanceEvent(msgspec.Struct):
    k: _BinanceKline


class _Binance(msgspec.Struct):
    stream: str
    data: _BinanceEvent


_BINANCE = (
    '{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1789117380188,"s":"BTCUSDT","k":{'
    '"t":1789117320000, "T":1789117379999, "s":"BTCUSDT", "i":"1m", "f":536672051, "L":536672234, '
    '"o":"77332.00", "c":"77334.00", "h":"77366.20", "l":"77324.20", "v":"4.6853", "n":184, '
    '"x":true, "q":"362436.804520", "V":"3.3291", "Q":"257559.731160", "B":"0"}}}'
)


class _HouseBar(_Numbers):
    symbol: str
    timeframe: str
    time: int
    final: bool


class _House(msgspec.Struct):
    type: str
    bars: list[_HouseBar]


_HOUSE = (
    '{"type":"bars","bars":[{"symbol":"BTC/USDT","timeframe":"1m","time":1789117320000,'
    '"open":77332.0,"high":77366.2,"low":77324.2,"close":77334.0,"volume":4.6853,"final":true}]}'
)
_HOUSE_OPTIONS = VenueOptions(
    url="ws://127.0.0.1:9001/bars",
    format=JsonFormat(
        only=JsonMatch("type", "bars"),
        bars="bars[]",
        time_unit="ms",
        time_label="open",
        final=JsonMatch("final", equals=True),
        symbol="symbol",
        timeframe="timeframe",
        time="time",
        open="open",
        high="high",
        low="low",
        close="close",
        volume="volume",
    ),
)


class _BybitKline(_Numbers):
    start: int
    end: int
    interval: str
    confirm: bool


class _Bybit(msgspec.Struct):
    topic: str
    data: list[_BybitKline]


_BYBIT = (
    '{"topic":"kline.5.BTCUSDT","data":[{"start":1672324800000,"end":1672325099999,'
    '"interval":"5","open":"16649.5","close":"16677","high":"16677","low":"16608",'
    '"volume":"2.081","turnover":"34666.4005","confirm":true,"timestamp":1672324988882}],'
    '"ts":1672324988882,"type":"snapshot"}'
)


class _OkxArg(msgspec.Struct):
    channel: str
    instId: str  # noqa: N815 - the venue's name


_OkxRow = tuple[int, float, float, float, float, float, str, str, str]


class _Okx(msgspec.Struct):
    arg: _OkxArg
    data: list[_OkxRow]


_OKX = (
    '{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1597026360000","8533.02",'
    '"8553.74","8527.17","8548.26","45247","529.5858061","5529.5858061","1"]]}'
)


class _CoinbaseCandle(_Numbers):
    start: int
    product_id: str


class _CoinbaseEvent(msgspec.Struct):
    type: str
    candles: list[_CoinbaseCandle]


class _Coinbase(msgspec.Struct):
    channel: str
    events: list[_CoinbaseEvent]


_COINBASE = (
    '{"channel":"candles","client_id":"","timestamp":"2026-04-07T14:30:05.000000Z",'
    '"sequence_num":3,"events":[{"type":"update","candles":[{"start":"1775521800",'
    '"high":"68950.00","low":"68850.00","open":"68900.00","close":"68920.50",'
    '"volume":"42.15000000","product_id":"BTC-USD"}]}]}'
)


class _KrakenCandle(_Numbers):
    symbol: str
    interval: int
    interval_begin: str


class _Kraken(msgspec.Struct):
    channel: str
    data: list[_KrakenCandle]


_KRAKEN = (
    '{"channel":"ohlc","type":"update","timestamp":"2026-09-10T17:35:52.114514810Z","data":[{'
    '"symbol":"BTC/USD","open":77499.9,"high":77509.2,"low":77467.5,"close":77509.2,"trades":15,'
    '"volume":0.58051276,"vwap":77482.2,"interval_begin":"2026-09-10T17:35:00.000000000Z",'
    '"interval":1,"timestamp":"2026-09-10T17:36:00.000000Z"}]}'
)


class _AlpacaBar(msgspec.Struct):
    T: str
    S: str
    o: float
    h: float
    l: float  # noqa: E741 - the venue's name
    c: float
    v: float
    t: str


_ALPACA = (
    '[{"T":"b","S":"SPY","o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,"n":461,'
    '"vw":389.062639,"t":"2021-02-22T19:15:00Z"}]'
)


class _PolygonBar(msgspec.Struct):
    ev: str
    sym: str
    o: float
    h: float
    l: float  # noqa: E741 - the venue's name
    c: float
    v: float
    s: int
    e: int


_POLYGON = (
    '[{"ev":"AM","sym":"MSFT","v":10204,"av":200304,"op":114.04,"vw":114.4040,"o":114.11,'
    '"c":114.14,"h":114.19,"l":114.09,"a":114.1314,"z":118,"s":1610144640000,"e":1610144700000}]'
)

_Few = msgspec.Meta(max_length=1_000)

ENTRIES = {
    "alpaca": Entry("SPY_1m", _ALPACA, None, Annotated[list[_AlpacaBar], _Few]),
    "alpaca_crypto": Entry(
        "BTC/USD_1m", _ALPACA.replace("SPY", "BTC/USD"), None, Annotated[list[_AlpacaBar], _Few]
    ),
    "binance": Entry("BTC/USDT_1m", _BINANCE, _BINANCE.replace("true", "false"), _Binance),
    "binance_futures": Entry("BTC/USDT_1m", _BINANCE, _BINANCE.replace("true", "false"), _Binance),
    "bybit": Entry("BTC/USDT_5m", _BYBIT, _BYBIT.replace("true", "false"), _Bybit),
    "coinbase": Entry("BTC-USD_5m", _COINBASE, None, _Coinbase),
    "json": Entry("BTC/USDT_1m", _HOUSE, _HOUSE.replace("true", "false"), _House, _HOUSE_OPTIONS),
    "kraken": Entry("BTC/USD_1m", _KRAKEN, None, _Kraken),
    "okx": Entry("BTC/USDT_1m", _OKX, _OKX.replace('"1"]', '"0"]'), _Okx),
    "polygon": Entry("MSFT_1m", _POLYGON, None, Annotated[list[_PolygonBar], _Few]),
}
"""By the codec's name."""
