"""Alpaca's bars as the venue writes them, and what its two markets have each of their own."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from barsync_async.simulation.roles import Deal, Quote
from barsync_async.simulation.venues.wire import moment_text, pair_of
from barsync_async.units import TIMEFRAMES

KEY = SECRET = "test"  # noqa: S105 - of the simulated venue, which knows nobody else

_OFFICIAL_EVERY, _CORRECTED_EVERY = 16, 48
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMMON = ("trades", "quotes", "bars", "updatedBars", "dailyBars")
_STOCK = re.compile(r"[A-Z][A-Z0-9.]{0,23}")
_PAIR = re.compile(r"[A-Z0-9]{1,24}/[A-Z0-9]{1,24}")


class AlpacaRules(msgspec.Struct, frozen=True, kw_only=True):
    """One market.

    Args:
        name: what a scenario calls it.
        paths: where its streams are.
        channels: what can be subscribed there.
        rest: the paths of its historical bars, and whether they ask who one is.
        symbol: the venue's form of a scenario's symbol.
        form: what a symbol looks like there.
        tells_empty_bars: bars are made of quotes too, so there is one without a trade.
    """

    name: str
    paths: tuple[str, ...]
    channels: tuple[str, ...]
    rest: tuple[str, ...]
    rest_is_public: bool
    symbol: Callable[[str], str]
    form: re.Pattern[str]
    tells_empty_bars: bool

    def is_symbol(self, name: str) -> bool:
        """Whether ``name`` could be one."""
        return self.form.fullmatch(name) is not None


def bar_fields(quote: Quote, rules: AlpacaRules) -> Mapping[str, float | int | str]:
    """The values of a bar: numbers, and the start of its minute; shares are whole."""
    bar = quote.bar
    average = (bar.open + bar.high + bar.low + bar.close) / 4
    return {
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": bar.volume if rules is CRYPTO_RULES else int(bar.volume),
        "n": quote.candle.trades,
        "vw": round(average, 6),
        "t": moment(opened(quote)),
    }


def trade_messages(symbol: str, deal: Deal, rules: AlpacaRules) -> Iterator[Mapping[str, Any]]:
    """A trade. Of stocks each of two exchanges numbers its own; ever so often one tells its
    official close, which is no trade, or corrects a trade's conditions.
    """
    at = f"{moment_text(deal.at_ms, 3)[:-1]}{deal.number % 1_000_000:06}Z"
    told = {"T": "t", "S": symbol, "i": deal.number, "p": deal.price, "s": deal.volume, "t": at}
    if rules is CRYPTO_RULES:
        yield told | {"tks": "B"}
        return
    number, exchange = divmod(deal.number, 2)
    yield told | {"i": number, "x": "VQ"[exchange], "c": ["@", "F"], "z": "C"}
    if not deal.number % _OFFICIAL_EVERY:
        close = {"p": 2 * deal.price, "s": 100 * deal.volume, "x": "Q", "c": ["@", "M"], "z": "C"}
        yield told | close
    if not (deal.number + 1) % _CORRECTED_EVERY:
        before = {"oi": number, "op": deal.price, "os": deal.volume, "oc": ["@"]}
        after = {"ci": number, "cp": deal.price, "cs": deal.volume, "cc": ["@", "F"]}
        yield {"T": "c", "S": symbol, "x": "VQ"[exchange], "z": "C", "t": at} | before | after


def opened(quote: Quote) -> int:
    """When the bar's interval began, in ms."""
    return quote.bar.timestamp - TIMEFRAMES[quote.bar.timeframe].length_ms


def moment(ms: int) -> str:
    """``2021-02-22T19:15:00Z``: no more digits of a second than there are to tell."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat().replace("+00:00", "Z")


def _pair(symbol: str) -> str:
    return "/".join(pair_of(symbol.upper()))


STOCK_RULES = AlpacaRules(
    name="alpaca",
    paths=("/v2/iex", "/v2/sip", "/v2/delayed_sip"),
    channels=(*_COMMON, "statuses", "lulds", "corrections", "cancelErrors"),
    rest=("/v2/stocks/bars",),
    rest_is_public=False,
    symbol=str.upper,
    form=_STOCK,
    tells_empty_bars=False,
)

CRYPTO_RULES = AlpacaRules(
    name="alpaca_crypto",
    paths=("/v1beta3/crypto/us", "/v1beta3/crypto/us-1", "/v1beta3/crypto/eu-1"),
    channels=(*_COMMON, "orderbooks"),
    rest=(
        "/v1beta3/crypto/us/bars",
        "/v1beta3/crypto/us-1/bars",
        "/v1beta3/crypto/eu-1/bars",
    ),
    rest_is_public=True,
    symbol=_pair,
    form=_PAIR,
    tells_empty_bars=True,
)
