"""Files of certificates in configs and scenarios: what is wrong with them is told before anything
runs.
"""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.certificates import Authority

from barsync_async.app.cli import main

EXPECTED = "expected certificates in PEM form"
CONFIG = """
[feeds.one]
venue = "binance"
sources = ["SPY_1m"]
ca_file = "{one}"
[feeds.two]
venue = "kraken"
sources = ["BTC/USD_1m"]
ca_file = "{two}"
[containers.c.components.synchronizer]
type = "BarSynchronizer"
config = {{ expected_sources = ["SPY_1m"] }}
"""
SCENARIO = """
[venue]
listen = "127.0.0.1:0"
tls = {tls}
[sources.SPY_1s]
"""


def barsync(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.mark.parametrize("command", ["check", "run"])
def test_every_file_of_authorities_that_cannot_be_used_is_named_at_once(
    command: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(one="none.pem", two="folder"), "utf-8")
    result = barsync(command, config)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        f"{config}: 2 mistakes",
        f"  feeds.one.ca_file = 'none.pem': {EXPECTED}: No such file or directory",
        f"  feeds.two.ca_file = 'folder': {EXPECTED}: it is no regular file",
    ]


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_file_without_certificates_is_no_file_of_authorities(
    command: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(one=authority.file, two="config.toml"), "utf-8")
    result = barsync(command, config)
    assert (result.exit_code, result.stdout) == (2, "")
    (_, told) = result.stderr.splitlines()
    assert told == f"  feeds.two.ca_file = 'config.toml': {EXPECTED}: it holds none"


def test_authorities_relative_to_the_config_are_good(tmp_path: Path) -> None:
    Authority(tmp_path)
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(one="ca.pem", two="ca.pem"), "utf-8")
    assert barsync("check", config).exit_code == 0


@pytest.mark.parametrize(
    ("tls", "told"),
    [
        ('{ cert = "server.pem" }', "venue.tls.key: is required"),
        ('{ cert = "", key = "server.key" }', "venue.tls.cert = ''"),
        (
            '{ cert = "no.pem", key = "server.key" }',
            "no.pem': expected a file in PEM form: No such",
        ),
        ('{ cert = "server.pem", key = "." }', "venue.tls.key = "),
        ('{ cert = "server.key", key = "server.pem" }', "venue.tls = "),
        ('{ cert = "server.pem", key = "ca.pem" }', "expected a certificate and its private key"),
        ("true", "venue.tls = True"),
    ],
)
def test_a_pair_that_cannot_be_used_is_a_mistake_of_the_scenario(
    tls: str, told: str, tmp_path: Path
) -> None:
    Authority(tmp_path).issue()
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO.format(tls=tls), "utf-8")
    result = barsync("simulate", scenario, "--duration", "0.1")
    assert (result.exit_code, result.stdout) == (2, "")
    head, mistake = result.stderr.splitlines()
    assert head == f"{scenario}: 1 mistake"
    assert told in mistake


def test_a_demo_has_no_tls_and_says_so(tmp_path: Path) -> None:
    Authority(tmp_path).issue()
    scenario = tmp_path / "scenario.toml"
    pair = '{ cert = "server.pem", key = "server.key" }'
    sources = "[sources.QQQ_1s]\n[sources.SPY_5s]\n"
    scenario.write_text(SCENARIO.format(tls=pair) + sources, "utf-8")
    result = barsync("demo", "--duration", "0.1", "--scenario", scenario)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "venue.tls: a demo has no TLS" in result.stderr
