"""Binance's recorded messages decode to what its documentation says of them."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from barsync_async.messages import Bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues import CODECS
from barsync_async.venues.options import PUBLIC
from barsync_async.venues.outcomes import Acknowledged, Received, Refusal

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
NAMES = ("binance_futures", "binance")


@pytest.fixture
def samples() -> Path:
    if not SAMPLES.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {SAMPLES}: CI must have the recordings beside the project")
        pytest.skip(f"no {SAMPLES}")
    return SAMPLES


def received(name: str, frames: Sequence[str], *sources: str) -> list[Sequence[Received]]:
    session = CODECS[name].session([SourceId(each) for each in sources], PUBLIC)
    return [session.receive(frame) for frame in frames]


@pytest.mark.parametrize("name", NAMES)
def test_the_captured_futures_frames_with_odd_white_space(samples: Path, name: str) -> None:
    path = samples / "recorded" / "binance_futures_testnet_kline.jsonl"
    frames = path.read_text("utf-8").splitlines()
    ack, listed, error, *events = received(name, frames, "BTCUSDT_1m")
    assert ack == (Acknowledged((SourceId("BTCUSDT_1m"),)),)
    assert listed == (Acknowledged(()),)
    (refused,) = error
    assert isinstance(refused, Refusal)
    assert not refused.final
    close = WallMs(1_789_117_380_000)
    assert events == [
        (),
        (),
        (Bar("BTCUSDT", "1m", close, 77_332.0, 77_366.2, 77_324.2, 77_334.0, 4.6853),),
        (
            Bar(
                *("BTCUSDT", "1m", WallMs(1_789_116_060_000)),
                *(77_354.6, 77_354.6, 77_322.4, 77_354.6, 0.3923),
            ),
        ),
        (),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_klines_open_and_closed(samples: Path, name: str) -> None:
    folder = samples / "messages"
    kind = "binance__futures_market_data_json_kline_stream"
    frames = [(folder / f"{kind}_{state}.json").read_text("utf-8") for state in ("open", "closed")]
    running, closed = received(name, frames, "BTC/USDT_1m")
    assert running == ()
    expected = (WallMs(1_638_747_720_000), 0.001, 0.0025, 0.001, 0.002, 1000.0)
    assert closed == (Bar("BTC/USDT", "1m", *expected),)


def test_half_a_minute_of_a_real_connection_has_four_final_bars_two_of_them_empty(
    samples: Path,
) -> None:
    lines = (samples / "recorded" / "binance_tr.ws.txt").read_text("utf-8").splitlines()
    frames = [text for line in lines if (text := line.partition(": ")[2]).startswith("{")]
    sources = ("XEMUSDT_1m", "LTCBRL_1m", "BELBTC_1m", "ELFBUSD_1m")
    found = [item for each in received("binance", frames, *sources) for item in each]
    bars = [item for item in found if isinstance(item, Bar)]
    assert {bar.source for bar in bars} == set(sources)
    assert {bar.timestamp for bar in bars} == {1_681_154_040_000}
    assert {bar.symbol for bar in bars if not bar.volume} == {"BELBTC", "ELFBUSD"}
    raw = [json.loads(frame) for frame in frames]
    klines = [each["data"]["k"] for each in raw if "k" in each.get("data", {})]
    for bar in bars:
        (kline,) = (k for k in klines if k["s"] == bar.symbol and k["x"])
        assert [bar.open, bar.high, bar.low, bar.close, bar.volume] == [
            float(kline[key]) for key in "ohlcv"
        ]
