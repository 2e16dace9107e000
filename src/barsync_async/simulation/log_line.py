"""The line that tells an independent judge what became of a closed bar, and when."""

import msgspec

from barsync_async.messages import Bar
from barsync_async.units import Instant

_encoder = msgspec.json.Encoder()


def log_line(bar: Bar, now: Instant, client: int | None, **marks: bool) -> bytes:
    """``bar`` went out at ``now``, to ``client``; or to nobody, and ``marks`` says why."""
    line = {
        "sent_at_ns": now.mono,
        "sent_wall_ms": now.wall,
        "client": client,
        "source": bar.source,
        "timestamp": bar.timestamp,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
    }
    return _encoder.encode(line | marks) + b"\n"
