"""Kraken's spot ``ohlc`` channel (API v2), the server's side, with the venue's rules.

Nothing says that a bar is final: one that closes has a last update with its final values, and one
that is revised another. Without a trade there is no update, so a silent interval is absent. Each
symbol of a request is answered on its own, a good one's snapshot behind its acknowledgement; a bad
one is an error and then silence, while heartbeats go on. Whatever a client sends, nothing raises.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from barsync_async.messages import excerpt
from barsync_async.simulation.roles import Answer, HttpAnswer, Quote, Shelf, Violation
from barsync_async.simulation.venues.kraken_ohlc import (
    INTERVALS,
    ohlc_text,
    rest_key,
    rest_names,
    rest_row,
    stream_of,
)
from barsync_async.simulation.venues.wire import (
    NS_PER_S,
    Rate,
    moment_text,
    parsed_object,
    path_and_query,
)
from barsync_async.units import Instant, SourceId

MESSAGES_PER_SECOND = 15  # the venue publishes no figure: this many at once were seen to be taken
MOST_IGNORED = 50  # so many messages beyond the rate, and the connection is cut
SNAPSHOT_BARS = 10
REST_BARS = 720
REST_PER_SECOND = 5
_SYMBOLS_AT_ONCE = 1_000
_INT64 = range(-(2**63), 2**63)

_encoder = msgspec.json.Encoder()

Stream = tuple[str, int]
"""A symbol and an interval in minutes."""


class KrakenProtocol:
    """Kraken spot."""

    name = "kraken"

    def stream(self, source: str) -> str:
        """``BTCUSD_1m`` -> ``ohlc-1 BTC/USD``.

        Raises:
            ValueError: it is no pair, or of no interval of the venue's.
        """
        symbol, interval = stream_of(source)
        return f"ohlc-{interval} {symbol}"

    def serve(self, sources: Sequence[SourceId], shelf: Shelf) -> "KrakenServer":
        """A server that sells ``sources``."""
        return KrakenServer({stream_of(source): source for source in sources}, shelf)


class KrakenServer:
    """``sold`` are its streams, each with our name for it."""

    def __init__(self, sold: Mapping[Stream, SourceId], shelf: Shelf) -> None:
        self.sold = sold
        self.symbols = {symbol for symbol, _ in sold}
        self.shelf = shelf
        self._lines = 0
        self._rest_names = {name: each for each in self.symbols for name in rest_names(each)}
        self._rest_rate = Rate(REST_PER_SECOND)

    def knows_path(self, path: str) -> bool:
        """``/v2``."""
        return path.partition("?")[0].rstrip("/") == "/v2"

    def accept(self, path: str, now: Instant) -> "KrakenLine":
        """A new client."""
        del path, now
        self._lines += 1
        return KrakenLine(self, 12_834_714_270_000_000_000 + self._lines)

    def get(self, target: str, headers: Mapping[str, str], now: Instant) -> HttpAnswer | None:
        """``/0/public/OHLC``: errors come with status 200."""
        del headers
        path, query = path_and_query(target)
        if path.rstrip("/") != "/0/public/OHLC":
            return None
        body = self._ohlc(query, now)
        return HttpAnswer(200, _encoder.encode(body))

    def _ohlc(self, query: Mapping[str, str], now: Instant) -> Mapping[str, Any]:
        if self._rest_rate.is_exceeded(now.mono):
            return {"error": ["EGeneral:Too many requests"]}
        interval, since = _whole(query.get("interval", "1")), _whole(query.get("since", "0"))
        if interval not in INTERVALS or since is None:
            return {"error": ["EGeneral:Invalid arguments"]}
        symbol = self._rest_names.get(query.get("pair", ""))
        if symbol is None:
            return {"error": ["EQuery:Unknown asset pair"]}
        rows = self._rows((symbol, interval), since)
        last = rows[-2][0] if len(rows) > 1 else since
        return {"error": [], "result": {rest_key(symbol): rows, "last": last}}

    def _rows(self, stream: Stream, since: int) -> list[Sequence[Any]]:
        """The newest bars, whatever ``since`` says; the one under way, always."""
        source = self.sold.get(stream)
        if source is None:
            return []
        rows = [rest_row(quote) for quote in self.shelf.closed(source)]
        running = self.shelf.running(source)
        if running is not None:
            return [row for row in rows[1 - REST_BARS :] if row[0] > since] + [rest_row(running)]
        if rows:
            rows.append(_flat_after(rows[-1], stream[1]))
        return [row for row in rows[-REST_BARS:-1] if row[0] > since] + rows[-1:]


class KrakenLine:
    """One client's connection: its subscriptions, its rate, when it last heard from us."""

    def __init__(self, server: KrakenServer, number: int) -> None:
        self._server = server
        self._number = number
        self._intervals: dict[str, int] = {}
        self._rate = Rate(MESSAGES_PER_SECOND)
        self._ignored = 0
        self._sent_ns: int | None = None

    def greet(self, now: Instant) -> Sequence[Answer]:
        """The state of the trading engine."""
        del now
        state = {
            "version": "2.0.10",
            "system": "online",
            "api_version": "v2",
            "connection_id": self._number,
        }
        return (_text({"channel": "status", "type": "update", "data": [state]}),)

    def publish(self, quote: Quote, now: Instant) -> str | None:
        """An update; None without a subscription, and without a trade."""
        symbol, interval = stream_of(quote.bar.source)
        if self._intervals.get(symbol) != interval or not quote.candle.trades:
            return None
        self._sent_ns = now.mono
        return ohlc_text("update", [quote], now.wall)

    def next_at(self) -> int | None:
        """The next heartbeat; never before the first subscription."""
        return None if self._sent_ns is None else self._sent_ns + NS_PER_S

    def advance(self, now: Instant) -> Sequence[Answer]:
        """A heartbeat after a second without anything else."""
        due = self.next_at()
        if due is None or now.mono < due:
            return ()
        self._sent_ns = now.mono
        return ('{"channel":"heartbeat"}',)

    def farewell(self, now: Instant) -> Sequence[str]:
        """The venue says nothing."""
        del now
        return ()

    def receive(self, frame: str | bytes, now: Instant) -> Sequence[Answer]:
        """The answers to ``frame``; too many are ignored, and far too many cut the connection."""
        if self._rate.is_exceeded(now.mono):
            self._ignored += 1
            if self._ignored > MOST_IGNORED:
                return (Violation("Exceeded msg rate"),)
            return ('{"Error":"Exceeded msg rate"}',)
        self._ignored = 0
        request = parsed_object(frame)
        if request is None:
            return (_error("Malformed request", {}, now),)
        return tuple(self._answers(request, now))

    def _answers(self, request: Mapping[str, Any], now: Instant) -> Iterator[str]:
        method = request.get("method")
        wrong = _wrong_with(request)
        if method == "ping":
            yield _text({"method": "pong", **_envelope(request, now)})
        elif method not in ("subscribe", "unsubscribe"):
            yield _error("Method not supported", request, now)
        elif wrong is not None:
            yield _error(wrong, request, now)
        else:
            act = self._subscribe if method == "subscribe" else self._unsubscribe
            for symbol in dict.fromkeys(request["params"]["symbol"]):
                yield from act(symbol, request, now)

    def _subscribe(self, symbol: str, request: Mapping[str, Any], now: Instant) -> Iterator[str]:
        if symbol not in self._server.symbols:
            shown = excerpt(symbol)
            yield _error(f"Currency pair not supported {shown}", request, now, symbol=shown)
            return
        if symbol in self._intervals:
            told = "Already subscribed to one ohlc interval on this symbol"
            yield _error(told, request, now, symbol=symbol)
            return
        interval = request["params"].get("interval", 1)
        wants_snapshot = request["params"].get("snapshot", True) is not False
        self._intervals[symbol] = interval
        self._sent_ns = now.mono
        warnings = ["timestamp is deprecated, use interval_begin"]
        more = {"snapshot": wants_snapshot, "warnings": warnings}
        yield _acknowledged(symbol, interval, request, now, **more)
        quotes = self._newest((symbol, interval)) if wants_snapshot else ()
        if quotes:
            yield ohlc_text("snapshot", quotes, now.wall)

    def _unsubscribe(self, symbol: str, request: Mapping[str, Any], now: Instant) -> Iterator[str]:
        interval = self._intervals.pop(symbol, None)
        if interval is None:
            yield _error("Subscription Not Found", request, now, symbol=excerpt(symbol))
        else:
            yield _acknowledged(symbol, interval, request, now)

    def _newest(self, stream: Stream) -> Sequence[Quote]:
        """The last bars with a trade, oldest first, and the one under way."""
        source = self._server.sold.get(stream)
        if source is None:
            return ()
        closed = [quote for quote in self._server.shelf.closed(source) if quote.candle.trades]
        running = self._server.shelf.running(source)
        return [*closed[-SNAPSHOT_BARS:], *(() if running is None else (running,))]


