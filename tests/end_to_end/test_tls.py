"""Certificates between processes: the venue shows one, the daemon looks at it."""

import datetime as dt
import signal
from itertools import pairwise
from pathlib import Path

from tests.certificates import Authority
from tests.end_to_end.running import barsync

from barsync_async.shell.clock import SystemClock

SCENARIO = """
[venue]
protocol = "kraken"
listen = "127.0.0.1:0"
pace_ms = 10
start = {start}
tls = {{ cert = "server.pem", key = "server.key" }}
[sources."BTC/USD_1m"]
"""
CONFIG = """
[service]
log_format = "json"
[feeds.k]
venue = "kraken"
url = "{url}"
history_url = "{history}"
sources = ["BTC/USD_1m"]
backfill = {backfill}
ca_file = "{ca_file}"
[containers.c.components.synchronizer]
type = "BarSynchronizer"
config = {{ expected_sources = ["BTC/USD_1m"] }}
[outputs.events]
type = "jsonl"
path = "-"
"""
MINUTE = 60_000


def write_scenario(folder: Path) -> Path:
    """Its first ten bars close at once, the others each minute."""
    now = SystemClock().now().wall
    start = (now // MINUTE - 9) * MINUTE
    path = folder / "scenario.toml"
    path.write_text(SCENARIO.format(start=start), "utf-8")
    return path


def write_config(folder: Path, url: str, ca_file: Path, backfill: int) -> Path:
    history = url.replace("wss://", "https://")
    path = folder / "config.toml"
    path.write_text(
        CONFIG.format(url=url, history=history, ca_file=ca_file.name, backfill=backfill), "utf-8"
    )
    return path


async def test_an_authority_of_ones_own_serves_past_and_live_bars(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue()
    async with barsync("simulate", write_scenario(tmp_path), cwd=tmp_path) as market:
        url = await market.address()
        assert url.startswith("wss://")
        config = write_config(tmp_path, url, authority.file, 5)
        async with barsync("run", config, cwd=tmp_path) as daemon:
            past = await daemon.logged("past bars")
            assert past["bars"] >= 4
            await daemon.logged("subscribed")
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
    sets = daemon.events("SYNCHRONIZED_BARS")
    assert len(sets) >= 4
    assert sets[0]["bars"]["BTC/USD_1m"]["backfilled"]


async def test_a_venue_that_is_not_trusted_is_named_once_a_try_and_tried_ever_more_seldom(
    tmp_path: Path,
) -> None:
    Authority(tmp_path).issue()
    other = Authority(tmp_path, "other")
    wrong = "its certificate is not trusted: unable to get local issuer certificate"
    async with barsync("simulate", write_scenario(tmp_path), cwd=tmp_path) as market:
        url = await market.address()
        config = write_config(tmp_path, url, other.file, 1)
        env = {"PYTHONHTTPSVERIFY": "0", "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
        async with barsync("run", config, cwd=tmp_path, env=env) as daemon:
            missed = await daemon.logged("no past bars")
            assert missed["feed"] == "k"
            asked = url.replace("wss://", "https://") + "/0/public/OHLC"
            assert missed["detail"] == f"cannot get {asked}: {wrong}"
            tried = await daemon.logged_times("not connected", 4)
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
    for place, line in enumerate(tried):
        assert (line["feed"], line["detail"]) == ("k", f"cannot connect to {url}/v2: {wrong}")
        assert 0 <= line["retry_in_s"] <= 0.25 * 2**place
    for before, after in pairwise(tried):
        waited = dt.datetime.fromisoformat(after["time"]) - dt.datetime.fromisoformat(
            before["time"]
        )
        assert waited.total_seconds() >= before["retry_in_s"] - 0.002
    assert not any("Traceback" in line for line in daemon.err.text + market.err.text)
    assert not daemon.out.text
