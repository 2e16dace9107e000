"""What the venues' servers have in common on the wire: moments, numbers, requests, rates."""

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from barsync_async.units import MAX_WALL_MS

NS_PER_S = 1_000_000_000

NO_JSON = (msgspec.DecodeError, RecursionError, UnicodeError)
"""What decoding raises: no JSON, of another form, nested too deep, or of no text."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUOTES = ("USDT", "USDC", "USD", "EUR", "GBP", "BTC", "XBT", "ETH")
_decoder = msgspec.json.Decoder()


def moment_text(ms: int, digits: int = 6) -> str:
    """``ms`` as RFC 3339 with ``digits`` of a second's fraction, 3 to 9 of them."""
    moment = _EPOCH + timedelta(milliseconds=min(ms, MAX_WALL_MS - 1))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1_000:03}{'0' * (digits - 3)}Z"


def decimal_text(value: float) -> str:
    """``value`` as a decimal number of eight places."""
    return f"{value:.8f}"


def parsed_object(frame: str | bytes) -> Mapping[str, Any] | None:
    """The JSON object in the text ``frame``; None where there is none."""
    if isinstance(frame, bytes):
        return None
    try:
        request = _decoder.decode(frame)
    except NO_JSON:
        return None
    return request if isinstance(request, dict) else None


def path_and_query(target: str) -> tuple[str, Mapping[str, str]]:
    """A request's target, each parameter with its last value."""
    try:
        parts = urlsplit(target)
        return parts.path, {name: each[-1] for name, each in parse_qs(parts.query).items()}
    except ValueError:
        return "", {}


def pair_of(symbol: str) -> tuple[str, str]:
    """``BTC-USD``, ``BTC/USD`` and ``btcusd`` -> ``("BTC", "USD")``.

    Raises:
        ValueError: no two currencies can be told.
    """
    text = symbol.upper() if symbol.islower() else symbol
    base, found, quote = text.replace("-", "/").partition("/")
    if not found:
        quote = next((each for each in _QUOTES if text.endswith(each)), "")
        base = text.removesuffix(quote)
    if not base or not quote:
        raise ValueError(f"{symbol!r} is no pair of currencies like BTC/USD")
    return base, quote


class Rate:
    """At most ``most`` events in any second."""

    def __init__(self, most: int) -> None:
        self._recent: deque[int] = deque(maxlen=most)

    def is_exceeded(self, now_ns: int) -> bool:
        """Whether the event of ``now_ns``, which is counted, is one too many."""
        full = len(self._recent) == self._recent.maxlen
        exceeded = full and now_ns - self._recent[0] < NS_PER_S
        self._recent.append(now_ns)
        return exceeded
