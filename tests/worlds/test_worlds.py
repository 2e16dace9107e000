"""The whole daemon in worlds drawn from seeds; ``make simulate`` runs as many as one likes."""

import pytest
from tests.worlds.draw import _awake
from tests.worlds.faults import KINDS
from tests.worlds.trial import TWICE, try_seed
from tests.worlds.world import Machine

from barsync_async.units import NS_PER_MS

_SEEDS = 300
_CHUNK = 10


@pytest.mark.parametrize("first", range(0, _SEEDS, _CHUNK))
def test_a_daemon_keeps_its_promises_in_every_world(first: int) -> None:
    verdicts = [try_seed(seed, again=False) for seed in range(first, first + _CHUNK)]
    failed = [str(each) for each in verdicts if each.error is not None]
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("seed", range(TWICE))
def test_what_comes_out_does_not_depend_on_what_runs_first(seed: int) -> None:
    verdict = try_seed(seed, again=True)
    assert verdict.error is None, str(verdict)


def test_a_world_is_stopped_only_while_its_machine_runs() -> None:
    """What falls in a stall or a sleep happens after it."""
    stall = Machine(8_183 * NS_PER_MS + 137_000, "stall", 1_500)
    sleep = Machine(8_354 * NS_PER_MS + 137_000, "suspend", 1_500)
    awake_ms = 8_183 + 1_500 + 1_500
    for end_ms in (8_182, awake_ms + 4):
        assert _awake(end_ms, (stall, sleep)) == end_ms
    for end_ms in (8_183, 9_000, 9_856, awake_ms + 3):
        assert _awake(end_ms, (stall, sleep)) == awake_ms + 4


def test_every_kind_of_fault_is_in_some_world() -> None:
    fired = set[str]()
    for seed in range(_SEEDS):
        fired |= set(try_seed(seed, again=False).faults)
        if fired.issuperset(KINDS):
            return
    assert sorted(fired) == sorted(KINDS)
