"""OKX's sample message means what its documentation says."""

import os
from pathlib import Path

import pytest

from barsync_async.messages import Bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.okx import OkxCodec, OkxSession
from barsync_async.venues.options import PUBLIC
from barsync_async.venues.outcomes import Rejection

MESSAGES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "messages"
SOURCES = [SourceId("BTC/USDT_1d"), SourceId("BTC/USDT_1m")]


def session() -> OkxSession:
    return OkxCodec().session(SOURCES, PUBLIC)


@pytest.fixture
def candle() -> bytes:
    path = MESSAGES / "okx__ws_candle.json"
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {path}: CI must have the samples beside the project")
        pytest.skip(f"no {path}")
    return path.read_bytes()


def test_a_day_of_hong_kongs_time_is_not_the_day_that_was_asked_for(candle: bytes) -> None:
    assert session().receive(candle) == [Rejection("unknown_source", "candle1D BTC-USDT")]


def test_the_samples_moment_opens_no_bar_at_all(candle: bytes) -> None:
    (item,) = session().receive(candle.replace(b"candle1D", b"candle1m"))
    assert item == Rejection("invalid", "no 1m bar opens at 1597026383085")


def test_the_same_row_on_the_grid_is_a_bar_in_the_order_of_its_columns(candle: bytes) -> None:
    frame = candle.replace(b"candle1D", b"candle1m").replace(b"1597026383085", b"1597026360000")
    assert session().receive(frame) == [
        Bar(
            "BTC/USDT",
            "1m",
            WallMs(1_597_026_420_000),
            8_533.02,
            8_553.74,
            8_527.17,
            8_548.26,
            45_247.0,
        )
    ]


def test_the_same_row_unconfirmed_is_nothing(candle: bytes) -> None:
    assert not session().receive(candle.replace(b'"1"', b'"0"'))
