"""A real recorded connection, served over a real websocket with its own timing."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.end_to_end.running import barsync, write_config
from tests.end_to_end.venue import venue
from websockets.asyncio.server import ServerConnection

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
RECORDING = SAMPLES / "recorded" / "binance_tr.ws.txt"
SOURCES = ["XEMUSDT_1m", "LTCBRL_1m", "BELBTC_1m", "ELFBUSD_1m"]
CLOSED_AT = 1_681_154_040_000
EMPTY = {"BELBTC_1m", "ELFBUSD_1m"}


@pytest.fixture
def recording() -> Path:
    if not RECORDING.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {RECORDING}: CI must have the recordings beside the project")
        pytest.skip(f"no {RECORDING}")
    return RECORDING


def frames(recording: Path) -> Iterator[tuple[float, str]]:
    """The frames received, each with its time in seconds since the first."""
    first = None
    for line in recording.read_text("utf-8").splitlines():
        moment, colon, text = line.partition(": ")
        if colon and not moment.startswith("wss:"):
            first = float(moment) if first is None else first
            yield float(moment) - first, text


async def test_the_four_closed_bars_two_of_them_empty_come_out_in_one_set(
    recording: Path, tmp_path: Path
) -> None:
    played = asyncio.Event()

    async def play(websocket: ServerConnection) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for after, text in frames(recording):
            await asyncio.sleep(max(0.0, began + after - loop.time()))
            await websocket.send(text)
        played.set()

    async with venue(play) as url:
        config = write_config(
            tmp_path, url, SOURCES, {"c": {"timeout_ms": 1_000, "require_all": True}}
        )
        async with barsync("run", config, cwd=tmp_path) as daemon:
            await played.wait()
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0

    (line,) = daemon.out.json()
    assert line["type"] == "SYNCHRONIZED_BARS"
    assert (line["timestamp"], line["status"]) == (CLOSED_AT, "complete")
    assert sorted(line["bars"]) == sorted(SOURCES)
    empty = {source for source, bar in line["bars"].items() if bar["volume"] == 0}
    assert empty == EMPTY
    assert {bar["provenance"] for bar in line["bars"].values()} == {"fresh"}
    assert line["bars"]["LTCBRL_1m"]["close"] == 473.1
    totals = await daemon.logged("totals")
    assert (totals["received"], totals["accepted"], totals["rejected"]) == (4, 4, 0)
