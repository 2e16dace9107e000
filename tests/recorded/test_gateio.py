"""A real connection to a venue of which barsync knows only what a config says, and which never says
that a candle is final: Gate.io, half a minute within one minute.
"""

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from barsync_async.messages import Bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.finality import Finality
from barsync_async.venues.json import JsonSession
from barsync_async.venues.json_format import JsonAcknowledgement, JsonFormat, JsonMatch
from barsync_async.venues.outcomes import Acknowledged, Received, Running

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
RECORDING = SAMPLES / "recorded" / "gateio.ws.txt"
ENDS = 1_619_093_580_000

FORMAT = JsonFormat(
    subscribe=('{"channel":"spot.candlesticks","event":"subscribe","payload":["1m","{symbol}"]}',),
    only=JsonMatch("event", "update"),
    bars="result",
    symbol="n",
    symbol_template="{timeframe}_{base}_{quote}",
    time="t",
    time_unit="s",
    time_label="open",
    open="o",
    high="h",
    low="l",
    close="c",
    volume="v",
    finality="later bar or clock",
    acknowledgement=JsonAcknowledgement("event", "subscribe"),
)


@pytest.fixture
def frames() -> list[tuple[WallMs, str]]:
    """When each frame of the candles' channel came, and what it was."""
    if not RECORDING.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {RECORDING}: CI must have the recordings beside the project")
        pytest.skip(f"no {RECORDING}")
    return list(_received())


def _received() -> Iterator[tuple[WallMs, str]]:
    for line in RECORDING.read_text("utf-8").splitlines():
        moment, colon, text = line.partition(": ")
        if colon and not moment.startswith("wss:") and "candlesticks" in text:
            yield WallMs(int(Decimal(moment) * 1_000)), text


def sources(frames: list[tuple[WallMs, str]]) -> list[SourceId]:
    names = [json.loads(text)["result"].get("n", "") for _, text in frames]
    pairs = dict.fromkeys(name.removeprefix("1m_") for name in names if name)
    return [SourceId(f"{pair.replace('_', '/')}_1m") for pair in pairs]


def received(frames: list[tuple[WallMs, str]]) -> list[tuple[WallMs, Received]]:
    session = JsonSession(sources(frames), "wss://venue", FORMAT)
    list(session.opening_frames())
    found = [(at, item) for at, text in frames for item in session.receive(text)]
    assert list(session.unacknowledged()) == []
    return found


def test_every_candle_is_a_state_of_the_minute_under_way(frames: list[tuple[WallMs, str]]) -> None:
    found = received(frames)
    assert len([item for _, item in found if isinstance(item, Acknowledged)]) == 10
    states = [item.bar for _, item in found if isinstance(item, Running)]
    told = [json.loads(text)["result"] for _, text in frames if '"update"' in text]
    assert len(states) == len(told) == 14
    for bar, candle in zip(states, told, strict=True):
        assert bar.timestamp == int(candle["t"]) * 1_000 + 60_000 == ENDS
        assert f"1m_{bar.symbol.replace('/', '_')}" == candle["n"]
        expected = [float(Decimal(candle[key])) for key in "ohlcv"]
        assert [bar.open, bar.high, bar.low, bar.close, bar.volume] == expected


def test_no_state_is_passed_off_as_final_before_the_minute_has_ended(
    frames: list[tuple[WallMs, str]],
) -> None:
    found = received(frames)
    streams = {source: Finality(2_000) for source in sources(frames)}
    last: dict[SourceId, Bar] = {}
    for at, item in found:
        if isinstance(item, Running):
            assert streams[item.bar.source].on_running(item.bar, at) == ()
            last[item.bar.source] = item.bar
    for source, finality in streams.items():
        ended = WallMs(ENDS + 2_000)
        assert finality.due_at() == ended
        assert finality.on_clock(ended, heard_at=WallMs(ENDS - 1)) == ()
        assert finality.on_clock(WallMs(ENDS + 4_000), heard_at=ended) == (last[source],)
