"""Kraken's sample messages mean what its documentation says."""

import os
from pathlib import Path

import pytest

from barsync_async.messages import Bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.kraken import KrakenCodec, KrakenSession
from barsync_async.venues.options import PUBLIC
from barsync_async.venues.outcomes import Running

MESSAGES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "messages"
SOURCES = [SourceId("BTC/USD_1m")]


def session() -> KrakenSession:
    return KrakenCodec().session(SOURCES, PUBLIC)


def message(name: str) -> bytes:
    path = MESSAGES / f"kraken__ws_{name}.json"
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {path}: CI must have the samples beside the project")
        pytest.skip(f"no {path}")
    return path.read_bytes()


def test_a_bar_begins_at_interval_begin_and_lasts_as_many_minutes_as_interval_says() -> None:
    assert session().receive(message("ohlc_update")) == (
        Running(
            Bar(
                "BTC/USD",
                "1m",
                WallMs(1_696_436_760_000),
                106_038.2,
                106_044.3,
                106_038.1,
                106_040.1,
                30_927.68066226,
            )
        ),
    )


def test_a_pong_is_nothing() -> None:
    assert session().receive(message("pong")) == ()


def test_another_channels_acknowledgement_confirms_nothing_of_ours() -> None:
    one = session()
    assert one.receive(message("subscribe_response")) == ()
    assert one.unacknowledged() == SOURCES
