"""Which connection carries which sources, and what is asked of its history."""

from typing import Any

import pytest
from tests.shell.test_daemon import document, synchronizer

from barsync_async.config import parse_config
from barsync_async.shell.feeds.connections import ConnectionPlan, plan_connections, wanted_of
from barsync_async.venues import CODECS


def planned(expected: list[str], **feeds: dict[str, Any]) -> list[ConnectionPlan]:
    table = document({"c": synchronizer(expected)}, {})
    return plan_connections(parse_config({**table, "feeds": feeds}, "x"))


def kraken(*sources: str, **more: Any) -> dict[str, Any]:
    return {"venue": "kraken", "sources": list(sources), **more}


def test_a_feed_is_one_connection_with_its_name() -> None:
    (plan,) = planned(["BTC/USD_1m"], k=kraken("BTC/USD_1m"))
    assert (plan.name, plan.feed, plan.venue) == ("k", "k", "kraken")
    assert plan.sources == ("BTC/USD_1m",)
    assert plan.in_order


def test_what_nobody_expects_is_left_out_and_a_feed_of_nothing_else_altogether() -> None:
    plans = planned(["BTC/USD_1m"], k=kraken("ETH/USD_1m", "BTC/USD_1m"), idle=kraken("SOL/USD_1m"))
    assert [(plan.name, plan.sources) for plan in plans] == [("k", ("BTC/USD_1m",))]


def test_more_than_a_connection_carries_is_shared_among_several_in_order() -> None:
    most = CODECS["kraken"].facts.max_sources
    sources = [f"S{number}/USD_1m" for number in range(most + 1)]
    plans = planned(sources, k=kraken(*sources))
    assert [(plan.name, len(plan.sources)) for plan in plans] == [("k.1", most), ("k.2", 1)]
    assert [each for plan in plans for each in plan.sources] == sources
    assert {plan.feed for plan in plans} == {"k"}


def test_a_venue_of_one_timeframe_a_symbol_gets_a_connection_for_each() -> None:
    sources = ["BTC/USD_1m", "BTC/USD_5m", "ETH/USD_1m"]
    plans = planned(sources, k=kraken(*sources))
    assert [plan.sources for plan in plans] == [
        ("BTC/USD_1m", "ETH/USD_1m"),
        ("BTC/USD_5m",),
    ]


# Derived sources


def test_what_an_expected_source_is_derived_from_is_subscribed_though_nobody_expects_it() -> None:
    feed = kraken("BTC/USD_1m", derived={"BTC/USD_5m": "BTC/USD_1m", "BTC/USD_1h": "BTC/USD_1m"})
    (plan,) = planned(["BTC/USD_5m"], k=feed)
    assert plan.sources == ("BTC/USD_1m",)
    assert plan.derived == {"BTC/USD_5m": "BTC/USD_1m"}
    assert plan.carried == {"BTC/USD_1m", "BTC/USD_5m"}


def test_a_derived_source_is_made_where_its_parts_come() -> None:
    sources = ["BTC/USD_1m", "ETH/USD_5m"]
    derived = {"BTC/USD_15m": "BTC/USD_1m", "ETH/USD_15m": "ETH/USD_5m"}
    plans = planned([*sources, *derived], k=kraken(*sources, derived=derived))
    assert [dict(plan.derived) for plan in plans] == [
        {"BTC/USD_15m": "BTC/USD_1m"},
        {"ETH/USD_15m": "ETH/USD_5m"},
    ]


def test_of_a_derived_source_that_nobody_expects_the_parts_are_not_wanted() -> None:
    table = kraken("BTC/USD_1m", derived={"BTC/USD_5m": "BTC/USD_1m"})
    told = parse_config(
        {**document({"c": synchronizer(["BTC/USD_1m"])}, {}), "feeds": {"k": table}}, "x"
    )
    assert wanted_of(told.feeds["k"], {"ETH/USD_1m"}) == ()


# Past bars, and how long it lives


@pytest.mark.parametrize(
    ("more", "bars"),
    [
        ({}, 1),
        ({"backfill": 0}, 0),
        ({"backfill": 7}, 7),
        ({"url": "ws://venue"}, 0),
        ({"url": "ws://venue", "history_url": "http://venue"}, 1),
        ({"url": "ws://venue", "backfill": 3}, 3),
        ({"derived": {"BTC/USD_5m": "BTC/USD_1m"}}, 10),
        ({"derived": {"BTC/USD_5m": "BTC/USD_1m", "BTC/USD_1h": "BTC/USD_1m"}}, 120),
        ({"derived": {"BTC/USD_5m": "BTC/USD_1m"}, "backfill": 2}, 2),
    ],
)
def test_so_many_past_bars_are_asked_for(more: dict[str, Any], bars: int) -> None:
    (plan,) = planned(["BTC/USD_1m"], k=kraken("BTC/USD_1m", **more))
    assert plan.backfill == bars


def test_a_connection_is_replaced_before_the_venue_cuts_it_or_as_told() -> None:
    table = {"venue": "binance", "sources": ["BTCUSDT_1m"]}
    lifetime_s = CODECS["binance"].facts.lifetime_s
    assert lifetime_s is not None
    (plan,) = planned(["BTCUSDT_1m"], b=table)
    assert plan.rollover_s == pytest.approx(0.95 * lifetime_s)
    (plan,) = planned(["BTCUSDT_1m"], b=table | {"rollover_s": 60.0})
    assert plan.rollover_s == 60
    (plan,) = planned(["BTC/USD_1m"], k=kraken("BTC/USD_1m"))
    assert plan.rollover_s is None


def test_nobodys_key_shows_in_a_plan() -> None:
    known = dict.fromkeys(("key", "secret"), "hunter2")
    (plan,) = planned(["BTC/USD_1m"], k=kraken("BTC/USD_1m", **known))
    assert plan.options.credentials is not None
    assert plan.options.credentials.key == known["key"]
    assert "hunter2" not in repr(plan)
