"""Coinbase's sample messages mean what its documentation says."""

import os
from pathlib import Path

import pytest

from barsync_async.messages import Bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.coinbase import CoinbaseCodec, CoinbaseSession
from barsync_async.venues.options import PUBLIC
from barsync_async.venues.outcomes import Acknowledged, Running

MESSAGES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "messages"
SOURCES = [SourceId("BTC-USD_5m"), SourceId("ETH-USD_5m")]


def session() -> CoinbaseSession:
    one = CoinbaseCodec().session(SOURCES, PUBLIC)
    one.opening_frames()
    return one


def message(name: str) -> bytes:
    path = MESSAGES / f"coinbase__ws_{name}.json"
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {path}: CI must have the samples beside the project")
        pytest.skip(f"no {path}")
    return path.read_bytes()


def test_a_candle_starts_at_unix_seconds_and_lasts_five_minutes() -> None:
    assert session().receive(message("candles")) == (
        Running(
            Bar(
                "BTC-USD",
                "5m",
                WallMs(1_775_522_100_000),
                68_900.0,
                68_950.0,
                68_850.0,
                68_920.5,
                42.15,
            )
        ),
    )


def test_a_heartbeat_is_nothing() -> None:
    assert session().receive(message("heartbeats")) == ()


def test_a_list_of_other_channels_subscriptions_confirms_nothing_of_ours() -> None:
    one = session()
    assert one.receive(message("subscriptions")) == (Acknowledged(()),)
    assert one.unacknowledged() == SOURCES