def _wrong_with(request: Mapping[str, Any]) -> str | None:
    """What is wrong with a subscription."""
    params, number = request.get("params"), request.get("req_id")
    if number is not None and not _is_int64(number):
        return "Malformed request"
    if not isinstance(params, dict):
        return "Params not specified"
    if params.get("channel") != "ohlc":
        return "Channel not supported"
    interval = params.get("interval", 1)
    if not _is_int64(interval) or interval not in INTERVALS:
        return "Subscription ohlc interval not supported"
    return None if _are_symbols(params.get("symbol")) else "Symbol(s) not specified"


def _are_symbols(symbols: object) -> bool:
    if not isinstance(symbols, list) or not 0 < len(symbols) <= _SYMBOLS_AT_ONCE:
        return False
    return all(isinstance(symbol, str) for symbol in symbols)


def _is_int64(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in _INT64


def _envelope(request: Mapping[str, Any], now: Instant) -> Mapping[str, Any]:
    times = {"time_in": moment_text(now.wall), "time_out": moment_text(now.wall)}
    number = request.get("req_id")
    return {"req_id": number, **times} if _is_int64(number) else times


def _acknowledged(
    symbol: str, interval: int, request: Mapping[str, Any], now: Instant, **more: object
) -> str:
    result = {"channel": "ohlc", "interval": interval, "symbol": symbol, **more}
    done = {"method": request["method"], "result": result, "success": True}
    return _text({**done, **_envelope(request, now)})


def _error(text: str, request: Mapping[str, Any], now: Instant, **more: str) -> str:
    method = request.get("method")
    named = {"method": excerpt(method)} if isinstance(method, str) else {}
    return _text({"error": text, **named, "success": False, **more, **_envelope(request, now)})


def _text(message: Mapping[str, Any]) -> str:
    return _encoder.encode(message).decode()


def _whole(text: str) -> int | None:
    """A number of up to 18 digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(2**63)) else None


def _flat_after(row: Sequence[Any], interval: int) -> Sequence[Any]:
    """The bar under way without a trade yet, at the price before."""
    close = row[4]
    return [row[0] + interval * 60, close, close, close, close, "0.00000000", "0.00000000", 0]
