"""Servers that die and come back, signals, and outputs that break."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.end_to_end.running import BARSYNC, Line, Running, barsync, write_config
from tests.end_to_end.venue import MINUTE, START, kline, venue
from websockets.asyncio.server import ServerConnection

SOURCES = ["SPY_1s", "QQQ_1s"]
SCENARIO = """
seed = 5
[venue]
listen = "{listen}"
pace_ms = 20
[defaults]
delay = {{ kind = "uniform", min_ms = 0, max_ms = 15 }}
loss = 0.05
duplicate = 0.05
[sources.SPY_1s]
[sources.QQQ_1s]
"""


def write_scenario(folder: Path, listen: str) -> Path:
    path = folder / "scenario.toml"
    path.write_text(SCENARIO.format(listen=listen), encoding="utf-8")
    return path


def sets(count: int) -> Callable[[Line], bool]:
    """Holds at the ``count``-th set that it is asked about."""
    seen = 0

    def is_last(line: Line) -> bool:
        nonlocal seen
        seen += line["type"] == "SYNCHRONIZED_BARS"
        return bool(seen >= count)

    return is_last


async def balanced(daemon: Running) -> None:
    """All that the daemon says it received stands in its output, and the account is right."""
    totals = await daemon.logged("totals")
    counted = ("accepted", "corrected", "duplicate", "late", "rejected")
    assert totals["received"] == sum(totals[each] for each in counted)
    fresh = [
        bar
        for line in daemon.events("SYNCHRONIZED_BARS")
        for bar in line["bars"].values()
        if bar["provenance"] == "fresh"
    ]
    assert len(fresh) == totals["accepted"]
    assert len(daemon.events("LATE_BAR")) == totals["late"]
    assert len(daemon.events("BAR_REJECTED")) == totals["rejected"]
    timestamps = [line["timestamp"] for line in daemon.events("SYNCHRONIZED_BARS")]
    assert timestamps == sorted(set(timestamps))


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_a_server_killed_and_restarted_is_found_again_and_sets_go_on(
    tmp_path: Path, loop: str
) -> None:
    simulate = ("simulate", write_scenario(tmp_path, "127.0.0.1:0"), "--log")
    async with barsync(*simulate, tmp_path / "1.jsonl", cwd=tmp_path) as market:
        url = await market.address()
        config = write_config(
            tmp_path, url, SOURCES, {"c": {"timeout_ms": 30, "require_all": False}}
        )
        async with barsync("run", config, "--loop", loop, cwd=tmp_path) as daemon:
            await daemon.out.until(sets(50))
            market.send(signal.SIGKILL)
            await market.ended()
            await daemon.logged("disconnected")
            before = len(daemon.out.text)
            write_scenario(tmp_path, url.removeprefix("ws://"))
            async with barsync(*simulate, tmp_path / "2.jsonl", cwd=tmp_path) as again:
                await daemon.logged("subscribed", skip=len(daemon.err.text))
                await daemon.out.until(sets(50), skip=before)
                daemon.send(signal.SIGTERM)
                assert await daemon.ended() == 0
                again.send(signal.SIGTERM)
                assert await again.ended() == 0
    await balanced(daemon)
    assert [line["seq"] for line in daemon.out.json()] == list(range(1, len(daemon.out.text) + 1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_brings_out_all_that_was_received_and_ends_well(
    tmp_path: Path, number: signal.Signals
) -> None:
    count = 2_000

    async def play(websocket: ServerConnection) -> None:
        for minute in range(count):
            await websocket.send(kline("SPY_1m", START + minute * MINUTE))

    async with venue(play) as url:
        settings = {"timeout_ms": 60_000, "max_open": 10_000, "require_all": False}
        config = write_config(tmp_path, url, ["SPY_1m", "QQQ_1m"], {"c": settings})
        async with barsync("run", config, cwd=tmp_path) as daemon:
            await daemon.logged("subscribed")
            daemon.send(number)
            assert await daemon.ended() == 0
    given = daemon.events("SYNCHRONIZED_BARS")
    assert {line["status"] for line in given} <= {"partial"}  # nobody sent the other source
    await balanced(daemon)


async def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    reader, writer = os.pipe()

    async def play(websocket: ServerConnection) -> None:
        for minute in range(20_000):
            await websocket.send(kline("SPY_1m", START + minute * MINUTE))

    async with venue(play) as url:
        config = write_config(tmp_path, url, ["SPY_1m"], {"c": {}})
        text = config.read_text("utf-8").replace('path = "-"', f'path = "/dev/fd/{writer}"')
        config.write_text(text, encoding="utf-8")
        arguments = ("run", config)
        async with barsync(*arguments, cwd=tmp_path, pass_fds=(writer,)) as daemon:
            os.close(writer)
            await daemon.logged("subscribed")
            daemon.send(signal.SIGTERM)  # nobody reads the pipe: the drain cannot end
            await daemon.logged("stopping")
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 1
    os.close(reader)


async def test_an_output_that_cannot_be_written_ends_it_with_one_line_and_code_1(
    tmp_path: Path,
) -> None:
    async def play(websocket: ServerConnection) -> None:
        await websocket.send(kline("SPY_1m", START))

    async with venue(play) as url:
        config = write_config(tmp_path, url, ["SPY_1m"], {"c": {}})
        text = config.read_text("utf-8").replace('path = "-"', 'path = "/dev/full"')
        config.write_text(text, encoding="utf-8")
        async with barsync("run", config, cwd=tmp_path) as daemon:
            assert await daemon.ended() == 1
    assert daemon.err.text[-1].startswith("barsync: /dev/full: cannot be written: ")
    assert not [line for line in daemon.err.text if "Traceback" in line]


async def test_a_reader_that_leaves_ends_the_daemon_without_a_traceback(tmp_path: Path) -> None:
    async def play(websocket: ServerConnection) -> None:
        for minute in range(100_000):
            await websocket.send(kline("SPY_1m", START + minute * MINUTE))

    async with venue(play) as url:
        config = write_config(tmp_path, url, ["SPY_1m"], {"c": {}})
        text = f"'{BARSYNC}' run '{config}' | head -n 1 >one.jsonl; exit ${{PIPESTATUS[0]}}"
        async with barsync("-c", text, cwd=tmp_path, program="bash") as daemon:
            assert await daemon.ended() == 1
    assert not [line for line in daemon.err.text if "Traceback" in line or "ignored" in line]
    assert len((tmp_path / "one.jsonl").read_text("utf-8").splitlines()) == 1


async def test_nobody_listening_is_told_and_tried_again(tmp_path: Path) -> None:
    config = write_config(tmp_path, "ws://127.0.0.1:9", ["SPY_1m"], {"c": {}})
    async with barsync("run", config, cwd=tmp_path) as daemon:
        first = await daemon.logged("not connected")
        assert first["detail"].startswith("cannot connect to ws://127.0.0.1:9/stream: ")
        await daemon.logged("not connected", skip=len(daemon.err.text))
        daemon.send(signal.SIGTERM)
        assert await daemon.ended() == 0


async def test_the_module_is_the_command(tmp_path: Path) -> None:
    async with barsync(
        "-m", "barsync_async", "--version", cwd=tmp_path, program=sys.executable
    ) as it:
        assert await it.ended() == 0
    assert it.out.text[0].startswith("barsync, version ")
