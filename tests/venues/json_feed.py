"""The format of the simulated in-house feed: its docstring, said as a JsonFormat."""

from barsync_async.venues.json_format import JsonAcknowledgement, JsonError, JsonFormat, JsonMatch
from barsync_async.venues.keep_alive import KeepAlive
from barsync_async.venues.options import VenueOptions

FORMAT = JsonFormat(
    subscribe=('{"action":"subscribe","symbols":{symbols},"timeframe":"{timeframe}","history":2}',),
    symbols_per_frame=50,
    send_interval_ms=100,
    only=JsonMatch("type", "bars"),
    bars="bars[]",
    symbol="symbol",
    timeframe="timeframe",
    time="time",
    time_unit="ms",
    time_label="open",
    open="open",
    high="high",
    low="low",
    close="close",
    volume="volume",
    final=JsonMatch("final", equals=True),
    acknowledgement=JsonAcknowledgement("type", "subscribed", "symbols", "timeframe"),
    error=JsonError("type", "error", "message", "symbol", "timeframe", final=True),
    keep_alive=KeepAlive('{"action":"ping"}', every_ms=20_000),
    silence_ms=15_000,
)

OPTIONS = VenueOptions(url="ws://127.0.0.1:9001/bars", format=FORMAT)
