"""Threads, processes, delays and scheduling show in no event; ``make determinism``: more seeds."""

import json

import pytest
from tests.determinism.trial import STRATEGIES, run_plain, try_seed


@pytest.mark.parametrize("seed", range(3))
def test_the_same_input_gives_the_same_bytes_wherever_and_however_fast_strategies_decide(
    seed: int,
) -> None:
    assert try_seed(seed) is None


def test_the_markets_are_traded_with_faults_refusals_and_all_strategies() -> None:
    lines = [json.loads(line) for seed in range(3) for line in run_plain(seed)]
    versions = [line for line in lines if line["type"] == "PORTFOLIO"]
    assert len({line["strategy"] for line in lines if line["type"] == "SIGNAL"}) == STRATEGIES
    assert any(line["type"] == "STRATEGY_FAULT" for line in lines)
    assert any(line["refused"] for line in versions)
    assert all(line["stale"] == [] for line in versions)
    assert len({line["cash"] for line in versions}) > len(versions) / 2
