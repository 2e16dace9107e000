"""A day recorded on real sockets, and played again: from the file, and from a socket again."""

import signal
from pathlib import Path
from typing import Any

from tests.end_to_end.running import Running, barsync, write_config

SOURCES = ["SPY_1s", "QQQ_1s"]
SCENARIO = """
seed = 3
[venue]
listen = "127.0.0.1:0"
pace_ms = 50
start = 2026-01-02T14:30:00Z
duration_s = 2.5
running_ms = 0
[defaults]
delay = { kind = "uniform", min_ms = 0, max_ms = 20 }
loss = 0.1
duplicate = 0.1
[sources.SPY_1s]
[sources.QQQ_1s]
"""
TIMEOUT_MS = 2_000  # so that a busy machine makes no bar late: later bars prove what is lost


def sets(ran: Running) -> list[tuple[Any, ...]]:
    """All that a set is, but for how long it took.

    ``wait_ms`` and ``loop_lag_ms`` may differ, for on virtual time a seal is never late. ``seq``
    may, for it counts every event, and a rejection or a change of a source's status can fall on
    the other side of a set that was sealed in the same ms.
    """
    kinds = ("SYNCHRONIZED_BARS", "SYNC_SKIPPED")
    keys = ("type", "timestamp", "status", "bars", "sources_present", "sources_missing", "reason")
    return [tuple(line.get(key) for key in keys) for line in ran.events(*kinds)]


async def test_a_recorded_day_replayed_and_served_again_gives_the_same_sets(
    tmp_path: Path,
) -> None:
    recording = tmp_path / "day.jsonl.gz"
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    container = {"timeout_ms": TIMEOUT_MS, "require_all": False, "max_future_ms": 10**13}

    async with barsync("simulate", scenario, cwd=tmp_path) as venue:
        config = write_config(tmp_path, await venue.address(), SOURCES, {"c": container})
        async with barsync("run", config, "--record", recording, cwd=tmp_path) as live:
            await live.logged("disconnected")  # the scenario is over
            live.send(signal.SIGTERM)
            assert await live.ended() == 0
    recorded = await live.logged("recorded")
    assert recorded["frames"] > 60
    assert {line[2] for line in sets(live)} == {"complete", "partial"}

    async with barsync("replay", recording, config, "--virtual", cwd=tmp_path) as replayed:
        assert await replayed.ended() == 0
    async with barsync("replay", recording, config, "--virtual", cwd=tmp_path) as again:
        assert await again.ended() == 0
    assert sets(replayed) == sets(live)
    assert replayed.out.text == again.out.text

    port = "--listen", "127.0.0.1:0"
    async with barsync("simulate", recording, *port, cwd=tmp_path) as served:
        config = write_config(tmp_path, await served.address(), SOURCES, {"c": container})
        async with barsync("run", config, cwd=tmp_path) as anew:
            await anew.logged("disconnected")
            anew.send(signal.SIGTERM)
            assert await anew.ended() == 0
        assert await served.ended() == 0
    assert [line[1] for line in sets(anew)] == [line[1] for line in sets(live)]


async def test_a_recorder_that_is_killed_leaves_what_it_had_a_second_before(
    tmp_path: Path,
) -> None:
    recording = tmp_path / "day.jsonl.gz"
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO.replace("duration_s = 2.5\n", ""), encoding="utf-8")
    async with barsync("simulate", scenario, cwd=tmp_path) as venue:
        config = write_config(tmp_path, await venue.address(), SOURCES, {"c": {}})
        async with barsync("record", config, "--to", recording, cwd=tmp_path) as recorder:
            await recorder.logged("recording")  # five seconds later
            recorder.send(signal.SIGKILL)
            await recorder.ended()
        assert not recorder.out.text
    async with barsync("replay", recording, config, "--virtual", cwd=tmp_path) as replayed:
        assert await replayed.ended() == 0
    assert await replayed.logged("the recording breaks off in its last line")
    assert len(sets(replayed)) > 50
