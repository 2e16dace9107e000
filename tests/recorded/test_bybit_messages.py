"""Bybit's sample messages mean what its documentation says."""

import os
from pathlib import Path

import pytest

from barsync_async.messages import Bar
from barsync_async.units import SourceId, WallMs
from barsync_async.venues.bybit import BybitCodec, BybitSession
from barsync_async.venues.options import PUBLIC
from barsync_async.venues.outcomes import Acknowledged, Refusal

MESSAGES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "messages"
SOURCES = [SourceId("BTC/USDT_5m")]


def session() -> BybitSession:
    return BybitCodec().session(SOURCES, PUBLIC)


def message(name: str) -> bytes:
    path = MESSAGES / f"bybit__ws_{name}.json"
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {path}: CI must have the samples beside the project")
        pytest.skip(f"no {path}")
    return path.read_bytes()


def test_a_kline_that_is_not_confirmed_is_nothing() -> None:
    assert session().receive(message("kline")) == ()


def test_the_same_kline_confirmed_is_the_bar_of_its_five_minutes() -> None:
    confirmed = message("kline").replace(b"false", b"true")
    assert session().receive(confirmed) == (
        Bar(
            "BTC/USDT",
            "5m",
            WallMs(1_672_325_100_000),
            16_649.5,
            16_677.0,
            16_608.0,
            16_677.0,
            2.081,
        ),
    )


def test_another_requests_acknowledgement_confirms_nothing_of_ours() -> None:
    one = session()
    assert one.receive(message("subscription_ack")) == [Acknowledged(())]
    assert one.unacknowledged() == SOURCES


def test_a_failure_that_names_nothing_of_ours_refuses_nothing_of_ours() -> None:
    one = session()
    assert one.receive(message("subscription_failure")) == [
        Refusal((), "Invalid topic: invalid.topic.BTCUSDT", final=False)
    ]
    assert one.unacknowledged() == SOURCES


def test_wrong_credentials_are_final_and_right_ones_are_nothing() -> None:
    assert session().receive(message("auth_success")) == ()
    assert session().receive(message("auth_failure")) == (
        Refusal((), "error 10003: Invalid apikey", final=True),
    )
