"""Coinbase Advanced Trade's candles, the server's side, with the venue's rules.

Nothing says that a candle is final: one that closes has a last update with its final values, and
one that is revised another. Without a trade there is no candle. One channel a message; every
subscription is answered with the list of them all. A product that does not exist fails the whole
message, without being named. Whatever a client sends, nothing raises.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from barsync_async.simulation.roles import Answer, HttpAnswer, Quote, Shelf, Violation
from barsync_async.simulation.venues.coinbase_candle import (
    LENGTH_S,
    answered_as,
    product_of,
    rest_candle,
    socket_candles,
    start_s,
)
from barsync_async.simulation.venues.wire import (
    NS_PER_S,
    Rate,
    moment_text,
    parsed_object,
    path_and_query,
)
from barsync_async.units import Instant, SourceId

MESSAGES_PER_SECOND = 8
SUBSCRIBE_WITHIN_S = 5
QUIET_S = 90
"""How long a connection without heartbeats lives without an update; the venue says 60 to 90 s."""
SNAPSHOT_BARS = 100
REST_BARS = 350
"""A request for as many, or more, is refused."""
REST_PER_SECOND = 10
TOKEN = "test"  # noqa: S105 - the simulated venue's; a real one is signed by the client
"""What the simulated venue takes for a signed token; it asks for none."""

_REST_PATH = "/api/v3/brokerage/market/products/"
_PUBLIC = ("candles", "heartbeats", "status", "ticker", "ticker_batch", "level2", "market_trades")
_PRODUCTS_AT_ONCE = 1_000

_encoder = msgspec.json.Encoder()


class CoinbaseProtocol:
    """Coinbase Advanced Trade."""

    name = "coinbase"

    def stream(self, source: str) -> str:
        """``BTC/USD_5m`` and ``BTC-USDC_5m`` -> ``candles BTC-USD``.

        Raises:
            ValueError: it is no pair, or not of five minutes.
        """
        return f"candles {product_of(source)}"

    def serve(self, sources: Sequence[SourceId], shelf: Shelf) -> "CoinbaseServer":
        """A server that sells ``sources``."""
        return CoinbaseServer({product_of(source): source for source in sources}, shelf)


class CoinbaseServer:
    """``sold`` are its products, each with our name for it."""

    def __init__(self, sold: Mapping[str, SourceId], shelf: Shelf) -> None:
        self.sold = sold
        self.shelf = shelf
        self._rest_rate = Rate(REST_PER_SECOND)

    def knows_path(self, path: str) -> bool:
        """``/``."""
        return path.partition("?")[0] in ("", "/")

    def accept(self, path: str, now: Instant) -> "CoinbaseLine":
        """A new client."""
        del path
        return CoinbaseLine(self, now.mono)

    def get(self, target: str, headers: Mapping[str, str], now: Instant) -> HttpAnswer | None:
        """``/api/v3/brokerage/market/products/BTC-USD/candles``."""
        del headers
        path, query = path_and_query(target)
        if not (path.startswith(_REST_PATH) and path.endswith("/candles")):
            return None
        if self._rest_rate.is_exceeded(now.mono):
            return _failure(429, "RESOURCE_EXHAUSTED", "too many requests", {"retry-after": "1"})
        product = unquote(path.removeprefix(_REST_PATH).removesuffix("/candles"))
        source = self.sold.get(answered_as(product))
        if source is None:
            return _failure(404, "NOT_FOUND", "valid product_id is required")
        return self._candles(source, query)

    def _candles(self, source: SourceId, query: Mapping[str, str]) -> HttpAnswer:
        """Newest first, the running one too."""
        start, end = _seconds(query.get("start")), _seconds(query.get("end"))
        if query.get("granularity") != "FIVE_MINUTE":
            return _failure(400, "INVALID_ARGUMENT", "granularity argument is invalid")
        if start is None or end is None or start > end:
            return _failure(400, "INVALID_ARGUMENT", "start and end argument is invalid")
        if (end - start) // LENGTH_S + 1 >= REST_BARS:
            told = f"number of candles requested should be less than {REST_BARS}"
            return _failure(400, "INVALID_ARGUMENT", f"start and end argument is invalid - {told} ")
        quotes = [each for each in self.newest_first(source) if start <= start_s(each) <= end]
        return HttpAnswer(200, _encoder.encode({"candles": list(map(rest_candle, quotes))}))

    def newest_first(self, source: SourceId) -> Sequence[Quote]:
        """All candles there are of ``source``, those without a trade left out."""
        running = self.shelf.running(source)
        quotes = [*self.shelf.closed(source), *(() if running is None else (running,))]
        return [quote for quote in reversed(quotes) if quote.candle.trades]


class CoinbaseLine:
    """One client's connection: its subscriptions, its rate, its numbering of messages."""

    def __init__(self, server: CoinbaseServer, opened_ns: int) -> None:
        self._server = server
        self._subscribed: dict[str, dict[str, None]] = {}
        self._rate = Rate(MESSAGES_PER_SECOND)
        self._numbered = self._beats = 0
        self._since_ns = opened_ns
        """When the last update or heartbeat went out; before a subscription, the opening."""

    def greet(self, now: Instant) -> Sequence[Answer]:
        """The venue waits for a subscription."""
        del now
        return ()

    def publish(self, quote: Quote, now: Instant) -> str | None:
        """An update; None without a subscription, and without a trade."""
        wanted = map(answered_as, self._subscribed.get("candles", ()))
        if not quote.candle.trades or product_of(quote.bar.source) not in wanted:
            return None
        if "heartbeats" not in self._subscribed:  # those come in any case
            self._since_ns = now.mono
        return self._candles("update", [quote], now)

    def next_at(self) -> int | None:
        """The next heartbeat, or the cut of a client that wants too little."""
        if not self._subscribed:
            return self._since_ns + SUBSCRIBE_WITHIN_S * NS_PER_S
        pause_s = 1 if "heartbeats" in self._subscribed else QUIET_S
        return self._since_ns + pause_s * NS_PER_S

    def advance(self, now: Instant) -> Sequence[Answer]:
        """A heartbeat a second for who wants it; no subscription and no update are a cut."""
        due = self.next_at()
        if due is None or now.mono < due:
            return ()
        if "heartbeats" not in self._subscribed:
            return (Violation("no updates" if self._subscribed else "no subscription"),)
        self._since_ns = now.mono
        self._beats += 1
        told = {
            "current_time": f"{moment_text(now.wall, 9)[:-1].replace('T', ' ')} +0000 UTC",
            "heartbeat_counter": str(self._beats),
        }
        return (self._message("heartbeats", told, now),)

    def farewell(self, now: Instant) -> Sequence[str]:
        """The venue says nothing."""
        del now
        return ()

    def receive(self, frame: str | bytes, now: Instant) -> Sequence[Answer]:
        """The answers to ``frame``, or the limit that it breaks."""
        if self._rate.is_exceeded(now.mono):
            return (_error("rate limit exceeded"), Violation("rate limit exceeded"))
        request = parsed_object(frame)
        if request is None:
            return (_error("failed to parse message"),)
        match request.get("type"):
            case "subscribe":
                return self._subscribe(request, now)
            case "unsubscribe":
                return self._unsubscribe(request, now)
        return (_error("type is invalid"),)

    def _subscribe(self, request: Mapping[str, Any], now: Instant) -> Sequence[Answer]:
        channel, products = request.get("channel"), _products(request)
        if channel not in _PUBLIC or request.get("jwt", TOKEN) != TOKEN:
            return (_error("authentication failure"),)
        if products is None:
            return (_error("product_ids is invalid"),)
        if any(answered_as(product) not in self._server.sold for product in products):
            return (_error("failure to subscribe"),)
        if channel == "heartbeats":
            products = ["heartbeats"]
        elif not products:
            products = list(self._server.sold)
        if not self._subscribed or channel == "heartbeats":
            self._since_ns = now.mono
        self._subscribed.setdefault(channel, {}).update(dict.fromkeys(products))
        return (self._list(now), *self._snapshots(channel, products, now))

    def _unsubscribe(self, request: Mapping[str, Any], now: Instant) -> Sequence[Answer]:
        channel, products = request.get("channel"), _products(request)
        if not isinstance(channel, str) or products is None:
            return (_error("failure to unsubscribe"),)
        kept = self._subscribed.pop(channel, {})
        rest = {each: None for each in kept if products and each not in products}
        if rest:
            self._subscribed[channel] = rest
        return (self._list(now),)

    def _list(self, now: Instant) -> str:
        every = {channel: list(products) for channel, products in self._subscribed.items()}
        return self._message("subscriptions", {"subscriptions": every}, now)

    def _snapshots(self, channel: str, products: Sequence[str], now: Instant) -> Sequence[str]:
        """The newest candles of each product, in one message for all of them."""
        if channel != "candles":
            return ()
        sold = self._server.sold
        quotes = [
            quote
            for product in products
            for quote in self._server.newest_first(sold[answered_as(product)])[:SNAPSHOT_BARS]
        ]
        return (self._candles("snapshot", quotes, now),) if quotes else ()

    def _candles(self, kind: str, quotes: Sequence[Quote], now: Instant) -> str:
        return self._message("candles", {"type": kind, "candles": socket_candles(quotes)}, now)

    def _message(self, channel: str, event: Mapping[str, Any], now: Instant) -> str:
        message = {
            "channel": channel,
            "client_id": "",
            "timestamp": moment_text(now.wall, 9),
            "sequence_num": self._numbered,
            "events": [event],
        }
        self._numbered += 1
        return _encoder.encode(message).decode()


def _products(request: Mapping[str, Any]) -> list[str] | None:
    products = request.get("product_ids", [])
    if not isinstance(products, list) or len(products) > _PRODUCTS_AT_ONCE:
        return None
    return products if all(isinstance(product, str) for product in products) else None


def _error(message: str) -> str:
    return _encoder.encode({"type": "error", "message": message}).decode()


def _failure(
    status: int, error: str, details: str, headers: Mapping[str, str] | None = None
) -> HttpAnswer:
    body = {"error": error, "error_details": details, "message": details}
    return HttpAnswer(status, _encoder.encode(body), headers or {})


def _seconds(text: str | None) -> int | None:
    """A number of up to 12 digits; None for anything else."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= len("253402300800")):
        return None
    return int(text)
